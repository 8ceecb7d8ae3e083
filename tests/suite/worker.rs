//! The worker under trouble: events that cannot be applied hurt only themselves, removals overtake,
//! a crash is met with care, and many workers are as good as one.

use std::time::Duration;

use rollcall::outbox::EventState;
use rollcall::worker::{BatchSettings, Worker};
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::events::{Event, ada, employee, minute};
use crate::support::macros::on_both;

on_both!(
    r10_a_poison_event_hurts_only_itself_and_is_applied_after_repair,
    r10_a_failed_event_is_retried_later_and_not_sooner,
    r10_a_failed_event_can_be_discarded_with_a_reason,
    r92_after_a_crash_nobody_is_suspected_where_no_program_can_be_started,
    r67_a_removal_overtakes_three_thousand_updates,
    r73_several_workers_apply_each_event_once,
);

/// What Ada's link remembers is broken by hand, so that no event about her can be folded.
fn break_ada(app: &TestApp) -> impl FnOnce(&TestApp) + use<> {
    let of_ada = "directory_user_id = 'directory_user_ada'";
    let broken = format!("UPDATE links SET remembered = '!' || remembered WHERE {of_ada}");
    assert_eq!(app.sql(&broken), 1);
    move |app| {
        app.sql(&format!(
            "UPDATE links SET remembered = substr(remembered, 2) WHERE {of_ada}"
        ));
    }
}

fn promotion(title: &str, at: u64) -> Event {
    let path = "data.custom_attributes.job_title";
    ada().updated(minute(at)).set(path, title)
}

async fn r10_a_poison_event_hurts_only_itself_and_is_applied_after_repair(app: TestApp) {
    app.apply(&ada().created(minute(0))).await;
    let repair = break_ada(&app);
    let poison = promotion("Director", 1);
    let mut events: Vec<Event> = (0..20)
        .map(|n| employee(&format!("p{n}")).created(minute(1)))
        .collect();
    events.insert(7, poison.clone());
    app.enqueue(&events);
    app.drain();
    assert_eq!(app.people().len(), 21, "the others are applied");

    for _ in 0..8 {
        app.advance(Duration::from_secs(15 * 60));
        app.drain();
    }
    let failed = app.event(&poison.id()).await;
    assert_eq!(
        (&failed["state"], &failed["outcome"], &failed["attempts"]),
        (&json!("failed"), &json!("failed"), &json!(8)),
        "{failed}"
    );
    let error = failed["error"].as_str().unwrap();
    assert!(error.contains("directory_user_ada"), "{error}");
    assert_eq!(failed["attempt_log"].as_array().unwrap().len(), 8);

    repair(&app);
    let ready = app.replay(&poison.id()).await;
    assert_eq!(
        (&ready["state"], &ready["attempts"]),
        (&json!("ready"), &json!(0))
    );
    app.drain();
    assert_eq!(app.event(&poison.id()).await["outcome"], "applied");
    assert_eq!(app.profile(&ada()).title.as_deref(), Some("Director"));
}

async fn r10_a_failed_event_is_retried_later_and_not_sooner(app: TestApp) {
    app.apply(&ada().created(minute(0))).await;
    let repair = break_ada(&app);
    let event = promotion("Director", 1);
    app.enqueue(std::slice::from_ref(&event));
    assert_eq!(app.drain(), 1);
    assert_eq!(app.drain(), 0, "it waits");
    let waiting = app.event(&event.id()).await;
    assert_eq!(
        (&waiting["state"], &waiting["attempts"]),
        (&json!("ready"), &json!(1))
    );
    repair(&app);
    app.advance(Duration::from_millis(499));
    assert_eq!(app.drain(), 0, "half a second is the shortest wait");
    app.advance(Duration::from_millis(501));
    assert_eq!(
        app.drain(),
        1,
        "a second is the longest after the first failure"
    );
    let done = app.event(&event.id()).await;
    assert_eq!(done["outcome"], "applied");
    assert_eq!(done["error"], Value::Null);
}

async fn r10_a_failed_event_can_be_discarded_with_a_reason(app: TestApp) {
    let homeless = ada().created(minute(0)).without("data.directory_id");
    app.apply(&homeless).await;
    let path = format!("/v1/events/{}/discard", homeless.id());
    let unsaid = app
        .http
        .api("POST", &path, Some(&json!({"reason": " "})))
        .await;
    assert_eq!(unsaid.status, 400, "{unsaid:?}");
    let reason = json!({"reason": "a test event of the dashboard"});
    let done = app.http.api("POST", &path, Some(&reason)).await.ok();
    assert_eq!(
        (&done["state"], &done["outcome"]),
        (&json!("done"), &json!("ignored"))
    );
    let said = done["reason"].as_str().unwrap();
    assert!(
        said.contains("bootstrap") && said.contains("dashboard"),
        "{said}"
    );
    let again = app.http.api("POST", &path, Some(&reason)).await;
    assert_eq!(again.status, 409, "{again:?}");
}

/// A worker as it begins after an unclean stop.
fn after_a_crash(app: &TestApp, batch: usize) -> Worker {
    let settings = BatchSettings {
        max_attempts: 8,
        messaging_for_new: false,
    };
    Worker::new(app.db.clone(), app.clock.clone(), settings, batch, batch)
}

async fn r92_after_a_crash_nobody_is_suspected_where_no_program_can_be_started(app: TestApp) {
    let mut events = Vec::new();
    for n in 0..40 {
        let mut person = employee(&format!("p{n}"));
        person.organization = format!("org_{}", n % 10);
        person.directory = format!("directory_{}", n % 10);
        events.push(person.created(minute(n)));
    }
    app.enqueue(&events);
    at_once(&after_a_crash(&app, 30), 4).await;
    for event in &events {
        let done = app.event(&event.id()).await;
        assert_eq!(
            (&done["outcome"], &done["attempts"]),
            (&json!("applied"), &json!(1)),
            "{done}"
        );
    }
}

/// Drains with so many workers beside each other until nothing is left.
async fn at_once(worker: &Worker, workers: usize) {
    let tasks: Vec<_> = (0..workers)
        .map(|_| {
            let worker = worker.clone();
            tokio::task::spawn_blocking(move || worker.drain().unwrap())
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    // One that found all parts taken ended early.
    tokio::task::block_in_place(|| worker.drain()).unwrap();
}

async fn r67_a_removal_overtakes_three_thousand_updates(app: TestApp) {
    app.apply(&ada().created(minute(0))).await;
    let updates: Vec<Event> = (0..3_000)
        .map(|n| employee(&format!("p{}", n % 500)).updated(minute(1 + n)))
        .collect();
    app.enqueue(&updates);
    let removal = ada().deleted(minute(2));
    assert_eq!(app.deliver(&removal).await.status, 200);

    tokio::task::block_in_place(|| app.worker.run_once()).unwrap();

    assert_eq!(app.profile(&ada()).status, "removed");
    assert_eq!(app.event(&removal.id()).await["outcome"], "applied");
    let waiting = app.count("outbox WHERE state = 'ready'");
    assert!(
        waiting >= 2_800,
        "{waiting} still wait behind the first batch"
    );
    app.leave_work();
}

async fn r73_several_workers_apply_each_event_once(app: TestApp) {
    let mut events = Vec::new();
    for n in 0_u64..600 {
        let mut person = employee(&format!("p{}", n % 60));
        person.organization = format!("org_{}", n % 6);
        person.directory = format!("directory_{}", n % 6);
        let title = format!("Title {n}");
        let path = "data.custom_attributes.job_title";
        events.push(person.updated(minute(n)).set(path, title));
    }
    app.enqueue(&events);
    let settings = BatchSettings {
        max_attempts: 8,
        messaging_for_new: false,
    };
    let worker = Worker::new(app.db.clone(), app.clock.clone(), settings, 7, 0);
    at_once(&worker, 6).await;

    let done = EventState::Done.as_str();
    assert_eq!(
        app.count(&format!("outbox WHERE state = '{done}' AND attempts = 1")),
        600
    );
    assert_eq!(app.count("profiles WHERE status = 'active'"), 60);
    assert_eq!(app.count("changes WHERE what = 'status'"), 60);
    assert_eq!(app.count("observations"), 600);
    for n in 0..60 {
        let mut person = employee(&format!("p{n}"));
        person.organization = format!("org_{}", n % 6);
        let newest = format!("Title {}", 540 + n);
        assert_eq!(app.profile(&person).title, Some(newest));
    }
}
