//! Deliveries: messages due, attempted, sent, cancelled, failed or `unknown`. Adding happens in the
//! transaction that changed the person; the key makes a second one impossible (R63). Sending needs
//! the network and happens under a lease with a fencing token (R73), never inside a transaction.

mod add;
mod browse;
mod burst;
mod claim;
mod digest;
mod failed;
mod failures;
mod flap;
mod forget;
mod lane;
mod lease;
mod moved;
mod operate;
mod recover;
mod restored;
mod shares;
mod starts;

use diesel::prelude::*;

use crate::clock::Timestamp;
use crate::db::schema::deliveries;
use crate::db::{Conn, ROWS_PER_STATEMENT, on_backend};
use crate::store::holds;

use super::definition::Event;

pub use add::{after_hands, move_with_starts, plan_and_add};
pub use browse::{
    AttemptRow, DeliveryFilter, DeliveryRow, DeliveryStats, PAUSED, attempts_of, cancelled_at,
    count_of, delivery_stats, delivery_stats_up_to, find, list, of_events, of_profile, show_paused,
};
pub use burst::{cancel_held, release_held};
pub use claim::{InTheAir, Order, claim};
pub use digest::{Gathered, due_together, later_step_due, take_in, told_in};
pub use failed::{FailedFilter, count_failed, failed_after};
pub use failures::{DeliveryFailures, failures};
pub use forget::{forget, old_attempts, old_texts, prune_attempts, take_texts};
pub use lane::Lane;
pub use lease::{
    Leased, Rendered, Settled, begin_attempt, give_back, hand_back, redirect, renew, settle,
};
pub use operate::{Refusal, Span, cancel, replay, replayable, retry};
pub use recover::{Left, recover};
pub use restored::hold_due;

/// The states of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryState {
    /// Waits for its time.
    Due,
    /// Waits for an operator's decision about a burst (R59).
    Held,
    /// A sender holds it; nothing has left yet.
    Claimed,
    /// It is being sent; whether it was taken is not known yet.
    Attempting,
    /// Taken by the other side.
    Sent,
    /// Not to be sent any more, with a reason.
    Cancelled,
    /// Given up: it was certainly not taken.
    Failed,
    /// It may have been taken, and is for people: only a person sends it again.
    Unknown,
}

impl DeliveryState {
    /// As shown and stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Due => "due",
            Self::Held => "held",
            Self::Claimed => "claimed",
            Self::Attempting => "attempting",
            Self::Sent => "sent",
            Self::Cancelled => "cancelled",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        }
    }
}

/// Why a removal cancels.
pub const PERSON_LEFT: &str = "the person left";

/// Cancels what must not reach people who left. What tells of the leaving itself stays (R64).
pub fn cancel_for(
    conn: &mut Conn,
    profiles: &[String],
    reason: &str,
    now: Timestamp,
) -> QueryResult<()> {
    let open = [
        DeliveryState::Due.as_str(),
        DeliveryState::Held.as_str(),
        DeliveryState::Claimed.as_str(),
    ];
    for chunk in profiles.chunks(ROWS_PER_STATEMENT) {
        on_backend!(conn, c => diesel::update(deliveries::table
            .filter(deliveries::profile_id.eq_any(chunk))
            .filter(deliveries::state.eq_any(open))
            .filter(deliveries::on_event.ne_all(Event::ENDS_ACCESS)))
            .set((
                deliveries::state.eq(DeliveryState::Cancelled.as_str()),
                deliveries::reason.eq(reason),
                deliveries::settled_at.eq(now),
                deliveries::lease_until.eq(None::<Timestamp>),
            ))
            .execute(c))?;
    }
    Ok(())
}

/// Why a message waits whose person's access is suspended.
pub const SUSPENDED: &str = "waits while the person's access is suspended";

/// Lets go at once what waited for somebody's access to come back.
pub fn go_on(conn: &mut Conn, profiles: &[String], now: Timestamp) -> QueryResult<()> {
    for chunk in profiles.chunks(ROWS_PER_STATEMENT) {
        on_backend!(conn, c => diesel::update(deliveries::table
            .filter(deliveries::profile_id.eq_any(chunk))
            .filter(deliveries::state.eq(DeliveryState::Due.as_str()))
            .filter(deliveries::reason.eq(SUSPENDED)))
            .set((
                deliveries::due_at.eq(now),
                deliveries::reason.eq(None::<String>),
            ))
            .execute(c))?;
    }
    Ok(())
}

/// Brings back what a removal cancelled at `since` or later, because the removal was undone (R41).
/// What an earlier one cancelled stays so.
pub fn revive_for(
    conn: &mut Conn,
    profiles: &[String],
    reason: &str,
    since: Timestamp,
) -> QueryResult<()> {
    for chunk in profiles.chunks(ROWS_PER_STATEMENT) {
        on_backend!(conn, c => diesel::update(deliveries::table
            .filter(deliveries::profile_id.eq_any(chunk))
            .filter(deliveries::state.eq(DeliveryState::Cancelled.as_str()))
            .filter(deliveries::settled_at.ge(since))
            .filter(deliveries::reason.eq(reason)))
            .set((
                deliveries::state.eq(DeliveryState::Due.as_str()),
                deliveries::reason.eq(None::<String>),
                deliveries::settled_at.eq(None::<Timestamp>),
            ))
            .execute(c))?;
        hold_again(conn, chunk)?;
    }
    Ok(())
}

/// What was revived and belongs to a hold that is still open waits on.
fn hold_again(conn: &mut Conn, profiles: &[String]) -> QueryResult<()> {
    let rows: Vec<String> = on_backend!(conn, c => deliveries::table
        .filter(deliveries::profile_id.eq_any(profiles))
        .filter(deliveries::state.eq(DeliveryState::Due.as_str()))
        .filter(deliveries::hold_id.is_not_null())
        .select(deliveries::hold_id.assume_not_null())
        .distinct()
        .load(c))?;
    for id in rows {
        if holds::find(conn, &id)?.is_some_and(|hold| hold.state == holds::OPEN) {
            on_backend!(conn, c => diesel::update(deliveries::table
                .filter(deliveries::hold_id.eq(&id))
                .filter(deliveries::profile_id.eq_any(profiles))
                .filter(deliveries::state.eq(DeliveryState::Due.as_str())))
                .set(deliveries::state.eq(DeliveryState::Held.as_str()))
                .execute(c))?;
        }
    }
    Ok(())
}

/// Moves deliveries of a profile that turned out to be another's; where that one has had the same
/// message, its own stands and this one goes by its old key.
pub fn reassign(conn: &mut Conn, from: &str, to: &str) -> QueryResult<()> {
    let rows: Vec<(String, String)> = on_backend!(conn, c => deliveries::table
        .filter(deliveries::profile_id.eq(from))
        .select((deliveries::id, deliveries::key))
        .load(c))?;
    for (id, key) in rows {
        let new_key = key
            .strip_prefix(from)
            .map_or_else(|| key.clone(), |rest| format!("{to}{rest}"));
        let taken: i64 = on_backend!(conn, c => deliveries::table.filter(deliveries::key.eq(&new_key)).count().get_result(c))?;
        let key = if taken == 0 { new_key } else { key };
        on_backend!(conn, c => diesel::update(deliveries::table.find(&id))
            .set((deliveries::profile_id.eq(to), deliveries::key.eq(key)))
            .execute(c))?;
    }
    Ok(())
}
