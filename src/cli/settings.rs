//! The settings as flags, made from the same table as everything else about them. Every command
//! takes every one of them; only commands that run the service list them in their help, since
//! thirty flags that are rarely said would bury the few that matter.

use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches, error::Error};

use crate::config::{Flags, Setting, Shown, settings};

/// The settings that were said as flags, taken anywhere on the command line.
#[derive(Debug, Clone, Default)]
pub struct SettingFlags(pub Flags);

/// Put into a command's arguments, lists the settings in its help.
#[derive(Debug, Clone, Copy, Default)]
pub struct ListedSettings;

impl Args for SettingFlags {
    fn augment_args(command: Command) -> Command {
        command.args(all(true))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for SettingFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let said = |flag: String| {
            matches
                .get_one::<String>(&flag)
                .map(|value| (flag, value.clone()))
        };
        Ok(Self(
            settings()
                .into_iter()
                .flat_map(names)
                .filter_map(said)
                .collect(),
        ))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

// clap leaves a global flag alone where the subcommand has one of the same id, and takes values
// from either place: that is what lets one command show what the others hide.
impl Args for ListedSettings {
    fn augment_args(command: Command) -> Command {
        command.args(all(false))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for ListedSettings {
    fn from_arg_matches(_: &ArgMatches) -> Result<Self, Error> {
        Ok(Self)
    }

    fn update_from_arg_matches(&mut self, _: &ArgMatches) -> Result<(), Error> {
        Ok(())
    }
}

fn names(setting: &Setting) -> Vec<String> {
    let mut names = vec![setting.flag.to_owned()];
    if setting.may_come_from_a_file() {
        names.push(setting.file_flag());
    }
    names
}

fn all(hidden: bool) -> Vec<Arg> {
    settings()
        .into_iter()
        .flat_map(|setting| args(setting, hidden))
        .collect()
}

fn args(setting: &Setting, hidden: bool) -> Vec<Arg> {
    let flag = |name: String, value: &'static str, help: String| {
        Arg::new(name.clone())
            .long(name)
            .value_name(value)
            .help(help)
            .action(ArgAction::Set)
            .global(true)
            .hide(hidden)
            .help_heading("Settings")
    };
    let default = setting
        .default
        .map(|text| format!(" [default: {text}]"))
        .unwrap_or_default();
    let help = format!("{} [env: {}]{default}", setting.help, setting.env);
    let mut value = flag(setting.flag.to_owned(), setting.value, help);
    if setting.shown == Shown::Switch {
        value = value
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true");
    }
    let mut args = vec![value];
    if setting.may_come_from_a_file() {
        let help = format!(
            "A file that holds the value of --{}. [env: {}]",
            setting.flag,
            setting.file_env()
        );
        args.push(flag(setting.file_flag(), "PATH", help));
    }
    args
}
