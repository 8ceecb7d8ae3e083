//! Retention (R72): bodies go after their time, the queue row with the event id and order key
//! stays, so that a late duplicate is still a duplicate.

use diesel::prelude::*;

use crate::clock::Timestamp;
use crate::db::schema::{event_bodies, outbox};
use crate::db::{Conn, on_backend};

use super::EventState;

/// Deletes up to `limit` bodies received before `horizon`; those that still wait are kept. Answers
/// how many went.
pub fn prune_bodies(conn: &mut Conn, horizon: Timestamp, limit: i64) -> QueryResult<usize> {
    let open = [EventState::Ready.as_str(), EventState::Held.as_str(), EventState::Parked.as_str()];
    let old: Vec<String> = on_backend!(conn, c => event_bodies::table
        .inner_join(outbox::table.on(outbox::event_id.eq(event_bodies::event_id)))
        .filter(event_bodies::received_at.lt(horizon))
        .filter(outbox::state.ne_all(open))
        .order(event_bodies::received_at)
        .limit(limit)
        .select(event_bodies::event_id)
        .load(c))?;
    on_backend!(conn, c => diesel::delete(event_bodies::table.filter(event_bodies::event_id.eq_any(&old))).execute(c))
}
