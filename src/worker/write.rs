//! Writing what a batch changed, set-wise, in the transaction that claimed it: people and links,
//! what becomes of their memberships, observations and keys, groups and edges, the audit, and the
//! deliveries that fall due or are cancelled.

use std::collections::BTreeMap;

use diesel::QueryResult;

use crate::db::Conn;
use crate::domain::{
    Context, Person, Profile, Source, Status, compose, keeper_of, question, rightful, scattered,
};
use crate::store::changes::{self, Caused};
use crate::store::directories::Directory;
use crate::store::profiles::{self, ToSave};
use crate::store::{
    cluster, communities, directories, groups, legal_holds, observations, opt_outs, refetches,
    suspensions,
};
use crate::triggers::deliveries;
use crate::workos::OrderKey;

use super::deletions;
use super::happenings::happenings;
use super::members::{Seats, follow_rules, follow_seats, write_memberships};
use super::working_set::{Relatives, WorkingSet};

/// A person before and after the batch.
#[derive(Debug)]
pub(super) struct Moved {
    pub organization_id: String,
    pub before: Option<Profile>,
    pub after: Profile,
    pub person: Person,
    /// When they had left by what was known before the batch.
    pub left_before: Option<OrderKey>,
    /// Who they were as well, until two people turned out to be one: with access, so not greeted again.
    pub joined: Option<Profile>,
}

/// Who caused what last happened to a person in this batch.
pub(super) type Cause = (OrderKey, String);

/// Writes everything but the settlement.
pub(super) fn write_world(
    conn: &mut Conn,
    world: &mut WorkingSet,
    mut caused: Vec<Caused>,
    causes: &BTreeMap<String, Cause>,
) -> QueryResult<()> {
    write_directories(conn, world)?;
    write_groups(conn, world)?;
    observations::add(conn, &world.new_observations)?;
    cluster::save_keys(conn, &world.new_keys.iter().cloned().collect::<Vec<_>>())?;
    write_links(conn, world)?;
    let moved = moved_people(world);
    write_profiles(conn, world, &moved)?;
    follow_addresses(conn, &moved)?;
    merge_gone(conn, world)?;
    world.guards.write(conn, world.now)?;
    world.swaps.write(conn, world.now)?;
    refetches::ask(conn, &world.ties)?;
    deletions::write(conn, world, &moved, causes)?;
    let mut seats = Seats::default();
    let mut ended = write_memberships(conn, world, &moved, causes, &mut seats)?;
    ended.extend(follow_rules(conn, world, &moved, causes)?);
    seats.add_changes(&ended);
    ended.extend(follow_seats(conn, world, seats, causes)?);
    caused.extend(ended.iter().cloned());
    changes::add(conn, &caused, world.now)?;
    plan_deliveries(conn, world, &moved, &ended, &caused, causes)
}

fn write_directories(conn: &mut Conn, world: &mut WorkingSet) -> QueryResult<()> {
    for (id, life) in &world.lives {
        if let Some(directory) = world.directories.get_mut(id) {
            directory.life = life.clone();
        }
    }
    let all: Vec<&Directory> = world
        .directories
        .values()
        .filter(|one| one.last_event_at == world.now || world.changed_directories.contains(&one.id))
        .collect();
    if all.is_empty() {
        Ok(())
    } else {
        directories::save(conn, &all)
    }
}

fn write_groups(conn: &mut Conn, world: &WorkingSet) -> QueryResult<()> {
    let organization_of = |directory: &str| {
        world
            .directories
            .get(directory)
            .map_or(String::new(), |one| one.organization_id.clone())
    };
    let named: Vec<(String, &crate::domain::Group)> = world
        .changed_groups
        .iter()
        .filter_map(|id| world.groups.get(id))
        .map(|group| (organization_of(&group.directory_id), group))
        .collect();
    if !named.is_empty() {
        let rows: Vec<(&str, &crate::domain::Group)> = named
            .iter()
            .map(|(id, group)| (id.as_str(), *group))
            .collect();
        groups::save(conn, &rows)?;
    }
    let edges: Vec<(String, crate::domain::Edge)> = world
        .changed_edges
        .iter()
        .filter_map(|place| world.edges.get(place))
        .map(|edge| {
            let directory = world
                .groups
                .get(&edge.group_id)
                .map(|group| group.directory_id.as_str())
                .unwrap_or_default();
            (organization_of(directory), edge.clone())
        })
        .collect();
    groups::save_edges(conn, &edges, world.now)
}

fn touched(world: &WorkingSet) -> impl Iterator<Item = &Relatives> {
    world.relatives.iter().filter(|one| one.touched)
}

fn write_links(conn: &mut Conn, world: &WorkingSet) -> QueryResult<()> {
    let mut changed = Vec::new();
    for one in touched(world) {
        let known = world.known(&one.organization_id);
        for link in one.cluster.links.values() {
            let asked = question(&one.cluster, link, &known);
            let was = one.original.links.get(&link.id);
            let asked_before = was.and_then(|was| question(&one.original, was, &known));
            // Decided meanwhile: what is asked of the state before is not what was asked then.
            if was != Some(link) || asked != asked_before || world.decided {
                changed.push(cluster::ToSave {
                    organization_id: &one.organization_id,
                    link,
                    question: asked,
                });
            }
        }
    }
    cluster::save_links(conn, &changed)
}

fn moved_people(world: &WorkingSet) -> Vec<Moved> {
    let mut all = Vec::new();
    for one in touched(world) {
        let known = world.known(&one.organization_id);
        let known_before = world.known_before(&one.organization_id);
        for (id, person) in &one.cluster.people {
            let was = one.original.people.get(id);
            let before = was.map(|was| compose(&one.original, was, &known_before));
            let after = compose(&one.cluster, person, &known);
            let differs = was != Some(person) || before.as_ref() != Some(&after);
            if differs || world.former.is_some() {
                all.push(Moved {
                    organization_id: one.organization_id.clone(),
                    before,
                    after,
                    person: person.clone(),
                    left_before: was.and_then(|was| was.left.clone()),
                    joined: joined(one, id, &known),
                });
            }
        }
    }
    all
}

/// Somebody with access who is part of this person now, as they were shown.
fn joined(one: &Relatives, person: &str, known: &Context<'_>) -> Option<Profile> {
    let gone = one.original.people.values().filter(|was| {
        was.id != person && was.status.has_access() && !one.cluster.people.contains_key(&was.id)
    });
    let here = |was: &&Person| {
        let mut links = one.original.links_of(&was.id);
        links.any(|link| {
            let now = one.cluster.links.get(&link.id);
            now.is_some_and(|now| now.person == person)
        })
    };
    gone.filter(here)
        .map(|was| compose(&one.original, was, known))
        .next()
}

fn write_profiles(conn: &mut Conn, world: &WorkingSet, moved: &[Moved]) -> QueryResult<()> {
    let rows: Vec<ToSave<'_>> = moved
        .iter()
        .map(|one| ToSave {
            organization_id: &one.organization_id,
            profile: &one.after,
            person: &one.person,
            recorded_at: world
                .recorded
                .get(&one.after.id)
                .copied()
                .unwrap_or(world.now),
        })
        .collect();
    profiles::save(conn, &rows)
}

/// Opt-outs go with the people, and those that wait for an address find whoever came with it (R82).
fn follow_addresses(conn: &mut Conn, moved: &[Moved]) -> QueryResult<()> {
    let mut came: BTreeMap<&str, BTreeMap<String, String>> = BTreeMap::new();
    for one in moved {
        let address = |profile: &Profile| {
            let there = !matches!(profile.status, Status::Removed | Status::Erased);
            profile.field("email").filter(|_| there).map(str::to_owned)
        };
        let now = address(&one.after);
        if let Some(now) =
            now.filter(|now| one.before.as_ref().and_then(address).as_ref() != Some(now))
        {
            let theirs = came.entry(&one.organization_id).or_default();
            theirs.insert(one.after.id.clone(), now);
        }
    }
    for (organization, addresses) in came {
        opt_outs::follow(conn, organization, &addresses)?;
    }
    Ok(())
}

/// People who turned out to be somebody else: what hung on them goes where it belongs, and so does the
/// row of whoever is nobody any more.
fn merge_gone(conn: &mut Conn, world: &WorkingSet) -> QueryResult<()> {
    let mut gone = Vec::new();
    for one in touched(world) {
        for id in scattered(&one.original, &one.cluster) {
            let stays = one.cluster.people.contains_key(&id);
            move_rows(conn, one, &id, stays)?;
            if stays {
                continue;
            }
            let heir = keeper_of(&one.original, &id).and_then(|link| one.cluster.links.get(link));
            if let Some(heir) = heir {
                legal_holds::reassign(conn, &id, &heir.person)?;
                opt_outs::reassign(conn, &id, &heir.person)?;
                changes::reassign(conn, &id, &heir.person)?;
                deliveries::reassign(conn, &id, &heir.person)?;
            }
            gone.push(id);
        }
    }
    if gone.is_empty() {
        return Ok(());
    }
    communities::forget(conn, &gone)?;
    suspensions::delete(conn, &gone)?;
    profiles::delete(conn, &gone)
}

/// What rules give to somebody who stays is asked of everybody concerned afterwards.
fn move_rows(conn: &mut Conn, one: &Relatives, id: &str, stays: bool) -> QueryResult<()> {
    let all = communities::memberships_of(conn, &[id.to_owned()])?;
    let meant = all.into_values().flatten();
    for row in meant.filter(|row| !stays || row.source == Source::Manual) {
        let Some(moved) = rightful(&row, &one.original, &one.cluster) else {
            continue;
        };
        if moved.profile_id == id {
            continue;
        }
        let theirs = communities::memberships_of(conn, std::slice::from_ref(&moved.profile_id))?;
        let same = theirs
            .values()
            .flatten()
            .find(|own| own.community_id == moved.community_id && own.source == moved.source);
        // A seat they have now counts more than one that ended.
        if same.is_none_or(|own| own.ended_at.is_some() && moved.ended_at.is_none()) {
            communities::save_memberships(conn, &[(one.organization_id.clone(), moved)])?;
        }
        communities::forget_one(conn, &row)?;
    }
    Ok(())
}

/// Messages that fall due because of what happened, and those that must not go out any more.
fn plan_deliveries(
    conn: &mut Conn,
    world: &WorkingSet,
    moved: &[Moved],
    ended: &[Caused],
    caused: &[Caused],
    causes: &BTreeMap<String, Cause>,
) -> QueryResult<()> {
    let left: Vec<String> = moved
        .iter()
        .filter(|one| {
            matches!(one.after.status, Status::Removed | Status::Erased) && one.before.is_some()
        })
        .map(|one| one.after.id.clone())
        .collect();
    if !left.is_empty() {
        deliveries::cancel_for(conn, &left, deliveries::PERSON_LEFT, world.now)?;
    }
    let happenings = happenings(conn, world, moved, ended, caused, causes)?;
    if world.former.is_some() {
        return deliveries::move_with_starts(conn, &happenings, &world.organizations, world.now);
    }
    deliveries::plan_and_add(conn, &happenings, &world.organizations, world.now)
}
