//! What an operator may do with a delivery: send one again that failed or is `unknown`, cancel one
//! that has not left. A message to people that was sent is never sent again (R68); webhooks may be
//! told again to a host application that lost them, each under its old id.

use diesel::prelude::*;

use crate::clock::Timestamp;
use crate::db::schema::deliveries;
use crate::db::{Conn, ROWS_PER_STATEMENT, on_backend};
use crate::triggers::definition::Channel;

use super::browse::find;
use super::lease::{note_attempt, note_attempts};
use super::{DeliveryState, Lane};

/// Why an act was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No such delivery.
    #[error("there is no delivery {0}; list them with `rollcall deliveries list`")]
    NotFound(String),
    /// Not in a state for it.
    #[error("delivery {id} is {state}: {advice}")]
    WrongState {
        /// The delivery.
        id: String,
        /// Its state.
        state: String,
        /// What is possible.
        advice: &'static str,
    },
}

/// From when until when, by the time they were first due.
#[derive(Debug, Clone, Default)]
pub struct Span {
    /// One destination.
    pub destination: String,
    /// One organization.
    pub organization_id: Option<String>,
    /// From this instant on.
    pub since: Option<Timestamp>,
    /// Before this instant.
    pub until: Option<Timestamp>,
}

/// What may be told again, on both databases the same filter.
macro_rules! told {
    ($span:expr) => {{
        let span: &Span = $span;
        deliveries::table
            .filter(deliveries::destination.eq(span.destination.clone()))
            .filter(deliveries::channel.eq(Channel::Webhook.name()))
            .filter(deliveries::state.eq_any([
                DeliveryState::Sent.as_str(),
                DeliveryState::Failed.as_str(),
                DeliveryState::Unknown.as_str(),
            ]))
            .filter(deliveries::planned_at.ge(span.since.unwrap_or(Timestamp(0))))
            .filter(deliveries::planned_at.lt(span.until.unwrap_or(Timestamp(i64::MAX))))
    }};
}

/// How many webhooks a replay would make due again.
pub fn replayable(conn: &mut Conn, span: &Span) -> QueryResult<i64> {
    on_backend!(conn, c => match &span.organization_id {
        Some(own) => told!(span).filter(deliveries::organization_id.eq(own)).count().get_result(c),
        None => told!(span).count().get_result(c),
    })
}

/// Makes webhooks to one destination due again, each under its old id, to be told in their order.
pub fn replay(conn: &mut Conn, span: &Span, actor: &str, now: Timestamp) -> QueryResult<usize> {
    let ids: Vec<String> = on_backend!(conn, c => match &span.organization_id {
        Some(own) => told!(span).filter(deliveries::organization_id.eq(own)).select(deliveries::id).load(c),
        None => told!(span).select(deliveries::id).load(c),
    })?;
    let by = format!("by {actor}");
    for chunk in ids.chunks(ROWS_PER_STATEMENT) {
        on_backend!(conn, c => diesel::update(deliveries::table.filter(deliveries::id.eq_any(chunk)))
            .set((
                deliveries::state.eq(DeliveryState::Due.as_str()),
                deliveries::due_at.eq(now),
                deliveries::settled_at.eq(None::<Timestamp>),
                // Who left long ago goes not before who leaves now.
                deliveries::lane.eq(Lane::Others.number()),
            ))
            .execute(c))?;
        note_attempts(conn, chunk, "replayed", &by, now)?;
    }
    Ok(ids.len())
}

/// Makes a failed or unknown delivery due again.
pub fn retry(
    conn: &mut Conn,
    id: &str,
    actor: &str,
    now: Timestamp,
) -> QueryResult<Result<(), Refusal>> {
    let from = [
        DeliveryState::Failed.as_str(),
        DeliveryState::Unknown.as_str(),
    ];
    let changed = on_backend!(conn, c => diesel::update(deliveries::table
        .filter(deliveries::id.eq(id))
        .filter(deliveries::state.eq_any(from).or(deliveries::state
            .eq(DeliveryState::Sent.as_str())
            .and(deliveries::channel.eq(Channel::Webhook.name())))))
        .set((
            deliveries::state.eq(DeliveryState::Due.as_str()),
            deliveries::due_at.eq(now),
            deliveries::settled_at.eq(None::<Timestamp>),
        ))
        .execute(c))?;
    finish(
        conn,
        changed,
        id,
        "retried",
        actor,
        "only a failed or unknown one can be sent again, and of sent ones only a webhook",
        now,
    )
}

/// Cancels a delivery that is due.
pub fn cancel(
    conn: &mut Conn,
    id: &str,
    actor: &str,
    now: Timestamp,
) -> QueryResult<Result<(), Refusal>> {
    let changed = on_backend!(conn, c => diesel::update(deliveries::table
        .filter(deliveries::id.eq(id))
        .filter(deliveries::state.eq_any([
            DeliveryState::Due.as_str(),
            DeliveryState::Held.as_str(),
            DeliveryState::Claimed.as_str(),
        ])))
        .set((
            deliveries::state.eq(DeliveryState::Cancelled.as_str()),
            deliveries::reason.eq(format!("cancelled by {actor}")),
            deliveries::settled_at.eq(now),
            deliveries::lease_until.eq(None::<Timestamp>),
        ))
        .execute(c))?;
    finish(
        conn,
        changed,
        id,
        "cancelled",
        actor,
        "only one that has not left can be cancelled",
        now,
    )
}

fn finish(
    conn: &mut Conn,
    changed: usize,
    id: &str,
    what: &str,
    actor: &str,
    advice: &'static str,
    now: Timestamp,
) -> QueryResult<Result<(), Refusal>> {
    if changed > 0 {
        note_attempt(conn, id, what, &format!("by {actor}"), now)?;
        return Ok(Ok(()));
    }
    Ok(Err(match find(conn, id)? {
        None => Refusal::NotFound(id.to_owned()),
        Some(row) => Refusal::WrongState {
            id: id.to_owned(),
            state: row.state,
            advice,
        },
    }))
}
