//! The fold itself: [`apply`] takes one step on a kin, `fold` takes all of them in order from
//! nothing. Both are the same code; the second is what an event that comes late costs.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::workos::{OrderKey, clean};

use super::attributes::Values;
use super::claims::{address_of, email_key_of};
use super::compose::compose;
use super::contest::{guard_email, settle_addresses};
use super::decisions::Decisions;
use super::directory::{DirectoryLife, DirectoryTurn, is_of_logins};
use super::identity::{Verdict, idp_key, is_live, judge};
use super::kin::{Kin, Link, LinkState, Person};
use super::lifecycle::settle;
use super::parting::part;
use super::refold::reconcile;
use super::settings::Settings;
use super::statement::{Life, Statement, Step};

/// What a fold may look at beside the kin itself.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// The organization all of it belongs to.
    pub organization_id: &'a str,
    /// The lives of its directories, by id.
    pub directories: &'a BTreeMap<String, DirectoryLife>,
    /// Its settings.
    pub settings: &'a Settings,
    /// Profiles that were erased: whoever returns is somebody new (R65).
    pub erased: &'a BTreeSet<String>,
    /// What operators decided about who is who.
    pub decisions: &'a Decisions,
    /// Keys that more links have than are ever loaded together: whoever else has one is not in the
    /// kin, so that it brings nobody together.
    pub crowded: &'a BTreeSet<String>,
}

impl Known<'_> {
    pub(super) fn live_at(&self, directory: &str, key: &OrderKey) -> bool {
        let mut real = self.directories.iter().filter(|(id, _)| !is_of_logins(id));
        if is_of_logins(directory) && real.any(|(_, life)| life.speaks_at(key)) {
            return false;
        }
        self.directories
            .get(directory)
            .is_none_or(|life| life.live_at(key))
    }

    pub(super) fn kind_at(&self, directory: &str, key: &OrderKey) -> Option<&str> {
        self.directories
            .get(directory)
            .and_then(|life| life.kind_at(key))
    }
}

/// Takes one step. The caller sees to it that it is the newest of this kin; otherwise
/// [`super::refold`].
pub fn apply(kin: &Kin, step: &Step, known: &Known<'_>) -> Kin {
    let next = take(kin, step, known);
    let same = |link: &Link| {
        let was = kin.links.get(&link.id);
        was.is_none_or(|was| was.person == link.person)
    };
    match next.links.values().all(same) {
        true => next,
        false => reconcile(kin, next, known.erased),
    }
}

fn take(kin: &Kin, step: &Step, known: &Known<'_>) -> Kin {
    let mut next = kin.clone();
    match step {
        Step::Said(statement) => listen(&mut next, kin, statement, known),
        Step::Turned(turn) if turn.removes => end_links(&mut next, turn),
        Step::Turned(_) => {}
    }
    let key = step.key();
    come_to_rest(&mut next, kin, key, known);
    settle(&mut next, key, known);
    stamp(kin, &mut next, key, known);
    next
}

/// Takes all steps in the order of their keys, from nothing.
pub fn fold(steps: &[Step], known: &Known<'_>) -> Kin {
    let mut sorted: Vec<&Step> = steps.iter().collect();
    sorted.sort_by(|one, other| one.key().cmp(other.key()));
    sorted.dedup_by(|one, other| one.key() == other.key());
    sorted
        .into_iter()
        .fold(Kin::default(), |kin, step| take(&kin, step, known))
}

/// An operator's decision ends every link of a directory (R36).
fn end_links(kin: &mut Kin, turn: &DirectoryTurn) {
    for link in kin.links.values_mut() {
        if link.directory_id == turn.directory_id && link.state == LinkState::Active {
            link.state = LinkState::Deleted;
            link.life = turn.key.clone();
        }
    }
}

/// What follows from a step is followed to its end. What is left open would wait for the next step
/// of the kin, and who is kin depends on what came later (R14).
fn come_to_rest(kin: &mut Kin, before: &Kin, key: &OrderKey, known: &Known<'_>) {
    // Each round settles one conflict at least; a kin with more rounds than links goes in circles.
    for _ in 0..=kin.links.len() {
        let last = kin.clone();
        part(kin, before, key, known);
        settle_addresses(kin, key, known);
        retire_moved(kin, key, known);
        if *kin == last {
            return;
        }
    }
}

/// Takes over what a statement says of its own link, and attaches the link to a person.
fn listen(kin: &mut Kin, before: &Kin, statement: &Statement, known: &Known<'_>) {
    let said = &statement.said.user;
    let key = &statement.key;
    let earlier = kin.links.remove(&said.id);
    let fresh = earlier.is_none();
    let mut link = earlier.unwrap_or_else(|| new_link(statement));
    let worked = link.state == LinkState::Active;
    // A removal changes no field (C3); where somebody was never active there is nothing to remove.
    let removes = match statement.life() {
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
    if statement.life() != Life::Silent {
        link.life = key.clone();
        link.state = next_state(&link, statement.life());
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
    if fresh || (begins && is_alone_and_new(kin, &link)) {
        attach(kin, &mut link, key, known);
    }
    kin.links.insert(link.id.clone(), link);
    // Who turns out to be two is parted first: each of them has an address of their own.
    part(kin, before, key, known);
    if let Some(mut link) = kin.links.remove(&said.id) {
        if link.state == LinkState::Active && link.contest.is_none() {
            guard_email(kin, &mut link, begins || fresh, former_email, key, known);
        }
        kin.links.insert(link.id.clone(), link);
    }
}

fn new_link(statement: &Statement) -> Link {
    let said = &statement.said.user;
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
        first: statement.key.clone(),
        life: statement.key.clone(),
        ended: None,
        last: statement.key.clone(),
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
pub(super) fn is_alone_and_new(kin: &Kin, link: &Link) -> bool {
    !link.ever_active
        && kin.links_of(&link.person).all(|other| other.id == link.id)
        && kin
            .people
            .get(&link.person)
            .is_none_or(|person| !person.ever_active)
}

pub(super) fn attach(kin: &mut Kin, link: &mut Link, key: &OrderKey, known: &Known<'_>) {
    let verdict = judge(kin, link, key, known);
    let former = std::mem::take(&mut link.person);
    link.contest = None;
    link.joined = None;
    match verdict {
        Verdict::Known(person, joined) => {
            link.person = person;
            link.joined = Some(joined);
        }
        Verdict::Adopted(person, joined) => {
            adopt_email(kin, link, &person);
            link.person = person;
            link.joined = Some(joined);
        }
        Verdict::New { possible_rehire_of } => {
            link.person = own_person(kin, &former, link, possible_rehire_of, known);
        }
        Verdict::Contested(contest) => {
            link.person = own_person(kin, &former, link, None, known);
            link.contest = Some(contest);
        }
    }
    let deserted = !former.is_empty() && former != link.person;
    if deserted && kin.links_of(&former).all(|other| other.id == link.id) {
        kin.people.remove(&former);
        for person in kin.people.values_mut() {
            person.possible_rehire_of.take_if(|id| *id == former);
        }
    }
}

/// The event that adopts a person by e-mail leaves the address as it was written before (R21).
fn adopt_email(kin: &Kin, link: &mut Link, person: &str) {
    let wanted = email_key_of(link);
    let mut same = kin
        .links_of(person)
        .filter(|other| email_key_of(other) == wanted);
    if let Some(written) = same.find_map(address_of) {
        link.values
            .insert("email".to_owned(), Value::String(written.to_owned()));
    }
}

/// The link's own person: the one it has, or a new one.
fn own_person(
    kin: &mut Kin,
    former: &str,
    link: &Link,
    possible_rehire_of: Option<String>,
    known: &Known<'_>,
) -> String {
    if former.is_empty() {
        let id = new_person(kin, link, known);
        if let Some(person) = kin.people.get_mut(&id) {
            person.possible_rehire_of = possible_rehire_of;
        }
        return id;
    }
    let fresh = || Person::new(former, link);
    let person = kin.people.entry(former.to_owned()).or_insert_with(fresh);
    person.possible_rehire_of = possible_rehire_of;
    former.to_owned()
}

/// Somebody of whom nothing is known but this link.
pub(super) fn new_person(kin: &mut Kin, link: &Link, known: &Known<'_>) -> String {
    // A provider's id can pass to somebody else, and the profile stays with who has it.
    let id = free_id(&own_id(known.organization_id, link), |id| {
        kin.people.contains_key(id) || known.erased.contains(id)
    });
    kin.people.insert(id.clone(), Person::new(&id, link));
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
fn retire_moved(kin: &mut Kin, key: &OrderKey, known: &Known<'_>) {
    let spoken_for: BTreeSet<String> = kin
        .links
        .values()
        .filter(|link| is_live(link, key, known))
        .map(|link| link.person.clone())
        .collect();
    for link in kin.links.values_mut() {
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
fn stamp(before: &Kin, after: &mut Kin, key: &OrderKey, known: &Known<'_>) {
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
