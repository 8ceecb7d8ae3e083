//! Looking at events: lists by filter, newest first, with a cursor that stays put while rows are
//! added; one event with its body and attempts.

use std::collections::BTreeSet;
use std::time::Duration;

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool};
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::db::schema::{event_attempts, event_bodies, outbox};
use crate::db::{Conn, contains, on_backend};

/// Which events. Everything given must hold. A replay that takes long keeps it with its job.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct EventFilter {
    /// `ready`, `done`, …
    pub state: Option<String>,
    /// `applied`, `stale`, …
    pub outcome: Option<String>,
    /// `dsync.user.created`, …
    pub event_type: Option<String>,
    /// A directory's id.
    pub directory_id: Option<String>,
    /// The organization a token is limited to.
    pub organization_id: Option<String>,
    /// Directory users, groups or directories spoken of.
    pub subjects: Option<Vec<String>>,
    /// Received at or after.
    pub since: Option<Timestamp>,
    /// Received before.
    pub until: Option<Timestamp>,
    /// Text in the id, the error or the payload.
    pub q: Option<String>,
    /// The text may not be in the payload.
    pub q_outside_payload: bool,
    /// Text in the error.
    pub error: Option<String>,
    /// Only rows older than this one (the cursor).
    pub before: Option<i64>,
    /// Only rows newer than this one, and the oldest of them first.
    pub after: Option<i64>,
    /// Only rows up to and with this one.
    pub up_to: Option<i64>,
    /// Only rows from this one on.
    pub down_to: Option<i64>,
}

/// The queue row of an event, as shown.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = outbox)]
#[allow(missing_docs, reason = "the columns are described in the migrations")]
pub struct EventRow {
    pub id: i64,
    pub event_id: String,
    pub event_type: String,
    pub organization_id: Option<String>,
    pub directory_id: Option<String>,
    pub subject: Option<String>,
    pub state: String,
    pub outcome: Option<String>,
    pub reason: Option<String>,
    pub error: Option<String>,
    pub attempts: i32,
    pub occurred_at: Timestamp,
    pub received_at: Timestamp,
    pub settled_at: Option<Timestamp>,
}

/// Outcomes that few events have, and the index on them.
const RARE: [&str; 4] = ["stale", "ignored", "held", "failed"];
const ON_INDEX_OF_OUTCOME: &str = "outbox.outcome IN ('stale', 'ignored', 'held', 'failed')";

/// What lets SQLite use the partial index on a state: it takes one only where the query says the very
/// words of the index, and a bound value says nothing.
fn on_index_of_state(state: &str) -> Option<&'static str> {
    match state {
        "failed" | "held" => Some("outbox.state IN ('failed', 'held')"),
        "ready" => Some("outbox.state = 'ready'"),
        "ignored" => Some("outbox.state = 'ignored'"),
        _ => None,
    }
}

/// Whether the rows are found first and sorted then: the few that wait, or are about somebody, lie
/// anywhere in the queue, and in its order all of it might be walked to find them.
fn found_first(filter: &EventFilter) -> bool {
    filter.state.as_deref() == Some("ready") || filter.subjects.is_some()
}

/// A boxed query over the outbox, narrowed to what a filter says.
macro_rules! narrowed {
    ($query:ident, $filter:expr) => {{
        if let Some(state) = &$filter.state {
            $query = $query.filter(outbox::state.eq(state));
            if let Some(said) = on_index_of_state(state) {
                $query = $query.filter(sql::<Bool>(said));
            }
        }
        if let Some(outcome) = &$filter.outcome {
            $query = $query.filter(outbox::outcome.eq(outcome));
            if RARE.contains(&outcome.as_str()) {
                $query = $query.filter(sql::<Bool>(ON_INDEX_OF_OUTCOME));
            }
        }
        if let Some(event_type) = &$filter.event_type {
            $query = $query.filter(outbox::event_type.eq(event_type));
        }
        if let Some(directory) = &$filter.directory_id {
            $query = $query.filter(outbox::directory_id.eq(directory));
        }
        if let Some(organization) = &$filter.organization_id {
            $query = $query.filter(outbox::organization_id.eq(organization));
        }
        if let Some(subjects) = &$filter.subjects {
            $query = $query.filter(outbox::subject.eq_any(subjects));
        }
        if let Some(since) = $filter.since {
            $query = $query.filter(outbox::received_at.ge(since));
        }
        if let Some(until) = $filter.until {
            $query = $query.filter(outbox::received_at.lt(until));
        }
        if let Some(up_to) = $filter.up_to {
            $query = $query.filter(outbox::id.le(up_to));
        }
        if let Some(down_to) = $filter.down_to {
            $query = $query.filter(outbox::id.ge(down_to));
        }
        if let Some(before) = $filter.before {
            $query = match found_first($filter) {
                true => $query.filter(sql::<Bool>("outbox.id + 0 < ").bind::<BigInt, _>(before)),
                false => $query.filter(outbox::id.lt(before)),
            };
        }
        if let Some(text) = &$filter.error {
            $query = $query
                .filter(outbox::error.is_not_null())
                .filter(outbox::error.like(contains(text)).escape('\\'));
        }
        if let Some(text) = $filter.q.as_ref().filter(|_| $filter.q_outside_payload) {
            let pattern = contains(text);
            $query = $query.filter(
                outbox::event_id
                    .like(pattern.clone())
                    .escape('\\')
                    .or(outbox::error.like(pattern).escape('\\').assume_not_null()),
            );
        } else if let Some(text) = &$filter.q {
            let pattern = contains(text);
            $query = $query.filter(
                outbox::event_id
                    .like(pattern.clone())
                    .escape('\\')
                    .or(outbox::error
                        .like(pattern.clone())
                        .escape('\\')
                        .assume_not_null())
                    .or(diesel::dsl::exists(
                        event_bodies::table
                            .filter(event_bodies::event_id.eq(outbox::event_id))
                            .filter(event_bodies::body.like(pattern).escape('\\')),
                    )),
            );
        }
        $query
    }};
}

/// Events that match, newest first (oldest first after a row), at most `limit`.
pub fn list(conn: &mut Conn, filter: &EventFilter, limit: i64) -> QueryResult<Vec<EventRow>> {
    on_backend!(conn, c => {
        let mut query = outbox::table.select(EventRow::as_select()).limit(limit).into_boxed();
        query = match filter.after {
            Some(after) => query.filter(outbox::id.gt(after)).order(outbox::id.asc()),
            None if found_first(filter) => query.order(sql::<BigInt>("outbox.id + 0 DESC")),
            None => query.order(outbox::id.desc()),
        };
        narrowed!(query, filter).load(c)
    })
}

/// How many events match.
pub fn count(conn: &mut Conn, filter: &EventFilter) -> QueryResult<i64> {
    on_backend!(conn, c => {
        let mut query = outbox::table.count().into_boxed();
        narrowed!(query, filter).get_result(c)
    })
}

/// The places in the queue of events that match, oldest first, at most `limit`.
pub fn places(conn: &mut Conn, filter: &EventFilter, limit: i64) -> QueryResult<Vec<i64>> {
    on_backend!(conn, c => {
        let mut query = outbox::table
            .select(outbox::id)
            .order(outbox::id.asc())
            .limit(limit)
            .into_boxed();
        if let Some(after) = filter.after {
            query = query.filter(outbox::id.gt(after));
        }
        narrowed!(query, filter).load(c)
    })
}

/// The events at these places, oldest first.
pub fn at_places(conn: &mut Conn, places: &[i64]) -> QueryResult<Vec<EventRow>> {
    on_backend!(conn, c => outbox::table
        .filter(outbox::id.eq_any(places))
        .order(outbox::id)
        .select(EventRow::as_select())
        .load(c))
}

/// The newest place in the queue; 0 where nothing came yet.
pub fn newest_place(conn: &mut Conn) -> QueryResult<i64> {
    let newest: Option<i64> = on_backend!(conn, c => outbox::table
        .order(outbox::id.desc())
        .select(outbox::id)
        .first(c)
        .optional())?;
    Ok(newest.unwrap_or(0))
}

/// By how many microseconds the newest of WorkOS's own events came after they happened.
pub fn newest_delays(conn: &mut Conn, limit: i64) -> QueryResult<Vec<i64>> {
    let rows: Vec<(String, Timestamp, Timestamp)> = on_backend!(conn, c => outbox::table
        .order(outbox::id.desc())
        .limit(limit)
        .select((outbox::event_id, outbox::occurred_at, outbox::received_at))
        .load(c))?;
    let theirs = rows
        .into_iter()
        .filter(|(id, _, _)| id.starts_with("event_"));
    Ok(theirs
        .map(|(_, occurred, received)| received.micros() - occurred.micros())
        .collect())
}

/// Above so many events a time is first turned into places: they rise with time but for the
/// moments by which processes' clocks differ.
const MANY: i64 = 10_000;
/// Clocks differ by less.
const UNSURE: Duration = Duration::from_secs(3_600);

/// Narrows a filter by time to the places that can match, so that a list of last month's events does
/// not begin with today's.
pub fn narrow_by_time(conn: &mut Conn, filter: &mut EventFilter) -> QueryResult<()> {
    if filter.since.is_none() && filter.until.is_none() {
        return Ok(());
    }
    let newest = newest_place(conn)?;
    if newest < MANY {
        return Ok(());
    }
    if let Some(since) = filter.since {
        let from = first_at(conn, since.minus(UNSURE), newest)?;
        filter.down_to = Some(filter.down_to.map_or(from, |known| known.max(from)));
    }
    if let Some(until) = filter.until {
        let to = first_at(conn, until.plus(UNSURE), newest)?;
        filter.up_to = Some(filter.up_to.map_or(to, |known| known.min(to)));
    }
    Ok(())
}

/// The first place of an event received at that instant or later, by halves.
fn first_at(conn: &mut Conn, at: Timestamp, newest: i64) -> QueryResult<i64> {
    let (mut low, mut high) = (0, newest);
    while low < high {
        let middle = low + (high - low) / 2;
        let found: Option<Timestamp> = on_backend!(conn, c => outbox::table
            .filter(outbox::id.ge(middle))
            .order(outbox::id)
            .select(outbox::received_at)
            .first(c)
            .optional())?;
        if found.is_some_and(|found| found < at) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(low)
}

/// One event by WorkOS's id.
pub fn find(conn: &mut Conn, event_id: &str) -> QueryResult<Option<EventRow>> {
    on_backend!(conn, c => outbox::table
        .filter(outbox::event_id.eq(event_id))
        .select(EventRow::as_select())
        .first(c)
        .optional())
}

/// The body as it came; `None` once the retention has passed.
pub fn body_of(conn: &mut Conn, event_id: &str) -> QueryResult<Option<String>> {
    on_backend!(conn, c => event_bodies::table.find(event_id).select(event_bodies::body).first(c).optional())
}

/// Failures, replays and discards of an event, oldest first: when, what, detail, by whom.
#[allow(clippy::type_complexity, reason = "a row as selected")]
pub fn attempts_of(
    conn: &mut Conn,
    event_id: &str,
) -> QueryResult<Vec<(Timestamp, String, Option<String>, Option<String>)>> {
    on_backend!(conn, c => event_attempts::table
        .filter(event_attempts::event_id.eq(event_id))
        .order(event_attempts::id)
        .select((event_attempts::at, event_attempts::what, event_attempts::detail, event_attempts::actor))
        .load(c))
}

/// Which of the given events are in the outbox.
pub fn known(conn: &mut Conn, event_ids: &[String]) -> QueryResult<BTreeSet<String>> {
    let ids: Vec<String> = on_backend!(conn, c => outbox::table
        .filter(outbox::event_id.eq_any(event_ids))
        .select(outbox::event_id)
        .load(c))?;
    Ok(ids.into_iter().collect())
}
