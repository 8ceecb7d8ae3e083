//! What an operator may do with an event: replay makes a settled one `ready` again, discard ends a
//! parked one with a reason. Both say who did it; of two operators at once only one does it (R69).

use diesel::prelude::*;

use crate::clock::Timestamp;
use crate::db::schema::outbox;
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

/// Ends a parked event for good; it can still be replayed.
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
        .filter(outbox::state.eq(EventState::Parked.as_str())))
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
            advice: "only a parked event can be discarded",
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
