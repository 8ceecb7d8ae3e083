//! Looking at deliveries: lists by filter, newest first; one with its text and attempts; figures.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable};

use crate::clock::Timestamp;
use crate::db::schema::{deliveries, delivery_attempts, destinations};
use crate::db::{Conn, ROWS_PER_STATEMENT, contains, in_parts, on_backend};

use super::DeliveryState;

/// What waits at a stopped destination is shown as paused; as a row it stays due, so that everything
/// that cancels or moves what is due reaches it too.
pub const PAUSED: &str = "paused";
const DUE: &str = DeliveryState::Due.as_str();

/// The stopped destinations, as a subquery.
macro_rules! stopped {
    () => {
        destinations::table
            .filter(destinations::stopped_at.is_not_null())
            .select(destinations::id)
    };
}

/// A delivery as shown.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = deliveries)]
#[allow(missing_docs, reason = "the columns are described in the migrations")]
pub struct DeliveryRow {
    pub id: String,
    pub key: String,
    pub organization_id: String,
    pub profile_id: String,
    pub trigger_id: String,
    pub step: i32,
    pub period: String,
    pub on_event: String,
    pub channel: String,
    pub event_id: Option<String>,
    pub state: String,
    pub reason: Option<String>,
    pub recipient: Option<String>,
    pub subject: Option<String>,
    pub body: Option<String>,
    pub html: Option<String>,
    pub attempts: i32,
    pub due_at: Timestamp,
    pub created_at: Timestamp,
    pub settled_at: Option<Timestamp>,
    pub destination: String,
    pub trigger_version: i32,
    pub community_id: Option<String>,
    pub hold_id: Option<String>,
}

/// One line of a delivery's attempts.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = delivery_attempts)]
#[allow(missing_docs, reason = "the columns are described in the migrations")]
pub struct AttemptRow {
    pub at: Timestamp,
    pub outcome: String,
    pub detail: Option<String>,
}

/// Which deliveries. Everything given must hold.
#[derive(Debug, Clone, Default)]
pub struct DeliveryFilter {
    /// One organization.
    pub organization_id: Option<String>,
    /// One state.
    pub state: Option<String>,
    /// One person.
    pub profile_id: Option<String>,
    /// One trigger.
    pub trigger_id: Option<String>,
    /// One channel.
    pub channel: Option<String>,
    /// One destination.
    pub destination: Option<String>,
    /// Text in recipient, subject or text.
    pub q: Option<String>,
    /// Only rows after this one in the list (the cursor).
    pub after: Option<(Timestamp, String)>,
}

/// Deliveries that match, newest first.
pub fn list(conn: &mut Conn, filter: &DeliveryFilter, limit: i64) -> QueryResult<Vec<DeliveryRow>> {
    on_backend!(conn, c => {
        let mut query = deliveries::table
            .select(DeliveryRow::as_select())
            .order((deliveries::created_at.desc(), deliveries::id.desc()))
            .limit(limit)
            .into_boxed();
        if let Some(organization) = &filter.organization_id {
            query = query.filter(deliveries::organization_id.eq(organization));
        }
        match filter.state.as_deref() {
            Some(PAUSED) => {
                query = query
                    .filter(deliveries::state.eq(DUE))
                    .filter(deliveries::destination.eq_any(stopped!()));
            }
            Some(DUE) => {
                query = query
                    .filter(deliveries::state.eq(DUE))
                    .filter(deliveries::destination.ne_all(stopped!()));
            }
            Some(state) => query = query.filter(deliveries::state.eq(state)),
            None => {}
        }
        if let Some(destination) = &filter.destination {
            query = query.filter(deliveries::destination.eq(destination));
        }
        if let Some(profile) = &filter.profile_id {
            query = query.filter(deliveries::profile_id.eq(profile));
        }
        if let Some(trigger) = &filter.trigger_id {
            query = query.filter(deliveries::trigger_id.eq(trigger));
        }
        if let Some(channel) = &filter.channel {
            query = query.filter(deliveries::channel.eq(channel));
        }
        if let Some(q) = &filter.q {
            let pattern = contains(q);
            query = query.filter(deliveries::recipient.like(pattern.clone()).escape('\\')
                .or(deliveries::subject.like(pattern.clone()).escape('\\'))
                .or(deliveries::body.like(pattern).escape('\\')));
        }
        if let Some((at, id)) = &filter.after {
            // Said so that an index is entered at the cursor, and not walked up to it.
            query = query
                .filter(deliveries::created_at.le(*at))
                .filter(deliveries::created_at.lt(*at).or(deliveries::id.lt(id)));
        }
        query.load(c)
    })
}

/// One delivery.
pub fn find(conn: &mut Conn, id: &str) -> QueryResult<Option<DeliveryRow>> {
    on_backend!(conn, c => deliveries::table.find(id).select(DeliveryRow::as_select()).first(c).optional())
}

/// The deliveries that events made due, by id.
pub fn of_events(conn: &mut Conn, events: &[String]) -> QueryResult<Vec<DeliveryRow>> {
    let mut all: Vec<DeliveryRow> = in_parts(events, |some| {
        on_backend!(conn, c => deliveries::table
            .filter(deliveries::event_id.eq_any(some))
            .select(DeliveryRow::as_select())
            .load(c))
    })?;
    all.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(all)
}

/// The deliveries about a person, oldest first.
pub fn of_profile(conn: &mut Conn, profile: &str) -> QueryResult<Vec<DeliveryRow>> {
    on_backend!(conn, c => deliveries::table
        .filter(deliveries::profile_id.eq(profile))
        .order((deliveries::created_at, deliveries::id))
        .select(DeliveryRow::as_select())
        .load(c))
}

/// A delivery's attempts, oldest first.
pub fn attempts_of(conn: &mut Conn, id: &str) -> QueryResult<Vec<AttemptRow>> {
    on_backend!(conn, c => delivery_attempts::table
        .filter(delivery_attempts::delivery_id.eq(id))
        .order(delivery_attempts::id)
        .select(AttemptRow::as_select())
        .load(c))
}

/// What is open, in figures.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, QueryableByName)]
pub struct DeliveryStats {
    /// Waiting for their time or a sender (counted up to 100,000).
    #[diesel(sql_type = BigInt)]
    pub due: i64,
    /// Waiting at a destination that is stopped (counted up to 100,000).
    #[diesel(sql_type = BigInt)]
    pub paused: i64,
    /// Whether they were taken is not known.
    #[diesel(sql_type = BigInt)]
    pub unknown: i64,
    /// Given up.
    #[diesel(sql_type = BigInt)]
    pub failed: i64,
    /// Since when the oldest has been due (microseconds).
    #[diesel(sql_type = Nullable<BigInt>)]
    pub oldest_due: Option<i64>,
}

/// Counts what is open, each on an index and capped.
pub fn delivery_stats(conn: &mut Conn, now: Timestamp) -> QueryResult<DeliveryStats> {
    delivery_stats_up_to(conn, 100_000, now)
}

/// Counts what is open, each count up to a number.
pub fn delivery_stats_up_to(
    conn: &mut Conn,
    cap: i64,
    now: Timestamp,
) -> QueryResult<DeliveryStats> {
    let sql = format!(
        "SELECT \
         (SELECT count(*) FROM (SELECT 1 FROM deliveries WHERE state = 'due' \
           AND destination NOT IN (SELECT id FROM destinations WHERE stopped_at IS NOT NULL) LIMIT {cap}) AS d) AS due, \
         (SELECT count(*) FROM (SELECT 1 FROM deliveries WHERE state = 'due' \
           AND destination IN (SELECT id FROM destinations WHERE stopped_at IS NOT NULL) LIMIT {cap}) AS p) AS paused, \
         (SELECT count(*) FROM (SELECT 1 FROM deliveries WHERE state = 'unknown' LIMIT {cap}) AS u) AS unknown, \
         (SELECT count(*) FROM (SELECT 1 FROM deliveries WHERE state = 'failed' LIMIT {cap}) AS f) AS failed, \
         (SELECT min((SELECT min(due_at) FROM deliveries WHERE destination = o.id AND state = 'due' AND lane = l.lane AND due_at <= $1)) \
           FROM destinations o CROSS JOIN (SELECT 0 AS lane UNION ALL SELECT 1) l WHERE o.stopped_at IS NULL) AS oldest_due"
    );
    on_backend!(conn, c => diesel::sql_query(sql).bind::<BigInt, _>(now.micros()).get_result(c))
}

/// Which of these rows wait at a stopped destination.
pub fn show_paused(conn: &mut Conn, rows: &mut [DeliveryRow]) -> QueryResult<()> {
    let stopped: Vec<String> = on_backend!(conn, c => stopped!().load(c))?;
    for row in rows.iter_mut().filter(|row| row.state == DUE) {
        if stopped.contains(&row.destination) {
            row.state = PAUSED.to_owned();
        }
    }
    Ok(())
}

/// How many messages about these people were cancelled at that very instant.
pub fn cancelled_at(conn: &mut Conn, people: &[String], at: Timestamp) -> QueryResult<usize> {
    let mut all = 0;
    for some in people.chunks(ROWS_PER_STATEMENT) {
        let count: i64 = on_backend!(conn, c => deliveries::table
            .filter(deliveries::profile_id.eq_any(some))
            .filter(deliveries::state.eq(DeliveryState::Cancelled.as_str()))
            .filter(deliveries::settled_at.eq(at))
            .count()
            .get_result(c))?;
        all += usize::try_from(count).unwrap_or_default();
    }
    Ok(all)
}

/// How many deliveries an organization has in all.
pub fn count_of(conn: &mut Conn, organization: &str) -> QueryResult<i64> {
    on_backend!(conn, c => deliveries::table
        .filter(deliveries::organization_id.eq(organization))
        .count()
        .get_result(c))
}
