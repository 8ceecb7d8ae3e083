//! What an event that comes late costs: its kin is folded again from everything that was said of it
//! and its directories' turns, and [`reconcile`] keeps the profile ids that people and messages
//! already hang on.

use std::collections::{BTreeMap, BTreeSet};

use crate::workos::OrderKey;

use super::directory::DirectoryLife;
use super::fold::{Known, fold, free_id};
use super::identity::earliest;
use super::kin::Kin;
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
/// their links had, if anybody ever saw it. A profile whose links all went to other profiles ends: what
/// hangs on it, an admin role above all, is never passed on because of an address. No id is used
/// twice, nor one that was erased.
pub fn reconcile(old: &Kin, new: Kin, erased: &BTreeSet<String>) -> Kin {
    let mut renamed: BTreeMap<String, String> = BTreeMap::new();
    let mut used: BTreeSet<String> = BTreeSet::new();
    for (_, _, _, id, former) in claims(old, &new) {
        if !renamed.contains_key(&id) && used.insert(former.clone()) {
            renamed.insert(id, former);
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
/// somebody who never did, whoever has the link that the profile began with before who joined it later.
fn claims(old: &Kin, new: &Kin) -> BTreeSet<(bool, bool, bool, String, String)> {
    let claim = new.links.values().filter_map(|link| {
        let former = old.people.get(&old.links.get(&link.id)?.person)?;
        let person = new.people.get(&link.person)?;
        let joined = founder_of(old, &former.id) != Some(&link.id);
        former.ever_active.then(|| {
            let (id, former) = (person.id.clone(), former.id.clone());
            (!person.ever_active, joined, id != former, id, former)
        })
    });
    claim.collect()
}

/// The link that a person began with.
pub fn founder_of<'a>(kin: &'a Kin, person: &'a str) -> Option<&'a String> {
    earliest(kin.links_of(person)).map(|link| &link.id)
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
