//! Jobs in the worker: one step at a time, each in one transaction with its own note of how far it
//! came, so that a crash loses nothing and repeats nothing. Live events go first; under a load that
//! never ends a job still gets a step now and then. A new kind is a name in [`KINDS`] and a match arm.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;

use crate::clock::Timestamp;
use crate::db::{Conn, DbError, Urgency};
use crate::people::jobs::{self, JobRow};
use crate::retry;

use super::{Worker, is_deadlock, reapply};

/// The kinds whose steps need no network.
const KINDS: [&str; 1] = [reapply::KIND];
/// A job whose step failed so often in a row has failed.
const MOST_ATTEMPTS: u32 = 5;
/// So many batches of events in a row, then one step of a job.
const BATCHES_BETWEEN: u32 = 20;

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
        let mut held = None;
        let done = catch_unwind(AssertUnwindSafe(|| {
            self.db.write(Urgency::Normal, |conn| {
                let Some(job) = jobs::claim(conn, &KINDS, &owner, None, now)? else {
                    return Ok::<_, DbError>(false);
                };
                held = Some(job.clone());
                step(conn, &job, now)?;
                Ok(true)
            })
        }));
        let why = match done {
            Ok(Ok(stepped)) => return Ok(stepped),
            Ok(Err(error)) if error.is_away() || is_deadlock(&error) => return Err(error),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "a defect in Rollcall stopped it; please report it".to_owned(),
        };
        match held {
            Some(job) => self.fail_step(&job, &why, now),
            None => Err(DbError::Pool(why)),
        }
    }

    fn fail_step(&self, job: &JobRow, why: &str, now: Timestamp) -> Result<bool, DbError> {
        let attempt = u32::try_from(job.attempts).unwrap_or(0).saturating_add(1);
        let wait = retry::wait_after(attempt, job.done);
        let again = (attempt < MOST_ATTEMPTS).then(|| now.plus(wait));
        tracing::error!(
            job = job.id,
            kind = job.kind,
            attempt,
            "a step of a job failed: {why}"
        );
        self.db.write(Urgency::Normal, |conn| {
            Ok::<_, DbError>(jobs::fail(conn, &job.id, why, again, now)?)
        })?;
        Ok(true)
    }
}

fn step(conn: &mut Conn, job: &JobRow, now: Timestamp) -> Result<(), DbError> {
    match job.kind.as_str() {
        reapply::KIND => reapply::step(conn, job, now),
        other => Err(DbError::Pool(format!(
            "nobody knows how to do a job of the kind {other}"
        ))),
    }
}
