//! The retention (R72): what is settled loses its payload and its texts after their days, nothing
//! happens twice because of it, and nobody under a legal hold is touched.

use std::time::Duration;

use rollcall::operations::retention::{self, Amounts, Policy};
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::binary::rollcall;
use crate::support::events::{Event, ORGANIZATION, ada, directory, employee, minute};
use crate::support::http_sink::HttpSink;
use crate::support::macros::on_both;
use crate::support::wait::eventually;

on_both!(
    r72_payloads_attempts_and_texts_go_after_their_days_and_nothing_happens_twice,
    r72_what_waits_for_somebody_keeps_its_payload,
    r72_people_who_left_are_erased_where_that_is_wanted,
    r72_a_legal_hold_keeps_everything_of_a_person,
    r72_a_backlog_goes_in_small_batches,
    r72_the_service_runs_the_retention_and_tells_when,
);

const DAY: Duration = Duration::from_secs(86_400);

fn policy(removed_days: u32) -> Policy {
    Policy::of([90, 30, removed_days])
}

fn sweep(app: &TestApp, policy: Policy) -> Amounts {
    let now = app.clock.now();
    let run = || retention::sweep(&app.db, policy, retention::ALL, now);
    tokio::task::block_in_place(run).unwrap()
}

/// An organization with messaging on with a welcome that a listener takes.
async fn company(app: &TestApp, sink: &HttpSink) {
    app.apply(&directory("dsync.activated", minute(0))).await;
    let enable = format!("/v1/organizations/{ORGANIZATION}/messaging/enable");
    app.call("POST", &enable, Value::Null).await.ok();
    let trigger = json!({
        "organization_id": ORGANIZATION, "name": "welcome", "on": "profile.activated", "status": "published",
        "steps": [{"channel": "webhook", "to": sink.url("/hook"), "text": "Hello {{ display_name }}"}],
    });
    app.call("POST", "/v1/triggers", trigger).await.ok();
}

async fn r72_payloads_attempts_and_texts_go_after_their_days_and_nothing_happens_twice(
    app: TestApp,
) {
    let sink = HttpSink::start();
    company(&app, &sink).await;
    let hired = ada().created(minute(1));
    app.apply(&hired).await;
    app.replay(&hired.id()).await;
    app.drain();
    app.send_due().await;
    assert_eq!(
        app.count("deliveries WHERE state = 'sent' AND body IS NOT NULL"),
        1
    );
    assert_eq!(sweep(&app, policy(0)), Amounts::default(), "nothing is old");

    app.advance(31 * DAY);
    let first = sweep(&app, policy(0));
    assert_eq!((first.texts, first.payloads), (1, 0), "{first:?}");
    app.advance(60 * DAY);
    let second = sweep(&app, policy(0));
    assert_eq!((second.texts, second.payloads), (0, 2), "{second:?}");
    assert_eq!(second.attempts, 1, "the line about the replay");
    assert_eq!(sweep(&app, policy(0)), Amounts::default(), "once");

    let shown = app.event(&hired.id()).await;
    assert_eq!(shown["payload"], Value::Null);
    assert_eq!(
        shown["state"], "done",
        "the row stays, with what came of it"
    );
    let delivery = app.get("/v1/deliveries").await["data"][0].clone();
    assert_eq!(
        (&delivery["state"], &delivery["recipient"]),
        (&json!("sent"), &Value::Null)
    );
    let again = app.deliver(&hired).await;
    assert_eq!(
        again.body["status"], "duplicate",
        "R72: a late duplicate is still one"
    );
    let path = format!("/v1/events/{}/replay", hired.id());
    let refused = app.call("POST", &path, Value::Null).await;
    assert_eq!(refused.status, 409, "{refused:?}");
    // Late words are still put in their place, and nobody is greeted again.
    let late = app
        .apply(
            &ada()
                .updated(minute(0))
                .set("data.custom_attributes.job_title", "Intern"),
        )
        .await;
    assert_eq!(late["outcome"], "stale", "{late}");
    app.apply(
        &ada()
            .updated(minute(9))
            .set("data.custom_attributes.job_title", "Head"),
    )
    .await;
    assert_eq!(app.profile(&ada()).title.as_deref(), Some("Head"));
    assert_eq!(app.count("deliveries"), 1);
}

async fn r72_what_waits_for_somebody_keeps_its_payload(app: TestApp) {
    let homeless = ada().created(minute(0)).without("data.directory_id");
    app.apply(&homeless).await;
    let waiting = employee("bob").created(minute(1));
    app.enqueue(std::slice::from_ref(&waiting));
    app.advance(400 * DAY);
    assert_eq!(sweep(&app, policy(0)), Amounts::default());
    assert_ne!(app.event(&homeless.id()).await["payload"], Value::Null);
    assert_ne!(app.event(&waiting.id()).await["payload"], Value::Null);
    app.drain();
    assert_eq!(sweep(&app, policy(0)).payloads, 1);
}

/// Ada left, Bob left and is needed for a dispute, Cy stayed.
async fn leavers(app: &TestApp) -> (String, String) {
    for name in ["ada", "bob", "cy"] {
        app.apply(&employee(name).created(minute(1))).await;
    }
    for name in ["ada", "bob"] {
        app.apply(&employee(name).deleted(minute(2))).await;
    }
    let ids = (app.profile(&ada()).id, app.profile(&employee("bob")).id);
    let hold = format!("/v1/profiles/{}/legal-hold", ids.1);
    let placed = app
        .call("POST", &hold, json!({"reason": "case 4711"}))
        .await;
    assert_eq!(placed.status, 201);
    ids
}

async fn r72_people_who_left_are_erased_where_that_is_wanted(app: TestApp) {
    let (hers, his) = leavers(&app).await;
    app.advance(366 * DAY);
    let untouched = sweep(&app, policy(0));
    assert_eq!(untouched.people, 0, "nobody is erased unless it is wanted");
    assert_eq!(sweep(&app, policy(365)).people, 1);
    let status = async |id: &str| app.get(&format!("/v1/profiles/{id}")).await["status"].clone();
    assert_eq!(status(&hers).await, "erased");
    assert_eq!(status(&his).await, "removed", "a legal hold");
    assert_eq!(app.people(), [employee("cy").email()]);
    let by = app.count("operator_acts WHERE act = 'profile.erased' AND actor = 'retention'");
    assert_eq!(by, 1);
    app.call(
        "DELETE",
        &format!("/v1/profiles/{his}/legal-hold"),
        Value::Null,
    )
    .await
    .ok();
    assert_eq!(sweep(&app, policy(365)).people, 1);
    assert_eq!(status(&his).await, "erased");
}

async fn r72_a_legal_hold_keeps_everything_of_a_person(app: TestApp) {
    leavers(&app).await;
    app.advance(366 * DAY);
    let went = sweep(&app, policy(0));
    assert_eq!(went.payloads, 3, "hers, and that Cy came");
    let his = app.count(
        "event_bodies JOIN outbox ON outbox.event_id = event_bodies.event_id WHERE subject = 'directory_user_bob'",
    );
    assert_eq!(his, 2);
}

async fn r72_a_backlog_goes_in_small_batches(app: TestApp) {
    let all: Vec<Event> = (0..1_200)
        .map(|n| employee(&format!("p{}", n % 7)).updated(minute(n)))
        .collect();
    app.enqueue(&all);
    app.drain();
    app.advance(91 * DAY);
    let now = app.clock.now();
    let one = tokio::task::block_in_place(|| retention::sweep(&app.db, policy(0), 1, now)).unwrap();
    assert_eq!(one.payloads, 500);
    assert_eq!(sweep(&app, policy(0)).payloads, 700);
    assert_eq!(app.count("outbox"), 1_200);
}

/// Runs the binary; whether it ended well, and what it said.
fn finished(command: &mut std::process::Command) -> (bool, String, String) {
    let done = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (
        done.status.success(),
        text(&done.stdout),
        text(&done.stderr),
    )
}

async fn r72_the_service_runs_the_retention_and_tells_when(app: TestApp) {
    let seconds = eventually(
        "the janitor has gone round, as it does at a start",
        async || {
            let metrics = app.http.call("GET", "/metrics").await.text;
            let name = "rollcall_retention_last_run_timestamp_seconds ";
            let at = metrics.lines().find_map(|line| line.strip_prefix(name))?;
            at.parse::<f64>().ok().filter(|at| *at > 0.0)
        },
    )
    .await;
    #[allow(clippy::cast_precision_loss, reason = "seconds fit")]
    let now = app.clock.now().seconds() as f64;
    assert!((seconds - now).abs() < 1.0, "{seconds} {now}");

    let folder = tempfile::tempdir().unwrap();
    let url = app.place.url();
    let told = finished(rollcall(&url, folder.path()).args(["retention", "show", "--json"]));
    assert!(told.0, "{told:?}");
    let told: Value = serde_json::from_str(&told.1).unwrap();
    assert_eq!(told["policy"]["payload_days"], 90);
    assert_ne!(told["last_run_at"], Value::Null);
    let dry =
        finished(rollcall(&url, folder.path()).args(["retention", "run", "--dry-run", "--json"]));
    let dry: Value = serde_json::from_str(&dry.1).unwrap();
    assert_eq!(
        dry,
        json!({"payloads": 0, "attempts": 0, "texts": 0, "differences": 0, "people": 0})
    );
    let run = finished(rollcall(&url, folder.path()).args(["retention", "run"]));
    assert!(run.0, "{run:?}");
    let doctor = finished(rollcall(&url, folder.path()).args(["doctor", "--json"]));
    assert!(doctor.1.contains("\"retention\""), "{doctor:?}");
}
