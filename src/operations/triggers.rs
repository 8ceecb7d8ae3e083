//! Triggers: created, replaced, deleted, and tried on a real person without sending
//! anything. A web address in a step may hold a secret in its path (a Slack incoming webhook does):
//! those who may only look see its host.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::clock::Timestamp;
use crate::conditions::Condition;
use crate::db::{Conn, DbError, new_id};
use crate::store::surroundings::Surroundings;
use crate::triggers::channels::Message;
use crate::triggers::definition::{Event, NewTrigger, Recipient, Step};
use crate::triggers::plan::{Base, due_at};
use crate::triggers::recheck::{settings_of, zone_of};
use crate::triggers::sender::{compose, shown_recipient};
use crate::triggers::store::{self, TriggerRow};
use crate::triggers::target::{Target, target_of};
use crate::triggers::vars::variables_of;
use crate::triggers::zone;

pub use crate::triggers::definition::Policy;

use super::visibility::Redaction;
use super::{Actor, Cursor, Listing, OperationError, Page, Role, audit, limit_of};

/// Which triggers.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the parameters of the API")]
pub struct TriggerQuery {
    pub organization_id: Option<String>,
    pub limit: Option<i64>,
    pub cursor: Option<String>,
}

/// A trigger as shown: `organization_id, name, on, when, status, steps` and what we add.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[allow(missing_docs, reason = "the fields of the API")]
pub struct TriggerView {
    pub id: String,
    #[serde(flatten)]
    pub definition: NewTrigger,
    pub version: i32,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// What a trigger would do for one person.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[allow(missing_docs, reason = "the fields of the API")]
pub struct PreviewView {
    pub trigger_id: String,
    pub profile_id: String,
    /// Whether the person fits the trigger's condition.
    pub matches: bool,
    /// The IANA zone whose clock counts for them.
    pub timezone: String,
    pub steps: Vec<StepPreview>,
}

/// One message, filled in for one person.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[allow(missing_docs, reason = "the fields of the API")]
pub struct StepPreview {
    pub step: usize,
    pub channel: &'static str,
    /// When it would be due, were the occasion now.
    pub due_at: Timestamp,
    /// To whom or where; null while the address is not known.
    pub recipient: Option<String>,
    pub subject: Option<String>,
    pub text: Option<String>,
    pub html: Option<String>,
    /// The body of a webhook.
    pub payload: Option<Value>,
    /// Why there would be no message.
    pub problem: Option<String>,
}

/// A page of triggers, newest first.
pub fn list(
    conn: &mut Conn,
    actor: &Actor,
    query: &TriggerQuery,
) -> Result<Page<TriggerView>, OperationError> {
    actor.require(Role::Viewer)?;
    let limit = limit_of(query.limit)?;
    let organization = actor.scope(query.organization_id.as_deref())?;
    let listing = Listing::of(actor, "triggers", query)?;
    let cursor = listing.cursor(conn, query.cursor.as_deref())?;
    let before = cursor.map(|cursor| (cursor.at, cursor.id));
    let rows = store::list(conn, organization.as_deref(), before, limit + 1)?;
    let page = listing.cut(conn, rows, limit, |row| Cursor {
        at: row.created_at,
        id: row.id.clone(),
    })?;
    let next_cursor = page.next_cursor;
    let data = page
        .data
        .into_iter()
        .map(|row| view(row, actor))
        .collect::<Result<_, _>>()?;
    Ok(Page { data, next_cursor })
}

fn view(row: TriggerRow, actor: &Actor) -> Result<TriggerView, OperationError> {
    let mut definition = row.read()?;
    if actor.require(Role::Operator).is_err() {
        definition.steps.iter_mut().for_each(mask);
    }
    Ok(TriggerView {
        definition,
        id: row.id,
        version: row.version,
        created_at: row.created_at,
        updated_at: row.updated_at,
    })
}

fn mask(step: &mut Step) {
    if let Recipient::Url(url) = &step.to {
        step.to = Recipient::Url(shown_recipient(&step.to, url).to_owned());
    }
}

pub(super) fn seen(conn: &mut Conn, actor: &Actor, id: &str) -> Result<TriggerRow, OperationError> {
    store::find(conn, id)?
        .filter(|row| actor.may_see(Some(&row.organization_id)))
        .ok_or_else(|| OperationError::not_found("trigger", id))
}

/// One trigger.
pub fn show(conn: &mut Conn, actor: &Actor, id: &str) -> Result<TriggerView, OperationError> {
    actor.require(Role::Viewer)?;
    let row = seen(conn, actor, id)?;
    view(row, actor)
}

/// One version of a trigger as shown.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[allow(missing_docs, reason = "the fields of the API")]
pub struct VersionView {
    pub version: i32,
    pub created_at: Timestamp,
    pub created_by: Option<String>,
    #[serde(flatten)]
    pub definition: NewTrigger,
}

/// Every version a trigger had, newest first; deliveries name theirs.
pub fn versions(
    conn: &mut Conn,
    actor: &Actor,
    id: &str,
) -> Result<Page<VersionView>, OperationError> {
    actor.require(Role::Viewer)?;
    seen(conn, actor, id)?;
    let mut data = Vec::new();
    for row in store::versions(conn, id)? {
        let Some(mut definition) = store::version(conn, id, row.version)? else {
            continue;
        };
        if actor.require(Role::Operator).is_err() {
            definition.steps.iter_mut().for_each(mask);
        }
        data.push(VersionView {
            version: row.version,
            created_at: row.created_at,
            created_by: row.created_by,
            definition,
        });
    }
    Ok(Page {
        data,
        next_cursor: None,
    })
}

/// Reads the body of `POST /v1/triggers`: before the transaction that keeps it, since templates are
/// parsed here, and others wait for who writes.
pub fn wanted(actor: &Actor, body: &Value, policy: Policy) -> Result<NewTrigger, OperationError> {
    actor.require(Role::Operator)?;
    NewTrigger::parse(body, policy).map_err(OperationError::Problems)
}

/// Creates a trigger.
pub fn create(
    conn: &mut Conn,
    actor: &Actor,
    definition: &NewTrigger,
    now: Timestamp,
) -> Result<TriggerView, OperationError> {
    actor.require(Role::Operator)?;
    actor.scope(Some(&definition.organization_id))?;
    Redaction::over_one(conn, actor, &definition.organization_id)?
        .refuse("deciding what messages say")?;
    let row = TriggerRow::new(new_id("trigger"), definition, now)?;
    if !store::create(conn, &row, &actor.name)? {
        return Err(taken(&row.name));
    }
    note(conn, actor, "trigger.created", &row, now)?;
    show(conn, actor, &row.id)
}

/// Replaces a trigger by a whole one of the same organization. Its version grows.
pub fn update(
    conn: &mut Conn,
    actor: &Actor,
    id: &str,
    definition: &NewTrigger,
    now: Timestamp,
) -> Result<TriggerView, OperationError> {
    actor.require(Role::Operator)?;
    let old = seen(conn, actor, id)?;
    if definition.organization_id != old.organization_id {
        return Err(OperationError::Invalid(format!(
            "organization_id is {}, and the trigger belongs to {}: create another trigger there instead",
            definition.organization_id, old.organization_id
        )));
    }
    Redaction::over_one(conn, actor, &old.organization_id)?.refuse("deciding what messages say")?;
    let row = TriggerRow::new(old.id, definition, now)?;
    store::update(conn, &row, &actor.name).map_err(|error| taken_or(error, &row.name))?;
    note(conn, actor, "trigger.updated", &row, now)?;
    show(conn, actor, id)
}

/// Deletes a trigger; what it made due and has not left is cancelled when its time comes. Answers it
/// as it was.
pub fn delete(
    conn: &mut Conn,
    actor: &Actor,
    id: &str,
    now: Timestamp,
) -> Result<TriggerView, OperationError> {
    actor.require(Role::Operator)?;
    let row = seen(conn, actor, id)?;
    store::delete(conn, id)?;
    note(conn, actor, "trigger.deleted", &row, now)?;
    view(row, actor)
}

/// What each step would say to one person, now; nothing is sent.
pub fn preview(
    conn: &mut Conn,
    actor: &Actor,
    id: &str,
    profile_id: &str,
    now: Timestamp,
) -> Result<PreviewView, OperationError> {
    actor.require(Role::Viewer)?;
    let row = seen(conn, actor, id)?;
    let mut profile = super::profiles::seen(conn, actor, profile_id)?;
    if profile.organization_id != row.organization_id {
        return Err(OperationError::Conflict(format!(
            "profile {profile_id} belongs to organization {}, the trigger to {}: choose somebody of its own organization",
            profile.organization_id, row.organization_id
        )));
    }
    let definition = row.read()?;
    let redaction = Redaction::over_one(conn, actor, &row.organization_id)?;
    let asked = definition.when.iter().flat_map(Condition::fields);
    if asked.into_iter().any(|field| redaction.covers(&field)) {
        redaction.refuse("trying a condition on a sensitive field")?;
    }
    let surroundings = Surroundings::of(conn, &[profile_id.to_owned()])?;
    let vars = variables_of(conn, &profile, None)?;
    let matches = definition
        .when
        .as_ref()
        .is_none_or(|when| when.matches(&surroundings.facts(profile_id, &vars)));
    let settings = settings_of(conn, &row.organization_id)?;
    let zone = zone_of(conn, &settings, profile_id, &vars)?;
    // Whether it fits is judged on everything; when it would go and what it would say, on what the actor may
    // see: the due time would tell the start date.
    redaction.profile(&mut profile)?;
    let vars = variables_of(conn, &profile, None)?;
    let start = vars["start_date"].as_str().and_then(zone::day);
    let base = match start.filter(|_| definition.on == Event::ProfileActivated) {
        Some(start) => Base::Start(start),
        None => Base::Now,
    };
    let mut steps = Vec::new();
    for (place, step) in definition.steps.iter().enumerate() {
        let target = target_of(conn, step, &profile, &vars)?;
        steps.push(StepPreview {
            due_at: due_at(step, base, zone, &settings, now),
            ..step_preview(&definition, place, target, &vars, now)
        });
    }
    Ok(PreviewView {
        trigger_id: row.id.clone(),
        profile_id: profile_id.to_owned(),
        matches,
        timezone: zone.name().to_owned(),
        steps,
    })
}

fn step_preview(
    definition: &NewTrigger,
    place: usize,
    target: Target<'_>,
    vars: &Value,
    now: Timestamp,
) -> StepPreview {
    let step = target.step.clone();
    let mut shown = StepPreview {
        step: place,
        channel: step.channel.name(),
        due_at: now,
        recipient: None,
        subject: None,
        text: None,
        html: None,
        payload: None,
        problem: None,
    };
    match message_for(definition, target, vars, now) {
        Ok(message) => {
            shown.recipient = Some(shown_recipient(&step.to, &message.recipient).to_owned());
            shown.subject = message.subject;
            shown.text = message.payload.is_none().then_some(message.text);
            shown.html = message.html;
            shown.payload = message.payload;
        }
        Err(problem) => shown.problem = Some(problem),
    }
    shown
}

/// The message a step makes for one person, or why there is none.
pub(super) fn message_for(
    definition: &NewTrigger,
    target: Target<'_>,
    vars: &Value,
    now: Timestamp,
) -> Result<Message, String> {
    if let Some(why) = target.refused {
        return Err(why);
    }
    let step = target.step.as_ref();
    let recipient = target
        .address
        .ok_or_else(|| format!("the {} has no e-mail address yet", step.to))?;
    compose("preview", None, step, &definition.on, recipient, vars, now)
        .map_err(|error| error.to_string())
}

fn note(
    conn: &mut Conn,
    actor: &Actor,
    act: &str,
    row: &TriggerRow,
    now: Timestamp,
) -> Result<(), DbError> {
    let organization = Some(row.organization_id.as_str());
    audit(
        conn,
        actor,
        act,
        &row.id,
        organization,
        Some(&row.name),
        now,
    )
}

fn taken(name: &str) -> OperationError {
    OperationError::Conflict(format!(
        "the organization has a trigger named {name:?} already; choose another name, or replace that one"
    ))
}

fn taken_or(error: diesel::result::Error, name: &str) -> OperationError {
    use diesel::result::{DatabaseErrorKind, Error};
    match error {
        Error::DatabaseError(DatabaseErrorKind::UniqueViolation, _) => taken(name),
        other => other.into(),
    }
}
