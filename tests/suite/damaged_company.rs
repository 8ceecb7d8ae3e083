//! A story that can be read: the demo's company after some bad days. Webhooks were lost in three ways,
//! and WorkOS forgot to tell of five things at all. The commands find, explain and mend all of it;
//! `.ci/test damaged_company -- --no-capture` prints what docs/workos.md shows.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use rollcall::clock::{Clock, Timestamp};
use rollcall::db::{Backend, Db, DbError, Urgency};
use rollcall::outbox::{NewEvent, enqueue};
use serde_json::{Value, json};

use crate::support::app::new_event;
use crate::support::binary::rollcall;
use crate::support::events::{Event, scenario};
use crate::support::macros::on_both;
use crate::support::place::Place;
use crate::support::workos::{API_KEY, CLIENT_ID, FakeWorkOs};

on_both!(the_demo_company_is_mended_after_bad_days);

const HOUR: u64 = 3_600;

/// The company as WorkOS has it, and what of it came by webhook.
struct Company {
    fake: FakeWorkOs,
    heard: Vec<Event>,
    now: Timestamp,
    users: BTreeMap<String, Value>,
    directory: String,
    organization: String,
}

impl Company {
    /// The demo's company, three days after its import.
    fn new() -> Self {
        let import = scenario("first-import");
        let directory = import[0].0["data"]["id"].as_str().unwrap().to_owned();
        let organization = import[0].0["data"]["organization_id"].as_str().unwrap();
        let mut company = Self {
            fake: FakeWorkOs::start(),
            heard: Vec::new(),
            now: Clock::System.now(),
            users: BTreeMap::new(),
            organization: organization.to_owned(),
            directory,
        };
        company
            .fake
            .directory(&company.directory, organization, "linked");
        let begin = company.ago(72 * HOUR);
        for (place, event) in import.into_iter().enumerate() {
            let at = begin.plus(Duration::from_secs(place as u64));
            let event = event.set("created_at", at.to_string());
            let user = &event.0["data"];
            if event.0["event"] == "dsync.user.created" {
                let id = user["id"].as_str().unwrap();
                company.users.insert(id.to_owned(), user.clone());
            }
            company.comes(event);
        }
        company
    }

    fn ago(&self, seconds: u64) -> Timestamp {
        self.now.minus(Duration::from_secs(seconds))
    }

    /// Somebody by their first name.
    fn user(&self, name: &str) -> Value {
        let found = self.users.values().find(|one| one["first_name"] == name);
        found
            .unwrap_or_else(|| panic!("nobody is called {name}"))
            .clone()
    }

    fn group(&self, name: &str) -> Value {
        let all = self.fake.environment();
        let found = all.groups.values().find(|one| one["name"] == name);
        found.unwrap().clone()
    }

    /// It happens at WorkOS, and its webhook comes.
    fn comes(&mut self, event: Event) {
        self.heard.push(event.clone());
        self.is_lost(event);
    }

    /// It happens at WorkOS, and no webhook comes.
    fn is_lost(&mut self, event: Event) {
        self.changes(&event);
        self.fake.happened(&event);
    }

    /// It is so at WorkOS, and no event tells of it.
    fn changes(&mut self, event: &Event) {
        let data = &event.0["data"];
        let id = |part: &Value| part["id"].as_str().unwrap_or_default().to_owned();
        let edge = (id(&data["group"]), id(&data["user"]));
        match event.0["event"].as_str().unwrap() {
            "dsync.user.deleted" => {
                let mut all = self.fake.environment();
                all.users.remove(&id(data));
                all.edges.retain(|(_, user)| *user != id(data));
            }
            "dsync.user.created" | "dsync.user.updated" => self.fake.user(event),
            "dsync.group.user_added" => self.fake.edge(&edge.0, &edge.1),
            "dsync.group.user_removed" => {
                self.fake.environment().edges.remove(&edge);
            }
            kind if kind.starts_with("dsync.group.") => self.fake.group(event),
            _ => {}
        }
    }

    fn updated(&self, name: &str, title: &str, at: Timestamp) -> Event {
        Event::new("dsync.user.updated", at, self.user(name))
            .set("data.custom_attributes.job_title", title)
    }

    fn hired(&self, name: &str, at: Timestamp) -> Event {
        Event::new("dsync.user.created", at, self.user("Rémy"))
            .set("data.id", format!("directory_user_{name}"))
            .set("data.idp_id", format!("00u1{name}"))
            .set("data.first_name", name)
            .set(
                "data.email",
                format!("{}@fernwood.example", name.to_lowercase()),
            )
            .set(
                "data.custom_attributes.employee_number",
                format!("F-{name}"),
            )
    }

    fn membership(&self, kind: &str, name: &str, group: &str, at: Timestamp) -> Event {
        let data = json!({
            "directory_id": self.directory, "user": self.user(name), "group": self.group(group),
        });
        Event::new(kind, at, data)
    }

    /// What was lost, and what came beside it.
    fn bad_days(&mut self) {
        // The endpoint is down for some hours.
        let down = |company: &Self, minutes: u64| company.ago(26 * HOUR - 60 * minutes);
        let lost = [
            self.updated("Tomasz", "Chief Operating Officer", down(self, 5)),
            self.hired("Noor", down(self, 40)),
            Event::new("dsync.user.deleted", down(self, 90), self.user("Sione")),
            self.membership("dsync.group.user_added", "Nkechi", "Sales", down(self, 140)),
            self.updated("Ananya", "Firmware Lead", down(self, 195)),
        ];
        lost.into_iter().for_each(|event| self.is_lost(event));
        // One delivery of several does not arrive.
        for (name, minute) in [("Mehwish", 0), ("Hallgrímur", 2)] {
            let event = self.updated(name, "Manager", self.ago(10 * HOUR - 60 * minute));
            self.comes(event);
        }
        let one = self.updated("Lukáš", "Director of Firmware", self.ago(10 * HOUR - 60));
        self.is_lost(one);
        // The endpoint does not subscribe to this type.
        let left = self.membership(
            "dsync.group.user_removed",
            "İpek",
            "Engineering",
            self.ago(5 * HOUR),
        );
        self.is_lost(left);
        let beside = self.updated("Aoife", "Chief People Officer", self.ago(5 * HOUR - 30));
        self.comes(beside);
    }

    /// What no event ever told.
    fn silence(&mut self) {
        let now = self.now;
        let gone = Event::new("dsync.user.deleted", now, self.user("Kwabena"));
        let retitled = self.updated("Marisol", "CFO", now);
        let hired = self.hired("Ewa", now);
        let renamed = Event::new("dsync.group.updated", now, self.group("Sales"))
            .set("data.name", "Sales and Marketing");
        let left = self.membership("dsync.group.user_removed", "Ingrid", "Leadership", now);
        for event in [gone, retitled, hired, renamed, left] {
            self.changes(&event);
        }
    }
}

/// What came by webhook, in the outbox as of its time.
fn received(db: &Db, events: &[Event]) {
    let rows = events.iter().map(|event| {
        let row = new_event(event, Timestamp(0));
        NewEvent {
            received_at: row.occurred_at.plus(Duration::from_secs(1)),
            ..row
        }
    });
    let rows: Vec<NewEvent> = rows.collect();
    db.write(Urgency::Normal, |conn| {
        Ok::<_, DbError>(enqueue(conn, &rows)?)
    })
    .unwrap();
}

/// A terminal: each command, and what it said.
struct Terminal<'a> {
    url: String,
    fake: String,
    folder: &'a Path,
    text: String,
}

impl Terminal<'_> {
    fn run(&mut self, words: &str) -> String {
        let mut command = rollcall(&self.url, self.folder);
        command
            .args(words.split(' '))
            .env("WORKOS_API_KEY", API_KEY)
            .env("WORKOS_CLIENT_ID", CLIENT_ID)
            .env("WORKOS_API_URL", &self.fake)
            .env("ROLLCALL_LOG", "error");
        let done = command.output().unwrap();
        let said = format!(
            "{}{}",
            String::from_utf8_lossy(&done.stderr),
            String::from_utf8_lossy(&done.stdout)
        );
        assert!(done.status.success(), "{words}: {said}");
        self.text.push_str(&format!("$ rollcall {words}\n{said}\n"));
        said
    }
}

async fn the_demo_company_is_mended_after_bad_days(backend: Backend) {
    let (place, folder) = (Place::new(backend), tempfile::tempdir().unwrap());
    tokio::task::block_in_place(|| play(&place, folder.path()));
}

fn play(place: &Place, folder: &Path) {
    let mut company = Company::new();
    company.bad_days();
    company.silence();
    let db = Db::open(&place.url(), 2).unwrap();
    db.maintain(rollcall::db::migrate).unwrap();
    received(&db, &company.heard);
    let mut terminal = Terminal {
        url: place.url(),
        fake: company.fake.url(),
        folder,
        text: String::new(),
    };
    terminal.run("work --once");
    terminal.text.clear();
    let caught = terminal.run("catch-up");
    assert!(
        caught.contains("7 events that no webhook had brought"),
        "{caught}"
    );
    terminal.run("work --once");
    let gaps = terminal.run("gaps");
    for part in [
        "7 events came by no webhook, 0 came late",
        "5 events; no webhook at all came in that time",
        "1 event; other webhooks came in that time",
        "events of this type have never come by webhook (dsync.group.user_removed)",
    ] {
        assert!(gaps.contains(part), "{part}: {gaps}");
    }
    let compare = format!("directories reconcile {}", company.directory);
    let drift = terminal.run(&compare);
    for kind in [
        "user_missing_there",
        "user_missing_here",
        "user_differs",
        "group_differs",
        "edge_missing_there",
    ] {
        assert!(drift.contains(kind), "{kind}: {drift}");
    }
    terminal.run(&format!("{compare} --apply --yes"));
    terminal.run("work --once");
    let after = terminal.run(&compare);
    assert!(after.contains("Nothing differs."), "{after}");
    println!("{}", terminal.text);
    as_there(&db, &company);
}

/// Everybody whom WorkOS has is in People, as WorkOS has them, and nobody else.
fn as_there(db: &Db, company: &Company) {
    let all = company.fake.environment();
    let filter = rollcall::store::profiles::ProfileFilter {
        organization_id: Some(company.organization.clone()),
        status: Some("active".to_owned()),
        ..Default::default()
    };
    let here = db
        .read(|conn| Ok::<_, DbError>(rollcall::store::profiles::list(conn, &filter, 200)?))
        .unwrap();
    let told = |email: &str, title: &str| format!("{email} {title}");
    let mut here: Vec<String> = here
        .iter()
        .map(|row| told(row.email.as_deref().unwrap(), row.title.as_deref().unwrap()))
        .collect();
    let mut there: Vec<String> = all
        .users
        .values()
        .map(|user| {
            let title = user["custom_attributes"]["job_title"].as_str().unwrap();
            told(user["email"].as_str().unwrap(), title)
        })
        .collect();
    here.sort();
    there.sort();
    assert_eq!(here, there);
}
