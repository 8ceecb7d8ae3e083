//! Jobs in the worker: one step at a time, each in one transaction with its own note of how far it
//! came, so that a crash loses nothing and repeats nothing. Live events go first; under a load that
//! never ends a job still gets a step now and then. A step lasts [`STEP`]: on SQLite every webhook waits for
//! whoever writes. Only errors count against a job, and the death of a child process that had its step alone in
//! hand (R92): a step that ended with this process proves nothing. A new kind is a name in [`KINDS`] and a match arm.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::{MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::crash::{self, Step};
use crate::db::{Conn, DbError, Urgency};
use crate::retry;
use crate::store::jobs::{self, JobRow, Stepped};

use super::suspects::killed;
use super::{Worker, deletions, directories, reapply, replay, resend, rules};

/// The kinds whose steps need no network.
const KINDS: [&str; 9] = [
    reapply::KIND,
    reapply::SETTINGS_KIND,
    rules::KIND,
    directories::REMOVE_KIND,
    directories::RESTORE_KIND,
    replay::KIND,
    resend::KIND,
    deletions::REMOVE_KIND,
    deletions::ACCESS_KIND,
];
/// A job whose step failed so often in a row has failed.
const MOST_ATTEMPTS: u32 = 5;
/// So many batches of events in a row, or batches for so long, then one step of a job. The number alone let a
/// job over many people wait for minutes where single events kept coming and each took its time; with the time
/// a job has about a third of a busy worker.
const BATCHES_BETWEEN: u32 = 20;
const BATCHES_FOR: Duration = Duration::from_millis(100);
/// The kinds that end somebody's access: while one is open it gets a step after each batch, so that no
/// leaver keeps access because many events come in.
const URGENT: [&str; 2] = [directories::REMOVE_KIND, deletions::REMOVE_KIND];
/// How long a step works before it commits and the database is free for whoever waits.
pub(super) const STEP: Duration = Duration::from_millis(50);
/// How many people, or directory users, are looked at between two looks at the time.
const SOME: i64 = 25;
/// The most that a step looks at. A job over no more than so many is done by whoever asks for it, in the same
/// transaction: in a small organization what was asked for is true with the answer.
const AT_ONCE: i64 = 200;
/// Between the claim and its step nobody else begins the same one. During the step the row is locked:
/// the lease only tells how soon a crash is got over.
const LEASE: Duration = Duration::from_secs(5);

/// What events have had since the last step of a job.
pub(super) struct Pace {
    batches: u32,
    since: Instant,
}

impl Pace {
    pub(super) fn new() -> Self {
        Self {
            batches: 0,
            since: Instant::now(),
        }
    }
}

impl Worker {
    /// One turn of the loop: a batch of events, and where none was due, one step of a job (blocking).
    /// Answers whether there was anything to do.
    pub fn turn(&self) -> Result<bool, DbError> {
        let events = self.run_once()?;
        if events > 0 && !self.owes_a_step() {
            return Ok(true);
        }
        let stepped = self.step_job();
        *self.pace() = Pace::new();
        self.settle_due(self.clock.now())?;
        Ok(stepped? || events > 0)
    }

    fn pace(&self) -> MutexGuard<'_, Pace> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether jobs have waited long enough for events.
    fn owes_a_step(&self) -> bool {
        let mut pace = self.pace();
        pace.batches += 1;
        self.urgent.load(Ordering::Relaxed)
            || pace.batches > BATCHES_BETWEEN
            || pace.since.elapsed() >= BATCHES_FOR
    }

    /// One step of the job that nobody has worked on for longest, of those that end somebody's access before
    /// all others (blocking); false when none is due.
    pub fn step_job(&self) -> Result<bool, DbError> {
        let now = self.clock.now();
        let owner = format!("worker:{}", std::process::id());
        let claimed = self.db.write(Urgency::Normal, |conn| {
            for kinds in [&URGENT[..], &KINDS] {
                if let Some(claimed) = jobs::claim(conn, kinds, &owner, LEASE, now)? {
                    return Ok(Some(claimed));
                }
            }
            Ok::<_, DbError>(None)
        })?;
        let urgent = claimed
            .as_ref()
            .is_some_and(|claimed| URGENT.contains(&&*claimed.job.kind));
        self.urgent.store(urgent, Ordering::Relaxed);
        let Some(jobs::Claimed { job, interrupted }) = claimed else {
            return Ok(false);
        };
        if interrupted && let Some(died) = self.step_in_child(&job) {
            return match died {
                Some(signal) => self.give_up(&job, &killed(signal), now),
                None => Ok(true),
            };
        }
        self.step_claimed(&job, &owner, now)
    }

    /// The step of a job that this worker, or its parent, has claimed.
    pub(super) fn step_claimed(
        &self,
        job: &JobRow,
        owner: &str,
        now: Timestamp,
    ) -> Result<bool, DbError> {
        let done = catch_unwind(AssertUnwindSafe(|| {
            self.db.write(Urgency::Normal, |conn| {
                if jobs::hold(conn, job, owner)? {
                    step(conn, job, now)?;
                    crash::at(Step::JobStepped);
                }
                Ok::<_, DbError>(())
            })
        }));
        let why = match done {
            Ok(Ok(())) => return Ok(true),
            Ok(Err(error)) if error.fault().is_innocent() => {
                self.give_back(job);
                return Err(error);
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => "a defect in Rollcall stopped it; please report it".to_owned(),
        };
        self.fail_step(job, &why, now)
    }

    /// Free again at once: the step was not made, through no fault of its own.
    fn give_back(&self, job: &JobRow) {
        let given = self.db.write(Urgency::Normal, |conn| {
            Ok::<_, DbError>(jobs::give_back(conn, job)?)
        });
        if let Err(error) = given {
            tracing::debug!(job = job.id, %error, "a job could not be given back; its lease runs out");
        }
    }

    /// The step of a job that the parent of this process has claimed under that token.
    pub(super) fn step_of_parent(&self, id: &str, token: i64) -> Result<(), DbError> {
        let now = self.clock.now();
        let job = self
            .db
            .read(|conn| Ok::<_, DbError>(jobs::find(conn, id)?))?;
        if let Some(job) = job.filter(|job| job.lease_token == token) {
            let owner = format!("worker:{}", std::process::id());
            self.step_claimed(&job, &owner, now)?;
        }
        Ok(())
    }

    fn give_up(&self, job: &JobRow, why: &str, now: Timestamp) -> Result<bool, DbError> {
        tracing::error!(job = job.id, kind = job.kind, "a job was given up: {why}");
        self.db.write(Urgency::Normal, |conn| {
            Ok::<_, DbError>(jobs::fail(conn, job, why, None, now)?)
        })?;
        Ok(true)
    }

    fn fail_step(&self, job: &JobRow, why: &str, now: Timestamp) -> Result<bool, DbError> {
        let attempt = attempt_of(job);
        let wait = retry::wait_after(attempt, job.done);
        let again = (attempt < MOST_ATTEMPTS).then(|| now.plus(wait));
        tracing::error!(
            job = job.id,
            kind = job.kind,
            attempt,
            "a step of a job failed: {why}"
        );
        self.db.write(Urgency::Normal, |conn| {
            Ok::<_, DbError>(jobs::fail(conn, job, why, again, now)?)
        })?;
        Ok(true)
    }
}

/// The attempt that a claimed job is in, from 1.
fn attempt_of(job: &JobRow) -> u32 {
    u32::try_from(job.attempts).unwrap_or(0).saturating_add(1)
}

fn step(conn: &mut Conn, job: &JobRow, now: Timestamp) -> Result<(), DbError> {
    match job.kind.as_str() {
        reapply::KIND | reapply::SETTINGS_KIND => reapply::step(conn, job, now),
        rules::KIND => rules::step(conn, job, now),
        directories::REMOVE_KIND => directories::remove_step(conn, job, now),
        directories::RESTORE_KIND => directories::restore_step(conn, job, now),
        replay::KIND => replay::step(conn, job, now),
        resend::KIND => resend::step(conn, job, now),
        deletions::REMOVE_KIND => deletions::remove_step(conn, job, now),
        deletions::ACCESS_KIND => deletions::access_step(conn, job, now),
        other => Err(DbError::Pool(format!(
            "nobody knows how to do a job of the kind {other}"
        ))),
    }
}

/// Does a job that was just added to its end in the caller's transaction, where it is about few.
pub(super) fn at_once(conn: &mut Conn, job: JobRow, now: Timestamp) -> Result<JobRow, DbError> {
    if job.total > AT_ONCE {
        return Ok(job);
    }
    jobs::begin(conn, &job.id, now)?;
    loop {
        let Some(job) = jobs::find(conn, &job.id)? else {
            return Ok(job);
        };
        if job.ended_at.is_some() {
            return Ok(job);
        }
        step(conn, &job, now)?;
    }
}

/// What a walk did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Walked {
    /// How many were looked at.
    pub done: usize,
    /// Whether nobody is left.
    pub finished: bool,
}

/// Goes on behind `after`, [`SOME`] at a time, until nobody is left or a step's time or number is reached. `look`
/// answers whom it has looked at, in their order.
pub(super) fn walk(
    conn: &mut Conn,
    after: &mut String,
    mut look: impl FnMut(&mut Conn, &str, i64) -> Result<Vec<String>, DbError>,
) -> Result<Walked, DbError> {
    let began = Instant::now();
    let most = usize::try_from(AT_ONCE).unwrap_or(usize::MAX);
    let mut done = 0;
    loop {
        let some = look(conn, after, SOME)?;
        let Some(last) = some.last() else {
            return Ok(Walked {
                done,
                finished: true,
            });
        };
        after.clone_from(last);
        done += some.len();
        if began.elapsed() >= STEP || done >= most {
            return Ok(Walked {
                done,
                finished: false,
            });
        }
    }
}

/// The walk of a job whose cursor is the last one looked at and whose result is how many there were.
pub(super) fn walk_people(
    conn: &mut Conn,
    job: &JobRow,
    now: Timestamp,
    look: impl FnMut(&mut Conn, &str, i64) -> Result<Vec<String>, DbError>,
) -> Result<(), DbError> {
    let mut cursor: After = job.read_cursor()?;
    let mut result: People = job.read_result()?;
    let walked = walk(conn, &mut cursor.after, look)?;
    result.people += walked.done;
    let stepped = Stepped {
        cursor,
        result,
        done: i64::try_from(walked.done).unwrap_or(0),
        finished: walked.finished,
    };
    jobs::save(conn, job, &stepped, now)?;
    Ok(())
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct After {
    after: String,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct People {
    people: usize,
}
