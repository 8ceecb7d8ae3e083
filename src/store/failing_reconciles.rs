//! Directories whose newest comparisons ended incomplete, counted from the comparisons themselves.

use diesel::dsl::{count_star, max, min};
use diesel::prelude::*;

use crate::clock::Timestamp;
use crate::db::schema::reconciles;
use crate::db::{Conn, on_backend};

use super::directories;
use super::reconciles::{DONE, INCOMPLETE, newest_of};

/// A directory that was not compared in full.
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

/// By directory, what ended incomplete after that instant and after the last whole comparison.
pub fn in_a_row(conn: &mut Conn, after: Timestamp) -> QueryResult<Vec<FailingDirectory>> {
    let whole = diesel::alias!(reconciles as whole_reconciles);
    let rows: Vec<Row> = on_backend!(conn, c => {
        let whole_since = whole
            .filter(whole.field(reconciles::directory_id).eq(reconciles::directory_id))
            .filter(whole.field(reconciles::state).eq(DONE))
            .filter(whole.field(reconciles::started_at).gt(reconciles::started_at));
        reconciles::table
            .filter(reconciles::state.eq(INCOMPLETE))
            .filter(reconciles::started_at.ge(after))
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
    let failing =
        rows.into_iter()
            .filter_map(|(directory_id, organization_id, times, since, last_at)| {
                let (since, last_at) = since.zip(last_at)?;
                Some(FailingDirectory {
                    directory_id,
                    organization_id,
                    times,
                    since,
                    last_at,
                })
            });
    Ok(failing.collect())
}

/// Of these those whose directory is linked, or not known here: of another one none is begun any more,
/// and nothing is wrong with that.
pub fn linked(
    conn: &mut Conn,
    mut failing: Vec<FailingDirectory>,
) -> QueryResult<Vec<FailingDirectory>> {
    let ids: Vec<String> = failing.iter().map(|row| row.directory_id.clone()).collect();
    let known = directories::load(conn, &ids)?;
    failing.retain(|row| {
        known
            .get(&row.directory_id)
            .is_none_or(|known| known.life.live())
    });
    Ok(failing)
}

/// Why the last comparison of a directory ended incomplete.
pub fn reason_of(conn: &mut Conn, directory: &str) -> QueryResult<Option<String>> {
    Ok(newest_of(conn, directory)?.and_then(|row| row.reason))
}
