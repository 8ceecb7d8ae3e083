//! The embedded migrations, one folder a database, the same names in both. `serve` runs them by
//! itself; a database from a newer Rollcall is refused, never downgraded by accident.

use diesel::migration::{Migration, MigrationSource, MigrationVersion};
use diesel::RunQueryDsl;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::{Backend, Conn, DbError, on_backend};

const SQLITE: EmbeddedMigrations = embed_migrations!("migrations/sqlite");
const POSTGRES: EmbeddedMigrations = embed_migrations!("migrations/postgres");

/// One number for every Rollcall that migrates: they take turns (PostgreSQL advisory lock).
const MIGRATION_LOCK: i64 = 0x526f_6c6c_6361_6c6c;

/// What the database has, against what this binary knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MigrationState {
    /// Known to us, not yet run.
    pub pending: Vec<String>,
    /// Run, but not known to us: the database is from a newer version.
    pub unknown: Vec<String>,
}

/// Compares the database with this binary; changes nothing but the (empty) migrations table.
pub fn migration_state(conn: &mut Conn) -> Result<MigrationState, DbError> {
    let known: Vec<String> = match conn.backend() {
        Backend::Sqlite => names::<diesel::sqlite::Sqlite>(&SQLITE)?,
        Backend::Postgres => names::<diesel::pg::Pg>(&POSTGRES)?,
    };
    let applied: Vec<MigrationVersion<'static>> =
        on_backend!(conn, c => c.applied_migrations()).map_err(|error| DbError::Migration(error.to_string()))?;
    let applied: Vec<String> = applied.iter().map(ToString::to_string).collect();
    Ok(MigrationState {
        pending: known.iter().filter(|name| !applied.contains(&version(name))).cloned().collect(),
        unknown: applied.into_iter().filter(|run| !known.iter().any(|name| version(name) == *run)).collect(),
    })
}

/// Brings the database up to this binary. On PostgreSQL under an advisory lock, so that several
/// processes may start at once.
pub fn migrate(conn: &mut Conn) -> Result<Vec<String>, DbError> {
    if let Conn::Postgres(c) = conn {
        diesel::sql_query("SELECT pg_advisory_lock($1)").bind::<diesel::sql_types::BigInt, _>(MIGRATION_LOCK).execute(c)?;
    }
    let done = migrate_alone(conn);
    if let Conn::Postgres(c) = conn {
        diesel::sql_query("SELECT pg_advisory_unlock($1)").bind::<diesel::sql_types::BigInt, _>(MIGRATION_LOCK).execute(c)?;
    }
    done
}

fn migrate_alone(conn: &mut Conn) -> Result<Vec<String>, DbError> {
    let state = migration_state(conn)?;
    if !state.unknown.is_empty() {
        return Err(DbError::Migration(format!(
            "the database was written by a newer Rollcall (it has migration {}): start that version, or restore a backup \
             from before the upgrade; nothing was changed",
            state.unknown.join(", ")
        )));
    }
    if state.pending.is_empty() {
        return Ok(Vec::new());
    }
    let ran = match conn {
        Conn::Sqlite(c) => c.run_pending_migrations(SQLITE).map(|done| done.len()),
        Conn::Postgres(c) => c.run_pending_migrations(POSTGRES).map(|done| done.len()),
    };
    ran.map_err(|error| DbError::Migration(format!("could not migrate the database: {error}")))?;
    Ok(state.pending)
}

/// Takes every migration back, newest first. For the test that runs up, down, up.
pub fn revert_all(conn: &mut Conn) -> Result<(), DbError> {
    match conn {
        Conn::Sqlite(c) => c.revert_all_migrations(SQLITE).map(|_| ()),
        Conn::Postgres(c) => c.revert_all_migrations(POSTGRES).map(|_| ()),
    }
    .map_err(|error| DbError::Migration(format!("could not take the migrations back: {error}")))
}

fn names<DB: diesel::backend::Backend>(source: &EmbeddedMigrations) -> Result<Vec<String>, DbError>
where
    EmbeddedMigrations: MigrationSource<DB>,
{
    let all: Vec<Box<dyn Migration<DB>>> =
        source.migrations().map_err(|error| DbError::Migration(error.to_string()))?;
    Ok(all.iter().map(|migration| migration.name().to_string()).collect())
}

/// `2026-11-23-000001_spine` is recorded as `20261123000001`.
fn version(name: &str) -> String {
    name.split('_').next().unwrap_or(name).replace('-', "")
}
