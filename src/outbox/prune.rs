//! Retention (R72): bodies and lines about attempts go after their time, the queue row with the event
//! id and order key stays, so that a late duplicate is still a duplicate. What still waits is kept,
//! and so is what speaks of those in `spare`.

use diesel::prelude::*;

use crate::clock::Timestamp;
use crate::db::schema::{event_attempts, event_bodies, outbox};
use crate::db::{Conn, on_backend};

use super::EventState;
use super::repeats::forget_repeats;

const OPEN: [&str; 3] = [
    EventState::Ready.as_str(),
    EventState::Held.as_str(),
    EventState::Failed.as_str(),
];

/// Up to `limit` events whose bodies were received before `horizon` and are done with.
pub fn old_bodies(
    conn: &mut Conn,
    horizon: Timestamp,
    spare: &[String],
    limit: i64,
) -> QueryResult<Vec<String>> {
    on_backend!(conn, c => event_bodies::table
        .inner_join(outbox::table.on(outbox::event_id.eq(event_bodies::event_id)))
        .filter(event_bodies::received_at.lt(horizon))
        .filter(outbox::state.ne_all(OPEN))
        .filter(outbox::subject.is_null().or(outbox::subject.ne_all(spare).assume_not_null()))
        .order(event_bodies::received_at)
        .limit(limit)
        .select(event_bodies::event_id)
        .load(c))
}

/// Deletes the bodies of the given events, and what was made from them.
pub fn prune_bodies(conn: &mut Conn, events: &[String]) -> QueryResult<usize> {
    forget_repeats(conn, events)?;
    on_backend!(conn, c => diesel::delete(event_bodies::table.filter(event_bodies::event_id.eq_any(events))).execute(c))
}

/// Up to `limit` lines about attempts before `horizon` at events that are done with.
pub fn old_attempts(
    conn: &mut Conn,
    horizon: Timestamp,
    spare: &[String],
    limit: i64,
) -> QueryResult<Vec<i64>> {
    on_backend!(conn, c => event_attempts::table
        .inner_join(outbox::table.on(outbox::event_id.eq(event_attempts::event_id)))
        .filter(event_attempts::at.lt(horizon))
        .filter(outbox::state.ne_all(OPEN))
        .filter(outbox::subject.is_null().or(outbox::subject.ne_all(spare).assume_not_null()))
        .order(event_attempts::id)
        .limit(limit)
        .select(event_attempts::id)
        .load(c))
}

/// Deletes the given lines.
pub fn prune_attempts(conn: &mut Conn, lines: &[i64]) -> QueryResult<usize> {
    on_backend!(conn, c => diesel::delete(event_attempts::table.filter(event_attempts::id.eq_any(lines))).execute(c))
}
