//! The roles as real processes: serving with and without a worker, working apart, several at once,
//! and what health and metrics say of them.

use std::time::Duration;

use futures_util::future::join_all;
use rollcall::clock::{Clock, Timestamp};
use rollcall::db::Backend;
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::binary::{Service, rollcall};
use crate::support::events::{Event, ada, employee, minute};
use crate::support::http::Caller;
use crate::support::macros::on_both;
use crate::support::place::Place;
use crate::support::wait::eventually;

on_both!(
    r27_an_event_is_applied_within_seconds_and_the_metrics_tell,
    a_worker_of_its_own_works_off_what_another_process_took,
    c11_work_once_drains_everything_due_and_exits_0,
    readiness_names_its_reasons,
);

async fn deliver(http: &Caller, event: &Event) -> Value {
    http.deliver(event, Clock::System.now()).await.unwrap().ok()
}

async fn settled(http: &Caller, event: &Event) -> Value {
    eventually("the event is settled", async || {
        let path = format!("/v1/events/{}", event.id());
        let shown = http.api("GET", &path, None).await.ok();
        shown["settled_at"].is_string().then_some(shown)
    })
    .await
}

fn instant(value: &Value) -> Timestamp {
    Timestamp::parse(value.as_str().unwrap()).unwrap()
}

async fn r27_an_event_is_applied_within_seconds_and_the_metrics_tell(backend: Backend) {
    let (place, folder) = (Place::new(backend), tempfile::tempdir().unwrap());
    let (_service, http) = Service::serve(rollcall(&place.url(), folder.path()), &[]).await;
    let created = ada().created(minute(0));
    deliver(&http, &created).await;
    let shown = settled(&http, &created).await;
    let took = instant(&shown["settled_at"]).since(instant(&shown["received_at"]));
    assert!(took < Duration::from_secs(5), "{took:?}");
    deliver(&http, &created).await;
    let removal = ada().deleted(minute(1));
    deliver(&http, &removal).await;
    assert_eq!(settled(&http, &removal).await["outcome"], "applied");
    let unusable = ada().created(minute(2)).without("data.directory_id");
    deliver(&http, &unusable).await;
    settled(&http, &unusable).await;
    let refused = http.deliver_raw("x", &[]).await.unwrap();
    assert_eq!(refused.status, 401);

    let requests = |outcome: &str, reason: &str| {
        format!(r#"rollcall_webhook_requests_total{{outcome="{outcome}",reason="{reason}"}}"#)
    };
    for (series, value) in [
        (requests("accepted", ""), 3.0),
        (requests("duplicate", ""), 1.0),
        (requests("rejected", "missing"), 1.0),
        (
            r#"rollcall_events_total{outcome="applied"}"#.to_owned(),
            2.0,
        ),
        (r#"rollcall_events_total{outcome="failed"}"#.to_owned(), 1.0),
        (r#"rollcall_outbox_events{state="ready"}"#.to_owned(), 0.0),
        (r#"rollcall_outbox_events{state="failed"}"#.to_owned(), 1.0),
        ("rollcall_time_to_revoke_seconds_count".to_owned(), 1.0),
        ("rollcall_apply_seconds_count".to_owned(), 3.0),
    ] {
        eventually(&series, async || {
            (http.metric(&series).await.to_bits() == f64::to_bits(value)).then_some(())
        })
        .await;
    }
    let text = http.call("GET", "/metrics").await.text;
    for name in [
        "rollcall_intake_group_size_count",
        "rollcall_intake_commit_seconds_count",
        "rollcall_batch_size_count",
        "rollcall_batch_seconds_count",
        "rollcall_webhook_request_duration_seconds_count",
        "rollcall_outbox_oldest_ready_seconds",
        "rollcall_deliveries{",
        "rollcall_build_info{",
    ] {
        assert!(text.contains(name), "{name} is missing:\n{text}");
    }
    assert!(!text.contains("ada"), "ids and names are no labels");
    assert_eq!(http.call("GET", "/health/ready").await.status, 200);
}

async fn a_worker_of_its_own_works_off_what_another_process_took(backend: Backend) {
    let (place, folder) = (Place::new(backend), tempfile::tempdir().unwrap());
    let command = || rollcall(&place.url(), folder.path());
    let (_taker, http) = Service::serve(command(), &["--no-worker"]).await;
    let mut work = command();
    work.arg("work");
    let mut worker = Service::start(work);
    for n in 0..5 {
        let event = employee(&format!("p{n}")).created(minute(n));
        deliver(&http, &event).await;
        assert_eq!(settled(&http, &event).await["outcome"], "applied");
    }
    worker.terminate();
    let (status, words) = worker.ended().await;
    assert_eq!(status.code(), Some(0), "{words}");
    assert_eq!(
        http.call("GET", "/health/ready").await.status,
        200,
        "C11: no heartbeat is asked for"
    );
}

async fn c11_work_once_drains_everything_due_and_exits_0(backend: Backend) {
    let (place, folder) = (Place::new(backend), tempfile::tempdir().unwrap());
    let command = || rollcall(&place.url(), folder.path());
    let (_taker, http) = Service::serve(command(), &["--no-worker"]).await;
    let events: Vec<Event> = (0..30)
        .map(|n| employee(&format!("p{n}")).created(minute(n)))
        .collect();
    join_all(events.iter().map(|event| deliver(&http, event))).await;
    let mut once = command();
    once.args(["work", "--once"]);
    let (status, words) = Service::start(once).ended().await;
    assert_eq!(status.code(), Some(0), "{words}");
    assert!(words.contains("worked off 30 events"), "{words}");
    for event in &events {
        let path = format!("/v1/events/{}", event.id());
        let shown = http.api("GET", &path, None).await.ok();
        assert_eq!(shown["outcome"], "applied");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_serves_on_one_postgres_take_and_apply_each_event_once() {
    let (place, folder) = (Place::new(Backend::Postgres), tempfile::tempdir().unwrap());
    let command = || rollcall(&place.url(), folder.path());
    let (_one, here) = Service::serve(command(), &[]).await;
    let (_other, there) = Service::serve(command(), &[]).await;
    let events: Vec<Event> = (0..20)
        .map(|n| employee(&format!("p{n}")).created(minute(n)))
        .collect();
    let both = events.iter().map(async |event| {
        let (one, other) = tokio::join!(deliver(&here, event), deliver(&there, event));
        let mut said = [one["status"].clone(), other["status"].clone()];
        said.sort_by_key(Value::to_string);
        assert_eq!(said, [json!("accepted"), json!("duplicate")]);
    });
    join_all(both).await;
    for event in &events {
        let shown = settled(&here, event).await;
        assert_eq!(
            (&shown["outcome"], &shown["attempts"]),
            (&json!("applied"), &json!(1))
        );
    }
}

async fn readiness_names_its_reasons(app: TestApp) {
    let ready = app.http.call("GET", "/health/ready").await;
    assert_eq!(ready.status, 200, "{ready:?}");
    assert_eq!(ready.body["checks"]["database"], "ok");
    app.enqueue(&[ada().created(minute(0))]);
    app.advance(Duration::from_secs(299));
    assert_eq!(app.http.call("GET", "/health/ready").await.status, 200);
    app.advance(Duration::from_secs(1));
    let late = app.http.call("GET", "/health/ready").await;
    assert_eq!(late.status, 503);
    assert_eq!(late.body["checks"]["oldest_ready_seconds"], 300);
    assert!(
        late.body["checks"]["queue"]
            .as_str()
            .unwrap()
            .contains("worker")
    );
    app.drain();
    assert_eq!(app.http.call("GET", "/health/ready").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn serve_without_a_secret_says_how_to_get_one() {
    let (place, folder) = (Place::new(Backend::Sqlite), tempfile::tempdir().unwrap());
    let mut command = rollcall(&place.url(), folder.path());
    command.env_remove("WORKOS_WEBHOOK_SECRET").arg("serve");
    let (status, words) = Service::start(command).ended().await;
    assert_eq!(status.code(), Some(78), "{words}");
    assert!(
        words.contains("WORKOS_WEBHOOK_SECRET") && words.contains("Dashboard"),
        "{words}"
    );
}
