//! What the database says of itself: its id, its mark, the server it was last seen on; and the back-ups
//! that were restored into it. One row, locked while it is compared: of several processes each sees what the
//! others wrote.

use diesel::prelude::*;
use diesel::sql_types::Text;

use crate::clock::Timestamp;
use crate::db::schema::{installation, outbox, restores};
use crate::db::{Conn, new_id, on_backend};

/// The one row's key.
const ONE: i32 = 1;

/// What the database says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Queryable)]
pub struct Installation {
    /// An id of its own.
    pub id: String,
    /// Grows by one with each sign of life of any process.
    pub mark: i64,
    /// The last one.
    pub marked_at: Timestamp,
    /// The server and the database on it; `None` on SQLite, or where it may not be asked.
    pub server: Option<String>,
    /// The server's timeline: another one after a promotion, and after a recovery to a point in time.
    pub timeline: Option<String>,
}

/// Where a database lies.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
pub struct Place {
    /// The server's own identifier, and the database's on it.
    #[diesel(sql_type = Text)]
    pub server: String,
    /// The server's timeline.
    #[diesel(sql_type = Text)]
    pub timeline: String,
}

/// Where this database lies; `None` on SQLite. An error where this user may not ask: not to be called in a
/// transaction that is to go on.
pub fn place(conn: &mut Conn) -> QueryResult<Option<Place>> {
    let Conn::Postgres(c) = conn else {
        return Ok(None);
    };
    // The name of the log's file begins with the timeline that is written now; the one that
    // `pg_control_checkpoint` names may be that of before the promotion.
    diesel::sql_query(
        "SELECT s.system_identifier::text || '/' || d.oid::text AS server, \
             left(pg_walfile_name(pg_current_wal_lsn()), 8) AS timeline \
         FROM pg_control_system() s, pg_database d WHERE d.datname = current_database()",
    )
    .get_result(c)
    .map(Some)
}

/// The row, made where there is none and locked to the end of the transaction; and whether it was made now.
pub fn lock(conn: &mut Conn, now: Timestamp) -> QueryResult<(Installation, bool)> {
    let made = on_backend!(conn, c => diesel::insert_into(installation::table)
        .values((
            installation::one.eq(ONE),
            installation::id.eq(new_id("installation")),
            installation::mark.eq(0_i64),
            installation::marked_at.eq(now),
        ))
        .on_conflict_do_nothing()
        .execute(c))?;
    let columns = (
        installation::id,
        installation::mark,
        installation::marked_at,
        installation::server,
        installation::timeline,
    );
    let row = installation::table.find(ONE).select(columns);
    let row = match conn {
        // One writer: the transaction is the lock.
        Conn::Sqlite(c) => row.first(c)?,
        Conn::Postgres(c) => row.for_update().first(c)?,
    };
    Ok((row, made > 0))
}

/// Writes a sign of life.
pub fn save(conn: &mut Conn, row: &Installation) -> QueryResult<()> {
    on_backend!(conn, c => diesel::update(installation::table.find(ONE))
        .set((
            installation::mark.eq(row.mark),
            installation::marked_at.eq(row.marked_at),
            installation::server.eq(&row.server),
            installation::timeline.eq(&row.timeline),
        ))
        .execute(c))?;
    Ok(())
}

/// Whether any event was ever taken.
pub fn has_events(conn: &mut Conn) -> QueryResult<bool> {
    let first: Option<i64> =
        on_backend!(conn, c => outbox::table.select(outbox::id).first(c).optional())?;
    Ok(first.is_some())
}

/// A back-up that was restored.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Insertable, Selectable)]
#[diesel(table_name = restores, treat_none_as_default_value = false)]
pub struct Restore {
    /// Our id.
    pub id: String,
    /// Until when the database that is lost may have worked.
    pub until: Timestamp,
    /// When the back-up was made, where somebody said so.
    pub since: Option<Timestamp>,
    /// How it was recognized.
    pub reason: String,
    /// By whom.
    pub noted_by: String,
}

/// Notes a restore.
pub fn note_restore(conn: &mut Conn, restore: &Restore) -> QueryResult<()> {
    on_backend!(conn, c => diesel::insert_into(restores::table).values(restore).execute(c))?;
    Ok(())
}

/// The last restore.
pub fn last_restore(conn: &mut Conn) -> QueryResult<Option<Restore>> {
    on_backend!(conn, c => restores::table
        .order((restores::until.desc(), restores::id))
        .select(Restore::as_select())
        .first(c)
        .optional())
}
