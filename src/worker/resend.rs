//! All failed messages of one cause sent again, as a job: it walks them from the oldest on and makes
//! each due. What was sent or may have been sent is not touched, and each destination keeps its pace.

use serde::{Deserialize, Serialize};

use diesel::QueryResult;

use crate::clock::Timestamp;
use crate::db::{Conn, DbError};
use crate::store::jobs::{self, JobRow, NewJob, Stepped};
use crate::triggers::deliveries::{self, FailedFilter};

/// The kind of these jobs.
pub const KIND: &str = "deliveries.retry";
/// Messages in one step.
const AT_ONCE: i64 = 200;

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Cursor {
    at: Timestamp,
    id: String,
}

/// What came of it.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Told {
    due_again: usize,
}

/// Asks for the failed messages that match to be sent again.
pub fn ask(
    conn: &mut Conn,
    filter: &FailedFilter,
    total: i64,
    actor: &str,
    now: Timestamp,
) -> QueryResult<JobRow> {
    let new = NewJob {
        kind: KIND,
        organization_id: filter.organization_id.as_deref(),
        payload: filter,
        total,
        created_by: actor,
    };
    jobs::add(conn, &new, now)
}

/// One step.
pub(super) fn step(conn: &mut Conn, job: &JobRow, now: Timestamp) -> Result<(), DbError> {
    let filter: FailedFilter = job.read_payload()?;
    let cursor: Cursor = job.read_cursor()?;
    let mut told: Told = job.read_result()?;
    let mut after = (cursor.at, cursor.id);
    let some = deliveries::failed_after(conn, &filter, &after, AT_ONCE)?;
    for (_, id) in &some {
        let done = deliveries::retry(conn, id, &job.created_by, now)?;
        told.due_again += usize::from(done.is_ok());
    }
    // What fails anew before the job ends was planned before it: it is not met again.
    after = some.last().cloned().unwrap_or(after);
    let stepped = Stepped {
        cursor: Cursor {
            at: after.0,
            id: after.1,
        },
        result: told,
        done: i64::try_from(some.len()).unwrap_or(0),
        finished: some.is_empty(),
    };
    jobs::save(conn, job, &stepped, now)?;
    Ok(())
}
