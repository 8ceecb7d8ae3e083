//! Directory users whom WorkOS is asked about, because it said in one instant that they work and
//! that they do not (R96): written with what the worker applied, read by the process that has a key.

use diesel::prelude::*;

use crate::clock::Timestamp;
use crate::db::schema::user_refetches;
use crate::db::{Conn, ROWS_PER_STATEMENT, on_backend};

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Insertable)]
#[diesel(table_name = user_refetches, treat_none_as_default_value = false)]
#[allow(missing_docs, reason = "the columns are described in the migrations")]
pub struct UserRefetch {
    pub directory_user_id: String,
    pub directory_id: String,
    pub organization_id: String,
    pub due_at: Timestamp,
    pub tries: i32,
}

/// Asks for some; whoever is asked for already is asked for once.
pub fn ask(conn: &mut Conn, all: &[UserRefetch]) -> QueryResult<()> {
    for chunk in all.chunks(ROWS_PER_STATEMENT) {
        on_backend!(conn, c => diesel::insert_into(user_refetches::table)
            .values(chunk)
            .on_conflict_do_nothing()
            .execute(c))?;
    }
    Ok(())
}

/// Those that are due, the longest due first.
pub fn due(conn: &mut Conn, now: Timestamp, limit: i64) -> QueryResult<Vec<UserRefetch>> {
    on_backend!(conn, c => user_refetches::table
        .filter(user_refetches::due_at.le(now))
        .order((user_refetches::due_at, user_refetches::directory_user_id))
        .limit(limit)
        .load(c))
}

/// Comes back to one later.
pub fn put_off(conn: &mut Conn, user: &str, until: Timestamp) -> QueryResult<()> {
    on_backend!(conn, c => diesel::update(user_refetches::table.find(user))
        .set((
            user_refetches::due_at.eq(until),
            user_refetches::tries.eq(user_refetches::tries + 1),
        ))
        .execute(c))?;
    Ok(())
}

/// Strikes some off: they were asked about, or erased.
pub fn forget(conn: &mut Conn, users: &[String]) -> QueryResult<()> {
    on_backend!(conn, c => diesel::delete(user_refetches::table
        .filter(user_refetches::directory_user_id.eq_any(users)))
        .execute(c))?;
    Ok(())
}
