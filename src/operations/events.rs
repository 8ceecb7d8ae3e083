//! Events: lists, one with everything about it, replay and discard.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::clock::Timestamp;
use crate::db::Conn;
use crate::outbox::{self, EventFilter, EventRow, EventState, Refusal};
use crate::store::{changes, erasures, groups};
use crate::triggers::deliveries;
use crate::worker;

use super::page::sought;
use super::visibility::Redaction;
use super::{Actor, Listing, MAX_LIMIT, OperationError, Page, Role, audit, limit_of, search};

/// Which events; the query of `GET /v1/events` and the flags of `rollcall events list`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the parameters of the API")]
pub struct EventQuery {
    #[schemars(extend("enum" = EventState::ALL.map(EventState::as_str)))]
    pub state: Option<String>,
    #[schemars(extend("enum" = OUTCOMES))]
    pub outcome: Option<String>,
    #[serde(rename = "type")]
    pub event_type: Option<String>,
    pub organization_id: Option<String>,
    pub directory_id: Option<String>,
    pub profile_id: Option<String>,
    pub since: Option<Timestamp>,
    pub until: Option<Timestamp>,
    /// Text in the error.
    pub error: Option<String>,
    pub q: Option<String>,
    pub limit: Option<i64>,
    pub cursor: Option<String>,
}

/// What can come of an event.
pub const OUTCOMES: [&str; 6] = ["applied", "unchanged", "stale", "ignored", "held", "failed"];

/// An event as shown in lists.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[allow(missing_docs, reason = "the fields of the API")]
pub struct EventView {
    pub id: String,
    #[serde(rename = "type")]
    pub event_type: String,
    pub organization_id: Option<String>,
    pub directory_id: Option<String>,
    pub profile_id: Option<String>,
    #[schemars(extend("enum" = EventState::ALL.map(EventState::as_str)))]
    pub state: String,
    pub outcome: Option<String>,
    pub reason: Option<String>,
    pub attempts: i32,
    pub error: Option<String>,
    pub occurred_at: Timestamp,
    pub received_at: Timestamp,
    pub settled_at: Option<Timestamp>,
}

/// One event and everything about it.
#[derive(Debug, Serialize, JsonSchema)]
#[allow(missing_docs, reason = "the fields of the API")]
pub struct EventDetail {
    #[serde(flatten)]
    pub event: EventView,
    /// As it came; null once the retention has passed.
    pub payload: Option<Box<RawValue>>,
    pub attempt_log: Vec<AttemptView>,
    pub changes: Vec<ChangeView>,
    pub deliveries: Vec<DeliveryRef>,
    /// Set where the id came again with other content, which changed nothing.
    pub repeated: Option<RepeatView>,
}

/// The same event id with other content: SHA-256 of both, never the content.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[allow(missing_docs, reason = "the fields of the API")]
#[schemars(rename = "EventRepeat")]
pub struct RepeatView {
    /// Of what came first and counts.
    pub first_digest: String,
    /// Of what came last.
    pub other_digest: String,
    pub times: i64,
    pub first_at: Timestamp,
    pub last_at: Timestamp,
}

/// A failure, a replay or a discard.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[allow(missing_docs, reason = "the fields of the API")]
#[schemars(rename = "EventAttempt")]
pub struct AttemptView {
    pub at: Timestamp,
    pub what: String,
    pub detail: Option<String>,
    pub actor: Option<String>,
}

/// A change as shown.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[allow(missing_docs, reason = "the fields of the API")]
pub struct ChangeView {
    pub profile_id: String,
    pub what: String,
    pub name: String,
    pub old: Option<String>,
    pub new: Option<String>,
    pub event_id: Option<String>,
    pub actor: String,
    pub at: Timestamp,
    pub recorded_at: Timestamp,
}

/// A delivery that an event made due.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[allow(missing_docs, reason = "the fields of the API")]
pub struct DeliveryRef {
    pub id: String,
    pub channel: String,
    pub state: String,
    pub reason: Option<String>,
}

impl From<changes::ChangeRow> for ChangeView {
    fn from(row: changes::ChangeRow) -> Self {
        Self {
            profile_id: row.profile_id,
            what: row.what,
            name: row.name,
            old: row.old,
            new: row.new,
            event_id: row.event_id,
            actor: row.actor,
            at: row.at,
            recorded_at: row.recorded_at,
        }
    }
}

/// A page of events, newest first.
pub fn list(
    conn: &mut Conn,
    actor: &Actor,
    query: &EventQuery,
) -> Result<Page<EventView>, OperationError> {
    actor.require(Role::Viewer)?;
    let limit = limit_of(query.limit)?;
    let filter = filter_of(conn, actor, query)?;
    let listing = listing_of(actor, query)?;
    let page = search::page(conn, &listing, filter, limit)?;
    let people = people_of(conn, &page.data)?;
    Ok(page.map(|row| view(row, &people)))
}

/// The events after that place in the queue, oldest first, each with its place; from the newest one
/// on where no place is given yet.
pub fn following(
    conn: &mut Conn,
    actor: &Actor,
    query: &EventQuery,
    after: Option<i64>,
) -> Result<Vec<(i64, EventView)>, OperationError> {
    actor.require(Role::Viewer)?;
    let mut filter = filter_of(conn, actor, query)?;
    filter.after = after;
    let limit = if after.is_some() { MAX_LIMIT } else { 1 };
    let rows = outbox::list(conn, &filter, limit)?;
    let people = people_of(conn, &rows)?;
    let views = rows.into_iter().map(|row| (row.id, view(row, &people)));
    Ok(views.collect())
}

fn listing_of(actor: &Actor, query: &EventQuery) -> Result<Listing, OperationError> {
    Listing::of(actor, "events", query)
}

/// What the query asks the queue for, within what this actor may see.
pub(super) fn filter_of(
    conn: &mut Conn,
    actor: &Actor,
    query: &EventQuery,
) -> Result<EventFilter, OperationError> {
    if let Some(state) = &query.state {
        one_of("state", state, &EventState::ALL.map(EventState::as_str))?;
    }
    if let Some(outcome) = &query.outcome {
        one_of("outcome", outcome, &OUTCOMES)?;
    }
    let listing = listing_of(actor, query)?;
    let cursor = listing.cursor(conn, query.cursor.as_deref())?;
    let before = cursor.map(|cursor| cursor.id.parse::<i64>()).transpose();
    let before = before.map_err(|_| {
        OperationError::Invalid("the cursor is not one of this list: leave it out".to_owned())
    })?;
    let subjects = match &query.profile_id {
        Some(profile) => Some(erasures::subjects_of(conn, profile)?),
        None => None,
    };
    let organization_id = actor.scope(query.organization_id.as_deref())?;
    let q_outside_payload = query.q.is_some()
        && !Redaction::over_scope(conn, actor, organization_id.as_deref())?.is_empty();
    let mut filter = EventFilter {
        q_outside_payload,
        state: query.state.clone(),
        outcome: query.outcome.clone(),
        event_type: query.event_type.clone(),
        directory_id: query.directory_id.clone(),
        organization_id,
        subjects,
        since: query.since,
        until: query.until,
        q: sought(query.q.as_deref())?,
        error: query.error.clone(),
        before,
        after: None,
        up_to: None,
        down_to: None,
    };
    outbox::narrow_by_time(conn, &mut filter)?;
    Ok(filter)
}

/// Refuses a word that is not on the list, and says the list.
pub(super) fn one_of(name: &str, word: &str, known: &[&str]) -> Result<(), OperationError> {
    if known.contains(&word) {
        return Ok(());
    }
    Err(OperationError::Invalid(format!(
        "{name} is {word:?}; it may be {}",
        known.join(", ")
    )))
}

fn people_of(
    conn: &mut Conn,
    rows: &[EventRow],
) -> Result<BTreeMap<String, String>, OperationError> {
    let subjects: Vec<String> = rows.iter().filter_map(|row| row.subject.clone()).collect();
    Ok(groups::people_of(conn, &subjects)?.into_iter().collect())
}

fn view(row: EventRow, people: &BTreeMap<String, String>) -> EventView {
    let profile = row
        .subject
        .as_ref()
        .and_then(|subject| people.get(subject))
        .cloned();
    event_view(row, profile)
}

/// A queue row as shown, about that person.
pub(super) fn event_view(row: EventRow, profile_id: Option<String>) -> EventView {
    EventView {
        profile_id,
        id: row.event_id,
        event_type: row.event_type,
        organization_id: row.organization_id,
        directory_id: row.directory_id,
        state: row.state,
        outcome: row.outcome,
        reason: row.reason,
        attempts: row.attempts,
        error: row.error,
        occurred_at: row.occurred_at,
        received_at: row.received_at,
        settled_at: row.settled_at,
    }
}

/// The payload as it came; `None` once the retention has passed.
pub fn payload(conn: &mut Conn, actor: &Actor, id: &str) -> Result<Option<String>, OperationError> {
    actor.require(Role::Viewer)?;
    seen(conn, actor, id)?;
    Ok(outbox::body_of(conn, id)?)
}

/// The event, where this actor may see it.
pub(super) fn seen(conn: &mut Conn, actor: &Actor, id: &str) -> Result<EventRow, OperationError> {
    outbox::find(conn, id)?
        .filter(|row| actor.may_see(row.organization_id.as_deref()))
        .ok_or_else(|| OperationError::not_found("event", id))
}

/// One event with payload, attempts, changes and deliveries.
pub fn show(conn: &mut Conn, actor: &Actor, id: &str) -> Result<EventDetail, OperationError> {
    actor.require(Role::Viewer)?;
    let row = seen(conn, actor, id)?;
    let people = people_of(conn, std::slice::from_ref(&row))?;
    let redaction = Redaction::over_event(conn, actor, &row)?;
    let payload = outbox::body_of(conn, id)?.and_then(|body| redaction.payload(body));
    let attempt_log = outbox::attempts_of(conn, id)?;
    let deliveries = deliveries::of_events(conn, std::slice::from_ref(&row.event_id))?;
    Ok(EventDetail {
        payload,
        attempt_log: attempt_log
            .into_iter()
            .map(|(at, what, detail, actor)| AttemptView {
                at,
                what,
                detail,
                actor,
            })
            .collect(),
        changes: changes_of(conn, &redaction, &row)?,
        deliveries: deliveries
            .into_iter()
            .map(|row| DeliveryRef {
                id: row.id,
                channel: row.channel,
                state: row.state,
                reason: row.reason,
            })
            .collect(),
        repeated: outbox::repeat_of(conn, id)?.map(|repeat| RepeatView {
            first_digest: repeat.first_digest,
            other_digest: repeat.other_digest,
            times: repeat.times,
            first_at: repeat.first_at,
            last_at: repeat.last_at,
        }),
        event: view(row, &people),
    })
}

fn changes_of(
    conn: &mut Conn,
    redaction: &Redaction,
    event: &EventRow,
) -> Result<Vec<ChangeView>, OperationError> {
    let mut rows = changes::of_events(conn, std::slice::from_ref(&event.event_id))?;
    rows.iter_mut().for_each(|row| redaction.change(row));
    Ok(rows.into_iter().map(ChangeView::from).collect())
}

/// Makes a settled event ready again.
pub fn replay(
    conn: &mut Conn,
    actor: &Actor,
    id: &str,
    now: Timestamp,
) -> Result<EventView, OperationError> {
    actor.require(Role::Operator)?;
    let row = seen(conn, actor, id)?;
    outbox::replay(conn, id, &actor.name, now)?.map_err(refused)?;
    audit(
        conn,
        actor,
        "event.replayed",
        id,
        row.organization_id.as_deref(),
        None,
        now,
    )?;
    Ok(show(conn, actor, id)?.event)
}

/// Ends a failed event with a reason.
pub fn discard(
    conn: &mut Conn,
    actor: &Actor,
    id: &str,
    reason: &str,
    now: Timestamp,
) -> Result<EventView, OperationError> {
    actor.require(Role::Operator)?;
    let row = seen(conn, actor, id)?;
    let reason = reason.trim();
    if reason.is_empty() || reason.chars().count() > 500 {
        return Err(OperationError::Invalid(
            "say in 1 to 500 characters why the event is discarded".to_owned(),
        ));
    }
    outbox::discard(conn, id, reason, &actor.name, now)?.map_err(refused)?;
    // A removal that was given up refused access until now (R91).
    worker::follow_events(conn, &[id.to_owned()], now)?;
    let organization = row.organization_id.as_deref();
    let (act, why) = ("event.discarded", Some(reason));
    audit(conn, actor, act, id, organization, why, now)?;
    Ok(show(conn, actor, id)?.event)
}

fn refused(refusal: Refusal) -> OperationError {
    match refusal {
        Refusal::NotFound(id) => OperationError::not_found("event", &id),
        other => OperationError::Conflict(other.to_string()),
    }
}
