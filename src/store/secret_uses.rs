//! Which webhook secret verified how many deliveries, and when the newest: by label, never by value.
//! Several processes add up in one row.

use diesel::prelude::*;

use crate::clock::Timestamp;
use crate::db::schema::webhook_secret_uses as uses;
use crate::db::{Conn, on_backend};

/// What a secret has verified so far.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = uses)]
#[allow(missing_docs, reason = "the columns are described in the migrations")]
pub struct SecretUse {
    pub label: String,
    pub matched: i64,
    pub last_matched_at: Timestamp,
}

/// Adds what one process has seen since it said so last.
pub fn add(conn: &mut Conn, one: &SecretUse) -> QueryResult<()> {
    on_backend!(conn, c => diesel::insert_into(uses::table)
        .values(one)
        .on_conflict(uses::label)
        .do_update()
        .set(uses::matched.eq(uses::matched + one.matched))
        .execute(c))?;
    // Another process may have seen a newer one.
    let older = uses::table
        .find(&one.label)
        .filter(uses::last_matched_at.lt(one.last_matched_at));
    on_backend!(conn, c => diesel::update(older)
        .set(uses::last_matched_at.eq(one.last_matched_at))
        .execute(c))?;
    Ok(())
}

/// Every secret that ever verified something.
pub fn all(conn: &mut Conn) -> QueryResult<Vec<SecretUse>> {
    on_backend!(conn, c => uses::table.order(uses::label).select(SecretUse::as_select()).load(c))
}
