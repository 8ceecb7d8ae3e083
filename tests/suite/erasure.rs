//! Erasing people (R65): nothing that names them is left anywhere, nothing late or replayed brings
//! them back or greets them, and a legal hold refuses it.

use std::collections::BTreeSet;

use rollcall::db::Backend;
use rollcall::domain::Role;
use rollcall::triggers::deliveries::FailedFilter;
use rollcall::worker::resend;
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::events::{
    Employee, Event, ORGANIZATION, ada, directory, employee, group, minute,
};
use crate::support::macros::on_both;

on_both!(
    r65_an_erasure_leaves_nothing_that_names_the_person,
    r65_whoever_was_named_in_passing_is_not_named_any_more,
    r65_late_and_replayed_events_bring_nobody_back_and_greet_nobody,
    r65_while_the_directory_lists_an_erased_person_its_updates_are_dropped,
    r65_who_is_hired_again_after_an_erasure_is_somebody_new,
    r65_others_of_the_same_address_stay_as_they_are,
    r65_an_erased_persons_held_removal_ends_with_them,
    r65_a_legal_hold_refuses_erasure_until_released,
    r65_erasing_twice_is_erasing_once,
);

/// Ada, with everything that could name her.
fn lovelace() -> Employee {
    employee("lovelace")
}

fn created(at: u64) -> Event {
    lovelace()
        .created(minute(at))
        .set("data.first_name", "Augusta")
        .set("data.last_name", "Lovelace")
        .set("data.custom_attributes.cost_center", "Engine-42")
        .set("data.custom_attributes.pronouns", "she/her")
        .set("data.custom_attributes.employee_number", "N-1815")
}

async fn with_messaging(app: &TestApp) {
    app.apply(&directory("dsync.activated", minute(0))).await;
    app.call(
        "POST",
        &format!("/v1/organizations/{ORGANIZATION}/messaging/enable"),
        Value::Null,
    )
    .await
    .ok();
    let trigger = json!({
        "organization_id": ORGANIZATION, "name": "welcome", "on": "profile.activated", "status": "published",
        "steps": [{"channel": "webhook", "to": "http://127.0.0.1:9/hook", "text": "Hello {{ display_name }}"}],
    });
    app.call("POST", "/v1/triggers", trigger).await.ok();
}

async fn erase(app: &TestApp, id: &str) -> Value {
    app.call("POST", &format!("/v1/profiles/{id}/erase"), Value::Null)
        .await
        .ok()
}

/// A difference that a comparison with WorkOS wrote down.
fn found_to_differ(app: &TestApp, subject: &str) {
    app.sql(&format!(
        "INSERT INTO drift_items (reconcile_id, kind, subject, fields, state, event_id, occurred_at, body) \
         VALUES ('r', 'k', '{subject}', '[]', 'open', 'e', 0, '{{\"first_name\":\"Augusta\"}}')"
    ));
}

/// Every row of every table, as text.
fn everything(app: &TestApp) -> String {
    let rows: Vec<String> = app.dump().into_values().flatten().collect();
    rows.join("\n")
}

const NAMES: [&str; 8] = [
    "ugusta",
    "ovelace",
    "lovelace@test.example",
    "Engine-42",
    "N-1815",
    "she/her",
    "directory_user_lovelace",
    "idp_lovelace",
];

fn assert_nameless(told: &str) {
    for name in NAMES {
        let found: Vec<&str> = told.lines().filter(|line| line.contains(name)).collect();
        assert!(found.is_empty(), "{name} is still told: {found:#?}");
    }
}

async fn r65_an_erasure_leaves_nothing_that_names_the_person(app: TestApp) {
    with_messaging(&app).await;
    app.apply(&group("dsync.group.created", "engines", minute(1)))
        .await;
    let hired = created(2);
    app.apply(&hired).await;
    let id = app.profile(&lovelace()).id;
    let chess = app.community("chess", &[(&id, Role::Admin)]);
    app.apply(&lovelace().joined("engines", minute(3))).await;
    app.send_due().await;
    let moved = created(4).set("event", "dsync.user.updated");
    let moved = moved.set("data.email", "augusta.lovelace@test.example");
    app.apply(&Event(moved.0.clone()).set("id", "event_moved"))
        .await;
    let homeless = lovelace().created(minute(5)).without("data.directory_id");
    app.apply(&homeless).await;
    let bystander = employee("babbage");
    app.apply(&bystander.created(minute(5))).await;
    for address in [lovelace().email(), bystander.email()] {
        let asked = json!({"organization_id": ORGANIZATION, "email": address});
        app.call("POST", "/v1/opt-outs", asked).await.ok();
    }
    found_to_differ(&app, "directory_user_lovelace");
    found_to_differ(&app, "directory_group_engines directory_user_lovelace");
    found_to_differ(&app, "directory_user_lovelaces");
    let before = everything(&app);
    assert!(before.contains("ugusta") && before.contains("N-1815"));

    let told = erase(&app, &id).await;
    assert_eq!(told["status"], "erased", "{told}");
    assert_eq!(told["display_name"], "(erased)");
    assert_eq!(told["email"], Value::Null);
    assert_eq!(told["access"], false);
    assert_eq!(told["links"], json!([]));
    assert_eq!(told["events_erased"], 4, "{told}");
    assert_eq!(told["messages_erased"], 1);

    let kept = app.lines("SELECT subject AS line FROM drift_items");
    assert_eq!(kept, ["directory_user_lovelaces"], "somebody else");
    app.sql("DELETE FROM drift_items");
    assert_eq!(app.count("opt_outs"), 1, "babbage's");
    assert_nameless(&everything(&app));
    assert_eq!(app.people(), [bystander.email()]);
    assert!(app.members(&chess).is_empty());
    assert_eq!(app.count("deliveries WHERE state = 'due'"), 1, "babbage's");
    // The row of the event stays, so that a duplicate is one.
    assert_eq!(app.deliver(&hired).await.body["status"], "duplicate");
    let acts = app.count("operator_acts WHERE act = 'profile.erased'");
    assert_eq!(acts, 1);
    let history = app.get(&format!("/v1/profiles/{id}/history")).await;
    assert_nameless(&history.to_string());
    let sentences: Vec<&str> = history["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["sentence"].as_str().unwrap())
        .collect();
    assert!(
        sentences.iter().any(|one| one.contains("erased")),
        "{sentences:#?}"
    );
    if app.db.backend() == Backend::Sqlite {
        for (file, bytes) in app.place.files() {
            let bytes = String::from_utf8_lossy(&bytes).into_owned();
            assert!(!bytes.contains("Engine-42"), "{file} still holds it");
        }
    }
}

async fn r65_whoever_was_named_in_passing_is_not_named_any_more(app: TestApp) {
    with_messaging(&app).await;
    app.apply(&group("dsync.group.created", "engines", minute(1)))
        .await;
    app.apply(&created(2)).await;
    let id = app.profile(&lovelace()).id;
    // A job is told by its filter whom it is about.
    let replay = json!({"profile_id": id, "job": true});
    app.call("POST", "/v1/events/replay", replay).await.ok();
    app.drain();
    app.apply(&lovelace().joined("engines", minute(3))).await;
    let failed = FailedFilter {
        recipient: Some(lovelace().email()),
        ..FailedFilter::default()
    };
    let now = app.clock.now();
    app.write(|conn| resend::ask(conn, &failed, 1, "ops", now));
    // An operator's decision says which directory user it was.
    for user in ["directory_user_lovelace", "directory_user_lovelaces"] {
        app.sql(&format!(
            "INSERT INTO operator_acts (at, actor, act, target, detail) VALUES (0, 'ops', 'conflict.same_as', '{user}', \
             'directory user {user} is this person')"
        ));
    }
    // A webhook, what changed.
    app.sql("UPDATE deliveries SET detail = '{\"communities\":[\"community_engines\"]}'");
    let named = |words: &str| everything(&app).matches(words).count();
    let before = named("in the group “engines”");
    assert!(before > 0 && named("lovelace@test.example") > 0);

    erase(&app, &id).await;
    assert_eq!(named("in the group “engines”"), 0);
    assert_eq!(named("community_engines"), 0);
    assert_eq!(named("directory_user_lovelaces"), 2, "somebody else");
    app.sql("DELETE FROM operator_acts WHERE target = 'directory_user_lovelaces'");
    assert_nameless(&everything(&app));
    // What was asked for goes on, and finds nobody.
    app.drain();
    let jobs = app.get("/v1/jobs").await;
    for job in jobs["data"].as_array().unwrap() {
        assert_eq!(job["state"], "done", "{job}");
    }
}

async fn r65_late_and_replayed_events_bring_nobody_back_and_greet_nobody(app: TestApp) {
    with_messaging(&app).await;
    let hired = created(10);
    app.apply(&hired).await;
    app.apply(&lovelace().deleted(minute(20))).await;
    let id = app.profile(&lovelace()).id;
    erase(&app, &id).await;

    let replayed = app
        .call(
            "POST",
            &format!("/v1/events/{}/replay", hired.id()),
            Value::Null,
        )
        .await;
    assert_eq!(replayed.status, 409, "{replayed:?}");
    assert!(replayed.text.contains("erased"), "{replayed:?}");
    let all = app
        .call("POST", "/v1/events/replay", json!({"all": true}))
        .await
        .ok();
    assert_eq!(all["replayed"], 1, "only the directory's: {all}");
    app.drain();

    // Copies that took a long road: from before, from the day, under an id never seen, and bare.
    let late = [
        lovelace().created(minute(1)),
        created(19),
        lovelace()
            .updated(minute(15))
            .set("data.id", "directory_user_former"),
        lovelace().deleted_bare(minute(18)),
        lovelace().joined("engines", minute(16)),
    ];
    for event in &late {
        let told = app.apply(event).await;
        assert_eq!(told["outcome"], "ignored", "{told}");
        assert!(told["reason"].as_str().unwrap().contains("erased"));
        assert_eq!(told["payload"], Value::Null);
    }
    // Their own deletion may come after the erasure.
    let told = app.apply(&lovelace().deleted(minute(40))).await;
    assert_eq!(told["outcome"], "ignored", "{told}");

    assert_eq!(app.people(), Vec::<String>::new());
    assert_eq!(app.count("profiles"), 1);
    assert_eq!(app.count("observations"), 0);
    assert_eq!(app.count("deliveries WHERE state <> 'cancelled'"), 0);
    assert_nameless(&everything(&app));
    let shown = app.get(&format!("/v1/profiles/{id}")).await;
    assert_eq!(shown["status"], "erased");
}

async fn r65_while_the_directory_lists_an_erased_person_its_updates_are_dropped(app: TestApp) {
    with_messaging(&app).await;
    app.apply(&created(10)).await;
    let id = app.profile(&lovelace()).id;
    erase(&app, &id).await;
    for at in [20, 30] {
        let told = app.apply(&lovelace().updated(minute(at))).await;
        assert_eq!(told["outcome"], "ignored", "{told}");
    }
    // In one batch, too: they go, and what is older than their going stays unheard.
    app.enqueue(&[
        lovelace().deactivated(minute(41)),
        lovelace().updated(minute(40)),
    ]);
    app.drain();
    assert_eq!(app.people(), Vec::<String>::new());
    assert_nameless(&everything(&app));
    // Hired again, under the same ids.
    app.apply(&lovelace().updated(minute(50))).await;
    assert_eq!(app.people(), [lovelace().email()]);
    app.apply(&lovelace().deactivated(minute(60))).await;
    assert_eq!(app.people(), Vec::<String>::new());
}

async fn r65_who_is_hired_again_after_an_erasure_is_somebody_new(app: TestApp) {
    with_messaging(&app).await;
    app.apply(&created(10)).await;
    let id = app.profile(&lovelace()).id;
    let chess = app.community("chess", &[(&id, Role::Member)]);
    app.apply(&lovelace().deleted(minute(20))).await;
    erase(&app, &id).await;
    let again = lovelace()
        .created(minute(50))
        .set("data.id", "directory_user_again");
    let told = app.apply(&again).await;
    assert_eq!(told["outcome"], "applied", "{told}");
    let people = app.get("/v1/profiles").await;
    let new = &people["data"][0];
    assert_eq!(new["status"], "active");
    assert_ne!(new["id"], id.as_str());
    assert!(app.members(&chess).is_empty());
    // A word that comes late is folded in without their past, too.
    app.apply(
        &lovelace()
            .updated(minute(45))
            .set("data.id", "directory_user_again"),
    )
    .await;
    let people = app.get("/v1/profiles").await;
    assert_eq!(people["data"][0]["id"], new["id"]);
    let old = app.get(&format!("/v1/profiles/{id}")).await;
    assert_eq!(old["status"], "erased");
    // And again, once they have left again.
    let second = new["id"].as_str().unwrap();
    app.apply(
        &lovelace()
            .deleted(minute(60))
            .set("data.id", "directory_user_again"),
    )
    .await;
    erase(&app, second).await;
    let third = lovelace()
        .created(minute(70))
        .set("data.id", "directory_user_third");
    app.apply(&third).await;
    let ids: BTreeSet<String> = app.get("/v1/profiles?status=all").await["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(ids.len(), 3);
}

async fn r65_others_of_the_same_address_stay_as_they_are(app: TestApp) {
    with_messaging(&app).await;
    app.apply(&created(10)).await;
    app.apply(&lovelace().deleted(minute(20))).await;
    let id = app.profile(&lovelace()).id;
    let namesake = employee("namesake").created(minute(30));
    let namesake = namesake.set("data.email", lovelace().email());
    app.apply(&namesake).await;
    let before = app.get("/v1/profiles").await["data"][0].clone();
    erase(&app, &id).await;
    let after = app.get("/v1/profiles").await["data"][0].clone();
    assert_eq!(before["id"], after["id"]);
    assert_eq!(after["email"], lovelace().email());
    let told = app
        .apply(
            &employee("namesake")
                .updated(minute(25))
                .set("data.email", lovelace().email()),
        )
        .await;
    assert_ne!(told["outcome"], "ignored", "{told}");
    let remembered = app.lines("SELECT remembered AS line FROM profiles WHERE status = 'active'");
    assert!(!remembered[0].contains(&id), "{remembered:?}");
}

async fn r65_an_erased_persons_held_removal_ends_with_them(app: TestApp) {
    app.apply(&directory("dsync.activated", minute(0))).await;
    let all: Vec<Event> = (0..30)
        .map(|n| employee(&format!("p{n:02}")).created(minute(1)))
        .collect();
    app.enqueue(&all);
    app.drain();
    let burst: Vec<Event> = (0..25)
        .map(|n| employee(&format!("p{n:02}")).deactivated(minute(10 + n)))
        .collect();
    app.enqueue(&burst);
    app.drain();
    let held = app.profile(&employee("p24")).id;
    let gone = app.profile(&employee("p00")).id;
    erase(&app, &held).await;
    erase(&app, &gone).await;
    assert_eq!(app.event(&burst[24].id()).await["state"], "ignored");
    let hold = app.get("/v1/holds").await["data"][0]["id"].clone();
    let path = format!("/v1/holds/{}/reject", hold.as_str().unwrap());
    app.call("POST", &path, Value::Null).await.ok();
    app.drain();
    assert_eq!(app.people().len(), 28, "the erased stay erased");
    for id in [held, gone] {
        let shown = app.get(&format!("/v1/profiles/{id}")).await;
        assert_eq!(shown["status"], "erased");
    }
}

async fn r65_a_legal_hold_refuses_erasure_until_released(app: TestApp) {
    with_messaging(&app).await;
    app.apply(&created(10)).await;
    let id = app.profile(&lovelace()).id;
    let hold = format!("/v1/profiles/{id}/legal-hold");
    let unsaid = app.call("POST", &hold, json!({"reason": " "})).await;
    assert_eq!(unsaid.status, 400);
    let placed = app
        .call("POST", &hold, json!({"reason": "case 4711"}))
        .await;
    assert_eq!(placed.status, 201, "{placed:?}");
    let twice = app
        .call("POST", &hold, json!({"reason": "case 4712"}))
        .await;
    assert_eq!(twice.status, 409);
    let path = format!("/v1/profiles/{id}/erase");
    let refused = app.call("POST", &path, Value::Null).await;
    assert_eq!(refused.status, 409);
    assert!(refused.text.contains("case 4711"), "{refused:?}");
    let shown = app.get(&format!("/v1/profiles/{id}")).await;
    assert_eq!(
        (&shown["status"], &shown["legal_hold"]),
        (&json!("active"), &json!(true))
    );
    app.http.api("DELETE", &hold, None).await.ok();
    assert_eq!(erase(&app, &id).await["status"], "erased");
    let late = app
        .call("POST", &hold, json!({"reason": "case 4711"}))
        .await;
    assert_eq!(late.status, 409);
    for act in ["placed", "released"] {
        let rows = app.count(&format!(
            "operator_acts WHERE act = 'profile.legal_hold_{act}'"
        ));
        assert_eq!(rows, 1);
    }
}

async fn r65_erasing_twice_is_erasing_once(app: TestApp) {
    app.apply(&ada().created(minute(1))).await;
    let id = app.profile(&ada()).id;
    erase(&app, &id).await;
    let again = erase(&app, &id).await;
    assert_eq!(
        (&again["status"], &again["events_erased"]),
        (&json!("erased"), &json!(0))
    );
    assert_eq!(app.count("operator_acts WHERE act = 'profile.erased'"), 1);
    let missing = app
        .call("POST", "/v1/profiles/profile_nobody/erase", Value::Null)
        .await;
    assert_eq!(missing.status, 404);
}
