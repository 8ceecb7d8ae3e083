//! Conflicts (R20, R25, R32): directory users whose person cannot be decided, addresses
//! kept aside, and people who may be somebody who left; listed with whom they might be. What an
//! operator decides is kept and found by whatever comes later; it can be decided anew.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::db::Conn;
use crate::outbox;
use crate::store::decisions::{self, Asked};
use crate::store::profiles::{self, ProfileRow};
use crate::worker;

use super::events::one_of;
use super::visibility::Redaction;
use super::{Actor, Cursor, Listing, OperationError, Page, Role, audit, limit_of};

/// What can be open about a directory user.
const KINDS: [&str; 3] = ["conflict", "address", "possible_rehire"];

/// Which conflicts.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the parameters of the API")]
pub struct ConflictQuery {
    pub organization_id: Option<String>,
    /// `conflict`, `address` or `possible_rehire`; all when nothing is said.
    #[schemars(extend("enum" = KINDS))]
    pub kind: Option<String>,
    pub limit: Option<i64>,
    pub cursor: Option<String>,
}

/// A directory user and what is asked about it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[allow(missing_docs, reason = "the fields of the API")]
pub struct ConflictView {
    pub directory_user_id: String,
    pub organization_id: String,
    pub directory_id: String,
    pub idp_id: Option<String>,
    /// `open` or `decided`.
    pub state: &'static str,
    /// `conflict`: whose it is is not known, and it gives nobody access. `address`: its new address is
    /// somebody else's and kept aside. `possible_rehire`: its person may be one who left.
    pub kind: Option<&'static str>,
    /// By what they met: `email`, `employee_number` or `idp_id`.
    pub over: Option<String>,
    /// The profile it has now.
    pub profile: Option<Somebody>,
    /// Whom it might be.
    pub candidates: Vec<Somebody>,
    /// What was decided about it, newest decision only.
    pub decisions: Vec<DecisionView>,
    /// When it was last spoken of.
    pub last_event_at: Timestamp,
}

/// A person, as far as one must see them to decide.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[allow(missing_docs, reason = "the fields of the API")]
pub struct Somebody {
    pub profile_id: String,
    pub display_name: Option<String>,
    pub email: Option<String>,
    pub department: Option<String>,
    pub status: Option<String>,
    pub removed_at: Option<Timestamp>,
}

/// Two directory users were said to be the same person, or not to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[allow(missing_docs, reason = "the fields of the API")]
pub struct DecisionView {
    pub other_directory_user_id: String,
    pub same: bool,
    pub decided_by: String,
    pub decided_at: Timestamp,
}

/// Who a directory user is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "ConflictAnswer")]
pub enum Answer {
    /// The person of `profile_id`.
    SameAs,
    /// None of the candidates.
    NewPerson,
}

/// What was decided.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the parameters of the API")]
#[schemars(rename = "DecideConflict")]
pub struct Decide {
    pub decision: Answer,
    pub profile_id: Option<String>,
}

/// Open conflicts, those last spoken of first.
pub fn list(
    conn: &mut Conn,
    actor: &Actor,
    query: &ConflictQuery,
) -> Result<Page<ConflictView>, OperationError> {
    actor.require(Role::Viewer)?;
    let limit = limit_of(query.limit)?;
    if let Some(kind) = query.kind.as_deref() {
        one_of("kind", kind, &KINDS)?;
    }
    let organization = actor.scope(query.organization_id.as_deref())?;
    let listing = Listing::of(actor, "conflicts", query)?;
    let cursor = listing.cursor(conn, query.cursor.as_deref())?;
    let rows = decisions::open(
        conn,
        organization.as_deref(),
        query.kind.as_deref(),
        cursor.map(|cursor| (cursor.at, cursor.id)),
        limit + 1,
    )?;
    let page = listing.cut(conn, rows, limit, |row| Cursor {
        at: row.last_at,
        id: row.directory_user_id.clone(),
    })?;
    let next_cursor = page.next_cursor;
    let data = views(conn, actor, page.data)?;
    Ok(Page { data, next_cursor })
}

/// One directory user, asked about or not.
pub fn show(conn: &mut Conn, actor: &Actor, id: &str) -> Result<ConflictView, OperationError> {
    actor.require(Role::Viewer)?;
    let row = seen(conn, actor, id)?;
    views(conn, actor, vec![row])?
        .pop()
        .ok_or_else(|| OperationError::not_found("directory user", id))
}

/// Decides who a directory user is.
pub fn decide(
    conn: &mut Conn,
    actor: &Actor,
    id: &str,
    decide: &Decide,
    now: Timestamp,
) -> Result<ConflictView, OperationError> {
    actor.require(Role::Operator)?;
    let organization = seen(conn, actor, id)?.organization_id;
    outbox::lock_part(conn, outbox::part_of(&organization))?;
    let asked = seen(conn, actor, id)?;
    let earlier = decisions::of_user(conn, id)?;
    if asked.question.is_none() && earlier.is_empty() {
        return Err(OperationError::Conflict(format!(
            "nothing is to be decided about directory user {id}"
        )));
    }
    let same = decide.decision == Answer::SameAs;
    let others = match (decide.decision, &decide.profile_id) {
        (Answer::SameAs, Some(profile)) => links_of_same(conn, &asked, profile)?,
        (Answer::NewPerson, None) => match &asked.question {
            Some(question) => links_of_all(conn, &question.candidates)?,
            None => earlier.iter().map(|one| one.other_id.clone()).collect(),
        },
        (Answer::SameAs, None) => {
            return Err(OperationError::Invalid(
                "name the profile_id of the person it is the same as".to_owned(),
            ));
        }
        (Answer::NewPerson, Some(_)) => {
            return Err(OperationError::Invalid(
                "a new person has no profile_id yet: leave it out, or decide `same_as`".to_owned(),
            ));
        }
    };
    let new: Vec<decisions::Decision> = others
        .into_iter()
        .filter(|other| other != id)
        .map(|other_id| decisions::Decision {
            directory_user_id: id.to_owned(),
            other_id,
            organization_id: organization.clone(),
            same,
            decided_by: actor.name.clone(),
            decided_at: now,
        })
        .collect();
    if new.is_empty() {
        return Err(OperationError::Conflict(format!(
            "whom directory user {id} might be is not there any more; look at the conflict again"
        )));
    }
    worker::decide_identity(conn, &organization, id, &new, &actor.name, now)?;
    note(conn, actor, &asked, decide, now)?;
    show(conn, actor, id)
}

/// Audits a decision under the person that the directory user has now, so that their history tells it.
fn note(
    conn: &mut Conn,
    actor: &Actor,
    asked: &Asked,
    decide: &Decide,
    now: Timestamp,
) -> Result<(), OperationError> {
    let id = &asked.directory_user_id;
    let after = decisions::asked(conn, id)?.and_then(|row| row.profile_id);
    let former = asked
        .profile_id
        .as_ref()
        .filter(|former| Some(*former) != after.as_ref());
    let (act, mut detail) = match decide.decision {
        Answer::SameAs => (
            "conflict.same_as",
            format!("directory user {id} is this person"),
        ),
        Answer::NewPerson => (
            "conflict.new_person",
            format!("directory user {id} is a person of its own"),
        ),
    };
    if let Some(former) = former {
        detail.push_str(&format!("; it was shown as {former}"));
    }
    let target = after.as_deref().unwrap_or(id);
    let organization = Some(asked.organization_id.as_str());
    audit(conn, actor, act, target, organization, Some(&detail), now)?;
    Ok(())
}

fn seen(conn: &mut Conn, actor: &Actor, id: &str) -> Result<Asked, OperationError> {
    decisions::asked(conn, id)?
        .filter(|row| actor.may_see(Some(&row.organization_id)))
        .ok_or_else(|| OperationError::not_found("directory user", id))
}

/// One directory user of the person it is the same as: one that works there, if any does.
fn links_of_same(
    conn: &mut Conn,
    asked: &Asked,
    profile: &str,
) -> Result<BTreeSet<String>, OperationError> {
    let row = profiles::find(conn, profile)?
        .filter(|row| row.organization_id == asked.organization_id && row.status != "erased")
        .ok_or_else(|| OperationError::not_found("profile", profile))?;
    if asked.profile_id.as_ref() == Some(&row.id) {
        return Err(OperationError::Invalid(format!(
            "directory user {} is shown as profile {profile} already; name another one",
            asked.directory_user_id
        )));
    }
    let links = profiles::links_of(conn, &[row.id])?.into_values().flatten();
    let first = links.min_by_key(|link| (link.state != "active", link.directory_user_id.clone()));
    Ok(first
        .map(|link| link.directory_user_id)
        .into_iter()
        .collect())
}

fn links_of_all(conn: &mut Conn, people: &[String]) -> Result<BTreeSet<String>, OperationError> {
    let links = profiles::links_of(conn, people)?.into_values().flatten();
    Ok(links.map(|link| link.directory_user_id).collect())
}

fn views(
    conn: &mut Conn,
    actor: &Actor,
    rows: Vec<Asked>,
) -> Result<Vec<ConflictView>, OperationError> {
    let mut ids = BTreeSet::new();
    for row in &rows {
        ids.extend(row.profile_id.clone());
        ids.extend(row.question.iter().flat_map(|one| one.candidates.clone()));
    }
    let mut people = profiles::load(conn, &ids.into_iter().collect::<Vec<_>>())?;
    let homes: Vec<String> = rows.iter().map(|row| row.organization_id.clone()).collect();
    let redaction = Redaction::over(conn, actor, &homes)?;
    for person in people.values_mut() {
        redaction.profile(person)?;
    }
    let users: Vec<String> = rows
        .iter()
        .map(|row| row.directory_user_id.clone())
        .collect();
    let mut decided = decisions::of_users(conn, &users)?;
    let views = rows.into_iter().map(|row| {
        let decided = decided.remove(&row.directory_user_id).unwrap_or_default();
        view(row, decided, &people)
    });
    Ok(views.collect())
}

fn view(
    row: Asked,
    decided: Vec<decisions::Decision>,
    people: &BTreeMap<String, ProfileRow>,
) -> ConflictView {
    let candidates = row.question.iter().flat_map(|one| &one.candidates);
    ConflictView {
        state: if row.question.is_some() {
            "open"
        } else {
            "decided"
        },
        kind: row.question.as_ref().map(|one| one.kind.as_str()),
        candidates: candidates.map(|id| somebody(id, people)).collect(),
        profile: row.profile_id.as_ref().map(|id| somebody(id, people)),
        over: row.question.map(|one| one.over),
        decisions: decided
            .into_iter()
            .map(|one| DecisionView {
                other_directory_user_id: one.other_id,
                same: one.same,
                decided_by: one.decided_by,
                decided_at: one.decided_at,
            })
            .collect(),
        directory_user_id: row.directory_user_id,
        organization_id: row.organization_id,
        directory_id: row.directory_id,
        idp_id: row.idp_id,
        last_event_at: row.last_at,
    }
}

fn somebody(id: &str, people: &BTreeMap<String, ProfileRow>) -> Somebody {
    let row = people.get(id);
    Somebody {
        profile_id: id.to_owned(),
        display_name: row.map(|row| row.display_name.clone()),
        email: row.and_then(|row| row.email.clone()),
        department: row.and_then(|row| row.department.clone()),
        status: row.map(|row| row.status.clone()),
        removed_at: row.and_then(|row| row.removed_at),
    }
}
