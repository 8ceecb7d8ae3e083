//! Organizations: who is in them, and whether their triggers may fire. Turning
//! messaging on says how many people are there already, and that none of them is messaged by it (R56).

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::db::Conn;
use crate::domain::Settings;
use crate::outbox::{lock_part, part_of};
use crate::store::organizations::{self, Organization};
use crate::store::profiles;
use crate::triggers::definition::Status;
use crate::triggers::recheck::settings_of;
use crate::triggers::{deliveries, store, zone};

use super::profiles::has_access;
use super::{Actor, Cursor, Listing, OperationError, Page, Role, audit, limit_of};

/// Which organizations.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the parameters of the API")]
pub struct OrganizationQuery {
    pub limit: Option<i64>,
    pub cursor: Option<String>,
}

/// An organization as shown.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[allow(missing_docs, reason = "the fields of the API")]
pub struct OrganizationView {
    pub id: String,
    pub name: Option<String>,
    /// Whether its triggers may fire, and since when.
    pub messaging_enabled: bool,
    pub messaging_enabled_at: Option<Timestamp>,
    /// How many people have each status.
    pub profiles: BTreeMap<String, i64>,
    pub settings: Settings,
    pub first_seen_at: Timestamp,
    /// When WorkOS said that it was deleted; null while it is not.
    pub deleted_at: Option<Timestamp>,
}

/// What turning messaging on or off means.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[allow(missing_docs, reason = "the fields of the API")]
pub struct MessagingView {
    #[serde(flatten)]
    pub organization: OrganizationView,
    /// People who are there already.
    pub people: i64,
    /// How many messages fell due because of it: none (R56).
    pub messages_due: i64,
    /// The published triggers, by name: what newcomers will hear.
    pub published: Vec<String>,
    /// The first start date that is greeted (R57); null while messaging is off.
    pub greeted_from: Option<String>,
    /// How many people may be welcomed in an hour before the others wait for an operator (R59).
    pub burst_limit: usize,
}

/// A page of organizations, newest first.
pub fn list(
    conn: &mut Conn,
    actor: &Actor,
    query: &OrganizationQuery,
) -> Result<Page<OrganizationView>, OperationError> {
    actor.require(Role::Viewer)?;
    let limit = limit_of(query.limit)?;
    let listing = Listing::of(actor, "organizations", query)?;
    let cursor = listing.cursor(conn, query.cursor.as_deref())?;
    let before = cursor.map(|cursor| (cursor.at, cursor.id));
    let only = actor.organization_id.as_deref();
    let rows = organizations::list(conn, only, before, limit + 1)?;
    let page = listing.cut(conn, rows, limit, |row| Cursor {
        at: row.first_seen_at,
        id: row.id.clone(),
    })?;
    let next_cursor = page.next_cursor;
    let data = views(conn, page.data)?;
    Ok(Page { data, next_cursor })
}

/// A row this actor may see.
pub(super) fn seen(
    conn: &mut Conn,
    actor: &Actor,
    id: &str,
) -> Result<Organization, OperationError> {
    organizations::find(conn, id)?
        .filter(|one| actor.may_see(Some(&one.id)))
        .ok_or_else(|| OperationError::not_found("organization", id))
}

/// One organization.
pub fn show(conn: &mut Conn, actor: &Actor, id: &str) -> Result<OrganizationView, OperationError> {
    actor.require(Role::Viewer)?;
    let row = seen(conn, actor, id)?;
    views(conn, vec![row])?
        .pop()
        .ok_or_else(|| OperationError::not_found("organization", id))
}

/// Since when an organization's triggers may fire.
pub fn messaging_since(
    conn: &mut Conn,
    actor: &Actor,
    id: &str,
) -> Result<Option<Timestamp>, OperationError> {
    actor.require(Role::Viewer)?;
    actor.scope(Some(id))?;
    Ok(organizations::find(conn, id)?.and_then(|one| one.messaging_enabled_at))
}

fn views(
    conn: &mut Conn,
    rows: Vec<Organization>,
) -> Result<Vec<OrganizationView>, OperationError> {
    let ids: Vec<String> = rows.iter().map(|row| row.id.clone()).collect();
    let mut counts = profiles::counts_of_organizations(conn, &ids)?;
    let views = rows.into_iter().map(|row| OrganizationView {
        profiles: counts.remove(&row.id).unwrap_or_default(),
        messaging_enabled: row.messaging_enabled_at.is_some(),
        messaging_enabled_at: row.messaging_enabled_at,
        settings: row.settings,
        id: row.id,
        name: row.name,
        first_seen_at: row.first_seen_at,
        deleted_at: row.deleted_at,
    });
    Ok(views.collect())
}

/// Lets an organization's triggers fire from now on. Doing it twice keeps the first time.
pub fn enable_messaging(
    conn: &mut Conn,
    actor: &Actor,
    id: &str,
    now: Timestamp,
) -> Result<MessagingView, OperationError> {
    switch(conn, actor, id, Some(now), now)
}

/// Stops an organization's triggers from firing. What is due already still goes out.
pub fn disable_messaging(
    conn: &mut Conn,
    actor: &Actor,
    id: &str,
    now: Timestamp,
) -> Result<MessagingView, OperationError> {
    switch(conn, actor, id, None, now)
}

/// Nobody of a deleted organization is to be messaged, unless an operator decided to keep its people (R84).
fn refuse_deleted(conn: &mut Conn, id: &str) -> Result<(), OperationError> {
    let deleted = organizations::find(conn, id)?.filter(|row| row.deleted_at.is_some());
    match deleted.map(|row| row.deletion_decision) {
        None => Ok(()),
        Some(None) => Err(OperationError::Conflict(format!(
            "organization {id} was deleted in WorkOS, so messaging cannot be turned on; first decide about \
             its people: `rollcall holds list` names the hold, and rejecting it keeps them"
        ))),
        Some(Some(decision)) if decision == organizations::KEEP => Ok(()),
        Some(Some(_)) => Err(OperationError::Conflict(format!(
            "organization {id} was deleted in WorkOS and its people were removed, so messaging cannot be \
             turned on; undo the hold's decision first if they are to come back"
        ))),
    }
}

fn switch(
    conn: &mut Conn,
    actor: &Actor,
    id: &str,
    to: Option<Timestamp>,
    now: Timestamp,
) -> Result<MessagingView, OperationError> {
    actor.require(Role::Operator)?;
    lock_part(conn, part_of(id))?;
    let before = show(conn, actor, id)?;
    if to.is_some() && !before.messaging_enabled {
        refuse_deleted(conn, id)?;
    }
    let due_before = deliveries::count_of(conn, id)?;
    if before.messaging_enabled != to.is_some() {
        organizations::set_messaging(conn, id, to)?;
        let act = if to.is_some() {
            "organization.messaging_enabled"
        } else {
            "organization.messaging_disabled"
        };
        audit(conn, actor, act, id, Some(id), None, now)?;
    }
    let organization = show(conn, actor, id)?;
    let people: i64 = organization
        .profiles
        .iter()
        .filter(|(status, _)| has_access(status))
        .map(|(_, count)| count)
        .sum();
    let settings = settings_of(conn, id)?;
    let published = store::of_organization(conn, id)?
        .into_iter()
        .filter(|row| row.status == Status::Published.name())
        .map(|row| row.name);
    Ok(MessagingView {
        people,
        messages_due: deliveries::count_of(conn, id)? - due_before,
        published: published.collect(),
        greeted_from: organization
            .messaging_enabled_at
            .and_then(|at| zone::first_greeted(&settings, at))
            .map(|day| day.to_string()),
        burst_limit: settings
            .burst_guard
            .limit(usize::try_from(people).unwrap_or(0)),
        organization,
    })
}
