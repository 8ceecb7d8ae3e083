//! The worker: works off the outbox until told to stop, batch by batch, each in one transaction.
//! A batch that the database refuses is halved until the culprit stands alone. After an unclean
//! stop the events that wait are tried in a child process, so that an event that kills the process is
//! found and given up, and nobody else is.

mod alone;
mod batch;
mod compare;
mod decide;
mod deletions;
mod directories;
mod effect;
mod erase;
mod fold;
mod fold_groups;
mod groups_in_hand;
mod guard;
mod happenings;
mod incoming;
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
mod rules;
mod suspects;
mod suspensions;
mod swaps;
mod take;
mod tombstones;
mod working_set;
mod write;

use std::sync::atomic::{AtomicBool, AtomicI32, AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, watch};

use crate::clock::{Clock, Timestamp};
use crate::db::{Db, DbError, Fault, Urgency};
use crate::store::holds;
use crate::telemetry;

pub use alone::{Orders, try_suspects};
pub use batch::{BatchReport, BatchSettings, Worked};
pub use decide::{decide_identity, take_back, work_off};
pub use deletions::{follow_organization, keep_people, remove_people, restore_people};
pub use directories::{end_directory, restore_directory};
pub use erase::{Erased, erase};
pub use leaves::{end_leaves, hand_over};
pub use rules::{
    ask as apply_rules, concerns as ruled_community, follow_rules, look_at_admins,
    membership_change, open as rules_being_applied, record_memberships,
};
pub use suspects::Program;
pub use suspensions::{follow_access, follow_events};

use jobs::Pace;
use suspects::Suspects;

/// How long an idle worker waits before it looks again; a wake-up from the intake comes first.
/// Other processes' events and retries that fall due are found by looking.
const IDLE: Duration = Duration::from_millis(250);
/// How often a worker looks for holds whose time has come.
const LOOK_AT_HOLDS: Duration = Duration::from_secs(10);
/// How long to leave a database alone that is away.
const AWAY: Duration = Duration::from_secs(1);

/// Of failures in a row, these are told in the log at first and then one in so many.
const TOLD_AT_FIRST: u32 = 3;
const TOLD_EVERY: u32 = 60;

/// Works off the outbox; cheap to clone.
#[derive(Clone)]
pub struct Worker {
    db: Db,
    clock: Clock,
    settings: BatchSettings,
    batch: usize,
    start: Arc<AtomicI32>,
    pace: Arc<Mutex<Pace>>,
    /// How many events the next batch takes, up to `batch`.
    size: Arc<AtomicUsize>,
    /// Whether a job that ends access is open, as of the last look.
    urgent: Arc<AtomicBool>,
    /// When holds were last looked at.
    looked: Arc<AtomicI64>,
    suspects: Arc<Mutex<Suspects>>,
    program: Option<Program>,
}

impl Worker {
    /// A worker that takes up to `batch` events at a time. `suspects` is how many are to be tried in a
    /// process of their own first (0 after a clean stop), where [`Worker::with_program`] names one.
    pub fn new(
        db: Db,
        clock: Clock,
        settings: BatchSettings,
        batch: usize,
        suspects: usize,
    ) -> Self {
        Self {
            db,
            clock,
            settings,
            batch: batch.max(1),
            start: Arc::new(AtomicI32::new(0)),
            pace: Arc::new(Mutex::new(Pace::new())),
            size: Arc::new(AtomicUsize::new(batch.max(1))),
            urgent: Arc::new(AtomicBool::new(false)),
            looked: Arc::new(AtomicI64::new(0)),
            suspects: Arc::new(Mutex::new(Suspects::of(suspects))),
            program: None,
        }
    }

    /// With the program that is started to try suspects.
    #[must_use]
    pub fn with_program(mut self, program: Option<Program>) -> Self {
        self.program = program;
        self
    }

    /// Works off one batch (blocking); 0 when nothing is due.
    pub fn run_once(&self) -> Result<usize, DbError> {
        let began = Instant::now();
        let report = loop {
            match self.try_suspects()? {
                Some(report) if report.events.is_empty() => {}
                Some(report) => break report,
                None => break self.take_batch(&mut |_| ())?,
            }
        };
        let now = self.clock.now();
        record(&report, began.elapsed(), now);
        if report.events.is_empty() {
            self.settle_due(now)?;
        }
        Ok(report.events.len())
    }

    /// Says why nothing goes on, and who is in the way.
    async fn tell_failure(&self, error: &DbError, failures: u32) {
        let code = error.code();
        tracing::error!(%error, code, failures, "could not work off events; trying again every second, and no event is blamed for it");
        if error.fault() == Fault::Contention {
            let worker = self.clone();
            // An error is a panic in there, which is in the log.
            let _ = tokio::task::spawn_blocking(move || worker.name_holders()).await;
        }
    }

    /// Settles holds whose time has come; looks for them now and then.
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

    /// Works off everything that is due, events and jobs (blocking); answers how many events.
    pub fn drain(&self) -> Result<usize, DbError> {
        self.drain_until(&|| false).map(|(total, _)| total)
    }

    /// The same until somebody says stop; answers also whether nothing was left. For `work --once`.
    pub fn drain_until(&self, stop: &dyn Fn() -> bool) -> Result<(usize, bool), DbError> {
        let mut total = 0;
        while !stop() {
            match self.run_once()? {
                0 if self.step_job()? => {}
                0 => return Ok((total, true)),
                done => total += done,
            }
        }
        Ok((total, false))
    }

    /// Works until `stop` says so; what is in hand is finished.
    pub async fn run(self, wake: Arc<Notify>, mut stop: watch::Receiver<bool>) {
        let mut failures = 0_u32;
        while !*stop.borrow() {
            // Registered before looking: an event that comes in between is not missed.
            let woken = wake.notified();
            let worker = self.clone();
            let done = tokio::task::spawn_blocking(move || worker.turn()).await;
            #[allow(clippy::cast_precision_loss, reason = "seconds since the epoch fit")]
            metrics::gauge!(telemetry::WORKER_HEARTBEAT).set(self.clock.now().seconds() as f64);
            let pause = match done {
                Ok(Ok(busy)) => {
                    failures = 0;
                    if busy {
                        continue;
                    }
                    IDLE
                }
                Ok(Err(error)) => {
                    failures = failures.saturating_add(1);
                    if failures <= TOLD_AT_FIRST || failures.is_multiple_of(TOLD_EVERY) {
                        self.tell_failure(&error, failures).await;
                    }
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
