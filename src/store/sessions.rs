//! Sessions of the console as rows: what a browser keeps is never here, only its SHA-256.

use diesel::prelude::*;

use crate::clock::Timestamp;
use crate::db::schema::console_sessions;
use crate::db::{Conn, on_backend};

/// Sessions that one token may have at once; the oldest goes for a new one.
const PER_TOKEN: i64 = 50;

/// A session's row.
#[derive(Debug, Clone, Queryable, Insertable)]
#[diesel(table_name = console_sessions, treat_none_as_default_value = false)]
#[allow(missing_docs, reason = "the columns are described in the migrations")]
pub struct SessionRow {
    pub id: String,
    pub token_digest: String,
    pub created_at: Timestamp,
    pub ends_at: Timestamp,
}

/// Adds a session; what has ended goes, and what its token has too many of.
pub fn begin(conn: &mut Conn, row: &SessionRow) -> QueryResult<()> {
    let now = row.created_at;
    on_backend!(conn, c => diesel::delete(console_sessions::table.filter(console_sessions::ends_at.le(now))).execute(c))?;
    let surplus: Vec<String> = on_backend!(conn, c => console_sessions::table
        .filter(console_sessions::token_digest.eq(&row.token_digest))
        .order(console_sessions::created_at.desc())
        .offset(PER_TOKEN - 1)
        .limit(PER_TOKEN)
        .select(console_sessions::id)
        .load(c))?;
    on_backend!(conn, c => diesel::delete(console_sessions::table.filter(console_sessions::id.eq_any(&surplus))).execute(c))?;
    on_backend!(conn, c => diesel::insert_into(console_sessions::table).values(row).execute(c))?;
    Ok(())
}

/// The digest of the token that a live session was begun with.
pub fn token_of(conn: &mut Conn, id: &str, now: Timestamp) -> QueryResult<Option<String>> {
    on_backend!(conn, c => console_sessions::table
        .find(id)
        .filter(console_sessions::ends_at.gt(now))
        .select(console_sessions::token_digest)
        .first(c)
        .optional())
}

/// Ends a session.
pub fn end(conn: &mut Conn, id: &str) -> QueryResult<()> {
    on_backend!(conn, c => diesel::delete(console_sessions::table.find(id)).execute(c))?;
    Ok(())
}
