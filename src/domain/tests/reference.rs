//! A second opinion: the rules once more, told one event at a time in order over plain maps, without
//! cluster, keys or refolds. Everybody of the organization is looked at for every question. It is written
//! from the rules and shares no code with the roll.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::clock::Timestamp;
use crate::workos::{Said as Word, UserState};

use super::told::Told;

#[derive(Clone, Default, PartialEq)]
struct User {
    directory: String,
    idp: Option<String>,
    person: String,
    state: &'static str,
    worked: bool,
    /// What a person has to decide about (R20, R25).
    waits: Option<&'static str>,
    /// What the directory calls their address, and since which event.
    email: Option<String>,
    claims: usize,
    /// Somebody else works under it (R25): what they are shown under meanwhile, if anything.
    refused: bool,
    former: Option<String>,
    /// By what they are tied to which other user; a number or an address may turn out to mean nobody.
    tie: Option<(Option<String>, String)>,
    /// `null`: said to be nothing.
    fields: BTreeMap<&'static str, Value>,
    first: usize,
    spoke_of_life: usize,
    /// Whether it gave access after the last event, and when it last stopped to.
    counted: bool,
    ended: usize,
}

#[derive(Clone, Default, PartialEq)]
struct Person {
    status: &'static str,
    worked: bool,
    /// Whether they ever were in People, and whether a rule keeps them out now (R45).
    admitted: bool,
    excluded: bool,
    left: Option<(usize, Timestamp, &'static str)>,
    period: String,
    /// Whether the present employment has a period of its own.
    renewed: bool,
    maybe: Option<String>,
}

/// The whole organization.
#[derive(Clone, Default)]
pub struct Model {
    users: BTreeMap<String, User>,
    people: BTreeMap<String, Person>,
    gone: BTreeSet<String>,
    kinds: BTreeMap<String, String>,
    teams: Teams,
    /// How many events were told.
    time: usize,
    now: Timestamp,
    /// Who worked before the last event.
    worked_before: BTreeSet<String>,
    /// Engineers are excluded, and a Lead is on leave.
    screens: bool,
}

enum Whose {
    /// Of the person of this user, by this.
    Of(String, Option<String>),
    Adopts(String),
    Own(Option<String>),
    Waits(&'static str),
}

impl Model {
    /// One that knows the rules which [`super::screened`] tries.
    pub fn screening() -> Self {
        Self {
            screens: true,
            ..Self::default()
        }
    }

    /// The next event, in order.
    pub fn tell(&mut self, told: &Told) {
        self.time += 1;
        self.now = told.key().at;
        self.worked_before = self.working();
        match told {
            Told::Turn(turn) => {
                if turn.linked {
                    self.gone.remove(&turn.directory_id);
                } else {
                    self.gone.insert(turn.directory_id.clone());
                }
                if turn.deleted {
                    self.teams.directory_ends(self.time, &turn.directory_id);
                }
                if let Some(kind) = &turn.kind {
                    self.kinds.insert(turn.directory_id.clone(), kind.clone());
                }
            }
            Told::User(observation) => self.speak(&observation.said),
            Told::Group(_, said) => return self.teams.group(self.time, said),
            Told::Edge(_, said, joins) => return self.teams.edge(self.time, said, *joins),
        }
        loop {
            let before = (self.users.clone(), self.people.clone());
            self.come_apart();
            self.decide_again();
            self.share_out();
            self.move_on();
            if before == (self.users.clone(), self.people.clone()) {
                break;
            }
        }
        self.stand(told.key().at);
    }

    fn speak(&mut self, said: &crate::domain::Said) {
        let id = said.user.id.clone();
        let known = self.users.get(&id).cloned();
        let is_new = known.is_none();
        let mut user = known.unwrap_or_else(|| User {
            directory: said.user.directory_id.clone(),
            state: "pending",
            first: self.time,
            spoke_of_life: self.time,
            ..User::default()
        });
        let worked_before = user.state == "active";
        let (old_shown, old_claim) = (user.shown(), key_of(&user.email));
        if said.user.idp_id.is_some() {
            user.idp.clone_from(&said.user.idp_id);
        }
        let active = said.user.state == Some(UserState::Active) && !said.deleted;
        let pending = user.state == "pending" && !said.deleted;
        let silent = said.user.state.is_none() && !said.deleted;
        if !silent {
            user.spoke_of_life = self.time;
            user.state = match user.state {
                _ if active => "active",
                _ if said.deleted => "deleted",
                "deleted" => "deleted",
                _ if user.worked => "inactive",
                _ => "pending",
            };
        }
        // C3: a removal changes no field; who was never active is not removed by being inactive.
        let mut said_address = false;
        if active || silent || pending {
            fields::take(&mut user.fields, &said.user);
            if let Word::Text(email) = &said.user.email {
                let means_nobody = key_of(&Some(email.clone())).is_none();
                // R86: a placeholder is shown only of whom nothing better is known.
                if !means_nobody || key_of(&user.email).is_none() {
                    user.email = Some(email.clone());
                    said_address = true;
                } else if user.refused && key_of(&user.former).is_none() {
                    user.former = Some(email.clone());
                }
            }
        }
        let begins = user.state == "active" && !worked_before;
        if said_address || begins {
            user.refused = false;
        }
        if is_new || begins || key_of(&user.email) != old_claim {
            user.claims = self.time;
        }
        self.users.insert(id.clone(), user);
        if is_new || (begins && self.may_be_anybody(&id)) {
            self.settle_in(&id);
        }
        self.come_apart();
        let user = self.users[&id].clone();
        if user.state == "active"
            && user.waits.is_none()
            && !user.refused
            && self.owner(&id).is_some()
        {
            let user = self.users.get_mut(&id).unwrap();
            if begins || is_new {
                user.waits = Some("email");
            } else if key_of(&old_shown) != key_of(&user.email) {
                user.refused = true;
                user.former = old_shown;
            }
        }
    }

    /// Never worked, and nobody else stands for their person.
    fn may_be_anybody(&self, id: &str) -> bool {
        let user = &self.users[id];
        let alone = self
            .others(id)
            .all(|(_, other)| other.person != user.person);
        !user.worked
            && alone
            && self
                .people
                .get(&user.person)
                .is_none_or(|person| !person.worked)
    }

    fn others<'a>(&'a self, id: &'a str) -> impl Iterator<Item = (&'a String, &'a User)> {
        self.users
            .iter()
            .filter(move |(other, user)| *other != id && !user.person.is_empty())
    }

    fn works(&self, user: &User) -> bool {
        user.state == "active" && user.waits.is_none() && !self.gone.contains(&user.directory)
    }

    fn working(&self) -> BTreeSet<String> {
        let counting = self
            .users
            .iter()
            .filter(|(_, user)| user.state == "active" && user.waits.is_none());
        counting.map(|(id, _)| id.clone()).collect()
    }

    fn settle_in(&mut self, id: &str) {
        let whose = self.whose(id);
        let former = self.users[id].person.clone();
        let own = if former.is_empty() {
            let mut own = format!("person of {id}");
            while self.people.contains_key(&own) {
                own.push('+');
            }
            own
        } else {
            former.clone()
        };
        let (person, waits, maybe, tie) = match whose {
            Whose::Of(other, by) => {
                let person = self.users[&other].person.clone();
                (person, None, None, Some((by, other)))
            }
            Whose::Adopts(other) => {
                let person = self.users[&other].person.clone();
                // R21: the address stays as it was written.
                let address = key_of(&self.users[id].email);
                let email = self
                    .others(id)
                    .filter(|(_, other)| other.person == person)
                    .find(|(_, other)| key_of(&other.email) == address)
                    .and_then(|(_, other)| other.email.clone());
                self.users.get_mut(id).unwrap().email = email;
                let by = format!("email {}", address.unwrap());
                (person, None, None, Some((Some(by), other)))
            }
            Whose::Own(maybe) => (own.clone(), None, maybe, None),
            Whose::Waits(over) => (own.clone(), Some(over), None, None),
        };
        if person == own {
            self.people.entry(own).or_insert_with(fresh).maybe = maybe;
        }
        let user = self.users.get_mut(id).unwrap();
        user.person.clone_from(&person);
        user.waits = waits;
        user.tie = tie;
        if former != person && self.users.values().all(|user| user.person != former) {
            self.people.remove(&former);
            for person in self
                .people
                .values_mut()
                .filter(|person| person.maybe.as_ref() == Some(&former))
            {
                person.maybe = None;
            }
        }
    }

    /// R37: who is spoken for by a linked directory no longer needs the link in one that is gone.
    fn move_on(&mut self) {
        let here: BTreeSet<String> = self
            .users
            .values()
            .filter(|user| self.works(user))
            .map(|user| user.person.clone())
            .collect();
        let gone = self.gone.clone();
        for user in self.users.values_mut() {
            if user.state == "active"
                && here.contains(&user.person)
                && gone.contains(&user.directory)
            {
                user.state = "moved";
                user.worked = true;
            }
        }
    }
}

fn fresh() -> Person {
    Person {
        status: "pending",
        period: "first".to_owned(),
        ..Person::default()
    }
}

/// R22, R86: what two values are compared by, and `None` for what only says that there is none.
fn key_of(text: &Option<String>) -> Option<String> {
    let text = text.as_ref()?.trim().to_ascii_lowercase();
    let nothing = ["", "-", "0", "n/a", "none", "null", "unknown", "tbd"];
    (!nothing.contains(&text.as_str())).then_some(text)
}

impl User {
    fn number(&self) -> Option<String> {
        let number = self.fields.get("employee_number").and_then(Value::as_str);
        key_of(&number.map(str::to_owned))
    }

    /// The address they are shown under.
    fn shown(&self) -> Option<String> {
        match self.refused {
            true => self.former.clone(),
            false => self.email.clone(),
        }
    }
}

#[path = "reference_conflicts.rs"]
mod conflicts;

#[path = "reference_ties.rs"]
mod ties;

#[path = "reference_shown.rs"]
mod shown;
use shown::fields;

#[path = "reference_teams.rs"]
mod teams;
use teams::Teams;
