//! Destinations at which nothing is taken at the moment (R93): counted since something was last taken there,
//! with the reason. A slow one is left alone for up to a minute by everything but the removals' lane, so that
//! it burns no places; when it takes something again, what failed there is tried at once.

use std::time::Duration;

use diesel::prelude::*;

use crate::clock::Timestamp;
use crate::db::schema::{deliveries, destinations};
use crate::db::{Conn, on_backend};
use crate::retry;
use crate::triggers::deliveries::DeliveryState;

use super::DestinationRow;

/// So many attempts in a row, over so long, are worth telling.
pub const REPEATED: i64 = 3;
/// See [`REPEATED`].
pub const REPEATED_FOR: Duration = Duration::from_secs(120);
/// An attempt that took so long is slow.
pub const SLOW: Duration = Duration::from_secs(2);
/// The longest that a slow destination is left alone.
const LONGEST_REST: Duration = Duration::from_secs(60);
/// Messages tried at once when a destination works again; the rest comes at its own time.
const AT_ONCE: i64 = 1_000;

/// An attempt failed for what the destination is, after so long.
pub fn fails(
    conn: &mut Conn,
    id: &str,
    reason: &str,
    took: Duration,
    now: Timestamp,
) -> QueryResult<()> {
    let Some(row) = super::find(conn, id)? else {
        return Ok(());
    };
    let failures = row.failures.saturating_add(1);
    let rest = if took >= SLOW && failures > 1 {
        let attempt = u32::try_from(failures).unwrap_or(u32::MAX);
        retry::wait_after(attempt, now.micros()).min(LONGEST_REST)
    } else {
        Duration::ZERO
    };
    let since = row.failing_since.unwrap_or(now);
    on_backend!(conn, c => diesel::update(destinations::table.find(id))
        .set((
            destinations::failures.eq(destinations::failures + 1),
            destinations::failing_since.eq(since),
            destinations::failed_at.eq(now),
            destinations::failure.eq(reason),
            destinations::next_try_at.eq(row.next_try_at.max(now.plus(rest))),
        ))
        .execute(c))?;
    Ok(())
}

/// The destination answered: whatever it thinks of the message, it works.
pub fn works(conn: &mut Conn, id: &str, now: Timestamp) -> QueryResult<()> {
    let failures: Option<i64> = on_backend!(conn, c => destinations::table
        .filter(destinations::id.eq(id))
        .filter(destinations::failures.gt(0))
        .select(destinations::failures)
        .first(c)
        .optional())?;
    let Some(failures) = failures else {
        return Ok(());
    };
    on_backend!(conn, c => diesel::update(destinations::table.find(id))
        .set((
            destinations::failures.eq(0),
            destinations::failing_since.eq(None::<Timestamp>),
            destinations::failed_at.eq(None::<Timestamp>),
            destinations::failure.eq(None::<String>),
            destinations::next_try_at.eq(Timestamp(0)),
        ))
        .execute(c))?;
    if failures < REPEATED {
        // A single message that it never takes among others that it does: its own pace is right.
        return Ok(());
    }
    let waiting = tried_and_waiting(conn, id, now)?;
    on_backend!(conn, c => diesel::update(deliveries::table
        .filter(deliveries::id.eq_any(&waiting))
        .filter(deliveries::state.eq(DeliveryState::Due.as_str())))
        .set(deliveries::due_at.eq(now))
        .execute(c))?;
    Ok(())
}

/// What failed at a destination and waits for its next try.
fn tried_and_waiting(conn: &mut Conn, id: &str, now: Timestamp) -> QueryResult<Vec<String>> {
    macro_rules! query {
        () => {
            deliveries::table
                .filter(deliveries::destination.eq(id))
                .filter(deliveries::state.eq(DeliveryState::Due.as_str()))
                .filter(deliveries::lane.eq_any([0, 1]))
                .filter(deliveries::due_at.gt(now))
                .filter(deliveries::attempts.gt(0))
                .order((deliveries::lane, deliveries::due_at, deliveries::id))
                .select(deliveries::id)
                .limit(AT_ONCE)
        };
    }
    match conn {
        Conn::Sqlite(c) => query!().load(c),
        // What somebody else has in hand is theirs: waiting for it could end in a ring.
        Conn::Postgres(c) => query!().for_update().skip_locked().load(c),
    }
}

/// Those at which again and again nothing is taken, the longest first, of one organization or all.
pub fn failing(
    conn: &mut Conn,
    used_by: Option<&str>,
    now: Timestamp,
    limit: i64,
) -> QueryResult<Vec<DestinationRow>> {
    on_backend!(conn, c => {
        let mut query = destinations::table
            .filter(destinations::failures.ge(REPEATED))
            .filter(destinations::failing_since.le(now.minus(REPEATED_FOR)))
            .filter(destinations::stopped_at.is_null())
            .select(DestinationRow::as_select())
            .order((destinations::failing_since, destinations::id))
            .limit(limit)
            .into_boxed();
        if let Some(organization) = used_by {
            query = query.filter(diesel::dsl::exists(
                deliveries::table
                    .filter(deliveries::destination.eq(destinations::id))
                    .filter(deliveries::organization_id.eq(organization)),
            ));
        }
        query.load(c)
    })
}

/// How many there are.
pub fn failing_count(conn: &mut Conn, now: Timestamp) -> QueryResult<i64> {
    on_backend!(conn, c => destinations::table
        .filter(destinations::failures.ge(REPEATED))
        .filter(destinations::failing_since.le(now.minus(REPEATED_FOR)))
        .filter(destinations::stopped_at.is_null())
        .count()
        .get_result(c))
}
