//! The removal guard in a batch (R40): counts what an organization lost within the hour, lets the
//! next removal pass or stages it, and opens or extends the hold that an operator decides. What was
//! applied before it tripped is listed too, because a rejection undoes it (R41).

use std::collections::{BTreeMap, BTreeSet};

use diesel::QueryResult;

use crate::clock::Timestamp;
use crate::db::Conn;
use crate::domain::IdentityCluster;
use crate::domain::guard::{RemovalGuard, WINDOW};
use crate::store::holds::{self, Hold, HoldItem, Removal};

use super::incoming::IncomingEvent;

/// Why a hold of removals opens.
const BURST: &str =
    "more people were removed within an hour than the guard lets pass; the further removals wait";

/// The guards of the organizations of a batch.
#[derive(Debug, Default)]
pub(super) struct Guards {
    of: BTreeMap<String, Guard>,
    approved: BTreeSet<String>,
    /// Events that an operator took back: nothing applies them again.
    taken_back: BTreeSet<String>,
    /// Directories that were deleted: each opens a hold of its own (R36).
    pub detached: Vec<Detached>,
}

/// A directory whose deletion an operator must decide about.
#[derive(Debug)]
pub(super) struct Detached {
    pub organization_id: String,
    pub directory_id: String,
    pub event_id: String,
    /// It is not the deletion itself, but somebody of whom was heard only after it.
    pub late: bool,
}

#[derive(Debug, Default)]
struct Guard {
    applied: Vec<Removal>,
    held_before: Vec<Timestamp>,
    headcount: usize,
    held: Vec<(String, String, Timestamp)>,
    /// Where removals settle first: those that were not looked at yet, by directory user.
    coming: BTreeMap<String, Timestamp>,
}

impl Guards {
    /// Counts for every organization that may lose somebody in this batch.
    pub(super) fn load(
        conn: &mut Conn,
        items: &[IncomingEvent],
        settles: &dyn Fn(&str) -> bool,
    ) -> QueryResult<Self> {
        let mut earliest: BTreeMap<String, Timestamp> = BTreeMap::new();
        let mut events = Vec::new();
        for item in items.iter().filter(|item| item.key.removal) {
            let Some((organization, _)) = item.observation() else {
                continue;
            };
            events.push(item.claimed.event_id.clone());
            let at = earliest
                .entry(organization)
                .or_insert(item.claimed.received_at);
            *at = (*at).min(item.claimed.received_at);
        }
        let spoken = items.iter().filter(|item| item.observation().is_some());
        let spoken: Vec<String> = spoken.map(|item| item.claimed.event_id.clone()).collect();
        let mut all = Self {
            taken_back: holds::taken_back(conn, &spoken)?,
            ..Self::default()
        };
        if events.is_empty() {
            return Ok(all);
        }
        all.approved = holds::approved(conn, &events)?;
        for (organization, at) in earliest {
            let since = at.minus(WINDOW);
            let applied = holds::recent_removals(conn, &organization, since)?;
            let held_before = holds::recent_held(conn, &organization, since)?;
            let headcount = holds::headcount(conn, &organization)? + applied.len();
            let coming = match settles(&organization) {
                true => holds::coming(conn, &organization, since)?,
                false => Vec::new(),
            };
            all.of.insert(
                organization,
                Guard {
                    applied,
                    held_before,
                    headcount,
                    held: Vec::new(),
                    coming: coming.into_iter().collect(),
                },
            );
        }
        Ok(all)
    }

    /// Whether an operator took this event back.
    pub(super) fn is_taken_back(&self, event: &str) -> bool {
        self.taken_back.contains(event)
    }

    /// Until when a removal settles, so that what comes with it is seen; `None` when it may be judged.
    pub(super) fn settles_until(
        &self,
        settings: RemovalGuard,
        event: &str,
        received_at: Timestamp,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let until = received_at.plus(settings.settle());
        (until > now && !self.approved.contains(event)).then_some(until)
    }

    /// Whether these people may be removed by this event now; staged when not. `user` is the
    /// directory user it speaks of.
    pub(super) fn pass(
        &mut self,
        organization: &str,
        settings: RemovalGuard,
        (event, user): (&str, &str),
        received_at: Timestamp,
        people: &[String],
    ) -> bool {
        let Some(guard) = self.of.get_mut(organization) else {
            return true;
        };
        guard.coming.remove(user);
        if people.is_empty() {
            return true;
        }
        let mut recent: Vec<Timestamp> = guard.applied.iter().map(|one| one.received_at).collect();
        recent.extend(guard.held_before.iter().copied());
        recent.extend(guard.held.iter().map(|(_, _, at)| *at));
        recent.extend(guard.coming.values().copied());
        if self.approved.contains(event) {
            return true;
        }
        if !settings.trips(&recent, received_at, guard.headcount) {
            guard.applied.extend(people.iter().map(|profile| Removal {
                profile_id: profile.clone(),
                event_id: event.to_owned(),
                received_at,
            }));
            return true;
        }
        guard.held.extend(
            people
                .iter()
                .map(|profile| (event.to_owned(), profile.clone(), received_at)),
        );
        false
    }

    /// Whose removal this batch staged.
    pub(super) fn held_people(&self) -> Vec<String> {
        let held = self.of.values().flat_map(|guard| &guard.held);
        let people: BTreeSet<String> = held.map(|(_, profile, _)| profile.clone()).collect();
        people.into_iter().collect()
    }

    /// Opens or extends the holds.
    pub(super) fn write(&self, conn: &mut Conn, now: Timestamp) -> QueryResult<()> {
        for (organization, guard) in self.of.iter().filter(|(_, guard)| !guard.held.is_empty()) {
            let hold = holds::open_or_known(conn, organization, holds::REMOVALS, BURST, now)?;
            let applied = guard
                .applied
                .iter()
                .map(|one| HoldItem::new(&hold, &one.event_id, &one.profile_id, true, now));
            let held = guard
                .held
                .iter()
                .map(|(event, profile, _)| HoldItem::new(&hold, event, profile, false, now));
            let all: Vec<HoldItem> = applied.chain(held).collect();
            holds::add_items(conn, &all)?;
            tracing::warn!(
                hold_id = hold,
                held = guard.held.len(),
                "more removals than the guard lets pass; an operator decides"
            );
        }
        let mut looked_at = BTreeSet::new();
        for one in &self.detached {
            if looked_at.insert(&one.directory_id) {
                open_for_directory(conn, one, now)?;
            }
        }
        Ok(())
    }
}

/// Opens a hold for the people of a deleted directory, or adds those who were heard of later. A hold
/// over nobody is not opened: there is nothing to decide.
fn open_for_directory(conn: &mut Conn, one: &Detached, now: Timestamp) -> QueryResult<()> {
    let known = holds::of_directory(conn, &one.organization_id, &one.directory_id)?;
    let open = known.iter().find(|hold| hold.state == holds::OPEN);
    // What was decided about a directory counts for those who are heard of later.
    let decided = one.late && open.is_none() && !known.is_empty();
    let nobody = !holds::speaks_for_somebody(conn, &one.directory_id)?;
    if decided || nobody {
        return Ok(());
    }
    if let Some(open) = open {
        holds::add_directory(conn, &open.id, &one.event_id, &one.directory_id, now)?;
        return Ok(());
    }
    let reason = "the directory was deleted in WorkOS, often because the provider is changed; nobody was removed by that";
    let hold = Hold {
        directory_id: Some(one.directory_id.clone()),
        ..Hold::new(&one.organization_id, holds::DIRECTORY_DELETED, reason, now)
    };
    holds::open(conn, &hold)?;
    let people = holds::add_directory(conn, &hold.id, &one.event_id, &one.directory_id, now)?;
    tracing::warn!(
        hold_id = hold.id,
        people,
        "a directory was deleted; an operator decides about its people"
    );
    Ok(())
}

/// Who loses access between two states of a cluster.
pub(super) fn leavers(before: &IdentityCluster, after: &IdentityCluster) -> Vec<String> {
    let left = after.people.values().filter(|person| {
        !person.status.has_access()
            && before
                .people
                .get(&person.id)
                .is_some_and(|was| was.status.has_access())
    });
    left.map(|person| person.id.clone()).collect()
}
