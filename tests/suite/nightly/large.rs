//! A rule, settings, a mapping and a directory's end over some thousand people: webhooks are answered meanwhile, and
//! everybody follows in the end. In one transaction each kept every webhook on SQLite waiting for 3 to 9 seconds.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rollcall::clock::Clock;
use rollcall::db::{Backend, Db, DbError, Urgency};
use rollcall::outbox::enqueue;
use serde_json::{Value, json};
use tokio::task::block_in_place;

use crate::support::app::new_event;
use crate::support::binary::{Service, rollcall};
use crate::support::events::{Event, ORGANIZATION, directory, employee, minute};
use crate::support::http::Caller;
use crate::support::macros::on_both;
use crate::support::place::Place;
use crate::support::wait::eventually_within;

on_both!(
    r94_webhooks_are_answered_while_very_many_people_change,
    r94_late_events_about_one_with_a_long_history_hold_nobody_up,
);

const PEOPLE: u64 = 6_000;
/// A step of 50 ms, what it overruns by in a build without optimization, and the commits of both.
const LONGEST: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(300);

fn filled(place: &Place, events: impl Iterator<Item = Event>) {
    let db = Db::open(&place.url(), 2).unwrap();
    db.maintain(rollcall::db::migrate).unwrap();
    let now = Clock::System.now();
    let rows: Vec<_> = events.map(|event| new_event(&event, now)).collect();
    for some in rows.chunks(1_000) {
        db.write(Urgency::Normal, |conn| {
            Ok::<_, DbError>(enqueue(conn, some)?)
        })
        .unwrap();
    }
}

async fn idle(http: &Caller, what: &str) {
    eventually_within(PATIENCE, what, async || {
        let open = |state: &str| format!("/v1/jobs?state={state}&limit=1");
        for path in [
            open("ready"),
            open("running"),
            "/v1/events?state=ready&limit=1".to_owned(),
        ] {
            let page = http.api("GET", &path, None).await;
            if !page.body["data"].as_array()?.is_empty() {
                return None;
            }
        }
        Some(())
    })
    .await;
}

/// Delivers a webhook every 20 ms until it is told to stop; answers the longest wait.
async fn delivered(http: Caller, stop: Arc<AtomicBool>) -> (Duration, u64) {
    let (mut longest, mut count) = (Duration::ZERO, 0);
    while !stop.load(Ordering::Relaxed) {
        let who = employee(&format!("new{:02}", count % 50));
        let event = who.updated(minute(10).plus(Duration::from_millis(100 * count)));
        let began = Instant::now();
        let answer = http.deliver(&event, Clock::System.now()).await.unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
        longest = longest.max(began.elapsed());
        count += 1;
        // The rate of the load: fifty a second, as of a company that moves.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    (longest, count)
}

async fn r94_webhooks_are_answered_while_very_many_people_change(backend: Backend) {
    let (place, folder) = (Place::new(backend), tempfile::tempdir().unwrap());
    let hires = (0..PEOPLE).map(|number| employee(&format!("p{number:05}")).created(minute(0)));
    block_in_place(|| filled(&place, hires));
    let (_service, http) = Service::serve(rollcall(&place.url(), folder.path()), &[]).await;
    idle(&http, "everybody is hired").await;
    let organization = format!("/v1/organizations/{ORGANIZATION}");
    let everybody =
        json!({"when": {"field": "status", "op": "eq", "value": "active"}, "role": "member"});
    let out =
        json!([{"name": "all", "when": {"field": "department", "op": "exists", "value": true}}]);
    let community = json!({"organization_id": ORGANIZATION, "name": "all", "rules": [everybody]});
    let mapping = json!({"rules": [{"target": "title", "from": ["department_name"]}]});
    let acts: [(&str, &str, String, Value); 5] = [
        ("a rule", "POST", "/v1/communities".to_owned(), community),
        (
            "a mapping",
            "PUT",
            format!("{organization}/fields"),
            mapping,
        ),
        (
            "settings that let everybody go",
            "PATCH",
            organization.clone(),
            json!({"settings": {"exclude": out}, "confirm": true}),
        ),
        (
            "settings that bring everybody back",
            "PATCH",
            organization.clone(),
            json!({"settings": {"exclude": [], "on_directory_deleted": "remove"}}),
        ),
        ("a directory's end", "", String::new(), Value::Null),
    ];
    for (what, method, path, body) in acts {
        let stop = Arc::new(AtomicBool::new(false));
        let meanwhile = tokio::spawn(delivered(Caller::new(http.address()), Arc::clone(&stop)));
        let began = Instant::now();
        if method.is_empty() {
            let end = directory("dsync.deleted", minute(59));
            let answer = http.deliver(&end, Clock::System.now()).await.unwrap();
            assert_eq!(answer.status, 200, "{answer:?}");
        } else {
            http.api(method, &path, Some(&body)).await.ok();
        }
        let asked = began.elapsed();
        idle(&http, what).await;
        stop.store(true, Ordering::Relaxed);
        let (longest, count) = meanwhile.await.unwrap();
        println!(
            "{backend:?} {what}: answered after {asked:?}, done after {:?}; of {count} webhooks the slowest took {longest:?}",
            began.elapsed()
        );
        assert!(longest < LONGEST, "{what}: a webhook waited {longest:?}");
    }
    let left = http
        .api("GET", "/v1/profiles?status=active&limit=2", None)
        .await
        .ok();
    let left = left["data"].as_array().unwrap().len();
    assert!(left <= 1, "everybody has left but who came meanwhile");
}

/// Each late event folds everything that was said of somebody again: several hundred of them in one transaction
/// would take seconds.
async fn r94_late_events_about_one_with_a_long_history_hold_nobody_up(backend: Backend) {
    let (place, folder) = (Place::new(backend), tempfile::tempdir().unwrap());
    let ada = employee("ada");
    let second = |count: u64| minute(1).plus(Duration::from_secs(count));
    let history = (0..1_500).map(|count| ada.updated(second(1_000 + count)));
    block_in_place(|| filled(&place, history));
    let (_service, http) = Service::serve(rollcall(&place.url(), folder.path()), &[]).await;
    idle(&http, "the history is applied").await;
    let late = (0..150).map(|count| ada.updated(second(count)));
    block_in_place(|| filled(&place, late));
    let stop = Arc::new(AtomicBool::new(false));
    let meanwhile = tokio::spawn(delivered(Caller::new(http.address()), Arc::clone(&stop)));
    idle(&http, "the late events are applied").await;
    stop.store(true, Ordering::Relaxed);
    let (longest, count) = meanwhile.await.unwrap();
    println!("{backend:?}: of {count} webhooks the slowest took {longest:?}");
    assert!(longest < LONGEST, "a webhook waited {longest:?}");
}
