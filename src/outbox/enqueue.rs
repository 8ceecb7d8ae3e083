//! Putting events into the outbox: one multi-row insert for the queue rows, one for the bodies,
//! duplicates left alone (R3, R4).

use std::collections::HashSet;

use diesel::prelude::*;

use crate::clock::Timestamp;
use crate::db::schema::{event_bodies, outbox};
use crate::db::{Conn, ROWS_PER_STATEMENT, on_backend};

use super::{EventState, NORMAL_LANE, REMOVAL_LANE, part_of};

/// An event as it came through any door.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// WorkOS's event id: what makes an event the same event.
    pub event_id: String,
    /// `dsync.user.created`, …
    pub event_type: String,
    /// As the envelope's data says, if it does.
    pub organization_id: Option<String>,
    /// As the envelope's data says, if it does.
    pub directory_id: Option<String>,
    /// The directory user, group or directory it speaks of.
    pub subject: Option<String>,
    /// Whether it may take access away: it rides in the fast lane.
    pub removal: bool,
    /// When it happened, for the order key (R66).
    pub occurred_at: Timestamp,
    /// When it came.
    pub received_at: Timestamp,
    /// The body, byte for byte.
    pub body: String,
}

#[derive(Insertable)]
#[diesel(table_name = outbox, treat_none_as_default_value = false)]
struct QueueRow<'a> {
    event_id: &'a str,
    event_type: &'a str,
    organization_id: Option<&'a str>,
    directory_id: Option<&'a str>,
    subject: Option<&'a str>,
    lane: i32,
    part: i32,
    state: &'static str,
    available_at: Timestamp,
    occurred_at: Timestamp,
    received_at: Timestamp,
}

#[derive(Insertable)]
#[diesel(table_name = event_bodies, treat_none_as_default_value = false)]
struct BodyRow<'a> {
    event_id: &'a str,
    body: &'a str,
    received_at: Timestamp,
}

/// Adds events; answers for each whether it was new. Of two copies in one call the first is.
pub fn enqueue(conn: &mut Conn, events: &[NewEvent]) -> QueryResult<Vec<bool>> {
    let mut seen = HashSet::new();
    let first: Vec<&NewEvent> = events.iter().filter(|event| seen.insert(event.event_id.as_str())).collect();
    let mut fresh: HashSet<String> = HashSet::new();
    for chunk in first.chunks(ROWS_PER_STATEMENT) {
        let rows: Vec<QueueRow<'_>> = chunk.iter().map(|event| queue_row(event)).collect();
        let inserted: Vec<String> = on_backend!(conn, c => diesel::insert_into(outbox::table)
            .values(&rows)
            .on_conflict_do_nothing()
            .returning(outbox::event_id)
            .get_results(c))?;
        fresh.extend(inserted);
        let bodies: Vec<BodyRow<'_>> = chunk
            .iter()
            .filter(|event| fresh.contains(&event.event_id))
            .map(|event| BodyRow { event_id: &event.event_id, body: &event.body, received_at: event.received_at })
            .collect();
        on_backend!(conn, c => diesel::insert_into(event_bodies::table).values(&bodies).on_conflict_do_nothing().execute(c))?;
    }
    Ok(events.iter().map(|event| fresh.remove(&event.event_id)).collect())
}

fn queue_row(event: &NewEvent) -> QueueRow<'_> {
    let owner = event.organization_id.as_deref().or(event.directory_id.as_deref()).unwrap_or_default();
    QueueRow {
        event_id: &event.event_id,
        event_type: &event.event_type,
        organization_id: event.organization_id.as_deref(),
        directory_id: event.directory_id.as_deref(),
        subject: event.subject.as_deref(),
        lane: if event.removal { REMOVAL_LANE } else { NORMAL_LANE },
        part: part_of(owner),
        state: EventState::Ready.as_str(),
        available_at: event.received_at,
        occurred_at: event.occurred_at,
        received_at: event.received_at,
    }
}
