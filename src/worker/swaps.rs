//! The identity-swap guard in a batch (R42): counts who changed identity within the hour, lets the
//! next one pass or stages the event, and opens or extends the hold that an operator decides. It is
//! loaded where somebody changes identity, which is rare.

use std::collections::BTreeMap;

use diesel::QueryResult;

use crate::clock::Timestamp;
use crate::db::Conn;
use crate::domain::guard::WINDOW;
use crate::store::holds::{self, HoldItem};
use crate::store::swaps::{self, Swap};

use super::incoming::IncomingEvent;
use super::working_set::WorkingSet;

/// Why a hold of changed identities opens.
const BURST: &str = "more people got another provider's id or an address in another domain within an hour \
     than the guard lets pass; the further changes wait";

/// The swap guards of the organizations of a batch.
#[derive(Debug, Default)]
pub(super) struct Swaps {
    of: BTreeMap<String, Counted>,
}

#[derive(Debug, Default)]
struct Counted {
    applied: Vec<Swap>,
    waiting: Vec<(String, Timestamp)>,
    headcount: usize,
    new: Vec<Swap>,
    held: Vec<Swap>,
}

/// Whether these people may change identity by this event now; staged when not.
pub(super) fn pass_swaps(
    conn: &mut Conn,
    world: &mut WorkingSet,
    event: &IncomingEvent,
    organization: &str,
    people: &[String],
) -> QueryResult<bool> {
    let settings = world.settings(organization).swap_guard;
    let event_id = &event.claimed.event_id;
    let at = event.claimed.received_at;
    if !world.swaps.of.contains_key(organization) {
        let counted = load(conn, organization, at)?;
        world.swaps.of.insert(organization.to_owned(), counted);
    }
    let approved = holds::approved(conn, std::slice::from_ref(event_id))?;
    let Some(counted) = world.swaps.of.get_mut(organization) else {
        return Ok(true);
    };
    let these = people.iter().map(|profile| Swap {
        event_id: event_id.clone(),
        profile_id: profile.clone(),
        organization_id: organization.to_owned(),
        received_at: at,
    });
    if approved.contains(event_id) {
        return Ok(true);
    }
    let here = counted.applied.iter().chain(&counted.new);
    let recent: Vec<(String, Timestamp)> = here
        .chain(&counted.held)
        .map(|one| (one.profile_id.clone(), one.received_at))
        .chain(counted.waiting.iter().cloned())
        .collect();
    // Whoever waits already goes on waiting, however long the decision takes.
    let waits = |profile: &String| counted.waiting.iter().any(|(waits, _)| waits == profile);
    if people.iter().any(waits) || settings.trips(&recent, people, at, counted.headcount) {
        counted.held.extend(these);
        return Ok(false);
    }
    counted.new.extend(these);
    Ok(true)
}

fn load(conn: &mut Conn, organization: &str, at: Timestamp) -> QueryResult<Counted> {
    Ok(Counted {
        applied: swaps::recent(conn, organization, at.minus(WINDOW))?,
        waiting: swaps::waiting(conn, organization)?,
        headcount: holds::headcount(conn, organization)?,
        ..Counted::default()
    })
}

impl Swaps {
    /// Keeps what passed, and opens or extends the holds.
    pub(super) fn write(&self, conn: &mut Conn, now: Timestamp) -> QueryResult<()> {
        for (organization, counted) in &self.of {
            swaps::add(conn, &counted.new)?;
            if counted.held.is_empty() {
                continue;
            }
            let hold = holds::open_or_known(conn, organization, holds::IDENTITY_SWAP, BURST, now)?;
            let listed = |all: &[Swap], applied: bool| -> Vec<HoldItem> {
                all.iter()
                    .map(|one| HoldItem::new(&hold, &one.event_id, &one.profile_id, applied, now))
                    .collect()
            };
            let mut all = listed(&counted.applied, true);
            all.extend(listed(&counted.new, true));
            all.extend(listed(&counted.held, false));
            holds::add_items(conn, &all)?;
            tracing::warn!(
                hold_id = hold,
                held = counted.held.len(),
                "more people get another identity than the guard lets pass; an operator decides"
            );
        }
        Ok(())
    }
}
