//! Log-in sync, for organizations without a directory: an SSO profile updates what it speaks of, at
//! log-in only, and nobody is ever deactivated by it (R54). Where a directory speaks for the
//! organization, a log-in changes nothing (R50) and makes nobody (R30). What a log-in says goes through
//! the outbox and the fold like everything else, as the word of a directory of log-ins.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::clock::Timestamp;
use crate::db::Conn;
use crate::domain::access::{Access, Refusal};
use crate::domain::{Status, directory_of_logins, is_of_logins};
use crate::outbox::{self, NewEvent};
use crate::store::profiles::{self, ProfileRow};
use crate::store::standings::Judged;
use crate::store::{directories, holds, observations, organizations};
use crate::worker::{self, BatchSettings};
use crate::workos::{Data, clean, new_event_id, read_envelope, read_event};

use super::access::{AccessQuery, judge};
use super::profiles::has_access;
use super::{Actor, OperationError, Role};

/// The longest id and address that is taken.
const LONGEST: usize = 512;

/// A WorkOS SSO profile, as far as it is used (contract 11).
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[allow(missing_docs, reason = "the fields of WorkOS's profile")]
pub struct SsoProfile {
    pub organization_id: Option<String>,
    #[serde(default)]
    pub idp_id: Option<String>,
    pub email: Option<String>,
    #[serde(default)]
    pub first_name: Option<String>,
    #[serde(default)]
    pub last_name: Option<String>,
    #[serde(default)]
    pub name: Option<String>,
    #[serde(default)]
    pub role: Option<Value>,
    #[serde(default)]
    pub custom_attributes: Option<Map<String, Value>>,
}

/// Whether they may come in, and what the log-in changed.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[allow(missing_docs, reason = "the fields of the API")]
pub struct LoginView {
    pub allowed: bool,
    /// As in the access answer, or `not_in_directory`.
    pub reason: String,
    /// For the person at the door.
    pub message: &'static str,
    pub profile_id: Option<String>,
    /// Whether a directory speaks for the organization, so that the log-in changed nothing.
    pub synced: bool,
    /// Whether the log-in made the person, and whether it changed anything.
    pub created: bool,
    pub updated: bool,
}

/// Takes a log-in in.
pub fn take(
    conn: &mut Conn,
    actor: &Actor,
    profile: &SsoProfile,
    now: Timestamp,
) -> Result<LoginView, OperationError> {
    actor.require(Role::Operator)?;
    let organization = checked(profile)?;
    actor.scope(Some(&organization))?;
    outbox::lock_part(conn, outbox::part_of(&organization))?;
    // Nobody comes into a deleted organization by a log-in (R84).
    let synced = is_synced(conn, &organization)? || is_deleted(conn, &organization)?;
    let known = who(conn, &organization, profile)?;
    let refused = match &known {
        Some(row) => judged(conn, actor, row)?.is_some_and(|one| !one.access.allowed()),
        None => false,
    };
    if refused || synced {
        return answer(conn, actor, known, synced, false, false);
    }
    let updated = say(conn, &organization, profile, now)?;
    let after = who(conn, &organization, profile)?;
    answer(conn, actor, after, synced, known.is_none(), updated)
}

fn checked(profile: &SsoProfile) -> Result<String, OperationError> {
    let invalid = |what: &str| Err(OperationError::Invalid(what.to_owned()));
    let organization = profile.organization_id.as_deref().unwrap_or_default();
    if organization.is_empty() || organization.len() > LONGEST {
        return invalid(
            "the SSO profile names no organization_id; link its connection to an organization in WorkOS",
        );
    }
    let present = |text: &Option<String>| {
        text.as_deref()
            .is_some_and(|text| !text.trim().is_empty() && text.len() <= LONGEST)
    };
    if !present(&profile.idp_id) && !present(&profile.email) {
        return invalid("the SSO profile has neither an idp_id nor an email to know the person by");
    }
    Ok(organization.to_owned())
}

/// Whether a directory speaks for the organization, or an operator has yet to decide whether one does.
fn is_synced(conn: &mut Conn, organization: &str) -> Result<bool, OperationError> {
    let all = directories::of_organizations(conn, &[organization.to_owned()])?;
    for (id, directory) in all.iter().filter(|(id, _)| !is_of_logins(id)) {
        let mut undecided =
            || holds::open_of(conn, organization, holds::DIRECTORY_DELETED, Some(id));
        if directory.life.live() || undecided()?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether WorkOS deleted the organization, and nobody decided to keep its people.
fn is_deleted(conn: &mut Conn, organization: &str) -> Result<bool, OperationError> {
    let found = organizations::find(conn, organization)?;
    Ok(found.is_some_and(|one| {
        one.deleted_at.is_some() && one.deletion_decision.as_deref() != Some(organizations::KEEP)
    }))
}

/// Whom a profile is of: by the provider's id, else by the address. Somebody who works there counts
/// before somebody who left.
fn who(
    conn: &mut Conn,
    organization: &str,
    profile: &SsoProfile,
) -> Result<Option<ProfileRow>, OperationError> {
    let best = |rows: Vec<ProfileRow>| {
        rows.into_iter()
            .max_by_key(|row| (has_access(&row.status), row.updated_at))
    };
    if let Some(idp_id) = profile.idp_id.as_deref() {
        let found = best(profiles::by_idp_id(conn, organization, idp_id)?);
        if found.is_some() {
            return Ok(found);
        }
    }
    let Some(email) = profile.email.as_deref() else {
        return Ok(None);
    };
    let mut rows = profiles::by_email(conn, organization, email)?;
    if rows.iter().all(|row| !has_access(&row.status)) {
        rows = without_strangers(conn, rows, profile)?;
    }
    Ok(best(rows))
}

/// Those who left and are known by log-ins alone, under another provider's id, are other people who
/// had the address before (R24). A directory's ids may be written differently from a log-in's: who is
/// known by one stays refused.
fn without_strangers(
    conn: &mut Conn,
    rows: Vec<ProfileRow>,
    profile: &SsoProfile,
) -> Result<Vec<ProfileRow>, OperationError> {
    let ids: Vec<String> = rows.iter().map(|row| row.id.clone()).collect();
    let links = profiles::links_of(conn, &ids)?;
    let is_other = |row: &ProfileRow| {
        profile.idp_id.is_some()
            && links.get(&row.id).is_some_and(|links| {
                links
                    .iter()
                    .all(|link| is_of_logins(&link.directory_id) && link.idp_id.is_some())
            })
    };
    Ok(rows.into_iter().filter(|row| !is_other(row)).collect())
}

/// Puts the log-in through the outbox and the fold; answers whether anything changed.
fn say(
    conn: &mut Conn,
    organization: &str,
    profile: &SsoProfile,
    now: Timestamp,
) -> Result<bool, OperationError> {
    let event = event_of(organization, profile, now)?;
    if says_nothing_new(conn, &event)? {
        return Ok(false);
    }
    let id = event.event_id.clone();
    outbox::enqueue(conn, &[event])?;
    let row = outbox::find(conn, &id)?.ok_or_else(|| OperationError::not_found("event", &id))?;
    let settings = BatchSettings {
        max_attempts: u32::MAX,
        messaging_for_new: false,
    };
    worker::work_off(conn, settings, &[row.id], now)?;
    Ok(outbox::find(conn, &id)?.is_some_and(|row| row.outcome.as_deref() == Some("applied")))
}

fn event_of(
    organization: &str,
    profile: &SsoProfile,
    now: Timestamp,
) -> Result<NewEvent, OperationError> {
    let person = profile
        .idp_id
        .as_deref()
        .and_then(clean::id_key)
        .or_else(|| profile.email.as_deref().and_then(clean::key))
        .unwrap_or_default();
    let digest = Sha256::digest(format!("{organization}\0{person}"));
    let mut data = json!({
        "object": "profile",
        "id": format!("login_{}", hex::encode(digest.get(..12).unwrap_or_default())),
        "directory_id": directory_of_logins(organization),
        "organization_id": organization,
        "state": "active",
    });
    // What a log-in does not say, it does not clear.
    let texts = [
        ("idp_id", &profile.idp_id),
        ("email", &profile.email),
        ("first_name", &profile.first_name),
        ("last_name", &profile.last_name),
        ("name", &profile.name),
    ];
    for (key, text) in texts {
        if let Some(text) = text.as_deref().filter(|text| !text.trim().is_empty()) {
            data[key] = Value::from(text);
        }
    }
    if let Some(role) = &profile.role {
        data["role"] = role.clone();
    }
    if let Some(custom) = &profile.custom_attributes {
        data["custom_attributes"] = Value::Object(custom.clone());
    }
    let id = new_event_id(now).replacen("event_", "login_", 1);
    let body = json!({
        "object": "event", "id": id, "event": "dsync.user.updated", "data": data,
        "created_at": now.to_string(), "context": {"source": "login"},
    })
    .to_string();
    let envelope = read_envelope(body.as_bytes())
        .map_err(|error| OperationError::Invalid(error.to_string()))?;
    Ok(NewEvent {
        removal: false,
        occurred_at: now,
        ..NewEvent::new(envelope, body, now)
    })
}

/// Whether the last log-in said the very same, and still counts: then no event is made of it.
fn says_nothing_new(conn: &mut Conn, event: &NewEvent) -> Result<bool, OperationError> {
    let (Some(subject), Ok(read)) = (&event.subject, read_event(&event.body)) else {
        return Ok(false);
    };
    let Data::UserUpdated(user) = read.data else {
        return Ok(false);
    };
    let said = observations::of_links(conn, std::slice::from_ref(subject))?;
    let last = said
        .into_iter()
        .max_by(|one, other| one.key.cmp(&other.key));
    let counts = profiles::state_of_link(conn, subject)?.as_deref() == Some("active");
    Ok(counts && last.is_some_and(|last| last.said.user == user))
}

fn answer(
    conn: &mut Conn,
    actor: &Actor,
    person: Option<ProfileRow>,
    synced: bool,
    created: bool,
    updated: bool,
) -> Result<LoginView, OperationError> {
    let view = |allowed, reason: String, message, profile_id| LoginView {
        allowed,
        message,
        reason,
        profile_id,
        synced,
        created: created && allowed,
        updated,
    };
    let Some(person) = person else {
        let reason = if synced {
            "not_in_directory"
        } else {
            "unknown"
        };
        return Ok(view(
            false,
            reason.to_owned(),
            message_of(None, synced),
            None,
        ));
    };
    let Some(said) = judged(conn, actor, &person)? else {
        return Ok(view(
            false,
            "unknown".to_owned(),
            message_of(None, false),
            None,
        ));
    };
    let message = message_of(Some(&said.access), synced);
    let (allowed, reason) = (said.access.allowed(), said.access.reason());
    Ok(view(allowed, reason, message, Some(said.profile_id)))
}

fn judged(
    conn: &mut Conn,
    actor: &Actor,
    person: &ProfileRow,
) -> Result<Option<Judged>, OperationError> {
    let query = AccessQuery {
        profile_id: Some(person.id.clone()),
        ..AccessQuery::default()
    };
    judge(conn, actor, &query)
}

/// What the person at the door reads; `None` for somebody unknown.
fn message_of(access: Option<&Access>, synced: bool) -> &'static str {
    match access {
        Some(Access::Allowed(_)) => "You are signed in.",
        Some(Access::Refused(Refusal::Status(Status::Removed | Status::Erased))) => {
            "Your access has ended. If you work here again, ask your administrator to restore it."
        }
        Some(Access::Refused(Refusal::Termination(_) | Refusal::OrganizationDeleted)) => {
            "Your access is suspended. Ask your administrator."
        }
        Some(Access::Refused(Refusal::OnLeave)) => {
            "You are on leave, and your company lets nobody sign in meanwhile. Ask your administrator."
        }
        Some(Access::Refused(Refusal::Status(Status::Pending))) => {
            "Your account is not active yet. Ask your administrator when it begins."
        }
        None if synced => {
            "Your company's directory has not given you access. Ask your administrator to add you."
        }
        _ => "You could not be signed in. Ask your administrator.",
    }
}
