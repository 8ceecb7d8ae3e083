//! What an event that comes late costs: its kin is folded again from everything that was said of it
//! and its directories' turns, and [`reconcile`] keeps the profile ids that people and messages
//! already hang on.

use std::collections::{BTreeMap, BTreeSet};

use crate::workos::OrderKey;

use super::directory::DirectoryLife;
use super::fold::{Known, fold, free_id};
use super::identity::fold_case;
use super::kin::{Kin, Link};
use super::lifecycle::carry_let_go;
use super::statement::Step;

/// Whether a statement has to be put in its place: something newer was said of the kin, or a
/// directory of the kin has turned since, which may decide who is matched with whom.
pub fn comes_late(
    kin: &Kin,
    key: &OrderKey,
    directory: &str,
    directories: &BTreeMap<String, DirectoryLife>,
) -> bool {
    if kin.newest().is_some_and(|newest| key <= newest) {
        return true;
    }
    let involved = kin.links.values().map(|link| link.directory_id.as_str());
    involved
        .chain([directory])
        .filter_map(|id| directories.get(id)?.turns.last())
        .any(|turn| *key <= turn.key)
}

/// Whether a turn of a directory can mean anything to a kin: only where it has a link there and
/// another one, because a turn decides who is matched with whom and nothing else (C10).
pub fn turn_concerns(kin: &Kin, directory: &str) -> bool {
    kin.links.len() > 1
        && kin
            .links
            .values()
            .any(|link| link.directory_id == directory)
}

/// Folds a kin again from everything said of it and the turns of its directories, and keeps the
/// profile ids in use.
pub fn refold(before: &Kin, said: &[Step], known: &Known<'_>) -> Kin {
    let involved: BTreeSet<&str> = said
        .iter()
        .filter_map(|step| match step {
            Step::Said(statement) => Some(statement.said.user.directory_id.as_str()),
            Step::Turned(_) => None,
        })
        .collect();
    let turns = involved
        .iter()
        .filter_map(|id| known.directories.get(*id))
        .flat_map(|life| life.turns.iter().cloned().map(Step::Turned));
    let all: Vec<Step> = said.iter().cloned().chain(turns).collect();
    let mut after = reconcile(before, fold(&all, known), known.erased);
    carry_let_go(before, &mut after);
    after
}

/// Gives a refolded kin the profile ids that were in use: a person keeps the profile that any of
/// their links had, if anybody ever saw it; a profile that lost its links passes to the person who
/// has its address now. No id is used twice, nor one that was erased.
pub fn reconcile(old: &Kin, new: Kin, erased: &BTreeSet<String>) -> Kin {
    let mut renamed: BTreeMap<String, String> = BTreeMap::new();
    let mut used: BTreeSet<String> = BTreeSet::new();
    for (_, _, id, former) in claims(old, &new) {
        if !renamed.contains_key(&id) && used.insert(former.clone()) {
            renamed.insert(id, former);
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
            // A fresh id may be taken by somebody else's kept profile.
            let free = free_id(id, |id| used.contains(id) || erased.contains(id));
            used.insert(free.clone());
            renamed.insert(id.clone(), free);
        }
    }
    rename(new, &renamed)
}

/// Who may keep which profile, the strongest claim first: somebody who works or worked there before
/// somebody who never did, the profile's own id before another.
fn claims(old: &Kin, new: &Kin) -> BTreeSet<(bool, bool, String, String)> {
    let links = new.links.values();
    let claim = links.filter_map(|link| {
        let former = old.people.get(&old.links.get(&link.id)?.person)?;
        let person = new.people.get(&link.person)?;
        former.ever_active.then(|| {
            let (id, former) = (person.id.clone(), former.id.clone());
            (!person.ever_active, id != former, id, former)
        })
    });
    claim.collect()
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
