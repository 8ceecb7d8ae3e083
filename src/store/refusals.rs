//! Deliveries that the webhook endpoint refused, by reason and hour. Several processes add up in one row.

use diesel::prelude::*;

use crate::clock::Timestamp;
use crate::db::schema::webhook_refusals as refusals;
use crate::db::{Conn, on_backend};

/// How many were refused for one reason within one hour.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = refusals)]
#[allow(missing_docs, reason = "the columns are described in the migrations")]
pub struct Refused {
    pub reason: String,
    /// The instant at which the hour began.
    pub hour: Timestamp,
    pub count: i64,
    pub first_at: Timestamp,
    pub last_at: Timestamp,
}

/// Adds what one process has seen since it said so last.
pub fn add(conn: &mut Conn, one: &Refused) -> QueryResult<()> {
    on_backend!(conn, c => diesel::insert_into(refusals::table)
        .values(one)
        .on_conflict((refusals::reason, refusals::hour))
        .do_update()
        .set((refusals::count.eq(refusals::count + one.count), refusals::last_at.eq(one.last_at)))
        .execute(c))?;
    Ok(())
}

/// Those since an instant, by reason.
pub fn since(conn: &mut Conn, since: Timestamp) -> QueryResult<Vec<Refused>> {
    on_backend!(conn, c => refusals::table
        .filter(refusals::last_at.ge(since))
        .order((refusals::reason, refusals::hour))
        .select(Refused::as_select())
        .load(c))
}

/// Forgets those before an instant.
pub fn forget(conn: &mut Conn, before: Timestamp) -> QueryResult<usize> {
    on_backend!(conn, c => diesel::delete(refusals::table.filter(refusals::last_at.lt(before))).execute(c))
}
