//! Who holds the tables: a lock that somebody took by hand (a migration, a `VACUUM FULL`, a forgotten
//! transaction) is named, so that an operator need not guess why nothing goes on.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Integer, Text};

use super::Conn;

/// Somebody who keeps others waiting.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
pub struct Holder {
    /// The server's id of the session, for `pg_terminate_backend`.
    #[diesel(sql_type = Integer)]
    pub pid: i32,
    /// What it calls itself.
    #[diesel(sql_type = Text)]
    pub application: String,
    /// The tables, with commas.
    #[diesel(sql_type = Text)]
    pub tables: String,
    /// How long its transaction lasts, in seconds.
    #[diesel(sql_type = BigInt)]
    pub seconds: i64,
}

impl std::fmt::Display for Holder {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let application = if self.application.is_empty() {
            "no name"
        } else {
            &self.application
        };
        write!(
            out,
            "session {} ({application}) has held a lock on {} for {} s",
            self.pid, self.tables, self.seconds
        )
    }
}

/// The sessions, longest first, for which somebody waits, and those that hold a whole table for longer than
/// `seconds`. None on SQLite, which does not tell who has its file.
pub fn holders(conn: &mut Conn, seconds: i64) -> QueryResult<Vec<Holder>> {
    let Conn::Postgres(c) = conn else {
        return Ok(Vec::new());
    };
    // Neither statement text nor user: they may hold personal data.
    diesel::sql_query(
        "WITH waiting AS (SELECT unnest(pg_blocking_pids(pid)) AS pid FROM pg_locks WHERE NOT granted), \
         held AS (SELECT l.pid, string_agg(DISTINCT c.relname, ', ' ORDER BY c.relname) AS tables, \
             bool_or(l.mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')) AS whole \
             FROM pg_locks l JOIN pg_class c ON c.oid = l.relation JOIN pg_database d ON d.oid = l.database \
             WHERE l.granted AND d.datname = current_database() AND c.relkind = 'r' \
             AND c.relnamespace <> 'pg_catalog'::regnamespace GROUP BY l.pid) \
         SELECT a.pid, coalesce(a.application_name, '') AS application, held.tables, \
             extract(epoch FROM clock_timestamp() - a.xact_start)::bigint AS seconds \
         FROM held JOIN pg_stat_activity a ON a.pid = held.pid \
         WHERE a.pid <> pg_backend_pid() AND a.xact_start IS NOT NULL \
         AND extract(epoch FROM clock_timestamp() - a.xact_start) >= $1 \
         AND (held.whole OR a.pid IN (SELECT pid FROM waiting)) \
         ORDER BY a.xact_start LIMIT 5",
    )
    .bind::<BigInt, _>(seconds)
    .load(c)
}
