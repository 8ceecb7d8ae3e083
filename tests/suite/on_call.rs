//! The two questions of whoever is on call, each answered by one command: why somebody is still in a
//! community, and what became of the deliveries that WorkOS shows as failed. And the pages of a job.

use rollcall::clock::Clock;
use rollcall::db::Backend;
use serde_json::{Value, json};
use tokio::task::block_in_place;

use crate::console::Browser;
use crate::support::app::TestApp;
use crate::support::binary::{Service, rollcall};
use crate::support::events::{ORGANIZATION, ada, employee, minute};
use crate::support::http::TOKEN;
use crate::support::macros::on_both;
use crate::support::place::Place;

on_both!(
    why_tells_what_holds_somebody_in_a_community_and_the_next_step,
    failures_tell_what_the_endpoint_refused_and_why,
    a_bulk_replay_from_the_console_is_a_job_that_can_be_stopped,
    failed_messages_of_one_cause_are_sent_again_by_a_job,
);

fn run(url: &str, args: &[&str]) -> (String, i32) {
    let folder = tempfile::tempdir().unwrap();
    let output = block_in_place(|| rollcall(url, folder.path()).args(args).output().unwrap());
    let told =
        String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    (told, output.status.code().unwrap())
}

async fn why_tells_what_holds_somebody_in_a_community_and_the_next_step(app: TestApp) {
    app.apply(&ada().created(minute(0))).await;
    let community = json!({
        "organization_id": ORGANIZATION, "name": "Analysts",
        "rules": [{"when": {"field": "title", "op": "eq", "value": "Analyst"}, "role": "member"}],
    });
    app.call("POST", "/v1/communities", community).await.ok();
    // Her new title came, and could not be applied.
    app.deliver(
        &ada()
            .updated(minute(9))
            .set("data.custom_attributes.job_title", "Head"),
    )
    .await;
    app.sql("UPDATE outbox SET state = 'failed', outcome = 'failed', error = 'a defect' WHERE state = 'ready'");
    let url = app.place.url();
    let (told, exit) = run(&url, &["why", &ada().email(), "--community", "analysts"]);
    assert_eq!(exit, 0, "{told}");
    for said in [
        "member of Analysts by a rule",
        "title is “Analyst”",
        "title has been “Analyst” since",
        "given up, an operator decides: a defect",
        "rollcall events replay event_",
    ] {
        assert!(told.contains(said), "{said}: {told}");
    }
    let replay = told
        .lines()
        .find(|line| line.contains("events replay"))
        .unwrap();
    let words: Vec<&str> = replay.split_whitespace().skip(1).collect();
    assert_eq!(run(&url, &words).1, 0);
    // The command ran by the clock on the wall.
    let now = Clock::System.now().plus(std::time::Duration::from_secs(60));
    app.advance(now.since(app.clock.now()));
    app.drain();
    let (told, _) = run(&url, &["why", &ada().email()]);
    assert!(
        told.contains("They were member of Analysts by a rule until"),
        "{told}"
    );
    assert!(told.contains("rollcall profiles resync"), "{told}");
    assert_eq!(run(&url, &["why", "nobody@test.example"]).1, 3);
    assert_eq!(
        run(&url, &["why", &ada().email(), "--community", "Chess"]).1,
        3
    );
}

async fn failures_tell_what_the_endpoint_refused_and_why(backend: Backend) {
    let (place, folder) = (Place::new(backend), tempfile::tempdir().unwrap());
    let (mut service, http) = Service::serve(rollcall(&place.url(), folder.path()), &[]).await;
    let body = ada().created(minute(0)).body();
    for _ in 0..3 {
        let signature =
            rollcall::workos::sign("another-secret-of-somebody", Clock::System.now(), &body);
        let answer = http
            .deliver_raw(body.clone(), &[("WorkOS-Signature", &signature)])
            .await
            .unwrap();
        assert_eq!(answer.status, 401);
    }
    assert_eq!(http.deliver_raw(body, &[]).await.unwrap().status, 401);
    service.terminate();
    service.ended().await;
    let (told, exit) = run(&place.url(), &["failures", "--json"]);
    assert_eq!(exit, 0, "{told}");
    let told: Value = serde_json::from_str(&told).unwrap();
    let of = |kind: &str| {
        let all = told["data"].as_array().unwrap().iter();
        all.clone()
            .find(|one| one["kind"] == kind)
            .unwrap_or_else(|| panic!("{told:#}"))
            .clone()
    };
    let mismatch = of("mismatch");
    assert_eq!(
        (&mismatch["about"], &mismatch["count"]),
        (&json!("webhook"), &json!(3))
    );
    assert!(
        mismatch["what_to_do"]
            .as_str()
            .unwrap()
            .contains("WORKOS_WEBHOOK_SECRET")
    );
    assert_eq!(of("missing")["count"], 1);
    let (told, _) = run(&place.url(), &["why", "nobody"]);
    assert!(told.contains("there is no profile"), "{told}");
    let (told, _) = run(&place.url(), &["failures"]);
    assert!(told.contains("does not match any of our secrets"), "{told}");
}

async fn a_bulk_replay_from_the_console_is_a_job_that_can_be_stopped(app: TestApp) {
    let all: Vec<_> = (0..230)
        .map(|one| employee(&format!("p{one}")).created(minute(0)))
        .collect();
    app.enqueue(&all);
    app.drain();
    let browser = Browser::signed_in(&app, TOKEN).await;
    let page = async |path: &str| {
        let page = browser.open(path).await;
        assert_eq!(page.status, 200, "{path}");
        let text = page.text;
        let again = text.contains("data-pulse") && text.contains("http-equiv=\"refresh\"");
        (text, again)
    };
    let (events, _) =
        page("/console/events?outcome=applied&since=2026-11-22&directory=directory_01TEST").await;
    assert!(events.contains("Replay all that match"), "{events}");
    let csrf = browser.csrf().await;
    let mut fields = vec![
        ("csrf", csrf.as_str()),
        ("outcome", "applied"),
        ("since", "2026-11-22"),
        ("directory", "directory_01TEST"),
    ];
    let preview = "/console/events/replay/preview";
    let some = browser.send(preview, &fields).await.text;
    assert!(some.contains("100 of the 230 events were tried"), "{some}");
    fields.push(("thorough", "true"));
    let dry = browser.send(preview, &fields).await.text;
    assert!(
        dry.contains("230 events, of which 0 would change something"),
        "{dry}"
    );
    fields.pop();
    fields.push(("rate", "50"));
    let begun = browser.send("/console/events/replay", &fields).await;
    assert_eq!(begun.status, 303);
    let job = begun.to;
    assert!(job.starts_with("/console/jobs/job_"), "{job}");
    app.drain();
    let (shown, refreshes) = page(&job).await;
    assert!(shown.contains("50 of 230 done") && refreshes, "{shown}");
    let stop = format!("{job}/cancel");
    let stopped = browser.send(&stop, &[("csrf", &csrf)]).await;
    assert_eq!(stopped.status, 303);
    let (shown, refreshes) = page(&job).await;
    assert!(shown.contains("cancelled") && !refreshes, "{shown}");
    assert!(page("/console/jobs").await.0.contains("Replay of events"));
}

async fn failed_messages_of_one_cause_are_sent_again_by_a_job(app: TestApp) {
    app.apply(&ada().created(minute(0))).await;
    let enable = format!("/v1/organizations/{ORGANIZATION}/messaging/enable");
    app.call("POST", &enable, json!({})).await.ok();
    let trigger = json!({
        "organization_id": ORGANIZATION, "name": "welcome", "on": "profile.activated", "status": "published",
        "steps": [{"channel": "webhook", "to": "http://127.0.0.1:9/hook"}],
    });
    app.call("POST", "/v1/triggers", trigger).await.ok();
    app.advance(std::time::Duration::from_secs(3_600));
    for number in 0..5 {
        app.apply(&employee(&format!("new{number}")).created(minute(61)))
            .await;
    }
    app.sql("UPDATE deliveries SET state = 'failed', settled_at = 1, recipient = 'x', reason = 'the other side answered 500'");
    app.sql("UPDATE deliveries SET state = 'unknown' WHERE id = (SELECT min(id) FROM deliveries)");
    let told = app.get("/v1/failures").await;
    let group = told["data"]
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["state"] == "failed")
        .unwrap()
        .clone();
    assert_eq!(group["count"], 4, "{told:#}");
    let mut body = group["resend"].clone();
    body["dry_run"] = json!(true);
    let dry = app.call("POST", "/v1/deliveries/retry", body.clone()).await;
    assert_eq!((dry.status, &dry.body["matched"]), (200, &json!(4)));
    assert_eq!(app.count("jobs"), 0);
    body["dry_run"] = json!(false);
    let begun = app.call("POST", "/v1/deliveries/retry", body).await;
    assert_eq!(begun.status, 202, "{begun:?}");
    app.drain();
    let job = app
        .get(&format!(
            "/v1/jobs/{}",
            begun.body["job_id"].as_str().unwrap()
        ))
        .await;
    assert_eq!(
        (&job["state"], &job["result"]["due_again"]),
        (&json!("done"), &json!(4))
    );
    assert_eq!(app.count("deliveries WHERE state = 'due'"), 4);
    assert_eq!(
        app.count("deliveries WHERE state = 'unknown'"),
        1,
        "nobody knows: not sent by itself"
    );
    assert_eq!(
        app.count("operator_acts WHERE act = 'deliveries.retried'"),
        1
    );
    let (told, exit) = run(
        &app.place.url(),
        &["deliveries", "retry", "--failed", "--yes"],
    );
    assert_eq!(exit, 0, "{told}");
}
