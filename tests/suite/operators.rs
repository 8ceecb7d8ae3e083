//! What operators do over the API with everybody at once: replaying a selection, with a dry run that
//! is true, and changing the attribute mapping.

use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::events::{ada, employee, minute};
use crate::support::macros::on_both;

on_both!(
    r68_a_dry_run_shows_differences_and_changes_nothing,
    r68_a_replay_of_everything_changes_nothing_that_is_right,
    a_replay_without_a_filter_is_refused_unless_all_is_said,
    access_is_answered_for_an_address_and_for_a_profile,
    r69_of_two_who_replay_at_once_one_does_and_both_see_who_did,
);

async fn r68_a_dry_run_shows_differences_and_changes_nothing(app: TestApp) {
    app.apply(&ada().created(minute(0))).await;
    // The row is damaged by hand: the replay would put it right.
    app.sql("DELETE FROM observations");
    app.sql("DELETE FROM links");
    app.sql("DELETE FROM link_keys");
    app.sql("DELETE FROM profiles");
    let before = app.dump();
    let body = json!({"type": "dsync.user.created", "dry_run": true});
    let told = app.http.api("POST", "/v1/events/replay", Some(&body)).await;
    assert_eq!(told.status, 200, "{told:?}");
    assert_eq!(told.body["matched"], 1);
    assert_eq!(told.body["replayed"], 0);
    assert_eq!(told.body["would_change"], 1);
    assert_eq!(told.body["messages_due"], 0);
    let differences = told.body["events"][0]["differences"].as_array().unwrap();
    assert!(
        differences.iter().any(|one| one["name"] == "title"),
        "{differences:?}"
    );
    assert_eq!(app.dump(), before, "nothing was changed");

    let body = json!({"type": "dsync.user.created"});
    let told = app.http.api("POST", "/v1/events/replay", Some(&body)).await;
    assert_eq!(told.body["replayed"], 1);
    app.drain();
    assert_eq!(app.people(), [ada().email()]);
}

async fn r68_a_replay_of_everything_changes_nothing_that_is_right(app: TestApp) {
    app.apply(&ada().created(minute(0))).await;
    app.apply(
        &ada()
            .updated(minute(1))
            .set("data.custom_attributes.job_title", "Head"),
    )
    .await;
    app.apply(&employee("2").created(minute(2))).await;
    let body = json!({"all": true, "dry_run": true});
    let told = app.http.api("POST", "/v1/events/replay", Some(&body)).await;
    assert_eq!((told.status, &told.body["matched"]), (200, &json!(3)));
    assert_eq!(told.body["would_change"], 0, "{told:?}");
    let outcomes: Vec<&Value> = told.body["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["outcome"])
        .collect();
    assert_eq!(
        outcomes,
        [&json!("stale"), &json!("unchanged"), &json!("unchanged")]
    );
    let changes = app.count("changes");
    let told = app
        .http
        .api("POST", "/v1/events/replay", Some(&json!({"all": true})))
        .await;
    assert_eq!(told.body["replayed"], 3);
    app.drain();
    assert_eq!(app.count("changes"), changes, "no audit row was added");
}

async fn a_replay_without_a_filter_is_refused_unless_all_is_said(app: TestApp) {
    app.apply(&ada().created(minute(0))).await;
    let told = app
        .http
        .api("POST", "/v1/events/replay", Some(&json!({})))
        .await;
    assert_eq!(told.status, 400, "{told:?}");
    let told = app
        .http
        .api(
            "POST",
            "/v1/events/replay",
            Some(&json!({"rate": 0, "all": true})),
        )
        .await;
    assert_eq!(told.status, 400, "{told:?}");
}

async fn access_is_answered_for_an_address_and_for_a_profile(app: TestApp) {
    app.apply(&ada().created(minute(0))).await;
    let profile = app.profile(&ada());
    let by_email = format!(
        "/v1/access?organization_id={}&email={}",
        profile.organization_id,
        ada().email().to_uppercase()
    );
    let by_id = format!("/v1/access?profile_id={}", profile.id);
    for path in [&by_email, &by_id] {
        let told = app.http.api("GET", path, None).await;
        assert_eq!(
            (told.status, &told.body["allowed"]),
            (200, &json!(true)),
            "{told:?}"
        );
    }
    app.apply(&ada().deactivated(minute(1))).await;
    for path in [&by_email, &by_id] {
        let told = app.http.api("GET", path, None).await;
        assert_eq!(
            (&told.body["allowed"], &told.body["reason"]),
            (&json!(false), &json!("removed"))
        );
    }
    let told = app
        .http
        .api(
            "GET",
            "/v1/access?organization_id=org_x&email=nobody@x.example",
            None,
        )
        .await;
    assert_eq!(
        (&told.body["allowed"], &told.body["reason"]),
        (&json!(false), &json!("unknown"))
    );
}

async fn r69_of_two_who_replay_at_once_one_does_and_both_see_who_did(app: TestApp) {
    let event = ada().created(minute(0));
    app.apply(&event).await;
    let path = format!("/v1/events/{}/replay", event.id());
    let anna = app.token("anna", "operator", None);
    let ben = app.token("ben", "operator", None);
    let press = |token| app.http.api_as(Some(token), "POST", &path, None);
    let (hers, his) = futures_util::future::join(press(&anna), press(&ben)).await;
    let mut answers = [(hers.status, "anna"), (his.status, "ben")];
    answers.sort_unstable();
    let [(200, winner), (409, _)] = answers else {
        panic!("{answers:?}");
    };
    assert_eq!(app.drain(), 1);
    for token in [&anna, &ben] {
        let shown = app
            .http
            .api_as(Some(token), "GET", path.trim_end_matches("/replay"), None);
        let attempts = shown.await.ok()["attempt_log"].clone();
        let replays = attempts.as_array().unwrap().iter();
        let actors: Vec<&str> = replays.filter_map(|one| one["actor"].as_str()).collect();
        assert_eq!(actors, [winner], "{attempts}");
    }
}
