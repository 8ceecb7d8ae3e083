//! Jobs: what is being done in steps, how far it came, and an end to it by hand. What
//! was done until then stays done.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::clock::Timestamp;
use crate::db::Conn;
use crate::store::jobs::{self, JobFilter, JobRow, JobState};
use crate::store::processes;

use super::events::one_of;
use super::{Actor, Cursor, Listing, MAX_LIMIT, OperationError, Page, Role, audit, limit_of};

/// Which jobs; the query of `GET /v1/jobs` and the flags of `rollcall jobs list`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the parameters of the API")]
pub struct JobQuery {
    pub organization_id: Option<String>,
    #[schemars(extend("enum" = JobState::ALL.map(JobState::as_str)))]
    pub state: Option<String>,
    pub kind: Option<String>,
    pub limit: Option<i64>,
    pub cursor: Option<String>,
}

/// A job as shown.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[allow(missing_docs, reason = "the fields of the API")]
pub struct JobView {
    pub id: String,
    /// `events.replay`, `fields.reapply`, …
    pub kind: String,
    pub organization_id: Option<String>,
    /// `ready`, `running`, `done`, `failed` or `cancelled`.
    #[schemars(extend("enum" = JobState::ALL.map(JobState::as_str)))]
    pub state: String,
    pub total: i64,
    pub done: i64,
    /// What came of it so far, by kind.
    pub result: Value,
    /// Why it failed, is tried again or was cancelled.
    pub reason: Option<String>,
    /// Failed steps in a row.
    pub attempts: i32,
    pub created_by: String,
    pub created_at: Timestamp,
    pub started_at: Option<Timestamp>,
    pub updated_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    /// Who cancelled it.
    pub ended_by: Option<String>,
}

impl JobView {
    /// Whether nothing more comes of it.
    pub fn has_ended(&self) -> bool {
        self.ended_at.is_some()
    }
}

impl From<JobRow> for JobView {
    fn from(row: JobRow) -> Self {
        Self {
            result: serde_json::from_str(&row.result).unwrap_or_default(),
            id: row.id,
            kind: row.kind,
            organization_id: row.organization_id,
            state: row.state,
            // People may have come while it ran.
            total: row.total.max(row.done),
            done: row.done,
            reason: row.reason,
            attempts: row.attempts,
            created_by: row.created_by,
            created_at: row.created_at,
            started_at: row.started_at,
            updated_at: row.updated_at,
            ended_at: row.ended_at,
            ended_by: row.ended_by,
        }
    }
}

/// A page of jobs, newest first.
pub fn list(
    conn: &mut Conn,
    actor: &Actor,
    query: &JobQuery,
) -> Result<Page<JobView>, OperationError> {
    actor.require(Role::Viewer)?;
    let limit = limit_of(query.limit)?;
    if let Some(state) = &query.state {
        one_of("state", state, &JobState::ALL.map(JobState::as_str))?;
    }
    let listing = Listing::of(actor, "jobs", query)?;
    let cursor = listing.cursor(conn, query.cursor.as_deref())?;
    let filter = JobFilter {
        organization_id: actor.scope(query.organization_id.as_deref())?,
        state: query.state.clone(),
        kind: query.kind.clone(),
        after: cursor.map(|cursor| (cursor.at, cursor.id)),
    };
    let rows = jobs::list(conn, &filter, limit + 1)?;
    let page = listing.cut(conn, rows, limit, |row| Cursor {
        at: row.created_at,
        id: row.id.clone(),
    })?;
    Ok(page.map(JobView::from))
}

/// One job.
pub fn show(conn: &mut Conn, actor: &Actor, id: &str) -> Result<JobView, OperationError> {
    actor.require(Role::Viewer)?;
    let row = jobs::find(conn, id)?.filter(|row| actor.may_see(row.organization_id.as_deref()));
    row.map(JobView::from)
        .ok_or_else(|| OperationError::not_found("job", id))
}

/// Whether a worker of any process lives: without one no job goes on.
pub fn somebody_works(conn: &mut Conn, now: Timestamp) -> Result<bool, OperationError> {
    Ok(processes::somebody_works(conn, now)?)
}

/// The failed jobs of one organization or all that nobody has tried again or ended, the newest first.
pub fn failed(conn: &mut Conn, organization: Option<&str>) -> Result<Vec<JobRow>, OperationError> {
    Ok(jobs::failed(conn, organization, MAX_LIMIT)?)
}

/// Tries a failed job again, from where it came to.
pub fn retry(
    conn: &mut Conn,
    actor: &Actor,
    id: &str,
    now: Timestamp,
) -> Result<JobView, OperationError> {
    actor.require(Role::Operator)?;
    let job = show(conn, actor, id)?;
    if !jobs::retry(conn, id, now)? {
        return Err(OperationError::Conflict(format!(
            "job {id} is {}: only a failed job is tried again",
            job.state
        )));
    }
    let organization = job.organization_id.as_deref();
    let kind = Some(&*job.kind);
    audit(conn, actor, "job.retried", id, organization, kind, now)?;
    show(conn, actor, id)
}

/// Ends a job, a failed one included; its next step is not begun.
pub fn cancel(
    conn: &mut Conn,
    actor: &Actor,
    id: &str,
    now: Timestamp,
) -> Result<JobView, OperationError> {
    actor.require(Role::Operator)?;
    let job = show(conn, actor, id)?;
    if !jobs::cancel(conn, id, None, &actor.name, now)? {
        return Err(OperationError::Conflict(format!(
            "job {id} is {} and cannot be cancelled any more",
            job.state
        )));
    }
    let organization = job.organization_id.as_deref();
    audit(
        conn,
        actor,
        "job.cancelled",
        id,
        organization,
        Some(&job.kind),
        now,
    )?;
    show(conn, actor, id)
}
