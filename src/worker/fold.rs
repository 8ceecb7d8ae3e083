//! Folding one event into the world in hand: which part of it changes, what came of it in a
//! sentence, and the audited changes. Nothing is written here.

use diesel::QueryResult;

use crate::db::Conn;
use crate::domain::{
    Context, DirectoryLife, DirectoryTurn, IdentityCluster, Link, Observation, OnDirectoryDeleted,
    Outcome, Step, apply, comes_late, compose, is_tie, refold, swapped,
};
use crate::store::changes::Caused;
use crate::store::cluster::concerned_by_turn;
use crate::store::refetches::UserRefetch;
use crate::workos::{Data, Directory, OrderKey};

use super::compare::compare;
use super::deletions::DeletedOrganization;
use super::effect::Effect;
use super::fold_groups::{connect, turn_group};
use super::guard::{Detached, leavers};
use super::incoming::IncomingEvent;
use super::swaps::pass_swaps;
use super::working_set::WorkingSet;

/// Folds one event. Only a turn of a directory and the swap guard may read more from the database.
pub(super) fn fold_item(
    conn: &mut Conn,
    world: &mut WorkingSet,
    item: &IncomingEvent,
) -> QueryResult<Effect> {
    if item.erased {
        return Ok(Effect::new(
            Outcome::Ignored,
            "it speaks of somebody who was erased; nothing of it was kept",
        ));
    }
    if world.guards.is_taken_back(&item.key.event_id) {
        return Ok(Effect::new(
            Outcome::Ignored,
            "an operator took this back, and it is not applied again; the directory's next word counts",
        ));
    }
    if let Some((organization, observation)) = item.observation() {
        return hear(conn, world, item, &organization, observation);
    }
    Ok(match item.data() {
        Some(Data::DirectoryActivated(said)) => return turn(conn, world, item, said, true),
        Some(Data::DirectoryDeleted(said)) => return turn(conn, world, item, said, false),
        Some(Data::DirectoryDeactivated(said)) => {
            return turn(conn, world, item, said, false);
        }
        Some(Data::GroupCreated(said) | Data::GroupUpdated(said)) => {
            turn_group(world, said, |group| {
                group.learn(&item.key, said.name.as_deref(), said.idp_id.as_deref());
            })
        }
        Some(Data::GroupDeleted(said)) => turn_group(world, said, |group| group.end(&item.key)),
        Some(Data::UserAdded(said)) => connect(world, said, &item.key, true),
        Some(Data::UserRemoved(said)) => connect(world, said, &item.key, false),
        Some(Data::OrganizationDeleted(id)) => organization_deleted(world, item, id),
        Some(Data::Ignored { reason }) => Effect::new(Outcome::Ignored, reason.clone()),
        _ => Effect::new(Outcome::Unchanged, "nothing to do"),
    })
}

/// An organization was deleted in WorkOS (R84). That removes nobody by itself: its people are suspended and its
/// triggers fire no more until an operator decides. It is said once: a second event changes nothing.
fn organization_deleted(world: &mut WorkingSet, item: &IncomingEvent, id: &str) -> Effect {
    let Some(organization) = world.organizations.get_mut(id) else {
        return Effect::new(Outcome::Unchanged, "nothing to do");
    };
    if organization.deleted_at.is_some() {
        return Effect::new(
            Outcome::Unchanged,
            "the organization was deleted already; what an operator decided stays",
        );
    }
    organization.deleted_at = Some(item.key.at);
    organization.messaging_enabled_at = None;
    world.deleted_organizations.push(DeletedOrganization {
        organization_id: id.to_owned(),
        event_id: item.key.event_id.clone(),
        at: item.key.at,
    });
    Effect::new(
        Outcome::Applied,
        "the organization was deleted: access of its people is suspended and messaging is off until an operator decides; nobody is removed by that alone",
    )
}

/// Takes in what was said of a directory user.
fn hear(
    conn: &mut Conn,
    world: &mut WorkingSet,
    item: &IncomingEvent,
    organization: &str,
    observation: Observation,
) -> QueryResult<Effect> {
    let nobody = || Effect::new(Outcome::Unchanged, "nobody it speaks of is in hand");
    let Some(&place) = world.place.get(observation.directory_user_id()) else {
        return Ok(nobody());
    };
    let directory = observation.said.user.directory_id.clone();
    let key = observation.key.clone();
    let step = Step::Said(Box::new(observation.clone()));
    let repeated = world.said_before.contains(&key.event_id);
    let (before, late, after) = {
        let Some(relatives) = world.relatives.get(place) else {
            return Ok(nobody());
        };
        let before = relatives.cluster.clone();
        let late = repeated || comes_late(&before, &key, &directory, &world.lives);
        let known = world.known(organization);
        let after = match &relatives.steps {
            Some(steps) if late => {
                let all: Vec<Step> = steps.iter().cloned().chain([step.clone()]).collect();
                refold(&before, &all, &known)
            }
            _ => apply(&before, &step, &known),
        };
        (before, late, after)
    };
    let known = world.known(organization);
    let mut effect = compare(&before, &after, &known, organization, &key, &directory);
    if effect.changes.is_empty() {
        effect = quiet(&after, &step, &known, late, effect);
    }
    let tie = is_tie(&before, &observation);
    if tie {
        effect = tied(effect);
    }
    let guard = world.settings(organization).removal_guard;
    let leavers = leavers(&before, &after);
    if !leavers.is_empty() {
        let received = item.claimed.received_at;
        let until = world
            .guards
            .settles_until(guard, &key.event_id, received, world.now);
        if let Some(until) = until {
            return Ok(Effect::waits(until));
        }
    }
    if !world.guards.pass(
        organization,
        guard,
        (&key.event_id, observation.directory_user_id()),
        item.claimed.received_at,
        &leavers,
    ) {
        return Ok(Effect::new(
            Outcome::Held,
            "more people are being removed at once than the guard lets pass; it waits for an operator",
        ));
    }
    let changed = swapped(&before, &after, &world.known(organization));
    if !changed.is_empty() && !pass_swaps(conn, world, item, organization, &changed)? {
        return Ok(Effect::new(
            Outcome::Held,
            "more people get another identity at once (the provider's id, or the domain of the address) \
             than the guard lets pass; it waits for an operator",
        ));
    }
    if tie && !repeated {
        world.ties.push(UserRefetch {
            directory_user_id: observation.directory_user_id().to_owned(),
            directory_id: directory.clone(),
            organization_id: organization.to_owned(),
            due_at: world.now,
            tries: 0,
        });
    }
    if came_after_the_end(world, &before, &after, &directory) {
        world.guards.detached.push(Detached {
            organization_id: organization.to_owned(),
            directory_id: directory,
            event_id: key.event_id.clone(),
            late: true,
        });
    }
    if !repeated {
        world
            .new_observations
            .push((organization.to_owned(), observation.clone()));
        world.said_before.insert(key.event_id.clone());
    }
    if let Some(relatives) = world.relatives.get_mut(place) {
        if let Some(steps) = relatives.steps.as_mut().filter(|_| !repeated) {
            steps.push(step);
        }
        organization.clone_into(&mut relatives.organization_id);
        relatives.cluster = after;
        relatives.touched = true;
    }
    Ok(effect)
}

/// A removal and a return of one instant (R96): that nothing newer was said is part of the answer.
fn tied(effect: Effect) -> Effect {
    const TIE: &str = "a removal and a return were sent for the same instant, and at a tie the removal stands; with an API key, WorkOS is asked which of them holds";
    let reason = match effect.outcome {
        Outcome::Applied => format!("{}; {TIE}", effect.reason),
        _ => TIE.to_owned(),
    };
    Effect { reason, ..effect }
}

/// Whether somebody begins to work in a directory that was deleted, told too late: the hold that an
/// operator decides names them as well (R36).
fn came_after_the_end(
    world: &WorkingSet,
    before: &IdentityCluster,
    after: &IdentityCluster,
    directory: &str,
) -> bool {
    let ended = |life: &DirectoryLife| !life.live() && life.groups_ended().is_some();
    let counts =
        |cluster: &IdentityCluster, id: &str| cluster.links.get(id).is_some_and(Link::counts);
    let mut links = after.links.values().filter(|link| link.counts());
    world.lives.get(directory).is_some_and(ended)
        && links.any(|link| link.directory_id == directory && !counts(before, &link.id))
}

/// An event that changed nothing: had newer ones spoken, or was it known all along?
fn quiet(
    after: &IdentityCluster,
    step: &Step,
    known: &Context<'_>,
    late: bool,
    effect: Effect,
) -> Effect {
    if !late {
        return Effect {
            outcome: Outcome::Unchanged,
            ..effect
        };
    }
    // Were it the newest, would it change what is shown? Then newer events stand in its way.
    let as_newest = apply(after, step, known);
    let would_change = as_newest.people.values().any(|person| {
        let now = after
            .people
            .get(&person.id)
            .map(|now| compose(after, now, known));
        now.is_none_or(|now| !now.shows_the_same(&compose(&as_newest, person, known)))
    });
    if would_change {
        Effect::new(
            Outcome::Stale,
            "newer events already spoke of everything it says, so nothing changed",
        )
    } else {
        Effect::new(
            Outcome::Unchanged,
            "it says nothing that is not known already",
        )
    }
}

/// A directory was linked, deactivated or deleted. Nobody's status changes by that alone (C10);
/// who may be matched with whom does, also for what came in before this event.
fn turn(
    conn: &mut Conn,
    world: &mut WorkingSet,
    item: &IncomingEvent,
    said: &Directory,
    linked: bool,
) -> QueryResult<Effect> {
    let Some(organization) = item.organization_id.clone() else {
        return Ok(Effect::new(Outcome::Unchanged, "nothing to do"));
    };
    let Some(directory) = world.directories.get_mut(&said.id) else {
        return Ok(Effect::new(Outcome::Unchanged, "nothing to do"));
    };
    world.changed_directories.insert(said.id.clone());
    let deactivated = matches!(item.data(), Some(Data::DirectoryDeactivated(_)));
    let settings = world
        .organizations
        .get(&organization)
        .map(|one| one.settings.on_directory_deleted);
    let removes = !linked && !deactivated && settings == Some(OnDirectoryDeleted::Remove);
    let life = world.lives.entry(said.id.clone()).or_default();
    let was_live = life.live();
    let fresh = life.learn(DirectoryTurn {
        key: item.key.clone(),
        directory_id: said.id.clone(),
        linked,
        removes,
        deleted: !linked && !deactivated,
        kind: said.kind.clone(),
    });
    let is_live = life.live();
    directory.life = life.clone();
    let is_newest = life.turns.last().is_some_and(|last| last.key == item.key);
    if said.name.is_some() && (is_newest || directory.name.is_none()) {
        directory.name.clone_from(&said.name);
    }
    if is_newest {
        directory.state = match (is_live, deactivated) {
            (true, _) => "active",
            (false, true) => "inactive",
            (false, false) => "detached",
        }
        .to_owned();
    }
    if !fresh {
        return Ok(Effect::new(
            Outcome::Unchanged,
            "it says nothing that is not known already",
        ));
    }
    if !linked && !deactivated {
        world.end_groups_of(conn, &said.id)?;
    }
    if removes {
        world.ended.push((said.id.clone(), item.key.clone()));
    } else if !linked && !is_live && !deactivated {
        world.guards.detached.push(Detached {
            organization_id: organization.clone(),
            directory_id: said.id.clone(),
            event_id: item.key.event_id.clone(),
            late: false,
        });
    }
    let concerned = concerned_by_turn(conn, &said.id)?;
    let places = world.concerned(conn, &said.id, &concerned)?;
    world.load_steps(conn, &places)?;
    let mut changes = Vec::new();
    for place in places {
        changes.extend(fold_again(world, &organization, place, &item.key, &said.id));
    }
    let reason = match (linked, was_live == is_live && !changes.is_empty()) {
        (true, _) => "the directory is linked; its people follow in events of their own",
        (false, _) if deactivated => {
            "the directory was deactivated; nobody is removed by that alone"
        }
        (false, _) if removes => {
            "the directory was deleted, and as the organization has set, everybody is removed whom no other directory speaks for"
        }
        (false, _) => {
            "the directory is detached and its groups have ended; nobody is removed by that alone, and an operator decides about whoever is left in it"
        }
    };
    Ok(Effect {
        outcome: Outcome::Applied,
        reason: reason.to_owned(),
        changes,
        waits_until: None,
    })
}

fn fold_again(
    world: &mut WorkingSet,
    organization: &str,
    place: usize,
    key: &OrderKey,
    directory: &str,
) -> Vec<Caused> {
    let Some((before, after)) = world.relatives.get(place).and_then(|relatives| {
        let steps = relatives.steps.as_ref()?;
        let before = relatives.cluster.clone();
        let after = refold(&before, steps, &world.known(organization));
        Some((before, after))
    }) else {
        return Vec::new();
    };
    let effect = compare(
        &before,
        &after,
        &world.known(organization),
        organization,
        key,
        directory,
    );
    if let Some(relatives) = world.relatives.get_mut(place) {
        relatives.cluster = after;
        relatives.touched = true;
    }
    effect.changes
}
