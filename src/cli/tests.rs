//! What holds for every command: the tree is sound, each command shows an example, flags reach the
//! settings from either side of the command.

use clap::Parser;

use super::*;

#[test]
fn the_command_tree_is_sound() {
    tree().debug_assert();
}

#[test]
fn every_command_shows_an_example() {
    fn walk(command: &clap::Command, path: &str) {
        let path = format!("{path} {}", command.get_name());
        assert!(
            command.get_about().is_some(),
            "{path} says nothing about itself"
        );
        let inner: Vec<&clap::Command> = command
            .get_subcommands()
            .filter(|inner| inner.get_name() != "help")
            .collect();
        if inner.is_empty() {
            let help = command.clone().render_long_help().to_string();
            assert!(
                help.contains("Example"),
                "{path} --help shows no example:\n{help}"
            );
        }
        inner.into_iter().for_each(|inner| walk(inner, &path));
    }
    let mut tree = tree();
    tree.build();
    walk(&tree, "");
}

#[test]
fn a_setting_may_be_said_before_or_after_the_command() {
    let said = |words: &[&str]| Cli::try_parse_from(words).unwrap().globals.settings.0;
    let before = said(&["rollcall", "--listen", "127.0.0.1:1", "config", "show"]);
    let after = said(&["rollcall", "config", "show", "--listen", "127.0.0.1:1"]);
    let elsewhere = said(&["rollcall", "healthcheck", "--listen", "127.0.0.1:1"]);
    assert_eq!(
        before.get("listen").map(String::as_str),
        Some("127.0.0.1:1")
    );
    assert_eq!(before, after);
    assert_eq!(before, elsewhere);
}

#[test]
fn a_switch_stands_alone_or_takes_a_value() {
    let said = |flag: &str| {
        let cli = Cli::try_parse_from(["rollcall", "config", "show", flag]).unwrap();
        cli.globals.settings.0.get("allow-private-targets").cloned()
    };
    assert_eq!(said("--allow-private-targets").as_deref(), Some("true"));
    assert_eq!(
        said("--allow-private-targets=false").as_deref(),
        Some("false")
    );
}

#[test]
fn settings_are_listed_only_where_they_matter() {
    let mut tree = tree();
    tree.build();
    let help = |path: &[&str]| {
        let found = path.iter().fold(&tree, |command, name| {
            command.find_subcommand(name).unwrap()
        });
        found.clone().render_long_help().to_string()
    };
    assert!(help(&["config", "show"]).contains("--database-url"));
    assert!(!help(&["man"]).contains("--database-url"));
}
