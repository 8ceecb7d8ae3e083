//! Watching over what the process stands on, beside its work: how far this machine's clock is from the
//! database server's, whether the database is what it was (a restored back-up, operations::restored), and at the
//! start whether SQLite's pages fit together.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::App;
use super::every::every;
use crate::clock::{Clock, MOST_APART, Timestamp};
use crate::db::{DatabaseUrl, Db, DbError, Look, Pages, Urgency, mark};
use crate::operations::OperationError;
use crate::operations::restored::{self, Known};
use crate::store::installation;
use crate::telemetry;

/// How often somebody shows that they work on the database.
const SIGN_OF_LIFE: Duration = Duration::from_secs(5);
/// How often the clocks are compared, and how often it is asked whether that is to be done.
const COMPARE_CLOCKS: Duration = Duration::from_secs(60);
const LOOK_AT_CLOCK: Duration = Duration::from_secs(5);
/// A clock that was set anew is compared at once.
const CLOCK_WAS_SET: Duration = Duration::from_secs(1);
/// How long the pages are looked at after a start.
const LOOK_AT_PAGES: Duration = Duration::from_secs(10);

/// What this process knows of its database, whatever that says; cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Memory(Arc<Mutex<Option<Known>>>);

impl Memory {
    fn get(&self) -> Option<Known> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn set(&self, known: Known) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(known);
    }
}

impl App {
    /// Looks, before anything is worked off or sent, whether the database is what it was.
    pub(super) fn recognize(&self) -> Result<(), OperationError> {
        if let Some(seen) = sqlite_file(&self.db).and_then(mark::read) {
            self.memory.set(Known {
                installation: seen.installation,
                mark: seen.count,
            });
        }
        show_life(&self.db, &self.memory, self.clock.now())
    }

    /// A last sign of life: a back-up made before the end is older than it.
    pub(super) fn leave_mark(&self) {
        if let Err(error) = show_life(&self.db, &self.memory, self.clock.now()) {
            tracing::warn!(%error, "the last mark could not be kept; a back-up that is restored may not be recognized");
        }
    }

    pub(super) fn spawn_watch(&self, tasks: &mut JoinSet<()>, stop: &watch::Receiver<bool>) {
        let (db, memory, clock) = (self.db.clone(), self.memory.clone(), self.clock.clone());
        tasks.spawn(every(SIGN_OF_LIFE, stop.clone(), move || {
            show_life(&db, &memory, clock.now()).map_err(|error| error.to_string())
        }));
        let (db, watched) = (self.db.clone(), Mutex::new(Compared::at_start(&self.db)));
        tasks.spawn(every(LOOK_AT_CLOCK, stop.clone(), move || {
            let mut compared = watched.lock().unwrap_or_else(PoisonError::into_inner);
            compared.again(&db).map_err(|error| error.to_string())
        }));
        let db = self.db.clone();
        // Beside the start: a large file takes its time.
        drop(tokio::task::spawn_blocking(move || look_at_pages(&db)));
    }
}

fn sqlite_file(db: &Db) -> Option<&std::path::Path> {
    match db.url() {
        DatabaseUrl::Sqlite(path) => Some(path),
        DatabaseUrl::Postgres(_) => None,
    }
}

/// Shows that somebody works on the database; what it recognizes by that is told in the log.
fn show_life(db: &Db, memory: &Memory, now: Timestamp) -> Result<(), OperationError> {
    // A user who may not ask the server is told nothing of it: what can be compared is.
    let place = db
        .read(|conn| Ok::<_, DbError>(installation::place(conn)?))
        .unwrap_or_default();
    let known = memory.get();
    let alive = db.write(Urgency::Normal, |conn| {
        restored::note_alive(conn, known.as_ref(), place.as_ref(), now)
    });
    // Whoever asks whether this is ready only reads: that nothing can be written is seen here.
    db.note_writes(match &alive {
        Err(OperationError::Database(error)) => Some(error),
        _ => None,
    });
    let alive = alive?;
    if let Some(restore) = &alive.restored {
        tracing::warn!(
            restore_id = restore.id,
            messages = restore.messages,
            "a back-up of the database was restored: {}. Messages that were due before now may have been sent, so they wait \
             in holds of kind `restored`: approve or reject them. Events since the back-up are missing until WorkOS sends \
             them again: `rollcall catch-up`",
            restore.reason
        );
    }
    if let Some(file) = sqlite_file(db) {
        let (id, count) = (&alive.known.installation, alive.known.mark);
        if let Err(error) = mark::keep(file, id, count, now) {
            tracing::warn!(%error, "the mark beside the database could not be kept; a back-up that is restored may not be recognized");
        }
    }
    memory.set(alive.known);
    Ok(())
}

/// The last comparison of the clocks.
struct Compared {
    at: Instant,
    machine: Timestamp,
    warned: bool,
}

impl Compared {
    /// The database was opened just now, and with that the clocks were compared.
    fn at_start(db: &Db) -> Self {
        let mut compared = Self {
            at: Instant::now(),
            machine: Clock::System.now(),
            warned: false,
        };
        compared.tell(db.clock_ahead());
        compared
    }

    /// Compares where it is time to, or where this machine's clock was set meanwhile.
    fn again(&mut self, db: &Db) -> Result<(), DbError> {
        let (passed, machine) = (self.at.elapsed(), Clock::System.now());
        let expected = self.machine.plus(passed);
        let moved = machine.since(expected).max(expected.since(machine));
        if passed < COMPARE_CLOCKS && moved < CLOCK_WAS_SET {
            return Ok(());
        }
        let ahead = db.measure_clock()?;
        (self.at, self.machine) = (Instant::now(), Clock::System.now());
        self.tell(ahead);
        Ok(())
    }

    fn tell(&mut self, ahead: i64) {
        #[allow(clippy::cast_precision_loss, reason = "seconds of a clock that is off")]
        let seconds = ahead as f64 / 1_000_000.0;
        metrics::gauge!(telemetry::CLOCK_SKEW).set(seconds);
        let apart = Duration::from_micros(ahead.unsigned_abs()) > MOST_APART;
        if apart && !self.warned {
            let side = if ahead > 0 { "ahead of" } else { "behind" };
            tracing::warn!(
                seconds,
                "this machine's clock is {:.1} s {side} the database server's: set both by NTP. Due times and leases are \
                 counted by the server's; signatures are judged by this machine's",
                seconds.abs()
            );
        }
        self.warned = apart;
    }
}

fn look_at_pages(db: &Db) {
    match db.look_at_pages(Look::Quick, LOOK_AT_PAGES) {
        Ok(Pages::Sound) => {}
        Ok(Pages::Unfinished) => {
            tracing::info!(
                "the database is too large to be looked through at a start; `rollcall doctor` does it"
            )
        }
        Ok(Pages::Damaged(first)) => {
            db.note_damage_for_good();
            tracing::error!(
                "the database is damaged ({first}). What can be read is worked off, and it is not ready. Run `rollcall doctor`, \
                 and restore a back-up"
            );
        }
        Err(error) => {
            tracing::warn!(%error, "the database could not be looked through at the start")
        }
    }
}
