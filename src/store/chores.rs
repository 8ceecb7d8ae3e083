//! What is done from time to time, such as the retention: when it was last done, and what came of it.

use diesel::prelude::*;

use crate::clock::Timestamp;
use crate::db::schema::chores;
use crate::db::{Conn, on_backend};

/// Deleting what the retention lets go (R72).
pub const RETENTION: &str = "retention";

/// Notes that it was done.
pub fn done(conn: &mut Conn, name: &str, told: &str, now: Timestamp) -> QueryResult<()> {
    on_backend!(conn, c => diesel::insert_into(chores::table)
        .values((chores::name.eq(name), chores::ran_at.eq(now), chores::told.eq(told)))
        .on_conflict(chores::name)
        .do_update()
        .set((chores::ran_at.eq(now), chores::told.eq(told)))
        .execute(c))?;
    Ok(())
}

/// When it was last done, and what came of it.
pub fn last(conn: &mut Conn, name: &str) -> QueryResult<Option<(Timestamp, String)>> {
    on_backend!(conn, c => chores::table
        .find(name)
        .select((chores::ran_at, chores::told))
        .first(c)
        .optional())
}
