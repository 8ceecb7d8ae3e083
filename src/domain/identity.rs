//! Who a directory user is (R20): whom an operator said; the same directory user id; the same idp id in the same directory
//! or in one that was detached (R31, R37); the same employee number where nothing contradicts it; the
//! address of somebody who is not removed and has no active link (C1). More than one candidate, or an
//! address somebody works under: a person decides, never a guess (R25). An address once used by
//! somebody removed, or by an ended link, is a new person's (R24), with a note where it may be a rehire (R32).

use std::collections::BTreeSet;

use serde_json::Value;

use crate::workos::{OrderKey, clean};

use super::attributes::Values;
use super::claims::{Repeated, email_key_of, idp_key_of};
use super::cluster::{Contest, IdentityCluster, Joined, Link, LinkState};
use super::context::Context;
use super::lifecycle::{Status, standing};
use super::numbers::same_number;
use super::observation::Observation;
use super::settings::Settings;

/// Who a link belongs to.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Verdict {
    /// The person is known, and by which link.
    Known(String, Joined),
    /// Adopted by e-mail: this event does not rewrite the address (R21).
    Adopted(String, Joined),
    /// Somebody new, perhaps a removed person who returns.
    New { possible_rehire_of: Option<String> },
    /// A person must decide.
    Contested(Contest),
}

/// The keys by which a link can meet others of its organization.
#[must_use]
pub fn keys_of(
    idp_id: Option<&str>,
    email: Option<&str>,
    employee_number: Option<&str>,
) -> Vec<String> {
    let keys = [
        idp_id.and_then(idp_key),
        employee_number.and_then(number_key),
        email.and_then(email_key),
    ];
    keys.into_iter().flatten().collect()
}

/// How addresses and numbers are compared (R22, R88).
#[must_use]
pub fn fold_case(text: &str) -> String {
    clean::fold(text)
}

/// What a directory user is compared by, as it is written into the index of keys: `i:` idp id. A
/// provider's ids differ by case.
#[must_use]
pub fn idp_key(idp_id: &str) -> Option<String> {
    clean::id_key(idp_id).map(|key| format!("i:{key}"))
}

/// `n:` employee number.
pub(super) fn number_key(number: &str) -> Option<String> {
    clean::key(number).map(|key| format!("n:{key}"))
}

/// `e:` e-mail address (R22, R88).
pub(super) fn email_key(email: &str) -> Option<String> {
    clean::key(email).map(|key| format!("e:{key}"))
}

/// Judges a link that is not attached to anybody else's life yet, and is not in `cluster`.
pub(super) fn judge(
    cluster: &IdentityCluster,
    link: &Link,
    key: &OrderKey,
    known: &Context<'_>,
) -> Verdict {
    let repeated = Repeated::with(cluster, link, known);
    decided(cluster, link, known)
        .or_else(|| same_idp_id(cluster, link, key, known))
        .or_else(|| same_number(cluster, link, known, &repeated))
        .unwrap_or_else(|| same_email(cluster, link, key, known, &repeated))
}

/// Whom an operator said it is, if any of theirs is known at this point.
fn decided(cluster: &IdentityCluster, link: &Link, known: &Context<'_>) -> Option<Verdict> {
    let same = known.decisions.same_as(&link.id);
    let people = same.iter().filter_map(|id| cluster.links.get(*id));
    people
        .min_by_key(|other| (&other.person, &other.id))
        .map(|other| Verdict::Known(other.person.clone(), Joined::firmly(&other.id)))
}

/// By what does not pass from one person to another: the provider's id.
pub(super) fn same_idp_id(
    cluster: &IdentityCluster,
    link: &Link,
    key: &OrderKey,
    known: &Context<'_>,
) -> Option<Verdict> {
    let idp_id = idp_key_of(link)?;
    let same: Vec<&Link> = others(cluster, link, known)
        .filter(|other| idp_key_of(other).as_ref() == Some(&idp_id))
        .collect();
    let meant = |is_meant: &dyn Fn(&Link) -> bool| -> Vec<&Link> {
        same.iter()
            .copied()
            .filter(|other| is_meant(other))
            .collect()
    };
    let mut found = meant(&|other| other.directory_id == link.directory_id);
    if found.is_empty() {
        // A small number may be anybody's in another provider: the address or the provider must agree.
        let kind = known.kind_at(&link.directory_id, key);
        found = meant(&|other| {
            !known.live_at(&other.directory_id, key)
                && (same_address(other, link)
                    || (kind.is_some() && kind == known.kind_at(&other.directory_id, key)))
        });
    }
    let people: BTreeSet<&String> = found.iter().map(|other| &other.person).collect();
    if people.len() > 1 {
        return Some(Verdict::Contested(Contest {
            over: "idp_id".to_owned(),
            candidates: people.into_iter().cloned().collect(),
        }));
    }
    let first = earliest(found)?;
    Some(Verdict::Known(
        first.person.clone(),
        Joined::firmly(&first.id),
    ))
}

/// Other links, but for those of people whom an operator said it is not.
pub(super) fn others<'a>(
    cluster: &'a IdentityCluster,
    link: &'a Link,
    known: &'a Context<'_>,
) -> impl Iterator<Item = &'a Link> {
    cluster.links.values().filter(move |other| {
        other.id != link.id && !known.decisions.parts(cluster, &link.id, &other.person)
    })
}

/// The link that was known first.
pub(super) fn earliest<'a>(links: impl IntoIterator<Item = &'a Link>) -> Option<&'a Link> {
    links.into_iter().min_by_key(|link| (&link.first, &link.id))
}

/// Whether two records of one directory are of two people there: both are listed, under two ids.
pub(super) fn are_two_records(link: &Link, other: &Link) -> bool {
    let ids = (idp_key_of(link), idp_key_of(other));
    link.directory_id == other.directory_id
        && other.is_listed()
        && matches!(ids, (Some(own), Some(theirs)) if own != theirs)
}

fn same_email(
    cluster: &IdentityCluster,
    link: &Link,
    key: &OrderKey,
    known: &Context<'_>,
    repeated: &Repeated,
) -> Verdict {
    let nobody = Verdict::New {
        possible_rehire_of: None,
    };
    // Inactive users may share an address (contract section 6): nothing to decide yet.
    let Some(email) = email_key_of(link).filter(|_| link.state == LinkState::Active) else {
        return nobody;
    };
    if repeated.contains(&email) {
        return nobody;
    }
    let mut free: Vec<&Link> = Vec::new();
    let mut taken = BTreeSet::new();
    let mut gone: Vec<(OrderKey, String)> = Vec::new();
    for person in cluster.people.values() {
        if known.decisions.parts(cluster, &link.id, &person.id) {
            continue;
        }
        let links: Vec<&Link> = cluster
            .links_of(&person.id)
            .filter(|other| other.id != link.id)
            .collect();
        let under_it = || {
            let theirs = links.iter().copied();
            theirs.filter(|other| email_key_of(other).as_ref() == Some(&email))
        };
        if matches!(standing(cluster, person), Status::Removed | Status::Erased) {
            let left = person
                .left
                .as_ref()
                .filter(|_| person.status == Status::Removed);
            if under_it().next().is_some() {
                gone.push((left.unwrap_or(key).clone(), person.id.clone()));
            }
        } else if links.iter().any(|other| is_live(other, key, known)) {
            // Only what is in use is taken: not what an ended link once had, nor a waiting one (R24).
            if under_it().any(|other| is_live(other, key, known)) {
                taken.insert(person.id.clone());
            }
        } else if let Some(listed) =
            earliest(under_it().filter(|other| other.is_listed() && other.contest.is_none()))
        {
            if links.iter().any(|other| are_two_records(link, other)) {
                if links.iter().any(|other| other.counts()) {
                    taken.insert(person.id.clone());
                }
            } else {
                free.push(listed);
            }
        }
    }
    match (taken.len(), free.as_slice()) {
        (0, []) => Verdict::New {
            // Who left last, if several had the address.
            possible_rehire_of: gone.into_iter().max().map(|(_, id)| id),
        },
        (0, [other]) => {
            let joined = Joined::by(&email, &other.id);
            Verdict::Adopted(other.person.clone(), joined)
        }
        _ => Verdict::Contested(Contest {
            over: "email".to_owned(),
            candidates: taken
                .into_iter()
                .chain(free.iter().map(|other| other.person.clone()))
                .collect(),
        }),
    }
}

/// An active link: it says that its person works there, and its directory was linked at that point.
pub(super) fn is_live(link: &Link, key: &OrderKey, known: &Context<'_>) -> bool {
    link.counts() && known.live_at(&link.directory_id, key)
}

/// Whether the directory gives two links the same address.
pub(super) fn same_address(link: &Link, other: &Link) -> bool {
    let own = email_key_of(link);
    own.is_some() && own == email_key_of(other)
}

/// The keys a observation says, under the organization's mapping.
pub fn keys_said(observation: &Observation, settings: &Settings) -> Vec<String> {
    let mut said = std::collections::BTreeMap::new();
    let mut values = Values::over(&mut said, settings.date_order);
    values.take(&observation.said.user, &settings.mapping);
    let text = |name: &str| said.get(name).and_then(Value::as_str);
    keys_of(
        observation.said.user.idp_id.as_deref(),
        text("email"),
        text("employee_number"),
    )
}
