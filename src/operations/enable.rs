//! Turning Directory Sync on for an organization, and following how far it has come: link opened,
//! directory linked, people arriving, ready for messages. The link itself is never kept, logged or mailed:
//! whoever has it may configure the organization for five minutes.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::db::Conn;
use crate::domain::is_of_logins;
use crate::store::setup_links::{self, SetupLink};
use crate::store::{organizations, secrets};

use super::directories::{DirectoryQuery, DirectoryView};
use super::{Actor, MAX_LIMIT, OperationError, Role, audit, directories};

/// How long WorkOS's link lives.
const LIFE: Duration = Duration::from_secs(300);

/// How far an organization has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[allow(missing_docs, reason = "the fields of the API")]
pub struct EnableView {
    pub organization_id: String,
    /// `not_started`, `link_opened`, `linked`, `arriving`, `ready` or `messaging_enabled`.
    pub step: &'static str,
    /// What to do or wait for.
    pub sentence: &'static str,
    pub link_opened_at: Option<Timestamp>,
    pub link_opened_by: Option<String>,
    /// When the link that was opened last ends or was revoked.
    pub link_ends_at: Option<Timestamp>,
    pub link_revoked_at: Option<Timestamp>,
    pub directories: Vec<Arriving>,
}

impl EnableView {
    /// The ids of its directories.
    pub fn directory_ids(&self) -> impl Iterator<Item = &str> {
        self.directories.iter().map(|one| one.id.as_str())
    }
}

/// A directory that is linked, and how many of its people are here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[allow(missing_docs, reason = "the fields of the API")]
pub struct Arriving {
    pub id: String,
    pub state: String,
    pub linked_at: Timestamp,
    pub users_here: i64,
    /// As WorkOS itself counts, where it could be asked.
    pub users_there: Option<i64>,
    pub groups_there: Option<i64>,
}

/// Refuses whoever may not open a link.
pub fn may_open(actor: &Actor, organization: &str) -> Result<(), OperationError> {
    actor.require(Role::Admin)?;
    actor.scope(Some(organization)).map(drop)
}

/// Notes that a link was opened; answers when it ends.
pub fn opened(
    conn: &mut Conn,
    actor: &Actor,
    organization: &str,
    now: Timestamp,
) -> Result<Timestamp, OperationError> {
    may_open(actor, organization)?;
    setup_links::opened(conn, organization, &actor.name, now)?;
    audit(
        conn,
        actor,
        "organization.setup_link_opened",
        organization,
        Some(organization),
        None,
        now,
    )?;
    Ok(now.plus(LIFE))
}

/// Notes that the links of an organization were revoked.
pub fn revoked(
    conn: &mut Conn,
    actor: &Actor,
    organization: &str,
    now: Timestamp,
) -> Result<(), OperationError> {
    may_open(actor, organization)?;
    setup_links::revoked(conn, organization, now)?;
    audit(
        conn,
        actor,
        "organization.setup_link_revoked",
        organization,
        Some(organization),
        None,
        now,
    )?;
    Ok(())
}

/// Of an organization that nobody has heard of yet: everything begins with a link.
pub fn not_started(organization: &str) -> EnableView {
    view(organization, None, Vec::new(), false)
}

/// How far it has come; `there` is WorkOS's own listing of the organization's directories.
pub fn state(
    conn: &mut Conn,
    actor: &Actor,
    organization: &str,
    there: Option<&[Value]>,
) -> Result<EnableView, OperationError> {
    actor.require(Role::Viewer)?;
    actor.scope(Some(organization))?;
    let link = setup_links::find(conn, organization)?;
    let known = organizations::find(conn, organization)?;
    if known.is_none() && link.is_none() {
        return Err(OperationError::not_found("organization", organization));
    }
    let query = DirectoryQuery {
        organization_id: Some(organization.to_owned()),
        limit: Some(MAX_LIMIT),
        cursor: None,
    };
    let here = directories::list(conn, actor, &query)?.data;
    let here = here
        .into_iter()
        .filter(|one| one.linked && !is_of_logins(&one.id));
    let arriving: Vec<Arriving> = here.map(|one| arriving(one, there)).collect();
    let messaging = known.is_some_and(|one| one.messaging_enabled_at.is_some());
    Ok(view(organization, link, arriving, messaging))
}

fn arriving(one: DirectoryView, there: Option<&[Value]>) -> Arriving {
    let listed = there.and_then(|all| {
        all.iter()
            .find(|listed| listed.get("id").and_then(Value::as_str) == Some(&one.id))
    });
    let count = |path: &str| {
        listed
            .and_then(|listed| listed.pointer(path))
            .and_then(Value::as_i64)
    };
    let users = count("/metadata/users/active").zip(count("/metadata/users/inactive"));
    Arriving {
        users_here: one
            .users
            .iter()
            .filter(|(state, _)| !matches!(state.as_str(), "deleted" | "moved"))
            .map(|(_, count)| count)
            .sum(),
        users_there: users.map(|(active, inactive)| active + inactive),
        groups_there: count("/metadata/groups"),
        id: one.id,
        state: one.state,
        linked_at: one.first_seen_at,
    }
}

fn view(
    organization: &str,
    link: Option<SetupLink>,
    arriving: Vec<Arriving>,
    messaging: bool,
) -> EnableView {
    let here: i64 = arriving.iter().map(|one| one.users_here).sum();
    let waiting = arriving
        .iter()
        .any(|one| one.users_there.is_some_and(|there| one.users_here < there));
    let (step, sentence) = match (arriving.is_empty(), here, &link) {
        (true, _, Some(link)) if link.revoked_at.is_some() => (
            "not_started",
            "the set-up link was revoked; open another one when the organization is to be connected",
        ),
        (true, _, None) => (
            "not_started",
            "open a set-up link and give it to the organization's administrator",
        ),
        (true, _, Some(_)) => (
            "link_opened",
            "the administrator links the directory at WorkOS; a link that has ended is opened again",
        ),
        (false, 0, _) => ("linked", "the directory is linked; its people follow"),
        (false, _, _) if messaging => ("messaging_enabled", "people are here and messaging is on"),
        (false, _, _) if waiting => (
            "arriving",
            "people are arriving; WorkOS counts more than are here",
        ),
        (false, _, _) => (
            "ready",
            "people are here; check the list, then turn messaging on",
        ),
    };
    EnableView {
        organization_id: organization.to_owned(),
        step,
        sentence,
        link_ends_at: link
            .as_ref()
            .map(|link| link.revoked_at.unwrap_or_else(|| link.opened_at.plus(LIFE))),
        link_revoked_at: link.as_ref().and_then(|link| link.revoked_at),
        link_opened_at: link.as_ref().map(|link| link.opened_at),
        link_opened_by: link.map(|link| link.opened_by),
        directories: arriving,
    }
}

/// Keeps the signing secret of an endpoint that Rollcall registered itself.
pub fn keep_webhook_secret(
    conn: &mut Conn,
    actor: &Actor,
    endpoint: &str,
    secret: &str,
    now: Timestamp,
) -> Result<(), OperationError> {
    actor.require(Role::Admin)?;
    secrets::replace(conn, secrets::WORKOS_ENDPOINT, secret, now)?;
    audit(
        conn,
        actor,
        "webhook_endpoint.registered",
        endpoint,
        None,
        None,
        now,
    )?;
    Ok(())
}

/// The secret that was kept, if Rollcall registered an endpoint.
pub fn kept_webhook_secret(conn: &mut Conn) -> Result<Option<String>, OperationError> {
    Ok(secrets::find(conn, secrets::WORKOS_ENDPOINT)?)
}
