//! What an operator may do with an event: replay makes a settled one `ready` again, discard ends a
//! failed one with a reason. Both say who did it; of two operators at once only one does it (R69).

use std::collections::BTreeSet;

use diesel::prelude::*;

use crate::clock::Timestamp;
use crate::db::schema::{event_attempts, event_bodies, outbox};
use crate::db::{Conn, ROWS_PER_STATEMENT, on_backend};

use super::settle::note_attempt;
use super::{EventState, body_of, find};

/// Why an act was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No such event.
    #[error("there is no event {0}; list them with `rollcall events list`")]
    NotFound(String),
    /// The event is not in a state for it.
    #[error("event {id} is {state}: {advice}")]
    WrongState {
        /// The event.
        id: String,
        /// Its state.
        state: String,
        /// What to do instead.
        advice: &'static str,
    },
    /// The body is gone.
    #[error(
        "the payload of event {0} is gone, after its retention time or because the person was erased: reconcile the directory instead"
    )]
    BodyGone(String),
}

/// Makes a settled event ready again, its attempts counted from zero.
pub fn replay(
    conn: &mut Conn,
    event_id: &str,
    actor: &str,
    now: Timestamp,
) -> QueryResult<Result<(), Refusal>> {
    let Some(event) = find(conn, event_id)? else {
        return Ok(Err(Refusal::NotFound(event_id.to_owned())));
    };
    if body_of(conn, event_id)?.is_none() {
        return Ok(Err(Refusal::BodyGone(event_id.to_owned())));
    }
    let moved = on_backend!(conn, c => diesel::update(outbox::table
        .filter(outbox::id.eq(event.id))
        .filter(outbox::state.ne(EventState::Ready.as_str())))
        .set((
            outbox::state.eq(EventState::Ready.as_str()),
            outbox::attempts.eq(0),
            outbox::available_at.eq(now),
            outbox::error.eq(None::<String>),
            outbox::settled_at.eq(None::<Timestamp>),
        ))
        .execute(c))?;
    if moved == 0 {
        return Ok(Err(Refusal::WrongState {
            id: event_id.to_owned(),
            state: EventState::Ready.as_str().to_owned(),
            advice: "it waits for the worker already; see whether `rollcall work` or `serve` is running",
        }));
    }
    note_attempt(conn, event_id, "replayed", None, Some(actor), now)?;
    Ok(Ok(()))
}

/// What became of the events of a selection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Ready again: their places in the queue, the oldest first.
    pub ready: Vec<i64>,
    /// They waited for the worker already.
    pub waiting: usize,
    /// Another operator replayed them meanwhile (R69).
    pub by_others: usize,
    /// Their payload is gone.
    pub gone: usize,
}

/// Makes the settled events at these places ready again, due at `due`. What somebody replayed at or
/// after `others_since` is left as it is: it has been done, unless it was given up once more.
pub fn replay_places(
    conn: &mut Conn,
    places: &[i64],
    actor: &str,
    others_since: Option<Timestamp>,
    due: Timestamp,
    now: Timestamp,
) -> QueryResult<Replayed> {
    let settled = settled_at(conn, places)?;
    let mut told = Replayed {
        waiting: places.len() - settled.len(),
        ..Replayed::default()
    };
    let names: Vec<&str> = settled.iter().map(|(_, name, _)| name.as_str()).collect();
    let with_body: BTreeSet<String> = with_body(conn, &names)?;
    let done = match others_since {
        Some(since) => replayed_since(conn, &names, since)?,
        None => BTreeSet::new(),
    };
    let mut lines = Vec::new();
    for (place, name, state) in &settled {
        if done.contains(name) && state != EventState::Failed.as_str() {
            told.by_others += 1;
        } else if with_body.contains(name) {
            told.ready.push(*place);
            lines.push((
                event_attempts::event_id.eq(name),
                event_attempts::at.eq(now),
                event_attempts::what.eq("replayed"),
                event_attempts::actor.eq(actor),
            ));
        } else {
            told.gone += 1;
        }
    }
    on_backend!(conn, c => diesel::update(outbox::table.filter(outbox::id.eq_any(&told.ready)))
        .set((
            outbox::state.eq(EventState::Ready.as_str()),
            outbox::attempts.eq(0),
            outbox::available_at.eq(due),
            outbox::error.eq(None::<String>),
            outbox::settled_at.eq(None::<Timestamp>),
        ))
        .execute(c))?;
    on_backend!(conn, c => diesel::insert_into(event_attempts::table).values(&lines).execute(c))?;
    Ok(told)
}

/// Those of the places that do not wait for the worker. On PostgreSQL they are locked, so that of two
/// who replay at once the second one sees what the first did.
fn settled_at(conn: &mut Conn, places: &[i64]) -> QueryResult<Vec<(i64, String, String)>> {
    let ready = EventState::Ready.as_str();
    match conn {
        Conn::Sqlite(c) => outbox::table
            .filter(outbox::id.eq_any(places))
            .filter(outbox::state.ne(ready))
            .order(outbox::id)
            .select((outbox::id, outbox::event_id, outbox::state))
            .load(c),
        Conn::Postgres(c) => outbox::table
            .filter(outbox::id.eq_any(places))
            .filter(outbox::state.ne(ready))
            .order(outbox::id)
            .select((outbox::id, outbox::event_id, outbox::state))
            .for_update()
            .load(c),
    }
}

fn with_body(conn: &mut Conn, names: &[&str]) -> QueryResult<BTreeSet<String>> {
    let found: Vec<String> = on_backend!(conn, c => event_bodies::table
        .filter(event_bodies::event_id.eq_any(names))
        .select(event_bodies::event_id)
        .load(c))?;
    Ok(found.into_iter().collect())
}

fn replayed_since(
    conn: &mut Conn,
    names: &[&str],
    since: Timestamp,
) -> QueryResult<BTreeSet<String>> {
    let found: Vec<String> = on_backend!(conn, c => event_attempts::table
        .filter(event_attempts::event_id.eq_any(names))
        .filter(event_attempts::what.eq("replayed"))
        .filter(event_attempts::at.ge(since))
        .select(event_attempts::event_id)
        .load(c))?;
    Ok(found.into_iter().collect())
}

/// Ends a failed event for good; it can still be replayed.
pub fn discard(
    conn: &mut Conn,
    event_id: &str,
    reason: &str,
    actor: &str,
    now: Timestamp,
) -> QueryResult<Result<(), Refusal>> {
    let Some(event) = find(conn, event_id)? else {
        return Ok(Err(Refusal::NotFound(event_id.to_owned())));
    };
    let ended = on_backend!(conn, c => diesel::update(outbox::table
        .filter(outbox::id.eq(event.id))
        .filter(outbox::state.eq(EventState::Failed.as_str())))
        .set((
            outbox::state.eq(EventState::Done.as_str()),
            outbox::outcome.eq("ignored"),
            outbox::reason.eq(format!("discarded by {actor}: {reason}")),
            outbox::settled_at.eq(now),
        ))
        .execute(c))?;
    if ended == 0 {
        return Ok(Err(Refusal::WrongState {
            id: event_id.to_owned(),
            state: event.state,
            advice: "only a failed event can be discarded",
        }));
    }
    note_attempt(conn, event_id, "discarded", Some(reason), Some(actor), now)?;
    Ok(Ok(()))
}

/// Makes held events ready: an operator approved them.
pub fn release(
    conn: &mut Conn,
    event_ids: &[String],
    actor: &str,
    now: Timestamp,
) -> QueryResult<usize> {
    let mut freed = 0;
    for chunk in event_ids.chunks(ROWS_PER_STATEMENT) {
        freed += on_backend!(conn, c => diesel::update(outbox::table
            .filter(outbox::event_id.eq_any(chunk))
            .filter(outbox::state.eq(EventState::Held.as_str())))
            .set((outbox::state.eq(EventState::Ready.as_str()), outbox::available_at.eq(now)))
            .execute(c))?;
    }
    for id in event_ids {
        note_attempt(conn, id, "approved", None, Some(actor), now)?;
    }
    Ok(freed)
}

/// Ends events that an operator rejected, held or applied: they are not applied (any more).
pub fn reject(
    conn: &mut Conn,
    event_ids: &[String],
    actor: &str,
    now: Timestamp,
) -> QueryResult<()> {
    for chunk in event_ids.chunks(ROWS_PER_STATEMENT) {
        on_backend!(conn, c => diesel::update(outbox::table.filter(outbox::event_id.eq_any(chunk)))
            .set((
                outbox::state.eq(EventState::Done.as_str()),
                outbox::outcome.eq("ignored"),
                outbox::reason.eq(format!("rejected by {actor}: the removal was taken back")),
                outbox::settled_at.eq(now),
            ))
            .execute(c))?;
    }
    for id in event_ids {
        note_attempt(conn, id, "rejected", None, Some(actor), now)?;
    }
    Ok(())
}
