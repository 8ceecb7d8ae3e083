//! Values that somebody may not see, asked for by conditions and templates: every place that takes one asks
//! whether the field is theirs to see.

use rollcall::db::Backend;
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::binary::rollcall;
use crate::support::contract::document;
use crate::support::events::{Event, ORGANIZATION, ada, employee, minute};
use crate::support::macros::on_both;

on_both!(
    no_condition_or_template_tells_what_its_author_may_not_see,
    r65_an_erasure_reaches_searches_reasons_and_the_log_after_late_events,
    r65_the_erasure_key_may_lie_outside_of_the_database,
);

const PAY: &str = "attributes.pay";

fn when() -> Value {
    json!({"not": {"all": [{"field": PAY, "op": "eq", "value": "90210"}]}})
}

fn trigger(when: &Value, text: &str) -> Value {
    json!({
        "organization_id": ORGANIZATION, "name": "tells", "on": "profile.updated", "when": when,
        "steps": [{"channel": "email", "to": "thief@x.example", "subject": "hi", "text": text}],
    })
}

/// Every place that takes a condition or a template, and a body that asks for the hidden field.
fn places(
    community: &str,
    written: &str,
    own: &str,
    profile: &str,
) -> Vec<(&'static str, String, Value)> {
    let home = format!("/v1/organizations/{ORGANIZATION}");
    let text = "{{ attributes.pay }}";
    let rule = json!([{"when": when(), "role": "member"}]);
    vec![
        ("POST", "/v1/triggers".into(), trigger(&when(), "hi")),
        ("POST", "/v1/triggers".into(), trigger(&Value::Null, text)),
        ("PUT", format!("/v1/triggers/{own}"), trigger(&when(), "hi")),
        (
            "POST",
            format!("/v1/triggers/{written}/preview"),
            json!({"profile_id": profile}),
        ),
        (
            "POST",
            "/v1/triggers/apply".into(),
            json!({"organization_id": ORGANIZATION, "dry_run": true, "triggers": [trigger(&when(), text)]}),
        ),
        (
            "POST",
            "/v1/communities".into(),
            json!({"organization_id": ORGANIZATION, "name": "rich", "rules": rule}),
        ),
        (
            "PUT",
            format!("/v1/communities/{community}/rules"),
            json!({"rules": rule}),
        ),
        (
            "PATCH",
            format!("/v1/communities/{community}"),
            json!({"rules": rule}),
        ),
        (
            "PUT",
            format!("/v1/communities/{community}"),
            json!({"rules": rule}),
        ),
        (
            "PATCH",
            home.clone(),
            json!({"settings": {"on_leave": {"when": when()}}}),
        ),
        (
            "PATCH",
            home.clone(),
            json!({"settings": {"exclude": [{"name": "x", "when": when()}]}}),
        ),
        (
            "PUT",
            format!("{home}/fields"),
            json!({"rules": [{"target": "title", "from": ["pay"]}]}),
        ),
        (
            "POST",
            format!("{home}/fields/preview"),
            json!({"rules": [{"target": "title", "from": ["pay"]}]}),
        ),
    ]
}

async fn no_condition_or_template_tells_what_its_author_may_not_see(app: TestApp) {
    let event = ada()
        .created(minute(0))
        .set("data.custom_attributes.pay", "90210");
    app.apply(&event).await;
    let fields = format!("/v1/organizations/{ORGANIZATION}/fields");
    let mapping = json!({"rules": [
        {"target": PAY, "from": ["pay"], "type": "code", "sensitive": true},
        {"target": "title", "from": ["job_title"]}
    ]});
    app.call("PUT", &fields, mapping).await.ok();
    app.drain();
    let own = app
        .call("POST", "/v1/triggers", trigger(&Value::Null, "hi"))
        .await
        .ok();
    let mut other = trigger(&when(), "hi");
    other["name"] = "of somebody with the right".into();
    let written = app.call("POST", "/v1/triggers", other).await.ok();
    let community = app.community("Everybody", &[]);
    let profile = app.profile(&ada()).id;
    let olga = app.token("olga", "operator", None);
    let before = app.dump();
    let id = |one: &Value| one["id"].as_str().unwrap().to_owned();
    let all = places(&community, &id(&written), &id(&own), &profile);
    for (method, path, body) in &all {
        let answer = app.http.api_as(Some(&olga), method, path, Some(body)).await;
        assert_eq!(answer.status, 403, "{method} {path} {body}: {answer:?}");
        assert!(!answer.text.contains("90210"), "{}", answer.text);
    }
    let changed: Vec<_> = app
        .dump()
        .into_iter()
        .filter(|(table, rows)| before.get(table) != Some(rows))
        .collect();
    assert!(changed.is_empty(), "{changed:?}");
    assert_covered(&all);
}

/// A call whose body takes a condition and that is not among the places fails the test: it has to be added,
/// and to ask.
fn assert_covered(all: &[(&'static str, String, Value)]) {
    let document = document();
    for (template, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let body = operation["requestBody"].to_string();
            if !reaches(document, &body, "Condition") {
                continue;
            }
            let tried = all
                .iter()
                .any(|(tried, path, _)| tried.eq_ignore_ascii_case(method) && fits(template, path));
            assert!(tried, "{method} {template} takes a condition");
        }
    }
}

fn fits(template: &str, path: &str) -> bool {
    let (template, path): (Vec<_>, Vec<_>) =
        (template.split('/').collect(), path.split('/').collect());
    template.len() == path.len()
        && template
            .iter()
            .zip(&path)
            .all(|(said, part)| said.starts_with('{') || said == part)
}

/// Whether a schema leads to another by its references.
fn reaches(document: &Value, schema: &str, wanted: &str) -> bool {
    let mut seen = std::collections::BTreeSet::new();
    let mut open = vec![schema.to_owned()];
    while let Some(text) = open.pop() {
        for name in text.split("#/components/schemas/").skip(1) {
            let name = name.split('"').next().unwrap().to_owned();
            if name == wanted {
                return true;
            }
            if seen.insert(name.clone()) {
                open.push(document["components"]["schemas"][&name].to_string());
            }
        }
    }
    false
}

async fn r65_an_erasure_reaches_searches_reasons_and_the_log_after_late_events(app: TestApp) {
    let person = employee("lovelace");
    let named = |event: Event| {
        event
            .set("data.first_name", "Augusta")
            .set("data.custom_attributes.note", "Engine-42")
    };
    app.apply(&named(person.created(minute(10)))).await;
    let id = app.profile(&person).id;
    for q in ["augusta", "Augusta was here", "Augustan"] {
        let replay = json!({"q": q, "job": true});
        app.call("POST", "/v1/events/replay", replay).await.ok();
        app.drain();
    }
    let hold = format!("/v1/profiles/{id}/legal-hold");
    let reason = json!({"reason": "Augusta v. Babbage"});
    assert_eq!(app.call("POST", &hold, reason).await.status, 201);
    app.http.api("DELETE", &hold, None).await.ok();
    let erase = format!("/v1/profiles/{id}/erase");
    app.call("POST", &erase, Value::Null).await.ok();
    let told: Vec<String> = app
        .dump()
        .into_values()
        .flatten()
        .filter(|row| row.to_lowercase().contains("augusta"))
        .collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("Augustan"), "somebody else: {told:?}");

    app.apply(&named(person.updated(minute(5)))).await;
    if app.db.backend() == Backend::Sqlite {
        for (file, bytes) in app.place.files() {
            let bytes = String::from_utf8_lossy(&bytes).into_owned();
            assert!(!bytes.contains("Engine-42"), "{file} still holds it");
        }
    }
}

/// Each start is a process of its own: the key is one for each process.
async fn r65_the_erasure_key_may_lie_outside_of_the_database(app: TestApp) {
    let person = employee("lovelace");
    app.apply(&person.created(minute(10))).await;
    let id = app.profile(&person).id;
    let erase = format!("/v1/profiles/{id}/erase");
    app.call("POST", &erase, Value::Null).await.ok();
    let kept = app.lines("SELECT value AS line FROM kept_secrets WHERE name = 'erasure'");
    let folder = tempfile::tempdir().unwrap();
    let run = |key: Option<&str>| {
        let mut command = rollcall(&app.place.url(), folder.path());
        command.args(["profiles", "list"]);
        if let Some(key) = key {
            command.env("ROLLCALL_ERASURE_KEY", key);
        }
        let done = tokio::task::block_in_place(|| command.output()).unwrap();
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        (done.status.success(), said)
    };
    let other = "another-key-of-thirty-two-letters";
    assert!(!run(Some(other)).0, "another key is refused");
    let moved = run(Some(&kept[0]));
    assert!(moved.0, "{}", moved.1);
    assert_eq!(app.count("kept_secrets WHERE name = 'erasure'"), 0);
    let everything: Vec<String> = app.dump().into_values().flatten().collect();
    assert!(everything.iter().all(|row| !row.contains(&kept[0])));
    for wrong in [None, Some(other)] {
        let (went, said) = run(wrong);
        assert!(!went && said.contains("ROLLCALL_ERASURE_KEY"), "{said}");
        assert!(!said.contains(&kept[0]), "{said}");
    }
    assert!(run(Some(&kept[0])).0);
}
