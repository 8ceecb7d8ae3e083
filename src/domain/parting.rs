//! People who turn out to be two come apart: what joined their links was a number or an address, and the
//! directory lists both under two ids now, or too many claim the number or address. The person
//! stays with the link that was known first (R31); the others are people of their own. What an
//! operator decided and what the provider's id says is firm.

use std::collections::BTreeSet;

use crate::workos::OrderKey;

use super::claims::{Repeated, email_key_of, idp_key_of};
use super::cluster::{IdentityCluster, Link, LinkState};
use super::context::Context;
use super::fold::new_person;

/// Parts everybody who cannot be one any more. `before` is the cluster before the step.
pub(super) fn part(
    cluster: &mut IdentityCluster,
    before: &IdentityCluster,
    key: &OrderKey,
    known: &Context<'_>,
) {
    // Each round cuts one of the ties, and there are fewer ties than links.
    for _ in 0..cluster.links.len() {
        let Some(cut) = too_common(cluster, known).or_else(|| two_at_once(cluster)) else {
            return;
        };
        leave(cluster, before, &cut, key, known);
    }
}

/// A link that is tied to another by what means nobody any more.
fn too_common(cluster: &IdentityCluster, known: &Context<'_>) -> Option<String> {
    let tied = |link: &&Link| {
        link.joined
            .as_ref()
            .is_some_and(|joined| joined.by.is_some())
    };
    cluster.links.values().find(tied)?;
    let repeated = Repeated::of(cluster, known);
    let by_it = |link: &&Link| {
        let by = link.joined.as_ref().and_then(|joined| joined.by.as_ref());
        by.is_some_and(|by| repeated.contains(by))
    };
    cluster
        .links
        .values()
        .find(by_it)
        .map(|link| link.id.clone())
}

/// The tie to cut where one person has two records in one directory, and both are somebody's.
fn two_at_once(cluster: &IdentityCluster) -> Option<String> {
    let mut active: Vec<&Link> = cluster
        .links
        .values()
        .filter(|link| link.is_working())
        .collect();
    active.sort_by_key(|link| (&link.first, &link.id));
    for (place, later) in active.iter().enumerate() {
        for earlier in active.iter().take(place) {
            if earlier.person == later.person
                && are_two_people(earlier, later)
                && let Some(cut) = loose_tie(cluster, later, earlier)
            {
                return Some(cut);
            }
        }
    }
    None
}

fn are_two_people(link: &Link, other: &Link) -> bool {
    if link.directory_id != other.directory_id {
        return false;
    }
    let differ = |one: Option<String>, other: Option<String>| match (one, other) {
        (Some(one), Some(other)) => Some(one != other),
        _ => None,
    };
    let by_id = differ(idp_key_of(link), idp_key_of(other));
    by_id
        .or_else(|| differ(email_key_of(link), email_key_of(other)))
        .unwrap_or(false)
}

/// The first tie between the two that is not firm: the link that it holds is parted.
fn loose_tie(cluster: &IdentityCluster, later: &Link, earlier: &Link) -> Option<String> {
    let (from_later, from_earlier) = (ties(cluster, later), ties(cluster, earlier));
    let own = |all: &[String], others: &[String]| -> Vec<String> {
        all.iter()
            .filter(|id| !others.contains(id))
            .cloned()
            .collect()
    };
    let loose = |id: &String| {
        let joined = cluster.links.get(id).and_then(|link| link.joined.as_ref());
        joined.is_some_and(|joined| joined.by.is_some())
    };
    own(&from_later, &from_earlier)
        .into_iter()
        .chain(own(&from_earlier, &from_later))
        .find(loose)
}

/// The link itself, what it is tied to, and so on.
fn ties(cluster: &IdentityCluster, link: &Link) -> Vec<String> {
    let mut all = vec![link.id.clone()];
    let mut at = link;
    while let Some(next) = at
        .joined
        .as_ref()
        .and_then(|joined| cluster.links.get(&joined.to))
    {
        if next.person != link.person || all.contains(&next.id) {
            break;
        }
        all.push(next.id.clone());
        at = next;
    }
    all
}

/// The link and all that is tied to it leave as one person of their own.
fn leave(
    cluster: &mut IdentityCluster,
    before: &IdentityCluster,
    cut: &str,
    key: &OrderKey,
    known: &Context<'_>,
) {
    let Some(person) = cluster.links.get(cut).map(|link| link.person.clone()) else {
        return;
    };
    if let Some(link) = cluster.links.get_mut(cut) {
        link.joined = None;
    }
    let leaving: BTreeSet<String> = cluster
        .links_of(&person)
        .filter(|link| ties(cluster, link).iter().any(|id| id == cut))
        .map(|link| link.id.clone())
        .collect();
    if cluster
        .links_of(&person)
        .all(|link| leaving.contains(&link.id))
    {
        return;
    }
    let Some(first) = cluster.links.get(cut).cloned() else {
        return;
    };
    let own = new_person(cluster, &first, known);
    let worked = |link: &Link| before.links.get(&link.id).is_some_and(Link::counts);
    let (left, stayed): (Vec<&Link>, Vec<&Link>) = cluster
        .links_of(&person)
        .partition(|link| leaving.contains(&link.id));
    let had_worked = |link: &&Link| {
        let was = before.links.get(&link.id);
        was.is_some_and(|was| was.ever_active && was.contest.is_none())
    };
    let ever_worked = stayed.iter().any(had_worked);
    let was_away = left.into_iter().any(worked) && !stayed.into_iter().any(worked);
    for id in &leaving {
        if let Some(link) = cluster.links.get_mut(id) {
            link.person.clone_from(&own);
        }
    }
    // Nobody was ever here under it where a rule shut out all the while who leaves now (R45).
    if let Some(stays) = cluster
        .people
        .get_mut(&person)
        .filter(|stays| !stays.admitted)
    {
        stays.ever_active &= ever_worked;
    }
    // Whoever takes the person back was away while somebody else worked under it: what was given to
    // that one, an admin role above all, is not theirs unasked (R31).
    if let Some(stays) = cluster.people.get_mut(&person).filter(|_| was_away) {
        stays.left = Some(key.clone());
        stays.period_told = true;
    }
}

impl Link {
    /// The directory says of it that somebody works there, whatever we made of it.
    fn is_working(&self) -> bool {
        self.state == LinkState::Active
    }
}
