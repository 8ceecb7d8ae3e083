//! What an event that comes late costs: its cluster is folded again from everything that was said of it
//! and its directories' turns, and [`reconcile`] keeps the profile ids that people and messages
//! already hang on.

use std::collections::{BTreeMap, BTreeSet};

use crate::workos::OrderKey;

use super::cluster::IdentityCluster;
use super::context::Context;
use super::directory::DirectoryLife;
use super::fold::{fold, free_id};
use super::identity::earliest;
use super::lifecycle::carry_let_go;
use super::memberships::Membership;
use super::observation::Step;

/// Whether a observation has to be put in its place: something newer was said of the cluster, or a
/// directory of the cluster has turned since, which may decide who is matched with whom.
pub fn comes_late(
    cluster: &IdentityCluster,
    key: &OrderKey,
    directory: &str,
    directories: &BTreeMap<String, DirectoryLife>,
) -> bool {
    if cluster.newest().is_some_and(|newest| key <= newest) {
        return true;
    }
    let involved = cluster
        .links
        .values()
        .map(|link| link.directory_id.as_str());
    involved
        .chain([directory])
        .filter_map(|id| directories.get(id)?.turns.last())
        .any(|turn| *key <= turn.key)
}

/// Whether a turn of a directory can mean anything to a cluster: only where it has a link there and
/// another one, because a turn decides who is matched with whom and nothing else (C10).
pub fn turn_concerns(cluster: &IdentityCluster, directory: &str) -> bool {
    cluster.links.len() > 1
        && cluster
            .links
            .values()
            .any(|link| link.directory_id == directory)
}

/// Folds a cluster again from everything said of it and the turns of its directories, and keeps the
/// profile ids in use.
pub fn refold(before: &IdentityCluster, said: &[Step], known: &Context<'_>) -> IdentityCluster {
    let involved: BTreeSet<&str> = said
        .iter()
        .filter_map(|step| match step {
            Step::Said(observation) => Some(observation.said.user.directory_id.as_str()),
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

/// Gives a refolded cluster the profile ids that were in use: a person keeps the profile that any of
/// their links had, if anybody ever saw it. A profile whose links all went to other profiles ends: what
/// hangs on it, an admin role above all, is never passed on because of an address. No id is used
/// twice, nor one that was erased.
pub fn reconcile(
    old: &IdentityCluster,
    new: IdentityCluster,
    erased: &BTreeSet<String>,
) -> IdentityCluster {
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
    let mut new = rename(new, &renamed);
    note_keepers(old, &mut new);
    new
}

/// Who may keep which profile, the strongest claim first: whoever has the link that it was made for
/// before who joined it later, somebody who works or worked there before somebody who never did.
fn claims(
    old: &IdentityCluster,
    new: &IdentityCluster,
) -> BTreeSet<(bool, bool, bool, String, String)> {
    let claim = new.links.values().filter_map(|link| {
        let former = old.people.get(&old.links.get(&link.id)?.person)?;
        let person = new.people.get(&link.person)?;
        let joined = keeper_of(old, &former.id) != Some(&link.id);
        former.ever_active.then(|| {
            let (id, former) = (person.id.clone(), former.id.clone());
            (joined, !person.ever_active, id != former, id, former)
        })
    });
    claim.collect()
}

/// The link that a profile was made for, and that keeps it.
pub fn keeper_of<'a>(cluster: &'a IdentityCluster, person: &'a str) -> Option<&'a String> {
    let made_for = cluster.people.get(person).map(|person| &person.made_for);
    let mut theirs = cluster.links_of(person);
    let own = theirs.find(|link| Some(&link.id) == made_for);
    own.or_else(|| earliest(cluster.links_of(person)))
        .map(|link| &link.id)
}

/// People who lost a link to somebody else: what was given to them may be that one's (R31).
pub fn scattered(before: &IdentityCluster, after: &IdentityCluster) -> BTreeSet<String> {
    let moved = before.links.values().filter(|was| {
        let is = after.links.get(&was.id);
        is.is_some_and(|is| is.person != was.person)
    });
    let gone = before.people.keys();
    let gone = gone.filter(|id| !after.people.contains_key(*id)).cloned();
    moved.map(|was| was.person.clone()).chain(gone).collect()
}

/// A membership where it belongs once links have gone to other people: with whoever has the link that
/// it was given for. Whoever joined the profile later has no right to it (R31). It remembers that
/// link, so that it comes back where two people were taken for one for a while. `None`: nobody's.
pub fn rightful(
    row: &Membership,
    before: &IdentityCluster,
    after: &IdentityCluster,
) -> Option<Membership> {
    let given_for = row.given_for.as_ref().and_then(|id| after.links.get(id));
    let keeper = || after.links.get(keeper_of(before, &row.profile_id)?);
    let link = given_for.or_else(keeper)?;
    Some(Membership {
        profile_id: link.person.clone(),
        given_for: Some(link.id.clone()),
        ..row.clone()
    })
}

/// Whom a profile is for from now on: as before, or else whoever of before is left.
fn note_keepers(old: &IdentityCluster, new: &mut IdentityCluster) {
    let keepers: BTreeMap<String, String> = new
        .people
        .keys()
        .filter_map(|id| {
            let here = |link: &str| new.links.get(link).is_some_and(|link| link.person == *id);
            let before = keeper_of(old, id).filter(|link| here(link));
            let left = || earliest(old.links_of(id).filter(|link| here(&link.id)));
            let keeper = before.or_else(|| left().map(|link| &link.id));
            Some((id.clone(), keeper.or_else(|| keeper_of(new, id))?.clone()))
        })
        .collect();
    for (id, person) in &mut new.people {
        if let Some(keeper) = keepers.get(id) {
            person.made_for.clone_from(keeper);
        }
    }
}

fn rename(cluster: IdentityCluster, renamed: &BTreeMap<String, String>) -> IdentityCluster {
    let to = |id: &str| renamed.get(id).cloned().unwrap_or_else(|| id.to_owned());
    let links = cluster.links.into_iter().map(|(id, mut link)| {
        link.person = to(&link.person);
        if let Some(contest) = &mut link.contest {
            contest.candidates = contest.candidates.iter().map(|id| to(id)).collect();
        }
        (id, link)
    });
    let people = cluster.people.into_values().map(|mut person| {
        person.id = to(&person.id);
        person.possible_rehire_of = person.possible_rehire_of.map(|id| to(&id));
        (person.id.clone(), person)
    });
    IdentityCluster {
        links: links.collect(),
        people: people.collect(),
    }
}
