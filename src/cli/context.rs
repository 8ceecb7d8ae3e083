//! What every command is given: its output, and the configuration when it asks for it. Commands
//! that need no configuration never see a problem with it.

use std::path::PathBuf;

use super::exit::{Exit, Failure};
use super::output::Output;
use super::settings::SettingFlags;
use crate::config::{self, Config, Loaded, LogFormat, Origin};
use crate::telemetry;

/// Flags that stand before or after any command.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Global options")]
pub struct Globals {
    /// Configuration file; ./rollcall.toml when there is one
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Print JSON: data on standard output, errors on standard error
    #[arg(long, global = true)]
    pub json: bool,
    /// No colour; so does NO_COLOR
    #[arg(long, global = true)]
    pub no_color: bool,
    /// Answer yes to every question
    #[arg(short, long, global = true)]
    pub yes: bool,
    /// Log what Rollcall itself does in detail
    #[arg(short, long, global = true)]
    pub verbose: bool,
    #[command(flatten)]
    pub(super) settings: SettingFlags,
}

/// What every command is given.
#[derive(Debug)]
pub struct Context {
    /// Where its words go.
    pub output: Output,
    globals: Globals,
}

impl Context {
    pub(super) fn new(globals: Globals) -> Self {
        Self {
            output: Output::new(globals.json, globals.no_color, globals.yes),
            globals,
        }
    }

    /// The configuration with the origin of each value; starts no log.
    ///
    /// # Errors
    /// Every problem with it, as [`super::Exit::Configuration`].
    pub fn loaded(&self) -> Result<Loaded, Failure> {
        let env =
            |name: &str| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned());
        let file = self.globals.config.clone().or_else(config::find_file);
        Ok(config::load(
            &self.globals.settings.0,
            &env,
            file.as_deref(),
        )?)
    }

    /// The configuration for a command that does one thing and ends. Only warnings are logged
    /// unless a filter was said: such a command's own words are what counts.
    ///
    /// # Errors
    /// As [`Context::loaded`].
    pub fn config(&self) -> Result<Config, Failure> {
        let mut loaded = self.loaded()?;
        quieten(&mut loaded);
        self.start_log(&loaded.config);
        Ok(loaded.config)
    }

    /// The configuration for a command that runs the service: logs as configured.
    ///
    /// # Errors
    /// As [`Context::loaded`].
    pub fn service_config(&self) -> Result<Config, Failure> {
        let config = self.loaded()?.config;
        self.start_log(&config);
        Ok(config)
    }

    /// The configuration of a command that is the same everywhere: no file, of the flags only those of
    /// the settings `heard`, and of the environment only the log's. Only warnings are logged unless a
    /// filter was said.
    ///
    /// # Errors
    /// As [`Context::loaded`]; another setting's flag is wrong usage.
    pub fn loaded_alone(&self, heard: &[&str]) -> Result<Loaded, Failure> {
        let flags = &self.globals.settings.0;
        let deaf = config::settings()
            .into_iter()
            .filter(|setting| !heard.contains(&setting.env))
            .find(|setting| flags.contains_key(setting.flag));
        if let Some(setting) = deaf {
            return Err(Failure::new(
                Exit::Usage,
                format!(
                    "--{} has no meaning here: this command brings its own",
                    setting.flag
                ),
            ));
        }
        let env = |name: &str| {
            let said = name
                .starts_with("ROLLCALL_LOG")
                .then(|| std::env::var_os(name))??;
            Some(said.to_string_lossy().into_owned())
        };
        let mut loaded = config::load(flags, &env, None)?;
        quieten(&mut loaded);
        self.start_log(&loaded.config);
        Ok(loaded)
    }

    fn start_log(&self, config: &Config) {
        let plain = self.globals.no_color
            || std::env::var_os("NO_COLOR").is_some_and(|said| !said.is_empty());
        telemetry::start_log(telemetry::Logging {
            filter: &config.log.filter,
            verbose: self.globals.verbose,
            json: config.log.format == LogFormat::Json,
            colour: !plain,
        });
        if config.log.otel_endpoint.is_some() {
            tracing::warn!("OTEL_EXPORTER_OTLP_ENDPOINT is set, but this build exports no traces");
        }
    }
}

/// Only warnings, unless a filter was said.
fn quieten(loaded: &mut Loaded) {
    let silent =
        |row: &config::ShownSetting| row.name == "ROLLCALL_LOG" && row.origin == Origin::Default;
    if loaded.rows.iter().any(silent) {
        loaded.config.log.filter = "warn".to_owned();
    }
}
