//! One claimed batch, in the transaction that claimed it: load, fold, write, settle. A crash before
//! the commit leaves everything as it was. An event that fails in the fold has changed nothing and is retried
//! or given up alone; the rest of the batch goes on. What the database refuses, and a panic, end the batch: it
//! is halved until that event stands alone.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use diesel::QueryResult;

use crate::clock::Timestamp;
use crate::crash::{self, Step};
use crate::db::{Conn, DbError, fault};
use crate::domain::Outcome;
use crate::outbox::{self, Claimed, Settlement, Verdict};
use crate::retry;

use super::directories::end_people;
use super::effect::Effect;
use super::fold::fold_item;
use super::incoming::IncomingEvent;
use super::suspensions;
use super::working_set::WorkingSet;
use super::write::{Cause, write_world};

/// What a batch may do.
#[derive(Debug, Clone, Copy)]
pub struct BatchSettings {
    /// Events are given up after so many failed attempts.
    pub max_attempts: u32,
    /// Whether messaging is on for organizations heard of for the first time (`serve --dev`).
    pub messaging_for_new: bool,
}

/// What a batch did, for metrics and for whoever waits for an empty queue.
#[derive(Debug, Clone, Default)]
pub struct BatchReport {
    /// Each event worked off.
    pub events: Vec<Worked>,
    /// Whether any of them spoke of somebody erased, and was taken away.
    pub forgot: bool,
}

/// One event worked off.
#[derive(Debug, Clone)]
pub struct Worked {
    /// WorkOS's event id.
    pub event_id: String,
    /// What came of it.
    pub outcome: &'static str,
    /// Whether it rode in the removals' lane.
    pub removal: bool,
    /// When it came.
    pub received_at: Timestamp,
}

/// How long a batch of several events may fold before it is given back to be cut smaller: on SQLite every webhook
/// waits for it. What late events about somebody with a long history cost is not seen before.
const LONGEST: Duration = Duration::from_millis(200);

/// Whether and where a batch was cut.
#[derive(Debug, Default)]
pub(super) struct Cut {
    /// A rehearsal is never cut.
    pub(super) never: bool,
    /// How many events were folded in [`LONGEST`], where there were more.
    pub(super) folded: Option<usize>,
}

impl Cut {
    fn is_due(&self, began: Instant) -> bool {
        !self.never && began.elapsed() > LONGEST
    }
}

/// Works off what was claimed. Where that takes too long it ends with an error, and nothing is changed.
pub(super) fn run(
    conn: &mut Conn,
    settings: BatchSettings,
    claimed: Vec<Claimed>,
    now: Timestamp,
    cut: &mut Cut,
) -> Result<BatchReport, DbError> {
    let began = Instant::now();
    if claimed.is_empty() {
        return Ok(BatchReport::default());
    }
    crash::at(Step::BatchClaimed);
    let mut items: Vec<IncomingEvent> = claimed.into_iter().map(IncomingEvent::read).collect();
    // In the order of events: what arrived together in the wrong order costs nothing.
    items.sort_by(|one, other| one.key.cmp(&other.key));
    let mut world = WorkingSet::load(conn, &mut items, settings.messaging_for_new, now)?;
    crash::at(Step::BatchLoaded);
    let mut caused = Vec::new();
    let mut causes: BTreeMap<String, Cause> = BTreeMap::new();
    let mut settled = Vec::new();
    for item in &items {
        if items.len() > 1 && cut.is_due(began) {
            cut.folded = Some(settled.len());
            return Err(diesel::result::Error::RollbackTransaction.into());
        }
        let effect = match judge(conn, &mut world, item) {
            Ok(effect) => effect,
            Err(Failure::Database(error)) => return Err(error.into()),
            // It counts only where it panics alone: a neighbour may have left behind what it fell over.
            Err(Failure::Panic(_)) if items.len() > 1 => return Err(stopped_by_a_panic()),
            Err(error) => {
                settled.push(fail(item, settings, &error, now));
                continue;
            }
        };
        let directory = item.directory_id.clone().unwrap_or_default();
        for change in &effect.changes {
            causes.insert(
                change.change.profile_id.clone(),
                (item.key.clone(), directory.clone()),
            );
        }
        settled.push(Settlement {
            id: item.claimed.id,
            event_id: item.claimed.event_id.clone(),
            verdict: match (effect.outcome, effect.waits_until) {
                (_, Some(at)) => Verdict::Wait {
                    at,
                    reason: effect.reason,
                },
                (Outcome::Ignored, None) => Verdict::Ignored {
                    reason: effect.reason,
                },
                (Outcome::Held, None) => Verdict::Held {
                    reason: effect.reason,
                },
                (outcome, None) => Verdict::Done {
                    outcome: outcome.as_str(),
                    reason: effect.reason,
                },
            },
        });
        caused.extend(effect.changes);
    }
    crash::at(Step::BatchFolded);
    write_world(conn, &mut world, caused, &causes)?;
    for (directory, key) in &world.ended {
        end_people(conn, directory, key, now)?;
    }
    crash::at(Step::BatchWritten);
    outbox::settle(conn, &settled, now)?;
    follow_access_of(conn, &world, &items, &settled)?;
    if let Some(tombstones) = &world.tombstones {
        tombstones.close(conn, &items)?;
    }
    crash::at(Step::BatchSettled);
    Ok(report(&items, &settled))
}

/// Tells whose access this batch suspended or gave back, by holding removals, giving them up, or applying a
/// newer word.
fn follow_access_of(
    conn: &mut Conn,
    world: &WorkingSet,
    items: &[IncomingEvent],
    settled: &[Settlement],
) -> QueryResult<()> {
    let removals = items.iter().map(|item| item.claimed.removal).zip(settled);
    let failed = removals_given_up(removals);
    if !failed.is_empty() {
        suspensions::given_up(conn, &failed, world.now)?;
    }
    suspensions::follow_access(conn, &world.guards.held_people(), world.now)?;
    suspensions::follow_told(conn, &world.people_in_hand(), world.now)
}

/// Those of settled events that are removals and were given up.
pub(super) fn removals_given_up<'a>(
    settled: impl IntoIterator<Item = (bool, &'a Settlement)>,
) -> Vec<String> {
    settled
        .into_iter()
        .filter(|(removal, one)| *removal && matches!(one.verdict, Verdict::Fail { .. }))
        .map(|(_, one)| one.event_id.clone())
        .collect()
}

/// Why an event was not folded.
enum Failure {
    /// It can never be: no retry.
    Unusable(String),
    /// It may go another time.
    Passing(String),
    /// A defect of ours.
    Panic(String),
    /// The database said no: whose fault that is is judged where the transaction ends.
    Database(diesel::result::Error),
}

/// What a batch ends with in which something panicked: it is halved until that stands alone.
pub(super) fn stopped_by_a_panic() -> DbError {
    DbError::Query(diesel::result::Error::QueryBuilderError(
        "a panic stopped the batch".into(),
    ))
}

/// The outcome of that name as metrics know it.
pub(super) fn outcome_named(name: &str) -> &'static str {
    let all = [
        Outcome::Applied,
        Outcome::Unchanged,
        Outcome::Stale,
        Outcome::Ignored,
        Outcome::Held,
    ];
    let found = all
        .into_iter()
        .map(Outcome::as_str)
        .find(|known| *known == name);
    found.unwrap_or("failed")
}

fn judge(conn: &mut Conn, world: &mut WorkingSet, item: &IncomingEvent) -> Result<Effect, Failure> {
    if let Err(unusable) = &item.event {
        return Err(Failure::Unusable(unusable.to_string()));
    }
    #[cfg(debug_assertions)]
    die_if_asked(item);
    match catch_unwind(AssertUnwindSafe(|| fold_item(conn, world, item))) {
        Ok(Ok(effect)) => Ok(effect),
        Ok(Err(error @ diesel::result::Error::DatabaseError(..))) => Err(Failure::Database(error)),
        Ok(Err(error)) if fault::of(&error).is_innocent() => Err(Failure::Database(error)),
        Ok(Err(error)) => Err(Failure::Passing(format!(
            "what is known could not be read while it was applied: {error}"
        ))),
        Err(panic) => {
            let what = panic
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| panic.downcast_ref::<&str>().copied())
                .unwrap_or("no message");
            tracing::error!(
                event_id = item.claimed.event_id,
                "a panic while applying an event"
            );
            Err(Failure::Panic(format!(
                "a defect in Rollcall stopped it (panic: {what}); please report it"
            )))
        }
    }
}

/// A fail point of builds for tests: the process dies over the event of that id, as it would of a stack
/// that is too small. Not in a release build.
#[cfg(debug_assertions)]
fn die_if_asked(item: &IncomingEvent) {
    if std::env::var("ROLLCALL_TEST_DIE_OVER").is_ok_and(|id| id == item.claimed.event_id) {
        std::process::abort();
    }
}

fn fail(
    item: &IncomingEvent,
    settings: BatchSettings,
    failure: &Failure,
    now: Timestamp,
) -> Settlement {
    let attempt = u32::try_from(item.claimed.attempts)
        .unwrap_or(0)
        .saturating_add(1);
    let verdict = match failure {
        Failure::Unusable(error) => Verdict::Fail {
            error: error.clone(),
        },
        Failure::Passing(error) | Failure::Panic(error) => {
            after_failure(item.claimed.id, attempt, settings, error.clone(), now)
        }
        Failure::Database(error) => {
            after_failure(item.claimed.id, attempt, settings, error.to_string(), now)
        }
    };
    Settlement {
        id: item.claimed.id,
        event_id: item.claimed.event_id.clone(),
        verdict,
    }
}

/// Another time, or never again.
pub(super) fn after_failure(
    id: i64,
    attempt: u32,
    settings: BatchSettings,
    error: String,
    now: Timestamp,
) -> Verdict {
    if attempt >= settings.max_attempts {
        Verdict::Fail { error }
    } else {
        Verdict::Retry {
            at: now.plus(retry::wait_after(attempt, id)),
            error,
        }
    }
}

fn report(items: &[IncomingEvent], settled: &[Settlement]) -> BatchReport {
    let events = items.iter().zip(settled).map(|(item, settlement)| Worked {
        event_id: item.claimed.event_id.clone(),
        outcome: match &settlement.verdict {
            Verdict::Done { outcome, .. } => outcome,
            Verdict::Ignored { .. } => "ignored",
            Verdict::Held { .. } | Verdict::Wait { .. } => "held",
            Verdict::Retry { .. } | Verdict::Fail { .. } => "failed",
        },
        removal: item.claimed.removal,
        received_at: item.claimed.received_at,
    });
    BatchReport {
        events: events.collect(),
        forgot: items.iter().any(|item| item.erased),
    }
}
