//! Erasure (R65) in the queue: bodies go, what named somebody is replaced; the rows stay, so that a
//! late duplicate is still a duplicate.

use diesel::prelude::*;

use crate::clock::Timestamp;
use crate::db::schema::{event_attempts, event_bodies, outbox};
use crate::db::{Conn, ROWS_PER_STATEMENT, on_backend};

use super::EventState;
use super::repeats::forget_repeats;

/// Takes away what one event said; `subject` stands in the place of whom it spoke of.
pub fn forget(conn: &mut Conn, event_id: &str, subject: &str) -> QueryResult<()> {
    forget_all(conn, &[event_id.to_owned()], subject)
}

/// Takes away what all events said of somebody. Those that wait for an operator end; those that
/// wait for the worker are left to it. Answers how many there were.
pub fn forget_subject(
    conn: &mut Conn,
    subject: &str,
    replaced_by: &str,
    reason: &str,
    now: Timestamp,
) -> QueryResult<usize> {
    let waiting = [EventState::Held.as_str(), EventState::Failed.as_str()];
    on_backend!(conn, c => diesel::update(outbox::table
        .filter(outbox::subject.eq(subject))
        .filter(outbox::state.eq_any(waiting)))
        .set((
            outbox::state.eq(EventState::Ignored.as_str()),
            outbox::outcome.eq("ignored"),
            outbox::reason.eq(reason),
            outbox::settled_at.eq(now),
        ))
        .execute(c))?;
    let all: Vec<String> = on_backend!(conn, c => outbox::table
        .filter(outbox::subject.eq(subject))
        .filter(outbox::state.ne(EventState::Ready.as_str()))
        .select(outbox::event_id)
        .load(c))?;
    forget_all(conn, &all, replaced_by)?;
    // Which groups they were in is told by the sentence.
    on_backend!(conn, c => diesel::update(outbox::table
        .filter(outbox::subject.eq(replaced_by))
        .filter(outbox::event_type.like("dsync.group.user%")))
        .set(outbox::reason.eq(reason))
        .execute(c))?;
    Ok(all.len())
}

fn forget_all(conn: &mut Conn, events: &[String], subject: &str) -> QueryResult<()> {
    for chunk in events.chunks(ROWS_PER_STATEMENT) {
        forget_repeats(conn, chunk)?;
        on_backend!(conn, c => diesel::delete(event_bodies::table.filter(event_bodies::event_id.eq_any(chunk))).execute(c))?;
        // What an operator or an error said in free text may name somebody.
        on_backend!(conn, c => diesel::update(event_attempts::table.filter(event_attempts::event_id.eq_any(chunk)))
            .set(event_attempts::detail.eq(None::<String>))
            .execute(c))?;
        on_backend!(conn, c => diesel::update(outbox::table.filter(outbox::event_id.eq_any(chunk)))
            .set((outbox::subject.eq(subject), outbox::error.eq(None::<String>)))
            .execute(c))?;
    }
    Ok(())
}
