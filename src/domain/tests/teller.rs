//! A small language for the rule tests: `user("u1").idp("i1").email("a@x").active().at(1)`.

use serde_json::{Map, Value};

use crate::clock::Timestamp;
use crate::domain::{DirectoryTurn, Link, LinkState, Observation, Profile, Said, Status};
use crate::workos::{DirectoryUser, OrderKey, Said as Word, UserState};

use super::desk::Desk;
use super::told::Told;

/// An event about one directory user of directory `d0`, about nothing yet.
pub struct Saying(Said);

pub fn user(id: &str) -> Saying {
    Saying(Said {
        deleted: false,
        user: DirectoryUser {
            id: id.to_owned(),
            directory_id: "d0".to_owned(),
            organization_id: Some("org".to_owned()),
            idp_id: None,
            state: None,
            email: Word::Absent,
            first_name: Word::Absent,
            last_name: Word::Absent,
            name: Word::Absent,
            role: None,
            roles: None,
            custom: None,
            legacy: Map::new(),
            warnings: Vec::new(),
        },
    })
}

impl Saying {
    fn with(mut self, change: impl FnOnce(&mut Said)) -> Self {
        change(&mut self.0);
        self
    }

    pub fn of(self, directory: &str) -> Self {
        self.with(|said| directory.clone_into(&mut said.user.directory_id))
    }

    pub fn idp(self, id: &str) -> Self {
        self.with(|said| said.user.idp_id = Some(id.to_owned()))
    }

    pub fn email(self, email: &str) -> Self {
        self.with(|said| said.user.email = Word::Text(email.to_owned()))
    }

    pub fn no_email(self) -> Self {
        self.with(|said| said.user.email = Word::Null)
    }

    pub fn named(self, first: &str, last: &str) -> Self {
        self.with(|said| {
            said.user.first_name = Word::Text(first.to_owned());
            said.user.last_name = Word::Text(last.to_owned());
        })
    }

    pub fn custom(self, custom: Value) -> Self {
        self.with(|said| said.user.custom = custom.as_object().cloned())
    }

    pub fn roles(self, roles: &[&str]) -> Self {
        self.with(|said| {
            said.user.roles = Some(roles.iter().map(|role| (*role).to_owned()).collect());
        })
    }

    pub fn number(self, number: &str) -> Self {
        self.custom(serde_json::json!({ "employee_number": number }))
    }

    pub fn legacy(self, legacy: Value) -> Self {
        self.with(|said| said.user.legacy = legacy.as_object().cloned().unwrap())
    }

    pub fn active(self) -> Self {
        self.with(|said| said.user.state = Some(UserState::Active))
    }

    pub fn inactive(self) -> Self {
        self.with(|said| said.user.state = UserState::read("inactive"))
    }

    pub fn deleted(self) -> Self {
        self.with(|said| said.deleted = true)
    }

    /// So many minutes into the story.
    pub fn at(self, minute: u32) -> Told {
        let mut observation = Observation {
            key: key(minute),
            said: self.0,
        };
        observation.key.removal = observation.is_removal();
        let life = if observation.key.removal { "out" } else { "in" };
        observation.key.event_id = format!("event_{minute}_{}_{life}", observation.said.user.id);
        Told::User(Box::new(observation))
    }
}

pub fn minute(minute: u32) -> Timestamp {
    let start = Timestamp::parse("2026-03-02T09:00:00Z").unwrap();
    start.plus(std::time::Duration::from_secs(u64::from(minute) * 60))
}

pub fn key(at: u32) -> OrderKey {
    OrderKey {
        at: minute(at),
        removal: false,
        event_id: format!("event_{at}"),
    }
}

pub fn linked(directory: &str, kind: &str, at: u32) -> Told {
    turn(directory, Some(kind), true, at)
}

pub fn gone(directory: &str, at: u32) -> Told {
    turn(directory, None, false, at)
}

fn turn(directory: &str, kind: Option<&str>, linked: bool, at: u32) -> Told {
    let mut key = key(at);
    key.removal = !linked;
    key.event_id = format!("event_{at}_{directory}");
    Told::Turn(DirectoryTurn {
        key,
        directory_id: directory.to_owned(),
        removes: false,
        deleted: !linked,
        linked,
        kind: kind.map(str::to_owned),
    })
}

/// The desk after these events came one by one.
pub fn after(told: impl IntoIterator<Item = Told>) -> Desk {
    let mut desk = Desk::default();
    desk.hear_all(told);
    desk
}

impl Desk {
    pub fn hear_all(&mut self, told: impl IntoIterator<Item = Told>) {
        for one in told {
            self.take(vec![one]);
        }
    }

    pub fn link(&self, id: &str) -> &Link {
        let mut links = self
            .cluster
            .iter()
            .filter_map(|cluster| cluster.links.get(id));
        links.next().unwrap_or_else(|| panic!("{id} is not known"))
    }

    pub fn profile(&self, link: &str) -> Profile {
        self.profiles().remove(&self.link(link).person).unwrap()
    }

    pub fn status(&self, link: &str) -> Status {
        self.profile(link).status
    }

    pub fn state(&self, link: &str) -> LinkState {
        self.link(link).state
    }

    pub fn shows(&self, link: &str, field: &str) -> Option<String> {
        self.profile(link).field(field).map(str::to_owned)
    }

    pub fn is_one(&self, link: &str, other: &str) -> bool {
        self.link(link).person == self.link(other).person
    }

    /// What a link waits for a decision about.
    pub fn waits_over(&self, link: &str) -> Option<&str> {
        self.link(link)
            .contest
            .as_ref()
            .map(|contest| contest.over.as_str())
    }
}
