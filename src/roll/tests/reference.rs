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
            Told::User(statement) => self.speak(&statement.said),
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
                user.email = Some(email.clone());
                said_address = true;
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

    /// Who else works under the address that the directory gives this user.
    fn owner(&self, id: &str) -> Option<String> {
        let address = key_of(&self.users[id].email)?;
        if self.is_crowded("email", &address) {
            return None;
        }
        let others = self.others(id).filter(|(_, other)| {
            other.person != self.users[id].person
                && self.works(other)
                && !other.refused
                && key_of(&other.email).as_ref() == Some(&address)
        });
        let first = others.min_by_key(|(id, other)| (other.claims, (*id).clone()));
        first.map(|(_, other)| other.person.clone())
    }

    /// R20: more than three at work in one directory say the same.
    fn is_crowded(&self, what: &str, value: &str) -> bool {
        let mut there: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        for (id, user) in self.users.iter().filter(|(_, user)| user.state == "active") {
            let theirs = match what {
                "email" => key_of(&user.email),
                _ => user.number(),
            };
            if theirs.as_deref() == Some(value) {
                let who = key_of(&user.idp).unwrap_or_else(|| format!("user {id}"));
                there.entry(&user.directory).or_default().insert(who);
            }
        }
        there.values().any(|who| who.len() > 3)
    }

    /// R20, in its order.
    fn whose(&self, id: &str) -> Whose {
        let user = &self.users[id];
        if let Some(whose) = self.whose_by_idp(id).or_else(|| self.whose_by_number(id)) {
            return whose;
        }
        let Some(address) = key_of(&user.email).filter(|_| user.state == "active") else {
            return Whose::Own(None);
        };
        if self.is_crowded("email", &address) {
            return Whose::Own(None);
        }
        let people: BTreeSet<String> = self
            .others(id)
            .map(|(_, other)| other.person.clone())
            .collect();
        let (mut left, mut at_work, mut free) = (Vec::new(), 0, Vec::new());
        for person in people {
            let theirs: Vec<(&String, &User)> = self
                .others(id)
                .filter(|(_, other)| other.person == person)
                .collect();
            let under = |other: &User| key_of(&other.email).as_ref() == Some(&address);
            if self.status_of(&person, id) == "removed" {
                if theirs.iter().any(|(_, other)| under(other)) {
                    left.push(person);
                }
            } else if theirs.iter().any(|(_, other)| self.works(other)) {
                let uses = |other: &User| self.works(other) && under(other);
                at_work += usize::from(theirs.iter().any(|(_, other)| uses(other)));
            } else {
                // Listed only: not yet active, or in a directory that is gone.
                let listed = |other: &User| {
                    ["active", "pending"].contains(&other.state) && other.waits.is_none()
                };
                let mut found: Vec<_> = theirs
                    .iter()
                    .filter(|(_, other)| under(other) && listed(other))
                    .collect();
                found.sort_by_key(|(other_id, other)| (other.first, (*other_id).clone()));
                let beside = theirs.iter().any(|(_, other)| {
                    other.directory == user.directory
                        && ["active", "pending"].contains(&other.state)
                        && key_of(&other.idp).is_some()
                        && key_of(&user.idp).is_some()
                        && key_of(&other.idp) != key_of(&user.idp)
                });
                match found.first() {
                    Some((other, _)) if !beside => free.push((*other).clone()),
                    Some(_) => {
                        let counts =
                            |other: &User| other.state == "active" && other.waits.is_none();
                        at_work += usize::from(theirs.iter().any(|(_, other)| counts(other)));
                    }
                    None => {}
                }
            }
        }
        match (at_work, free.as_slice()) {
            (0, []) => Whose::Own(left.into_iter().max_by_key(|person| self.left_at(person))),
            (0, [other]) => Whose::Adopts(other.clone()),
            _ => Whose::Waits("email"),
        }
    }

    fn whose_by_idp(&self, id: &str) -> Option<Whose> {
        let user = &self.users[id];
        let own = key_of(&user.idp)?;
        let pick = |is_meant: &dyn Fn(&User) -> bool| -> Vec<(&String, &User)> {
            let same = self
                .others(id)
                .filter(|(_, other)| key_of(&other.idp).as_ref() == Some(&own));
            let mut meant: Vec<_> = same.filter(|(_, other)| is_meant(other)).collect();
            meant.sort_by_key(|(id, other)| (other.first, (*id).clone()));
            meant
        };
        let mut found = pick(&|other| other.directory == user.directory);
        if found.is_empty() {
            let kind = |user: &User| self.kinds.get(&user.directory);
            let agree = |other: &User| {
                (key_of(&user.email).is_some() && key_of(&user.email) == key_of(&other.email))
                    || (kind(user).is_some() && kind(user) == kind(other))
            };
            found = pick(&|other| self.gone.contains(&other.directory) && agree(other));
        }
        let people: BTreeSet<&String> = found.iter().map(|(_, other)| &other.person).collect();
        match people.len() {
            0 => None,
            1 => Some(Whose::Of(found[0].0.clone(), None)),
            _ => Some(Whose::Waits("idp_id")),
        }
    }

    /// R20: a number alone is no identity.
    fn whose_by_number(&self, id: &str) -> Option<Whose> {
        let user = &self.users[id];
        let number = user
            .number()
            .filter(|number| !self.is_crowded("number", number))?;
        let address =
            |user: &User| key_of(&user.email).filter(|address| !self.is_crowded("email", address));
        let listed = |other: &User| ["active", "pending"].contains(&other.state);
        let beside = |other: &User| {
            listed(other)
                && other.directory == user.directory
                && (key_of(&user.idp).is_none() || key_of(&other.idp) != key_of(&user.idp))
        };
        let mut people: BTreeMap<String, Vec<(usize, String)>> = BTreeMap::new();
        for (other_id, other) in self.others(id) {
            let replaced = || {
                let mut all = self.others(id);
                all.any(|(_, third)| {
                    third.person == other.person
                        && third.directory == other.directory
                        && listed(third)
                })
            };
            let agrees = other.directory == user.directory
                || (key_of(&user.idp).is_some() && key_of(&other.idp) == key_of(&user.idp))
                || (address(user).is_some() && key_of(&other.email) == address(user));
            if other.number().as_ref() == Some(&number) && agrees && (listed(other) || !replaced())
            {
                let theirs = people.entry(other.person.clone()).or_default();
                theirs.push((other.first, other_id.clone()));
            }
        }
        let person = people.keys().next()?.clone();
        let theirs = || {
            self.others(id)
                .filter(|(_, other)| other.person == person)
                .map(|(_, other)| other)
        };
        let in_use: Vec<String> = theirs()
            .filter(|other| other.state == "active" && other.waits.is_none())
            .filter_map(|other| key_of(&other.email))
            .collect();
        let own = key_of(&user.email).filter(|_| user.state == "active");
        let elsewhere = !in_use.is_empty() && own.is_some_and(|own| !in_use.contains(&own));
        if people.len() > 1 || elsewhere || theirs().any(beside) {
            return Some(Whose::Own(None));
        }
        let first = people.remove(&person)?.into_iter().min()?;
        Some(Whose::Of(first.1, Some(format!("number {number}"))))
    }

    /// Users tied by a number or an address that cannot be one person any more.
    fn come_apart(&mut self) {
        for _ in 0..self.users.len() {
            let Some(cut) = self.common_tie().or_else(|| self.wrong_tie()) else {
                return;
            };
            self.cut(&cut);
        }
    }

    fn common_tie(&self) -> Option<String> {
        let common = |user: &User| {
            let by = user.tie.as_ref().and_then(|(by, _)| by.as_ref());
            by.and_then(|by| by.split_once(' '))
                .is_some_and(|(what, value)| self.is_crowded(what, value))
        };
        let mut all = self.users.iter();
        all.find(|(_, user)| common(user)).map(|(id, _)| id.clone())
    }

    fn wrong_tie(&self) -> Option<String> {
        let mut active: Vec<(&String, &User)> = self
            .users
            .iter()
            .filter(|(_, user)| user.state == "active")
            .collect();
        active.sort_by_key(|(id, user)| (user.first, (*id).clone()));
        for (place, (later_id, later)) in active.iter().enumerate() {
            for (earlier_id, earlier) in &active[..place] {
                let ids = (key_of(&later.idp), key_of(&earlier.idp));
                let mails = (key_of(&later.email), key_of(&earlier.email));
                let differ = match (ids, mails) {
                    ((Some(one), Some(other)), _) | (_, (Some(one), Some(other))) => one != other,
                    _ => false,
                };
                if later.person != earlier.person || later.directory != earlier.directory || !differ
                {
                    continue;
                }
                let (one, other) = (self.path(later_id), self.path(earlier_id));
                let only = |all: &[String], but: &[String]| -> Vec<String> {
                    all.iter().filter(|id| !but.contains(id)).cloned().collect()
                };
                let mut between = only(&one, &other);
                between.extend(only(&other, &one));
                let loose = |id: &String| {
                    self.users[id]
                        .tie
                        .as_ref()
                        .is_some_and(|(by, _)| by.is_some())
                };
                if let Some(cut) = between.into_iter().find(loose) {
                    return Some(cut);
                }
            }
        }
        None
    }

    fn path(&self, id: &str) -> Vec<String> {
        let mut all = vec![id.to_owned()];
        while let Some((_, next)) = self.users[all.last().unwrap()].tie.clone() {
            if all.contains(&next) || self.users[&next].person != self.users[id].person {
                break;
            }
            all.push(next);
        }
        all
    }

    fn cut(&mut self, id: &str) {
        let person = self.users[id].person.clone();
        self.users.get_mut(id).unwrap().tie = None;
        let theirs: Vec<String> = self
            .users
            .iter()
            .filter(|(_, user)| user.person == person)
            .map(|(id, _)| id.clone())
            .collect();
        let (go, stay): (Vec<String>, Vec<String>) = theirs
            .into_iter()
            .partition(|user| self.path(user).contains(&id.to_owned()));
        if stay.is_empty() {
            return;
        }
        let mut own = format!("person of {id}");
        while self.people.contains_key(&own) {
            own.push('+');
        }
        self.people.insert(own.clone(), fresh());
        for user in &go {
            self.users.get_mut(user).unwrap().person = own.clone();
        }
        let worked = |all: &[String]| all.iter().any(|id| self.worked_before.contains(id));
        // R31: who takes the person back was away meanwhile.
        if worked(&go) && !worked(&stay) {
            let person = self.people.get_mut(&person).unwrap();
            let at = self.now;
            person.left = Some((self.time, at, person.left.map_or("", |left| left.2)));
            person.renewed = true;
        }
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

    /// C1: whoever waits is judged again, the one who waits longest first.
    fn decide_again(&mut self) {
        let waiting = self
            .users
            .iter()
            .filter(|(_, user)| user.waits.is_some() || user.refused);
        let mut waiting: Vec<(usize, String)> = waiting
            .map(|(id, user)| (user.claims, id.clone()))
            .collect();
        waiting.sort();
        for (_, id) in waiting {
            if let Some(over) = self.users.get_mut(&id).unwrap().waits.take() {
                self.decide(&id, over);
            }
            let user = &self.users[&id];
            if user.refused
                && user.state == "active"
                && user.waits.is_none()
                && self.owner(&id).is_none()
            {
                self.users.get_mut(&id).unwrap().refused = false;
            }
        }
    }

    /// R23: one address, one person; and nobody is shown under what is somebody else's now.
    fn share_out(&mut self) {
        let counts = |user: &User| user.state == "active" && user.waits.is_none();
        let holds = |user: &User| counts(user) && !user.refused;
        let all: BTreeSet<String> = self
            .users
            .values()
            .filter_map(|user| key_of(&user.email))
            .collect();
        for address in &all {
            if self.is_crowded("email", address) {
                continue;
            }
            let mut holders: Vec<(bool, usize, String)> = self
                .users
                .iter()
                .filter(|(_, user)| holds(user) && key_of(&user.email).as_ref() == Some(address))
                .map(|(id, user)| (self.gone.contains(&user.directory), user.claims, id.clone()))
                .collect();
            holders.sort();
            let Some((_, _, first)) = holders.first() else {
                continue;
            };
            let first = self.users[first].person.clone();
            for (_, _, id) in holders {
                let user = self.users.get_mut(&id).unwrap();
                if user.person != first {
                    user.refused = true;
                    user.former = None;
                }
            }
        }
        let held: Vec<(Option<String>, String)> = self
            .users
            .values()
            .filter(|user| holds(user) && user.email.is_some())
            .map(|user| (key_of(&user.email), user.person.clone()))
            .collect();
        for user in self
            .users
            .values_mut()
            .filter(|user| counts(user) && user.refused)
        {
            let former = key_of(&user.former);
            if former.is_some()
                && held
                    .iter()
                    .any(|(address, person)| *address == former && *person != user.person)
            {
                user.former = None;
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
            let waits = match self.whose_by_idp(id) {
                Some(Whose::Waits(over)) => Some(over),
                Some(Whose::Of(other, _)) if self.users[&other].person != self.users[id].person => {
                    Some(over)
                }
                _ => None,
            };
            self.users.get_mut(id).unwrap().waits = waits;
        }
        if self.users[id].waits.is_none() && self.owner(id).is_some() {
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

#[path = "reference_shown.rs"]
mod shown;
use shown::fields;

#[path = "reference_teams.rs"]
mod teams;
use teams::Teams;
