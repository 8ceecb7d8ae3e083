//! What an operator may do with a delivery: send one again that failed or is `unknown`, cancel one
//! that has not left. A message that was sent is never sent again (R68).

use diesel::prelude::*;

use crate::clock::Timestamp;
use crate::db::schema::deliveries;
use crate::db::{Conn, on_backend};

use super::DeliveryState;
use super::browse::find;
use super::lease::note_attempt;

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
        .filter(deliveries::state.eq_any(from)))
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
        "only a failed or unknown one can be sent again",
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
