//! The same roll, whatever the road (R14): the scenarios of `fixtures/` lead to one final state in
//! any order, with duplicates, in batches of any size, by several workers, on both databases.

use rollcall::db::Backend;
use rollcall::worker::{BatchSettings, Worker};

use crate::support::app::TestApp;
use crate::support::events::{Event, employee, minute, scenario};
use crate::support::macros::on_both;

on_both!(
    r14_the_order_of_arrival_does_not_matter,
    r14_neither_do_batches_nor_workers,
    r18_a_scenario_sent_twice_is_the_same_as_once,
    r73_events_that_name_no_organization_meet_those_that_do,
);

const SCENARIOS: [&str; 10] = [
    "first-import",
    "normal-week",
    "termination-and-rehire",
    "leaver-in-the-other-format",
    "tie-in-one-millisecond",
    "inactive-and-silent",
    "deleted-before-created",
    "address-passes-on",
    "deleted-by-mistake",
    "partial-listing",
];

/// All the stories, one after the other.
fn stories() -> Vec<Event> {
    SCENARIOS.into_iter().flat_map(scenario).collect()
}

/// What the roll says in the end, without what depends on the road: when we recorded it.
fn outcome(app: &TestApp) -> Vec<String> {
    let column = |name: &str| format!("coalesce(cast({name} AS text), '-')");
    let row = |columns: &[&str]| {
        let all: Vec<String> = columns.iter().map(|name| column(name)).collect();
        all.join(" || '|' || ")
    };
    let people = row(&[
        "organization_id",
        "status",
        "display_name",
        "first_name",
        "last_name",
        "email",
        "title",
        "department",
        "pronouns",
        "start_date",
        "manager_email",
        "employee_number",
        "attributes",
        "warnings",
        "period",
        "first_seen_at",
        "updated_at",
        "removed_at",
        "removed_reason",
    ]);
    let links = row(&[
        "l.directory_user_id",
        "l.directory_id",
        "l.idp_id",
        "l.state",
        "p.email",
        "l.last_event_id",
    ]);
    let groups = row(&[
        "id",
        "organization_id",
        "directory_id",
        "idp_id",
        "name",
        "state",
    ]);
    let edges = row(&["group_id", "directory_user_id", "at", "event_id"]);
    let mut all = Vec::new();
    for query in [
        format!("SELECT {people} AS line FROM profiles"),
        format!("SELECT {links} AS line FROM links l LEFT JOIN profiles p ON p.id = l.profile_id"),
        format!("SELECT {groups} AS line FROM groups"),
        format!(
            "SELECT {edges} AS line FROM group_edges WHERE present = {}",
            yes(app)
        ),
        "SELECT id || state || organization_id AS line FROM directories".to_owned(),
    ] {
        all.extend(app.lines(&query));
    }
    all.sort();
    all
}

fn yes(app: &TestApp) -> &'static str {
    match app.db.backend() {
        Backend::Sqlite => "1",
        Backend::Postgres => "true",
    }
}

/// In order, one by one, on SQLite: what every road must lead to.
async fn straight() -> Vec<String> {
    let app = TestApp::start(Backend::Sqlite).await;
    for event in stories() {
        app.enqueue(&[event]);
        app.drain();
    }
    let outcome = outcome(&app);
    assert!(outcome.len() > 200, "{}", outcome.len());
    outcome
}

/// Fisher and Yates, with a generator that every machine has alike.
fn shuffle<T>(all: &mut [T], seed: u64) {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    for last in (1..all.len()).rev() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let other = usize::try_from(state % (last as u64 + 1)).unwrap();
        all.swap(last, other);
    }
}

fn assert_same(found: &[String], wanted: &[String], road: &str) {
    let missing: Vec<&String> = wanted.iter().filter(|row| !found.contains(row)).collect();
    let extra: Vec<&String> = found.iter().filter(|row| !wanted.contains(row)).collect();
    assert!(
        missing.is_empty() && extra.is_empty(),
        "{road}\nmissing: {missing:#?}\ninstead: {extra:#?}"
    );
}

/// Drains with so many workers beside each other.
pub async fn drain_at_once(app: &TestApp, batch: usize, workers: usize) {
    let settings = BatchSettings {
        max_attempts: 8,
        messaging_for_new: false,
    };
    let worker = Worker::new(app.db.clone(), app.clock.clone(), settings, batch, 0);
    let workers = (0..workers).map(|_| {
        let worker = worker.clone();
        tokio::task::spawn_blocking(move || worker.drain().unwrap())
    });
    for done in futures_util::future::join_all(workers).await {
        done.unwrap();
    }
    // One that found all parts taken ended early.
    app.drain();
}

async fn r14_the_order_of_arrival_does_not_matter(backend: Backend) {
    let wanted = straight().await;
    for seed in 1..=4 {
        let app = TestApp::start(backend).await;
        let mut events = stories();
        shuffle(&mut events, seed);
        for chunk in events.chunks(1 + usize::try_from(seed).unwrap() * 3) {
            app.enqueue(chunk);
            app.drain();
        }
        assert_same(&outcome(&app), &wanted, &format!("seed {seed}"));
    }
}

async fn r14_neither_do_batches_nor_workers(backend: Backend) {
    let wanted = straight().await;
    for batch in [1, 13, 1_000] {
        let app = TestApp::start(backend).await;
        let mut events = stories();
        shuffle(&mut events, 99);
        app.enqueue(&events);
        drain_at_once(&app, batch, 4).await;
        assert_same(&outcome(&app), &wanted, &format!("batches of {batch}"));
    }
}

async fn r18_a_scenario_sent_twice_is_the_same_as_once(app: TestApp) {
    let events = stories();
    for event in &events {
        assert_eq!(app.deliver(event).await.body["status"], "accepted");
    }
    app.drain();
    let before = app.dump();
    for event in events.iter().rev() {
        assert_eq!(app.deliver(event).await.body["status"], "duplicate");
    }
    assert_eq!(app.drain(), 0);
    assert_eq!(app.dump(), before);
    assert_same(&outcome(&app), &straight().await, "over HTTP");
}

/// Events that do not name their organization lie in another part of the queue than those that do.
async fn r73_events_that_name_no_organization_meet_those_that_do(backend: Backend) {
    let mut events = Vec::new();
    for n in 0_u64..240 {
        let mut person = employee(&format!("p{}", n % 24));
        person.organization = format!("org_{}", n % 4);
        person.directory = format!("directory_{}", n % 4);
        let event = match n / 24 % 4 {
            0 | 2 => person.updated(minute(n)).without("data.organization_id"),
            1 => person.deleted_bare(minute(n)),
            _ => person.updated(minute(n)),
        };
        let title = format!("Title {n}");
        events.push(event.set("data.custom_attributes.job_title", title));
    }
    let straight = TestApp::start(backend).await;
    for event in &events {
        straight.enqueue(std::slice::from_ref(event));
        straight.drain();
    }
    let wanted = outcome(&straight);
    for seed in 1..=3 {
        let app = TestApp::start(backend).await;
        shuffle(&mut events, seed);
        app.enqueue(&events);
        drain_at_once(&app, 5, 6).await;
        let failed = app.lines("SELECT detail AS line FROM event_attempts");
        assert_eq!(failed, [""; 0], "seed {seed}");
        assert_same(&outcome(&app), &wanted, &format!("seed {seed}"));
    }
}
