//! Communities: created, renamed, deleted, with everybody in them. Writes take the
//! organization's part first, so that no worker moves the same people meanwhile (R73).

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::clock::Timestamp;
use crate::db::{Conn, DbError, new_id};
use crate::domain::Role as Seat;
use crate::outbox::{lock_part, part_of};
use crate::store::changes::Caused;
use crate::store::communities::{self, Community};
pub use crate::store::rules::Rule;
use crate::store::{rules, to_json, unreadable};
use crate::worker;
use crate::workos::clean;

use super::visibility::{Redaction, fields_asked};
use super::{Actor, Cursor, Listing, OperationError, Page, Role, audit, limit_of};

pub use super::members::{
    FormerView, MemberQuery, MemberView, former, member_page, members, parse_role, put_member,
    remove_member, seated,
};

const LONGEST_NAME: usize = 200;

/// Which communities.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the parameters of the API")]
pub struct CommunityQuery {
    pub organization_id: Option<String>,
    /// Only those that nobody runs any more (`true`), or that somebody does.
    pub orphaned: Option<bool>,
    pub limit: Option<i64>,
    pub cursor: Option<String>,
}

/// The body of `POST /v1/communities`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the fields of the API")]
pub struct NewCommunity {
    #[schemars(length(min = 1, max = LONGEST_NAME))]
    pub organization_id: String,
    /// No line breaks.
    #[schemars(length(min = 1, max = LONGEST_NAME))]
    pub name: String,
    #[serde(default)]
    #[schemars(with = "Vec<Rule>")]
    pub rules: Vec<Value>,
}

/// The body of `PATCH /v1/communities/{id}`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the fields of the API")]
pub struct CommunityUpdate {
    #[schemars(length(min = 1, max = LONGEST_NAME))]
    pub name: Option<String>,
    #[schemars(with = "Option<Vec<Rule>>")]
    pub rules: Option<Vec<Value>>,
}

/// A community as shown.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[allow(missing_docs, reason = "the fields of the API")]
pub struct CommunityView {
    pub id: String,
    pub organization_id: String,
    pub name: String,
    #[schemars(with = "Vec<Rule>")]
    pub rules: Vec<Value>,
    /// How many plain members, and how many admins.
    pub members: i64,
    pub admins: i64,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// Since when nobody runs it, where somebody did.
    pub orphaned_at: Option<Timestamp>,
    /// The job that brings its rules to everybody; null when everybody has what they say.
    pub rules_job_id: Option<String>,
}

/// A page of communities, newest first.
pub fn list(
    conn: &mut Conn,
    actor: &Actor,
    query: &CommunityQuery,
) -> Result<Page<CommunityView>, OperationError> {
    actor.require(Role::Viewer)?;
    let limit = limit_of(query.limit)?;
    let organization = actor.scope(query.organization_id.as_deref())?;
    let listing = Listing::of(actor, "communities", query)?;
    let cursor = listing.cursor(conn, query.cursor.as_deref())?;
    let before = cursor.map(|cursor| (cursor.at, cursor.id));
    let rows = communities::list(
        conn,
        organization.as_deref(),
        query.orphaned,
        before,
        limit + 1,
    )?;
    let page = listing.cut(conn, rows, limit, |row| Cursor {
        at: row.created_at,
        id: row.id.clone(),
    })?;
    let next_cursor = page.next_cursor;
    let data = views(conn, page.data)?;
    Ok(Page { data, next_cursor })
}

fn views(conn: &mut Conn, rows: Vec<Community>) -> Result<Vec<CommunityView>, OperationError> {
    let ids: Vec<String> = rows.iter().map(|row| row.id.clone()).collect();
    let counts = communities::head_counts(conn, &ids)?;
    let mut jobs = BTreeMap::new();
    let homes: BTreeSet<&str> = rows.iter().map(|row| &*row.organization_id).collect();
    for home in homes {
        for job in worker::rules_being_applied(conn, home)? {
            jobs.insert(worker::ruled_community(&job)?, job.id);
        }
    }
    rows.into_iter()
        .map(|row| {
            let count = |seat: Seat| {
                let key = (row.id.clone(), seat.as_str().to_owned());
                counts.get(&key).copied().unwrap_or_default()
            };
            let rules_job_id = jobs.remove(&row.id);
            Ok(CommunityView {
                members: count(Seat::Member),
                admins: count(Seat::Admin),
                rules: serde_json::from_str(&row.rules)
                    .map_err(|error| unreadable("rules", &row.id, &error))?,
                id: row.id,
                organization_id: row.organization_id,
                name: row.name,
                created_at: row.created_at,
                updated_at: row.updated_at,
                orphaned_at: row.orphaned_at,
                rules_job_id,
            })
        })
        .collect()
}

pub(super) fn seen(conn: &mut Conn, actor: &Actor, id: &str) -> Result<Community, OperationError> {
    communities::find(conn, id)?
        .filter(|row| actor.may_see(Some(&row.organization_id)))
        .ok_or_else(|| OperationError::not_found("community", id))
}

/// As [`seen`], with the organization's people to ourselves until the transaction ends.
pub(super) fn held(conn: &mut Conn, actor: &Actor, id: &str) -> Result<Community, OperationError> {
    actor.require(Role::Operator)?;
    let community = seen(conn, actor, id)?;
    lock_part(conn, part_of(&community.organization_id))?;
    Ok(community)
}

/// One community.
pub fn show(conn: &mut Conn, actor: &Actor, id: &str) -> Result<CommunityView, OperationError> {
    actor.require(Role::Viewer)?;
    let row = seen(conn, actor, id)?;
    views(conn, vec![row])?
        .pop()
        .ok_or_else(|| OperationError::not_found("community", id))
}

/// Creates a community.
pub fn create(
    conn: &mut Conn,
    actor: &Actor,
    new: &NewCommunity,
    now: Timestamp,
) -> Result<CommunityView, OperationError> {
    actor.require(Role::Operator)?;
    let organization = new.organization_id.trim();
    if organization.is_empty() || organization.chars().count() > LONGEST_NAME {
        return Err(OperationError::Invalid(
            "organization_id is WorkOS's id of the organization, such as org_01…".to_owned(),
        ));
    }
    actor.scope(Some(organization))?;
    let kept = kept_rules(conn, actor, organization, &new.rules)?;
    let row = Community {
        id: new_id("community"),
        organization_id: organization.to_owned(),
        name: good_name(&new.name)?,
        rules: kept,
        created_at: now,
        updated_at: now,
        orphaned_at: None,
    };
    if !communities::create(conn, &row)? {
        return Err(taken(&row.name));
    }
    note(conn, actor, "community.created", &row, Some(&row.name), now)?;
    if !new.rules.is_empty() {
        lock_part(conn, part_of(&row.organization_id))?;
        worker::apply_rules(conn, &row, &actor.name, now)?;
    }
    show(conn, actor, &row.id)
}

/// Renames a community.
pub fn update(
    conn: &mut Conn,
    actor: &Actor,
    id: &str,
    update: &CommunityUpdate,
    now: Timestamp,
) -> Result<CommunityView, OperationError> {
    let mut row = held(conn, actor, id)?;
    if let Some(name) = &update.name {
        let old = std::mem::replace(&mut row.name, good_name(name)?);
        if old != row.name {
            row.updated_at = now;
            communities::update(conn, &row).map_err(|error| taken_or(error, &row.name))?;
            let detail = format!("{old} -> {}", row.name);
            note(conn, actor, "community.renamed", &row, Some(&detail), now)?;
        }
    }
    match &update.rules {
        Some(rules) => put_rules(conn, actor, id, rules, now),
        None => show(conn, actor, id),
    }
}

/// Deletes a community; everybody in it leaves it. Answers it as it was.
pub fn delete(
    conn: &mut Conn,
    actor: &Actor,
    id: &str,
    now: Timestamp,
) -> Result<CommunityView, OperationError> {
    let row = held(conn, actor, id)?;
    let shown = show(conn, actor, id)?;
    let left: Vec<Caused> = communities::members(conn, id)?
        .into_iter()
        .map(|member| {
            let place = (&*row.organization_id, &*row.id);
            let was = Seat::parse(&member.role);
            worker::membership_change(place, &member.profile_id, (was, None), &actor.name, now)
        })
        .collect();
    worker::record_memberships(conn, &left, now)?;
    communities::delete(conn, id)?;
    note(conn, actor, "community.deleted", &row, Some(&row.name), now)?;
    Ok(shown)
}

pub(super) fn note(
    conn: &mut Conn,
    actor: &Actor,
    act: &str,
    community: &Community,
    detail: Option<&str>,
    now: Timestamp,
) -> Result<(), DbError> {
    let organization = Some(community.organization_id.as_str());
    audit(conn, actor, act, &community.id, organization, detail, now)
}

/// Replaces a community's rules and applies them to everybody: in a large organization by a job.
pub fn put_rules(
    conn: &mut Conn,
    actor: &Actor,
    id: &str,
    new: &[Value],
    now: Timestamp,
) -> Result<CommunityView, OperationError> {
    let mut row = held(conn, actor, id)?;
    row.rules = kept_rules(conn, actor, &row.organization_id, new)?;
    row.updated_at = now;
    communities::update(conn, &row)?;
    let detail = format!("{} rules", new.len());
    note(conn, actor, "community.rules_put", &row, Some(&detail), now)?;
    worker::apply_rules(conn, &row, &actor.name, now)?;
    show(conn, actor, id)
}

/// Rules as they are kept: checked, all problems told at once. Who is where must not tell what the
/// actor may not see.
fn kept_rules(
    conn: &mut Conn,
    actor: &Actor,
    organization: &str,
    new: &[Value],
) -> Result<String, OperationError> {
    let rules = rules::parse(new).map_err(OperationError::Problems)?;
    let redaction = Redaction::over_one(conn, actor, organization)?;
    if new
        .iter()
        .flat_map(fields_asked)
        .any(|field| redaction.covers(&field))
    {
        redaction.refuse("a rule about a sensitive field")?;
    }
    Ok(to_json(&rules)?)
}

fn good_name(name: &str) -> Result<String, OperationError> {
    let name = clean::text(name);
    let length = name.chars().count();
    if !(1..=LONGEST_NAME).contains(&length) || name.chars().any(char::is_control) {
        return Err(OperationError::Invalid(format!(
            "a community's name has 1 to {LONGEST_NAME} characters and no line breaks"
        )));
    }
    Ok(name)
}

fn taken(name: &str) -> OperationError {
    OperationError::Conflict(format!(
        "the organization has a community named {name:?} already; choose another name"
    ))
}

fn taken_or(error: diesel::result::Error, name: &str) -> OperationError {
    use diesel::result::{DatabaseErrorKind, Error};
    match error {
        Error::DatabaseError(DatabaseErrorKind::UniqueViolation, _) => taken(name),
        other => other.into(),
    }
}
