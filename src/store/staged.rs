//! Rule memberships that a rule no longer gives and that stay for now (R52, R53): while their hold is
//! open, and after an operator has rejected it until the rule gives them again.

use std::collections::BTreeSet;

use diesel::prelude::*;

use crate::clock::Timestamp;
use crate::db::schema::{memberships, staged_removals};
use crate::db::{Conn, ROWS_PER_STATEMENT, in_parts, on_backend};

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Insertable)]
#[diesel(table_name = staged_removals, treat_none_as_default_value = false)]
#[allow(missing_docs, reason = "the columns are described in the migrations")]
pub struct Staged {
    pub community_id: String,
    pub profile_id: String,
    pub hold_id: String,
    pub held_at: Timestamp,
}

/// Those of the given people: community and profile.
pub fn of(conn: &mut Conn, profiles: &[String]) -> QueryResult<BTreeSet<(String, String)>> {
    let all: Vec<(String, String)> = in_parts(profiles, |some| {
        on_backend!(conn, c => staged_removals::table
            .filter(staged_removals::profile_id.eq_any(some))
            .select((staged_removals::community_id, staged_removals::profile_id))
            .load(c))
    })?;
    Ok(all.into_iter().collect())
}

/// Those of a hold.
pub fn of_hold(conn: &mut Conn, hold: &str) -> QueryResult<Vec<Staged>> {
    on_backend!(conn, c => staged_removals::table
        .filter(staged_removals::hold_id.eq(hold))
        .order((staged_removals::profile_id, staged_removals::community_id))
        .load(c))
}

/// Adds some; those that are there stay with their hold.
pub fn add(conn: &mut Conn, all: &[Staged]) -> QueryResult<()> {
    for chunk in all.chunks(ROWS_PER_STATEMENT) {
        on_backend!(conn, c => diesel::insert_into(staged_removals::table).values(chunk).on_conflict_do_nothing().execute(c))?;
    }
    Ok(())
}

/// Lets go of one.
pub fn remove(conn: &mut Conn, community: &str, profile: &str) -> QueryResult<()> {
    on_backend!(conn, c => diesel::delete(staged_removals::table
        .filter(staged_removals::community_id.eq(community))
        .filter(staged_removals::profile_id.eq(profile)))
        .execute(c))?;
    Ok(())
}

/// Lets go of all of a hold.
pub fn clear(conn: &mut Conn, hold: &str) -> QueryResult<()> {
    on_backend!(conn, c => diesel::delete(staged_removals::table.filter(staged_removals::hold_id.eq(hold))).execute(c))?;
    Ok(())
}

/// How many memberships rules have ended in an organization since then. Those that a person's leaving
/// ended do not count (C6).
pub fn recent_leaves(conn: &mut Conn, organization: &str, since: Timestamp) -> QueryResult<usize> {
    let count: i64 = on_backend!(conn, c => memberships::table
        .filter(memberships::organization_id.eq(organization))
        .filter(memberships::source.eq("rule"))
        .filter(memberships::ended_reason.eq(super::rules::RULE_ENDED))
        .filter(memberships::ended_at.gt(since))
        .count()
        .get_result(c))?;
    Ok(usize::try_from(count).unwrap_or(0))
}
