//! Random company histories through the real service (R14): many companies at once, their events late,
//! doubled and out of order, over signed HTTP, several workers beside the deliveries, on both
//! databases. Each company must end as it does in order, one event at a time.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::StreamExt;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, TestRunner};
use rollcall::db::Backend;
use rollcall::store::communities::{self as rows, Community};
use rollcall::store::organizations;
use rollcall::worker::{BatchSettings, Worker};
use rollcall::workos::{Data, OrderKey, UserState, read_event};
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::roads::drain_at_once;
use crate::support::app::{TestApp, new_event};
use crate::support::events::Event;
use crate::support::macros::on_both;

#[path = "../../src/domain/tests/story/mod.rs"]
mod story;

use story::{History, communities, histories};

on_both!(r14_random_companies_end_as_in_order_whatever_the_road);

/// How many companies: `ROLLCALL_COMPANIES`, else a hundred on each database.
fn companies() -> Vec<History> {
    let asked = std::env::var("ROLLCALL_COMPANIES").ok();
    let count = asked.and_then(|text| text.parse().ok()).unwrap_or(100);
    let mut runner = TestRunner::new(Config::default());
    let made = histories(16);
    (0..count)
        .map(|_| made.new_tree(&mut runner).unwrap().current())
        .collect()
}

/// How many deliveries are under way at a time.
const AT_ONCE: usize = 8;
const WORKERS: usize = 3;

async fn r14_random_companies_end_as_in_order_whatever_the_road(backend: Backend) {
    let companies = companies();
    let wanted = in_order(&companies).await;
    let app = TestApp::start(backend).await;
    found(&app, companies.len());
    as_they_come(&app, &companies).await;
    let failed =
        app.lines("SELECT event_id AS line FROM outbox WHERE state NOT IN ('done', 'ignored')");
    assert_eq!(failed, [""; 0]);
    let found = ends(&app);
    for (number, history) in companies.iter().enumerate() {
        let company = u32::try_from(number).unwrap();
        let (wanted, found) = (wanted.get(&company), found.get(&company));
        assert_eq!(
            found, wanted,
            "company {company}, on {backend:?}: {history:?}"
        );
    }
}

/// Each company's communities, with rules by all that a rule may ask for, before anything happens.
fn found(app: &TestApp, companies: usize) {
    let now = app.clock.now();
    app.write(|conn| {
        let ids: Vec<String> = (0..companies)
            .map(|number| format!("org_{number}"))
            .collect();
        organizations::ensure(conn, &ids, false, now)?;
        for (company, organization_id) in (0..).zip(&ids) {
            for (name, rules) in communities(company) {
                let rules: Vec<Value> = rules
                    .into_iter()
                    .map(|(when, role)| json!({"when": when, "role": role}))
                    .collect();
                let community = Community {
                    id: format!("community {name}_{company}"),
                    organization_id: organization_id.clone(),
                    name: name.to_owned(),
                    rules: json!(rules).to_string(),
                    created_at: now,
                    updated_at: now,
                    orphaned_at: None,
                };
                assert!(rows::create(conn, &community)?);
            }
        }
        Ok(())
    });
}

/// Every company in its own order, the companies side by side.
async fn in_order(companies: &[History]) -> BTreeMap<u32, Vec<String>> {
    let app = TestApp::start(Backend::Sqlite).await;
    found(&app, companies.len());
    let mut left: Vec<_> = (0..)
        .zip(companies)
        .map(|(company, history)| history.in_order(company).into_iter())
        .collect();
    loop {
        let next: Vec<Event> = left
            .iter_mut()
            .filter_map(Iterator::next)
            .map(Event)
            .collect();
        if next.is_empty() {
            return ends(&app);
        }
        app.enqueue(&next);
        app.drain();
    }
}

/// Over HTTP, as late and as often as the stories say, while the workers work.
async fn as_they_come(app: &TestApp, companies: &[History]) {
    let settings = BatchSettings {
        max_attempts: 8,
        messaging_for_new: false,
    };
    let worker = Worker::new(app.db.clone(), app.clock.clone(), settings, 7, 0);
    let (arrived, all_sent) = (Notify::new(), AtomicBool::new(false));
    let workers = (0..WORKERS).map(|_| async {
        while !all_sent.load(Ordering::Acquire) {
            arrived.notified().await;
            let worker = worker.clone();
            let drained = tokio::task::spawn_blocking(move || worker.drain().unwrap());
            drained.await.unwrap();
        }
        // The last word goes round.
        arrived.notify_one();
    });
    let deliver = async {
        let each = (0..).zip(companies).map(|(company, history)| {
            let arrived = &arrived;
            async move {
                let mut words = Words::default();
                for body in history.arrivals(company).into_iter().flatten() {
                    let event = Event(body);
                    assert_eq!(app.deliver(&event).await.status, 200);
                    arrived.notify_one();
                    words.take(app, &event);
                    is_refused_from_the_200_on(app, &event, &words).await;
                }
            }
        });
        let sent = futures_util::stream::iter(each).buffer_unordered(AT_ONCE);
        sent.collect::<Vec<()>>().await;
        all_sent.store(true, Ordering::Release);
        arrived.notify_one();
    };
    futures_util::future::join(futures_util::future::join_all(workers), deliver).await;
    drain_at_once(app, 7, WORKERS).await;
}

/// The newest word about the life of each directory user that was acknowledged so far.
#[derive(Default)]
struct Words(BTreeMap<String, OrderKey>);

impl Words {
    fn take(&mut self, app: &TestApp, event: &Event) {
        let new = new_event(event, app.clock.now());
        let active = match read_event(&new.body).map(|event| event.data) {
            Ok(Data::UserCreated(user) | Data::UserUpdated(user)) => {
                user.state == Some(UserState::Active)
            }
            _ => false,
        };
        let of_user = new.event_type.starts_with("dsync.user.");
        let (Some(user), true) = (new.subject, of_user && (active || new.removal)) else {
            return;
        };
        let key = OrderKey {
            at: new.occurred_at,
            removal: new.removal,
            event_id: new.event_id,
        };
        let newest = self.0.entry(user).or_insert_with(|| key.clone());
        *newest = key.max(newest.clone());
    }

    fn ended(&self, user: &str) -> bool {
        self.0.get(user).is_some_and(|newest| newest.removal)
    }
}

/// R91: after the 200 of a removal that is the newest word about all living links of a person, access is
/// refused, wherever the workers are. Where somebody's links changed meanwhile, nothing is said.
async fn is_refused_from_the_200_on(app: &TestApp, event: &Event, words: &Words) {
    let Some(user) = new_event(event, app.clock.now()).subject else {
        return;
    };
    if !words.ended(&user) {
        return;
    }
    let living = || {
        app.lines(&format!(
            "SELECT o.profile_id || ' ' || o.directory_user_id AS line FROM links u \
             JOIN links o ON o.profile_id = u.profile_id AND o.state = 'active' \
             WHERE u.directory_user_id = '{user}' ORDER BY 1"
        ))
    };
    let before = living();
    let ended = |line: &String| words.ended(line.split_once(' ').unwrap().1);
    if before.is_empty() || !before.iter().all(ended) {
        return;
    }
    let profile = before[0].split_once(' ').unwrap().0;
    let answer = app.get(&format!("/v1/access?profile_id={profile}")).await;
    assert!(
        answer["allowed"] == false || living() != before,
        "{event:?}: {answer}, {before:?}"
    );
}

/// Where each company ended: everybody with their links and memberships, groups and who is in them, directories. People
/// are named by their first link, since it depends on the road which of two ids a profile got.
fn ends(app: &TestApp) -> BTreeMap<u32, Vec<String>> {
    let mut links: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut ends: BTreeMap<u32, Vec<String>> = BTreeMap::new();
    let pairs = app.lines(
        "SELECT profile_id || ' ' || directory_user_id || ' ' || state || ' ' || coalesce(idp_id, '-') \
         AS line FROM links ORDER BY directory_user_id",
    );
    for pair in pairs {
        let (profile, link) = pair.split_once(' ').unwrap();
        links
            .entry(profile.to_owned())
            .or_default()
            .push(link.to_owned());
    }
    let columns = [
        "organization_id",
        "status",
        "display_name",
        "first_name",
        "email",
        "title",
        "start_date",
        "employee_number",
        "attributes",
        "warnings",
        "period",
        "first_seen_at",
        "updated_at",
        "removed_at",
        "removed_reason",
    ];
    let columns: Vec<String> = columns
        .iter()
        .map(|name| format!("coalesce(cast({name} AS text), '-')"))
        .collect();
    let people = format!(
        "SELECT id || ' ' || {} AS line FROM profiles",
        columns.join(" || '|' || ")
    );
    for person in app.lines(&people) {
        let (profile, shown) = person.split_once(' ').unwrap();
        let theirs = links.remove(profile).unwrap_or_default();
        let company = theirs
            .first()
            .map_or("nobody_0", |link| link.split(' ').next().unwrap());
        let places = app.lines(&format!(
            "SELECT role || ' in ' || community_id AS line FROM memberships \
             WHERE profile_id = '{profile}' AND ended_at IS NULL ORDER BY community_id"
        ));
        let line = format!("{} is {shown}, {}", theirs.join(" + "), places.join(", "));
        ends.entry(number_of(company)).or_default().push(line);
    }
    for query in [
        "SELECT id || ' is ' || coalesce(name, '-') || ' ' || state AS line FROM groups",
        "SELECT id || ' is ' || state || ' ' || organization_id AS line FROM directories",
        "SELECT group_id || ' has ' || directory_user_id AS line FROM group_edges WHERE present",
    ] {
        for line in app.lines(query) {
            let company = number_of(line.split(' ').next().unwrap());
            ends.entry(company).or_default().push(line);
        }
    }
    for lines in ends.values_mut() {
        lines.sort();
    }
    ends
}

/// Every id of a story ends with its company.
fn number_of(id: &str) -> u32 {
    id.rsplit_once('_').unwrap().1.parse().unwrap()
}
