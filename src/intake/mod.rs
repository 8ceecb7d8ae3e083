//! The committer: what has queued goes into one transaction (group commit), all of its senders are
//! answered after the commit, and while it runs the next group gathers. No fixed delay: an idle
//! server commits a single event at once. Waiting is bounded by count and bytes; the excess is told
//! so at once and memory does not grow (R75).

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use crate::crash::{self, Step};
use crate::db::{Db, DbError, Fault, Urgency};
use crate::outbox::{Compared, NewEvent, compare_repeats, enqueue, gaps};
use crate::telemetry as names;

/// At most so many events in one transaction.
const LARGEST_GROUP: usize = 512;
/// Bytes of bodies waiting at once.
const WAITING_BYTES: usize = 64 * 1024 * 1024;
/// A sender that has waited so long is told to come again (WorkOS's own time limit is not documented).
const LONGEST_WAIT: Duration = Duration::from_secs(8);

/// What became of an event at the door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// New, and on disk.
    Accepted,
    /// Known already; nothing changed.
    Duplicate,
}

/// Why an event could not be made durable now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Shed {
    /// Too many are waiting.
    #[error("too many deliveries are waiting to be stored")]
    Full,
    /// The database did not take it.
    #[error("the database is not taking writes")]
    Unavailable,
    /// Not committed in time; it may still be, and the repeat will be a duplicate.
    #[error("the delivery could not be stored in time")]
    TooSlow,
    /// The process is stopping.
    #[error("the service is stopping")]
    Stopping,
}

/// How an event came. All doors lead through the same commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// WorkOS delivered it.
    Webhook,
    /// Catching up found it.
    CatchUp,
}

struct Waiting {
    event: NewEvent,
    door: Door,
    answer: oneshot::Sender<Result<Admission, Shed>>,
    _bytes: OwnedSemaphorePermit,
}

/// The door to the committer; cheap to clone.
#[derive(Clone)]
pub struct Intake {
    queue: mpsc::Sender<Waiting>,
    bytes: Arc<Semaphore>,
}

impl Intake {
    /// Starts the committer on a thread of its own; it ends when the last `Intake` is gone and
    /// everything that waited is answered. `bound` is how many may wait.
    pub fn start(
        db: Db,
        wake: Arc<Notify>,
        bound: usize,
    ) -> std::io::Result<(Self, std::thread::JoinHandle<()>)> {
        let (queue, waiting) = mpsc::channel(bound.max(1));
        let thread = std::thread::Builder::new()
            .name("rollcall-intake".into())
            .spawn(move || commit_groups(&db, waiting, &wake))?;
        Ok((
            Self {
                queue,
                bytes: Arc::new(Semaphore::new(WAITING_BYTES)),
            },
            thread,
        ))
    }

    /// Hands an event over and waits until it is durable.
    pub async fn submit(&self, event: NewEvent, door: Door) -> Result<Admission, Shed> {
        let size = u32::try_from(event.body.len().max(1)).map_err(|_| Shed::Full)?;
        let bytes = Arc::clone(&self.bytes)
            .try_acquire_many_owned(size)
            .map_err(|_| Shed::Full)?;
        let (answer, answered) = oneshot::channel();
        self.queue
            .try_send(Waiting {
                event,
                door,
                answer,
                _bytes: bytes,
            })
            .map_err(|refused| match refused {
                mpsc::error::TrySendError::Full(_) => Shed::Full,
                mpsc::error::TrySendError::Closed(_) => Shed::Stopping,
            })?;
        match tokio::time::timeout(LONGEST_WAIT, answered).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(Shed::Stopping),
            Err(_) => Err(Shed::TooSlow),
        }
    }

    /// How many are waiting now.
    pub fn waiting(&self) -> usize {
        self.queue.max_capacity() - self.queue.capacity()
    }
}

fn commit_groups(db: &Db, mut waiting: mpsc::Receiver<Waiting>, wake: &Notify) {
    let mut group = Vec::with_capacity(LARGEST_GROUP);
    while waiting.blocking_recv_many(&mut group, LARGEST_GROUP) > 0 {
        crash::at(Step::IntakeGathered);
        let began = Instant::now();
        let events: Vec<NewEvent> = group.iter().map(|one| one.event.clone()).collect();
        let doors: Vec<Door> = group.iter().map(|one| one.door).collect();
        let committed = commit(db, &events, &doors);
        crash::at(Step::IntakeCommitted);
        metrics::histogram!(names::INTAKE_COMMIT_SECONDS).record(began.elapsed());
        #[allow(clippy::cast_precision_loss, reason = "a group has at most 512 events")]
        metrics::histogram!(names::INTAKE_GROUP_SIZE).record(events.len() as f64);
        let accepted = committed.contains(&Ok(Admission::Accepted));
        for (one, result) in group.drain(..).zip(committed) {
            // Nobody may be waiting any more; the event is durable all the same.
            let _ = one.answer.send(result);
        }
        crash::at(Step::IntakeAnswered);
        if accepted {
            wake.notify_one();
        }
    }
}

/// Commits a group; where the database refuses it, each event by itself, so that one that it cannot
/// take does not turn its neighbours away.
fn commit(db: &Db, events: &[NewEvent], doors: &[Door]) -> Vec<Result<Admission, Shed>> {
    match try_commit(db, events, doors) {
        Ok(new) => new
            .into_iter()
            .map(|new| {
                Ok(if new {
                    Admission::Accepted
                } else {
                    Admission::Duplicate
                })
            })
            .collect(),
        Err(error) if events.len() == 1 || !is_about_the_data(&error) => {
            tracing::error!(%error, events = events.len(), "could not store deliveries; WorkOS was told to retry");
            events.iter().map(|_| Err(Shed::Unavailable)).collect()
        }
        Err(_) => events
            .iter()
            .zip(doors)
            .flat_map(|(one, door)| {
                commit(db, std::slice::from_ref(one), std::slice::from_ref(door))
            })
            .collect(),
    }
}

fn try_commit(db: &Db, events: &[NewEvent], doors: &[Door]) -> Result<Vec<bool>, DbError> {
    let (new, compared) = db.write(Urgency::Intake, |conn| {
        let new = enqueue(conn, events)?;
        let through = |door: Door, is_new: bool| {
            let all = events.iter().zip(doors).zip(&new);
            all.filter(move |((_, by), new)| **by == door && **new == is_new)
                .map(|((event, _), _)| event)
                .collect::<Vec<_>>()
        };
        // In the same commit as the events, so that the report can be believed.
        gaps::found(conn, &through(Door::CatchUp, true))?;
        gaps::came_late(conn, &through(Door::Webhook, false))?;
        let known = events.iter().zip(&new).filter(|(_, new)| !**new);
        let known: Vec<&NewEvent> = known.map(|(event, _)| event).collect();
        let compared = compare_repeats(conn, &known)?;
        crash::at(Step::IntakeWritten);
        Ok::<_, DbError>((new, compared))
    })?;
    report(&compared);
    Ok(new)
}

/// An event id with two contents is never WorkOS's retry: somebody should look at it.
fn report(compared: &Compared) {
    let count = |content: &'static str, count: usize| {
        metrics::counter!(names::EVENT_REPEATS, "content" => content).increment(count as u64);
    };
    count("differs", compared.differ.len());
    count("unknown", compared.unknown);
    for repeat in &compared.differ {
        tracing::warn!(
            event_id = repeat.event_id,
            first_digest = repeat.first_digest,
            other_digest = repeat.other_digest,
            "an event id came again with other content; the first one counts, and the event's page shows both digests"
        );
    }
}

/// Whether what was handed in is the reason, so that each event by itself tells which of them.
fn is_about_the_data(error: &DbError) -> bool {
    error.fault() == Fault::Own
}
