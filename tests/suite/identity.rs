//! Who is who, where only a person can say it: conflicts and possible rehires are listed, decided, and
//! stay decided whatever comes later.

use rollcall::domain::Role;
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::binary::rollcall;
use crate::support::events::{
    DIRECTORY, Employee, Event, ORGANIZATION, ada, directory, employee, minute,
};
use crate::support::macros::on_both;

on_both!(
    r25_two_under_one_address_are_listed_and_said_to_be_two_people,
    r20_said_to_be_the_same_person_both_directories_speak_for_them,
    r20_a_decision_outlives_late_events_and_replays,
    r20_a_decision_can_be_made_anew,
    r32_a_possible_rehire_is_listed_and_merged_by_hand_without_a_second_welcome,
    r25_whom_a_late_event_makes_wait_is_in_no_community_until_it_is_decided,
    r20_numbers_meet_where_a_new_mapping_finds_them,
    r20_one_number_in_two_directories_passes_on_neither_profile_nor_role,
    r20_a_shared_range_of_numbers_is_a_setting,
    r23_two_people_exchange_addresses_and_access_follows,
    r24_an_address_of_an_ended_link_is_a_new_persons_at_once,
    r33_a_start_told_after_the_return_onboards_once_more,
    r37_whom_no_new_directory_speaks_for_is_listed,
    r20_the_command_line_lists_conflicts_and_decides_them,
);

const ELSEWHERE: &str = "directory_02ELSEWHERE";

/// Somebody of another directory.
fn elsewhere(name: &str) -> Employee {
    Employee {
        directory: ELSEWHERE.to_owned(),
        ..employee(name)
    }
}

/// Somebody of another directory under Ada's address.
fn double(at: u64) -> Event {
    elsewhere("lovelace")
        .created(minute(at))
        .set("data.email", "Ada@test.example")
}

const DOUBLE: &str = "directory_user_lovelace";

async fn conflicts(app: &TestApp) -> Vec<Value> {
    let page = app.get("/v1/conflicts").await;
    page["data"].as_array().unwrap().clone()
}

async fn decide(app: &TestApp, user: &str, decision: Value) -> Value {
    let path = format!("/v1/conflicts/{user}/decide");
    app.call("POST", &path, decision).await.ok()
}

async fn id_of(app: &TestApp, user: &str) -> String {
    let shown = app.get(&format!("/v1/conflicts/{user}")).await;
    shown["profile"]["profile_id"].as_str().unwrap().to_owned()
}

async fn profile_of(app: &TestApp, user: &str) -> Value {
    let id = id_of(app, user).await;
    app.get(&format!("/v1/profiles/{id}")).await
}

async fn arm_with_a_welcome(app: &TestApp) {
    app.apply(&directory("dsync.activated", minute(0))).await;
    let path = format!("/v1/organizations/{ORGANIZATION}/messaging/enable");
    app.call("POST", &path, Value::Null).await.ok();
    let trigger = json!({
        "organization_id": ORGANIZATION, "name": "welcome", "on": "profile.activated", "status": "published",
        "steps": [{"channel": "webhook", "to": "http://127.0.0.1:9/hook"}],
    });
    app.call("POST", "/v1/triggers", trigger).await.ok();
}

async fn r25_two_under_one_address_are_listed_and_said_to_be_two_people(app: TestApp) {
    app.apply(&ada().created(minute(1))).await;
    app.apply(&double(2)).await;
    let hers = id_of(&app, &ada().id()).await;
    let all = conflicts(&app).await;
    assert_eq!(all.len(), 1, "{all:?}");
    assert_eq!(all[0]["directory_user_id"], DOUBLE);
    assert_eq!(
        (&all[0]["kind"], &all[0]["over"]),
        (&json!("conflict"), &json!("email"))
    );
    assert_eq!(all[0]["candidates"][0]["profile_id"], hers.as_str());
    let waits = profile_of(&app, DOUBLE).await;
    assert_eq!(
        (&waits["status"], &waits["access"]),
        (&json!("pending"), &json!(false))
    );
    let other = json!({"decision": "same_as"});
    let path = format!("/v1/conflicts/{DOUBLE}/decide");
    assert_eq!(app.call("POST", &path, other).await.status, 400);

    let shown = decide(&app, DOUBLE, json!({"decision": "new_person"})).await;
    assert_eq!(shown["state"], "decided");
    assert_eq!(shown["decisions"][0]["decided_by"], "bootstrap");
    let his = profile_of(&app, DOUBLE).await;
    assert_eq!(his["status"], "active");
    assert_eq!(his["email"], Value::Null, "the address stays hers");
    assert!(conflicts(&app).await.is_empty());
    let id = his["id"].as_str().unwrap();
    let told = app.get(&format!("/v1/profiles/{id}/history")).await;
    let told = told["data"].to_string();
    assert!(told.contains("bootstrap: conflict new person"), "{told}");
    app.apply(&ada().deactivated(minute(9))).await;
    let his = profile_of(&app, DOUBLE).await;
    assert_eq!(his["email"], "Ada@test.example");
}

async fn r20_said_to_be_the_same_person_both_directories_speak_for_them(app: TestApp) {
    app.apply(&ada().created(minute(1))).await;
    app.apply(&double(2)).await;
    let hers = id_of(&app, &ada().id()).await;
    let merged = decide(
        &app,
        DOUBLE,
        json!({"decision": "same_as", "profile_id": hers}),
    )
    .await;
    assert_eq!(merged["profile"]["profile_id"], hers.as_str());
    assert_eq!(app.count("profiles"), 1);
    let shown = app.get(&format!("/v1/profiles/{hers}")).await;
    assert_eq!(shown["links"].as_array().unwrap().len(), 2);
    app.apply(&ada().deleted(minute(9))).await;
    let shown = app.get(&format!("/v1/profiles/{hers}")).await;
    assert_eq!(shown["status"], "active", "R35: the other one speaks");
    let told = app.get(&format!("/v1/profiles/{hers}/history")).await;
    assert!(told["data"].to_string().contains("conflict same as"));
}

async fn r20_a_decision_outlives_late_events_and_replays(app: TestApp) {
    let (first, second) = (ada().created(minute(3)), double(4));
    app.apply(&first).await;
    app.apply(&second).await;
    let hers = id_of(&app, &ada().id()).await;
    decide(
        &app,
        DOUBLE,
        json!({"decision": "same_as", "profile_id": hers}),
    )
    .await;
    // Older than everything: the kin is folded again from nothing.
    app.apply(
        &elsewhere("lovelace")
            .updated(minute(1))
            .set("data.email", "other@test.example"),
    )
    .await;
    app.apply(&ada().updated(minute(2)).set("data.last_name", "Byron"))
        .await;
    assert_eq!(app.count("profiles"), 1);
    let before = app.dump();
    for event in [&first, &second] {
        app.replay(&event.id()).await;
        app.drain();
    }
    let after = app.dump();
    for table in ["profiles", "links", "changes", "identity_decisions"] {
        assert_eq!(before[table], after[table], "{table}");
    }
    assert_eq!(id_of(&app, &ada().id()).await, hers);
}

async fn r20_a_decision_can_be_made_anew(app: TestApp) {
    app.apply(&ada().created(minute(1))).await;
    app.apply(&double(2)).await;
    let hers = id_of(&app, &ada().id()).await;
    let nothing = format!("/v1/conflicts/{}/decide", ada().id());
    let said = json!({"decision": "new_person"});
    assert_eq!(app.call("POST", &nothing, said.clone()).await.status, 409);
    let same = json!({"decision": "same_as", "profile_id": hers});
    decide(&app, DOUBLE, same.clone()).await;
    assert_eq!(app.people().len(), 1);
    decide(&app, DOUBLE, said).await;
    assert_eq!(app.count("profiles WHERE status = 'active'"), 2);
    decide(&app, DOUBLE, same).await;
    assert_eq!(app.count("profiles"), 1);
    assert_eq!(id_of(&app, &ada().id()).await, hers);
}

async fn r32_a_possible_rehire_is_listed_and_merged_by_hand_without_a_second_welcome(app: TestApp) {
    arm_with_a_welcome(&app).await;
    app.apply(&ada().created(minute(1))).await;
    let former = app.profile(&ada()).id;
    let chess = app.community("chess", &[(&former, Role::Member)]);
    app.apply(&ada().deleted(minute(2))).await;
    let again = employee("lovelace")
        .created(minute(30))
        .set("data.email", ada().email())
        .set("data.custom_attributes.employment_start_date", "2026-12-01");
    app.apply(&again).await;
    assert_eq!(app.count("profiles"), 2);
    assert_eq!(app.count("deliveries"), 2, "a new person is greeted (R32)");
    let listed = app.get("/v1/conflicts?kind=possible_rehire").await;
    assert_eq!(listed["data"][0]["directory_user_id"], DOUBLE);
    let candidate = &listed["data"][0]["candidates"][0];
    assert_eq!(candidate["profile_id"], former.as_str());
    assert_eq!(candidate["status"], "removed");

    decide(
        &app,
        DOUBLE,
        json!({"decision": "same_as", "profile_id": former}),
    )
    .await;
    assert_eq!(app.count("profiles"), 1);
    assert_eq!(app.profile(&ada()).status, "active");
    assert_eq!(app.profile(&ada()).id, former);
    let members = app.members(&chess);
    assert_eq!(members.len(), 1, "the snapshot comes back (R31)");
    assert_eq!(app.count("deliveries"), 2, "nobody is greeted twice");
    assert!(conflicts(&app).await.is_empty());
}

async fn r25_whom_a_late_event_makes_wait_is_in_no_community_until_it_is_decided(app: TestApp) {
    app.apply(&double(20)).await;
    let his = profile_of(&app, DOUBLE).await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let chess = app.community("chess", &[(&his, Role::Admin)]);
    assert_eq!(app.members(&chess).len(), 1);
    // She was first under that address, as we hear only now.
    app.apply(&ada().created(minute(1))).await;
    let shown = app.get(&format!("/v1/profiles/{his}")).await;
    assert_eq!(shown["status"], "pending");
    assert!(app.members(&chess).is_empty());
    assert_eq!(shown["communities"], json!([]));
    decide(&app, DOUBLE, json!({"decision": "new_person"})).await;
    let seat = &app.members(&chess)[0];
    assert_eq!(
        (seat.profile_id.as_str(), seat.role.as_str()),
        (&*his, "admin")
    );
}

async fn r20_numbers_meet_where_a_new_mapping_finds_them(app: TestApp) {
    let badge = "data.custom_attributes.badge";
    app.apply(&ada().created(minute(1)).set(badge, "B-7")).await;
    let hers = id_of(&app, &ada().id()).await;
    let rules = json!({"rules": [{"target": "employee_number", "from": ["badge"]}]});
    let path = format!("/v1/organizations/{ORGANIZATION}/fields");
    app.call("PUT", &path, rules).await.ok();
    app.drain();
    let shared = json!({"settings": {"employee_numbers": "shared"}});
    let organization = format!("/v1/organizations/{ORGANIZATION}");
    app.call("PATCH", &organization, shared).await.ok();
    let second = elsewhere("lovelace").created(minute(5)).set(badge, "b-7");
    let second = second.set("data.email", Value::Null);
    app.apply(&second).await;
    let shown = profile_of(&app, DOUBLE).await;
    assert_eq!(shown["id"], hers.as_str(), "{shown}");
    assert_eq!(app.count("link_keys WHERE key = 'n:b-7'"), 2);
    // And meet no more where it is taken away.
    app.call("PUT", &path, json!({})).await.ok();
    app.drain();
    assert_eq!(app.count("link_keys WHERE key = 'n:b-7'"), 0);
    assert_eq!(app.count("profiles WHERE status = 'active'"), 2);
    assert_eq!(id_of(&app, &ada().id()).await, hers);
}

async fn access(app: &TestApp, email: &str) -> Value {
    app.get(&format!(
        "/v1/access?organization_id={ORGANIZATION}&email={email}"
    ))
    .await
}

const NUMBER: &str = "data.custom_attributes.employee_number";

async fn r20_one_number_in_two_directories_passes_on_neither_profile_nor_role(app: TestApp) {
    app.apply(&ada().created(minute(1)).set(NUMBER, "1001"))
        .await;
    let hers = id_of(&app, &ada().id()).await;
    let chess = app.community("chess", &[(&hers, Role::Admin)]);
    let other = elsewhere("lovelace");
    app.apply(&other.created(minute(2)).set(NUMBER, "1001"))
        .await;
    let his = id_of(&app, DOUBLE).await;
    assert_ne!(his, hers);
    assert!(conflicts(&app).await.is_empty());
    let answer = access(&app, &other.email()).await;
    assert_eq!(
        (&answer["allowed"], &answer["profile_id"]),
        (&json!(true), &json!(his))
    );
    app.apply(&ada().deleted(minute(3))).await;
    assert!(app.members(&chess).is_empty(), "nobody holds her role");
    let answer = access(&app, &other.email()).await;
    assert_eq!(answer["profile_id"], his.as_str());
}

async fn r20_a_shared_range_of_numbers_is_a_setting(app: TestApp) {
    app.apply(&ada().created(minute(1)).set(NUMBER, "1001"))
        .await;
    let second = elsewhere("lovelace").created(minute(2));
    let second = second.set(NUMBER, "1001").set("data.email", Value::Null);
    app.apply(&second).await;
    assert_eq!(app.count("profiles WHERE status = 'active'"), 2);
    let path = format!("/v1/organizations/{ORGANIZATION}");
    for (value, people) in [("shared", 1), ("per_directory", 2)] {
        let body = json!({"settings": {"employee_numbers": value}, "confirm": true});
        app.call("PATCH", &path, body).await.ok();
        app.drain();
        assert_eq!(
            app.count("profiles WHERE status = 'active'"),
            people,
            "{value}"
        );
    }
}

async fn r23_two_people_exchange_addresses_and_access_follows(app: TestApp) {
    let bob = employee("bob");
    app.apply(&ada().created(minute(1))).await;
    app.apply(&bob.created(minute(2))).await;
    let (hers, his) = (id_of(&app, &ada().id()).await, id_of(&app, &bob.id()).await);
    app.apply(&ada().updated(minute(3)).set("data.email", bob.email()))
        .await;
    assert_eq!(
        access(&app, &bob.email()).await["profile_id"],
        his.as_str(),
        "half done, it is still his"
    );
    app.apply(&bob.updated(minute(4)).set("data.email", ada().email()))
        .await;
    assert_eq!(
        access(&app, &bob.email()).await["profile_id"],
        hers.as_str()
    );
    assert_eq!(
        access(&app, &ada().email()).await["profile_id"],
        his.as_str()
    );
    assert!(conflicts(&app).await.is_empty());
}

async fn r24_an_address_of_an_ended_link_is_a_new_persons_at_once(app: TestApp) {
    app.apply(&ada().created(minute(1))).await;
    app.apply(&ada().deleted(minute(2))).await;
    let back = ada()
        .created(minute(3))
        .set("data.id", "directory_user_back");
    app.apply(&back).await;
    let moved = ada()
        .updated(minute(4))
        .set("data.id", "directory_user_back");
    app.apply(&moved.set("data.email", "lovelace@test.example"))
        .await;
    let new = employee("bob").created(minute(5));
    app.apply(&new.set("data.email", ada().email())).await;
    assert!(conflicts(&app).await.is_empty());
    let bob = id_of(&app, &employee("bob").id()).await;
    let answer = access(&app, &ada().email()).await;
    assert_eq!(
        (&answer["allowed"], &answer["profile_id"]),
        (&json!(true), &json!(bob))
    );
}

async fn r33_a_start_told_after_the_return_onboards_once_more(app: TestApp) {
    arm_with_a_welcome(&app).await;
    let start = "data.custom_attributes.employment_start_date";
    app.apply(&ada().created(minute(1)).set(start, "2026-11-23"))
        .await;
    app.apply(&ada().deactivated(minute(2))).await;
    app.apply(&ada().updated(minute(3)).set(start, "2026-11-23"))
        .await;
    assert_eq!(app.count("deliveries"), 1, "no new start, no welcome");
    app.apply(&ada().updated(minute(4)).set(start, "2026-12-01"))
        .await;
    assert_eq!(app.count("deliveries"), 2);
    assert_eq!(app.profile(&ada()).period, "2026-12-01");
    app.apply(&ada().updated(minute(5)).set(start, "2026-12-08"))
        .await;
    assert_eq!(app.count("deliveries"), 2, "the day moves, once greeted");
}

async fn r37_whom_no_new_directory_speaks_for_is_listed(app: TestApp) {
    app.apply(&directory("dsync.activated", minute(0))).await;
    for name in ["ada", "bob", "cyd"] {
        app.apply(&employee(name).created(minute(1))).await;
    }
    let path = format!("/v1/directories/{DIRECTORY}");
    assert_eq!(app.get(&path).await["unmatched"], 0);
    app.apply(&directory("dsync.deleted", minute(5))).await;
    let again = directory("dsync.activated", minute(6)).set("data.id", ELSEWHERE);
    app.apply(&again).await;
    for name in ["ada", "bob"] {
        let back = elsewhere(name)
            .created(minute(7))
            .set("data.id", format!("directory_user_again_{name}"));
        app.apply(&back).await;
    }
    assert_eq!(app.people().len(), 3, "nobody new");
    let shown = app.get(&path).await;
    assert_eq!(shown["unmatched"], 1, "{shown}");
    assert_eq!(shown["users"], json!({"active": 1, "moved": 2}));
    let people = shown["unmatched_people"].as_array().unwrap();
    assert_eq!(people.len(), 1);
    assert_eq!(people[0]["email"], employee("cyd").email());
    assert_eq!(people[0]["idp_id"], "idp_cyd");
}

/// The answer of a command, as JSON.
fn command(app: &TestApp, args: &[&str]) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let mut command = rollcall(&app.place.url(), folder.path());
    command.args(args).arg("--json");
    let done = tokio::task::block_in_place(|| command.output().unwrap());
    let words = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{args:?}: {words}");
    serde_json::from_slice(&done.stdout).unwrap()
}

async fn r20_the_command_line_lists_conflicts_and_decides_them(app: TestApp) {
    app.apply(&ada().created(minute(1))).await;
    app.apply(&double(2)).await;
    let listed = command(&app, &["conflicts", "list", "--kind", "conflict"]);
    assert_eq!(listed["data"][0]["directory_user_id"], DOUBLE);
    let hers = listed["data"][0]["candidates"][0]["profile_id"].as_str();
    let decide = [
        "conflicts",
        "decide",
        DOUBLE,
        "same-as",
        "--profile",
        hers.unwrap(),
    ];
    let tried = command(&app, &[&decide[..], &["--dry-run"]].concat());
    assert_eq!(tried["state"], "decided");
    assert_eq!(app.count("profiles"), 2, "it was a dry run");
    let done = command(&app, &decide);
    assert_eq!(done["decisions"][0]["decided_by"], "cli");
    assert_eq!(app.count("profiles"), 1);
    let shown = command(&app, &["conflicts", "show", DOUBLE]);
    assert_eq!(shown["profile"]["profile_id"].as_str(), hers);
    let shown = command(&app, &["directories", "show", ELSEWHERE]);
    assert_eq!(shown["unmatched_people"], json!([]));
}
