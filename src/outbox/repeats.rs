//! An event id that came again with other content. The first one counts, as with every duplicate; that
//! there was another one is kept as two digests, so that it can be looked into without the content. Goes
//! with the payload, from which it was made.

use std::collections::BTreeMap;

use diesel::prelude::*;

use crate::clock::Timestamp;
use crate::db::schema::{event_bodies, event_repeats};
use crate::db::{Conn, on_backend};

use super::NewEvent;
use super::content::content_digest;

/// Bodies held in memory at once: each has a megabyte at most.
const AT_ONCE: usize = 16;

/// What came again.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = event_repeats)]
#[allow(missing_docs, reason = "the columns are described in the migrations")]
pub struct Repeat {
    pub event_id: String,
    pub first_digest: String,
    pub other_digest: String,
    pub times: i64,
    pub first_at: Timestamp,
    pub last_at: Timestamp,
}

/// How duplicates compare with what came first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Compared {
    /// Those whose content is another one.
    pub differ: Vec<Repeat>,
    /// Those whose first payload is gone, so that nobody knows.
    pub unknown: usize,
}

/// Compares duplicates with what came first, and keeps which of them differ.
pub fn compare(conn: &mut Conn, duplicates: &[&NewEvent]) -> QueryResult<Compared> {
    let mut compared = Compared::default();
    for chunk in duplicates.chunks(AT_ONCE) {
        let ids: Vec<&str> = chunk.iter().map(|event| event.event_id.as_str()).collect();
        let stored: Vec<(String, String)> = on_backend!(conn, c => event_bodies::table
            .filter(event_bodies::event_id.eq_any(&ids))
            .select((event_bodies::event_id, event_bodies::body))
            .load(c))?;
        let stored: BTreeMap<String, String> = stored.into_iter().collect();
        for event in chunk {
            match stored.get(&event.event_id) {
                None => compared.unknown += 1,
                Some(first) => compared.differ.extend(differing(first, event)),
            }
        }
    }
    for repeat in &compared.differ {
        keep(conn, repeat)?;
    }
    Ok(compared)
}

fn differing(first: &str, event: &NewEvent) -> Option<Repeat> {
    if first == event.body {
        return None;
    }
    let (first_digest, other_digest) = (content_digest(first), content_digest(&event.body));
    (first_digest != other_digest).then(|| Repeat {
        event_id: event.event_id.clone(),
        first_digest,
        other_digest,
        times: 1,
        first_at: event.received_at,
        last_at: event.received_at,
    })
}

/// One row an event, with the newest of the others: a sender that repeats itself fills nothing.
fn keep(conn: &mut Conn, repeat: &Repeat) -> QueryResult<()> {
    on_backend!(conn, c => diesel::insert_into(event_repeats::table)
        .values(repeat)
        .on_conflict(event_repeats::event_id)
        .do_update()
        .set((
            event_repeats::other_digest.eq(&repeat.other_digest),
            event_repeats::times.eq(event_repeats::times + 1),
            event_repeats::last_at.eq(repeat.last_at),
        ))
        .execute(c))?;
    Ok(())
}

/// Whether an event came again with other content.
pub fn repeat_of(conn: &mut Conn, event_id: &str) -> QueryResult<Option<Repeat>> {
    on_backend!(conn, c => event_repeats::table
        .find(event_id)
        .select(Repeat::as_select())
        .first(c)
        .optional())
}

/// Forgets what came again of these events.
pub(super) fn forget_repeats(conn: &mut Conn, events: &[String]) -> QueryResult<()> {
    on_backend!(conn, c => diesel::delete(event_repeats::table.filter(event_repeats::event_id.eq_any(events))).execute(c))?;
    Ok(())
}
