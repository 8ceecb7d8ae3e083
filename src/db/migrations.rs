//! The embedded migrations, one folder a database, the same names in both. `serve` runs them by
//! itself; a database from a newer Rollcall is refused, never downgraded by accident.

use diesel::RunQueryDsl;
use diesel::migration::{Migration, MigrationSource, MigrationVersion};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::integrity::{self, unreadable_tables};
use super::{Backend, Conn, DbError, on_backend};

const SQLITE: EmbeddedMigrations = embed_migrations!("migrations/sqlite");
const POSTGRES: EmbeddedMigrations = embed_migrations!("migrations/postgres");

/// The version of the first schema.
const FIRST: &str = "20261201000001";

/// One number for every Rollcall that migrates: they take turns (PostgreSQL advisory lock).
const MIGRATION_LOCK: i64 = 0x526f_6c6c_6361_6c6c;

/// What the database has, against what this binary knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MigrationState {
    /// Known to us, not yet run.
    pub pending: Vec<String>,
    /// Run, but not known to us: the database is from a newer version.
    pub unknown: Vec<String>,
    /// Run, but with another text than this binary has: the database is of no released version.
    pub edited: Vec<String>,
}

/// Compares the database with this binary; changes nothing but the (empty) migrations table.
pub fn migration_state(conn: &mut Conn) -> Result<MigrationState, DbError> {
    let known: Vec<String> = match conn.backend() {
        Backend::Sqlite => names::<diesel::sqlite::Sqlite>(&SQLITE)?,
        Backend::Postgres => names::<diesel::pg::Pg>(&POSTGRES)?,
    };
    let applied = applied(conn)?;
    Ok(MigrationState {
        pending: known
            .iter()
            .filter(|name| !applied.contains(&version(name)))
            .cloned()
            .collect(),
        unknown: applied
            .into_iter()
            .filter(|run| !known.iter().any(|name| version(name) == *run))
            .collect(),
        edited: integrity::edited(conn)?,
    })
}

/// The versions that ran, as the database records them.
fn applied(conn: &mut Conn) -> Result<Vec<String>, DbError> {
    let applied: Vec<MigrationVersion<'static>> = on_backend!(conn, c => c.applied_migrations())
        .map_err(|error| DbError::Migration(error.to_string()))?;
    Ok(applied.iter().map(ToString::to_string).collect())
}

/// Brings the database up to this binary. On PostgreSQL under an advisory lock, so that several
/// processes may start at once.
pub fn migrate(conn: &mut Conn) -> Result<Vec<String>, DbError> {
    if let Conn::Postgres(c) = conn {
        diesel::sql_query("SELECT pg_advisory_lock($1)")
            .bind::<diesel::sql_types::BigInt, _>(MIGRATION_LOCK)
            .execute(c)?;
    }
    let done = migrate_alone(conn);
    if let Conn::Postgres(c) = conn {
        diesel::sql_query("SELECT pg_advisory_unlock($1)")
            .bind::<diesel::sql_types::BigInt, _>(MIGRATION_LOCK)
            .execute(c)?;
    }
    done
}

fn migrate_alone(conn: &mut Conn) -> Result<Vec<String>, DbError> {
    let state = migration_state(conn)?;
    if is_from_before_the_first_schema(&state.unknown) {
        return Err(DbError::Migration(
            "the database was made by a development build from before the first release, whose tables cannot be \
             upgraded: start with a new database and let WorkOS send its events again; nothing was changed"
                .to_owned(),
        ));
    }
    if !state.unknown.is_empty() {
        return Err(DbError::Migration(format!(
            "the database was written by a newer Rollcall (it has migration {}): start that version, or restore a backup \
             from before the upgrade; nothing was changed",
            state.unknown.join(", ")
        )));
    }
    if !state.edited.is_empty() {
        return Err(DbError::Migration(edited_sentence(&state.edited)));
    }
    if !state.pending.is_empty() {
        let ran = match conn {
            Conn::Sqlite(c) => c.run_pending_migrations(SQLITE).map(|done| done.len()),
            Conn::Postgres(c) => c.run_pending_migrations(POSTGRES).map(|done| done.len()),
        };
        ran.map_err(|error| {
            DbError::Migration(format!("could not migrate the database: {error}"))
        })?;
    }
    let unreadable = unreadable_tables(conn)?;
    if !unreadable.is_empty() {
        return Err(DbError::Migration(unreadable_sentence(&unreadable)));
    }
    let applied = applied(conn)?;
    integrity::record(conn, &applied)?;
    Ok(state.pending)
}

/// Until the first release the migrations were merged into one: what they were called sorts before it.
fn is_from_before_the_first_schema(unknown: &[String]) -> bool {
    unknown.iter().any(|version| version.as_str() < FIRST)
}

/// Why a database with an edited migration is not used, and what to do.
pub fn edited_sentence(edited: &[String]) -> String {
    format!(
        "the migrations {} ran on this database with another text than this version has: the database was made by a \
         development build. Start the build that made it, or restore a backup made by a release; nothing was changed",
        edited.join(", ")
    )
}

/// Why a database that lacks columns is not used, and what to do.
pub fn unreadable_sentence(tables: &[&str]) -> String {
    format!(
        "the database says that it is up to this version, but lacks what this version reads in: {}. It was made by a \
         development build, or changed by hand: start the build that made it, or restore a backup",
        tables.join(", ")
    )
}

/// Takes every migration back, newest first. For the test that runs up, down, up.
pub fn revert_all(conn: &mut Conn) -> Result<(), DbError> {
    match conn {
        Conn::Sqlite(c) => c.revert_all_migrations(SQLITE).map(|_| ()),
        Conn::Postgres(c) => c.revert_all_migrations(POSTGRES).map(|_| ()),
    }
    .map_err(|error| DbError::Migration(format!("could not take the migrations back: {error}")))?;
    integrity::forget(conn)
}

fn names<DB: diesel::backend::Backend>(source: &EmbeddedMigrations) -> Result<Vec<String>, DbError>
where
    EmbeddedMigrations: MigrationSource<DB>,
{
    let all: Vec<Box<dyn Migration<DB>>> = source
        .migrations()
        .map_err(|error| DbError::Migration(error.to_string()))?;
    Ok(all
        .iter()
        .map(|migration| migration.name().to_string())
        .collect())
}

/// `2026-11-23-000001_spine` is recorded as `20261123000001`.
pub(super) fn version(name: &str) -> String {
    name.split('_').next().unwrap_or(name).replace('-', "")
}
