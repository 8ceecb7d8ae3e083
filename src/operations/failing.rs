//! What fails again and again (R93): reading events back from WorkOS, comparing directories, and sending to a
//! destination. Once is tried again and told nobody; three times in a row, over two minutes, is shown.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::db::Conn;
use crate::outbox::catch_ups::{self, CatchUpRow};
use crate::store::failing_reconciles::{self, FailingDirectory};
use crate::triggers::destinations::{self, DestinationRow, REPEATED, REPEATED_FOR};

use super::OperationError;

/// Comparisons of the last week count, so that years of failing cost no more than a week of it.
const LOOKED_BACK: Duration = Duration::from_secs(7 * 86_400);
/// Directories told of at most; where more fail they do so for one reason.
const MOST: usize = 200;

fn repeats(times: i64, since: Timestamp, now: Timestamp) -> bool {
    times >= REPEATED && now.since(since) >= REPEATED_FOR
}

/// The environments that events cannot be read back from.
pub fn catch_ups(conn: &mut Conn, now: Timestamp) -> Result<Vec<CatchUpRow>, OperationError> {
    let mut rows = catch_ups::all(conn)?;
    rows.retain(|row| {
        row.failing_since
            .is_some_and(|since| repeats(row.failures, since, now))
    });
    Ok(rows)
}

/// The destinations at which nothing is taken, of one organization or all, the longest first.
pub fn destinations(
    conn: &mut Conn,
    organization: Option<&str>,
    now: Timestamp,
) -> Result<Vec<DestinationRow>, OperationError> {
    let most = i64::try_from(MOST).unwrap_or(i64::MAX);
    Ok(destinations::failing(conn, organization, now, most)?)
}

/// The directories that cannot be compared, of one organization or all.
pub fn comparisons(
    conn: &mut Conn,
    organization: Option<&str>,
    now: Timestamp,
) -> Result<Vec<FailingDirectory>, OperationError> {
    let mut failing = failing_reconciles::in_a_row(conn, now.minus(LOOKED_BACK))?;
    failing.retain(|row| {
        repeats(row.times, row.since, now)
            && organization.is_none_or(|only| only == row.organization_id)
    });
    failing.sort_by_key(|row| std::cmp::Reverse(row.last_at));
    failing.truncate(MOST);
    Ok(failing_reconciles::linked(conn, failing)?)
}
