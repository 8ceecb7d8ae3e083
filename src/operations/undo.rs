//! Taking back an approval that was a mistake (R41): everybody of the batch is as before, whatever was
//! applied before the guard tripped, by the approval, or not at all yet.

use std::collections::BTreeSet;

use crate::clock::Timestamp;
use crate::db::Conn;
use crate::outbox;
use crate::store::holds::{self, Hold, HoldItem};
use crate::store::profiles;
use crate::worker;

use super::holds::{HoldDetail, follow_access, seen, show};
use super::{Actor, OperationError, Role, audit};

/// Takes an approved batch back: profiles, memberships, admin seats, cancelled messages.
pub fn undo(
    conn: &mut Conn,
    actor: &Actor,
    id: &str,
    now: Timestamp,
) -> Result<HoldDetail, OperationError> {
    actor.require(Role::Operator)?;
    let hold = seen(conn, actor, id)?;
    outbox::lock_part(conn, outbox::part_of(&hold.organization_id))?;
    if !matches!(
        hold.kind.as_str(),
        holds::REMOVALS
            | holds::DIRECTORY_DELETED
            | holds::ORGANIZATION_DELETED
            | holds::IDENTITY_SWAP
    ) {
        return Err(OperationError::Conflict(format!(
            "hold {id} is about {}, which cannot be undone",
            hold.kind
        )));
    }
    if !holds::undo(conn, id, &actor.name, now)? {
        return Err(OperationError::Conflict(format!(
            "hold {id} is {}: only an approved batch can be undone{}",
            hold.state,
            if hold.state == holds::OPEN {
                "; reject it instead"
            } else {
                ""
            }
        )));
    }
    let organization = Some(hold.organization_id.as_str());
    audit(conn, actor, "hold.undone", id, organization, None, now)?;
    match (&hold.directory_id, hold.kind.as_str()) {
        (Some(directory), holds::DIRECTORY_DELETED) => {
            let since = hold.decided_at.unwrap_or(hold.opened_at);
            worker::restore_directory(conn, directory, &actor.name, since, now)?;
        }
        (_, holds::ORGANIZATION_DELETED) => {
            let since = hold.decided_at.unwrap_or(hold.opened_at);
            worker::restore_people(conn, &hold.organization_id, &actor.name, since, now)?;
        }
        _ => {
            let items = holds::items(conn, id)?;
            let events: Vec<String> = items.into_iter().map(|item| item.event_id).collect();
            take_back(conn, &hold, &events, actor, now)?;
            follow_access(conn, id, now)?;
        }
    }
    show(conn, actor, id)
}

/// Takes removals back, and with them those that followed of the same people; all of them are of the
/// hold from now on, so that no replay applies them.
pub(super) fn take_back(
    conn: &mut Conn,
    hold: &Hold,
    events: &[String],
    actor: &Actor,
    now: Timestamp,
) -> Result<(), OperationError> {
    let and_removals = hold.kind == holds::REMOVALS;
    let organization = &hold.organization_id;
    let taken = worker::take_back(conn, organization, events, and_removals, &actor.name, now)?;
    let known: BTreeSet<&String> = events.iter().collect();
    let more: Vec<String> = taken
        .into_iter()
        .filter(|event| !known.contains(event))
        .collect();
    let mut items = Vec::new();
    for event in &more {
        let subject = outbox::find(conn, event)?.and_then(|row| row.subject);
        let subject: Vec<String> = subject.into_iter().collect();
        for profile_id in profiles::profile_of_links(conn, &subject)?.into_values() {
            items.push(HoldItem {
                hold_id: hold.id.clone(),
                event_id: event.clone(),
                profile_id,
                applied: true,
                held_at: now,
            });
        }
    }
    holds::add_items(conn, &items)?;
    let all: Vec<String> = events.iter().cloned().chain(more).collect();
    Ok(outbox::reject(conn, &all, &actor.name, now)?)
}
