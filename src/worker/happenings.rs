//! What a batch did to people, in the triggers' terms: whoever moved, and whoever joined or left a
//! community without moving, because a group or a rule did.

use std::collections::{BTreeMap, BTreeSet};

use diesel::QueryResult;

use crate::db::Conn;
use crate::domain::{Profile, Status};
use crate::store::changes::Caused;
use crate::store::profiles;
use crate::triggers::plan::Happening;

use super::working_set::WorkingSet;
use super::write::{Cause, Moved};

/// Everything that triggers may care about. `turned` are the changes of memberships, `caused` all
/// changes.
pub(super) fn happenings(
    conn: &mut Conn,
    world: &WorkingSet,
    moved: &[Moved],
    turned: &[Caused],
    caused: &[Caused],
    causes: &BTreeMap<String, Cause>,
) -> QueryResult<Vec<Happening>> {
    let mut all: Vec<Happening> = moved
        .iter()
        // Who is erased is not written about, to anybody (R65).
        .filter(|one| one.after.status != Status::Erased)
        .map(|one| Happening {
            organization_id: one.organization_id.clone(),
            before: known_before(one),
            after: one.after.clone(),
            known_since: world
                .recorded
                .get(&one.after.id)
                .copied()
                .unwrap_or(world.now),
            changed_fields: fields_of(caused, &one.after.id),
            began_communities: communities_of(turned, &one.after.id, true),
            ended_communities: communities_of(turned, &one.after.id, false),
            turn: None,
            event_id: event_of(&one.after.id, turned, causes),
        })
        .collect();
    let known: BTreeSet<&str> = moved.iter().map(|one| one.after.id.as_str()).collect();
    let others: BTreeSet<String> = turned
        .iter()
        .map(|one| one.change.profile_id.clone())
        .filter(|id| !known.contains(id.as_str()))
        .collect();
    let others: Vec<String> = others.into_iter().collect();
    for (id, row) in profiles::load(conn, &others)? {
        let Some(profile) = row.profile() else {
            continue;
        };
        all.push(Happening {
            organization_id: row.organization_id,
            before: Some(profile.clone()),
            after: profile,
            known_since: row.recorded_at,
            changed_fields: Vec::new(),
            began_communities: communities_of(turned, &id, true),
            ended_communities: communities_of(turned, &id, false),
            turn: None,
            event_id: event_of(&id, turned, causes),
        });
    }
    Ok(all)
}

/// What somebody was before, for whom it may concern. Who was in as another person is not greeted.
fn known_before(one: &Moved) -> Option<Profile> {
    let had_access = |profile: &&Profile| profile.status.has_access();
    let joined = one.joined.as_ref().map(|joined| Profile {
        period: one.after.period.clone(),
        ..joined.clone()
    });
    match one.before.as_ref().filter(had_access) {
        Some(before) => Some(before.clone()),
        None => joined.or_else(|| one.before.clone()),
    }
}

/// The event behind what happened: the newest that spoke of the person, else the one that turned a
/// membership.
fn event_of(profile: &str, turned: &[Caused], causes: &BTreeMap<String, Cause>) -> Option<String> {
    let own = causes.get(profile).map(|(key, _)| key.event_id.clone());
    own.or_else(|| {
        let by = turned.iter().find(|one| one.change.profile_id == profile)?;
        by.event_id.clone()
    })
}

fn communities_of(turned: &[Caused], profile: &str, began: bool) -> Vec<String> {
    turned
        .iter()
        .map(|one| &one.change)
        .filter(|change| {
            change.profile_id == profile
                && change.new.is_some() == began
                && change.old.is_none() == began
        })
        .map(|change| change.name.clone())
        .collect()
}

fn fields_of(caused: &[Caused], profile: &str) -> Vec<String> {
    caused
        .iter()
        .filter(|one| one.change.profile_id == profile && one.change.what == "field")
        .map(|one| one.change.name.clone())
        .collect()
}
