//! A second opinion: the rules once more, told one event at a time in order over plain maps, without
//! kin, keys or refolds. Everybody of the organization is looked at for every question. It is written
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
    email: Option<String>,
    /// An address that somebody else works under (R25).
    aside: Option<String>,
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
    /// Engineers are excluded, and a Lead is on leave.
    screens: bool,
}

enum Whose {
    Of(String),
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
            Told::User(statement) => self.speak(&statement.said),
            Told::Group(_, said) => return self.teams.group(self.time, said),
            Told::Edge(_, said, joins) => return self.teams.edge(self.time, said, *joins),
        }
        loop {
            let before = (self.users.clone(), self.people.clone());
            self.decide_again();
            self.move_on();
            if before == (self.users.clone(), self.people.clone()) {
                break;
            }
        }
        self.stand(told.key().at);
    }

    fn speak(&mut self, said: &crate::roll::Said) {
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
        let old_email = user.email.clone();
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
        if active || silent || pending {
            fields::take(&mut user.fields, &said.user);
            if let Word::Text(email) = &said.user.email {
                user.email = Some(email.clone());
                user.aside = None;
            }
        }
        let begins = user.state == "active" && !worked_before;
        self.users.insert(id.clone(), user);
        if is_new || (begins && self.may_be_anybody(&id)) {
            self.settle_in(&id);
        }
        let user = self.users[&id].clone();
        if user.state == "active" && user.waits.is_none() && self.owned_by_another(&id) {
            let user = self.users.get_mut(&id).unwrap();
            if begins || is_new {
                user.waits = Some("email");
            } else if lower(&old_email) != lower(&user.email) {
                user.aside = user.email.take();
                user.email = old_email;
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

    fn owned_by_another(&self, id: &str) -> bool {
        let user = &self.users[id];
        user.email.is_some()
            && self.others(id).any(|(_, other)| {
                other.person != user.person
                    && lower(&other.email) == lower(&user.email)
                    && self.works(other)
            })
    }

    /// R20, in its order.
    fn whose(&self, id: &str) -> Whose {
        let user = &self.users[id];
        if let Some(whose) = self.whose_by_id(id) {
            return whose;
        }
        if user.state != "active" || user.email.is_none() {
            return Whose::Own(None);
        }
        let same = self
            .others(id)
            .filter(|(_, other)| lower(&other.email) == lower(&user.email));
        let people: BTreeSet<&String> = same.map(|(_, other)| &other.person).collect();
        let (gone, here): (Vec<&String>, Vec<&String>) = people
            .into_iter()
            .partition(|person| self.status_of(person, id) == "removed");
        let taken = |person: &String| {
            self.others(id)
                .any(|(_, other)| other.person == *person && self.works(other))
        };
        match here.as_slice() {
            [] => Whose::Own(
                gone.into_iter()
                    .max_by_key(|person| self.left_at(person))
                    .cloned(),
            ),
            [one] if !taken(one) => Whose::Adopts((*one).clone()),
            _ => Whose::Waits("email"),
        }
    }

    fn whose_by_id(&self, id: &str) -> Option<Whose> {
        let user = &self.users[id];
        let pick = |is_meant: &dyn Fn(&User) -> bool| -> BTreeSet<String> {
            self.others(id)
                .filter(|(_, other)| is_meant(other))
                .map(|(_, other)| other.person.clone())
                .collect()
        };
        let same_idp = |other: &User| user.idp.is_some() && other.idp == user.idp;
        let mut people = pick(&|other| same_idp(other) && other.directory == user.directory);
        if people.is_empty() {
            let kind = |user: &User| self.kinds.get(&user.directory);
            let agree = |other: &User| {
                (user.email.is_some() && lower(&user.email) == lower(&other.email))
                    || (kind(user).is_some() && kind(user) == kind(other))
            };
            people = pick(&|other| {
                same_idp(other) && self.gone.contains(&other.directory) && agree(other)
            });
        }
        let mut people: Vec<String> = people.into_iter().collect();
        match people.len() {
            0 => {}
            1 => return people.pop().map(Whose::Of),
            _ => return Some(Whose::Waits("idp_id")),
        }
        let number = |user: &User| {
            user.fields
                .get("employee_number")
                .and_then(Value::as_str)
                .map(str::to_owned)
        };
        number(user)?;
        let same = |other: &User| number(other) == number(user);
        let mut people: Vec<String> = pick(&same).into_iter().collect();
        let beside =
            |other: &User| same(other) && other.directory == user.directory && self.works(other);
        let doubled = user.state == "active" && !pick(&beside).is_empty();
        match people.len() {
            0 => None,
            1 if !doubled => people.pop().map(Whose::Of),
            _ => Some(Whose::Waits("employee_number")),
        }
    }

    fn settle_in(&mut self, id: &str) {
        let whose = self.whose(id);
        let former = self.users[id].person.clone();
        let own = if former.is_empty() {
            format!("person of {id}")
        } else {
            former.clone()
        };
        let (person, waits, maybe) = match whose {
            Whose::Of(person) => (person, None, None),
            Whose::Adopts(person) => {
                // R21: the address stays as it was written.
                let written = self.others(id).filter(|(_, other)| other.person == person);
                let same = written
                    .filter(|(_, other)| lower(&other.email) == lower(&self.users[id].email));
                let email = same.map(|(_, other)| other.email.clone()).next().unwrap();
                self.users.get_mut(id).unwrap().email = email;
                (person, None, None)
            }
            Whose::Own(maybe) => (own.clone(), None, maybe),
            Whose::Waits(over) => (own.clone(), Some(over), None),
        };
        if person == own {
            self.people.entry(own).or_insert_with(fresh).maybe = maybe;
        }
        let user = self.users.get_mut(id).unwrap();
        user.person.clone_from(&person);
        user.waits = waits;
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

    /// C1: whoever waits is judged again, the one who waits longest first.
    fn decide_again(&mut self) {
        let waiting = self
            .users
            .iter()
            .filter(|(_, user)| user.waits.is_some() || user.aside.is_some());
        let mut waiting: Vec<(usize, String)> = waiting
            .map(|(id, user)| (user.spoke_of_life, id.clone()))
            .collect();
        waiting.sort();
        for (_, id) in waiting {
            if let Some(over) = self.users.get_mut(&id).unwrap().waits.take() {
                self.decide(&id, over);
            }
            let mut tried = self.clone();
            let user = tried.users.get_mut(&id).unwrap();
            if user.aside.is_some() && user.state == "active" && user.waits.is_none() {
                user.email = user.aside.take();
                if !tried.owned_by_another(&id) {
                    *self = tried;
                }
            }
        }
    }

    fn decide(&mut self, id: &str, over: &'static str) {
        if self.users[id].state != "active" {
            return;
        }
        if self.may_be_anybody(id) {
            self.settle_in(id);
        } else if over != "email" {
            let waits = match self.whose_by_id(id) {
                Some(Whose::Waits(over)) => Some(over),
                Some(Whose::Of(other)) if other != self.users[id].person => Some(over),
                _ => None,
            };
            self.users.get_mut(id).unwrap().waits = waits;
        }
        if self.users[id].waits.is_none() && self.owned_by_another(id) {
            self.users.get_mut(id).unwrap().waits = Some("email");
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

fn lower(text: &Option<String>) -> Option<String> {
    text.as_ref().map(|text| text.to_lowercase())
}

#[path = "reference_shown.rs"]
mod shown;
use shown::fields;

#[path = "reference_teams.rs"]
mod teams;
use teams::Teams;
