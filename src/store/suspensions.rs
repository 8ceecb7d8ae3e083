//! Whose access is suspended, as host applications were told (R40, R84, R91): a row from the telling until they
//! are told that it is back, or that the person was removed. Whether access is suspended is decided by
//! `domain::access` and never read here.

use std::collections::BTreeMap;

use diesel::prelude::*;

use crate::clock::Timestamp;
use crate::db::schema::{hold_items, holds as hold_rows, profiles, suspensions};
use crate::db::{Conn, ROWS_PER_STATEMENT, in_parts, on_backend};

use super::holds;

/// Somebody whose access is suspended.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Insertable, Selectable)]
#[diesel(table_name = suspensions, treat_none_as_default_value = false)]
#[allow(missing_docs, reason = "the columns are described in the migrations")]
pub struct Suspension {
    pub profile_id: String,
    pub organization_id: String,
    pub event_id: Option<String>,
    pub suspended_at: Timestamp,
}

/// Those of the given people whose suspension was told, by profile id.
pub fn among(conn: &mut Conn, ids: &[String]) -> QueryResult<BTreeMap<String, Suspension>> {
    let rows: Vec<Suspension> = in_parts(ids, |some| {
        on_backend!(conn, c => suspensions::table
            .filter(suspensions::profile_id.eq_any(some))
            .select(Suspension::as_select())
            .load(c))
    })?;
    let by_profile = |row: Suspension| (row.profile_id.clone(), row);
    Ok(rows.into_iter().map(by_profile).collect())
}

/// Notes who was told of.
pub fn add(conn: &mut Conn, all: &[Suspension]) -> QueryResult<()> {
    for chunk in all.chunks(ROWS_PER_STATEMENT) {
        on_backend!(conn, c => diesel::insert_into(suspensions::table).values(chunk).on_conflict_do_nothing().execute(c))?;
    }
    Ok(())
}

/// Forgets people whose access is back, or who are gone.
pub fn delete(conn: &mut Conn, ids: &[String]) -> QueryResult<()> {
    for chunk in ids.chunks(ROWS_PER_STATEMENT) {
        on_backend!(conn, c => diesel::delete(suspensions::table.filter(suspensions::profile_id.eq_any(chunk))).execute(c))?;
    }
    Ok(())
}

/// The people of an organization whose removal waits in an open hold.
pub fn held_people(conn: &mut Conn, organization: &str) -> QueryResult<Vec<String>> {
    on_backend!(conn, c => hold_items::table
        .inner_join(hold_rows::table.on(hold_rows::id.eq(hold_items::hold_id)))
        .filter(hold_rows::organization_id.eq(organization))
        .filter(hold_rows::kind.eq(holds::REMOVALS))
        .filter(hold_rows::state.eq(holds::OPEN))
        .filter(hold_items::applied.eq(false))
        .select(hold_items::profile_id)
        .distinct()
        .load(c))
}

/// The people of an organization who have a status with access, after a given one in the order of their ids.
pub fn next_people(
    conn: &mut Conn,
    organization: &str,
    after: &str,
    limit: i64,
) -> QueryResult<Vec<String>> {
    on_backend!(conn, c => profiles::table
        .filter(profiles::organization_id.eq(organization))
        .filter(profiles::status.eq_any(["active", "on_leave"]))
        .filter(profiles::id.gt(after))
        .order(profiles::id)
        .limit(limit)
        .select(profiles::id)
        .load(c))
}
