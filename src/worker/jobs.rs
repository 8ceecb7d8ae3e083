//! Jobs in the worker: one step at a time, each in one transaction with its own note of how far it
//! came, so that a crash loses nothing and repeats nothing. Live events go first; under a load that
//! never ends a job still gets a step now and then. Only errors count against a job: a step that ends with
//! its process proves nothing (R92). A new kind is a name in [`KINDS`] and a match arm.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::db::{Conn, DbError, Urgency};
use crate::people::jobs::{self, JobRow};
use crate::retry;

use super::{Worker, deletions, reapply, replay, resend};

/// The kinds whose steps need no network.
const KINDS: [&str; 5] = [
    reapply::KIND,
    replay::KIND,
    resend::KIND,
    deletions::REMOVE_KIND,
    deletions::ACCESS_KIND,
];
/// A job whose step failed so often in a row has failed.
const MOST_ATTEMPTS: u32 = 5;
/// So many batches of events in a row, then one step of a job.
const BATCHES_BETWEEN: u32 = 20;
/// Between the claim and its step nobody else begins the same one. During the step the row is locked:
/// the lease only tells how soon a crash is got over.
const LEASE: Duration = Duration::from_secs(5);

impl Worker {
    /// One turn of the loop: a batch of events, and where none was due, one step of a job (blocking).
    /// Answers whether there was anything to do.
    pub fn turn(&self) -> Result<bool, DbError> {
        let events = self.run_once()?;
        if events > 0 && self.batches.fetch_add(1, Ordering::Relaxed) < BATCHES_BETWEEN {
            return Ok(true);
        }
        self.batches.store(0, Ordering::Relaxed);
        Ok(self.step_job()? || events > 0)
    }

    /// One step of the job that nobody has worked on for longest (blocking); false when none is due.
    pub fn step_job(&self) -> Result<bool, DbError> {
        let now = self.clock.now();
        let owner = format!("worker:{}", std::process::id());
        let claimed = self.db.write(Urgency::Normal, |conn| {
            Ok::<_, DbError>(jobs::claim(conn, &KINDS, &owner, LEASE, now)?)
        })?;
        let Some(job) = claimed else {
            return Ok(false);
        };
        let done = catch_unwind(AssertUnwindSafe(|| {
            self.db.write(Urgency::Normal, |conn| {
                if jobs::hold(conn, &job, &owner)? {
                    step(conn, &job, now)?;
                }
                Ok::<_, DbError>(())
            })
        }));
        let why = match done {
            Ok(Ok(())) => return Ok(true),
            Ok(Err(error)) if error.fault().is_innocent() => {
                self.give_back(&job);
                return Err(error);
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => "a defect in Rollcall stopped it; please report it".to_owned(),
        };
        self.fail_step(&job, &why, now)
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
        reapply::KIND => reapply::step(conn, job, now),
        replay::KIND => replay::step(conn, job, now),
        resend::KIND => resend::step(conn, job, now),
        deletions::REMOVE_KIND => deletions::remove_step(conn, job, now),
        deletions::ACCESS_KIND => deletions::access_step(conn, job, now),
        other => Err(DbError::Pool(format!(
            "nobody knows how to do a job of the kind {other}"
        ))),
    }
}
