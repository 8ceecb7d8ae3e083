//! Texts that would end the process or hold it up: refused before any parser that calls itself sees them,
//! and where one was saved before there was a bound, its message fails and nothing else does.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::events::{ORGANIZATION, ada, employee, minute};
use crate::support::macros::on_both;
use crate::support::post::Post;

on_both!(
    r94_a_text_that_would_overflow_the_stack_is_refused_when_saved,
    r94_a_text_that_was_saved_before_fails_its_message_and_stops_nobody,
    r94_a_condition_or_mapping_that_nests_too_deep_is_refused,
    r94_a_large_text_does_not_hold_up_who_writes,
);

/// What overflowed a stack in the parser, the compiler or the release of what they built.
fn deep() -> Vec<(&'static str, String)> {
    let many = |text: &str| text.repeat(60_000 / text.len());
    vec![
        ("minus", format!("{{{{ {}1 }}}}", many("-"))),
        ("not", format!("{{{{ {}1 }}}}", many("not "))),
        ("members", format!("{{{{ attributes{} }}}}", many(".a"))),
        ("places", format!("{{{{ attributes{} }}}}", many("[0]"))),
        ("filters", format!("{{{{ title{} }}}}", many("|trim"))),
        ("if in line", format!("{{{{ {}1 }}}}", many("1 if 1 else "))),
        ("joined", format!("{{{{ 1{} }}}}", many("~1"))),
        ("powers", format!("{{{{ 2{} }}}}", many("**2"))),
        ("and", format!("{{{{ 1{} }}}}", many(" and 1"))),
        ("brackets", format!("{{{{ {}1 }}}}", many("("))),
        ("lists", format!("{{{{ {}1 }}}}", many("["))),
        ("objects", format!("{{{{ {}1 }}}}", many("{1:"))),
        (
            "elif",
            format!("{{% if 1 %}}{}{{% endif %}}", many("{% elif 1 %}")),
        ),
        (
            "if",
            format!(
                "{}{}",
                "{% if 1 %}".repeat(3_000),
                "{% endif %}".repeat(3_000)
            ),
        ),
        (
            "for",
            format!(
                "{}{}",
                "{% for a in communities %}".repeat(1_500),
                "{% endfor %}".repeat(1_500)
            ),
        ),
        ("variables", many("{{ title }}")),
        // The lexer goes on past `}}` within brackets: what counts must not stop there.
        ("past the end", format!("{{{{ (}} {} 1 )}}}}", many("-"))),
        (
            "past the end, members",
            format!("{{{{ [}} }}}} attributes{} ]}}}}", many(".a")),
        ),
        (
            "raw",
            format!("{{% raw %}}{{{{ {} }}}}{{% endraw %}}", many("-")),
        ),
    ]
}

fn trigger(name: &str, step: Value) -> Value {
    json!({
        "organization_id": ORGANIZATION, "name": name, "on": "profile.activated", "status": "published",
        "steps": [step],
    })
}

async fn r94_a_text_that_would_overflow_the_stack_is_refused_when_saved(app: TestApp) {
    app.apply(&ada().created(minute(0))).await;
    for (what, text) in deep() {
        let places = [
            json!({"channel": "email", "to": "person", "subject": text, "text": "hi"}),
            json!({"channel": "email", "to": "person", "subject": "hi", "text": text}),
            json!({"channel": "email", "to": "person", "subject": "hi", "text": "hi", "html": text}),
            json!({"channel": "email", "to": "a@x.example", "subject": "hi", "text": "hi",
                "digest": {"text": text, "subject": "hi"}}),
        ];
        for step in places {
            let began = Instant::now();
            let answer = app.call("POST", "/v1/triggers", trigger(what, step)).await;
            assert_eq!(answer.status, 422, "{what}: {answer:?}");
            assert!(began.elapsed() < Duration::from_secs(5), "{what}");
        }
    }
    assert_eq!(app.http.call("GET", "/health/live").await.status, 200);
}

async fn r94_a_text_that_was_saved_before_fails_its_message_and_stops_nobody(post: Post) {
    post.enable_messaging();
    let app = &post.app;
    for (number, (what, text)) in deep().into_iter().enumerate() {
        let id = post.trigger(
            json!([{"channel": "email", "to": "person", "subject": "hi", "text": "SAVED"}]),
        );
        // Past every check, as a version without bounds has kept it.
        let saved = serde_json::to_string(&text).unwrap().replace('\'', "''");
        let saved = saved.trim_matches('"');
        for (table, key) in [("triggers", "id"), ("trigger_versions", "trigger_id")] {
            let changed = app.sql(&format!(
                "UPDATE {table} SET definition = replace(definition, 'SAVED', '{saved}') WHERE {key} = '{id}'"
            ));
            assert_eq!(changed, 1, "{number} {what} {table}");
        }
    }
    post.trigger(json!([post.webhook_step()]));
    app.apply(&ada().created(minute(0))).await;
    post.app.send_due().await;
    assert_eq!(post.told("/hook").len(), 1);
    let failed: Vec<_> = post
        .all()
        .into_iter()
        .filter(|row| row.state == "failed")
        .collect();
    assert_eq!(failed.len(), deep().len());
    assert!(post.mail.mails().is_empty());
    for row in failed {
        let reason = row.reason.unwrap_or_default();
        assert!(reason.len() < 500 && !reason.is_empty(), "{reason}");
    }
}

async fn r94_a_condition_or_mapping_that_nests_too_deep_is_refused(app: TestApp) {
    app.apply(&ada().created(minute(0))).await;
    let nested = |around: (&str, &str), times: usize| {
        format!(
            "{}{{\"field\":\"title\",\"op\":\"exists\"}}{}",
            around.0.repeat(times),
            around.1.repeat(times)
        )
    };
    let rules = format!("/v1/organizations/{ORGANIZATION}");
    for times in [17, 100, 127, 1_000, 60_000] {
        for around in [("{\"not\":", "}"), ("{\"all\":[", "]}"), ("[", "]")] {
            let when = nested(around, times);
            for (method, path, body) in [
                (
                    "POST",
                    "/v1/triggers".to_owned(),
                    format!(
                        "{{\"organization_id\":\"{ORGANIZATION}\",\"name\":\"x\",\"on\":\"profile.activated\",\"when\":{when},\
                     \"steps\":[{{\"channel\":\"webhook\",\"to\":\"http://x.example\"}}]}}"
                    ),
                ),
                (
                    "POST",
                    "/v1/communities".to_owned(),
                    format!(
                        "{{\"organization_id\":\"{ORGANIZATION}\",\"name\":\"x\",\"rules\":[{{\"when\":{when},\"role\":\"member\"}}]}}"
                    ),
                ),
                (
                    "PATCH",
                    rules.clone(),
                    format!("{{\"settings\":{{\"on_leave\":{{\"when\":{when}}}}}}}"),
                ),
                (
                    "PUT",
                    format!("{rules}/fields"),
                    format!(
                        "{{\"rules\":[{{\"target\":\"title\",\"from\":[\"job_title\"],\"when\":{when}}}]}}"
                    ),
                ),
            ] {
                let answer = app.http.post_text(method, &path, &body).await;
                assert!(
                    matches!(answer.status, 400 | 413 | 422),
                    "{method} {path} {times}: {answer:?}"
                );
            }
        }
    }
}

async fn r94_a_large_text_does_not_hold_up_who_writes(app: TestApp) {
    app.apply(&ada().created(minute(0))).await;
    let long = format!("{{{{ 1{} }}}}", "~1".repeat(30_000));
    let steps: Vec<Value> = (0..15)
        .map(|_| json!({"channel": "email", "to": "person", "subject": "hi", "text": long}))
        .collect();
    let body = json!({
        "organization_id": ORGANIZATION, "name": "x", "on": "profile.activated", "steps": steps,
    });
    let began = Instant::now();
    let answer = app.call("POST", "/v1/triggers", body).await;
    assert_eq!(answer.status, 422);
    app.deliver(&employee("eve").created(minute(1))).await.ok();
    assert!(began.elapsed() < Duration::from_secs(5));
    app.drain();
}
