//! Whether a database is what this binary's migrations made. A migration that was edited after it
//! ran leaves a database that no version describes, and its name alone cannot show that: so the
//! checksum of each applied migration is kept and compared, and each table is asked once for
//! every column that this version reads. Read-only but for [`record`].

use std::collections::BTreeMap;

use diesel::prelude::*;
use diesel::sql_types::Text;
use include_dir::{Dir, include_dir};
use sha2::{Digest, Sha256};

use super::{Backend, Conn, DbError, Fault, on_backend, schema};

static SQLITE: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/migrations/sqlite");
static POSTGRES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/migrations/postgres");

/// Beside Diesel's own table and named like it: it has to be there before the first migration.
const TABLE: &str = "__rollcall_migration_checksums";

diesel::table! {
    __rollcall_migration_checksums (version) {
        version -> Text,
        checksum -> Text,
    }
}

use __rollcall_migration_checksums as kept;

/// The checksum of each embedded migration, by its recorded version (`20261123000001`).
fn embedded(backend: Backend) -> BTreeMap<String, String> {
    let folder = match backend {
        Backend::Sqlite => &SQLITE,
        Backend::Postgres => &POSTGRES,
    };
    let migrations = folder.dirs().filter_map(|migration| {
        let name = migration.path().file_name()?.to_str()?;
        let up = migration.get_file(migration.path().join("up.sql"))?;
        let text = up.contents_utf8()?;
        Some((super::migrations::version(name), checksum(text)))
    });
    migrations.collect()
}

/// SHA-256 in hex. Line ends do not count: a checkout on Windows is the same migration.
fn checksum(text: &str) -> String {
    hex::encode(Sha256::digest(text.replace("\r\n", "\n")))
}

/// The applied migrations whose text is another one now, by version.
pub(super) fn edited(conn: &mut Conn) -> Result<Vec<String>, DbError> {
    if !has_table(conn)? {
        return Ok(Vec::new());
    }
    let ours = embedded(conn.backend());
    let rows: Vec<(String, String)> = on_backend!(conn, c => kept::table
        .select((kept::version, kept::checksum))
        .order(kept::version)
        .load(c))?;
    let differ = rows.into_iter().filter(|(version, checksum)| {
        ours.get(version)
            .is_some_and(|embedded| embedded != checksum)
    });
    Ok(differ.map(|(version, _)| version).collect())
}

/// Keeps the checksums of applied migrations that have none yet. A database from before checksums
/// were kept is taken at its word here; [`unreadable`] asks it.
pub(super) fn record(conn: &mut Conn, applied: &[String]) -> Result<(), DbError> {
    on_backend!(conn, c => diesel::sql_query(format!(
        "CREATE TABLE IF NOT EXISTS {TABLE} (version TEXT NOT NULL PRIMARY KEY, checksum TEXT NOT NULL)"
    ))
    .execute(c))?;
    for (version, checksum) in embedded(conn.backend()) {
        if applied.contains(&version) {
            on_backend!(conn, c => diesel::insert_into(kept::table)
                .values((kept::version.eq(&version), kept::checksum.eq(&checksum)))
                .on_conflict_do_nothing()
                .execute(c))?;
        }
    }
    Ok(())
}

/// Takes the checksums away, with the migrations they are of.
pub(super) fn forget(conn: &mut Conn) -> Result<(), DbError> {
    on_backend!(conn, c => diesel::sql_query(format!("DROP TABLE IF EXISTS {TABLE}")).execute(c))?;
    Ok(())
}

#[derive(QueryableByName)]
struct Found {
    #[diesel(sql_type = Text)]
    #[allow(dead_code, reason = "that there is a row is the answer")]
    name: String,
}

/// Asked of the catalogue: on PostgreSQL a failed statement would end the caller's transaction.
fn has_table(conn: &mut Conn) -> Result<bool, DbError> {
    let rows: Vec<Found> = match conn {
        Conn::Sqlite(c) => {
            diesel::sql_query("SELECT name FROM sqlite_master WHERE type = 'table' AND name = ?")
                .bind::<Text, _>(TABLE)
                .load(c)?
        }
        Conn::Postgres(c) => diesel::sql_query(
            "SELECT relname::text AS name FROM pg_class WHERE oid = to_regclass($1)",
        )
        .bind::<Text, _>(TABLE)
        .load(c)?,
    };
    Ok(!rows.is_empty())
}

/// Asks each table for all columns of `schema`, and for no row.
macro_rules! unreadable_among {
    ($conn:expr, $($table:ident),+ $(,)?) => {{
        let mut failing: Vec<&'static str> = Vec::new();
        $(
            let answered = on_backend!(&mut *$conn, c => schema::$table::table.limit(0).execute(c));
            match answered.map_err(DbError::from) {
                Ok(_) => {}
                Err(error) if matches!(error.fault(), Fault::Own | Fault::Unready) => {
                    failing.push(stringify!($table));
                }
                Err(error) => return Err(error),
            }
        )+
        failing
    }};
}

/// The tables that lack something this version reads: nothing that an up-to-date database has. Not
/// to be called inside a transaction (a refused statement ends it on PostgreSQL).
pub fn unreadable_tables(conn: &mut Conn) -> Result<Vec<&'static str>, DbError> {
    Ok(unreadable_among!(
        conn,
        organizations,
        directories,
        profiles,
        links,
        link_keys,
        observations,
        groups,
        group_edges,
        communities,
        memberships,
        changes,
        holds,
        staged_removals,
        suspensions,
        hold_items,
        outbox,
        event_bodies,
        event_attempts,
        triggers,
        trigger_versions,
        opt_outs,
        deliveries,
        destinations,
        delivery_attempts,
        tokens,
        jobs,
        kept_secrets,
        operator_acts,
        processes,
        erasures,
        legal_holds,
        chores,
        identity_decisions,
        identity_changes,
        event_gaps,
        catch_ups,
        reconciles,
        reconcile_seen,
        drift_items,
        membership_refetches,
        user_refetches,
        setup_links,
        webhook_secret_uses,
        webhook_refusals,
        event_repeats,
        webhook_wrong_paths,
        console_sessions,
        installation,
        restores
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_embedded_migration_has_a_checksum_that_line_ends_do_not_change() {
        for backend in [Backend::Sqlite, Backend::Postgres] {
            let all = embedded(backend);
            assert!(all.contains_key("20261201000001"), "{all:?}");
        }
        assert_eq!(checksum("a\r\nb\r\n"), checksum("a\nb\n"));
        assert_ne!(checksum("a\nb"), checksum("a\nc"));
    }
}
