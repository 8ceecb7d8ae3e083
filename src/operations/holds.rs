//! Holds: removals and changed identities that wait; list, show, approve, reject; and the
//! decision about a deleted directory. Of two operators at once, one decides and the other is told who did.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::db::Conn;
use crate::outbox;
use crate::store::holds::{self, Hold, HoldItem};
use crate::store::{directories, organizations, profiles, renames, staged};
use crate::triggers::deliveries;
use crate::worker;

use super::events::one_of;
use super::undo::take_back;
use super::{Actor, Cursor, Listing, OperationError, Page, Role, audit, limit_of};

pub use crate::store::holds::IDENTITY_SWAP;

const STATES: [&str; 4] = [holds::OPEN, holds::APPROVED, holds::REJECTED, holds::UNDONE];

/// Which holds.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the parameters of the API")]
pub struct HoldQuery {
    pub organization_id: Option<String>,
    /// `open`, `approved`, `rejected` or `undone`; all when nothing is said.
    #[schemars(extend("enum" = STATES))]
    pub state: Option<String>,
    pub limit: Option<i64>,
    pub cursor: Option<String>,
}

/// A hold as shown.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[allow(missing_docs, reason = "the fields of the API")]
pub struct HoldView {
    pub id: String,
    pub organization_id: String,
    pub kind: String,
    pub directory_id: Option<String>,
    /// The deleted group whose members wait, and the one it may have been renamed to.
    pub group_id: Option<String>,
    pub probable_rename: Option<RenameView>,
    /// When it settles by itself, if nobody decides.
    pub due_at: Option<Timestamp>,
    pub state: String,
    pub reason: String,
    /// How many people wait, and how many were removed before it tripped.
    pub waiting: usize,
    pub applied: usize,
    pub opened_at: Timestamp,
    pub decided_at: Option<Timestamp>,
    pub decided_by: Option<String>,
}

/// A group that may be a deleted one under a new name (R52).
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[allow(missing_docs, reason = "the fields of the API")]
pub struct RenameView {
    pub group_id: String,
    pub name: String,
    /// How many members both have, of how many.
    pub same_members: usize,
    pub of: usize,
}

/// A hold and whom it is about.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[allow(missing_docs, reason = "the fields of the API")]
pub struct HoldDetail {
    #[serde(flatten)]
    pub hold: HoldView,
    pub people: Vec<HeldPerson>,
}

/// Somebody a hold is about.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[allow(missing_docs, reason = "the fields of the API")]
pub struct HeldPerson {
    pub profile_id: String,
    pub display_name: Option<String>,
    pub status: Option<String>,
    pub event_id: String,
    /// Removed already when the hold tripped.
    pub applied: bool,
    /// The communities they would leave, where that is what waits.
    pub communities: Vec<String>,
    pub held_at: Timestamp,
}

/// A page of holds, newest first.
pub fn list(
    conn: &mut Conn,
    actor: &Actor,
    query: &HoldQuery,
) -> Result<Page<HoldView>, OperationError> {
    actor.require(Role::Viewer)?;
    let limit = limit_of(query.limit)?;
    if let Some(state) = &query.state {
        one_of("state", state, &STATES)?;
    }
    let organization = actor.scope(query.organization_id.as_deref())?;
    let listing = Listing::of(actor, "holds", query)?;
    let cursor = listing.cursor(conn, query.cursor.as_deref())?;
    let before = cursor.map(|cursor| (cursor.at, cursor.id));
    let rows = holds::list(
        conn,
        organization.as_deref(),
        query.state.as_deref(),
        before,
        limit + 1,
    )?;
    let page = listing.cut(conn, rows, limit, |row| Cursor {
        at: row.opened_at,
        id: row.id.clone(),
    })?;
    let next_cursor = page.next_cursor;
    let data = page
        .data
        .into_iter()
        .map(|row| {
            let items = holds::items(conn, &row.id)?;
            view(conn, row, &items)
        })
        .collect::<Result<_, _>>()?;
    Ok(Page { data, next_cursor })
}

fn view(conn: &mut Conn, row: Hold, items: &[HoldItem]) -> Result<HoldView, OperationError> {
    // People, not events: a deactivation and the deletion that follows it are one person's.
    let people = |applied: bool| {
        let some = items.iter().filter(|item| item.applied == applied);
        let ids: BTreeSet<&str> = some.map(|item| item.profile_id.as_str()).collect();
        ids.len()
    };
    let probable_rename = match &row.group_id {
        Some(group) if row.state == holds::OPEN => rename(conn, &row, group)?,
        _ => None,
    };
    Ok(HoldView {
        probable_rename,
        waiting: people(false),
        applied: people(true),
        id: row.id,
        organization_id: row.organization_id,
        kind: row.kind,
        directory_id: row.directory_id,
        group_id: row.group_id,
        due_at: row.due_at,
        state: row.state,
        reason: row.reason,
        opened_at: row.opened_at,
        decided_at: row.decided_at,
        decided_by: row.decided_by,
    })
}

fn rename(conn: &mut Conn, row: &Hold, group: &str) -> Result<Option<RenameView>, OperationError> {
    let cycle = organizations::find(conn, &row.organization_id)?
        .map(|one| one.settings.poll_cycle_minutes)
        .unwrap_or_default();
    let found = renames::probable(conn, group, cycle)?;
    Ok(found.map(|one| RenameView {
        group_id: one.heir.id,
        name: one.heir.name,
        same_members: one.same,
        of: one.of,
    }))
}

pub(super) fn seen(conn: &mut Conn, actor: &Actor, id: &str) -> Result<Hold, OperationError> {
    holds::find(conn, id)?
        .filter(|row| actor.may_see(Some(&row.organization_id)))
        .ok_or_else(|| OperationError::not_found("hold", id))
}

/// One hold with its people.
pub fn show(conn: &mut Conn, actor: &Actor, id: &str) -> Result<HoldDetail, OperationError> {
    actor.require(Role::Viewer)?;
    let row = seen(conn, actor, id)?;
    let items = holds::items(conn, id)?;
    let ids: Vec<String> = items.iter().map(|item| item.profile_id.clone()).collect();
    let people = profiles::load(conn, &ids)?;
    let mut leaves: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for one in staged::of_hold(conn, id)? {
        let theirs = leaves.entry(one.profile_id).or_default();
        theirs.push(one.community_id);
    }
    let hold = view(conn, row, &items)?;
    let people = items
        .into_iter()
        .map(|item| {
            let person = people.get(&item.profile_id);
            HeldPerson {
                display_name: person.map(|person| person.display_name.clone()),
                status: person.map(|person| person.status.clone()),
                communities: leaves.get(&item.profile_id).cloned().unwrap_or_default(),
                profile_id: item.profile_id,
                event_id: item.event_id,
                applied: item.applied,
                held_at: item.held_at,
            }
        })
        .collect();
    Ok(HoldDetail { hold, people })
}

/// Lets everything that waits be applied.
pub fn approve(
    conn: &mut Conn,
    actor: &Actor,
    id: &str,
    now: Timestamp,
) -> Result<HoldDetail, OperationError> {
    let hold = take(conn, actor, id, "approved", now)?;
    if hold.kind == holds::DIRECTORY_DELETED {
        if let Some(directory) = &hold.directory_id {
            still_gone(conn, directory)?;
            worker::end_directory(conn, directory, &actor.name, now)?;
        }
    } else if hold.kind == holds::ORGANIZATION_DELETED {
        worker::remove_people(conn, &hold.organization_id, &actor.name, now)?;
    } else if is_of_messages(&hold) {
        deliveries::release_held(conn, id, now)?;
    } else if is_of_leaves(&hold) {
        worker::end_leaves(conn, &hold, &actor.name, now)?;
    } else {
        let waiting = events(conn, id, false)?;
        outbox::release(conn, &waiting, &actor.name, now)?;
    }
    show(conn, actor, id)
}

/// Refuses to remove the people of a directory that was linked again meanwhile.
fn still_gone(conn: &mut Conn, directory: &str) -> Result<(), OperationError> {
    let known = directories::load(conn, &[directory.to_owned()])?;
    if known.get(directory).is_some_and(|one| one.life.live()) {
        return Err(OperationError::Conflict(format!(
            "directory {directory} is linked again, and its own events speak for its people; decide `keep`"
        )));
    }
    Ok(())
}

/// Takes everything back: held welcomes are cancelled; of removals, what waits is not applied, what was applied is undone with memberships,
/// admin seats and cancelled messages (R41).
pub fn reject(
    conn: &mut Conn,
    actor: &Actor,
    id: &str,
    now: Timestamp,
) -> Result<HoldDetail, OperationError> {
    let hold = take(conn, actor, id, "rejected", now)?;
    if is_of_messages(&hold) {
        deliveries::cancel_held(conn, id, &actor.name, now)?;
    } else if is_of_leaves(&hold) {
        // Without an heir the memberships stay until their rules give them again.
        worker::hand_over(conn, &hold, &actor.name, now)?;
    } else if hold.kind == holds::ORGANIZATION_DELETED {
        worker::keep_people(conn, &hold.organization_id, &actor.name, now)?;
    } else if hold.kind != holds::DIRECTORY_DELETED {
        let waiting = events(conn, id, false)?;
        outbox::reject(conn, &waiting, &actor.name, now)?;
        let applied = events(conn, id, true)?;
        take_back(conn, &hold, &applied, actor, now)?;
        follow_access(conn, id, now)?;
    }
    show(conn, actor, id)
}

/// Tells host applications whose access the decision gave back.
pub(super) fn follow_access(
    conn: &mut Conn,
    hold: &str,
    now: Timestamp,
) -> Result<(), OperationError> {
    let items = holds::items(conn, hold)?;
    let people: BTreeSet<String> = items.into_iter().map(|item| item.profile_id).collect();
    let people: Vec<String> = people.into_iter().collect();
    Ok(worker::follow_access(conn, &people, now)?)
}

fn is_of_messages(hold: &Hold) -> bool {
    holds::OF_MESSAGES.contains(&hold.kind.as_str())
}

fn is_of_leaves(hold: &Hold) -> bool {
    [holds::LEAVES, holds::GROUP_DELETED].contains(&hold.kind.as_str())
}

/// Closes an open hold in the actor's name.
fn take(
    conn: &mut Conn,
    actor: &Actor,
    id: &str,
    state: &str,
    now: Timestamp,
) -> Result<Hold, OperationError> {
    actor.require(Role::Operator)?;
    let hold = seen(conn, actor, id)?;
    outbox::lock_part(conn, outbox::part_of(&hold.organization_id))?;
    if !holds::decide(conn, id, state, &actor.name, now)? {
        // As it is now: whoever was first may have decided while this call waited.
        let by = holds::find(conn, id)?
            .and_then(|hold| hold.decided_by)
            .unwrap_or_else(|| "somebody else".to_owned());
        return Err(OperationError::Conflict(format!(
            "hold {id} was decided already, by {by}"
        )));
    }
    audit(
        conn,
        actor,
        &format!("hold.{state}"),
        id,
        Some(&hold.organization_id),
        None,
        now,
    )?;
    Ok(hold)
}

fn events(conn: &mut Conn, hold: &str, applied: bool) -> Result<Vec<String>, OperationError> {
    let items = holds::items(conn, hold)?;
    Ok(items
        .into_iter()
        .filter(|item| item.applied == applied)
        .map(|item| item.event_id)
        .collect())
}

/// What to do with the people of a deleted directory (R36).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// Everybody whom no other directory speaks for is removed.
    RemoveAll,
    /// They stay; from now on log-ins update them.
    Keep,
    /// They stay; the new directory will speak for them.
    Relink,
}

/// Decides about the people of a deleted directory.
pub fn decide_directory(
    conn: &mut Conn,
    actor: &Actor,
    id: &str,
    decision: Decision,
    now: Timestamp,
) -> Result<HoldDetail, OperationError> {
    actor.require(Role::Operator)?;
    let directory = directories::load(conn, &[id.to_owned()])?
        .remove(id)
        .filter(|one| actor.may_see(Some(&one.organization_id)))
        .ok_or_else(|| OperationError::not_found("directory", id))?;
    let hold = holds::open_of(
        conn,
        &directory.organization_id,
        holds::DIRECTORY_DELETED,
        Some(id),
    )?
    .ok_or_else(|| {
        OperationError::Conflict(format!(
            "nothing is to be decided about directory {id}: it is {}",
            directory.state
        ))
    })?;
    match decision {
        Decision::RemoveAll => approve(conn, actor, &hold.id, now),
        Decision::Keep | Decision::Relink => reject(conn, actor, &hold.id, now),
    }
}
