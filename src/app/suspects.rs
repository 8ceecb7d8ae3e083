//! How this program is started again to try events in a process of their own: with what a worker needs of
//! the settings and nothing else. The database's URL may hold a password and goes by the environment.

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};

use super::Options;
use crate::config::{self, Config, LogFormat};
use crate::db::{Db, DbError};
use crate::worker::{self, BatchSettings, Orders, Program, Worker};

/// A child writes one batch after the other.
const CONNECTIONS: u32 = 2;

/// The command, hidden from the help: nobody but this program gives it.
const COMMAND: &str = "try-suspects";

/// The program, where there is one.
pub(super) fn program(config: &Config, options: &Options) -> Option<Program> {
    let mut arguments: Vec<OsString> = [
        COMMAND,
        "--batch",
        &config.worker.batch.to_string(),
        "--max-attempts",
        &config.worker.max_attempts.to_string(),
    ]
    .map(OsString::from)
    .to_vec();
    if options.dev {
        arguments.push("--messaging-for-new".into());
    }
    let format = match config.log.format {
        LogFormat::Text => "text",
        LogFormat::Json => "json",
    };
    let environment = [
        ("DATABASE_URL", config.database.url.as_str()),
        ("ROLLCALL_LOG", &config.log.filter),
        ("ROLLCALL_LOG_FORMAT", format),
    ];
    Some(Program {
        path: options.program.clone()?,
        arguments,
        environment: environment
            .map(|(name, value)| (name.into(), value.into()))
            .to_vec(),
    })
}

/// The running executable. On Linux by the kernel's own link, which also names a file that an upgrade has
/// replaced meanwhile.
pub fn this_program() -> Option<PathBuf> {
    let link = Path::new("/proc/self/exe");
    if link.exists() {
        return Some(link.to_owned());
    }
    std::env::current_exe().ok()
}

/// The child's side: works on what was ordered and says what it does to `out` (blocking).
pub fn try_suspects(
    database_url: &str,
    measures: &config::Worker,
    messaging_for_new: bool,
    orders: &Orders,
    out: &mut dyn Write,
) -> Result<(), DbError> {
    let db = Db::open_lean(database_url, CONNECTIONS)?;
    let settings = BatchSettings {
        max_attempts: measures.max_attempts,
        messaging_for_new,
    };
    let clock = db.clock();
    let worker = Worker::new(db, clock, settings, measures.batch, 0);
    worker::try_suspects(&worker, orders, out)
}
