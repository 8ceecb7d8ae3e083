//! Which groups a person is in, from what was said of each of their directory users. Groups follow
//! the person: what was said of an ended record carries over to the one that took its place under
//! the same provider's id, unless something newer was said (C5). A function of the
//! links, edges and groups alone, so that batches and order mean nothing to it (R14).

use std::collections::{BTreeMap, BTreeSet};

use crate::workos::provider_user;

use super::cluster::{IdentityCluster, Link};
use super::groups::{Edge, Group};
use super::identity::idp_key;

/// What makes several records one user: their directory and the provider's id, else WorkOS's.
type Identity<'a> = (&'a str, String);

/// A directory user of a person, as far as places in groups depend on it.
#[derive(Debug, Clone, Copy)]
pub struct Holder<'a> {
    /// WorkOS's id.
    pub directory_user_id: &'a str,
    /// Its directory.
    pub directory_id: &'a str,
    /// The provider's id.
    pub idp_id: Option<&'a str>,
    /// Whether it says that its person works there.
    pub active: bool,
}

impl<'a> Holder<'a> {
    /// A link as a holder.
    pub fn of(link: &'a Link) -> Self {
        Self {
            directory_user_id: &link.id,
            directory_id: &link.directory_id,
            idp_id: link.idp_id.as_deref(),
            active: link.counts(),
        }
    }

    /// What edges about it may be kept under: WorkOS's id, and the provider's (R95).
    pub fn names(&self) -> Vec<String> {
        let by_provider = self.idp_id.map(|id| provider_user(self.directory_id, id));
        std::iter::once(self.directory_user_id.to_owned())
            .chain(by_provider)
            .collect()
    }

    /// What makes several records one user of their directory.
    fn identity(&self) -> Identity<'a> {
        let own = self.idp_id.and_then(idp_key);
        let own = own.unwrap_or_else(|| self.directory_user_id.to_owned());
        (self.directory_id, own)
    }
}

/// The edges that say where a person is, one for each group and user of a directory. A place is
/// theirs while any record that is active has it, whatever is said of another record. Where none has, the
/// newest word over all records decides. `edges` are by the name that they are kept under.
pub fn standing_edges<'a>(
    holders: &[Holder<'_>],
    edges: &'a BTreeMap<String, Vec<Edge>>,
    groups: &BTreeMap<String, Group>,
) -> Vec<&'a Edge> {
    let working: BTreeSet<Identity<'_>> = holders
        .iter()
        .filter(|holder| holder.active)
        .map(Holder::identity)
        .collect();
    let mut standing: BTreeMap<(&str, Identity<'_>), (bool, &Edge)> = BTreeMap::new();
    for holder in holders {
        let identity = holder.identity();
        if !working.contains(&identity) {
            continue;
        }
        for edge in words_about(holder, edges) {
            let has_it = holder.active && edge.holds(groups.get(&edge.group_id));
            let place = (edge.group_id.as_str(), identity.clone());
            let best = standing.entry(place).or_insert((has_it, edge));
            if (best.0, &best.1.key) < (has_it, &edge.key) {
                *best = (has_it, edge);
            }
        }
    }
    standing.into_values().map(|(_, edge)| edge).collect()
}

/// The newest word about one record for each group, whichever of its two names the event used (R95).
fn words_about<'a>(
    holder: &Holder<'_>,
    edges: &'a BTreeMap<String, Vec<Edge>>,
) -> impl Iterator<Item = &'a Edge> + use<'a> {
    let mut newest: BTreeMap<&str, &Edge> = BTreeMap::new();
    for name in holder.names() {
        for edge in edges.get(&name).into_iter().flatten() {
            let word = newest.entry(&edge.group_id).or_insert(edge);
            if word.key < edge.key {
                *word = edge;
            }
        }
    }
    newest.into_values()
}

/// The groups a person is in, by all that a rule may call them: id and name. `in_use` are the names
/// that living groups of each directory have.
pub fn groups_of(
    holders: &[Holder<'_>],
    edges: &BTreeMap<String, Vec<Edge>>,
    groups: &BTreeMap<String, Group>,
    in_use: &BTreeSet<(String, String)>,
) -> Vec<(String, String)> {
    standing_edges(holders, edges, groups)
        .into_iter()
        .filter(|edge| edge.holds(groups.get(&edge.group_id)))
        .flat_map(|edge| match groups.get(&edge.group_id) {
            Some(group) => called(group, in_use),
            None => vec![(edge.group_id.clone(), String::new())],
        })
        .collect()
}

/// All that a rule may call a group: its id and name, the names it had before (unless another group
/// of the directory has one of them now), and the ids of those whose place it took (R52).
fn called(group: &Group, in_use: &BTreeSet<(String, String)>) -> Vec<(String, String)> {
    let former = group
        .former_names()
        .filter(|name| !in_use.contains(&(group.directory_id.clone(), (*name).clone())))
        .map(|name| (group.id.clone(), name.clone()));
    let taken = group
        .took_over
        .iter()
        .map(|id| (id.clone(), group.name.clone()));
    std::iter::once((group.id.clone(), group.name.clone()))
        .chain(former)
        .chain(taken)
        .collect()
}

/// Whose places may be others than before, because one of their links moved, began, ended or has
/// another provider's id now (R85): also where nothing that is shown of the person changed.
pub fn displaced(before: &IdentityCluster, after: &IdentityCluster) -> BTreeSet<String> {
    let mut people = BTreeSet::new();
    let ids: BTreeSet<&String> = before.links.keys().chain(after.links.keys()).collect();
    for id in ids {
        let (was, is) = (before.links.get(id), after.links.get(id));
        let read = |link: &Link| {
            let place = (link.directory_id.clone(), link.idp_id.clone());
            (link.counts(), link.person.clone(), place)
        };
        if was.map(read) != is.map(read) {
            let theirs = was.into_iter().chain(is).map(|link| link.person.clone());
            people.extend(theirs);
        }
    }
    people
}
