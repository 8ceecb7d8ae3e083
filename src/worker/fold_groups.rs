//! Folding what is said of groups and of who is in them. Nothing is written here.

use crate::roll::{Edge, Group, Outcome};
use crate::workos::{Membership, OrderKey};

use super::effect::Effect;
use super::world::World;

pub(super) fn note_group(world: &mut World, before: &Group, after: &Group) -> Effect {
    if before == after {
        return Effect::new(
            Outcome::Stale,
            "newer events already spoke of this group, so nothing changed",
        );
    }
    world.changed_groups.insert(after.id.clone());
    let shown =
        before.name != after.name || before.exists() != after.exists() || before.seen.is_none();
    match (shown, after.exists()) {
        (true, false) => Effect::new(
            Outcome::Applied,
            "the group is deleted, and with it every place in it",
        ),
        (true, true) if before.seen.is_some() && before.name != after.name => {
            Effect::new(Outcome::Applied, "the group has a new name")
        }
        (true, true) => Effect::new(Outcome::Applied, "the group is known now"),
        (false, _) if after.named == before.named && after.deleted == before.deleted => {
            Effect::new(Outcome::Unchanged, "nothing that we keep differs")
        }
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
pub(super) fn connect(
    world: &mut World,
    organization: &str,
    said: &Membership,
    key: &OrderKey,
    present: bool,
) -> Effect {
    let group = world
        .groups
        .entry(said.group.id.clone())
        .or_insert_with(|| {
            world.changed_groups.insert(said.group.id.clone());
            Group::unnamed(&said.group.id, &said.directory_id)
        });
    let group = group.clone();
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
            present,
            key: key.clone(),
        },
    };
    let holds = edge.holds(Some(&group));
    world.edges.insert(place.clone(), edge);
    world.changed_edges.insert(place);
    let _ = organization;
    let waits = !world.place.contains_key(&said.user_id) && group.seen.is_none();
    match (held, holds) {
        (false, true) if waits => Effect::new(
            Outcome::Applied,
            "in the group; it waits for the group's own event",
        ),
        (false, true) => Effect::new(Outcome::Applied, format!("in {} now", named(&group))),
        (true, false) => Effect::new(Outcome::Applied, format!("out of {} now", named(&group))),
        (false, false) if present => Effect::new(
            Outcome::Stale,
            "the group was deleted after this, so nothing changed",
        ),
        _ => Effect::new(Outcome::Unchanged, "nothing that we keep differs"),
    }
}
