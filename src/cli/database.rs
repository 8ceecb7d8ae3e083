//! How commands reach the database that the configuration names: opened, found to be of this
//! version, read or written in one transaction. A dry run does everything and takes it back, so that
//! what it says is what would happen.

use std::path::Path;

use crate::clock::Timestamp;
use crate::config::Config;
use crate::db::{
    Conn, DatabaseUrl, Db, DbError, MigrationState, Urgency, edited_sentence, migrate,
    migration_state, unreadable_tables,
};
use crate::operations::erasure::settle_key;
use crate::operations::{Actor, OperationError};

use super::{Context, Exit, Failure};

/// A command reads and writes one thing at a time.
const CONNECTIONS: u32 = 2;

/// The default of `DATABASE_URL`.
const UNSAID: &str = "sqlite://rollcall.db";

/// Added to every command that writes.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct DryRun {
    /// Do everything, say what came of it, and take it back
    #[arg(long)]
    pub dry_run: bool,
}

/// What `serve --dev` keeps its roll in.
const DEV_DATABASE: &str = ".rollcall/rollcall.db";

/// The configured database; where nothing was configured and there is none, but `serve --dev` has
/// made one, that one.
pub(super) fn url_of(config: &Config) -> Result<String, Failure> {
    let url = &config.database.url;
    let missing = matches!(DatabaseUrl::parse(url)?, DatabaseUrl::Sqlite(path) if !path.exists());
    let use_dev = missing && url == UNSAID && Path::new(DEV_DATABASE).exists();
    Ok(if use_dev {
        format!("sqlite://{DEV_DATABASE}")
    } else {
        url.clone()
    })
}

/// The database as it is, whatever its version. A SQLite file is not made by looking for it.
pub(super) fn open_any(config: &Config) -> Result<Db, Failure> {
    let url = url_of(config)?;
    if let DatabaseUrl::Sqlite(path) = DatabaseUrl::parse(&url)?
        && !path.exists()
    {
        return Err(Failure::new(
            Exit::Unavailable,
            format!("there is no database at {}", path.display()),
        )
        .hint(
            "`rollcall migrate` makes one, `rollcall serve` too; --database-url or DATABASE_URL names another",
        ));
    }
    Ok(Db::open_lean(&url, CONNECTIONS)?)
}

/// The database, brought up to this version first; a SQLite file is made where there is none.
pub(super) fn open_and_migrate(config: &Config) -> Result<(Db, Vec<String>), Failure> {
    let db = Db::open_lean(&config.database.url, CONNECTIONS)?;
    let ran = db.maintain(migrate)?;
    Ok((db, ran))
}

/// The database, of this version.
pub(super) fn open(config: &Config) -> Result<Db, Failure> {
    let db = open_any(config)?;
    current(&state_of(&db)?)?;
    let key = config.access.erasure_key.as_ref();
    settle_key(&db, key, db.clock().now())?;
    Ok(db)
}

/// The database for the first command on a fresh machine: an embedded one is made and migrated, a
/// server's has to be migrated on purpose.
pub(super) fn open_or_make(config: &Config) -> Result<Db, Failure> {
    match DatabaseUrl::parse(&url_of(config)?)? {
        DatabaseUrl::Sqlite(path) if !path.exists() => Ok(open_and_migrate(config)?.0),
        DatabaseUrl::Sqlite(_) | DatabaseUrl::Postgres(_) => open(config),
    }
}

/// What the database has, against what this binary knows.
pub(super) fn state_of(db: &Db) -> Result<MigrationState, Failure> {
    Ok(db.maintain(migration_state)?)
}

/// The tables that lack something this version reads; empty on a database that is up to date.
pub(super) fn unreadable(db: &Db) -> Result<Vec<&'static str>, Failure> {
    Ok(db.maintain(unreadable_tables)?)
}

fn current(state: &MigrationState) -> Result<(), Failure> {
    if !state.unknown.is_empty() {
        return Err(Failure::new(
            Exit::Unavailable,
            format!(
                "the database was written by a newer Rollcall (it has migration {})",
                state.unknown.join(", ")
            ),
        )
        .hint("use that version, or restore a backup from before the upgrade"));
    }
    if !state.edited.is_empty() {
        return Err(Failure::new(
            Exit::Unavailable,
            edited_sentence(&state.edited),
        ));
    }
    if !state.pending.is_empty() {
        return Err(Failure::new(
            Exit::Unavailable,
            format!(
                "the database is not up to this version: {} not run yet",
                state.pending.join(", ")
            ),
        )
        .hint("run `rollcall migrate`"));
    }
    Ok(())
}

/// Reads under the name of whoever runs the command.
pub(super) fn read<T>(
    context: &Context,
    work: impl FnOnce(&mut Conn, &Actor) -> Result<T, OperationError>,
) -> Result<T, Failure> {
    let db = open(&context.config()?)?;
    Ok(db.read(|conn| work(conn, &Actor::cli()))?)
}

/// As [`read`], for what is counted from now on.
pub(super) fn read_now<T>(
    context: &Context,
    work: impl FnOnce(&mut Conn, &Actor, Timestamp) -> Result<T, OperationError>,
) -> Result<T, Failure> {
    let db = open(&context.config()?)?;
    let now = db.clock().now();
    Ok(db.read(|conn| work(conn, &Actor::cli(), now))?)
}

/// Writes under the name of whoever runs the command, or does as if.
pub(super) fn write<T>(
    context: &Context,
    dry_run: DryRun,
    work: impl FnOnce(&mut Conn, &Actor, Timestamp) -> Result<T, OperationError>,
) -> Result<T, Failure> {
    write_in(&open(&context.config()?)?, context, dry_run, work)
}

/// As [`write`] in a database that is open already.
pub(super) fn write_in<T>(
    db: &Db,
    context: &Context,
    dry_run: DryRun,
    work: impl FnOnce(&mut Conn, &Actor, Timestamp) -> Result<T, OperationError>,
) -> Result<T, Failure> {
    let now = db.clock().now();
    let done = db.write(Urgency::Normal, |conn| {
        let done = work(conn, &Actor::cli(), now).map_err(Ended::Failed)?;
        if dry_run.dry_run {
            Err(Ended::TakenBack(done))
        } else {
            Ok(done)
        }
    });
    match done {
        Ok(done) => Ok(done),
        Err(Ended::TakenBack(done)) => {
            context
                .output
                .note("Dry run: nothing was changed. This is what would be:");
            Ok(done)
        }
        Err(Ended::Failed(why)) => Err(why.into()),
    }
}

/// Why a transaction is rolled back.
enum Ended<T> {
    TakenBack(T),
    Failed(OperationError),
}

impl<T> From<DbError> for Ended<T> {
    fn from(error: DbError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<DbError> for Failure {
    fn from(error: DbError) -> Self {
        let exit = match &error {
            DbError::Url(_) => Exit::Configuration,
            error if error.is_unreachable() => Exit::Unavailable,
            _ => Exit::SomeFailed,
        };
        Self::new(exit, error.to_string())
    }
}

impl From<OperationError> for Failure {
    fn from(error: OperationError) -> Self {
        let message = error.to_string();
        match error {
            OperationError::NotFound { what, .. } => match list_of(what) {
                Some(command) => Self::new(Exit::NotFound, message)
                    .hint(format!("`rollcall {command}` lists those that exist")),
                None => Self::new(Exit::NotFound, message),
            },
            OperationError::Invalid(_) | OperationError::Problems(_) => {
                Self::new(Exit::Usage, message)
            }
            OperationError::Conflict(_) | OperationError::Forbidden(_) => {
                Self::new(Exit::Refused, message)
            }
            OperationError::TooSlow(_) => Self::new(Exit::Unavailable, message),
            OperationError::Database(error) => error.into(),
        }
    }
}

fn list_of(what: &str) -> Option<&'static str> {
    Some(match what {
        "event" => "events list",
        "profile" => "profiles list --status all",
        "community" => "communities list",
        "member" => "communities members <ID>",
        "destination" => "destinations list",
        "trigger" => "triggers list",
        "delivery" => "deliveries list",
        "organization" => "organizations list",
        "directory" => "directories list",
        "directory user" => "conflicts list",
        "job" => "jobs list",
        "live token" => "tokens list",
        _ => return None,
    })
}
