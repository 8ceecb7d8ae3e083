//! Why somebody is in a community or not, and may come in or not: what holds them there, what was last
//! heard of them, what about them still waits, and the next step. For whoever is on call.

use serde::Serialize;
use serde_json::Value;

use crate::clock::Timestamp;
use crate::db::Conn;
use crate::domain::{Membership, Source};
use crate::outbox::{self, EventFilter, EventRow};
use crate::store::changes::{self, ChangeRow};
use crate::store::communities::{self, Community};
use crate::store::profiles::{self as rows, ProfileFilter, ProfileRow};
use crate::store::rules::Rule;
use crate::store::surroundings::Surroundings;
use crate::store::{erasures, staged};
use crate::triggers::plan::facts_of;
use crate::workos::clean;

use super::access::{self, AccessQuery};
use super::visibility::Redaction;
use super::{Actor, OperationError, Role, failing, failures, refusals, story, wrong_paths};

mod unreached;

/// People looked at when somebody is named.
const MOST_NAMED: i64 = 20;
/// Communities of an organization looked through for a name.
const MOST_COMMUNITIES: i64 = 10_000;

/// The answer.
#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs, reason = "the fields of the API")]
pub struct WhyView {
    pub profile_id: String,
    pub display_name: String,
    pub organization_id: String,
    pub status: String,
    /// Whether they may come in, and in a word why.
    pub access: bool,
    pub access_reason: String,
    /// What holds them where they are, in sentences.
    pub because: Vec<String>,
    /// What waits, was held or given up about them, in sentences.
    pub waiting: Vec<String>,
    /// Commands.
    pub next: Vec<String>,
}

/// Answers about one person: by profile id, by address, or by a name that only one has.
pub fn why(
    conn: &mut Conn,
    actor: &Actor,
    who: &str,
    community: Option<&str>,
    now: Timestamp,
) -> Result<WhyView, OperationError> {
    actor.require(Role::Viewer)?;
    let row = find(conn, actor, who)?;
    let query = AccessQuery {
        profile_id: Some(row.id.clone()),
        ..AccessQuery::default()
    };
    let access = access::access(conn, actor, &query)?;
    let mut view = WhyView {
        profile_id: row.id.clone(),
        display_name: row.display_name.clone(),
        organization_id: row.organization_id.clone(),
        status: row.status.clone(),
        access: access.allowed,
        access_reason: access.reason,
        because: Vec::new(),
        waiting: Vec::new(),
        next: Vec::new(),
    };
    let mut history = changes::of_profile(conn, &row.id)?;
    let redaction = Redaction::over_one(conn, actor, &row.organization_id)?;
    history
        .iter_mut()
        .for_each(|change| redaction.change(change));
    of_communities(conn, &row, &history, community, &mut view)?;
    of_events(conn, &row, now, &mut view)?;
    of_workos(conn, &row, now, &mut view)?;
    unreached::of_messages(conn, &row, now, &mut view)?;
    view.next
        .push(format!("rollcall profiles history {}", row.id));
    Ok(view)
}

fn find(conn: &mut Conn, actor: &Actor, who: &str) -> Result<ProfileRow, OperationError> {
    if let Some(row) =
        rows::find(conn, who)?.filter(|row| actor.may_see(Some(&row.organization_id)))
    {
        return Ok(row);
    }
    let filter = ProfileFilter {
        organization_id: actor.scope(None)?,
        q: Some(who.to_owned()),
        q_names_only: true,
        ..ProfileFilter::default()
    };
    let mut found = rows::list(conn, &filter, MOST_NAMED)?;
    let (address, name) = (clean::fold(who), clean::search(who));
    let exact = |row: &ProfileRow| {
        row.email
            .as_ref()
            .is_some_and(|email| clean::fold(email) == address)
            || clean::search(&row.display_name) == name
    };
    if found.iter().any(exact) {
        found.retain(exact);
    }
    match found.len() {
        0 => Err(OperationError::not_found("profile", who)),
        1 => Ok(found.remove(0)),
        many => {
            let ids: Vec<&str> = found.iter().map(|row| row.id.as_str()).collect();
            Err(OperationError::Invalid(format!(
                "{many} people match {who:?}: say which by id ({})",
                ids.join(", ")
            )))
        }
    }
}

/// Which communities are meant: the named one, or all they are or were in.
fn meant(
    conn: &mut Conn,
    row: &ProfileRow,
    memberships: &[Membership],
    community: Option<&str>,
) -> Result<Vec<Community>, OperationError> {
    let all = communities::list(
        conn,
        Some(&row.organization_id),
        None,
        None,
        MOST_COMMUNITIES,
    )?;
    let Some(name) = community else {
        let theirs = |one: &Community| memberships.iter().any(|row| row.community_id == one.id);
        return Ok(all.into_iter().filter(theirs).collect());
    };
    let named = |one: &Community| one.id == name || clean::fold(&one.name) == clean::fold(name);
    let found: Vec<Community> = all.into_iter().filter(named).collect();
    if found.is_empty() {
        return Err(OperationError::not_found("community", name));
    }
    Ok(found)
}

fn of_communities(
    conn: &mut Conn,
    row: &ProfileRow,
    history: &[ChangeRow],
    community: Option<&str>,
    view: &mut WhyView,
) -> Result<(), OperationError> {
    let ids = [row.id.clone()];
    let memberships = communities::memberships_of(conn, &ids)?
        .remove(&row.id)
        .unwrap_or_default();
    let around = Surroundings::of(conn, &ids)?;
    let staged = staged::of(conn, &ids)?;
    let facts = row
        .profile()
        .map(|profile| facts_of(&row.organization_id, &profile));
    let facts = facts.unwrap_or(Value::Null);
    let facts = around.facts(&row.id, &facts);
    for one in meant(conn, row, &memberships, community)? {
        let theirs: Vec<&Membership> = memberships
            .iter()
            .filter(|row| row.community_id == one.id)
            .collect();
        let rules: Vec<Rule> = serde_json::from_str(&one.rules).unwrap_or_default();
        if theirs.is_empty() {
            view.because.push(format!(
                "{} is not in {} and never was.",
                row.display_name, one.name
            ));
        }
        for membership in theirs {
            view.because
                .push(of_membership(&one.name, membership, history));
            if membership.ended_at.is_some() {
                continue;
            }
            if membership.source == Source::Rule {
                let holding: Vec<&Rule> = rules
                    .iter()
                    .filter(|rule| rule.when.matches(&facts))
                    .collect();
                for rule in &holding {
                    view.because.push(format!(
                        "A rule makes them {} of it, and it is so now: {}.",
                        rule.role, rule.when
                    ));
                    for field in rule.when.profile_fields() {
                        view.because.extend(last_word(&field, history));
                    }
                }
                if staged.contains(&(one.id.clone(), row.id.clone())) {
                    view.because
                        .push("No rule names them any more; leaving waits in a hold.".to_owned());
                    view.next
                        .push("rollcall holds list --state open".to_owned());
                }
            } else {
                view.next
                    .push(format!("rollcall communities remove {} {}", one.id, row.id));
            }
        }
    }
    Ok(())
}

fn of_membership(name: &str, one: &Membership, history: &[ChangeRow]) -> String {
    let how = match one.source {
        Source::Rule => "by a rule",
        Source::Manual => "by hand",
    };
    let role = one.role.as_str();
    let given = history.iter().rev().find(|change| {
        change.what == "membership" && change.name == one.community_id && change.new.is_some()
    });
    let by = given.map(|change| match &change.event_id {
        Some(event) => format!(", through event {event}"),
        None => format!(", given by {}", change.actor),
    });
    let by = by.unwrap_or_default();
    match (one.ended_at, &one.ended_reason) {
        (None, _) => format!(
            "They are {role} of {name} {how}, since {}{by}.",
            one.granted_at
        ),
        (Some(at), reason) => format!(
            "They were {role} of {name} {how} until {at}{}.",
            reason
                .as_ref()
                .map(|why| format!(": {why}"))
                .unwrap_or_default()
        ),
    }
}

/// The change that gave a field its present value.
fn last_word(field: &str, history: &[ChangeRow]) -> Option<String> {
    let change = history.iter().rev().find(|change| change.name == field)?;
    let value = change.new.as_deref().unwrap_or("nothing");
    let by = match &change.event_id {
        Some(event) => format!("event {event}"),
        None => change.actor.clone(),
    };
    Some(format!(
        "{field} has been “{value}” since {}, by {by}.",
        change.at
    ))
}

/// What was last heard of them, and what about them is not done.
fn of_events(
    conn: &mut Conn,
    row: &ProfileRow,
    now: Timestamp,
    view: &mut WhyView,
) -> Result<(), OperationError> {
    let subjects = erasures::subjects_of(conn, &row.id)?;
    if subjects.is_empty() {
        view.because
            .push("No directory has ever spoken of them.".to_owned());
        return Ok(());
    }
    let about = |state: Option<&str>| EventFilter {
        subjects: Some(subjects.clone()),
        state: state.map(str::to_owned),
        ..EventFilter::default()
    };
    if let Some(last) = outbox::list(conn, &about(None), 1)?.first() {
        view.because.push(format!(
            "What was last heard of them came {}. {}",
            last.received_at,
            story::of_event(last)
        ));
    }
    for state in ["ready", "held", "failed"] {
        for event in outbox::list(conn, &about(Some(state)), 5)? {
            view.waiting.push(format!(
                "{} ({}, received {})",
                story::of_event(&event),
                event.event_id,
                event.received_at
            ));
            view.next.push(next_step(&event));
        }
    }
    if view.waiting.is_empty() {
        view.waiting.push("Nothing: every event about them that came has been applied. If the directory says otherwise, it has not told WorkOS, or WorkOS has not told us.".to_owned());
        of_refusals(conn, now, view)?;
        view.next
            .push(format!("rollcall profiles resync {}", row.id));
    }
    Ok(())
}

/// What was refused at the door may have been about them: nobody has read it.
fn of_refusals(conn: &mut Conn, now: Timestamp, view: &mut WhyView) -> Result<(), OperationError> {
    let all = refusals::by_reason(conn, now.minus(failures::TOLD_FOR))?;
    let wrong = wrong_paths::since(conn, now.minus(failures::TOLD_FOR))?;
    let refused = all.iter().map(|(_, count, _, last)| (*count, *last));
    let refused = refused.chain(wrong.iter().map(|row| (row.count, row.last_at)));
    let count: i64 = refused.clone().map(|(count, _)| count).sum();
    if let Some(last) = refused.map(|(_, last)| last).max() {
        view.waiting.push(format!("But {count} deliveries were refused at the door in the last seven days, the last one {last}: what was in them is not known here, and may be about them."));
        view.next.push("rollcall failures".to_owned());
    }
    Ok(())
}

/// What is asked of WorkOS about them and fails again and again: something may be missing here (R93).
fn of_workos(
    conn: &mut Conn,
    row: &ProfileRow,
    now: Timestamp,
    view: &mut WhyView,
) -> Result<(), OperationError> {
    if let Some(reading) = failing::catch_ups(conn, now)?.first() {
        let since = reading.failing_since.unwrap_or(now);
        view.waiting.push(format!("Reading events back from WorkOS has failed since {since}: what a lost webhook said of them is not known here."));
        view.next.push("rollcall doctor".to_owned());
    }
    let links = rows::links_of(conn, std::slice::from_ref(&row.id))?;
    let theirs: Vec<String> = links
        .into_values()
        .flatten()
        .map(|link| link.directory_id)
        .collect();
    let directories = failing::comparisons(conn, Some(&row.organization_id), now)?;
    for directory in directories
        .iter()
        .filter(|one| theirs.contains(&one.directory_id))
    {
        view.waiting.push(format!(
            "Their directory {} could not be compared with WorkOS since {}.",
            directory.directory_id, directory.since
        ));
        view.next.push(format!(
            "rollcall directories reconcile {}",
            directory.directory_id
        ));
    }
    Ok(())
}

fn next_step(event: &EventRow) -> String {
    match event.state.as_str() {
        "held" => "rollcall holds list --state open".to_owned(),
        "failed" => format!("rollcall events replay {}", event.event_id),
        _ => "rollcall doctor".to_owned(),
    }
}
