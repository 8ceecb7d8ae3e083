//! Who may call what: every route of `/v1` with no token, as an operator of another organization, as
//! a viewer, an operator and an admin. A route that is not in the table fails the test.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::contract::document;
use crate::support::events::{Employee, ORGANIZATION, ada, directory, employee, minute};
use crate::support::macros::on_both;
use crate::support::source::sources;

on_both!(every_route_asks_for_its_role_and_shows_an_outsider_nothing);

/// Method, path, and the status for an outsider, a viewer, an operator, then an admin. They are
/// called in this order, so what an operator ended an admin finds ended.
const ROUTES: &[(&str, &str, [u16; 4])] = &[
    (
        "GET",
        "/organizations/{organization}/directory-sync",
        [404, 200, 200, 200],
    ),
    (
        "POST",
        "/organizations/{organization}/directory-sync/link",
        [403, 403, 403, 409],
    ),
    (
        "POST",
        "/organizations/{organization}/directory-sync-link",
        [403, 403, 403, 409],
    ),
    (
        "POST",
        "/organizations/{organization}/directory-sync/link/revoke",
        [403, 403, 403, 409],
    ),
    (
        "POST",
        "/directories/{directory}/sync",
        [404, 403, 409, 409],
    ),
    ("POST", "/profiles/{profile}/resync", [409, 409, 409, 409]),
    (
        "POST",
        "/directories/{directory}/reconcile",
        [409, 409, 409, 409],
    ),
    ("GET", "/reconciles", [200, 200, 200, 200]),
    ("GET", "/reconciles/{missing}", [404, 404, 404, 404]),
    ("POST", "/reconciles/{missing}/apply", [404, 403, 404, 404]),
    ("POST", "/logins", [404, 403, 200, 200]),
    ("GET", "/gaps", [200, 200, 200, 200]),
    ("GET", "/audit", [200, 200, 200, 200]),
    ("GET", "/events", [200, 200, 200, 200]),
    ("GET", "/events/{event}", [404, 200, 200, 200]),
    ("POST", "/events/{event}/discard", [404, 403, 409, 409]),
    ("POST", "/events/{event}/replay", [404, 403, 200, 409]),
    ("POST", "/events/replay", [200, 403, 200, 200]),
    (
        "GET",
        "/organizations/{organization}/fields",
        [404, 200, 200, 200],
    ),
    (
        "POST",
        "/organizations/{organization}/fields/preview",
        [404, 200, 200, 200],
    ),
    ("GET", "/jobs", [200, 200, 200, 200]),
    ("GET", "/jobs/{job}", [404, 200, 200, 200]),
    ("POST", "/jobs/{job}/cancel", [404, 403, 200, 409]),
    ("POST", "/jobs/{job}/retry", [404, 403, 409, 409]),
    (
        "PUT",
        "/organizations/{organization}/fields",
        [404, 403, 200, 200],
    ),
    ("GET", "/profiles", [200, 200, 200, 200]),
    ("GET", "/profiles/{profile}", [404, 200, 200, 200]),
    ("GET", "/profiles/{profile}/history", [404, 200, 200, 200]),
    ("GET", "/access", [200, 200, 200, 200]),
    ("GET", "/organizations", [200, 200, 200, 200]),
    ("GET", "/organizations/{organization}", [404, 200, 200, 200]),
    (
        "PATCH",
        "/organizations/{organization}",
        [404, 403, 200, 200],
    ),
    ("GET", "/admin-restorations", [200, 200, 200, 200]),
    ("GET", "/groups", [200, 200, 200, 200]),
    ("GET", "/groups/pending-members", [200, 200, 200, 200]),
    (
        "POST",
        "/organizations/{organization}/messaging/enable",
        [404, 403, 200, 200],
    ),
    (
        "POST",
        "/organizations/{organization}/messaging/disable",
        [404, 403, 200, 200],
    ),
    ("GET", "/directories", [200, 200, 200, 200]),
    ("GET", "/directories/{directory}", [404, 200, 200, 200]),
    (
        "POST",
        "/directories/{decided}/decide",
        [404, 403, 200, 409],
    ),
    ("GET", "/failures", [200, 200, 200, 200]),
    ("GET", "/holds", [200, 200, 200, 200]),
    ("GET", "/holds/{approved}", [404, 200, 200, 200]),
    ("POST", "/holds/{approved}/approve", [404, 403, 200, 409]),
    ("POST", "/holds/{rejected}/reject", [404, 403, 200, 409]),
    ("POST", "/holds/{approved}/undo", [404, 403, 200, 409]),
    ("GET", "/conflicts", [200, 200, 200, 200]),
    ("GET", "/conflicts/{asked}", [404, 200, 200, 200]),
    ("POST", "/conflicts/{asked}/decide", [404, 403, 200, 200]),
    ("GET", "/communities", [200, 200, 200, 200]),
    ("POST", "/communities", [404, 403, 201, 409]),
    ("GET", "/communities/{community}", [404, 200, 200, 200]),
    ("PATCH", "/communities/{community}", [404, 403, 200, 200]),
    ("PUT", "/communities/{community}", [404, 403, 200, 200]),
    (
        "PUT",
        "/communities/{community}/rules",
        [404, 403, 200, 200],
    ),
    (
        "GET",
        "/communities/{community}/members",
        [404, 200, 200, 200],
    ),
    (
        "PUT",
        "/communities/{community}/members/{profile}",
        [404, 403, 200, 200],
    ),
    (
        "POST",
        "/admin-restorations/{restoration}/restore",
        [404, 403, 409, 409],
    ),
    (
        "POST",
        "/admin-restorations/{restoration}/dismiss",
        [404, 403, 409, 409],
    ),
    (
        "DELETE",
        "/communities/{community}/members/{profile}",
        [404, 403, 204, 404],
    ),
    ("DELETE", "/communities/{community}", [404, 403, 204, 404]),
    ("GET", "/triggers", [200, 200, 200, 200]),
    ("POST", "/triggers", [404, 403, 201, 409]),
    ("GET", "/triggers/{trigger}", [404, 200, 200, 200]),
    ("PUT", "/triggers/{trigger}", [404, 403, 200, 200]),
    ("POST", "/triggers/{trigger}/preview", [404, 200, 200, 200]),
    ("GET", "/deliveries", [200, 200, 200, 200]),
    ("GET", "/deliveries/{delivery}", [404, 200, 200, 200]),
    ("POST", "/deliveries/retry", [200, 403, 200, 200]),
    ("POST", "/deliveries/{delivery}/retry", [404, 403, 409, 409]),
    (
        "POST",
        "/deliveries/{delivery}/cancel",
        [404, 403, 200, 409],
    ),
    ("GET", "/destinations", [200, 200, 200, 200]),
    (
        "POST",
        "/destinations/{destination}/resume",
        [404, 403, 403, 409],
    ),
    (
        "POST",
        "/destinations/{destination}/replay",
        [404, 403, 200, 200],
    ),
    ("POST", "/triggers/{trigger}/test", [404, 403, 200, 200]),
    ("POST", "/triggers/apply", [404, 403, 200, 200]),
    ("GET", "/triggers/{trigger}/versions", [404, 200, 200, 200]),
    (
        "GET",
        "/organizations/{organization}/messages",
        [404, 200, 200, 200],
    ),
    (
        "PUT",
        "/organizations/{organization}/messages",
        [404, 403, 200, 200],
    ),
    ("GET", "/opt-outs", [404, 200, 200, 200]),
    ("POST", "/opt-outs", [404, 403, 201, 201]),
    ("DELETE", "/opt-outs", [404, 403, 204, 404]),
    ("DELETE", "/triggers/{trigger}", [404, 403, 204, 404]),
    ("GET", "/directories/{decided}", [404, 200, 200, 200]),
    (
        "POST",
        "/profiles/{profile}/legal-hold",
        [404, 403, 201, 409],
    ),
    (
        "GET",
        "/profiles/{profile}/legal-hold",
        [404, 403, 200, 200],
    ),
    (
        "DELETE",
        "/profiles/{profile}/legal-hold",
        [403, 403, 403, 200],
    ),
    ("POST", "/profiles/{profile}/erase", [403, 403, 403, 200]),
];

/// A path with every parameter blank.
fn shape(path: &str) -> String {
    let parts = path.split('/');
    let blank = |part: &str| {
        if part.starts_with('{') {
            "{}".to_owned()
        } else {
            part.to_owned()
        }
    };
    parts.map(blank).collect::<Vec<_>>().join("/")
}

/// Every route that the document has, which is made of the table that registers them.
fn registered() -> BTreeSet<(String, String)> {
    let mut all = BTreeSet::new();
    for (path, methods) in document()["paths"].as_object().unwrap() {
        let path = path.strip_prefix("/v1").unwrap();
        for method in methods.as_object().unwrap().keys() {
            all.insert((method.to_uppercase(), shape(path)));
        }
    }
    all
}

#[test]
fn the_table_names_every_route() {
    let listed: BTreeSet<(String, String)> = ROUTES
        .iter()
        .map(|(method, path, _)| ((*method).to_owned(), shape(path)))
        .collect();
    assert_eq!(listed, registered());
}

/// A route that is registered past the table would be in no document.
#[test]
fn every_route_is_registered_by_the_table() {
    for source in sources().iter().filter(|one| one.is_under("http/v1")) {
        for word in [".route(", "web::resource", "web::scope", ".service("] {
            assert!(!source.code.contains(word), "{}: {word}", source.path);
        }
    }
}

/// Whom the table expects to be turned away by role is whom the document says.
#[test]
fn the_document_says_the_role_that_a_route_needs() {
    for (method, path, [_, viewer, operator, _]) in ROUTES {
        let mut paths = document()["paths"].as_object().unwrap().iter();
        let same = |(one, _): &(&String, &Value)| shape(one) == shape(&format!("/v1{path}"));
        let (_, methods) = paths.find(same).unwrap();
        let told = &methods[method.to_lowercase()]["security"][0]["bearer"][0];
        let role = match (viewer, operator) {
            (403, 403) if !path.ends_with("/resume") => "admin",
            (403, _) => "operator",
            // Without WorkOS's key these end before the role is looked at.
            (409, 409) => continue,
            _ => "viewer",
        };
        assert_eq!(told, role, "{method} {path}");
    }
}

fn trigger(name: &str) -> Value {
    json!({
        "organization_id": ORGANIZATION, "name": name, "on": "profile.activated", "status": "published",
        "steps": [{"channel": "webhook", "to": "http://127.0.0.1:9/hook"}],
    })
}

async fn made(app: &TestApp, path: &str, body: Value) -> String {
    let one = app.call("POST", path, body).await.ok();
    one["id"].as_str().unwrap().to_owned()
}

/// One thing of every kind, by the names of the table.
async fn things(app: &TestApp) -> BTreeMap<&'static str, String> {
    app.apply(&directory("dsync.activated", minute(0))).await;
    app.call(
        "POST",
        &format!("/v1/organizations/{ORGANIZATION}/messaging/enable"),
        Value::Null,
    )
    .await
    .ok();
    let mut all = BTreeMap::from([("organization", ORGANIZATION.to_owned())]);
    all.insert("trigger", made(app, "/v1/triggers", trigger("one")).await);
    let event = ada().created(minute(1));
    app.apply(&event).await;
    app.apply(&employee("bob").created(minute(1))).await;
    all.insert("event", event.id());
    let asked = employee("bobby")
        .created(minute(4))
        .set("data.email", employee("bob").email());
    app.apply(&asked).await;
    all.insert("asked", employee("bobby").id());
    all.insert("profile", app.profile(&ada()).id);
    all.insert("directory", ada().directory);
    let body = json!({"organization_id": ORGANIZATION, "name": "chess"});
    all.insert("community", made(app, "/v1/communities", body).await);
    let deliveries = app.get("/v1/deliveries").await;
    let delivery = deliveries["data"][0]["id"].as_str().unwrap().to_owned();
    all.insert("delivery", delivery);
    let destinations = app.get("/v1/destinations").await;
    let destination = destinations["data"][0]["id"].as_str().unwrap().to_owned();
    all.insert("destination", destination);
    for name in ["decided", "approved", "rejected"] {
        let id = format!("directory_{name}");
        let employee = Employee {
            directory: id.clone(),
            ..employee(name)
        };
        let change = |kind: &str, at: u64| directory(kind, minute(at)).set("data.id", id.clone());
        app.apply(&change("dsync.activated", 2)).await;
        // A hold over nobody is not opened.
        app.apply(&employee.created(minute(2))).await;
        app.apply(&change("dsync.deleted", 3)).await;
        let holds = app.get("/v1/holds?state=open").await;
        let hold = holds["data"]
            .as_array()
            .unwrap()
            .iter()
            .find(|one| one["directory_id"] == id.as_str());
        let hold = hold.unwrap()["id"].as_str().unwrap().to_owned();
        all.insert(name, if name == "decided" { id } else { hold });
    }
    let fields = format!("/v1/organizations/{ORGANIZATION}/fields");
    let mapped = app.call("PUT", &fields, json!({"rest": false})).await.ok();
    let job = mapped["job"]["id"].as_str().unwrap();
    all.insert("job", job.to_owned());
    let restoration = format!("{}.{}", all["community"], all["profile"]);
    all.insert("restoration", restoration);
    all
}

fn filled(method: &str, path: &str, things: &BTreeMap<&str, String>) -> String {
    let mut full = format!("/v1{path}");
    for (name, id) in things {
        full = full.replace(&format!("{{{name}}}"), id);
    }
    if path == "/opt-outs" {
        full = format!("{full}?organization_id={ORGANIZATION}");
    }
    if method == "DELETE" && path == "/opt-outs" {
        full = format!("{full}&email=no@test.example");
    }
    if path == "/access" {
        full = format!("{full}?profile_id={}", things["profile"]);
    }
    full
}

fn body(method: &str, path: &str, things: &BTreeMap<&str, String>) -> Option<Value> {
    let (_, last) = path.rsplit_once('/').unwrap();
    match (method, last) {
        ("GET" | "DELETE", _) => None,
        (_, "logins") => Some(
            json!({"profile": {"organization_id": ORGANIZATION, "email": "nobody@test.example"}}),
        ),
        (_, "legal-hold") => Some(json!({"reason": "case 4711"})),
        (_, "discard") => Some(json!({"reason": "a test"})),
        (_, "decide") if path.starts_with("/conflicts") => Some(json!({"decision": "new_person"})),
        (_, "decide") => Some(json!({"decision": "keep"})),
        (_, "apply") => Some(json!({"organization_id": ORGANIZATION, "triggers": []})),
        ("PUT", "messages") => Some(json!({})),
        ("POST", "opt-outs") => {
            Some(json!({"organization_id": ORGANIZATION, "email": "no@test.example"}))
        }
        (_, "preview") if path.ends_with("/fields/preview") => Some(json!({})),
        (_, "preview") => Some(json!({"profile_id": things["profile"]})),
        ("PATCH", "{organization}") => Some(json!({"settings": {"restore_admin": "always"}})),
        ("PUT", "fields") => Some(json!({})),
        ("POST", "replay") if path == "/events/replay" => {
            Some(json!({"type": "dsync.user.created"}))
        }
        ("POST", "retry") if path == "/deliveries/retry" => Some(json!({"dry_run": true})),
        ("POST", "replay") if path.starts_with("/destinations") => Some(json!({"dry_run": true})),
        (_, "test") => Some(json!({"profile_id": things["profile"]})),
        (_, "rules") => Some(json!([])),
        (_, "communities") => Some(json!({"organization_id": ORGANIZATION, "name": "choir"})),
        (_, "triggers") => Some(trigger("two")),
        (_, "{community}") => Some(json!({"name": "Chess"})),
        (_, "{trigger}") => Some(trigger("one")),
        (_, "{profile}") => Some(json!({"role": "member"})),
        _ => None,
    }
}

async fn every_route_asks_for_its_role_and_shows_an_outsider_nothing(app: TestApp) {
    let things = things(&app).await;
    let callers = [
        app.token("outsider", "operator", Some("org_OTHER")),
        app.token("viewer", "viewer", None),
        app.token("operator", "operator", Some(ORGANIZATION)),
        app.token("admin", "admin", None),
    ];
    let mut wrong = Vec::new();
    for &(method, path, expected) in ROUTES {
        let (full, body) = (filled(method, path, &things), body(method, path, &things));
        for token in [None, Some("nobody's")] {
            let answer = app.http.api_as(token, method, &full, body.as_ref()).await;
            assert_eq!(answer.status, 401, "{method} {path} {token:?}");
        }
        for (token, status) in callers.iter().zip(expected) {
            let answer = app
                .http
                .api_as(Some(token), method, &full, body.as_ref())
                .await;
            if answer.status != status {
                wrong.push(format!(
                    "{method} {path} {token}: {} {}",
                    answer.status, answer.text
                ));
            }
            if token == "outsider" {
                for secret in [&things["profile"], &things["community"], &things["event"]] {
                    let told = answer.status == 200 && answer.text.contains(secret.as_str());
                    // The answer about a profile that is not there repeats nothing.
                    assert!(!told, "{method} {path} tells an outsider: {}", answer.text);
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    app.drain();
}
