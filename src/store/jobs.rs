//! Jobs as rows: long work done in steps, each step one claim and one word about how far it came.
//! Every word names the token of its claim, so that a runner who wakes up late changes nothing and
//! a job that was cancelled goes no further (R73). A claim counts an attempt and takes a lease in
//! time; it is committed before the work, so that a step that kills the process is told from one
//! that was never begun.

use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::clock::Timestamp;
use crate::db::schema::jobs;
use crate::db::{Conn, new_id, on_backend};

use super::{to_json, unreadable};

pub use super::job_list::{JobFilter, failed, list, open_of, open_since, unfinished_of};

/// The states of a job that still has something to do.
pub(super) const OPEN: [&str; 2] = ["ready", "running"];
/// Those of one that is not done: what failed may be tried again.
pub(super) const UNFINISHED: [&str; 3] = ["ready", "running", "failed"];

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobState {
    /// Waits for its first step.
    Ready,
    /// Some steps are done.
    Running,
    /// All of them are.
    Done,
    /// A step failed too often; the reason says why.
    Failed,
    /// An operator, or a newer job, ended it.
    Cancelled,
}

impl JobState {
    /// As shown and stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Ready,
        Self::Running,
        Self::Done,
        Self::Failed,
        Self::Cancelled,
    ];
}

/// A job's row.
#[derive(Debug, Clone, PartialEq, Queryable, Insertable, Selectable)]
#[diesel(table_name = jobs, treat_none_as_default_value = false)]
#[allow(missing_docs, reason = "the columns are described in the migrations")]
pub struct JobRow {
    pub id: String,
    pub kind: String,
    pub organization_id: Option<String>,
    pub state: String,
    pub payload: String,
    pub cursor: String,
    pub result: String,
    pub total: i64,
    pub done: i64,
    pub attempts: i32,
    pub reason: Option<String>,
    pub created_by: String,
    pub created_at: Timestamp,
    pub available_at: Timestamp,
    pub started_at: Option<Timestamp>,
    pub updated_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    pub ended_by: Option<String>,
    pub lease_owner: Option<String>,
    pub lease_token: i64,
    pub lease_until: Option<Timestamp>,
}

impl JobRow {
    /// What is to be done.
    pub fn read_payload<T: DeserializeOwned>(&self) -> QueryResult<T> {
        let read = serde_json::from_str(&self.payload);
        read.map_err(|error| unreadable("job's payload", &self.id, &error))
    }

    /// Where the next step begins.
    pub fn read_cursor<T: DeserializeOwned>(&self) -> QueryResult<T> {
        let read = serde_json::from_str(&self.cursor);
        read.map_err(|error| unreadable("job's cursor", &self.id, &error))
    }

    /// What came of it so far.
    pub fn read_result<T: DeserializeOwned>(&self) -> QueryResult<T> {
        let read = serde_json::from_str(&self.result);
        read.map_err(|error| unreadable("job's result", &self.id, &error))
    }
}

/// A job to be done.
#[derive(Debug, Clone, Copy)]
pub struct NewJob<'a, P> {
    /// What sort of work: decides who steps it.
    pub kind: &'a str,
    /// Whose, if it is one organization's.
    pub organization_id: Option<&'a str>,
    /// What is to be done.
    pub payload: &'a P,
    /// How many things there are to do.
    pub total: i64,
    /// Who wants it.
    pub created_by: &'a str,
}

/// Adds a job; its cursor and result begin as empty objects.
pub fn add<P: Serialize>(
    conn: &mut Conn,
    new: &NewJob<'_, P>,
    now: Timestamp,
) -> QueryResult<JobRow> {
    let row = JobRow {
        id: new_id("job"),
        kind: new.kind.to_owned(),
        organization_id: new.organization_id.map(str::to_owned),
        state: JobState::Ready.as_str().to_owned(),
        payload: to_json(new.payload)?,
        cursor: "{}".to_owned(),
        result: "{}".to_owned(),
        total: new.total,
        done: 0,
        attempts: 0,
        reason: None,
        created_by: new.created_by.to_owned(),
        created_at: now,
        available_at: now,
        started_at: None,
        updated_at: now,
        ended_at: None,
        ended_by: None,
        lease_owner: None,
        lease_token: 0,
        lease_until: None,
    };
    on_backend!(conn, c => diesel::insert_into(jobs::table).values(&row).execute(c))?;
    Ok(row)
}

#[derive(QueryableByName)]
struct Id {
    #[diesel(sql_type = Text)]
    id: String,
}

/// The longest that a job waits whose steps were begun and ended without a word.
const LONGEST_LEASE: Duration = Duration::from_secs(600);

/// A job that was taken.
#[derive(Debug, Clone, PartialEq)]
pub struct Claimed {
    /// The job.
    pub job: JobRow,
    /// Whether an earlier step of it was begun and ended without a word.
    pub interrupted: bool,
}

/// Takes the open job of one of these kinds that nobody has worked on for longest, for as long as the
/// lease lasts. That an earlier step ended without a word is no evidence against the job (R92): whoever
/// stops or kills a process in the middle of one leaves just that. It only waits longer the longer it has come no
/// further, so that a step that does end its process leaves the others their time.
pub fn claim(
    conn: &mut Conn,
    kinds: &[&str],
    owner: &str,
    lease: Duration,
    now: Timestamp,
) -> QueryResult<Option<Claimed>> {
    let lock = match conn {
        Conn::Sqlite(_) => "",
        Conn::Postgres(_) => " FOR UPDATE SKIP LOCKED",
    };
    // Kinds are words of ours, and a list cannot be bound alike on both databases.
    let kinds: Vec<String> = kinds.iter().map(|kind| format!("'{kind}'")).collect();
    let sql = format!(
        "SELECT id FROM jobs WHERE state IN ('ready', 'running') AND kind IN ({}) \
         AND available_at <= $1 AND (lease_until IS NULL OR lease_until <= $2) \
         ORDER BY updated_at, id LIMIT 1{lock}",
        kinds.join(", ")
    );
    let found: Vec<Id> = on_backend!(conn, c => diesel::sql_query(sql)
        .bind::<BigInt, _>(now.micros())
        .bind::<BigInt, _>(now.micros())
        .load(c))?;
    let Some(Id { id }) = found.into_iter().next() else {
        return Ok(None);
    };
    let interrupted = find(conn, &id)?.filter(|job| job.lease_until.is_some());
    let was_interrupted = interrupted.is_some();
    let lease = interrupted.map_or(lease, |job| {
        (now.since(job.updated_at) / 4).clamp(lease, LONGEST_LEASE.max(lease))
    });
    on_backend!(conn, c => diesel::update(jobs::table.find(&id))
        .set((
            jobs::state.eq(JobState::Running.as_str()),
            jobs::lease_owner.eq(owner),
            jobs::lease_token.eq(jobs::lease_token + 1),
            jobs::lease_until.eq(Some(now.plus(lease))),
        ))
        .execute(c))?;
    let claimed = find(conn, &id)?;
    if let Some(job) = claimed.as_ref().filter(|job| job.started_at.is_none()) {
        on_backend!(conn, c => diesel::update(jobs::table.find(&job.id))
            .set(jobs::started_at.eq(now))
            .execute(c))?;
    }
    Ok(claimed.map(|job| Claimed {
        job,
        interrupted: was_interrupted,
    }))
}

/// Begins a job in the transaction that added it: nobody else can have seen it.
pub fn begin(conn: &mut Conn, id: &str, now: Timestamp) -> QueryResult<()> {
    on_backend!(conn, c => diesel::update(jobs::table.find(id))
        .set((
            jobs::state.eq(JobState::Running.as_str()),
            jobs::started_at.eq(now),
        ))
        .execute(c))?;
    Ok(())
}

/// Holds a claimed job to the end of this transaction; false when it is not ours any more.
pub fn hold(conn: &mut Conn, job: &JobRow, owner: &str) -> QueryResult<bool> {
    let held = on_backend!(conn, c => diesel::update(jobs::table
        .filter(jobs::id.eq(&job.id))
        .filter(jobs::lease_token.eq(job.lease_token))
        .filter(jobs::state.eq(JobState::Running.as_str())))
        .set(jobs::lease_owner.eq(owner))
        .execute(c))?;
    Ok(held > 0)
}

/// Gives a claimed job back as it was: the step was not made, through no fault of its own.
pub fn give_back(conn: &mut Conn, job: &JobRow) -> QueryResult<()> {
    on_backend!(conn, c => diesel::update(jobs::table
        .filter(jobs::id.eq(&job.id))
        .filter(jobs::lease_token.eq(job.lease_token))
        .filter(jobs::state.eq(JobState::Running.as_str())))
        .set(jobs::lease_until.eq(None::<Timestamp>))
        .execute(c))?;
    Ok(())
}

/// Leaves a job alone until then.
pub fn rest(conn: &mut Conn, id: &str, until: Timestamp) -> QueryResult<()> {
    on_backend!(conn, c => diesel::update(jobs::table.find(id))
        .set(jobs::available_at.eq(until))
        .execute(c))?;
    Ok(())
}

/// How far a step came.
#[derive(Debug, Clone, PartialEq)]
pub struct Stepped<C, R> {
    /// Where the next step begins.
    pub cursor: C,
    /// What came of the job so far.
    pub result: R,
    /// How many more things are done.
    pub done: i64,
    /// Whether nothing is left.
    pub finished: bool,
}

/// Writes how far a claimed job came, and gives it back. False when it is not ours any more: it was
/// cancelled, or the lease ran out and somebody else took it.
pub fn save<C: Serialize, R: Serialize>(
    conn: &mut Conn,
    job: &JobRow,
    step: &Stepped<C, R>,
    now: Timestamp,
) -> QueryResult<bool> {
    let state = if step.finished {
        JobState::Done
    } else {
        JobState::Running
    };
    let (cursor, result) = (to_json(&step.cursor)?, to_json(&step.result)?);
    let saved = on_backend!(conn, c => diesel::update(jobs::table
        .filter(jobs::id.eq(&job.id))
        .filter(jobs::lease_token.eq(job.lease_token))
        .filter(jobs::state.eq(JobState::Running.as_str())))
        .set((
            jobs::state.eq(state.as_str()),
            jobs::cursor.eq(cursor),
            jobs::result.eq(result),
            jobs::done.eq(jobs::done + step.done),
            jobs::attempts.eq(0),
            jobs::reason.eq(None::<String>),
            jobs::updated_at.eq(now),
            jobs::ended_at.eq(step.finished.then_some(now)),
            jobs::lease_until.eq(None::<Timestamp>),
        ))
        .execute(c))?;
    Ok(saved > 0)
}

/// A step failed, which is counted: again at `retry_at`, or never.
pub fn fail(
    conn: &mut Conn,
    job: &JobRow,
    reason: &str,
    retry_at: Option<Timestamp>,
    now: Timestamp,
) -> QueryResult<()> {
    let state = match retry_at {
        Some(_) => JobState::Running,
        None => JobState::Failed,
    };
    on_backend!(conn, c => diesel::update(jobs::table
        .filter(jobs::id.eq(&job.id))
        .filter(jobs::lease_token.eq(job.lease_token))
        .filter(jobs::state.eq(JobState::Running.as_str())))
        .set((
            jobs::state.eq(state.as_str()),
            jobs::attempts.eq(jobs::attempts + 1),
            jobs::reason.eq(reason),
            jobs::available_at.eq(retry_at.unwrap_or(now)),
            jobs::updated_at.eq(now),
            jobs::ended_at.eq(retry_at.is_none().then_some(now)),
            jobs::lease_until.eq(None::<Timestamp>),
        ))
        .execute(c))?;
    Ok(())
}

/// Makes a failed job ready again, from where it came to; false when it has not failed.
pub fn retry(conn: &mut Conn, id: &str, now: Timestamp) -> QueryResult<bool> {
    let again = on_backend!(conn, c => diesel::update(jobs::table
        .filter(jobs::id.eq(id))
        .filter(jobs::state.eq(JobState::Failed.as_str())))
        .set((
            jobs::state.eq(JobState::Ready.as_str()),
            jobs::attempts.eq(0),
            jobs::available_at.eq(now),
            jobs::updated_at.eq(now),
            jobs::ended_at.eq(None::<Timestamp>),
            jobs::lease_until.eq(None::<Timestamp>),
        ))
        .execute(c))?;
    Ok(again > 0)
}

/// Ends a job that has something left to do, one that failed included; false when it has ended otherwise.
pub fn cancel(
    conn: &mut Conn,
    id: &str,
    reason: Option<&str>,
    by: &str,
    now: Timestamp,
) -> QueryResult<bool> {
    let ended = on_backend!(conn, c => diesel::update(jobs::table.filter(jobs::id.eq(id)).filter(jobs::state.eq_any(UNFINISHED)))
        .set((
            jobs::state.eq(JobState::Cancelled.as_str()),
            jobs::reason.eq(reason),
            jobs::updated_at.eq(now),
            jobs::ended_at.eq(Some(now)),
            jobs::ended_by.eq(by),
            jobs::lease_until.eq(None::<Timestamp>),
        ))
        .execute(c))?;
    Ok(ended > 0)
}

/// One job.
pub fn find(conn: &mut Conn, id: &str) -> QueryResult<Option<JobRow>> {
    on_backend!(conn, c => jobs::table.find(id).select(JobRow::as_select()).first(c).optional())
}
