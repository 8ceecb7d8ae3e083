//! The API's own document: anybody may read it, the command prints the same, every name in it leads
//! somewhere, and what it does not allow is refused as it says.

use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::binary::rollcall;
use crate::support::contract::document;
use crate::support::events::{ORGANIZATION, ada, minute};
use crate::support::macros::on_both;

on_both!(
    anybody_may_read_the_document,
    a_method_that_a_path_does_not_take_is_told_which_it_does,
    text_that_no_database_keeps_is_refused_everywhere,
    a_body_that_is_none_is_a_problem,
);

async fn anybody_may_read_the_document(app: TestApp) {
    let answer = app.http.call("GET", "/openapi.json").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(&answer.body, document());
    assert_eq!(answer.body["openapi"], "3.1.0");
}

#[test]
fn the_command_prints_it_without_a_database() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = rollcall("postgres://nobody@127.0.0.1:1/nothing", folder.path());
    let out = command.arg("openapi").output().unwrap();
    assert!(out.status.success(), "{out:?}");
    let printed: Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(&printed, document());
}

/// Every `$ref` below a value.
fn references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (key, inner) in fields {
                match inner {
                    Value::String(place) if key == "$ref" => found.push(place.clone()),
                    inner => references(inner, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

#[test]
fn every_reference_leads_somewhere_and_every_shape_is_used() {
    let mut found = Vec::new();
    references(document(), &mut found);
    for place in &found {
        let pointer = place.strip_prefix('#').unwrap();
        assert!(document().pointer(pointer).is_some(), "{place}");
    }
    for name in document()["components"]["schemas"]
        .as_object()
        .unwrap()
        .keys()
    {
        let place = format!("#/components/schemas/{name}");
        assert!(found.contains(&place), "nothing uses {name}");
    }
}

#[test]
fn every_route_says_what_it_is_for_by_a_name_of_its_own() {
    let mut names = std::collections::BTreeSet::new();
    for (path, methods) in document()["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let name = operation["operationId"].as_str().unwrap();
            assert!(names.insert(name), "{name} is there twice");
            assert!(
                operation["summary"].as_str().unwrap().ends_with('.'),
                "{method} {path}"
            );
            let told = operation["parameters"].as_array().unwrap().iter();
            let in_path = told.filter(|one| one["in"] == "path").count();
            assert_eq!(in_path, path.matches('{').count(), "{method} {path}");
            let answers = operation["responses"].as_object().unwrap();
            assert!(
                answers.keys().any(|status| status.starts_with('2')),
                "{method} {path}"
            );
        }
    }
}

async fn a_method_that_a_path_does_not_take_is_told_which_it_does(app: TestApp) {
    for (method, path, allow) in [
        ("DELETE", "/v1/events", "GET"),
        ("GET", "/v1/events/replay", "POST"),
        ("HEAD", "/v1/events", "GET"),
        ("POST", "/v1/triggers/trigger_1", "DELETE, GET, PUT"),
        ("OPTIONS", "/v1/opt-outs", "DELETE, GET, POST"),
    ] {
        let answer = app.http.plain(method, path).await;
        assert_eq!(answer.status, 405, "{method} {path}");
        let mut told: Vec<&str> = answer.header("allow").split(", ").collect();
        told.sort_unstable();
        assert_eq!(told.join(", "), allow, "{method} {path}");
    }
}

async fn text_that_no_database_keeps_is_refused_everywhere(app: TestApp) {
    app.apply(&ada().created(minute(1))).await;
    for path in [
        "/v1/events?q=%00",
        "/v1/profiles/%00",
        "/v1/profiles?q=a%00b",
    ] {
        let answer = app.call("GET", path, Value::Null).await;
        assert_eq!(answer.status, 400, "{path}: {}", answer.text);
    }
    let bodies = [
        (
            "/v1/communities",
            json!({"organization_id": ORGANIZATION, "name": "a\0b"}),
        ),
        ("/v1/events/replay", json!({"q": "a\0b"})),
        ("/v1/events/replay", json!({"ids": ["\0"]})),
        (
            "/v1/logins",
            json!({"profile": {"organization_id": "\0", "email": "a@b.example"}}),
        ),
    ];
    for (path, body) in bodies {
        let answer = app.call("POST", path, body).await;
        assert_eq!(answer.status, 400, "{path}: {}", answer.text);
    }
}

async fn a_body_that_is_none_is_a_problem(app: TestApp) {
    let path = "/v1/communities";
    for body in [
        json!([]),
        json!("x"),
        json!(1e300),
        json!({"name": {}}),
        Value::Null,
    ] {
        let answer = app.call("POST", path, body).await;
        assert_eq!(answer.status, 400, "{}", answer.text);
        assert_eq!(answer.body["type"], "urn:rollcall:problem:bad-body");
    }
    // serde would read a list as an object's fields in their order.
    let chess = app.community("chess", &[]);
    let path_of_one = format!("/v1/communities/{chess}");
    let list = app.call("PATCH", &path_of_one, json!([null, null])).await;
    assert_eq!(list.status, 400, "{}", list.text);
    let rules = format!("{path_of_one}/rules");
    app.call("PUT", &rules, json!([])).await.ok();
    let long = json!({"organization_id": ORGANIZATION, "name": "x".repeat(1024 * 1024)});
    let answer = app.call("POST", path, long).await;
    assert_eq!(answer.status, 413, "{}", answer.text);
}
