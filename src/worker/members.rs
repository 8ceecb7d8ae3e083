//! Memberships in a batch: they follow their person's status in the same transaction (R29), and the
//! communities' rules for everybody whom the batch touched (R52, R53).

use std::collections::{BTreeMap, BTreeSet};

use diesel::QueryResult;

use crate::db::Conn;
use crate::domain::{
    Change, Group, Left, Membership, RestoreAdmin, Role, displaced, follow_status,
};
use crate::store::changes::Caused;
use crate::store::succession::{Gone, follow, lost_by_leaving};
use crate::store::{communities, groups, profiles, rules};
use crate::workos::OrderKey;

use super::leaves::stage;
use super::working_set::WorkingSet;
use super::write::{Cause, Moved};

/// Memberships follow their person's status in the same transaction (R29). Answers the changes, and
/// notes in `seats` whose communities have to be looked at again.
pub(super) fn write_memberships(
    conn: &mut Conn,
    world: &WorkingSet,
    moved: &[Moved],
    causes: &BTreeMap<String, Cause>,
    seats: &mut Seats,
) -> QueryResult<Vec<Caused>> {
    let concerned: Vec<&Moved> = moved
        .iter()
        .filter(|one| {
            one.left_before != one.person.left
                || one.before.as_ref().map(|before| before.status) != Some(one.after.status)
        })
        .filter(|one| one.before.is_some())
        .collect();
    let ids: Vec<String> = concerned.iter().map(|one| one.after.id.clone()).collect();
    let mut rows = communities::memberships_of(conn, &ids)?;
    let mut to_save = Vec::new();
    let mut caused = Vec::new();
    for one in concerned {
        let Some(theirs) = rows.get_mut(&one.after.id) else {
            continue;
        };
        let before = theirs.clone();
        let policy: RestoreAdmin = world.settings(&one.organization_id).restore_admin;
        follow_status(
            theirs,
            one.after.status,
            Left {
                before: one.left_before.as_ref(),
                now: one.person.left.as_ref(),
            },
            policy,
            world.now,
        );
        for (old, new) in before.iter().zip(theirs.iter()) {
            seats.look_at(&one.organization_id, old, new, causes);
            if old == new {
                continue;
            }
            to_save.push((one.organization_id.clone(), new.clone()));
            caused.extend(membership_change(
                &one.organization_id,
                Some(old),
                new,
                causes.get(&new.profile_id),
                world,
            ));
        }
    }
    communities::save_memberships(conn, &to_save)?;
    Ok(caused)
}

/// Communities whose admins changed, by organization, and the admins who left, by the event's key.
#[derive(Debug, Default)]
pub(super) struct Seats {
    concerned: BTreeMap<String, BTreeSet<String>>,
    gone: Vec<(Option<OrderKey>, Gone)>,
}

impl Seats {
    fn look_at(
        &mut self,
        organization: &str,
        old: &Membership,
        new: &Membership,
        causes: &BTreeMap<String, Cause>,
    ) {
        let runs = |row: &Membership| row.role == Role::Admin || row.former_role.is_some();
        if !runs(old) && !runs(new) {
            return;
        }
        self.add(organization, &new.community_id);
        if lost_by_leaving(old, new) {
            let key = causes.get(&new.profile_id).map(|(key, _)| key.clone());
            let gone = Gone {
                community_id: new.community_id.clone(),
                profile_id: new.profile_id.clone(),
            };
            self.gone.push((key, gone));
        }
    }

    fn add(&mut self, organization: &str, community: &str) {
        self.concerned
            .entry(organization.to_owned())
            .or_default()
            .insert(community.to_owned());
    }

    /// Rule seats that began or ended count as well.
    pub(super) fn add_changes(&mut self, changes: &[Caused]) {
        for one in changes {
            let admin = Some(Role::Admin.as_str());
            if one.change.old.as_deref() == admin || one.change.new.as_deref() == admin {
                self.add(&one.organization_id, &one.change.name);
            }
        }
    }
}

/// Looks at the communities whose admins changed once everybody's rows are written (R39).
pub(super) fn follow_seats(
    conn: &mut Conn,
    world: &WorkingSet,
    mut seats: Seats,
    causes: &BTreeMap<String, Cause>,
) -> QueryResult<Vec<Caused>> {
    // The last one to leave is the one who is followed, however the batches were cut.
    seats.gone.sort();
    let gone: Vec<Gone> = seats.gone.into_iter().map(|(_, gone)| gone).collect();
    let mut caused = Vec::new();
    for (organization, concerned) in &seats.concerned {
        let policy = &world.settings(organization).succession;
        let turned = follow(conn, organization, policy, concerned, &gone, world.now)?;
        for (turned, because_of) in turned {
            let whose = [&because_of, &turned.after.profile_id];
            let cause = whose.into_iter().find_map(|id| causes.get(id));
            caused.extend(membership_change(
                organization,
                turned.before.as_ref(),
                &turned.after,
                cause,
                world,
            ));
        }
    }
    // Whoever got or gave back an admin role by hand may be in another community because of it.
    let mut people: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for one in &caused {
        people
            .entry(one.organization_id.clone())
            .or_default()
            .insert(one.change.profile_id.clone());
    }
    caused.extend(ask_rules(conn, world, people, causes)?);
    Ok(caused)
}

/// Rule memberships of everybody whom the batch may concern: by their profile, by a link of theirs, or
/// by a group.
pub(super) fn follow_rules(
    conn: &mut Conn,
    world: &WorkingSet,
    moved: &[Moved],
    causes: &BTreeMap<String, Cause>,
) -> QueryResult<Vec<Caused>> {
    let mut users: Vec<String> = world
        .changed_edges
        .iter()
        .map(|(_, user)| user.clone())
        .collect();
    let turned = world.groups_turned(conn)?;
    let in_groups = groups::in_groups(conn, &turned)?;
    users.extend(in_groups.iter().map(|(_, user)| user.clone()));
    users.sort();
    users.dedup();
    let mut people: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (user, profile) in groups::people_of(conn, &users)? {
        people.entry(user).or_default().push(profile);
    }
    let mut causes = causes.clone();
    let mut because = |user: &str, cause: &Cause| {
        for profile in people.get(user).into_iter().flatten() {
            causes
                .entry(profile.clone())
                .or_insert_with(|| cause.clone());
        }
    };
    for place in &world.changed_edges {
        let group = world.groups.get(&place.0);
        let directory = group.map(|group| group.directory_id.clone());
        if let Some(edge) = world.edges.get(place) {
            let cause = (edge.key.clone(), directory.unwrap_or_default());
            because(&edge.directory_user_id, &cause);
        }
    }
    for (group, user) in &in_groups {
        if let Some(cause) = world.groups.get(group).and_then(cause_of_group) {
            because(user, &cause);
        }
    }
    let mut touched: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for one in moved {
        touched
            .entry(one.organization_id.clone())
            .or_default()
            .insert(one.after.id.clone());
    }
    let mut others: BTreeSet<String> = people.into_values().flatten().collect();
    others.extend(world.relocated.iter().cloned());
    for one in world.relatives.iter().filter(|one| one.touched) {
        others.extend(displaced(&one.original, &one.cluster));
    }
    let others: Vec<String> = others.into_iter().collect();
    for (id, row) in profiles::load(conn, &others)? {
        touched.entry(row.organization_id).or_default().insert(id);
    }
    ask_rules(conn, world, touched, &causes)
}

/// Asks the rules about the given people of each organization, and writes what turned.
fn ask_rules(
    conn: &mut Conn,
    world: &WorkingSet,
    people: BTreeMap<String, BTreeSet<String>>,
    causes: &BTreeMap<String, Cause>,
) -> QueryResult<Vec<Caused>> {
    let mut caused = Vec::new();
    for (organization, ids) in people {
        let ids: Vec<String> = ids.into_iter().collect();
        let turned = rules::judge(conn, &organization, &ids, world.now)?;
        let turned = stage(conn, world, &organization, turned, causes)?;
        rules::write(conn, &turned)?;
        for turned in turned {
            caused.extend(membership_change(
                &organization,
                turned.before.as_ref(),
                &turned.after,
                causes.get(&turned.after.profile_id),
                world,
            ));
        }
    }
    Ok(caused)
}

/// The newest event that spoke of a group.
fn cause_of_group(group: &Group) -> Option<Cause> {
    let keys = [&group.seen, &group.named, &group.deleted];
    let newest = keys.into_iter().flatten().max()?;
    Some((newest.clone(), group.directory_id.clone()))
}

pub(super) fn membership_change(
    organization: &str,
    old: Option<&Membership>,
    new: &Membership,
    cause: Option<&Cause>,
    world: &WorkingSet,
) -> Option<Caused> {
    let role = |row: &Membership| row.ended_at.is_none().then(|| row.role.as_str().to_owned());
    let (was, is) = (old.and_then(role), role(new));
    if was == is {
        return None;
    }
    let change = Change {
        profile_id: new.profile_id.clone(),
        what: "membership",
        name: new.community_id.clone(),
        old: was,
        new: is,
    };
    Some(match cause {
        Some((key, directory)) => Caused::by_event(organization, change, key, directory),
        None => {
            let actor = world.operator.as_deref().unwrap_or("rollcall");
            Caused::by_operator(organization, change, actor, world.now)
        }
    })
}
