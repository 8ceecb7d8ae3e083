//! Too many welcomes due in an hour (R59): everything about those people that greets them waits in a
//! hold, drips included, until an operator approves or rejects the batch. What a machine is told
//! goes on, and so does what was held once and decided.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use diesel::prelude::*;

use crate::clock::Timestamp;
use crate::db::schema::deliveries;
use crate::db::{Conn, ROWS_PER_STATEMENT, on_backend};
use crate::people::holds::{self, HoldItem};
use crate::people::organizations::Organization;
use crate::triggers::definition::{Channel, Event};
use crate::triggers::plan::{Due, Happening, Welcome, too_many};

use super::DeliveryState;

/// As far as an hour's window can reach to either side of what is new.
const WINDOW: Duration = Duration::from_secs(3_600);
const GREETING: [Event; 2] = [Event::ProfileActivated, Event::MembershipBegan];
/// Why a hold of welcomes opens.
const BURST: &str =
    "more people were to be welcomed within an hour than the guard lets pass; their messages wait";

/// Holds what is too much, in the organizations that got new welcomes.
pub(super) fn hold(
    conn: &mut Conn,
    planned: &[(&Happening, Due)],
    organizations: &BTreeMap<String, Organization>,
    now: Timestamp,
) -> QueryResult<()> {
    let mut spans: BTreeMap<&str, (Timestamp, Timestamp)> = BTreeMap::new();
    for (happening, due) in planned.iter().filter(|(_, due)| due.welcome) {
        let span = spans
            .entry(&happening.organization_id)
            .or_insert((due.due_at, due.due_at));
        *span = (span.0.min(due.due_at), span.1.max(due.due_at));
    }
    for (id, (first, last)) in spans {
        let Some(organization) = organizations.get(id) else {
            continue;
        };
        let welcomes = counted(conn, id, first.minus(WINDOW), last.plus(WINDOW))?;
        let guard = organization.settings.messages.burst_guard;
        // Where even the floor is not reached, the people need not be counted.
        if welcomes.len() <= guard.floor as usize {
            continue;
        }
        let people = too_many(&welcomes, guard.limit(holds::headcount(conn, id)?));
        if !people.is_empty() {
            stop(conn, id, &people, now)?;
        }
    }
    Ok(())
}

/// Welcomes due in that span, but for those that are cancelled and those an operator has decided.
fn counted(
    conn: &mut Conn,
    organization: &str,
    from: Timestamp,
    to: Timestamp,
) -> QueryResult<Vec<Welcome>> {
    let undecided = deliveries::hold_id
        .is_null()
        .or(deliveries::state.eq(DeliveryState::Held.as_str()));
    let rows: Vec<(String, Timestamp)> = on_backend!(conn, c => deliveries::table
        .filter(deliveries::organization_id.eq(organization))
        .filter(deliveries::welcome.eq(true))
        .filter(deliveries::due_at.between(from, to))
        .filter(deliveries::state.ne(DeliveryState::Cancelled.as_str()))
        .filter(undecided)
        .select((deliveries::profile_id, deliveries::due_at))
        .load(c))?;
    Ok(rows
        .into_iter()
        .map(|(profile_id, due_at)| Welcome { profile_id, due_at })
        .collect())
}

fn stop(
    conn: &mut Conn,
    organization: &str,
    people: &BTreeSet<String>,
    now: Timestamp,
) -> QueryResult<()> {
    let people: Vec<String> = people.iter().cloned().collect();
    let mut found: BTreeMap<String, Option<String>> = BTreeMap::new();
    for chunk in people.chunks(ROWS_PER_STATEMENT) {
        let rows: Vec<(String, Option<String>)> = on_backend!(conn, c => deliveries::table
            .filter(deliveries::profile_id.eq_any(chunk))
            .filter(deliveries::state.eq(DeliveryState::Due.as_str()))
            .filter(deliveries::hold_id.is_null())
            .filter(deliveries::on_event.eq_any(GREETING.map(Event::name)))
            .filter(deliveries::channel.ne(Channel::Webhook.name()))
            .select((deliveries::profile_id, deliveries::event_id))
            .load(c))?;
        found.extend(rows);
    }
    if found.is_empty() {
        return Ok(());
    }
    let hold = holds::open_or_known(conn, organization, holds::WELCOMES, BURST, now)?;
    let items: Vec<HoldItem> = found
        .iter()
        .map(|(profile, event)| {
            let event = event.as_deref().unwrap_or_default();
            HoldItem::new(&hold, event, profile, false, now)
        })
        .collect();
    holds::add_items(conn, &items)?;
    let found: Vec<&String> = found.keys().collect();
    for chunk in found.chunks(ROWS_PER_STATEMENT) {
        on_backend!(conn, c => diesel::update(deliveries::table
            .filter(deliveries::profile_id.eq_any(chunk.iter().copied()))
            .filter(deliveries::state.eq(DeliveryState::Due.as_str()))
            .filter(deliveries::hold_id.is_null())
            .filter(deliveries::on_event.eq_any(GREETING.map(Event::name)))
            .filter(deliveries::channel.ne(Channel::Webhook.name())))
            .set((
                deliveries::state.eq(DeliveryState::Held.as_str()),
                deliveries::hold_id.eq(&hold),
                deliveries::reason.eq("more welcomes are due in an hour than the guard lets pass: an operator decides"),
            ))
            .execute(c))?;
    }
    tracing::warn!(
        hold_id = hold,
        people = found.len(),
        "more welcomes are due in an hour than the guard lets pass; an operator decides"
    );
    Ok(())
}

/// An approved hold lets its messages go: welcomes whose time has passed are due now, later steps
/// whose time has passed are left to be skipped (R62).
pub fn release_held(conn: &mut Conn, hold: &str, now: Timestamp) -> QueryResult<usize> {
    on_backend!(conn, c => diesel::update(deliveries::table
        .filter(deliveries::hold_id.eq(hold))
        .filter(deliveries::state.eq(DeliveryState::Held.as_str()))
        .filter(deliveries::welcome.eq(true))
        .filter(deliveries::due_at.lt(now)))
        .set(deliveries::due_at.eq(now))
        .execute(c))?;
    on_backend!(conn, c => diesel::update(deliveries::table
        .filter(deliveries::hold_id.eq(hold))
        .filter(deliveries::state.eq(DeliveryState::Held.as_str())))
        .set((
            deliveries::state.eq(DeliveryState::Due.as_str()),
            deliveries::reason.eq(None::<String>),
        ))
        .execute(c))
}

/// A rejected hold cancels its messages for good.
pub fn cancel_held(conn: &mut Conn, hold: &str, by: &str, now: Timestamp) -> QueryResult<usize> {
    on_backend!(conn, c => diesel::update(deliveries::table
        .filter(deliveries::hold_id.eq(hold))
        .filter(deliveries::state.eq(DeliveryState::Held.as_str())))
        .set((
            deliveries::state.eq(DeliveryState::Cancelled.as_str()),
            deliveries::reason.eq(format!("the held batch was rejected by {by}")),
            deliveries::settled_at.eq(now),
        ))
        .execute(c))
}
