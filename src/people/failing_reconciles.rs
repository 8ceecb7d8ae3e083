//! Directories whose comparisons end incomplete again and again (R93), counted from the comparisons
//! themselves. Those of the last week count, so that years of failing cost no more than a week of it.

use std::time::Duration;

use diesel::dsl::{count_star, max, min};
use diesel::prelude::*;

use crate::clock::Timestamp;
use crate::db::schema::reconciles;
use crate::db::{Conn, on_backend};
use crate::outbox::catch_ups::{REPEATED, REPEATED_FOR};

use super::directories;
use super::reconciles::{DONE, INCOMPLETE, newest_of};

/// Comparisons looked at.
const LOOKED_BACK: Duration = Duration::from_secs(7 * 86_400);
/// Directories told of at most; where more fail they do so for one reason.
const MOST: usize = 200;

/// A directory that cannot be compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailingDirectory {
    /// WorkOS's id of it.
    pub directory_id: String,
    /// Whose it is.
    pub organization_id: String,
    /// Comparisons in a row that ended incomplete.
    pub times: i64,
    /// When the first of them began.
    pub since: Timestamp,
    /// When the last of them began.
    pub last_at: Timestamp,
}

type Row = (String, String, i64, Option<Timestamp>, Option<Timestamp>);

/// The directories whose comparisons fail, of one organization or all. Of a directory that is no longer
/// linked none is begun any more, and nothing is wrong with that.
pub fn failing(
    conn: &mut Conn,
    organization: Option<&str>,
    now: Timestamp,
) -> QueryResult<Vec<FailingDirectory>> {
    let done = diesel::alias!(reconciles as whole_reconciles);
    let rows: Vec<Row> = on_backend!(conn, c => {
        let whole_since = done
            .filter(done.field(reconciles::directory_id).eq(reconciles::directory_id))
            .filter(done.field(reconciles::state).eq(DONE))
            .filter(done.field(reconciles::started_at).gt(reconciles::started_at));
        reconciles::table
            .filter(reconciles::state.eq(INCOMPLETE))
            .filter(reconciles::started_at.ge(now.minus(LOOKED_BACK)))
            .filter(diesel::dsl::not(diesel::dsl::exists(whole_since)))
            .group_by((reconciles::directory_id, reconciles::organization_id))
            .select((
                reconciles::directory_id,
                reconciles::organization_id,
                count_star(),
                min(reconciles::started_at),
                max(reconciles::started_at),
            ))
            .load(c)
    })?;
    let mut failing: Vec<FailingDirectory> = rows
        .into_iter()
        .filter_map(|(directory_id, organization_id, times, since, last_at)| {
            let (since, last_at) = since.zip(last_at)?;
            let repeated = times >= REPEATED && now.since(since) >= REPEATED_FOR;
            let theirs = organization.is_none_or(|only| only == organization_id);
            (repeated && theirs).then_some(FailingDirectory {
                directory_id,
                organization_id,
                times,
                since,
                last_at,
            })
        })
        .collect();
    failing.sort_by_key(|directory| std::cmp::Reverse(directory.last_at));
    failing.truncate(MOST);
    let ids: Vec<String> = failing.iter().map(|one| one.directory_id.clone()).collect();
    let known = directories::load(conn, &ids)?;
    failing.retain(|one| {
        known
            .get(&one.directory_id)
            .is_none_or(|known| known.life.live())
    });
    Ok(failing)
}

/// Why the last comparison of a directory ended incomplete.
pub fn reason_of(conn: &mut Conn, directory: &str) -> QueryResult<Option<String>> {
    Ok(newest_of(conn, directory)?.and_then(|row| row.reason))
}
