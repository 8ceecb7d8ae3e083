//! The company of the demo, and what happens in it, as WorkOS would say it. Pure: from an instant to
//! bodies. The import is the scenario of `fixtures/`, its ids kept; the rest is told from then on.

use std::time::Duration;

use serde_json::{Map, Value, json};
use ulid::Ulid;

use crate::clock::Timestamp;

/// Fernwood Optics links its Okta: 50 people, 6 groups, 105 memberships.
pub(super) const IMPORT: &str = include_str!("../../../fixtures/scenarios/first-import.jsonl");

pub(super) const ORGANIZATION: &str = "org_01M36MEP00M7R9W71CAXE89K78";
const HOUR: Duration = Duration::from_secs(3_600);
const DIRECTORY: &str = "directory_01M6DM9KD02PFC5B4ZQ0MEVDB6";

/// Somebody's employment in Okta: the same through every directory user that WorkOS makes of it.
pub(super) struct Person {
    directory_user: String,
    idp_id: &'static str,
    first_name: &'static str,
    last_name: &'static str,
    pub(super) email: &'static str,
    employee_number: &'static str,
    pub(super) title: &'static str,
    pub(super) department: &'static str,
    manager: &'static str,
    start_date: String,
    /// What else the directory says: attributes of the same name.
    more: Map<String, Value>,
}

impl Person {
    /// Hired today.
    pub(super) fn hired(at: Timestamp) -> Self {
        Self {
            directory_user: directory_user(at),
            idp_id: "00u1ImaniWekesa00001",
            first_name: "Imani",
            last_name: "Wekesa",
            email: "imani.wekesa@fernwood.example",
            employee_number: "F-1051",
            title: "Optical Engineer",
            department: "Engineering",
            manager: "kwabena.oseimensah@fernwood.example",
            start_date: at.to_string(),
            more: Map::from_iter([("office".to_owned(), json!("Bergen"))]),
        }
    }

    /// One of the imported people.
    pub(super) fn matej() -> Self {
        Self {
            directory_user: "directory_user_01M6DMBHZM5AB1VBHAA7STXDVK".to_owned(),
            idp_id: "00u1u7SLQkAmr22ys3bk",
            first_name: "Matej",
            last_name: "Šťastný",
            email: "matej.stastny@fernwood.example",
            employee_number: "F-1016",
            title: "Firmware Engineer",
            department: "Engineering",
            manager: "lukas.dvorak@fernwood.example",
            start_date: "2021-03-15T00:00:00.000Z".to_owned(),
            more: Map::from_iter([
                ("office".to_owned(), json!("Brno")),
                ("employee_type".to_owned(), json!("Full Time")),
                ("pronouns".to_owned(), json!("he/him")),
            ]),
        }
    }

    pub(super) fn name(&self) -> String {
        format!("{} {}", self.first_name, self.last_name)
    }

    pub(super) fn promoted(mut self, title: &'static str) -> Self {
        self.title = title;
        self
    }

    pub(super) fn moved(mut self, title: &'static str, department: &'static str) -> Self {
        self.title = title;
        self.department = department;
        self
    }

    /// Back under a new directory user, as WorkOS makes one: only Okta's id is the same.
    pub(super) fn returned(mut self, at: Timestamp) -> Self {
        self.directory_user = directory_user(at);
        self
    }

    pub(super) fn created(&self, at: Timestamp) -> Event {
        self.event("dsync.user.created", "active", at)
    }

    pub(super) fn updated(&self, at: Timestamp) -> Event {
        self.event("dsync.user.updated", "active", at)
    }

    /// What Okta says of somebody who was deactivated.
    pub(super) fn deactivated(&self, at: Timestamp) -> Event {
        self.event("dsync.user.updated", "inactive", at)
    }

    fn event(&self, kind: &'static str, state: &str, at: Timestamp) -> Event {
        let mut custom = self.more.clone();
        for (key, value) in [
            ("job_title", self.title),
            ("department_name", self.department),
            ("employee_number", self.employee_number),
            ("employment_start_date", &self.start_date),
            ("manager_email", self.manager),
        ] {
            custom.insert(key.to_owned(), json!(value));
        }
        let data = json!({
            "object": "directory_user", "id": self.directory_user, "directory_id": DIRECTORY,
            "organization_id": ORGANIZATION, "idp_id": self.idp_id, "email": self.email,
            "first_name": self.first_name, "last_name": self.last_name, "emails": [],
            "job_title": null, "username": null, "state": state, "raw_attributes": {},
            "custom_attributes": custom, "role": { "slug": "member" },
            "created_at": at.to_string(), "updated_at": at.to_string(),
        });
        Event::new(kind, &data, at)
    }
}

/// One event as it is sent.
pub(super) struct Event {
    pub(super) id: String,
    pub(super) kind: String,
    pub(super) body: String,
}

impl Event {
    fn new(kind: &str, data: &Value, at: Timestamp) -> Self {
        let id = format!("event_{}", ulid(at));
        let body = json!({
            "object": "event", "id": id, "event": kind, "data": data,
            "created_at": at.to_string(), "context": {},
        });
        Self {
            id,
            kind: kind.to_owned(),
            body: body.to_string(),
        }
    }
}

/// The import's events, byte by byte as the fixture has them.
pub(super) fn import() -> Vec<Event> {
    let lines = IMPORT.lines().filter(|line| !line.trim().is_empty());
    lines
        .map(|line| {
            let said: Value = serde_json::from_str(line).unwrap_or_default();
            let text = |key: &str| said[key].as_str().unwrap_or_default().to_owned();
            Event {
                id: text("id"),
                kind: text("event"),
                body: line.to_owned(),
            }
        })
        .collect()
}

/// How far the story must be ahead of this machine's clock to go on an hour after the import.
pub(super) fn ahead(now: Timestamp) -> Duration {
    let last = IMPORT.lines().rev().find_map(|line| {
        let said: Value = serde_json::from_str(line).ok()?;
        Timestamp::parse(said["created_at"].as_str()?)
    });
    let after = last.map(|last| last.plus(HOUR));
    after.map_or(Duration::ZERO, |after| after.since(now))
}

/// The welcome: three steps over three channels.
pub(super) fn welcome() -> Value {
    json!({
        "organization_id": ORGANIZATION,
        "name": "Welcome",
        "on": "profile.activated",
        "when": null,
        "status": "published",
        "steps": [
            {
                "channel": "email", "to": "person", "after": "PT0S", "at": null,
                "subject": "Welcome to Fernwood, {{ first_name }}",
                "text": "Hello {{ first_name }},\n\nyou start in {{ department }} as {{ title }}. Your manager is {{ manager_email }}.\n",
            },
            {
                "channel": "slack", "to": "https://hooks.slack.com/services/T000/B000/demo", "after": "PT0S", "at": null,
                "text": ":wave: {{ display_name }} joins {{ department }} as {{ title }}",
            },
            { "channel": "webhook", "to": "https://intranet.fernwood.example/hooks/people", "after": "PT0S", "at": null },
        ],
    })
}

fn directory_user(at: Timestamp) -> String {
    format!("directory_user_{}", ulid(at))
}

fn ulid(at: Timestamp) -> Ulid {
    let mut bytes = [0_u8; 16];
    // Without random bytes the time alone still tells this story's ids apart.
    let _ = getrandom::fill(&mut bytes);
    Ulid::from_parts(
        u64::try_from(at.millis()).unwrap_or_default(),
        u128::from_be_bytes(bytes),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::triggers::{NewTrigger, Policy};

    #[test]
    fn the_import_is_fifty_people_under_their_own_ids() {
        let events = import();
        let people = events
            .iter()
            .filter(|event| event.kind == "dsync.user.created");
        assert_eq!((events.len(), people.count()), (162, 50));
        assert!(events.iter().all(|event| event.id.starts_with("event_01")));
        assert!(IMPORT.contains(ORGANIZATION) && IMPORT.contains(DIRECTORY));
    }

    #[test]
    fn the_story_goes_on_after_the_import_whatever_the_clock_says() {
        let long_ago = Timestamp::from_millis(1_700_000_000_000);
        let last = Timestamp::parse("2026-11-02T08:00:41.546Z").unwrap();
        assert!(long_ago.plus(ahead(long_ago)) > last);
        let later = Timestamp::parse("2027-01-01T00:00:00.000Z").unwrap();
        assert_eq!(ahead(later), Duration::ZERO);
    }

    #[test]
    fn the_welcome_is_a_trigger_that_would_be_taken() {
        let trigger = NewTrigger::parse(&welcome(), Policy::default()).unwrap();
        assert_eq!(trigger.steps.len(), 3);
    }
}
