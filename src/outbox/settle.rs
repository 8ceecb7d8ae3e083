//! Settling: what became of the events of a batch, written set-wise. Bodies are never touched. Nothing is
//! written before the work: what a process does not live to settle is as if it had not begun.

use std::collections::BTreeMap;

use diesel::prelude::*;

use crate::clock::Timestamp;
use crate::db::schema::{event_attempts, outbox};
use crate::db::{Conn, on_backend};

use super::EventState;

/// What became of one event.
#[derive(Debug, Clone)]
pub struct Settlement {
    /// The queue row.
    pub id: i64,
    /// WorkOS's event id.
    pub event_id: String,
    /// What became of it.
    pub verdict: Verdict,
}

/// What becomes of an event.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// It has had its effects, or needs none.
    Done {
        /// `applied`, `unchanged`, `stale` …
        outcome: &'static str,
        /// One sentence without personal data.
        reason: String,
    },
    /// Not ours.
    Ignored {
        /// One sentence.
        reason: String,
    },
    /// It waits for an operator.
    Held {
        /// One sentence.
        reason: String,
    },
    /// It is not its time yet: looked at again then, and no attempt is counted.
    Wait {
        /// When.
        at: Timestamp,
        /// One sentence.
        reason: String,
    },
    /// It failed and is tried again.
    Retry {
        /// When.
        at: Timestamp,
        /// What went wrong.
        error: String,
    },
    /// It failed for the last time, or cannot be used.
    Fail {
        /// What went wrong.
        error: String,
    },
}

/// Writes what became of a batch. One statement for all that ended alike.
pub fn settle(conn: &mut Conn, settled: &[Settlement], now: Timestamp) -> QueryResult<()> {
    let mut alike: BTreeMap<&Verdict, Vec<i64>> = BTreeMap::new();
    for one in settled {
        alike.entry(&one.verdict).or_default().push(one.id);
    }
    for (verdict, ids) in alike {
        write(conn, verdict, &ids, now)?;
    }
    let failed = settled.iter().filter_map(|one| match &one.verdict {
        Verdict::Retry { error, .. } => Some((&one.event_id, "failed", error)),
        Verdict::Fail { error } => Some((&one.event_id, "failed", error)),
        _ => None,
    });
    for (event_id, what, error) in failed {
        note_attempt(conn, event_id, what, Some(error), None, now)?;
    }
    Ok(())
}

fn write(conn: &mut Conn, verdict: &Verdict, ids: &[i64], now: Timestamp) -> QueryResult<()> {
    if let Verdict::Wait { at, reason } = verdict {
        on_backend!(conn, c => diesel::update(outbox::table.filter(outbox::id.eq_any(ids)))
            .set((outbox::available_at.eq(*at), outbox::reason.eq(reason)))
            .execute(c))?;
        return Ok(());
    }
    let (state, outcome, reason, error, settled_at, available_at) = match verdict {
        Verdict::Done { outcome, reason } => (
            EventState::Done,
            Some(*outcome),
            Some(reason),
            None,
            Some(now),
            now,
        ),
        Verdict::Ignored { reason } => (
            EventState::Ignored,
            Some("ignored"),
            Some(reason),
            None,
            Some(now),
            now,
        ),
        Verdict::Held { reason } | Verdict::Wait { reason, .. } => (
            EventState::Held,
            Some("held"),
            Some(reason),
            None,
            None,
            now,
        ),
        Verdict::Retry { at, error } => (
            EventState::Ready,
            Some("failed"),
            None,
            Some(error),
            None,
            *at,
        ),
        Verdict::Fail { error } => (
            EventState::Failed,
            Some("failed"),
            Some(error),
            Some(error),
            Some(now),
            now,
        ),
    };
    on_backend!(conn, c => diesel::update(outbox::table.filter(outbox::id.eq_any(ids)))
        .set((
            outbox::state.eq(state.as_str()),
            outbox::outcome.eq(outcome),
            outbox::reason.eq(reason),
            outbox::error.eq(error),
            outbox::settled_at.eq(settled_at),
            outbox::available_at.eq(available_at),
            outbox::attempts.eq(outbox::attempts + 1),
        ))
        .execute(c))?;
    Ok(())
}

/// Adds a line to an event's attempts.
pub(super) fn note_attempt(
    conn: &mut Conn,
    event_id: &str,
    what: &str,
    detail: Option<&str>,
    actor: Option<&str>,
    now: Timestamp,
) -> QueryResult<()> {
    on_backend!(conn, c => diesel::insert_into(event_attempts::table)
        .values((
            event_attempts::event_id.eq(event_id),
            event_attempts::at.eq(now),
            event_attempts::what.eq(what),
            event_attempts::detail.eq(detail),
            event_attempts::actor.eq(actor),
        ))
        .execute(c))?;
    Ok(())
}
