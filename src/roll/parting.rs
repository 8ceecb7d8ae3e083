//! People who turn out to be two come apart: what joined their links was a number or an address, and the
//! directory lists both under two ids now, or too many claim the number or address. The person
//! stays with the link that was known first (R31); the others are people of their own. What an
//! operator decided and what the provider's id says is firm.

use std::collections::BTreeSet;

use crate::workos::OrderKey;

use super::claims::{Repeated, email_key_of, idp_key_of};
use super::fold::{Known, new_person};
use super::kin::{Kin, Link, LinkState};

/// Parts everybody who cannot be one any more. `before` is the kin before the step.
pub(super) fn part(kin: &mut Kin, before: &Kin, key: &OrderKey, known: &Known<'_>) {
    // Each round cuts one of the ties, and there are fewer ties than links.
    for _ in 0..kin.links.len() {
        let Some(cut) = too_common(kin, known).or_else(|| two_at_once(kin)) else {
            return;
        };
        leave(kin, before, &cut, key, known);
    }
}

/// A link that is tied to another by what means nobody any more.
fn too_common(kin: &Kin, known: &Known<'_>) -> Option<String> {
    let tied = |link: &&Link| {
        link.joined
            .as_ref()
            .is_some_and(|joined| joined.by.is_some())
    };
    kin.links.values().find(tied)?;
    let repeated = Repeated::of(kin, known);
    let by_it = |link: &&Link| {
        let by = link.joined.as_ref().and_then(|joined| joined.by.as_ref());
        by.is_some_and(|by| repeated.contains(by))
    };
    kin.links.values().find(by_it).map(|link| link.id.clone())
}

/// The tie to cut where one person has two records in one directory, and both are somebody's.
fn two_at_once(kin: &Kin) -> Option<String> {
    let mut active: Vec<&Link> = kin
        .links
        .values()
        .filter(|link| link.is_working())
        .collect();
    active.sort_by_key(|link| (&link.first, &link.id));
    for (place, later) in active.iter().enumerate() {
        for earlier in active.iter().take(place) {
            if earlier.person == later.person
                && are_two_people(earlier, later)
                && let Some(cut) = loose_tie(kin, later, earlier)
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
fn loose_tie(kin: &Kin, later: &Link, earlier: &Link) -> Option<String> {
    let (from_later, from_earlier) = (ties(kin, later), ties(kin, earlier));
    let own = |all: &[String], others: &[String]| -> Vec<String> {
        all.iter()
            .filter(|id| !others.contains(id))
            .cloned()
            .collect()
    };
    let loose = |id: &String| {
        let joined = kin.links.get(id).and_then(|link| link.joined.as_ref());
        joined.is_some_and(|joined| joined.by.is_some())
    };
    own(&from_later, &from_earlier)
        .into_iter()
        .chain(own(&from_earlier, &from_later))
        .find(loose)
}

/// The link itself, what it is tied to, and so on.
fn ties(kin: &Kin, link: &Link) -> Vec<String> {
    let mut all = vec![link.id.clone()];
    let mut at = link;
    while let Some(next) = at
        .joined
        .as_ref()
        .and_then(|joined| kin.links.get(&joined.to))
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
fn leave(kin: &mut Kin, before: &Kin, cut: &str, key: &OrderKey, known: &Known<'_>) {
    let Some(person) = kin.links.get(cut).map(|link| link.person.clone()) else {
        return;
    };
    if let Some(link) = kin.links.get_mut(cut) {
        link.joined = None;
    }
    let leaving: BTreeSet<String> = kin
        .links_of(&person)
        .filter(|link| ties(kin, link).iter().any(|id| id == cut))
        .map(|link| link.id.clone())
        .collect();
    if kin.links_of(&person).all(|link| leaving.contains(&link.id)) {
        return;
    }
    let Some(first) = kin.links.get(cut).cloned() else {
        return;
    };
    let own = new_person(kin, &first, known);
    let worked = |link: &Link| before.links.get(&link.id).is_some_and(Link::counts);
    let (left, stayed): (Vec<&Link>, Vec<&Link>) = kin
        .links_of(&person)
        .partition(|link| leaving.contains(&link.id));
    let had_worked = |link: &&Link| {
        let was = before.links.get(&link.id);
        was.is_some_and(|was| was.ever_active && was.contest.is_none())
    };
    let ever_worked = stayed.iter().any(had_worked);
    let was_away = left.into_iter().any(worked) && !stayed.into_iter().any(worked);
    for id in &leaving {
        if let Some(link) = kin.links.get_mut(id) {
            link.person.clone_from(&own);
        }
    }
    // Nobody was ever here under it where a rule shut out all the while who leaves now (R45).
    if let Some(stays) = kin.people.get_mut(&person).filter(|stays| !stays.admitted) {
        stays.ever_active &= ever_worked;
    }
    // Whoever takes the person back was away while somebody else worked under it: what was given to
    // that one, an admin role above all, is not theirs unasked (R31).
    if let Some(stays) = kin.people.get_mut(&person).filter(|_| was_away) {
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
