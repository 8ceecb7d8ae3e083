//! Too many messages to people within an hour: of welcomes, everything that greets those people waits
//! in a hold, drips included (R59); of any one step, those beyond the limit do (R80). Counted over what
//! is kept, so that many small batches are one burst and a restart forgets nothing. What a machine is
//! told goes on, and so does what was held once and decided.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use diesel::prelude::*;

use crate::clock::Timestamp;
use crate::db::schema::deliveries;
use crate::db::{Conn, ROWS_PER_STATEMENT, on_backend};
use crate::store::holds::{self, HoldItem};
use crate::store::organizations::Organization;
use crate::triggers::definition::{Channel, Event};
use crate::triggers::plan::{Welcome, beyond, too_many};

use super::DeliveryState;

/// As far as an hour's window can reach to either side of what is new.
const WINDOW: Duration = Duration::from_secs(3_600);
const GREETING: [Event; 2] = [Event::ProfileActivated, Event::MembershipBegan];
/// Why a hold of welcomes opens.
const BURST: &str =
    "more people were to be welcomed within an hour than the guard lets pass; their messages wait";
/// Why a hold of other messages opens.
const MANY: &str =
    "a trigger had more messages within an hour than the guard lets pass; those beyond it wait";

/// A message to people that came to be due at another time than before, or at all.
#[derive(Debug, Clone)]
pub(super) struct Touched {
    pub organization_id: String,
    pub trigger_id: String,
    pub step: i32,
    pub welcome: bool,
    pub due_at: Timestamp,
}

/// The first and last instant of something.
type Span = (Timestamp, Timestamp);

fn widen<K: Ord>(spans: &mut BTreeMap<K, Span>, key: K, at: Timestamp) {
    let span = spans.entry(key).or_insert((at, at));
    *span = (span.0.min(at), span.1.max(at));
}

/// Holds what is too much, around the times that were touched.
pub(super) fn hold(
    conn: &mut Conn,
    touched: &[Touched],
    organizations: &BTreeMap<String, Organization>,
    now: Timestamp,
) -> QueryResult<()> {
    let mut welcomes: BTreeMap<&str, Span> = BTreeMap::new();
    let mut steps: BTreeMap<(&str, &str, i32), Span> = BTreeMap::new();
    for one in touched {
        if one.welcome {
            widen(&mut welcomes, one.organization_id.as_str(), one.due_at);
        }
        let step = (
            one.organization_id.as_str(),
            one.trigger_id.as_str(),
            one.step,
        );
        widen(&mut steps, step, one.due_at);
    }
    for (id, span) in welcomes {
        if let Some(organization) = organizations.get(id) {
            hold_welcomes(conn, organization, span, now)?;
        }
    }
    for ((id, trigger, step), span) in steps {
        if let Some(organization) = organizations.get(id) {
            hold_beyond(conn, organization, trigger, step, span, now)?;
        }
    }
    Ok(())
}

fn hold_welcomes(
    conn: &mut Conn,
    organization: &Organization,
    (first, last): Span,
    now: Timestamp,
) -> QueryResult<()> {
    let id = organization.id.as_str();
    let welcomes = counted(conn, id, first.minus(WINDOW), last.plus(WINDOW))?;
    let guard = organization.settings.messages.burst_guard;
    // Where even the floor is not reached, the people need not be counted.
    if welcomes.len() <= guard.floor as usize {
        return Ok(());
    }
    let people = too_many(&welcomes, guard.limit(holds::headcount(conn, id)?));
    if people.is_empty() {
        return Ok(());
    }
    let why = Stop {
        kind: holds::WELCOMES,
        opens: BURST,
        reason: "more welcomes are due in an hour than the guard lets pass: an operator decides",
        events: &GREETING,
    };
    stop(conn, id, &people, &why, now)
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

/// Which messages are stopped, and what is said of it.
pub(super) struct Stop<'a> {
    /// The kind of the hold.
    pub kind: &'static str,
    /// Why it opens.
    pub opens: &'static str,
    /// Why a message waits.
    pub reason: &'a str,
    /// What the messages are about.
    pub events: &'a [Event],
}

/// Puts everything that is due about some people into a hold.
pub(super) fn stop(
    conn: &mut Conn,
    organization: &str,
    people: &BTreeSet<String>,
    why: &Stop<'_>,
    now: Timestamp,
) -> QueryResult<()> {
    let people: Vec<String> = people.iter().cloned().collect();
    let events: Vec<&str> = why.events.iter().map(|event| event.name()).collect();
    let mut found: Vec<Stopped> = Vec::new();
    for chunk in people.chunks(ROWS_PER_STATEMENT) {
        let rows: Vec<Stopped> = on_backend!(conn, c => deliveries::table
            .filter(deliveries::profile_id.eq_any(chunk))
            .filter(deliveries::state.eq(DeliveryState::Due.as_str()))
            .filter(deliveries::hold_id.is_null())
            .filter(deliveries::on_event.eq_any(&events))
            .filter(deliveries::channel.ne(Channel::Webhook.name()))
            .select((deliveries::id, deliveries::profile_id, deliveries::event_id))
            .load(c))?;
        found.extend(rows);
    }
    put_into_hold(conn, organization, &found, why, now)
}

/// A message that waits in a hold from now on.
#[derive(Debug, Queryable)]
pub(super) struct Stopped {
    id: String,
    profile_id: String,
    event_id: Option<String>,
}

impl From<(String, String, Option<String>)> for Stopped {
    fn from((id, profile_id, event_id): (String, String, Option<String>)) -> Self {
        Self {
            id,
            profile_id,
            event_id,
        }
    }
}

/// Puts messages of one organization into the open hold of that kind, which begins here where there is none.
pub(super) fn put_into_hold(
    conn: &mut Conn,
    organization: &str,
    found: &[Stopped],
    why: &Stop<'_>,
    now: Timestamp,
) -> QueryResult<()> {
    if found.is_empty() {
        return Ok(());
    }
    let hold = holds::open_or_known(conn, organization, why.kind, why.opens, now)?;
    let people: BTreeMap<&str, &str> = found
        .iter()
        .map(|one| {
            let event = one.event_id.as_deref().unwrap_or_default();
            (one.profile_id.as_str(), event)
        })
        .collect();
    let items: Vec<HoldItem> = people
        .iter()
        .map(|(profile, event)| HoldItem::new(&hold, event, profile, false, now))
        .collect();
    holds::add_items(conn, &items)?;
    for chunk in found.chunks(ROWS_PER_STATEMENT) {
        let ids: Vec<&str> = chunk.iter().map(|one| one.id.as_str()).collect();
        on_backend!(conn, c => diesel::update(deliveries::table.filter(deliveries::id.eq_any(&ids)))
            .set((
                deliveries::state.eq(DeliveryState::Held.as_str()),
                deliveries::hold_id.eq(&hold),
                deliveries::reason.eq(why.reason),
            ))
            .execute(c))?;
    }
    tracing::warn!(
        hold_id = hold,
        kind = why.kind,
        people = people.len(),
        messages = found.len(),
        "messages to people wait in a hold; an operator decides"
    );
    Ok(())
}

type Counted = (String, String, Option<String>, Timestamp, String, i32);

/// Holds the messages of one step that are beyond what an hour may bring, those planned last.
fn hold_beyond(
    conn: &mut Conn,
    organization: &Organization,
    trigger: &str,
    step: i32,
    (first, last): Span,
    now: Timestamp,
) -> QueryResult<()> {
    let rows: Vec<Counted> = on_backend!(conn, c => deliveries::table
        .filter(deliveries::trigger_id.eq(trigger))
        .filter(deliveries::step.eq(step))
        .filter(deliveries::due_at.between(first.minus(WINDOW), last.plus(WINDOW)))
        .filter(deliveries::state.ne(DeliveryState::Cancelled.as_str()))
        .filter(deliveries::hold_id.is_null())
        .filter(deliveries::channel.ne(Channel::Webhook.name()))
        .order((deliveries::created_at, deliveries::id))
        .select((
            deliveries::id,
            deliveries::profile_id,
            deliveries::event_id,
            deliveries::due_at,
            deliveries::state,
            deliveries::attempts,
        ))
        .load(c))?;
    let guard = organization.settings.messages.burst_guard;
    if rows.len() <= guard.floor as usize {
        return Ok(());
    }
    let limit = guard.limit(holds::headcount(conn, &organization.id)?);
    let waits = |row: &&Counted| row.4 == DeliveryState::Due.as_str() && row.5 == 0;
    let (waiting, passed): (Vec<&Counted>, Vec<&Counted>) = rows.iter().partition(waits);
    let times = |rows: &[&Counted]| rows.iter().map(|row| row.3).collect::<Vec<_>>();
    let found: Vec<Stopped> = beyond(&times(&passed), &times(&waiting), limit)
        .into_iter()
        .filter_map(|place| waiting.get(place))
        .map(|(id, profile_id, event_id, ..)| Stopped {
            id: id.clone(),
            profile_id: profile_id.clone(),
            event_id: event_id.clone(),
        })
        .collect();
    let why = Stop {
        kind: holds::MESSAGES,
        opens: MANY,
        reason: "its trigger has more messages due in an hour than the guard lets pass: an operator decides",
        events: &[],
    };
    put_into_hold(conn, &organization.id, &found, &why, now)
}

/// An approved hold lets its messages go: those whose time has passed are due now, but for the later
/// steps of a greeting, which are left to be skipped (R62).
pub fn release_held(conn: &mut Conn, hold: &str, now: Timestamp) -> QueryResult<usize> {
    let greeting = GREETING.map(Event::name);
    on_backend!(conn, c => diesel::update(deliveries::table
        .filter(deliveries::hold_id.eq(hold))
        .filter(deliveries::state.eq(DeliveryState::Held.as_str()))
        .filter(deliveries::welcome.eq(true).or(deliveries::on_event.ne_all(greeting)))
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
