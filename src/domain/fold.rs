//! The fold itself: [`apply`] takes one step on a cluster, `fold` takes all of them in order from
//! nothing. Both are the same code; the second is what an event that comes late costs.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::workos::{OrderKey, clean};

use super::attributes::Values;
use super::claims::{address_of, email_key_of};
use super::cluster::{IdentityCluster, Link, LinkState, Person};
use super::compose::compose;
use super::contest::{guard_email, settle_addresses};
use super::context::Context;
use super::directory::DirectoryTurn;
use super::identity::{Verdict, idp_key, is_live, judge};
use super::lifecycle::settle;
use super::observation::{Life, Observation, Step};
use super::parting::part;
use super::refold::reconcile;

/// Takes one step. The caller sees to it that it is the newest of this cluster; otherwise
/// [`super::refold`].
pub fn apply(cluster: &IdentityCluster, step: &Step, known: &Context<'_>) -> IdentityCluster {
    let next = take(cluster, step, known);
    let same = |link: &Link| {
        let was = cluster.links.get(&link.id);
        was.is_none_or(|was| was.person == link.person)
    };
    match next.links.values().all(same) {
        true => next,
        false => reconcile(cluster, next, known.erased),
    }
}

fn take(cluster: &IdentityCluster, step: &Step, known: &Context<'_>) -> IdentityCluster {
    let mut next = cluster.clone();
    match step {
        Step::Said(observation) => listen(&mut next, cluster, observation, known),
        Step::Turned(turn) if turn.removes => end_links(&mut next, turn),
        Step::Turned(_) => {}
    }
    let key = step.key();
    come_to_rest(&mut next, cluster, key, known);
    settle(&mut next, key, known);
    stamp(cluster, &mut next, key, known);
    next
}

/// Takes all steps in the order of their keys, from nothing.
pub fn fold(steps: &[Step], known: &Context<'_>) -> IdentityCluster {
    let mut sorted: Vec<&Step> = steps.iter().collect();
    sorted.sort_by(|one, other| one.key().cmp(other.key()));
    sorted.dedup_by(|one, other| one.key() == other.key());
    sorted
        .into_iter()
        .fold(IdentityCluster::default(), |cluster, step| {
            take(&cluster, step, known)
        })
}

/// An operator's decision ends every link of a directory (R36).
fn end_links(cluster: &mut IdentityCluster, turn: &DirectoryTurn) {
    for link in cluster.links.values_mut() {
        if link.directory_id == turn.directory_id && link.state == LinkState::Active {
            link.state = LinkState::Deleted;
            link.life = turn.key.clone();
        }
    }
}

/// What follows from a step is followed to its end. What is left open would wait for the next step
/// of the cluster, and who is cluster depends on what came later (R14).
fn come_to_rest(
    cluster: &mut IdentityCluster,
    before: &IdentityCluster,
    key: &OrderKey,
    known: &Context<'_>,
) {
    // Each round settles one conflict at least; a cluster with more rounds than links goes in circles.
    for _ in 0..=cluster.links.len() {
        let last = cluster.clone();
        part(cluster, before, key, known);
        settle_addresses(cluster, key, known);
        retire_moved(cluster, key, known);
        if *cluster == last {
            return;
        }
    }
}

/// Takes over what a observation says of its own link, and attaches the link to a person.
fn listen(
    cluster: &mut IdentityCluster,
    before: &IdentityCluster,
    observation: &Observation,
    known: &Context<'_>,
) {
    let said = &observation.said.user;
    let key = &observation.key;
    let earlier = cluster.links.remove(&said.id);
    let fresh = earlier.is_none();
    let mut link = earlier.unwrap_or_else(|| new_link(observation));
    let worked = link.state == LinkState::Active;
    // A removal changes no field (C3); where somebody was never active there is nothing to remove.
    let removes = match observation.life() {
        Life::Deleted => true,
        Life::Inactive => link.state != LinkState::Pending,
        Life::Active | Life::Silent => false,
    };
    let former_email = link.email().map(str::to_owned);
    let former_key = email_key_of(&link);

    link.last = key.clone();
    if said.idp_id.is_some() {
        link.idp_id.clone_from(&said.idp_id);
    }
    if observation.life() != Life::Silent {
        link.life = key.clone();
        link.state = next_state(&link, observation.life());
    }
    if !removes {
        let mut values = Values::over(&mut link.values, known.settings.date_order);
        values.take(said, &known.settings.mapping);
        link.warnings = values.warnings;
        // The newer word about the address replaces the one that was kept aside; a placeholder is none.
        if said
            .email
            .text()
            .is_some_and(|email| !clean::is_placeholder(email))
        {
            link.wanted_email = None;
        }
    }

    let begins = link.state == LinkState::Active && !worked;
    if let Some(wanted) = link.wanted_email.take_if(|_| begins) {
        link.values
            .insert("email".to_owned(), Value::String(wanted));
    }
    if fresh || begins || email_key_of(&link) != former_key {
        link.email_since = Some(key.clone());
    }
    if fresh || (begins && is_alone_and_new(cluster, &link)) {
        attach(cluster, &mut link, key, known);
    }
    cluster.links.insert(link.id.clone(), link);
    // Who turns out to be two is parted first: each of them has an address of their own.
    part(cluster, before, key, known);
    if let Some(mut link) = cluster.links.remove(&said.id) {
        if link.state == LinkState::Active && link.contest.is_none() {
            guard_email(
                cluster,
                &mut link,
                begins || fresh,
                former_email,
                key,
                known,
            );
        }
        cluster.links.insert(link.id.clone(), link);
    }
}

fn new_link(observation: &Observation) -> Link {
    let said = &observation.said.user;
    Link {
        id: said.id.clone(),
        directory_id: said.directory_id.clone(),
        idp_id: said.idp_id.clone(),
        person: String::new(),
        state: LinkState::Pending,
        ever_active: false,
        contest: None,
        wanted_email: None,
        email_since: None,
        joined: None,
        values: BTreeMap::new(),
        warnings: Vec::new(),
        first: observation.key.clone(),
        life: observation.key.clone(),
        ended: None,
        last: observation.key.clone(),
    }
}

/// Only an explicit `active` brings back what was deleted (R13); a user never active is pending (C2).
fn next_state(link: &Link, life: Life) -> LinkState {
    match life {
        Life::Active => LinkState::Active,
        Life::Deleted => LinkState::Deleted,
        Life::Inactive if link.state == LinkState::Deleted => LinkState::Deleted,
        Life::Inactive if link.ever_active => LinkState::Inactive,
        Life::Inactive => LinkState::Pending,
        Life::Silent => link.state,
    }
}

/// A link that was never active and whose person nobody else speaks of is judged as if it were new.
pub(super) fn is_alone_and_new(cluster: &IdentityCluster, link: &Link) -> bool {
    !link.ever_active
        && cluster
            .links_of(&link.person)
            .all(|other| other.id == link.id)
        && cluster
            .people
            .get(&link.person)
            .is_none_or(|person| !person.ever_active)
}

pub(super) fn attach(
    cluster: &mut IdentityCluster,
    link: &mut Link,
    key: &OrderKey,
    known: &Context<'_>,
) {
    let verdict = judge(cluster, link, key, known);
    let former = std::mem::take(&mut link.person);
    link.contest = None;
    link.joined = None;
    match verdict {
        Verdict::Known(person, joined) => {
            link.person = person;
            link.joined = Some(joined);
        }
        Verdict::Adopted(person, joined) => {
            adopt_email(cluster, link, &person);
            link.person = person;
            link.joined = Some(joined);
        }
        Verdict::New { possible_rehire_of } => {
            link.person = own_person(cluster, &former, link, possible_rehire_of, known);
        }
        Verdict::Contested(contest) => {
            link.person = own_person(cluster, &former, link, None, known);
            link.contest = Some(contest);
        }
    }
    let deserted = !former.is_empty() && former != link.person;
    if deserted && cluster.links_of(&former).all(|other| other.id == link.id) {
        cluster.people.remove(&former);
        for person in cluster.people.values_mut() {
            person.possible_rehire_of.take_if(|id| *id == former);
        }
    }
}

/// The event that adopts a person by e-mail leaves the address as it was written before (R21).
fn adopt_email(cluster: &IdentityCluster, link: &mut Link, person: &str) {
    let wanted = email_key_of(link);
    let mut same = cluster
        .links_of(person)
        .filter(|other| email_key_of(other) == wanted);
    if let Some(written) = same.find_map(address_of) {
        link.values
            .insert("email".to_owned(), Value::String(written.to_owned()));
    }
}

/// The link's own person: the one it has, or a new one.
fn own_person(
    cluster: &mut IdentityCluster,
    former: &str,
    link: &Link,
    possible_rehire_of: Option<String>,
    known: &Context<'_>,
) -> String {
    if former.is_empty() {
        let id = new_person(cluster, link, known);
        if let Some(person) = cluster.people.get_mut(&id) {
            person.possible_rehire_of = possible_rehire_of;
        }
        return id;
    }
    let fresh = || Person::new(former, link);
    let person = cluster
        .people
        .entry(former.to_owned())
        .or_insert_with(fresh);
    person.possible_rehire_of = possible_rehire_of;
    former.to_owned()
}

/// Somebody of whom nothing is known but this link.
pub(super) fn new_person(
    cluster: &mut IdentityCluster,
    link: &Link,
    known: &Context<'_>,
) -> String {
    // A provider's id can pass to somebody else, and the profile stays with who has it.
    let id = free_id(&own_id(known.organization_id, link), |id| {
        cluster.people.contains_key(id) || known.erased.contains(id)
    });
    cluster.people.insert(id.clone(), Person::new(&id, link));
    id
}

/// The id itself, or with as many `x` behind it as it takes.
pub(super) fn free_id(id: &str, taken: impl Fn(&str) -> bool) -> String {
    let mut id = id.to_owned();
    while taken(&id) {
        id.push('x');
    }
    id
}

/// Profile ids follow from who is meant, not from the order of arrival: the directory and the
/// provider's id, or the directory user where no provider's id is known.
fn own_id(organization: &str, link: &Link) -> String {
    // A placeholder is nobody's id (R86).
    let idp_id = link.idp_id.as_ref().filter(|id| idp_key(id).is_some());
    let (kind, name) = match idp_id {
        Some(idp_id) => ("idp", format!("{}\0{idp_id}", link.directory_id)),
        None => ("user", link.id.clone()),
    };
    let digest = Sha256::digest(format!("{organization}\0{kind}\0{name}"));
    format!(
        "profile_{}",
        hex::encode(digest.get(..12).unwrap_or_default())
    )
}

/// R37: once somebody is spoken for by a linked directory, their links in detached ones no longer count.
fn retire_moved(cluster: &mut IdentityCluster, key: &OrderKey, known: &Context<'_>) {
    let spoken_for: BTreeSet<String> = cluster
        .links
        .values()
        .filter(|link| is_live(link, key, known))
        .map(|link| link.person.clone())
        .collect();
    for link in cluster.links.values_mut() {
        if link.state == LinkState::Active
            && spoken_for.contains(&link.person)
            && !known.live_at(&link.directory_id, key)
        {
            link.state = LinkState::Moved;
            link.ever_active = true;
        }
    }
}

/// Notes when something shown changed.
fn stamp(
    before: &IdentityCluster,
    after: &mut IdentityCluster,
    key: &OrderKey,
    known: &Context<'_>,
) {
    for link in after.links.values_mut() {
        link.ever_active |= link.counts();
        if !link.counts() && before.links.get(&link.id).is_some_and(Link::counts) {
            link.ended = Some(key.clone());
        }
    }
    let first_seen: BTreeMap<String, _> = after
        .people
        .keys()
        .map(|id| {
            let first = after.links_of(id).map(|link| link.first.at).min();
            (id.clone(), first)
        })
        .collect();
    let changed: Vec<String> = after
        .people
        .values()
        .filter(|person| {
            let was = before
                .people
                .get(&person.id)
                .map(|was| compose(before, was, known));
            was.is_none_or(|was| !was.shows_the_same(&compose(after, person, known)))
        })
        .map(|person| person.id.clone())
        .collect();
    for (id, person) in &mut after.people {
        if let Some(Some(first)) = first_seen.get(id) {
            person.first_seen = *first;
        }
        if changed.contains(id) {
            person.updated = key.at;
        }
    }
}
