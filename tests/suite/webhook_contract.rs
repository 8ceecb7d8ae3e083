//! What `POST /webhooks/workos` answers, row by row of the contract, and that nothing it refuses
//! leaves a trace but a counter.

use std::time::Duration;

use rollcall::workos::sign;
use serde_json::json;

use crate::support::app::TestApp;
use crate::support::events::{Event, ada, minute};
use crate::support::http::{Answer, SECRET};
use crate::support::macros::on_both;

on_both!(
    a_new_event_is_accepted_and_kept_byte_for_byte,
    r3_a_duplicate_changes_nothing_at_all,
    r4_of_copies_at_the_same_instant_one_takes_effect,
    c7_what_is_no_envelope_is_400,
    nesting_is_followed_to_128_levels_and_no_deeper,
    r5_unknown_events_are_kept_as_ignored,
    c7_a_dsync_event_without_a_directory_is_failed_with_the_reason,
    r8_a_large_group_passes_and_a_larger_body_does_not,
    r9_hostile_text_is_stored_found_and_shown,
);

async fn a_new_event_is_accepted_and_kept_byte_for_byte(app: TestApp) {
    let event = ada().created(minute(0));
    let body = format!(" {}\n", serde_json::to_string_pretty(&event.0).unwrap());
    let answer = app.deliver_bytes(body.clone()).await;
    assert_eq!(
        (answer.status, answer.body),
        (200, json!({"status": "accepted"}))
    );
    let kept = app.read(|conn| rollcall::outbox::body_of(conn, &event.id()));
    assert_eq!(kept, Some(body));
    assert_eq!(app.drain(), 1);
}

async fn r3_a_duplicate_changes_nothing_at_all(app: TestApp) {
    let event = ada().created(minute(0));
    app.apply(&event).await;
    let before = app.dump();
    app.advance(Duration::from_secs(60));
    let answer = app.deliver(&event).await;
    assert_eq!(
        (answer.status, answer.body),
        (200, json!({"status": "duplicate"}))
    );
    assert_eq!(app.drain(), 0);
    assert_eq!(app.dump(), before);
}

async fn r4_of_copies_at_the_same_instant_one_takes_effect(app: TestApp) {
    let event = ada().created(minute(0));
    let copies = futures_util::future::join_all((0..8).map(|_| app.deliver(&event))).await;
    let of = |status: &str| {
        copies
            .iter()
            .filter(|answer| answer.body["status"] == status)
            .count()
    };
    assert_eq!((of("accepted"), of("duplicate")), (1, 7));
    assert_eq!(app.drain(), 1);
    assert_eq!(app.count("event_bodies"), 1);
}

async fn c7_what_is_no_envelope_is_400(app: TestApp) {
    let cases: [(&str, &[u8]); 13] = [
        ("empty", b""),
        ("not JSON", b"hello"),
        (
            "cut off",
            br#"{"id":"event_1","event":"dsync.user.created""#,
        ),
        ("two values", br#"{"id":"event_1","event":"a"}{}"#),
        ("an array", b"[]"),
        ("a text", br#""event""#),
        ("no id", br#"{"event":"dsync.user.created","data":{}}"#),
        ("an empty id", br#"{"id":"","event":"dsync.user.created"}"#),
        ("no event", br#"{"id":"event_1","data":{}}"#),
        (
            "an id that is no text",
            br#"{"id":7,"event":"dsync.user.created"}"#,
        ),
        ("invalid UTF-8", b"{\"id\":\"event_1\",\"event\":\"\xff\"}"),
        (
            "a byte order mark",
            b"\xEF\xBB\xBF{\"id\":\"event_1\",\"event\":\"a\"}",
        ),
        ("NaN", br#"{"id":"event_1","event":"a","data":{"x":NaN}}"#),
    ];
    for (what, body) in cases {
        let answer = app.deliver_bytes(body).await;
        assert_eq!(answer.status, 400, "{what}: {answer:?}");
        assert_problem(&answer, "bad-envelope");
    }
    assert_eq!(app.count("outbox"), 0);
}

async fn nesting_is_followed_to_128_levels_and_no_deeper(app: TestApp) {
    let nested = |levels: usize, id: &str| {
        let inside = levels - 1;
        let (open, close) = ("[".repeat(inside), "]".repeat(inside));
        format!(r#"{{"id":"{id}","event":"connection.activated","data":{open}{close}}}"#)
    };
    let deep = app.deliver_bytes(nested(128, "event_128")).await;
    assert_eq!(deep.status, 200, "{deep:?}");
    let deeper = app.deliver_bytes(nested(129, "event_129")).await;
    assert_eq!(deeper.status, 400);
    assert!(deeper.body["detail"].as_str().unwrap().contains("128"));
    let endless = app.deliver_bytes("[".repeat(500_000)).await;
    assert_eq!(endless.status, 400);
    assert_eq!(app.drain(), 1);
}

async fn r5_unknown_events_are_kept_as_ignored(app: TestApp) {
    for kind in [
        "connection.activated",
        "dsync.token.created",
        "dsync.something.new",
    ] {
        let event = app
            .apply(&Event::new(kind, minute(0), json!({ "id": "conn_1" })))
            .await;
        assert_eq!(
            (&event["state"], &event["outcome"]),
            (&json!("ignored"), &json!("ignored")),
            "{kind}"
        );
        assert!(event["reason"].as_str().unwrap().contains(kind));
        assert_eq!(event["error"], json!(null), "{kind}");
    }
}

async fn c7_a_dsync_event_without_a_directory_is_failed_with_the_reason(app: TestApp) {
    let homeless = ada().created(minute(0)).without("data.directory_id");
    let event = app.apply(&homeless).await;
    assert_eq!(event["state"], "failed", "{event}");
    assert!(
        event["reason"]
            .as_str()
            .unwrap()
            .contains("data.directory_id"),
        "{event}"
    );
    assert_eq!(event["error"], event["reason"]);
    let without_data = ada().created(minute(1)).without("data");
    assert_eq!(app.apply(&without_data).await["state"], "failed");
}

async fn r8_a_large_group_passes_and_a_larger_body_does_not(app: TestApp) {
    let groups: Vec<_> = (0..5_000)
        .map(|n| json!({ "object": "directory_group", "id": format!("directory_group_{n:0>26}"), "name": format!("{n:0>66}") }))
        .collect();
    let large = ada().created(minute(0)).set("data.groups", groups);
    let size = large.body().len();
    assert!((750 * 1024..1024 * 1024).contains(&size), "{size}");
    assert_eq!(app.apply(&large).await["outcome"], "applied");

    let two = ada()
        .updated(minute(1))
        .set("data.padding", "x".repeat(2 * 1024 * 1024));
    let answer = app.deliver(&two).await;
    assert_eq!(answer.status, 413);
    assert_problem(&answer, "too-large");
    assert_eq!(app.count("outbox"), 1);
}

async fn r9_hostile_text_is_stored_found_and_shown(app: TestApp) {
    let body = ada().created(minute(0));
    let id = body.id();
    let text = body
        .set("data.first_name", "@first@")
        .set("data.last_name", "@last@")
        .0
        .to_string()
        .replace("@first@", r"A\u0000da\ud800")
        .replace("@last@", r"\u202eعَدا \ud83e\udd80 O'Neil %_\\");
    assert_eq!(app.deliver_bytes(text.clone()).await.status, 200);
    assert_eq!(app.drain(), 1);
    let profile = app.profile(&ada());
    assert_eq!(profile.first_name.as_deref(), Some("A\u{fffd}da\u{fffd}"));
    assert_eq!(profile.last_name.as_deref(), Some("عَدا 🦀 O'Neil %_\\"));
    for searched in ["🦀", "%_\\", "o'neil", "\u{fffd}"] {
        let filter = rollcall::store::profiles::ProfileFilter {
            q: Some(searched.to_owned()),
            ..Default::default()
        };
        let found = app.read(|conn| rollcall::store::profiles::list(conn, &filter, 10));
        assert_eq!(found.len(), 1, "searched for {searched}");
    }
    // Byte for byte as it came, also when shown.
    let shown = app.http.api("GET", &format!("/v1/events/{id}"), None).await;
    assert_eq!(shown.status, 200);
    assert!(shown.text.contains(r"A\u0000da\ud800"), "{}", shown.text);
}

/// RFC 9457 with our five members, and the request id in the header too.
pub(crate) fn assert_problem(answer: &Answer, kind: &str) {
    assert_eq!(
        answer.header("content-type"),
        "application/problem+json",
        "{answer:?}"
    );
    assert_eq!(
        answer.body["type"],
        format!("urn:rollcall:problem:{kind}"),
        "{answer:?}"
    );
    assert_eq!(answer.body["status"], answer.status);
    for member in ["title", "detail"] {
        assert!(
            answer.body[member]
                .as_str()
                .is_some_and(|text| text.len() > 3),
            "{answer:?}"
        );
    }
    let id = answer.body["request_id"].as_str().unwrap();
    assert!(id.starts_with("req_"), "{answer:?}");
    assert_eq!(answer.header("x-request-id"), id);
    let signed = sign(SECRET, minute(0), b"x");
    assert!(!answer.text.contains(&signed) && !answer.text.contains(SECRET));
}
