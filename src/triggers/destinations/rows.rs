//! Destinations as rows: made when the first message is planned, paced, stopped by a refusal and
//! resumed by a person; and which of them the next message may go to.

use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Integer, Nullable, Text};

use crate::clock::Timestamp;
use crate::db::schema::{deliveries, destinations};
use crate::db::{Conn, ROWS_PER_STATEMENT, on_backend};

use crate::triggers::definition::Channel;
use crate::triggers::deliveries::DeliveryState;

use super::Destination;

/// Destinations looked at in one claim.
const MOST_OPEN: i64 = 10_000;

/// A destination's row.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = destinations)]
#[allow(missing_docs, reason = "the columns are described in the migrations")]
pub struct DestinationRow {
    pub id: String,
    pub channel: String,
    pub shown: String,
    pub not_before: Timestamp,
    pub stopped_at: Option<Timestamp>,
    pub reason: Option<String>,
    pub resumed_at: Option<Timestamp>,
    pub created_at: Timestamp,
    pub failures: i64,
    pub failing_since: Option<Timestamp>,
    pub failed_at: Option<Timestamp>,
    pub failure: Option<String>,
    pub next_try_at: Timestamp,
}

/// A destination that something may be sent to now.
#[derive(Debug, Clone, QueryableByName)]
pub struct Open {
    /// Its id.
    #[diesel(sql_type = Text)]
    pub id: String,
    /// Its channel's name.
    #[diesel(sql_type = Text)]
    pub channel: String,
    /// Attempts that failed there since something was taken.
    #[diesel(sql_type = BigInt)]
    pub failures: i64,
}

/// What waits at a destination.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, QueryableByName)]
pub struct DestinationFigures {
    /// Messages that are due there (counted up to 100,000).
    #[diesel(sql_type = BigInt)]
    pub waiting: i64,
    /// When the oldest of them was due.
    #[diesel(sql_type = Nullable<BigInt>)]
    pub oldest_due: Option<i64>,
    /// When the last one was taken.
    #[diesel(sql_type = Nullable<BigInt>)]
    pub last_sent: Option<i64>,
}

/// Makes the rows that are not there yet.
pub fn ensure(conn: &mut Conn, all: &[Destination], now: Timestamp) -> QueryResult<()> {
    // In one order, so that two transactions never wait for each other.
    let mut all: Vec<&Destination> = all.iter().collect();
    all.sort_by(|one, other| one.id.cmp(&other.id));
    all.dedup_by(|one, other| one.id == other.id);
    let rows: Vec<_> = all
        .iter()
        .map(|one| {
            (
                destinations::id.eq(&one.id),
                destinations::channel.eq(one.channel.name()),
                destinations::shown.eq(&one.shown),
                destinations::created_at.eq(now),
            )
        })
        .collect();
    for chunk in rows.chunks(ROWS_PER_STATEMENT) {
        on_backend!(conn, c => diesel::insert_into(destinations::table).values(chunk).on_conflict_do_nothing().execute(c))?;
    }
    Ok(())
}

/// The destinations that have something due in a lane, are not stopped and not to be waited for, by the
/// age of what they have. Who left waits for nobody's rest, only for what a destination asked for itself.
pub fn open(conn: &mut Conn, lane: i32, now: Timestamp) -> QueryResult<Vec<Open>> {
    // Each subquery is one seek in a partial index, however much waits.
    let sql = "SELECT d.id, d.channel, d.failures FROM destinations d \
         WHERE d.stopped_at IS NULL AND d.not_before <= $1 AND (d.next_try_at <= $1 OR $2 = 0) \
           AND EXISTS (SELECT 1 FROM deliveries w WHERE w.destination = d.id AND w.state = 'due' AND w.lane = $2 AND w.due_at <= $1) \
         ORDER BY (SELECT min(o.due_at) FROM deliveries o WHERE o.destination = d.id AND o.state = 'due' AND o.lane = $2) \
         LIMIT $3";
    on_backend!(conn, c => diesel::sql_query(sql)
        .bind::<BigInt, _>(now.micros())
        .bind::<Integer, _>(lane)
        .bind::<BigInt, _>(MOST_OPEN)
        .load(c))
}

/// How many more messages of a lane may go there now; on PostgreSQL its row is locked first, so that two senders
/// never count on the same place, and there is none while another sender looks.
pub fn free_places(conn: &mut Conn, open: &Open, lane: i32) -> QueryResult<usize> {
    if let Conn::Postgres(c) = conn {
        let locked: Option<String> = destinations::table
            .find(&open.id)
            .select(destinations::id)
            .for_update()
            .skip_locked()
            .first(c)
            .optional()?;
        if locked.is_none() {
            return Ok(0);
        }
    }
    let all = [
        DeliveryState::Claimed.as_str(),
        DeliveryState::Attempting.as_str(),
    ];
    // Slack's channels want their messages one by one, whichever lane they are in.
    let one_by_one = open.channel == Channel::Slack.name();
    let in_the_air: i64 = on_backend!(conn, c => {
        let mut query = deliveries::table
            .filter(deliveries::destination.eq(&open.id))
            .filter(deliveries::state.eq_any(all))
            .into_boxed();
        if !one_by_one {
            query = query.filter(deliveries::lane.eq(lane));
        }
        query.count().get_result(c)
    })?;
    // One that does not take what it is given holds one place.
    let width = if open.failures > 0 {
        1
    } else {
        super::width(&open.channel)
    };
    Ok(usize::try_from(width - in_the_air).unwrap_or(0))
}

/// Nothing more goes there before `until`; never earlier than what was said before.
pub fn hold_back(conn: &mut Conn, id: &str, until: Timestamp) -> QueryResult<()> {
    on_backend!(conn, c => diesel::update(destinations::table
        .filter(destinations::id.eq(id))
        .filter(destinations::not_before.lt(until)))
        .set(destinations::not_before.eq(until))
        .execute(c))?;
    Ok(())
}

/// Keeps the pace of a destination that has one.
pub fn pace(conn: &mut Conn, open: &Open, now: Timestamp) -> QueryResult<()> {
    match super::spacing(&open.channel) {
        Duration::ZERO => Ok(()),
        pause => hold_back(conn, &open.id, now.plus(pause)),
    }
}

/// Stops a destination; false when it was stopped already.
pub fn stop(conn: &mut Conn, id: &str, reason: &str, now: Timestamp) -> QueryResult<bool> {
    let stopped = on_backend!(conn, c => diesel::update(destinations::table
        .filter(destinations::id.eq(id))
        .filter(destinations::stopped_at.is_null()))
        .set((destinations::stopped_at.eq(now), destinations::reason.eq(reason)))
        .execute(c))?;
    Ok(stopped > 0)
}

/// Lets a stopped destination go on; false when it was not stopped.
pub fn resume(conn: &mut Conn, id: &str, now: Timestamp) -> QueryResult<bool> {
    let resumed = on_backend!(conn, c => diesel::update(destinations::table
        .filter(destinations::id.eq(id))
        .filter(destinations::stopped_at.is_not_null()))
        .set((
            destinations::stopped_at.eq(None::<Timestamp>),
            destinations::reason.eq(None::<String>),
            destinations::not_before.eq(now),
            destinations::resumed_at.eq(now),
            destinations::failures.eq(0),
            destinations::failing_since.eq(None::<Timestamp>),
            destinations::next_try_at.eq(now),
        ))
        .execute(c))?;
    Ok(resumed > 0)
}

/// One destination.
pub fn find(conn: &mut Conn, id: &str) -> QueryResult<Option<DestinationRow>> {
    on_backend!(conn, c => destinations::table.find(id).select(DestinationRow::as_select()).first(c).optional())
}

/// Destinations by id, from a cursor on; all, or those that are stopped (or not).
pub fn list(
    conn: &mut Conn,
    stopped: Option<bool>,
    used_by: Option<&str>,
    after: Option<&str>,
    limit: i64,
) -> QueryResult<Vec<DestinationRow>> {
    on_backend!(conn, c => {
        let mut query = destinations::table
            .select(DestinationRow::as_select())
            .order(destinations::id)
            .limit(limit)
            .into_boxed();
        match stopped {
            Some(true) => query = query.filter(destinations::stopped_at.is_not_null()),
            Some(false) => query = query.filter(destinations::stopped_at.is_null()),
            None => {}
        }
        if let Some(organization) = used_by {
            query = query.filter(diesel::dsl::exists(
                deliveries::table
                    .filter(deliveries::destination.eq(destinations::id))
                    .filter(deliveries::organization_id.eq(organization)),
            ));
        }
        if let Some(after) = after {
            query = query.filter(destinations::id.gt(after));
        }
        query.load(c)
    })
}

/// How many are stopped, and how many there are.
pub fn stopped_count(conn: &mut Conn) -> QueryResult<(i64, i64)> {
    let all: i64 = on_backend!(conn, c => destinations::table
        .count().get_result(c))?;
    let stopped: i64 = on_backend!(conn, c => destinations::table
        .filter(destinations::stopped_at.is_not_null()).count().get_result(c))?;
    Ok((stopped, all))
}

/// What waits at one destination, of one organization or all.
pub fn figures(
    conn: &mut Conn,
    id: &str,
    organization: Option<&str>,
) -> QueryResult<DestinationFigures> {
    let sql = "SELECT \
        (SELECT count(*) FROM (SELECT 1 FROM deliveries WHERE destination = $1 AND state = 'due' \
           AND ($2 = '' OR organization_id = $2) LIMIT 100000) AS w) AS waiting, \
        (SELECT min(l.oldest) FROM (\
           SELECT min(due_at) AS oldest FROM deliveries WHERE destination = $1 AND state = 'due' AND lane = 0 \
             AND ($2 = '' OR organization_id = $2) \
           UNION ALL SELECT min(due_at) FROM deliveries WHERE destination = $1 AND state = 'due' AND lane = 1 \
             AND ($2 = '' OR organization_id = $2)) AS l) AS oldest_due, \
        (SELECT settled_at FROM deliveries WHERE destination = $1 AND state = 'sent' \
           AND ($2 = '' OR organization_id = $2) ORDER BY planned_at DESC, id DESC LIMIT 1) AS last_sent";
    let organization = organization.unwrap_or("");
    on_backend!(conn, c => diesel::sql_query(sql)
        .bind::<Text, _>(id)
        .bind::<Text, _>(organization)
        .get_result(c))
}

/// Whether an organization has a message for it.
pub fn is_used_by(conn: &mut Conn, id: &str, organization: &str) -> QueryResult<bool> {
    let own = deliveries::table
        .filter(deliveries::destination.eq(id))
        .filter(deliveries::organization_id.eq(organization));
    on_backend!(conn, c => diesel::select(diesel::dsl::exists(own)).get_result(c))
}
