//! After a fold from the beginning: which of the profile ids that were in use goes on with whom, so
//! that links, memberships and messages that hang on a profile stay with their person.

use std::collections::{BTreeMap, BTreeSet};

use super::identity::fold_case;
use super::kin::{Kin, Link};

/// Gives a refolded kin the profile ids that were in use: a person keeps the profile that any of
/// their links had, if anybody ever saw it; a profile that lost its links passes to the person who
/// has its address now. No id is used twice.
pub fn reconcile(old: &Kin, new: Kin) -> Kin {
    let mut renamed: BTreeMap<String, String> = BTreeMap::new();
    let mut used: BTreeSet<String> = BTreeSet::new();
    for id in new.people.keys() {
        let former: BTreeSet<&str> = new
            .links_of(id)
            .filter_map(|link| old.links.get(&link.id))
            .map(|link| link.person.as_str())
            .filter(|former| {
                old.people
                    .get(*former)
                    .is_some_and(|person| person.ever_active)
            })
            .collect();
        let keep = if former.contains(id.as_str()) {
            Some(id.as_str())
        } else {
            former.first().copied()
        };
        if let Some(keep) = keep.filter(|keep| used.insert((*keep).to_owned())) {
            renamed.insert(id.clone(), keep.to_owned());
        }
    }
    let orphans = old
        .people
        .values()
        .filter(|person| person.ever_active && !used.contains(&person.id));
    for orphan in orphans.map(|person| person.id.clone()).collect::<Vec<_>>() {
        let addresses: BTreeSet<String> = old
            .links_of(&orphan)
            .filter_map(Link::email)
            .map(fold_case)
            .collect();
        let heir = new
            .people
            .values()
            .filter(|person| person.ever_active && !renamed.contains_key(&person.id))
            .find(|person| {
                new.links_of(&person.id)
                    .filter_map(Link::email)
                    .any(|email| addresses.contains(&fold_case(email)))
            });
        if let Some(heir) = heir.map(|person| person.id.clone()) {
            used.insert(orphan.clone());
            renamed.insert(heir, orphan);
        }
    }
    for id in new.people.keys() {
        if !renamed.contains_key(id) {
            // A fresh id that is taken by somebody else's kept profile gets a suffix of its own.
            let free = if used.insert(id.clone()) {
                id.clone()
            } else {
                format!("{id}x")
            };
            renamed.insert(id.clone(), free);
        }
    }
    rename(new, &renamed)
}

fn rename(kin: Kin, renamed: &BTreeMap<String, String>) -> Kin {
    let to = |id: &str| renamed.get(id).cloned().unwrap_or_else(|| id.to_owned());
    let links = kin.links.into_iter().map(|(id, mut link)| {
        link.person = to(&link.person);
        if let Some(contest) = &mut link.contest {
            contest.candidates = contest.candidates.iter().map(|id| to(id)).collect();
        }
        (id, link)
    });
    let people = kin.people.into_values().map(|mut person| {
        person.id = to(&person.id);
        person.possible_rehire_of = person.possible_rehire_of.map(|id| to(&id));
        (person.id.clone(), person)
    });
    Kin {
        links: links.collect(),
        people: people.collect(),
    }
}
