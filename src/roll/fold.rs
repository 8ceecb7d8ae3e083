//! The fold itself: [`apply`] takes one step on a kin, [`fold`] takes all of them in order from
//! nothing. Both are the same code; the second is what an event that comes late costs.
//! [`reconcile`] then keeps the profile ids that people and messages already hang on.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::workos::OrderKey;

use super::attributes::Values;
use super::compose::compose;
use super::directory::{DirectoryLife, DirectoryTurn};
use super::identity::{Verdict, fold_case, is_live, judge, owner_of};
use super::kin::{Contest, Kin, Link, LinkState, Person};
use super::lifecycle::{Status, settle};
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
}

impl Known<'_> {
    pub(super) fn live_at(&self, directory: &str, key: &OrderKey) -> bool {
        self.directories
            .get(directory)
            .is_none_or(|life| life.live_at(key))
    }

    pub(super) fn kind(&self, directory: &str) -> Option<&str> {
        self.directories
            .get(directory)
            .and_then(|life| life.kind.as_deref())
    }
}

/// Takes one step. The caller sees to it that it is the newest of this kin; otherwise [`fold`].
pub fn apply(kin: &Kin, step: &Step, known: &Known<'_>) -> Kin {
    let mut next = kin.clone();
    match step {
        Step::Said(statement) => listen(&mut next, statement, known),
        Step::Turned(turn) if turn.removes => end_links(&mut next, turn),
        Step::Turned(_) => {}
    }
    let key = step.key();
    rejudge(&mut next, key, known);
    retire_moved(&mut next, key, known);
    settle(&mut next, key);
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
        .fold(Kin::default(), |kin, step| apply(&kin, step, known))
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

/// Takes over what a statement says of its own link, and attaches the link to a person.
fn listen(kin: &mut Kin, statement: &Statement, known: &Known<'_>) {
    let said = &statement.said.user;
    let key = &statement.key;
    let earlier = kin.links.remove(&said.id);
    let fresh = earlier.is_none();
    let mut link = earlier.unwrap_or_else(|| new_link(statement));
    let worked = link.state == LinkState::Active;
    let former_email = link.email().map(str::to_owned);

    link.last = key.clone();
    if said.idp_id.is_some() {
        link.idp_id.clone_from(&said.idp_id);
    }
    if statement.life() != Life::Silent {
        link.life = key.clone();
        link.state = next_state(&link, statement.life());
    }
    if !statement.is_removal() {
        let mut values = Values {
            values: &mut link.values,
            warnings: Vec::new(),
        };
        values.take(said, &known.settings.mapping, false);
        link.warnings = values.warnings;
    }

    let begins = link.state == LinkState::Active && !worked;
    if fresh || (begins && is_alone_and_new(kin, &link)) {
        attach(kin, &mut link, key, known);
    }
    if link.state == LinkState::Active && link.contest.is_none() {
        guard_email(kin, &mut link, begins || fresh, former_email, key, known);
    }
    kin.links.insert(link.id.clone(), link);
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
        values: BTreeMap::new(),
        warnings: Vec::new(),
        first: statement.key.clone(),
        life: statement.key.clone(),
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
fn is_alone_and_new(kin: &Kin, link: &Link) -> bool {
    !link.ever_active
        && kin.links_of(&link.person).all(|other| other.id == link.id)
        && kin
            .people
            .get(&link.person)
            .is_none_or(|person| !person.ever_active)
}

fn attach(kin: &mut Kin, link: &mut Link, key: &OrderKey, known: &Known<'_>) {
    let verdict = judge(kin, link, key, known);
    let own = own_id(known.organization_id, link);
    let former = std::mem::take(&mut link.person);
    link.contest = None;
    match verdict {
        Verdict::Known(person) => link.person = person,
        Verdict::Adopted(person) => {
            adopt_email(kin, link, &person);
            link.person = person;
        }
        Verdict::New { possible_rehire_of } => {
            link.person = own_person(kin, &former, &own, link, possible_rehire_of);
        }
        Verdict::Contested(contest) => {
            link.person = own_person(kin, &former, &own, link, None);
            link.contest = Some(contest);
        }
    }
    let deserted = !former.is_empty() && former != link.person;
    if deserted && kin.links_of(&former).all(|other| other.id == link.id) {
        kin.people.remove(&former);
    }
}

/// The event that adopts a person by e-mail leaves the address as it was written before (R21).
fn adopt_email(kin: &Kin, link: &mut Link, person: &str) {
    let wanted = link.email().map(fold_case);
    let written = kin
        .links_of(person)
        .filter_map(Link::email)
        .find(|email| Some(fold_case(email)) == wanted);
    if let Some(written) = written {
        link.values
            .insert("email".to_owned(), Value::String(written.to_owned()));
    }
}

/// The link's own person: the one it has, or a new one.
fn own_person(
    kin: &mut Kin,
    former: &str,
    own: &str,
    link: &Link,
    possible_rehire_of: Option<String>,
) -> String {
    let id = if former.is_empty() { own } else { former };
    let person = kin.people.entry(id.to_owned()).or_insert_with(|| Person {
        id: id.to_owned(),
        status: Status::Pending,
        ever_active: false,
        left: None,
        left_reason: None,
        period: "first".to_owned(),
        possible_rehire_of: None,
        first_seen: link.first.at,
        updated: link.first.at,
    });
    person.possible_rehire_of = possible_rehire_of;
    person.id.clone()
}

/// Profile ids follow from who is meant, not from the order of arrival: the directory and the
/// provider's id, or the directory user where no provider's id is known.
fn own_id(organization: &str, link: &Link) -> String {
    let (kind, name) = match &link.idp_id {
        Some(idp_id) => ("idp", format!("{}\0{idp_id}", link.directory_id)),
        None => ("user", link.id.clone()),
    };
    let digest = Sha256::digest(format!("{organization}\0{kind}\0{name}"));
    format!(
        "profile_{}",
        hex::encode(digest.get(..12).unwrap_or_default())
    )
}

/// R25: nobody takes an address somebody else works under. Who begins to work under it waits
/// whole; who works already keeps the former address.
fn guard_email(
    kin: &Kin,
    link: &mut Link,
    begins: bool,
    former_email: Option<String>,
    key: &OrderKey,
    known: &Known<'_>,
) {
    let Some(email) = link.email().map(str::to_owned) else {
        return;
    };
    let Some(owner) = owner_of(kin, &email, &link.person, key, known) else {
        link.wanted_email = None;
        return;
    };
    if begins {
        link.contest = Some(Contest {
            over: "email".to_owned(),
            candidates: vec![owner],
        });
    } else if former_email.as_deref().map(fold_case) != Some(fold_case(&email)) {
        match former_email {
            Some(former) => link
                .values
                .insert("email".to_owned(), Value::String(former)),
            None => link.values.remove("email"),
        };
        link.wanted_email = Some(email);
    }
}

/// C1: conflicts are judged again at every step that touches the kin.
fn rejudge(kin: &mut Kin, key: &OrderKey, known: &Known<'_>) {
    let mut waiting: Vec<(OrderKey, String)> = kin
        .links
        .values()
        .filter(|link| link.contest.is_some() || link.wanted_email.is_some())
        .map(|link| (link.life.clone(), link.id.clone()))
        .collect();
    waiting.sort();
    for (_, id) in waiting {
        let Some(mut link) = kin.links.get(&id).cloned() else {
            continue;
        };
        if link.contest.is_some() {
            judge_again(kin, &mut link, key, known);
        }
        if let Some(wanted) = link.wanted_email.clone()
            && owner_of(kin, &wanted, &link.person, key, known).is_none()
        {
            link.values
                .insert("email".to_owned(), Value::String(wanted));
            link.wanted_email = None;
        }
        kin.links.insert(id, link);
    }
}

fn judge_again(kin: &mut Kin, link: &mut Link, key: &OrderKey, known: &Known<'_>) {
    if link.state != LinkState::Active {
        link.contest = None;
    } else if is_alone_and_new(kin, link) {
        kin.links.remove(&link.id);
        attach(kin, link, key, known);
    } else {
        let owner = link
            .email()
            .and_then(|email| owner_of(kin, email, &link.person, key, known));
        link.contest = owner.map(|owner| Contest {
            over: "email".to_owned(),
            candidates: vec![owner],
        });
    }
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

/// Gives a refolded kin the profile ids that were in use: a person keeps the profile that any of
/// their links had, if anybody ever saw it; a profile that lost its links passes to the person who
/// has its address now. No id is used twice.
pub fn reconcile(old: &Kin, new: Kin) -> Kin {
    let mut renamed: BTreeMap<String, String> = BTreeMap::new();
    let mut used: BTreeSet<String> = BTreeSet::new();
    for id in new.people.keys() {
        let former: BTreeSet<&str> = new
            .links_of(id)
            .filter_map(|link| old.links.get(&link.id))
            .map(|link| link.person.as_str())
            .filter(|former| {
                old.people
                    .get(*former)
                    .is_some_and(|person| person.ever_active)
            })
            .collect();
        let keep = if former.contains(id.as_str()) {
            Some(id.as_str())
        } else {
            former.first().copied()
        };
        if let Some(keep) = keep.filter(|keep| used.insert((*keep).to_owned())) {
            renamed.insert(id.clone(), keep.to_owned());
        }
    }
    let orphans = old
        .people
        .values()
        .filter(|person| person.ever_active && !used.contains(&person.id));
    for orphan in orphans.map(|person| person.id.clone()).collect::<Vec<_>>() {
        let addresses: BTreeSet<String> = old
            .links_of(&orphan)
            .filter_map(Link::email)
            .map(fold_case)
            .collect();
        let heir = new
            .people
            .values()
            .filter(|person| person.ever_active && !renamed.contains_key(&person.id))
            .find(|person| {
                new.links_of(&person.id)
                    .filter_map(Link::email)
                    .any(|email| addresses.contains(&fold_case(email)))
            });
        if let Some(heir) = heir.map(|person| person.id.clone()) {
            used.insert(orphan.clone());
            renamed.insert(heir, orphan);
        }
    }
    for id in new.people.keys() {
        if !renamed.contains_key(id) {
            // A fresh id that is taken by somebody else's kept profile gets a suffix of its own.
            let free = if used.insert(id.clone()) {
                id.clone()
            } else {
                format!("{id}x")
            };
            renamed.insert(id.clone(), free);
        }
    }
    rename(new, &renamed)
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
