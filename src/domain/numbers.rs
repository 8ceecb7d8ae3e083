//! Employee numbers (R20): alone they bring nobody together. Within one directory a new record takes the
//! place of an old one that has ended; across directories the address or the provider's id must agree,
//! unless the organization says that its directories share one range of numbers. Whatever contradicts
//! it is asked about, and until an operator decides both people are themselves, with access as their
//! directory says: a number, unlike an address, gives nobody a way in.

use std::collections::{BTreeMap, BTreeSet};

use super::claims::{Repeated, email_key_of, idp_key_of, number_key_of};
use super::cluster::{IdentityCluster, Joined, Link, LinkState};
use super::context::Context;
use super::identity::{Verdict, earliest, others};
use super::settings::EmployeeNumbers;

/// Whose a link is by its number. With a contradiction, or more than one candidate, it is its own.
pub(super) fn same_number(
    cluster: &IdentityCluster,
    link: &Link,
    known: &Context<'_>,
    repeated: &Repeated,
) -> Option<Verdict> {
    let number = number_key_of(link).filter(|number| !repeated.contains(number))?;
    let candidates = candidates(cluster, link, &number, known, repeated);
    let contradicted = |person: &String| contradicts(cluster, link, person);
    let mut people = candidates.iter();
    match (people.next(), people.next()) {
        (None, _) => None,
        (Some((person, other)), None) if !contradicted(person) => Some(Verdict::Known(
            person.clone(),
            Joined::by(&number, &other.id),
        )),
        // Never a guess, and not by the address either: a person is asked.
        _ => Some(Verdict::New {
            possible_rehire_of: None,
        }),
    }
}

/// The people whose number it is, each with the link that was known first.
fn candidates<'a>(
    cluster: &'a IdentityCluster,
    link: &'a Link,
    number: &str,
    known: &'a Context<'_>,
    repeated: &Repeated,
) -> BTreeMap<String, &'a Link> {
    let claims = |other: &&Link| {
        number_key_of(other).as_deref() == Some(number)
            && (other.is_listed() || !has_another_record(cluster, other))
            && is_in_scope(link, other, known, repeated)
    };
    let mut people: BTreeMap<String, Vec<&Link>> = BTreeMap::new();
    for other in others(cluster, link, known).filter(claims) {
        people.entry(other.person.clone()).or_default().push(other);
    }
    let first = people
        .into_iter()
        .map(|(id, links)| Some((id, earliest(links)?)));
    first.flatten().collect()
}

/// What an ended record had is not the number of somebody who has another record there (R24).
fn has_another_record(cluster: &IdentityCluster, ended: &Link) -> bool {
    let mut theirs = cluster.links_of(&ended.person);
    theirs.any(|link| link.directory_id == ended.directory_id && link.is_listed())
}

fn is_in_scope(link: &Link, other: &Link, known: &Context<'_>, repeated: &Repeated) -> bool {
    let agrees = || {
        let ids = idp_key_of(link);
        let addresses = email_key_of(link).filter(|email| !repeated.contains(email));
        (ids.is_some() && ids == idp_key_of(other))
            || (addresses.is_some() && addresses == email_key_of(other))
    };
    link.directory_id == other.directory_id
        || known.settings.employee_numbers == EmployeeNumbers::Shared
        || agrees()
}

/// Whether a link and a person cannot be one: the directory lists both, or both use an address of
/// their own.
fn contradicts(cluster: &IdentityCluster, link: &Link, person: &str) -> bool {
    let theirs = || cluster.links_of(person).filter(|other| other.id != link.id);
    let both_listed = theirs().any(|other| {
        other.directory_id == link.directory_id
            && other.is_listed()
            && (idp_key_of(link).is_none() || idp_key_of(other) != idp_key_of(link))
    });
    let addresses: BTreeSet<String> = theirs()
        .filter(|other| other.counts())
        .filter_map(email_key_of)
        .collect();
    let other_address = link.state == LinkState::Active
        && email_key_of(link).is_some_and(|own| !addresses.is_empty() && !addresses.contains(&own));
    both_listed || other_address
}

/// The people of whom it is asked whether this link is theirs, because they have its number: who was
/// known before it and is listed now.
pub(super) fn asked_over(
    cluster: &IdentityCluster,
    link: &Link,
    known: &Context<'_>,
) -> Vec<String> {
    let repeated = Repeated::of(cluster, known);
    let number = number_key_of(link).filter(|number| link.counts() && !repeated.contains(number));
    let Some(number) = number else {
        return Vec::new();
    };
    let found = candidates(cluster, link, &number, known, &repeated);
    let earlier = found.into_iter().filter(|(person, other)| {
        *person != link.person
            && cluster.links_of(person).any(Link::counts)
            && (&other.first, &other.id) < (&link.first, &link.id)
            && !known.decisions.part_people(cluster, &link.person, person)
    });
    earlier.map(|(person, _)| person).collect()
}
