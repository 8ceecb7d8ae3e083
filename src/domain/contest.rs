//! Conflicts (R20, R25) and addresses that move (R23): nobody takes an address somebody else works
//! under, and where a person must decide the link waits. An address is held by whom its directory gives it
//! and who has claimed it longest. Whoever waits is judged again at every step of the cluster (C1), over
//! all of it: an address let go is offered at once to whoever was refused it, and a former address
//! is kept only until somebody else has it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::workos::OrderKey;

use super::claims::{Repeated, email_key_of, held_key_of};
use super::cluster::{Contest, IdentityCluster, Link, LinkState};
use super::context::Context;
use super::fold::{attach, is_alone_and_new};
use super::identity::{Verdict, email_key, is_live, same_idp_id};

/// R25: who begins to work under an address of somebody else waits whole; who works already keeps
/// the former address, and the new one is kept aside. So it is where an operator said that they are
/// two people: one of them has the address.
pub(super) fn guard_email(
    cluster: &IdentityCluster,
    link: &mut Link,
    begins: bool,
    former_email: Option<String>,
    key: &OrderKey,
    known: &Context<'_>,
) {
    let Some(owner) = holder_of_own(cluster, link, key, known) else {
        return;
    };
    let two_people = known.decisions.parts(cluster, &link.id, &owner)
        || known.decisions.part_people(cluster, &link.person, &owner);
    if begins && !two_people {
        link.contest = Some(Contest {
            over: "email".to_owned(),
            candidates: vec![owner],
        });
        return;
    }
    let own = link.email().and_then(email_key);
    let former = former_email.filter(|_| !begins);
    if former.as_deref().and_then(email_key) != own {
        put_aside(link, former);
    }
}

/// The directory's word waits, and the former address, if any, is shown meanwhile. Nothing is said
/// explicitly: what an ended link once had must not be shown in its place (R24).
fn put_aside(link: &mut Link, former: Option<String>) {
    let shown = former.map_or(Value::Null, Value::String);
    if let Some(Value::String(wanted)) = link.values.insert("email".to_owned(), shown) {
        link.wanted_email = Some(wanted);
    }
}

/// Who else works under the address that the directory gives this link, at that point of the order.
fn holder_of_own(
    cluster: &IdentityCluster,
    link: &Link,
    key: &OrderKey,
    known: &Context<'_>,
) -> Option<String> {
    let email = email_key_of(link)?;
    if Repeated::with(cluster, link, known).contains(&email) {
        return None;
    }
    let held = |other: &&Link| {
        other.person != link.person
            && is_live(other, key, known)
            && held_key_of(other).as_ref() == Some(&email)
    };
    let holders = cluster.links.values().filter(held);
    holders
        .min_by_key(|other| claim(other))
        .map(|other| other.person.clone())
}

/// The place in the line for an address.
fn claim(link: &Link) -> (&OrderKey, &str) {
    (link.email_since.as_ref().unwrap_or(&link.life), &link.id)
}

/// Brings every address to whom it belongs now.
pub(super) fn settle_addresses(cluster: &mut IdentityCluster, key: &OrderKey, known: &Context<'_>) {
    rejudge(cluster, key, known);
    one_holder_each(cluster, key, known);
    drop_former(cluster);
}

/// Judges all who wait once more, who waits longest first.
fn rejudge(cluster: &mut IdentityCluster, key: &OrderKey, known: &Context<'_>) {
    let waits = |link: &&Link| link.contest.is_some() || link.wanted_email.is_some();
    let mut waiting: Vec<&Link> = cluster.links.values().filter(waits).collect();
    waiting.sort_by_key(|link| claim(link));
    let waiting: Vec<String> = waiting.into_iter().map(|link| link.id.clone()).collect();
    for id in waiting {
        let Some(mut link) = cluster.links.get(&id).cloned() else {
            continue;
        };
        if link.contest.is_some() {
            judge_again(cluster, &mut link, key, known);
        }
        if link.counts()
            && link.wanted_email.is_some()
            && holder_of_own(cluster, &link, key, known).is_none()
            && let Some(wanted) = link.wanted_email.take()
        {
            link.values
                .insert("email".to_owned(), Value::String(wanted));
        }
        cluster.links.insert(id, link);
    }
}

fn judge_again(
    cluster: &mut IdentityCluster,
    link: &mut Link,
    key: &OrderKey,
    known: &Context<'_>,
) {
    let was = link.contest.take();
    if link.state != LinkState::Active {
        return;
    }
    cluster.links.remove(&link.id);
    if is_alone_and_new(cluster, link) {
        attach(cluster, link, key, known);
    } else if let Some(was) = was.filter(|was| was.over != "email") {
        link.contest = still_contested(cluster, link, was, key, known);
    }
    if link.contest.is_none() {
        guard_email(cluster, link, true, None, key, known);
    }
}

/// A link whose person others have joined cannot move any more: it waits while its provider's id
/// still means somebody else.
fn still_contested(
    cluster: &IdentityCluster,
    link: &Link,
    was: Contest,
    key: &OrderKey,
    known: &Context<'_>,
) -> Option<Contest> {
    match same_idp_id(cluster, link, key, known)? {
        Verdict::Contested(contest) => Some(contest),
        Verdict::Known(other, _) if other != link.person => Some(Contest {
            over: was.over,
            candidates: vec![other],
        }),
        _ => None,
    }
}

/// Where a directory comes back, or people are parted, two may work under one address: who claimed it
/// first has it. A linked directory's word goes before that of one that is gone.
fn one_holder_each(cluster: &mut IdentityCluster, key: &OrderKey, known: &Context<'_>) {
    let repeated = Repeated::of(cluster, known);
    let mut holders: BTreeMap<String, Vec<&Link>> = BTreeMap::new();
    for link in cluster.links.values().filter(|link| link.counts()) {
        if let Some(email) = held_key_of(link).filter(|email| !repeated.contains(email)) {
            holders.entry(email).or_default().push(link);
        }
    }
    let mut refused: Vec<String> = Vec::new();
    for holders in holders.into_values() {
        let first = holders
            .iter()
            .min_by_key(|link| (!is_live(link, key, known), claim(link)));
        let person = first.map(|link| &link.person);
        let others = holders.iter().filter(|link| Some(&link.person) != person);
        refused.extend(others.map(|link| link.id.clone()));
    }
    for id in refused {
        if let Some(link) = cluster.links.get_mut(&id) {
            put_aside(link, None);
        }
    }
}

/// Nobody is shown under a former address that is somebody else's now (R23).
fn drop_former(cluster: &mut IdentityCluster) {
    let counting = || cluster.links.values().filter(|link| link.counts());
    let held: BTreeSet<(String, &str)> = counting()
        .filter_map(|link| Some((held_key_of(link)?, link.person.as_str())))
        .collect();
    let lost = counting().filter(|link| {
        let former = link.email().filter(|_| link.wanted_email.is_some());
        let former = former.and_then(email_key);
        former.is_some_and(|former| {
            held.iter()
                .any(|(email, person)| *email == former && *person != link.person)
        })
    });
    let lost: Vec<String> = lost.map(|link| link.id.clone()).collect();
    for id in lost {
        if let Some(link) = cluster.links.get_mut(&id) {
            link.values.insert("email".to_owned(), Value::Null);
        }
    }
}

/// Who holds the address that a link was refused, as it is asked about.
pub(super) fn holder_of_refused(
    cluster: &IdentityCluster,
    link: &Link,
    known: &Context<'_>,
) -> Option<String> {
    let wanted = link.wanted_email.as_deref().filter(|_| link.counts())?;
    let wanted = email_key(wanted)?;
    let works = |other: &&Link| {
        let directory = known.directories.get(&other.directory_id);
        other.counts() && directory.is_none_or(super::DirectoryLife::live)
    };
    let others = cluster
        .links
        .values()
        .filter(|other| other.person != link.person);
    let holders = others
        .filter(works)
        .filter(|other| held_key_of(other).as_ref() == Some(&wanted));
    holders
        .min_by_key(|other| claim(other))
        .map(|other| other.person.clone())
}
