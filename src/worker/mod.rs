//! The worker: works off the outbox until told to stop, batch by batch, each in one transaction.
//! A batch that the database refuses is halved until the culprit stands alone. After an unclean
//! stop the first events go singly, each attempt committed before the work, so that an event that
//! kills the process is parked in the end.

mod batch;
mod compare;
mod decide;
mod deletions;
mod effect;
mod erase;
mod fold;
mod fold_groups;
mod graves;
mod groups_in_hand;
mod guard;
mod happenings;
mod item;
mod jobs;
mod known;
mod leaves;
mod locked;
mod members;
pub mod reapply;
mod received;
mod rekey;
pub mod replay;
pub mod resend;
mod suspensions;
mod swaps;
mod world;
mod write;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicI32, AtomicI64, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use diesel::QueryResult;
use tokio::sync::{Notify, watch};

use crate::clock::{Clock, Timestamp};
use crate::db::{Conn, Db, DbError, Urgency};
use crate::outbox::{self, Claimed, Settlement};
use crate::people::holds;
use crate::telemetry;

pub use batch::{BatchReport, BatchSettings, Worked};
pub use decide::{
    decide_identity, end_directory, refold_organization, reread_organization, restore_directory,
    take_back, work_off,
};
pub use deletions::{keep_people, remove_people, restore_people};
pub use erase::{Erased, erase};
pub use leaves::{end_leaves, hand_over};
pub use suspensions::{follow_access, follow_events};

/// How long an idle worker waits before it looks again; a wake-up from the intake comes first.
/// Other processes' events and retries that fall due are found by looking.
const IDLE: Duration = Duration::from_millis(250);
/// How often an idle worker looks for holds whose time has come.
const LOOK_AT_HOLDS: Duration = Duration::from_secs(10);
/// How long to leave a database alone that is away.
const AWAY: Duration = Duration::from_secs(1);

/// How often a batch begins again because PostgreSQL took it out of a deadlock.
const DEADLOCKS: u32 = 20;

/// Events still to be taken singly after an unclean stop.
#[derive(Debug)]
struct Careful {
    left: usize,
    /// The one whose attempt is on disk. It stays while the database is away: an attempt that was
    /// not made must not count twice.
    marked: Option<i64>,
}

/// Works off the outbox; cheap to clone.
#[derive(Clone)]
pub struct Worker {
    db: Db,
    clock: Clock,
    settings: BatchSettings,
    batch: usize,
    start: Arc<AtomicI32>,
    /// Batches since the last step of a job.
    batches: Arc<AtomicU32>,
    /// When holds were last looked at.
    looked: Arc<AtomicI64>,
    careful: Arc<Mutex<Careful>>,
}

impl Worker {
    /// A worker that takes up to `batch` events at a time. `careful` is how many are to be taken
    /// singly first (0 after a clean stop).
    pub fn new(
        db: Db,
        clock: Clock,
        settings: BatchSettings,
        batch: usize,
        careful: usize,
    ) -> Self {
        Self {
            db,
            clock,
            settings,
            batch: batch.max(1),
            start: Arc::new(AtomicI32::new(0)),
            batches: Arc::new(AtomicU32::new(0)),
            looked: Arc::new(AtomicI64::new(0)),
            careful: Arc::new(Mutex::new(Careful {
                left: careful,
                marked: None,
            })),
        }
    }

    /// Works off one batch (blocking); 0 when nothing is due.
    pub fn run_once(&self) -> Result<usize, DbError> {
        let began = Instant::now();
        let report = match self.take_singly()? {
            Some(report) => report,
            None => self.take_batch()?,
        };
        let now = self.clock.now();
        record(&report, began.elapsed(), now);
        if report.events.is_empty() {
            self.settle_due(now)?;
        }
        Ok(report.events.len())
    }

    /// Settles holds whose time has come, when nothing else is to do.
    fn settle_due(&self, now: Timestamp) -> Result<(), DbError> {
        let looked = Timestamp(self.looked.load(Ordering::Relaxed));
        if now.since(looked) < LOOK_AT_HOLDS {
            return Ok(());
        }
        self.looked.store(now.micros(), Ordering::Relaxed);
        let due = self
            .db
            .read(|conn| Ok::<_, DbError>(holds::due(conn, now)?))?;
        if due.is_empty() {
            return Ok(());
        }
        self.db
            .write(Urgency::Normal, |conn| leaves::settle_due(conn, now))
    }

    /// Works off everything that is due, events and jobs (blocking); answers how many events. For
    /// `work --once` and tests.
    pub fn drain(&self) -> Result<usize, DbError> {
        let mut total = 0;
        loop {
            match self.run_once()? {
                0 if self.step_job()? => {}
                0 => return Ok(total),
                done => total += done,
            }
        }
    }

    /// Works until `stop` says so; what is in hand is finished.
    pub async fn run(self, wake: Arc<Notify>, mut stop: watch::Receiver<bool>) {
        while !*stop.borrow() {
            // Registered before looking: an event that comes in between is not missed.
            let woken = wake.notified();
            let worker = self.clone();
            let done = tokio::task::spawn_blocking(move || worker.turn()).await;
            #[allow(clippy::cast_precision_loss, reason = "seconds since the epoch fit")]
            metrics::gauge!(telemetry::WORKER_HEARTBEAT).set(self.clock.now().seconds() as f64);
            let pause = match done {
                Ok(Ok(false)) => IDLE,
                Ok(Ok(true)) => continue,
                Ok(Err(error)) => {
                    tracing::error!(%error, "could not work off events; trying again");
                    AWAY
                }
                Err(error) => {
                    tracing::error!(%error, "a worker's task ended; trying again");
                    AWAY
                }
            };
            tokio::select! {
                () = woken => {}
                () = tokio::time::sleep(pause) => {}
                _ = stop.changed() => {}
            }
        }
    }

    fn take_batch(&self) -> Result<BatchReport, DbError> {
        let start = self
            .start
            .fetch_add(7, Ordering::Relaxed)
            .rem_euclid(outbox::PARTS);
        let mut limit = self.batch;
        let mut patience = DEADLOCKS;
        loop {
            let claim = |conn: &mut Conn, now| {
                outbox::claim(conn, i64::try_from(limit).unwrap_or(i64::MAX), now, start)
            };
            let mut first = None;
            let error = match self.attempt(claim, &mut first) {
                Ok(report) => {
                    self.leave_no_trace(&report);
                    return Ok(report);
                }
                Err(error) if error.is_away() => return Err(error),
                // Nobody's fault: of two batches that waited for each other one was sent back.
                Err(error) if patience > 0 && is_deadlock(&error) => {
                    patience -= 1;
                    continue;
                }
                Err(error) => error,
            };
            if limit == 1 {
                return self.fail(first, &error);
            }
            tracing::warn!(%error, limit, "the database refused a batch; halving it");
            limit /= 2;
        }
    }

    /// What a late word said of somebody erased lay in SQLite's log, too, since it was received.
    fn leave_no_trace(&self, report: &BatchReport) {
        if report.forgot
            && let Err(error) = self.db.empty_log()
        {
            tracing::warn!(%error, "the log could not be emptied now; it is overwritten in time");
        }
    }

    /// One transaction over what `claim` takes; `first` is told even where the transaction fails.
    fn attempt(
        &self,
        claim: impl FnOnce(&mut Conn, Timestamp) -> QueryResult<Vec<Claimed>>,
        first: &mut Option<i64>,
    ) -> Result<BatchReport, DbError> {
        let now = self.clock.now();
        let done = catch_unwind(AssertUnwindSafe(|| {
            self.db.write(Urgency::Normal, |conn| {
                let claimed = claim(conn, now)?;
                *first = claimed.first().map(|one| one.id);
                batch::run(conn, self.settings, claimed, now)
            })
        }));
        done.unwrap_or_else(|_| {
            Err(DbError::Query(diesel::result::Error::QueryBuilderError(
                "a panic stopped the batch".into(),
            )))
        })
    }

    /// That event alone fails: it is retried or parked, and the others go on.
    fn fail(&self, id: Option<i64>, error: &DbError) -> Result<BatchReport, DbError> {
        let now = self.clock.now();
        self.db.write(Urgency::Normal, |conn| {
            let claimed = match id {
                Some(id) => outbox::claim_one(conn, id)?,
                None => None,
            };
            let Some(one) = claimed else {
                return Ok(BatchReport::default());
            };
            let attempt = u32::try_from(one.attempts).unwrap_or(0).saturating_add(1);
            let verdict =
                batch::after_failure(one.id, attempt, self.settings, error.to_string(), now);
            let settlement = Settlement {
                id: one.id,
                event_id: one.event_id.clone(),
                verdict,
            };
            outbox::settle(conn, std::slice::from_ref(&settlement), now)?;
            let failed = batch::removals_given_up([(one.removal, &settlement)]);
            suspensions::given_up(conn, &failed, now)?;
            Ok(BatchReport {
                events: vec![Worked {
                    event_id: one.event_id,
                    outcome: "failed",
                    removal: one.removal,
                    received_at: one.received_at,
                }],
                forgot: false,
            })
        })
    }

    /// Careful mode: the attempt is on disk before the work begins, and taken off again by the
    /// transaction that does the work. One worker at a time; `None` when careful mode is over.
    fn take_singly(&self) -> Result<Option<BatchReport>, DbError> {
        let mut careful = self.careful.lock().unwrap_or_else(PoisonError::into_inner);
        if careful.left == 0 {
            return Ok(None);
        }
        let (now, weight) = (self.clock.now(), self.crash_weight());
        if careful.marked.is_none() {
            careful.marked = self.db.write(Urgency::Normal, |conn| {
                let first = outbox::claim(conn, 1, now, 0)?.into_iter().next();
                if let Some(first) = &first {
                    outbox::mark_attempt(conn, first.id, weight)?;
                }
                Ok::<_, DbError>(first.map(|one| one.id))
            })?;
        }
        let Some(id) = careful.marked else {
            careful.left = 0;
            return Ok(None);
        };
        let claim = |conn: &mut Conn, _| {
            let claimed = outbox::claim_one(conn, id)?;
            outbox::mark_attempt(conn, id, -weight)?;
            Ok(claimed.into_iter().collect())
        };
        let report = match self.attempt(claim, &mut None) {
            Ok(report) => report,
            Err(error) if error.is_away() => return Err(error),
            Err(error) => self.fail(Some(id), &error)?,
        };
        careful.left -= 1;
        careful.marked = None;
        Ok(Some(report))
    }

    /// A crash costs more than a failure: the third one parks.
    fn crash_weight(&self) -> i32 {
        i32::try_from(self.settings.max_attempts.div_ceil(2)).unwrap_or(i32::MAX)
    }
}

fn is_deadlock(error: &DbError) -> bool {
    use diesel::result::{DatabaseErrorKind, Error};
    match error {
        DbError::Query(Error::DatabaseError(DatabaseErrorKind::SerializationFailure, _)) => true,
        DbError::Query(Error::DatabaseError(_, what)) => what.message().contains("deadlock"),
        _ => false,
    }
}

fn record(report: &BatchReport, took: Duration, now: Timestamp) {
    if report.events.is_empty() {
        return;
    }
    #[allow(clippy::cast_precision_loss, reason = "a batch is small")]
    metrics::histogram!(telemetry::BATCH_SIZE).record(report.events.len() as f64);
    metrics::histogram!(telemetry::BATCH_SECONDS).record(took);
    for event in &report.events {
        let age = now.since(event.received_at);
        metrics::counter!(telemetry::EVENTS, "outcome" => event.outcome).increment(1);
        metrics::histogram!(telemetry::APPLY_SECONDS).record(age);
        if event.removal && event.outcome == "applied" {
            metrics::histogram!(telemetry::TIME_TO_REVOKE_SECONDS).record(age);
        }
    }
}
