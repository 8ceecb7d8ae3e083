//! Sensitive fields: who has no right to them sees their values nowhere, and cannot find them out
//! or send them on by other means.

use serde_json::{Value, json};

use rollcall::operations::tokens::digest;
use rollcall::store::tokens::{self, TokenRow};

use crate::support::app::TestApp;
use crate::support::binary::rollcall;
use crate::support::events::{Event, ORGANIZATION, ada, minute};
use crate::support::http::TOKEN;
use crate::support::macros::on_both;
use crate::support::post::Post;

on_both!(
    a_token_without_the_right_sees_no_sensitive_value_anywhere,
    a_token_without_the_right_can_neither_unveil_nor_pass_on,
    a_test_send_says_no_more_than_whoever_tries_it_may_see,
    nobody_finds_out_by_searching,
    the_right_is_given_with_the_token,
);

const SALARY: &str = "90210";
const DEPARTMENT: &str = "Secret Lab";
const PATH: &str = "/v1/organizations/org_01TEST/fields";

fn mapping() -> Value {
    json!({"rules": [
        {"target": "attributes.pay", "from": ["/contract/salary"], "type": "code", "sensitive": true},
        {"target": "department", "from": ["department_name"], "sensitive": true},
        {"target": "title", "from": ["job_title"]}
    ]})
}

fn created() -> Event {
    ada()
        .created(minute(0))
        .set("data.custom_attributes.contract", json!({"salary": SALARY}))
        .set("data.custom_attributes.department_name", DEPARTMENT)
        .set("data.raw_attributes", json!({"department": DEPARTMENT}))
}

struct Scene {
    app: TestApp,
    profile: String,
    events: Vec<String>,
    trigger: String,
    delivery: String,
}

/// Ada with a salary and a department, both sensitive, in every place that can show them.
async fn scene(app: TestApp) -> Scene {
    let first = created();
    app.apply(&first).await;
    app.call("PUT", PATH, mapping()).await.ok();
    app.drain();
    let enable = format!("/v1/organizations/{ORGANIZATION}/messaging/enable");
    app.call("POST", &enable, Value::Null).await.ok();
    let body = json!({
        "organization_id": ORGANIZATION, "name": "moved", "on": "field.changed", "status": "published",
        "steps": [{"channel": "email", "to": "person", "subject": "You earn {{ attributes.pay }}", "text": "In {{ department }}"},
                  {"channel": "webhook", "to": "http://127.0.0.1:9/hook"}],
    });
    let trigger = app.call("POST", "/v1/triggers", body).await.ok();
    let moved = Event::new("dsync.user.updated", minute(2), created().0["data"].clone())
        .set("data.custom_attributes.job_title", "Lead")
        .set(
            "data.previous_attributes",
            json!({"custom_attributes": {"contract": {"salary": SALARY}}}),
        );
    app.apply(&moved).await;
    let deliveries = app.get("/v1/deliveries").await;
    let profile = app.profile(&ada()).id;
    for (name, sensitive) in [("clerk", false), ("payroll", true)] {
        let row = TokenRow {
            id: format!("token_{name}"),
            name: name.to_owned(),
            role: "viewer".to_owned(),
            organization_id: None,
            digest: digest(name),
            created_at: app.clock.now(),
            revoked_at: None,
            sensitive,
        };
        assert!(app.write(|conn| tokens::create(conn, &row)));
    }
    app.token("ops", "operator", None);
    Scene {
        profile,
        events: vec![first.id(), moved.id()],
        trigger: trigger["id"].as_str().unwrap().to_owned(),
        delivery: deliveries["data"][0]["id"].as_str().unwrap().to_owned(),
        app,
    }
}

impl Scene {
    /// Every answer that shows fields, in that token's eyes.
    async fn everything(&self, token: &str) -> Vec<(String, String)> {
        let mut calls: Vec<(&str, String, Option<Value>)> = [
            "/v1/profiles?status=all".to_owned(),
            format!("/v1/profiles/{}", self.profile),
            format!("/v1/profiles/{}/history", self.profile),
            "/v1/events".to_owned(),
            format!("/v1/events/{}", self.events[0]),
            format!("/v1/events/{}", self.events[1]),
            "/v1/deliveries".to_owned(),
            format!("/v1/deliveries/{}", self.delivery),
            format!("/v1/access?profile_id={}", self.profile),
        ]
        .into_iter()
        .map(|path| ("GET", path, None))
        .collect();
        let preview = format!("/v1/triggers/{}/preview", self.trigger);
        calls.push(("POST", preview, Some(json!({"profile_id": self.profile}))));
        for rules in [
            json!([]),
            json!([{"target": "attributes.contract", "from": ["job_title"]}]),
        ] {
            let body = Some(json!({ "rules": rules }));
            calls.push(("POST", format!("{PATH}/preview"), body));
        }
        let mut told = Vec::new();
        for (method, path, body) in calls {
            let answer = self
                .app
                .http
                .api_as(Some(token), method, &path, body.as_ref())
                .await;
            assert_eq!(answer.status, 200, "{method} {path} {answer:?}");
            told.push((format!("{method} {path} {body:?}"), answer.text));
        }
        told
    }
}

async fn a_token_without_the_right_sees_no_sensitive_value_anywhere(app: TestApp) {
    let scene = scene(app).await;
    for token in ["clerk", "ops"] {
        for (call, text) in scene.everything(token).await {
            for value in [SALARY, DEPARTMENT] {
                assert!(
                    !text.contains(value),
                    "{token}, {call} shows {value}: {text}"
                );
            }
        }
    }
    let replay = json!({"profile_id": scene.profile, "dry_run": true});
    let answer = scene
        .app
        .http
        .api_as(Some("ops"), "POST", "/v1/events/replay", Some(&replay))
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(!answer.text.contains(SALARY) && !answer.text.contains(DEPARTMENT));

    let path = format!("/v1/profiles/{}", scene.profile);
    let shown = scene
        .app
        .http
        .api_as(Some("clerk"), "GET", &path, None)
        .await
        .ok();
    assert_eq!(
        shown["hidden"],
        json!([
            "department",
            "attributes.contract",
            "attributes.department",
            "attributes.pay"
        ])
    );
    assert_eq!(
        (&shown["department"], &shown["title"]),
        (&Value::Null, &json!("Lead"))
    );

    for token in ["payroll", TOKEN] {
        let shown = scene.everything(token).await;
        for (place, value) in [
            (0, SALARY),
            (1, DEPARTMENT),
            (2, SALARY),
            (4, SALARY),
            (7, DEPARTMENT),
            (9, SALARY),
            (10, SALARY),
        ] {
            let (call, text) = &shown[place];
            assert!(
                text.contains(value),
                "{token}, {call} hides {value}: {text}"
            );
        }
        let own = scene
            .app
            .http
            .api_as(Some(token), "GET", &path, None)
            .await
            .ok();
        assert_eq!(own["hidden"], json!([]));
    }
}

async fn a_token_without_the_right_can_neither_unveil_nor_pass_on(app: TestApp) {
    let scene = scene(app).await;
    let trigger = json!({
        "organization_id": ORGANIZATION, "name": "leak", "on": "field.changed", "status": "published",
        "steps": [{"channel": "webhook", "to": "http://127.0.0.1:9/mine"}],
    });
    let prying = json!({"rules": [{"target": "title", "from": ["/contract/salary"], "transforms": [
        {"lookup": {"table": {SALARY: "Lead"}}}
    ]}]});
    let rule = json!({"field": "attributes.pay", "op": "eq", "value": SALARY});
    let community = json!({"organization_id": ORGANIZATION, "name": "rich", "rules": [{"when": {"all": [rule]}, "role": "member"}]});
    let harmless = json!({"organization_id": ORGANIZATION, "name": "leads", "rules": [
        {"when": {"field": "title", "op": "eq", "value": "Lead"}, "role": "member"}
    ]});
    let calls = [
        ("PUT", PATH.to_owned(), json!({}), 403),
        ("POST", format!("{PATH}/preview"), prying, 403),
        ("POST", format!("{PATH}/preview"), mapping(), 200),
        ("POST", "/v1/triggers".to_owned(), trigger.clone(), 403),
        (
            "PUT",
            format!("/v1/triggers/{}", scene.trigger),
            trigger.clone(),
            403,
        ),
        ("POST", "/v1/communities".to_owned(), community, 403),
        ("POST", "/v1/communities".to_owned(), harmless, 201),
    ];
    for (method, path, body, status) in calls {
        let answer = scene
            .app
            .http
            .api_as(Some("ops"), method, &path, Some(&body))
            .await;
        assert_eq!(answer.status, status, "{method} {path} {answer:?}");
        if status == 403 {
            assert!(
                answer.text.contains("--sensitive"),
                "it says what to do: {answer:?}"
            );
        }
    }
    scene.app.call("POST", "/v1/triggers", trigger).await.ok();
}

async fn a_test_send_says_no_more_than_whoever_tries_it_may_see(post: Post) {
    let Post { app, mail, .. } = post;
    let scene = scene(app).await;
    let path = format!("/v1/triggers/{}/test", scene.trigger);
    let order = json!({"profile_id": scene.profile, "step": 0, "to": "me@test.example"});
    for (token, sees) in [("ops", false), (TOKEN, true)] {
        let http = &scene.app.http;
        let answer = http.api_as(Some(token), "POST", &path, Some(&order)).await;
        let told = answer.ok();
        assert_eq!(told["data"][0]["outcome"], "sent", "{token}: {told}");
        let last = mail.mails().pop().unwrap();
        let subject = last.header("subject").unwrap();
        assert_eq!(subject.contains(SALARY), sees, "{token}: {subject}");
        assert_eq!(last.body().contains(DEPARTMENT), sees, "{token}");
    }
}

async fn nobody_finds_out_by_searching(app: TestApp) {
    let scene = scene(app).await;
    let found = async |token: &str, path: &str| {
        let answer = scene.app.http.api_as(Some(token), "GET", path, None).await;
        (answer.status, answer.body["data"].as_array().map(Vec::len))
    };
    let by_department = "/v1/profiles?department=Secret%20Lab";
    assert_eq!(found("clerk", by_department).await.0, 403);
    assert_eq!(found("payroll", by_department).await, (200, Some(1)));
    assert_eq!(
        found("clerk", "/v1/profiles?q=secret%20lab").await,
        (200, Some(0))
    );
    assert_eq!(
        found("payroll", "/v1/profiles?q=secret%20lab").await,
        (200, Some(1))
    );
    assert_eq!(
        found("clerk", "/v1/profiles?q=ADA%20T").await,
        (200, Some(1)),
        "by name"
    );
    assert_eq!(
        found("clerk", "/v1/profiles?q=ada@TEST").await,
        (200, Some(1)),
        "by address"
    );
    let by_payload = format!("/v1/events?q={SALARY}");
    assert_eq!(found("clerk", &by_payload).await, (200, Some(0)));
    assert_eq!(found("payroll", &by_payload).await, (200, Some(2)));
    let by_id = format!("/v1/events?q={}", scene.events[0]);
    assert_eq!(found("clerk", &by_id).await, (200, Some(1)));
    assert_eq!(found("clerk", "/v1/deliveries?q=earn").await.0, 403);
}

async fn the_right_is_given_with_the_token(app: TestApp) {
    let folder = tempfile::tempdir().unwrap();
    let make = |name: &str, role: &str, more: &[&str]| -> Value {
        let mut command = rollcall(&app.place.url(), folder.path());
        command
            .args(["tokens", "create", "--json", "--name", name, "--role", role])
            .args(more);
        let output = tokio::task::block_in_place(|| command.output()).unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        serde_json::from_slice(&output.stdout).unwrap()
    };
    app.apply(&created()).await;
    app.call("PUT", PATH, mapping()).await.ok();
    app.drain();
    let path = format!("/v1/profiles/{}", app.profile(&ada()).id);
    for (name, role, more, sees) in [
        ("one", "viewer", &[][..], false),
        ("two", "viewer", &["--sensitive"][..], true),
        ("three", "operator", &[][..], false),
        ("four", "admin", &[][..], true),
    ] {
        let made = make(name, role, more);
        assert_eq!(made["sensitive"], json!(sees), "{made}");
        let token = made["token"].as_str().unwrap();
        let shown = app.http.api_as(Some(token), "GET", &path, None).await.ok();
        assert_eq!(shown["department"] == DEPARTMENT, sees, "{name}");
    }
}
