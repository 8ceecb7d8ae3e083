//! The second source, exactly: reads below a directory with a fall-back, what a comparison left out, a
//! sync on request, links that are revoked, an event id with two contents, deliveries to a wrong path.

use std::time::Duration;

use rollcall::db::Backend;
use rollcall::operations::doctor;
use rollcall::workos::sign;
use serde_json::{Value, json};

use crate::catch_up::Desk;
use crate::reconcile::{company, compare, kinds, lose, reconciler};
use crate::support::app::TestApp;
use crate::support::events::{DIRECTORY, ORGANIZATION, ada, employee, minute};
use crate::support::http::SECRET;
use crate::support::macros::on_both;
use crate::support::workos::Fault;

on_both!(
    r43_a_directory_is_read_by_either_kind_of_path_and_nobody_is_removed_for_a_missing_one,
    r44_what_a_comparison_left_out_is_counted_and_looked_at_again,
    r93_comparisons_that_fail_again_and_again_are_told,
    a_sync_is_asked_for_and_its_two_refusals_are_told_apart,
    a_set_up_link_is_revoked_by_an_admin,
    r3_an_id_with_two_contents_is_a_duplicate_with_both_digests,
    deliveries_to_a_wrong_path_are_told_with_the_path,
);

fn asked(desk: &Desk, words: &str) -> usize {
    let requests = desk.fake.requests();
    requests.iter().filter(|one| one.contains(words)).count()
}

async fn r43_a_directory_is_read_by_either_kind_of_path_and_nobody_is_removed_for_a_missing_one(
    backend: Backend,
) {
    let below = format!("/directories/{DIRECTORY}/");
    for (unscoped, old_paths) in [
        (None, None),
        (None, Some(410)),
        (Some(404), None),
        (Some(405), None),
        (Some(501), None),
    ] {
        let desk = Desk::start(backend).await;
        company(&desk, &["ada", "bob", "cleo"]).await;
        let Desk { app, fake, .. } = &desk;
        fake.environment().variant.unscoped = unscoped;
        fake.environment().variant.old_paths = old_paths;
        lose(fake, &employee("cleo"));
        fake.user(
            &employee("bob")
                .updated(minute(5))
                .set("data.last_name", "Berg"),
        );
        let report = compare(&desk, true).await;
        let expected = [
            "user_differs directory_user_bob",
            "user_missing_there directory_user_cleo",
        ];
        assert_eq!(
            (&report["state"], kinds(&report)),
            (&json!("done"), expected.map(str::to_owned).into()),
            "{unscoped:?} {old_paths:?} {report}"
        );
        app.drain();
        assert_eq!(app.people(), ["ada@test.example", "bob@test.example"]);
        match unscoped {
            // Asked once, and remembered.
            Some(_) => assert_eq!(asked(&desk, &below), 1),
            None => assert_eq!(asked(&desk, "/directory_users?"), 0),
        }
    }
}

async fn r44_what_a_comparison_left_out_is_counted_and_looked_at_again(backend: Backend) {
    let desk = Desk::start(backend).await;
    company(&desk, &["ada", "bob", "cleo"]).await;
    let Desk { app, fake, .. } = &desk;
    let listed = |name: &str| {
        employee(name)
            .updated(minute(5))
            .set("data.last_name", "Listed")
    };
    // Of bob something is heard that no listing knows for minutes; of cleo something of just now.
    app.apply(&employee("bob").updated(minute(70))).await;
    app.apply(&employee("cleo").updated(minute(60))).await;
    for name in ["bob", "cleo"] {
        fake.user(&listed(name));
    }
    let begun = app
        .call(
            "POST",
            &format!("/v1/directories/{DIRECTORY}/reconcile"),
            json!({}),
        )
        .await;
    let id = begun.body["id"].as_str().unwrap();
    let later = |phase: &str, _: &rollcall::upstream::Progress| {
        if phase == "again" {
            app.advance(Duration::from_secs(60));
        }
    };
    assert!(reconciler(app, fake).work_on(id, &later).await.unwrap());
    let report = app.get(&format!("/v1/reconciles/{id}")).await;
    assert_eq!(
        kinds(&report),
        ["user_differs directory_user_cleo"],
        "{report}"
    );
    assert_eq!(report["progress"]["left_out"], 1, "{report}");
    // Who is asked for singly is told so, too.
    let bob = app.profile(&employee("bob")).id;
    let done = app
        .call("POST", &format!("/v1/profiles/{bob}/resync"), Value::Null)
        .await
        .ok();
    assert!(done["steps"].to_string().contains("not compared"), "{done}");
    app.advance(Duration::from_secs(1_200));
    let report = compare(&desk, false).await;
    assert_eq!(report["progress"]["left_out"], 0, "{report}");
    assert_eq!(kinds(&report).len(), 2, "{report}");
}

async fn r93_comparisons_that_fail_again_and_again_are_told(backend: Backend) {
    let desk = Desk::start(backend).await;
    company(&desk, &["ada"]).await;
    let Desk { app, fake, .. } = &desk;
    let told = async || {
        let rows = app.get("/v1/failures").await["data"].clone();
        rows.as_array()
            .unwrap()
            .iter()
            .find(|row| row["kind"] == "comparison")
            .cloned()
    };
    for _ in 0..3 {
        assert_eq!(told().await, None);
        fake.fault("/directory_users", Fault::Answer(401, "{}", None));
        assert_eq!(compare(&desk, false).await["state"], "incomplete");
        app.advance(Duration::from_secs(90));
    }
    let row = told().await.unwrap();
    assert_eq!(
        (&row["count"], &row["example"]),
        (&json!(3), &json!(DIRECTORY)),
        "{row}"
    );
    assert_eq!(app.http.metric("rollcall_reconciles_failing").await, 1.0);
    let (now, email) = (app.clock.now(), ada().email());
    app.read(|conn| {
        let actor = rollcall::operations::Actor::cli();
        let checks = doctor::of_database(conn, &doctor::Setup::default(), now).unwrap();
        let check = checks
            .iter()
            .find(|check| check.name == "comparisons")
            .unwrap();
        assert_eq!(check.result, doctor::Verdict::Warn);
        assert!(check.finding.contains(DIRECTORY) && check.finding.contains("WORKOS_API_KEY"));
        let why = rollcall::operations::why::why(conn, &actor, &email, None, now).unwrap();
        assert!(
            why.waiting.iter().any(|line| line.contains(DIRECTORY)),
            "{why:?}"
        );
        let overview = rollcall::operations::overview::overview(conn, &actor, now).unwrap();
        assert_eq!(overview.failing_comparisons, 1);
        Ok(())
    });
    let mine = app.token("mine", "viewer", Some(ORGANIZATION));
    let theirs = app.token("theirs", "viewer", Some("org_other"));
    for (token, rows) in [(mine, 1), (theirs, 0)] {
        let answer = app
            .http
            .api_as(Some(&token), "GET", "/v1/failures", None)
            .await;
        assert_eq!(answer.ok()["data"].as_array().unwrap().len(), rows);
    }
    assert_eq!(compare(&desk, false).await["state"], "done");
    assert_eq!(told().await, None, "it works again");
}

async fn a_sync_is_asked_for_and_its_two_refusals_are_told_apart(backend: Backend) {
    let desk = Desk::start(backend).await;
    company(&desk, &["ada"]).await;
    let Desk { app, fake, .. } = &desk;
    let path = format!("/v1/directories/{DIRECTORY}/sync");
    let post = async || app.call("POST", &path, Value::Null).await;
    let refused = post().await;
    assert_eq!(refused.status, 422, "{}", refused.text);
    assert!(
        refused.text.contains("Google Workspace"),
        "{}",
        refused.text
    );
    fake.environment().directories.get_mut(DIRECTORY).unwrap()["type"] = json!("gsuite directory");
    let queued = post().await;
    assert_eq!(
        (queued.status, &queued.body["status"]),
        (202, &json!("queued"))
    );
    let running = post().await;
    assert_eq!(running.status, 409, "{}", running.text);
    assert!(running.text.contains("already"), "{}", running.text);
    let body = r#"{"code":"directory_sync_rate_limited","message":"x","retry_after_seconds":240}"#;
    fake.fault(
        &format!("/directories/{DIRECTORY}/sync"),
        Fault::Answer(429, body, None),
    );
    let asked = fake.requests().len();
    let soon = post().await;
    assert_eq!(
        (soon.status, soon.header("retry-after")),
        (429, "240"),
        "{}",
        soon.text
    );
    assert!(soon.text.contains("240 seconds"), "{}", soon.text);
    assert_eq!(
        fake.requests().len(),
        asked + 1,
        "a limit is told and not waited for"
    );
    assert_eq!(
        app.count("operator_acts WHERE act = 'directory.sync_requested'"),
        1
    );
    assert_eq!(
        app.call("POST", "/v1/directories/nowhere/sync", Value::Null)
            .await
            .status,
        404
    );
    let viewer = app.token("viewer", "viewer", None);
    let answer = app.http.api_as(Some(&viewer), "POST", &path, None).await;
    assert_eq!(answer.status, 403);
}

async fn a_set_up_link_is_revoked_by_an_admin(backend: Backend) {
    let desk = Desk::start(backend).await;
    let Desk { app, fake, .. } = &desk;
    let path = format!("/v1/organizations/{ORGANIZATION}/directory-sync/link");
    app.call("POST", &path, Value::Null).await;
    assert_eq!(fake.environment().links.len(), 1);
    let revoke = format!("{path}/revoke");
    let operator = app.token("operator", "operator", None);
    let refused = app
        .http
        .api_as(Some(&operator), "POST", &revoke, None)
        .await;
    assert_eq!((refused.status, fake.environment().links.len()), (403, 1));
    let done = app.call("POST", &revoke, Value::Null).await.ok();
    assert!(fake.environment().links.is_empty());
    let state = app
        .get(&format!("/v1/organizations/{ORGANIZATION}/directory-sync"))
        .await;
    assert_eq!(state["link_revoked_at"], done["revoked_at"], "{state}");
    assert_eq!(
        (&state["step"], &state["link_ends_at"]),
        (&json!("not_started"), &done["revoked_at"])
    );
    assert_eq!(
        app.count("operator_acts WHERE act = 'organization.setup_link_revoked'"),
        1
    );
    // A server that cannot, or knows none: said in words.
    let none = app.call("POST", &revoke, Value::Null).await;
    assert_eq!(none.status, 422);
    assert!(none.text.contains("five minutes"), "{}", none.text);
    // A new one lives again.
    app.call("POST", &path, Value::Null).await;
    let state = app
        .get(&format!("/v1/organizations/{ORGANIZATION}/directory-sync"))
        .await;
    assert_eq!(
        (&state["link_revoked_at"], &state["step"]),
        (&Value::Null, &json!("link_opened"))
    );
}

async fn r3_an_id_with_two_contents_is_a_duplicate_with_both_digests(app: TestApp) {
    let first = ada().created(minute(0));
    app.apply(&first).await;
    // The Events API writes the envelope differently, which says nothing.
    let listed = first
        .clone()
        .set("object", "event")
        .set("context", json!({}));
    assert_eq!(app.deliver(&listed).await.body["status"], "duplicate");
    let event = app.event(&first.id()).await;
    assert_eq!(event["repeated"], Value::Null, "{event}");
    for name in ["Other", "Other"] {
        let other = first.clone().set("data.last_name", name);
        assert_eq!(app.deliver(&other).await.body["status"], "duplicate");
    }
    assert_eq!(app.drain(), 0);
    assert_ne!(app.profile(&ada()).last_name.as_deref(), Some("Other"));
    let repeated = app.event(&first.id()).await["repeated"].clone();
    assert_eq!(repeated["times"], 2);
    assert_ne!(repeated["first_digest"], repeated["other_digest"]);
    assert_eq!(repeated["first_digest"].as_str().unwrap().len(), 64);
    let series = r#"rollcall_event_repeats_total{content="differs"}"#;
    assert!(app.http.metric(series).await >= 2.0);
    let kept = app.lines("SELECT first_digest || other_digest AS line FROM event_repeats");
    assert!(!kept[0].contains("Other"));
    // The digests were made from the payload, and go with it.
    app.sql("DELETE FROM event_bodies");
    assert_eq!(app.deliver(&first).await.body["status"], "duplicate");
    assert!(
        app.http
            .metric(r#"rollcall_event_repeats_total{content="unknown"}"#)
            .await
            >= 1.0
    );
}

async fn deliveries_to_a_wrong_path_are_told_with_the_path(app: TestApp) {
    let event = ada().created(minute(0));
    let post = async |path: &str, signed: bool| {
        let client = reqwest::Client::new();
        let mut request = client.post(app.http.url(path)).body(event.body());
        if signed {
            request = request.header(
                "WorkOS-Signature",
                sign(SECRET, app.clock.now(), &event.body()),
            );
        }
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(
        post("/webhooks/workos/", true).await,
        200,
        "with a slash at the end"
    );
    app.drain();
    let series = r#"rollcall_webhook_requests_total{outcome="rejected",reason="wrong_path"}"#;
    let before = app.http.metric(series).await;
    assert_eq!(post("/webhooks/workoss?key=secret", true).await, 404);
    assert_eq!(post("/webhook", false).await, 404);
    assert_eq!(post("/api/nothing", false).await, 404);
    assert!(app.http.metric(series).await >= before + 2.0);
    let rows = [("/webhooks/workoss", 3), ("/webhook", 1)];
    let seen = rollcall::operations::wrong_paths::WrongPaths::default();
    for (path, count) in rows {
        for _ in 0..count {
            seen.count("POST", path, true, app.clock.now());
        }
    }
    let now = app.clock.now();
    app.write(|conn| {
        rollcall::operations::wrong_paths::write_down(conn, &seen.take(), now).unwrap();
        Ok(())
    });
    let told = app.get("/v1/failures").await["data"].to_string();
    for (path, _) in rows {
        assert!(
            told.contains(&format!("WorkOS may be posting to a wrong path: {path}\"")),
            "{told}"
        );
    }
    assert!(!told.contains("secret"));
    let checks =
        app.read(|conn| Ok(doctor::of_database(conn, &doctor::Setup::default(), now).unwrap()));
    let check = checks
        .iter()
        .find(|check| check.name == "webhook path")
        .unwrap();
    assert_eq!(check.result, doctor::Verdict::Warn);
    // Made-up paths push out old ones and never fill the table.
    for number in 0..50 {
        seen.count(
            "POST",
            &format!("/webhooks/{number}"),
            false,
            now.plus(Duration::from_secs(number)),
        );
        app.write(|conn| {
            rollcall::operations::wrong_paths::write_down(conn, &seen.take(), now).unwrap();
            Ok(())
        });
    }
    assert_eq!(app.count("webhook_wrong_paths"), 20);
}
