//! Deliveries: which messages went, wait, failed or are unknown, with their text and
//! attempts; one sent again or cancelled by hand. What was sent is never sent again (R68).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::db::Conn;
use crate::store::profiles;
use crate::triggers::deliveries::{self, AttemptRow, DeliveryFilter, DeliveryRow, Refusal};
use crate::triggers::sender::shown_recipient;
use crate::triggers::store;
use crate::triggers::target::target_of;
use crate::triggers::vars::variables_of;

use super::events::one_of;
use super::page::sought;
use super::triggers::message_for;
use super::visibility::Redaction;
use super::{Actor, Cursor, Listing, OperationError, Page, Role, audit, limit_of};

const STATES: [&str; 9] = [
    "due",
    deliveries::PAUSED,
    "held",
    "claimed",
    "attempting",
    "sent",
    "cancelled",
    "failed",
    "unknown",
];

/// The channels that messages go by.
pub const CHANNELS: [&str; 3] = ["email", "slack", "webhook"];

/// Which messages; the query of `GET /v1/deliveries` and the flags of `rollcall deliveries list`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the parameters of the API")]
pub struct DeliveryQuery {
    pub organization_id: Option<String>,
    #[schemars(extend("enum" = STATES))]
    pub state: Option<String>,
    pub profile_id: Option<String>,
    pub trigger_id: Option<String>,
    #[schemars(extend("enum" = CHANNELS))]
    pub channel: Option<String>,
    pub destination: Option<String>,
    pub q: Option<String>,
    pub limit: Option<i64>,
    pub cursor: Option<String>,
}

/// A message as shown in lists.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[allow(missing_docs, reason = "the fields of the API")]
pub struct DeliveryView {
    pub id: String,
    pub organization_id: String,
    pub profile_id: String,
    pub trigger_id: String,
    /// The version of the trigger that it was planned by, and is sent by.
    pub trigger_version: i32,
    pub step: i32,
    /// The hold it waits in, or was decided in.
    pub hold_id: Option<String>,
    /// What the trigger listens to.
    pub on: String,
    pub channel: String,
    /// Where it goes: an id of `/v1/destinations`.
    pub destination: String,
    /// Due at a stopped destination is shown as `paused`.
    #[schemars(extend("enum" = STATES))]
    pub state: String,
    pub reason: Option<String>,
    /// To whom or where; null before the first attempt.
    pub recipient: Option<String>,
    pub subject: Option<String>,
    pub event_id: Option<String>,
    pub attempts: i32,
    pub due_at: Timestamp,
    pub created_at: Timestamp,
    pub settled_at: Option<Timestamp>,
}

/// One message with its text and attempts.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[allow(missing_docs, reason = "the fields of the API")]
pub struct DeliveryDetail {
    #[serde(flatten)]
    pub delivery: DeliveryView,
    /// As it left; before the first attempt as it would leave now. Of a webhook, its JSON body.
    pub text: Option<String>,
    pub html: Option<String>,
    /// Whether nothing has left yet and the text is filled in only for this look.
    pub preview: bool,
    pub attempt_log: Vec<AttemptView>,
}

/// One line of a message's attempts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[allow(missing_docs, reason = "the fields of the API")]
#[schemars(rename = "DeliveryAttempt")]
pub struct AttemptView {
    pub at: Timestamp,
    pub outcome: String,
    pub detail: Option<String>,
}

impl From<AttemptRow> for AttemptView {
    fn from(row: AttemptRow) -> Self {
        Self {
            at: row.at,
            outcome: row.outcome,
            detail: row.detail,
        }
    }
}

fn view(row: DeliveryRow) -> DeliveryView {
    DeliveryView {
        id: row.id,
        organization_id: row.organization_id,
        profile_id: row.profile_id,
        trigger_id: row.trigger_id,
        trigger_version: row.trigger_version,
        step: row.step,
        hold_id: row.hold_id,
        on: row.on_event,
        channel: row.channel,
        destination: row.destination,
        state: row.state,
        reason: row.reason,
        recipient: row.recipient,
        subject: row.subject,
        event_id: row.event_id,
        attempts: row.attempts,
        due_at: row.due_at,
        created_at: row.created_at,
        settled_at: row.settled_at,
    }
}

/// A page of messages, newest first.
pub fn list(
    conn: &mut Conn,
    actor: &Actor,
    query: &DeliveryQuery,
) -> Result<Page<DeliveryView>, OperationError> {
    actor.require(Role::Viewer)?;
    let limit = limit_of(query.limit)?;
    if let Some(state) = &query.state {
        one_of("state", state, &STATES)?;
    }
    if let Some(channel) = &query.channel {
        one_of("channel", channel, &CHANNELS)?;
    }
    let listing = Listing::of(actor, "deliveries", query)?;
    let cursor = listing.cursor(conn, query.cursor.as_deref())?;
    let organization_id = actor.scope(query.organization_id.as_deref())?;
    let redaction = Redaction::over_scope(conn, actor, organization_id.as_deref())?;
    if query.q.is_some() {
        redaction.refuse("searching the texts of messages")?;
    }
    let filter = DeliveryFilter {
        organization_id,
        state: query.state.clone(),
        profile_id: query.profile_id.clone(),
        trigger_id: query.trigger_id.clone(),
        channel: query.channel.clone(),
        destination: query.destination.clone(),
        q: sought(query.q.as_deref())?,
        after: cursor.map(|cursor| (cursor.at, cursor.id)),
    };
    let mut rows = deliveries::list(conn, &filter, limit + 1)?;
    deliveries::show_paused(conn, &mut rows)?;
    let page = listing.cut(conn, rows, limit, |row| Cursor {
        at: row.created_at,
        id: row.id.clone(),
    })?;
    Ok(page.map(|mut row| {
        redaction.delivery(&mut row);
        view(row)
    }))
}

fn seen(conn: &mut Conn, actor: &Actor, id: &str) -> Result<DeliveryRow, OperationError> {
    let mut row = deliveries::find(conn, id)?
        .filter(|row| actor.may_see(Some(&row.organization_id)))
        .ok_or_else(|| OperationError::not_found("delivery", id))?;
    deliveries::show_paused(conn, std::slice::from_mut(&mut row))?;
    Ok(row)
}

/// One message with its text and attempts.
pub fn show(
    conn: &mut Conn,
    actor: &Actor,
    id: &str,
    now: Timestamp,
) -> Result<DeliveryDetail, OperationError> {
    actor.require(Role::Viewer)?;
    let mut row = seen(conn, actor, id)?;
    let waits =
        row.body.is_none() && matches!(row.state.as_str(), "due" | "paused" | "held" | "claimed");
    let preview = waits && filled_in(conn, &mut row, now)?;
    Redaction::over_one(conn, actor, &row.organization_id)?.delivery(&mut row);
    let log = deliveries::attempts_of(conn, id)?;
    Ok(DeliveryDetail {
        text: row.body.take(),
        html: row.html.take(),
        preview,
        attempt_log: log.into_iter().map(AttemptView::from).collect(),
        delivery: view(row),
    })
}

/// Fills in what has not been attempted yet, as it would leave now; false when it would not leave.
fn filled_in(
    conn: &mut Conn,
    row: &mut DeliveryRow,
    now: Timestamp,
) -> Result<bool, OperationError> {
    let Some(trigger) = store::find(conn, &row.trigger_id)? else {
        return Ok(false);
    };
    let Some(profile) = profiles::find(conn, &row.profile_id)? else {
        return Ok(false);
    };
    let definition = match store::version(conn, &row.trigger_id, row.trigger_version)? {
        Some(definition) => definition,
        None => trigger.read()?,
    };
    let place = usize::try_from(row.step).unwrap_or(usize::MAX);
    let Some(step) = definition.steps.get(place) else {
        return Ok(false);
    };
    let vars = variables_of(conn, &profile, row.community_id.as_deref())?;
    let target = target_of(conn, step, &profile, &vars)?;
    let to = target.step.to.clone();
    let Ok(message) = message_for(&definition, target, &vars, now) else {
        return Ok(false);
    };
    row.recipient = Some(shown_recipient(&to, &message.recipient).to_owned());
    row.subject = message.subject;
    row.html = message.html;
    row.body = Some(match message.payload {
        Some(payload) => payload.to_string(),
        None => message.text,
    });
    Ok(true)
}

/// Sends a failed or unknown message again, or a webhook that was sent (under its old id).
pub fn retry(
    conn: &mut Conn,
    actor: &Actor,
    id: &str,
    now: Timestamp,
) -> Result<DeliveryView, OperationError> {
    act(conn, actor, id, "delivery.retried", deliveries::retry, now)
}

/// Cancels a message that has not left.
pub fn cancel(
    conn: &mut Conn,
    actor: &Actor,
    id: &str,
    now: Timestamp,
) -> Result<DeliveryView, OperationError> {
    act(
        conn,
        actor,
        id,
        "delivery.cancelled",
        deliveries::cancel,
        now,
    )
}

type Operation = fn(&mut Conn, &str, &str, Timestamp) -> diesel::QueryResult<Result<(), Refusal>>;

fn act(
    conn: &mut Conn,
    actor: &Actor,
    id: &str,
    act: &str,
    operation: Operation,
    now: Timestamp,
) -> Result<DeliveryView, OperationError> {
    actor.require(Role::Operator)?;
    let row = seen(conn, actor, id)?;
    operation(conn, id, &actor.name, now)?.map_err(|refusal| match refusal {
        Refusal::NotFound(id) => OperationError::not_found("delivery", &id),
        other => OperationError::Conflict(other.to_string()),
    })?;
    let organization = Some(row.organization_id.as_str());
    audit(conn, actor, act, id, organization, None, now)?;
    let mut row = seen(conn, actor, id)?;
    Redaction::over_one(conn, actor, &row.organization_id)?.delivery(&mut row);
    Ok(view(row))
}
