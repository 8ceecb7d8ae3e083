//! One person's whole life as somebody from HR reads it (R70): hire, promotion, a group, an admin
//! seat, a termination that waited in a batch, a rehire, a legal hold, the erasure; and each event's
//! outcome and reason.

use std::time::Duration;

use rollcall::domain::Role;
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::binary::rollcall;
use crate::support::events::{Employee, Event, ORGANIZATION, directory, employee, group, minute};
use crate::support::http_sink::HttpSink;
use crate::support::macros::on_both;

on_both!(r70_a_whole_life_reads_as_a_story);

fn grace() -> Employee {
    employee("grace")
}

async fn company(app: &TestApp, sink: &HttpSink) {
    app.apply(&directory("dsync.activated", minute(0))).await;
    let enable = format!("/v1/organizations/{ORGANIZATION}/messaging/enable");
    app.call("POST", &enable, Value::Null).await.ok();
    let trigger = json!({
        "organization_id": ORGANIZATION, "name": "welcome", "on": "profile.activated", "status": "published",
        "when": {"field": "first_name", "op": "eq", "value": "grace"},
        "steps": [{"channel": "webhook", "to": sink.url("/hook"), "text": "Hello {{ display_name }}"}],
    });
    app.call("POST", "/v1/triggers", trigger).await.ok();
    let crowd: Vec<Event> = (0..30)
        .map(|n| employee(&format!("p{n:02}")).created(minute(1)))
        .collect();
    app.enqueue(&crowd);
    app.drain();
}

async fn told(app: &TestApp, id: &str) -> Vec<String> {
    let history = app.get(&format!("/v1/profiles/{id}/history")).await;
    let entries = history["data"].as_array().unwrap();
    let line = |entry: &Value| {
        let at = entry["at"].as_str().unwrap();
        format!("{} {}", &at[11..16], entry["sentence"].as_str().unwrap())
    };
    entries.iter().map(line).collect()
}

fn hour(app: &TestApp) {
    app.advance(Duration::from_secs(3_600));
}

/// In this order, whatever stands between.
fn follows(told: &[String], wanted: &[&str]) {
    let mut rest = told.iter();
    for one in wanted {
        assert!(
            rest.any(|line| line.contains(one)),
            "{one:?} is not told, or not there: {told:#?}"
        );
    }
}

async fn r70_a_whole_life_reads_as_a_story(app: TestApp) {
    let sink = HttpSink::start();
    company(&app, &sink).await;
    app.apply(&group("dsync.group.created", "Engineering", minute(2)))
        .await;
    app.apply(&grace().created(minute(3))).await;
    app.send_due().await;
    let id = app.profile(&grace()).id;
    hour(&app);
    let title = "data.custom_attributes.job_title";
    let promoted = grace().updated(minute(58)).set(title, "Principal");
    app.apply(&promoted).await;
    app.apply(&grace().updated(minute(57)).set(title, "Senior"))
        .await;
    app.apply(&grace().joined("Engineering", minute(59))).await;
    let body = json!({"organization_id": ORGANIZATION, "name": "Runners"});
    let runners = app.call("POST", "/v1/communities", body).await.ok();
    let seat = format!(
        "/v1/communities/{}/members/{id}",
        runners["id"].as_str().unwrap()
    );
    app.call("PUT", &seat, json!({"role": "admin"})).await.ok();
    app.community("Chess", &[(&id, Role::Member)]);
    hour(&app);
    // Twenty others go within the hour, so that hers waits for somebody.
    let burst: Vec<Event> = (0..20)
        .map(|n| employee(&format!("p{n:02}")).deactivated(minute(118)))
        .collect();
    app.enqueue(&burst);
    app.drain();
    let left = grace().deleted(minute(119));
    assert_eq!(app.apply(&left).await["state"], "held");
    let held = told(&app, &id).await;
    follows(&held, &["waited for a decision"]);
    hour(&app);
    let hold = app.get("/v1/holds").await["data"][0]["id"].clone();
    let approve = format!("/v1/holds/{}/approve", hold.as_str().unwrap());
    app.call("POST", &approve, Value::Null).await.ok();
    app.drain();
    hour(&app);
    let again = grace()
        .created(minute(238))
        .set("data.id", "directory_user_grace_2");
    app.apply(&again).await;
    app.apply(
        &grace()
            .deleted(minute(239))
            .set("data.id", "directory_user_grace_2"),
    )
    .await;
    hour(&app);
    let legal = format!("/v1/profiles/{id}/legal-hold");
    app.call("POST", &legal, json!({"reason": "case 4711"}))
        .await;

    let life = told(&app, &id).await;
    println!("{}", life.join("\n"));
    follows(
        &life,
        &[
            "09:03 The directory added them: a new profile, active.",
            "Status is active.",
            "Title set to “Analyst”.",
            "A webhook was sent.",
            "09:57 The directory updated them: newer events already spoke of everything it says, so nothing changed.",
            "09:58 The directory updated them: changed title.",
            "Title changed from “Analyst” to “Principal”.",
            "09:59 The directory put them into a group: in the group “Engineering” now.",
            "Joined the community “Runners” as admin (by bootstrap).",
            "The directory deleted them: removed: deleted in the directory.",
            "Status changed from active to removed.",
            "Left the community “Runners” (was admin).",
            "waited for a decision",
            "bootstrap approved the batch they were in.",
            "The directory added them: restored: active again",
            "Joined the community “Runners” as member",
            "The directory deleted them",
            "bootstrap placed a legal hold, so that nothing is erased: case 4711.",
        ],
    );
    let shown = app.event(&promoted.id()).await;
    assert_eq!(shown["outcome"], "applied");
    assert_eq!(shown["reason"], "changed title");
    assert_eq!(shown["changes"][0]["new"], "Principal");

    app.http.api("DELETE", &legal, None).await.ok();
    let erase = format!("/v1/profiles/{id}/erase");
    app.call("POST", &erase, Value::Null).await.ok();
    let folder = tempfile::tempdir().unwrap();
    let done = rollcall(&app.place.url(), folder.path())
        .args(["profiles", "history", &id])
        .output()
        .unwrap();
    let words = String::from_utf8_lossy(&done.stdout).into_owned();
    println!("{words}");
    for wanted in [
        "(erased) is erased.",
        "bootstrap released the legal hold.",
        "bootstrap erased them for good.",
        "Title changed; what it was and became is erased.",
    ] {
        assert!(words.contains(wanted), "{wanted:?} is not told: {words}");
    }
    assert!(
        !words.contains("Principal") && !words.contains("grace"),
        "{words}"
    );
}
