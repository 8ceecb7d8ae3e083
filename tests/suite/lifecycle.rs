//! What an organization's settings make of people: on leave, excluded, removed with their directory.

use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::events::{Employee, Event, ORGANIZATION, ada, directory, employee, minute};
use crate::support::macros::on_both;

on_both!(
    r34_whom_the_organization_calls_on_leave_keeps_seats_and_comes_back,
    r34_access_while_on_leave_is_the_organizations_choice,
    r45_whom_a_rule_shuts_out_gets_no_profile_and_no_message,
    r45_a_new_rule_lets_those_who_are_there_go_as_excluded_and_brings_them_back,
    r45_a_rule_that_would_empty_the_company_wants_to_be_confirmed,
    r36_an_organization_may_have_a_deleted_directorys_people_removed,
    r36_what_comes_late_of_a_removed_directory_brings_nobody_back,
    settings_are_refused_whole_with_every_problem_told,
);

pub async fn set(app: &TestApp, settings: Value) -> Value {
    let path = format!("/v1/organizations/{ORGANIZATION}");
    let body = json!({ "settings": settings });
    app.call("PATCH", &path, body).await.ok()
}

fn on_leave(word: &str) -> Value {
    json!({"when": {"field": "attributes.employment_status", "op": "eq", "value": word}})
}

fn contractors() -> Value {
    let when = json!({"field": "attributes.worker_type", "op": "eq", "value": "Contractor"});
    json!([{"name": "contractors", "when": when}])
}

fn with(event: Event, name: &str, value: &str) -> Event {
    event.set(&format!("data.custom_attributes.{name}"), value)
}

async fn access(app: &TestApp, of: &Employee) -> (bool, String) {
    let path = format!(
        "/v1/access?organization_id={}&email={}",
        of.organization,
        of.email()
    );
    let answer = app.get(&path).await;
    let reason = answer["reason"].as_str().unwrap().to_owned();
    (answer["allowed"].as_bool().unwrap(), reason)
}

async fn welcome(app: &TestApp) {
    let path = format!("/v1/organizations/{ORGANIZATION}/messaging/enable");
    app.call("POST", &path, Value::Null).await.ok();
    let trigger = json!({
        "organization_id": ORGANIZATION, "name": "welcome", "on": "profile.activated", "status": "published",
        "steps": [{"channel": "webhook", "to": "http://127.0.0.1:9/hook"}],
    });
    app.call("POST", "/v1/triggers", trigger).await.ok();
}

async fn r34_whom_the_organization_calls_on_leave_keeps_seats_and_comes_back(app: TestApp) {
    app.apply(&ada().created(minute(0))).await;
    let id = app.profile(&ada()).id;
    let chess = app.community("chess", &[(&id, rollcall::domain::Role::Admin)]);
    set(&app, json!({"on_leave": on_leave("Parental leave")})).await;
    let leaves = with(
        ada().updated(minute(1)),
        "employment_status",
        "Parental leave",
    );
    let event = app.apply(&leaves).await;
    assert!(
        event["reason"].as_str().unwrap().contains("on_leave"),
        "{event}"
    );
    assert_eq!(app.profile(&ada()).status, "on_leave");
    assert_eq!(app.people(), Vec::<String>::new());
    assert_eq!(app.members(&chess).len(), 1);
    assert_eq!(access(&app, &ada()).await, (true, "on_leave".to_owned()));
    let back = with(ada().updated(minute(2)), "employment_status", "Active");
    app.apply(&back).await;
    assert_eq!(app.profile(&ada()).status, "active");
    assert_eq!(app.members(&chess)[0].role, "admin");
    // An older word of the leave changes nothing any more.
    let late = with(
        ada().updated(minute(1)),
        "employment_status",
        "Parental leave",
    );
    assert_eq!(app.apply(&late).await["outcome"], "stale");
}

async fn r34_access_while_on_leave_is_the_organizations_choice(app: TestApp) {
    app.apply(&with(
        ada().created(minute(0)),
        "employment_status",
        "Leave",
    ))
    .await;
    let told = set(&app, json!({"on_leave": on_leave("Leave")})).await;
    assert_eq!(told["settings"]["on_leave"]["access"], true);
    assert_eq!(
        app.profile(&ada()).status,
        "on_leave",
        "applied to everybody"
    );
    set(&app, json!({"on_leave": {"access": false}})).await;
    assert_eq!(access(&app, &ada()).await, (false, "on_leave".to_owned()));
    let shown = app
        .get(&format!("/v1/profiles/{}", app.profile(&ada()).id))
        .await;
    assert_eq!(shown["access"], false, "{shown}");
    set(&app, json!({"on_leave": null})).await;
    assert_eq!(access(&app, &ada()).await, (true, "active".to_owned()));
}

async fn r45_whom_a_rule_shuts_out_gets_no_profile_and_no_message(app: TestApp) {
    app.apply(&directory("dsync.activated", minute(0))).await;
    welcome(&app).await;
    set(&app, json!({"exclude": contractors()})).await;
    let hired = with(ada().created(minute(1)), "worker_type", "Contractor");
    let event = app.apply(&hired).await;
    assert!(
        event["reason"].as_str().unwrap().contains("excluded"),
        "{event}"
    );
    assert_eq!(app.people(), Vec::<String>::new());
    assert!(!access(&app, &ada()).await.0);
    assert_eq!(app.count("deliveries"), 0);
    let row = app.profile(&ada());
    assert_eq!(
        (row.status.as_str(), row.removed_reason.as_deref()),
        ("pending", Some("excluded"))
    );
    assert!(row.warnings.contains("contractors"), "{}", row.warnings);
    // Taken on for good, she is somebody new: R27 and the triggers.
    app.apply(&with(ada().updated(minute(2)), "worker_type", "Employee"))
        .await;
    assert_eq!(app.people(), [ada().email()]);
    assert_eq!(app.count("deliveries"), 1);
}

async fn r45_a_new_rule_lets_those_who_are_there_go_as_excluded_and_brings_them_back(app: TestApp) {
    app.apply(&with(ada().created(minute(0)), "worker_type", "Contractor"))
        .await;
    app.apply(&employee("bob").created(minute(0))).await;
    let id = app.profile(&ada()).id;
    let chess = app.community("chess", &[(&id, rollcall::domain::Role::Member)]);
    let told = set(&app, json!({"exclude": contractors()})).await;
    assert_eq!(
        (&told["people_before"], &told["people_after"]),
        (&json!(2), &json!(1))
    );
    let row = app.profile(&ada());
    assert_eq!(
        (row.status.as_str(), row.removed_reason.as_deref()),
        ("removed", Some("excluded"))
    );
    assert_eq!(app.members(&chess).len(), 0);
    let last = app.history(&id);
    assert!(
        last.iter()
            .any(|one| one.what == "status" && one.actor == "bootstrap")
    );
    // The next word about her changes nothing of it, and the same rule sent again is no news.
    let same = with(ada().updated(minute(1)), "worker_type", "Contractor");
    app.apply(&same).await;
    let told = set(&app, json!({"exclude": contractors()})).await;
    assert_eq!(told["reapplied"], 0);
    assert_eq!(
        app.profile(&ada()).removed_reason.as_deref(),
        Some("excluded")
    );
    set(&app, json!({"exclude": []})).await;
    assert_eq!(app.profile(&ada()).status, "active");
    assert_eq!(app.members(&chess).len(), 1);
}

async fn r45_a_rule_that_would_empty_the_company_wants_to_be_confirmed(app: TestApp) {
    let all: Vec<Event> = (0..30)
        .map(|n| {
            let hired = employee(&format!("p{n:02}")).created(minute(0));
            with(hired, "worker_type", "Contractor")
        })
        .collect();
    app.enqueue(&all);
    app.drain();
    let path = format!("/v1/organizations/{ORGANIZATION}");
    let mut body = json!({"settings": {"exclude": contractors()}});
    let refused = app.call("PATCH", &path, body.clone()).await;
    assert_eq!(refused.status, 409, "{refused:?}");
    assert!(refused.text.contains("30 of 30"), "{refused:?}");
    assert_eq!(app.people().len(), 30);
    assert_eq!(app.get(&path).await["settings"]["exclude"], json!([]));
    body["confirm"] = json!(true);
    app.call("PATCH", &path, body).await.ok();
    assert_eq!(app.people().len(), 0);
}

async fn r36_an_organization_may_have_a_deleted_directorys_people_removed(app: TestApp) {
    app.apply(&directory("dsync.activated", minute(0))).await;
    set(&app, json!({"on_directory_deleted": "remove"})).await;
    let number = "data.custom_attributes.employee_number";
    app.apply(&ada().created(minute(1)).set(number, "7")).await;
    app.apply(&employee("bob").created(minute(1))).await;
    let second = ada()
        .created(minute(2))
        .set(number, "7")
        .set("data.id", "directory_user_ada_elsewhere")
        .set("data.idp_id", "idp_ada_elsewhere")
        .set("data.directory_id", "directory_02ELSEWHERE");
    app.apply(&second).await;
    let gone = directory("dsync.deleted", minute(5));
    let event = app.apply(&gone).await;
    assert!(
        event["reason"].as_str().unwrap().contains("removed"),
        "{event}"
    );
    assert_eq!(
        app.people(),
        [ada().email()],
        "R35: another directory speaks for her"
    );
    assert_eq!(app.get("/v1/holds").await["data"], json!([]));
    let his = app.history(&app.profile(&employee("bob")).id);
    let last = his.iter().rfind(|one| one.what == "status").unwrap();
    assert_eq!(last.event_id.as_deref(), Some(gone.id().as_str()));
    let before = app.count("changes");
    app.replay(&gone.id()).await;
    app.drain();
    assert_eq!(app.count("changes"), before, "R18");
}

async fn r36_what_comes_late_of_a_removed_directory_brings_nobody_back(app: TestApp) {
    app.apply(&directory("dsync.activated", minute(0))).await;
    set(&app, json!({"on_directory_deleted": "remove"})).await;
    let (late, gone) = (
        employee("bob").created(minute(1)),
        directory("dsync.deleted", minute(5)),
    );
    app.enqueue(&[ada().created(minute(1)), ada().updated(minute(2)), gone]);
    app.drain();
    app.apply(&late).await;
    assert_eq!(app.people(), Vec::<String>::new());
    assert_eq!(app.profile(&employee("bob")).status, "removed");
    assert_eq!(app.profile(&ada()).status, "removed");
}

async fn settings_are_refused_whole_with_every_problem_told(app: TestApp) {
    app.apply(&ada().created(minute(0))).await;
    let path = format!("/v1/organizations/{ORGANIZATION}");
    let before = app.get(&path).await;
    let wrong = json!({"settings": {
        "restore_admin": "perhaps",
        "colour": "blue",
        "mapping": {"rules": []},
        "removal_guard": {"floor": -1},
    }});
    let answer = app.call("PATCH", &path, wrong).await;
    assert!([400, 422].contains(&answer.status), "{answer:?}");
    for place in [
        "restore_admin",
        "colour",
        "mapping",
        "removal_guard",
        "on_leave",
    ] {
        assert!(answer.text.contains(place), "{place} in {}", answer.text);
    }
    let by_group = json!({"settings": {
        "exclude": [{"when": {"field": "group", "op": "eq", "value": "crew"}}],
        "succession": {"fallback_owner": "profile_nobody"},
        "poll_cycle_minutes": 100_000,
    }});
    let answer = app.call("PATCH", &path, by_group).await;
    assert!([400, 422].contains(&answer.status), "{answer:?}");
    for place in ["exclude[0].when", "fallback_owner", "poll_cycle_minutes"] {
        assert!(answer.text.contains(place), "{place} in {}", answer.text);
    }
    assert_eq!(app.get(&path).await, before);
    let parts = set(&app, json!({"removal_guard": {"floor": 3}})).await;
    assert_eq!(
        parts["settings"]["removal_guard"],
        json!({"floor": 3, "percent": 5, "settle_seconds": 0, "access": "suspend"})
    );
}
