//! Configuration: read once at start, all problems told at once, secrets wrapped. A flag wins over
//! the environment, the environment over `rollcall.toml`, the file over the default. One concern a
//! file; each declares its settings beside the struct that they fill.

mod access;
mod database;
mod file;
mod http;
mod intake;
mod log;
mod mail;
mod mask;
mod problem;
mod reader;
pub mod reference;
mod setting;
mod slack;
mod sources;
#[cfg(test)]
mod tests;
mod triggers;
mod webhook;
mod worker;
mod workos;

use std::collections::BTreeMap;
use std::path::Path;

pub use access::Access;
pub use database::Database;
pub use file::{FILE_NAME, find as find_file};
pub use http::Http;
pub use intake::Intake;
pub use log::{Log, LogFormat};
pub use mail::Mail;
pub use problem::{Problem, Problems};
pub use reader::ShownSetting;
pub use setting::{Setting, Shown};
pub use slack::Slack;
pub use sources::{Flags, Origin};
pub use triggers::Triggers;
pub use webhook::Webhook;
pub use worker::Worker;
pub use workos::{CatchUpMode, ReconcileMode, WorkOs};

/// Everything that can be set. `Debug` shows no secret.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where the data lives.
    pub database: Database,
    /// The address that is listened on, and who may send to it.
    pub http: Http,
    /// How deliveries from WorkOS are verified.
    pub webhook: Webhook,
    /// How much may wait for its commit.
    pub intake: Intake,
    /// How events are worked off.
    pub worker: Worker,
    /// Access to WorkOS's API.
    pub workos: WorkOs,
    /// Outgoing mail.
    pub mail: Mail,
    /// Access to Slack.
    pub slack: Slack,
    /// Limits and keys of outgoing messages.
    pub triggers: Triggers,
    /// The bootstrap token.
    pub access: Access,
    /// What is logged, and how.
    pub log: Log,
}

impl Config {
    /// What holds when nothing is said anywhere: no environment, no file. For tests and `demo`.
    ///
    /// # Errors
    /// None in practice: a test loads the defaults.
    pub fn defaults() -> Result<Self, Problems> {
        load(&Flags::new(), &|_| None, None).map(|loaded| loaded.config)
    }
}

/// A configuration, and the rows that tell where each value comes from.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The values.
    pub config: Config,
    /// One row a setting, for `config show`.
    pub rows: Vec<ShownSetting>,
}

/// Every setting there is, in the order in which they are shown.
pub fn settings() -> Vec<&'static Setting> {
    [
        database::SETTINGS,
        http::SETTINGS,
        webhook::SETTINGS,
        intake::SETTINGS,
        worker::SETTINGS,
        workos::SETTINGS,
        mail::SETTINGS,
        slack::SETTINGS,
        triggers::SETTINGS,
        access::SETTINGS,
        log::SETTINGS,
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Reads the configuration from its layers.
///
/// `flags` maps a flag's name without dashes to its value; `env` looks up a variable; `file` is the
/// `rollcall.toml` to read, see [`find_file`].
///
/// # Errors
/// Every problem of every layer, in one go; none of them shows a secret.
pub fn load(
    flags: &Flags,
    env: &dyn Fn(&str) -> Option<String>,
    file: Option<&Path>,
) -> Result<Loaded, Problems> {
    let (file, problems) = match file {
        Some(path) => file::read(path, &settings()),
        None => (BTreeMap::new(), Vec::new()),
    };
    let mut reader = reader::Reader::new(sources::Sources { flags, env, file }, problems);
    let config = read(&mut reader);
    match config {
        Some(config) if reader.problems.is_empty() => Ok(Loaded {
            config,
            rows: reader.rows,
        }),
        _ => Err(Problems(reader.problems)),
    }
}

/// All concerns are read before the first missing one ends it, so that every problem is found.
fn read(from: &mut reader::Reader<'_>) -> Option<Config> {
    let database = database::read(from);
    let http = http::read(from);
    let webhook = webhook::read(from);
    let intake = intake::read(from);
    let worker = worker::read(from);
    let workos = workos::read(from);
    let mail = mail::read(from);
    let slack = slack::read(from);
    let triggers = triggers::read(from);
    let access = access::read(from);
    let log = log::read(from);
    Some(Config {
        database: database?,
        http: http?,
        webhook: webhook?,
        intake: intake?,
        worker: worker?,
        workos: workos?,
        mail: mail?,
        slack: slack?,
        triggers: triggers?,
        access: access?,
        log: log?,
    })
}
