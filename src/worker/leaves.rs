//! Leaves that wait (R52, R53): memberships that rules would end, too many at once or because of a
//! deleted group that may only have been renamed. They are staged in a hold instead of written; an
//! operator decides, or for a deleted group the next poll without an equal one.

use std::collections::{BTreeMap, BTreeSet};

use diesel::QueryResult;

use crate::clock::Timestamp;
use crate::db::{Conn, DbError};
use crate::domain::Group;
use crate::domain::guard::{RemovalGuard, WINDOW};
use crate::outbox;
use crate::store::acts::{self, NewAct};
use crate::store::changes::{self, Caused};
use crate::store::holds::{self, Hold, HoldItem};
use crate::store::rules::{self, Turned};
use crate::store::staged::{self, Staged};
use crate::store::{groups, organizations, renames};
use crate::triggers::deliveries;

use super::members::{Seats, follow_seats, membership_change};
use super::working_set::WorkingSet;
use super::write::Cause;

/// The fewest members of a deleted group that are worth waiting for.
const FEWEST: usize = 3;

/// Why a hold of leaves opens.
const BURST: &str = "rules would end more memberships within an hour than the guard lets pass; the further ones wait";

/// Who settles what nobody decided.
const OURSELVES: &str = "rollcall";

/// Takes out what has to wait; the rest is to be written.
pub(super) fn stage(
    conn: &mut Conn,
    world: &WorkingSet,
    organization: &str,
    turned: Vec<Turned>,
    causes: &BTreeMap<String, Cause>,
) -> QueryResult<Vec<Turned>> {
    // What an operator does or a decision brings about was meant.
    if world.operator.is_some() || !turned.iter().any(Turned::is_leave) {
        return Ok(turned);
    }
    let of_groups = members_of_deleted(conn, world)?;
    let (mut leaves, mut rest): (Vec<Turned>, Vec<Turned>) =
        turned.into_iter().partition(Turned::is_leave);
    leaves.sort_by(|one, other| one.after.profile_id.cmp(&other.after.profile_id));
    let mut by_group: BTreeMap<&str, Vec<Turned>> = BTreeMap::new();
    let mut by_rule = Vec::new();
    for one in leaves {
        match of_groups.get(&one.after.profile_id) {
            Some(group) => by_group.entry(group).or_default().push(one),
            None => by_rule.push(one),
        }
    }
    for (group, held) in by_group {
        let hold = hold_of_group(conn, world, organization, group)?;
        put(conn, &hold, &held, causes, world.now)?;
    }
    if by_rule.is_empty() {
        return Ok(rest);
    }
    let guard = RemovalGuard::from(world.settings(organization).leave_guard);
    let limit = guard.limit(holds::headcount(conn, organization)?);
    let recent = staged::recent_leaves(conn, organization, world.now.minus(WINDOW))?;
    let passes = limit.saturating_sub(recent).min(by_rule.len());
    let held = by_rule.split_off(passes);
    rest.extend(by_rule);
    if !held.is_empty() {
        let hold = holds::open_or_known(conn, organization, holds::LEAVES, BURST, world.now)?;
        tracing::warn!(
            hold_id = hold,
            held = held.len(),
            "rules would end more memberships than the guard lets pass; an operator decides"
        );
        put(conn, &hold, &held, causes, world.now)?;
    }
    Ok(rest)
}

/// The people of groups that this batch deleted and whose provider knows them by name only.
fn members_of_deleted(
    conn: &mut Conn,
    world: &WorkingSet,
) -> QueryResult<BTreeMap<String, String>> {
    let mut all = BTreeMap::new();
    // What ended with its directory was not renamed (R85).
    let with_directory = |group: &Group| {
        let life = world.lives.get(&group.directory_id);
        life.and_then(|life| life.groups_ended()) == group.deleted.as_ref()
    };
    let deleted = world
        .changed_groups
        .iter()
        .filter_map(|id| world.groups.get(id))
        .filter(|group| !group.exists() && group.goes_by_name() && !with_directory(group));
    for group in deleted {
        let users = groups::joined(conn, &group.id)?;
        if users.len() < FEWEST {
            continue;
        }
        let users: Vec<String> = users.into_iter().collect();
        let people = groups::people_of(conn, &users)?;
        all.extend(people.into_iter().map(|(_, id)| (id, group.id.clone())));
    }
    Ok(all)
}

fn hold_of_group(
    conn: &mut Conn,
    world: &WorkingSet,
    organization: &str,
    group: &str,
) -> QueryResult<String> {
    if let Some(known) = holds::open_of_group(conn, group)? {
        return Ok(known.id);
    }
    let reason = "a group was deleted that its provider knows by name only, so it may have been renamed; the places that rules gave its members wait for an equal group or the next poll";
    let cycle = world.settings(organization).poll_cycle_minutes;
    let hold = Hold {
        group_id: Some(group.to_owned()),
        due_at: Some(world.now.plus(cycle.duration())),
        ..Hold::new(organization, holds::GROUP_DELETED, reason, world.now)
    };
    holds::open(conn, &hold)?;
    Ok(hold.id)
}

fn put(
    conn: &mut Conn,
    hold: &str,
    all: &[Turned],
    causes: &BTreeMap<String, Cause>,
    now: Timestamp,
) -> QueryResult<()> {
    let items: Vec<HoldItem> = all
        .iter()
        .map(|one| {
            let profile = &one.after.profile_id;
            let event = causes.get(profile).map_or("", |(key, _)| &key.event_id);
            HoldItem::new(hold, event, profile, false, now)
        })
        .collect();
    holds::add_items(conn, &items)?;
    let staged: Vec<Staged> = all
        .iter()
        .map(|one| Staged {
            community_id: one.after.community_id.clone(),
            profile_id: one.after.profile_id.clone(),
            hold_id: hold.to_owned(),
            held_at: now,
        })
        .collect();
    staged::add(conn, &staged)
}

/// Ends what waits in a hold, unless a rule has given it again meanwhile.
pub fn end_leaves(
    conn: &mut Conn,
    hold: &Hold,
    actor: &str,
    now: Timestamp,
) -> Result<(), DbError> {
    let ids: BTreeSet<String> = staged::of_hold(conn, &hold.id)?
        .into_iter()
        .map(|one| one.profile_id)
        .collect();
    staged::clear(conn, &hold.id)?;
    Ok(judge_again(
        conn,
        &hold.organization_id,
        ids.into_iter().collect(),
        actor,
        now,
    )?)
}

/// The probable heir of a deleted group takes its place: rules that named the old one go on with the
/// new one, and nobody who is in both leaves. False where there is no heir.
pub fn hand_over(
    conn: &mut Conn,
    hold: &Hold,
    actor: &str,
    now: Timestamp,
) -> Result<bool, DbError> {
    let Some(old) = &hold.group_id else {
        return Ok(false);
    };
    let settings = organizations::find(conn, &hold.organization_id)?
        .map(|one| one.settings)
        .unwrap_or_default();
    let Some(rename) = renames::probable(conn, old, settings.poll_cycle_minutes)? else {
        return Ok(false);
    };
    let mut heir = rename.heir;
    if let Some(gone) = groups::load(conn, std::slice::from_ref(old))?.remove(old) {
        heir.names.extend(gone.names);
        heir.names.insert(gone.name);
        heir.took_over.extend(gone.took_over);
    }
    heir.took_over.insert(old.clone());
    groups::save(conn, &[(&hold.organization_id, &heir)])?;
    let mut users = groups::joined(conn, old)?;
    users.extend(groups::joined(conn, &heir.id)?);
    let users: Vec<String> = users.into_iter().collect();
    let people = groups::people_of(conn, &users)?;
    staged::clear(conn, &hold.id)?;
    let ids = people.into_iter().map(|(_, id)| id).collect();
    judge_again(conn, &hold.organization_id, ids, actor, now)?;
    Ok(true)
}

fn judge_again(
    conn: &mut Conn,
    organization: &str,
    mut ids: Vec<String>,
    actor: &str,
    now: Timestamp,
) -> QueryResult<()> {
    ids.sort();
    ids.dedup();
    let world = WorkingSet {
        now,
        operator: Some(actor.to_owned()),
        organizations: organizations::load(conn, &[organization.to_owned()])?,
        ..WorkingSet::default()
    };
    let turned = rules::judge(conn, organization, &ids, now)?;
    rules::write(conn, &turned)?;
    let changed = turned.iter().filter_map(|one| {
        membership_change(organization, one.before.as_ref(), &one.after, None, &world)
    });
    let mut caused: Vec<Caused> = changed.collect();
    let mut seats = Seats::default();
    seats.add_changes(&caused);
    caused.extend(follow_seats(conn, &world, seats, &BTreeMap::new())?);
    changes::add(conn, &caused, now)?;
    deliveries::after_hands(conn, &caused, now)
}

/// Settles the holds of deleted groups whose time has come: no equal group has appeared, so the
/// leaves apply; one has, so somebody has to look.
pub(super) fn settle_due(conn: &mut Conn, now: Timestamp) -> Result<(), DbError> {
    for hold in holds::due(conn, now)? {
        outbox::lock_part(conn, outbox::part_of(&hold.organization_id))?;
        let cycle = organizations::find(conn, &hold.organization_id)?
            .map(|one| one.settings.poll_cycle_minutes)
            .unwrap_or_default();
        let rename = match &hold.group_id {
            Some(group) => renames::probable(conn, group, cycle)?,
            None => None,
        };
        if rename.is_some() {
            let reason = "a group was deleted and an equal one made: probably a rename; approve ends the places that rules gave, reject hands them to the new group";
            holds::wait_for_operator(conn, &hold.id, reason)?;
            continue;
        }
        if !holds::decide(conn, &hold.id, holds::APPROVED, OURSELVES, now)? {
            continue;
        }
        end_leaves(conn, &hold, OURSELVES, now)?;
        let act = NewAct {
            at: now,
            actor: OURSELVES,
            act: "hold.approved",
            target: &hold.id,
            organization_id: Some(&hold.organization_id),
            detail: Some("no equal group appeared within a poll cycle"),
        };
        acts::add(conn, &act)?;
    }
    Ok(())
}
