//! Folding what is said of groups and of who is in them. Nothing is written here.

use crate::domain::{Edge, Group, Outcome};
use crate::workos::{self, Membership, OrderKey};

use super::effect::Effect;
use super::working_set::WorkingSet;

/// A group is made, renamed or deleted.
pub(super) fn turn_group(
    world: &mut WorkingSet,
    said: &workos::Group,
    change: impl FnOnce(&mut Group),
) -> Effect {
    let known = world.groups.get(&said.id).cloned();
    let before = known.unwrap_or_else(|| Group::unnamed(&said.id, &said.directory_id));
    let group = world.group_in_hand(&said.id, &said.directory_id);
    change(group);
    let after = group.clone();
    note_group(world, &before, &after)
}

fn note_group(world: &mut WorkingSet, before: &Group, after: &Group) -> Effect {
    if before == after {
        return Effect::new(
            Outcome::Stale,
            "newer events already spoke of this group, so nothing changed",
        );
    }
    world.changed_groups.insert(after.id.clone());
    let shown =
        before.name != after.name || before.exists() != after.exists() || before.seen.is_none();
    let life = world.lives.get(&after.directory_id);
    let with_directory = after.deleted.is_some()
        && life.and_then(|life| life.groups_ended()) == after.deleted.as_ref();
    match (shown, after.exists()) {
        (true, false) if with_directory => Effect::new(
            Outcome::Applied,
            "the group has ended with its directory, which was deleted, and with it every place in it",
        ),
        (true, false) => Effect::new(
            Outcome::Applied,
            "the group is deleted, and with it every place in it",
        ),
        (true, true) if before.seen.is_some() && before.name != after.name => {
            Effect::new(Outcome::Applied, "the group has a new name")
        }
        (true, true) => Effect::new(Outcome::Applied, "the group is known now"),
        (false, _) => Effect::new(Outcome::Unchanged, "nothing that we keep differs"),
    }
}

/// What a group is called in a sentence.
fn named(group: &Group) -> String {
    if group.name.is_empty() {
        "the group".to_owned()
    } else {
        format!("the group “{}”", group.name)
    }
}

/// A user joins or leaves a group. The payload's user may be partial: nothing is taken from it (R76).
/// What it says of the group is the lowest word about it (R95).
pub(super) fn connect(
    world: &mut WorkingSet,
    said: &Membership,
    key: &OrderKey,
    present: bool,
) -> Effect {
    let group = world.group_in_hand(&said.group.id, &said.directory_id);
    let before = group.clone();
    group.mention(
        key,
        said.group.name.as_deref(),
        said.group.idp_id.as_deref(),
    );
    let group = group.clone();
    if group != before {
        world.changed_groups.insert(group.id.clone());
    }
    let place = (said.group.id.clone(), said.user_id.clone());
    let known = world.edges.get(&place).cloned();
    let held = known.as_ref().is_some_and(|edge| edge.holds(Some(&group)));
    let edge = match known {
        Some(mut edge) => {
            if !edge.learn(key, present) {
                let same = edge.key == *key;
                return if same {
                    Effect::new(
                        Outcome::Unchanged,
                        "it says nothing that is not known already",
                    )
                } else {
                    Effect::new(
                        Outcome::Stale,
                        "a newer event already spoke of this user and group, so nothing changed",
                    )
                };
            }
            edge
        }
        None => Edge {
            group_id: place.0.clone(),
            directory_user_id: place.1.clone(),
            idp_id: said.user_idp_id.clone(),
            present,
            key: key.clone(),
        },
    };
    let holds = edge.holds(Some(&group));
    world.edges.insert(place.clone(), edge);
    world.changed_edges.insert(place);
    let announced = world.is_announced(&said.user_id, said.user_idp_id.is_some());
    let nameless = group.seen.is_none() && group.name.is_empty();
    match (held, holds) {
        (false, true) => Effect::new(Outcome::Applied, began(&group, announced, nameless)),
        (true, false) => Effect::new(Outcome::Applied, format!("out of {} now", named(&group))),
        (false, false) if present => Effect::new(
            Outcome::Stale,
            "the group was deleted after this, so nothing changed",
        ),
        _ if !announced => Effect::new(
            Outcome::Unchanged,
            "no user of this id is known, so there is no place to end; an older event that adds them will not count",
        ),
        _ => Effect::new(Outcome::Unchanged, "nothing that we keep differs"),
    }
}

/// A place that begins, or waits for whom the directory has not announced yet (R16).
fn began(group: &Group, announced: bool, nameless: bool) -> String {
    match (announced, nameless) {
        (true, false) => format!("in {} now", named(group)),
        (true, true) => {
            "in the group now; waiting for the group's own event, which says its name".to_owned()
        }
        (false, false) => format!(
            "waiting for the user: the place in {} counts once the directory announces them",
            named(group)
        ),
        (false, true) => {
            "waiting for the user and the group: the place counts once the directory announces them"
                .to_owned()
        }
    }
}
