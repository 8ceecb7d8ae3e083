//! Deliveries: messages due, attempted, sent, cancelled, failed or `unknown`. Adding happens in the
//! transaction that changed the person; the key makes a second one impossible (R63). Sending needs
//! the network and happens under a lease with a fencing token (R73), never inside a transaction.

mod browse;
mod failures;
mod forget;
mod lease;
mod operate;

use diesel::prelude::*;

use crate::clock::Timestamp;
use crate::db::schema::deliveries;
use crate::db::{Conn, ROWS_PER_STATEMENT, new_id, on_backend};
use crate::people::surroundings::Surroundings;

use super::definition::Event;
use super::plan::{Due, Happening, due, facts_of};
use super::store;

pub use browse::{
    AttemptRow, DeliveryFilter, DeliveryRow, DeliveryStats, attempts_of, count, delivery_stats,
    find, list, of_event, of_profile,
};
pub use failures::{DeliveryFailures, failures};
pub use forget::{forget, old_attempts, old_texts, prune_attempts, take_texts};
pub use lease::{
    Leased, Rendered, Settled, begin_attempt, claim, extend, give_back, postpone, recover, settle,
};
pub use operate::{Refusal, cancel, retry};

/// The states of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryState {
    /// Waits for its time.
    Due,
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
    /// It may have been taken: only a person sends it again.
    Unknown,
}

impl DeliveryState {
    /// As shown and stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Due => "due",
            Self::Claimed => "claimed",
            Self::Attempting => "attempting",
            Self::Sent => "sent",
            Self::Cancelled => "cancelled",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        }
    }
}

#[derive(Insertable)]
#[diesel(table_name = deliveries, treat_none_as_default_value = false)]
struct NewRow<'a> {
    id: String,
    key: &'a str,
    organization_id: &'a str,
    profile_id: &'a str,
    trigger_id: &'a str,
    step: i32,
    period: &'a str,
    on_event: &'static str,
    channel: &'static str,
    event_id: Option<&'a str>,
    state: &'static str,
    due_at: Timestamp,
    created_at: Timestamp,
}

/// Plans and adds what the happenings make due. Those whose key exists already are left alone.
pub fn plan_and_add(conn: &mut Conn, happenings: &[Happening], now: Timestamp) -> QueryResult<()> {
    if happenings.is_empty() {
        return Ok(());
    }
    let organizations: Vec<String> = happenings
        .iter()
        .map(|one| one.organization_id.clone())
        .collect();
    let triggers = store::published(conn, &organizations)?;
    if triggers.is_empty() {
        return Ok(());
    }
    let ids: Vec<String> = happenings.iter().map(|one| one.after.id.clone()).collect();
    let surroundings = Surroundings::of(conn, &ids)?;
    let mut all: Vec<(&Happening, Due)> = Vec::new();
    for happening in happenings {
        let profile = facts_of(&happening.organization_id, &happening.after);
        let facts = surroundings.facts(&happening.after.id, &profile);
        for trigger in triggers
            .get(&happening.organization_id)
            .into_iter()
            .flatten()
        {
            all.extend(
                due(happening, trigger, &facts, now)
                    .into_iter()
                    .map(|due| (happening, due)),
            );
        }
    }
    add(conn, &all, now)
}

fn add(conn: &mut Conn, all: &[(&Happening, Due)], now: Timestamp) -> QueryResult<()> {
    for chunk in all.chunks(ROWS_PER_STATEMENT) {
        let rows: Vec<NewRow<'_>> = chunk
            .iter()
            .map(|(happening, due)| NewRow {
                id: new_id("delivery"),
                key: &due.key,
                organization_id: &happening.organization_id,
                profile_id: &happening.after.id,
                trigger_id: &due.trigger_id,
                step: due.step,
                period: &happening.after.period,
                on_event: due.on.name(),
                channel: due.channel,
                event_id: happening.event_id.as_deref(),
                state: DeliveryState::Due.as_str(),
                due_at: due.due_at,
                created_at: now,
            })
            .collect();
        on_backend!(conn, c => diesel::insert_into(deliveries::table).values(&rows).on_conflict_do_nothing().execute(c))?;
    }
    Ok(())
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
    let of_leaving = [Event::ProfileRemoved.name(), Event::MembershipEnded.name()];
    for chunk in profiles.chunks(ROWS_PER_STATEMENT) {
        on_backend!(conn, c => diesel::update(deliveries::table
            .filter(deliveries::profile_id.eq_any(chunk))
            .filter(deliveries::state.eq_any([DeliveryState::Due.as_str(), DeliveryState::Claimed.as_str()]))
            .filter(deliveries::on_event.ne_all(of_leaving)))
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
