//! Replay of a large selection, as a job: it walks the queue from the oldest event on by its key, makes
//! some ready again, and notes how far it came in the same transaction. It gives way to what waits
//! already, keeps the pace it was given, and leaves alone what another operator has replayed since
//! it was asked for (R69). What applies the events is the worker's one path.

use std::time::{Duration, Instant};

use diesel::QueryResult;
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::db::{Conn, DbError};
use crate::outbox::{self, EventFilter};
use crate::store::jobs::{self, JobRow, NewJob, Stepped};

use super::jobs::STEP;

/// The kind of these jobs.
pub const KIND: &str = "events.replay";
/// Events made ready in one step.
const AT_ONCE: i64 = 200;
/// Rows looked through in one go, of as many goes as a step has time for: where few match, a step on SQLite
/// must not keep the webhooks waiting.
const LOOKED_THROUGH: i64 = 1_000;
/// The same where the payload is searched, which may have a megabyte.
const SEARCHED_THROUGH: i64 = 50;
/// With so many events due the job waits: older events are taken first, and these are old.
const GIVE_WAY: i64 = 2 * AT_ONCE;
const BREATH: Duration = Duration::from_millis(500);

/// Which events, and how.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Selection {
    /// What they must match; `up_to` is the newest one there was when it was asked for.
    pub filter: EventFilter,
    /// These places in the queue, instead of a filter; sorted.
    pub places: Option<Vec<i64>>,
    /// At most so many, the oldest first.
    pub limit: Option<i64>,
    /// So many a second.
    pub rate: Option<u32>,
    /// What was replayed since then is done.
    pub others_since: Timestamp,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Cursor {
    after: i64,
}

/// What came of it.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Told {
    replayed: usize,
    waiting_already: usize,
    replayed_by_others: usize,
    payload_gone: usize,
}

/// Asks for a selection to be replayed.
pub fn ask(
    conn: &mut Conn,
    organization: Option<&str>,
    selection: &Selection,
    total: i64,
    actor: &str,
    now: Timestamp,
) -> QueryResult<JobRow> {
    let new = NewJob {
        kind: KIND,
        organization_id: organization,
        payload: selection,
        total,
        created_by: actor,
    };
    jobs::add(conn, &new, now)
}

/// Since when a replay by somebody else counts as this one: since the oldest open one was asked for.
pub fn others_since(conn: &mut Conn) -> QueryResult<Option<Timestamp>> {
    jobs::open_since(conn, KIND)
}

/// One step.
pub(super) fn step(conn: &mut Conn, job: &JobRow, now: Timestamp) -> Result<(), DbError> {
    let selection: Selection = job.read_payload()?;
    let cursor: Cursor = job.read_cursor()?;
    let mut told: Told = job.read_result()?;
    let mut pause = None;
    let mut found = Found {
        after: cursor.after,
        ..Found::default()
    };
    if outbox::due_up_to(conn, now, GIVE_WAY)? >= GIVE_WAY {
        pause = Some(BREATH);
    } else {
        found = next(conn, &selection, cursor.after, job.done)?;
        let since = Some(selection.others_since);
        let done = outbox::replay_places(conn, &found.places, &job.created_by, since, now, now)?;
        told.replayed += done.ready.len();
        told.waiting_already += done.waiting;
        told.replayed_by_others += done.by_others;
        told.payload_gone += done.gone;
        pause = pause.or(selection.rate.map(|rate| taking(done.ready.len(), rate)));
    }
    let stepped = Stepped {
        cursor: Cursor { after: found.after },
        result: told,
        done: count_of(&found.places),
        finished: found.last,
    };
    jobs::save(conn, job, &stepped, now)?;
    if let Some(pause) = pause.filter(|_| !found.last) {
        jobs::rest(conn, &job.id, now.plus(pause))?;
    }
    Ok(())
}

/// What a step is about.
#[derive(Debug, Default)]
struct Found {
    places: Vec<i64>,
    /// Where the next step begins.
    after: i64,
    /// Whether there is none.
    last: bool,
}

fn next(conn: &mut Conn, selection: &Selection, after: i64, done: i64) -> QueryResult<Found> {
    let left = selection.limit.map_or(i64::MAX, |limit| limit - done);
    let pace = selection.rate.map_or(AT_ONCE, i64::from).clamp(1, AT_ONCE);
    let most = pace.min(left);
    if most <= 0 {
        return Ok(Found {
            after,
            last: true,
            ..Found::default()
        });
    }
    let mut found = match &selection.places {
        Some(places) => named(places, after, most),
        None => matching(conn, &selection.filter, after, most)?,
    };
    found.last = found.last || count_of(&found.places) >= left;
    Ok(found)
}

fn named(places: &[i64], after: i64, most: i64) -> Found {
    let begin = places.partition_point(|place| *place <= after);
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let some: Vec<i64> = places.iter().skip(begin).take(most).copied().collect();
    Found {
        after: some.last().copied().unwrap_or(after),
        last: begin + some.len() >= places.len(),
        places: some,
    }
}

fn matching(conn: &mut Conn, filter: &EventFilter, after: i64, most: i64) -> QueryResult<Found> {
    let began = Instant::now();
    let mut found = Found {
        after,
        ..Found::default()
    };
    loop {
        let left = most - count_of(&found.places);
        let more = matching_of_some(conn, filter, found.after, left)?;
        found.places.extend(more.places);
        (found.after, found.last) = (more.after, more.last);
        if found.last || count_of(&found.places) >= most || began.elapsed() >= STEP {
            return Ok(found);
        }
    }
}

fn matching_of_some(
    conn: &mut Conn,
    filter: &EventFilter,
    after: i64,
    most: i64,
) -> QueryResult<Found> {
    let newest = filter.up_to.unwrap_or(i64::MAX);
    let after = after.max(filter.down_to.unwrap_or(1) - 1);
    let reach = if filter.q.is_some() {
        SEARCHED_THROUGH
    } else {
        LOOKED_THROUGH
    };
    let end = after.saturating_add(reach).min(newest);
    let window = EventFilter {
        after: Some(after),
        up_to: Some(end),
        ..filter.clone()
    };
    let places = outbox::places(conn, &window, most)?;
    let full = count_of(&places) >= most;
    let after = match places.last() {
        Some(last) if full => *last,
        _ => end,
    };
    Ok(Found {
        places,
        after,
        last: after >= newest,
    })
}

/// How long that many take at that rate.
fn taking(events: usize, rate: u32) -> Duration {
    let events = u32::try_from(events).unwrap_or(u32::MAX);
    Duration::from_secs(1).saturating_mul(events) / rate.max(1)
}

fn count_of(places: &[i64]) -> i64 {
    i64::try_from(places.len()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn named_events_are_walked_in_steps_and_the_last_one_says_so() {
        let places = [2, 5, 9];
        let first = named(&places, 0, 2);
        assert_eq!(
            (&*first.places, first.after, first.last),
            (&[2, 5][..], 5, false)
        );
        let second = named(&places, first.after, 2);
        assert_eq!(
            (&*second.places, second.after, second.last),
            (&[9][..], 9, true)
        );
    }

    #[test]
    fn a_rate_is_kept_over_steps_of_any_size() {
        assert_eq!(taking(50, 100), Duration::from_millis(500));
        assert_eq!(taking(200, 50), Duration::from_secs(4));
        assert_eq!(taking(0, 50), Duration::ZERO);
    }
}
