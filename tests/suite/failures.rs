//! What went wrong, by cause, and put right from there; events as a stream for other tools.

use std::io::{BufRead, BufReader};

use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::binary::rollcall;
use crate::support::events::{ORGANIZATION, ada, employee, minute};
use crate::support::macros::on_both;

on_both!(
    failures_are_grouped_by_cause_and_replayed_by_it,
    export_writes_bodies_oldest_first_as_they_came,
    tail_tells_an_event_that_comes_with_its_outcome,
);

async fn failures_are_grouped_by_cause_and_replayed_by_it(app: TestApp) {
    assert_eq!(app.get("/v1/failures").await["data"], json!([]));
    app.apply(&ada().created(minute(0)).without("data.directory_id"))
        .await;
    app.apply(
        &employee("2")
            .created(minute(1))
            .without("data.directory_id"),
    )
    .await;
    let last = employee("3").created(minute(2)).without("data");
    app.apply(&last).await;
    let told = app.get("/v1/failures").await["data"].clone();
    let told: Vec<&Value> = told.as_array().unwrap().iter().collect();
    assert_eq!(told.len(), 2, "{told:#?}");
    assert_eq!(told[0]["example"], last.id(), "the newest first");
    let two = told.iter().find(|one| one["count"] == 2).unwrap();
    assert!(
        two["cause"].as_str().unwrap().contains("data.directory_id"),
        "{two}"
    );

    let mut body = two["replay"].clone();
    body["dry_run"] = json!(true);
    let replay = app.http.api("POST", "/v1/events/replay", Some(&body)).await;
    assert_eq!(replay.body["matched"], 2, "{replay:?}");

    let mine = format!("/v1/failures?organization_id={ORGANIZATION}");
    assert_eq!(app.get(&mine).await["data"][0]["state"], "failed");
    let other = app.token("elsewhere", "viewer", Some("org_OTHER"));
    let seen = app
        .http
        .api_as(Some(&other), "GET", "/v1/failures", None)
        .await;
    assert_eq!(seen.body["data"], json!([]));
}

async fn export_writes_bodies_oldest_first_as_they_came(app: TestApp) {
    let events = [ada().created(minute(0)), employee("2").created(minute(1))];
    for event in &events {
        app.apply(event).await;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut command = rollcall(&app.place.url(), folder.path());
    let done = command.args(["events", "export"]).output().unwrap();
    assert!(done.status.success(), "{done:?}");
    let text = String::from_utf8(done.stdout).unwrap();
    let read: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(read, events.map(|event| event.0));
}

async fn tail_tells_an_event_that_comes_with_its_outcome(app: TestApp) {
    app.apply(&ada().created(minute(0))).await;
    let folder = tempfile::tempdir().unwrap();
    let mut command = rollcall(&app.place.url(), folder.path());
    command.args(["events", "tail", "--for", "4", "--json"]);
    let mut tail = command.spawn().unwrap();
    let lines = BufReader::new(tail.stdout.take().unwrap()).lines();
    let (tell, heard) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        lines
            .map_while(Result::ok)
            .all(|line| tell.send(line).is_ok())
    });
    // Whenever tail begins to look, some of these come after it: until it has told one.
    let (mut count, mut first) = (0, None);
    while first.is_none() && tail.try_wait().unwrap().is_none() {
        count += 1;
        let update = ada().updated(minute(count));
        app.apply(&update.set("data.first_name", format!("Ada{count}")))
            .await;
        first = heard.try_recv().ok();
    }
    let told: Vec<Value> = first
        .into_iter()
        .chain(heard)
        .map(|line| serde_json::from_str(&line).unwrap())
        .collect();
    assert!(tail.wait().unwrap().success());
    assert!(!told.is_empty());
    for event in &told {
        assert_eq!(event["type"], "dsync.user.updated");
        assert_eq!(event["outcome"], "applied", "{event}");
    }
    let ids: std::collections::BTreeSet<_> = told.iter().map(|one| one["id"].to_string()).collect();
    assert_eq!(ids.len(), told.len(), "each once");
}
