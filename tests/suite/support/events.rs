//! Events as WorkOS would send them, made by people: `ada().created(9, 0)`. Ids are fresh, times are
//! what the test says, and any part can be set or taken away.

use std::time::Duration;

use rollcall::clock::Timestamp;
use rollcall::workos::new_event_id;
use serde_json::{Value, json};

/// The company of most tests.
pub const ORGANIZATION: &str = "org_01TEST";
/// Its directory.
pub const DIRECTORY: &str = "directory_01TEST";

/// The day of the tests begins; clocks start here.
pub fn morning() -> Timestamp {
    Timestamp::parse("2026-11-23T09:00:00.000Z").unwrap()
}

/// So many minutes into the day.
pub fn minute(count: u64) -> Timestamp {
    morning().plus(Duration::from_secs(60 * count))
}

/// One event, ready to be sent.
#[derive(Debug, Clone)]
pub struct Event(pub Value);

impl Event {
    /// An event of any kind about any data, with a fresh id.
    pub fn new(kind: &str, at: Timestamp, data: Value) -> Self {
        Self(json!({
            "object": "event",
            "id": new_event_id(at),
            "event": kind,
            "data": data,
            "created_at": at.to_string(),
            "context": {},
        }))
    }

    /// Its id.
    pub fn id(&self) -> String {
        self.0["id"].as_str().unwrap().to_owned()
    }

    /// The same with one value at a dotted path; objects on the way are made.
    #[must_use]
    pub fn set(mut self, path: &str, value: impl Into<Value>) -> Self {
        let (parent, key) = self.parent_of(path);
        parent.insert(key, value.into());
        self
    }

    /// The same without what is at a dotted path.
    #[must_use]
    pub fn without(mut self, path: &str) -> Self {
        let (parent, key) = self.parent_of(path);
        parent.remove(&key);
        self
    }

    fn parent_of(&mut self, path: &str) -> (&mut serde_json::Map<String, Value>, String) {
        let mut steps: Vec<&str> = path.split('.').collect();
        let key = steps.pop().unwrap().to_owned();
        let mut place = &mut self.0;
        for step in steps {
            place = &mut place[step];
            if place.is_null() {
                *place = json!({});
            }
        }
        (place.as_object_mut().unwrap(), key)
    }

    /// As sent.
    pub fn body(&self) -> Vec<u8> {
        self.0.to_string().into_bytes()
    }
}

/// Somebody in a directory.
#[derive(Debug, Clone)]
pub struct Employee {
    /// Makes ids and the address: `ada`.
    pub name: String,
    pub organization: String,
    pub directory: String,
}

/// Somebody of the company of most tests.
pub fn employee(name: &str) -> Employee {
    Employee {
        name: name.to_owned(),
        organization: ORGANIZATION.to_owned(),
        directory: DIRECTORY.to_owned(),
    }
}

/// The heroine of most tests.
pub fn ada() -> Employee {
    employee("ada")
}

impl Employee {
    /// Her address.
    pub fn email(&self) -> String {
        format!("{}@test.example", self.name)
    }

    /// WorkOS's id of her.
    pub fn id(&self) -> String {
        format!("directory_user_{}", self.name)
    }

    fn data(&self) -> Value {
        json!({
            "object": "directory_user",
            "id": self.id(),
            "directory_id": self.directory,
            "organization_id": self.organization,
            "idp_id": format!("idp_{}", self.name),
            "email": self.email(),
            "first_name": self.name,
            "last_name": "Tester",
            "emails": [],
            "job_title": null,
            "username": null,
            "state": "active",
            "raw_attributes": {},
            "custom_attributes": { "job_title": "Analyst", "department_name": "Research" },
            "created_at": "2026-05-04T09:00:02.000Z",
            "updated_at": "2026-05-04T09:00:02.000Z",
        })
    }

    /// `dsync.user.created`, active.
    pub fn created(&self, at: Timestamp) -> Event {
        Event::new("dsync.user.created", at, self.data())
    }

    /// `dsync.user.updated`, active.
    pub fn updated(&self, at: Timestamp) -> Event {
        Event::new("dsync.user.updated", at, self.data())
    }

    /// `dsync.user.updated` that ends access.
    pub fn deactivated(&self, at: Timestamp) -> Event {
        self.updated(at).set("data.state", "inactive")
    }

    /// `dsync.user.deleted` with all of the user in it.
    pub fn deleted(&self, at: Timestamp) -> Event {
        Event::new("dsync.user.deleted", at, self.data()).set("data.state", "inactive")
    }

    /// `dsync.user.deleted` with the two ids only (R6).
    pub fn deleted_bare(&self, at: Timestamp) -> Event {
        let data = json!({ "id": self.id(), "directory_id": self.directory });
        Event::new("dsync.user.deleted", at, data)
    }

    /// `dsync.group.user_added`.
    pub fn joined(&self, group: &str, at: Timestamp) -> Event {
        self.membership("dsync.group.user_added", group, at)
    }

    /// `dsync.group.user_removed`.
    pub fn left(&self, group: &str, at: Timestamp) -> Event {
        self.membership("dsync.group.user_removed", group, at)
    }

    fn membership(&self, kind: &str, group: &str, at: Timestamp) -> Event {
        let data = json!({
            "directory_id": self.directory,
            "user": self.data(),
            "group": group_data(group, &self.directory, &self.organization),
        });
        Event::new(kind, at, data)
    }
}

fn group_data(name: &str, directory: &str, organization: &str) -> Value {
    json!({
        "object": "directory_group",
        "id": format!("directory_group_{name}"),
        "idp_id": format!("idp_group_{name}"),
        "directory_id": directory,
        "organization_id": organization,
        "name": name,
        "raw_attributes": {},
    })
}

/// `dsync.group.created`, `dsync.group.updated` or `dsync.group.deleted`.
pub fn group(kind: &str, name: &str, at: Timestamp) -> Event {
    Event::new(kind, at, group_data(name, DIRECTORY, ORGANIZATION))
}

/// `dsync.activated`, `dsync.deactivated` or `dsync.deleted`.
pub fn directory(kind: &str, at: Timestamp) -> Event {
    let data = json!({
        "object": "directory",
        "id": DIRECTORY,
        "organization_id": ORGANIZATION,
        "type": "okta scim v2.0",
        "state": if kind == "dsync.activated" { "active" } else { "deleting" },
        "name": "Test Okta",
    });
    Event::new(kind, at, data)
}

/// A scenario of `fixtures/scenarios/`, in the order of delivery, each event once.
pub fn scenario(name: &str) -> Vec<Event> {
    let file = format!(
        "{}/fixtures/scenarios/{name}.jsonl",
        env!("CARGO_MANIFEST_DIR")
    );
    let text = std::fs::read_to_string(file).unwrap();
    let mut seen = std::collections::BTreeSet::new();
    let all = text
        .lines()
        .map(|line| Event(serde_json::from_str(line).unwrap()));
    all.filter(|event| seen.insert(event.id())).collect()
}

/// A fixture of `fixtures/` as it stands.
pub fn fixture(path: &str) -> Event {
    let file = format!("{}/fixtures/{path}", env!("CARGO_MANIFEST_DIR"));
    Event(serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap())
}
