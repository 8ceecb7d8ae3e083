//! The newest events in figures: when they came, when they were settled with what outcome, how long
//! removals took. Read off two indexes from their newest ends, and never more rows than are asked for.

use diesel::prelude::*;

use crate::clock::Timestamp;
use crate::db::schema::{event_bodies, outbox};
use crate::db::{Conn, on_backend};

/// An event that was settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// When it was settled.
    pub settled_at: Timestamp,
    /// When it came.
    pub received_at: Timestamp,
    /// Whether it may have taken access away.
    pub removal: bool,
    /// `applied`, `unchanged`, …; nothing where it was discarded.
    pub outcome: Option<String>,
}

/// When the newest events came, the newest first, none before `since`.
pub fn arrivals(conn: &mut Conn, since: Timestamp, limit: i64) -> QueryResult<Vec<Timestamp>> {
    on_backend!(conn, c => event_bodies::table
        .filter(event_bodies::received_at.ge(since))
        .order(event_bodies::received_at.desc())
        .limit(limit)
        .select(event_bodies::received_at)
        .load(c))
}

/// The events that were settled last, the last first, none before `since`.
pub fn settled(conn: &mut Conn, since: Timestamp, limit: i64) -> QueryResult<Vec<Settled>> {
    let rows: Vec<(Timestamp, Timestamp, i32, Option<String>)> = on_backend!(conn, c => outbox::table
        .filter(outbox::settled_at.is_not_null())
        .filter(outbox::settled_at.ge(since))
        .order(outbox::settled_at.desc())
        .limit(limit)
        .select((
            outbox::settled_at.assume_not_null(),
            outbox::received_at,
            outbox::lane,
            outbox::outcome,
        ))
        .load(c))?;
    let rows = rows.into_iter();
    Ok(rows
        .map(|(settled_at, received_at, lane, outcome)| Settled {
            settled_at,
            received_at,
            removal: lane == super::REMOVAL_LANE,
            outcome,
        })
        .collect())
}
