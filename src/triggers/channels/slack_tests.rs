//! Slack's answers over a real socket.

use std::time::Duration;

use super::super::http_sink::{HttpAct, HttpSink};
use super::super::tests::{channels, closed_port, hasty_channels, message, settings};
use super::super::{ChannelSettings, Channels};
use super::*;
use crate::triggers::Channel;

const POST: &str = "/api/chat.postMessage";
const LOOKUP: &str = "/api/users.lookupByEmail";

fn bot(sink: &HttpSink) -> ChannelSettings {
    let token = Some(SecretString::from("xoxb-s3cret"));
    ChannelSettings {
        slack_bot_token: token,
        slack_api_url: sink.url("/api/"),
        ..settings()
    }
}

fn with_bot(sink: &HttpSink) -> Channels {
    channels(bot(sink))
}

async fn said(channels: &Channels, recipient: &str) -> Outcome {
    channels.send(Channel::Slack, &message(recipient)).await
}

#[tokio::test]
async fn an_incoming_webhook_gets_the_text_and_unfolds_nothing() {
    let sink = HttpSink::start();
    let got = said(&channels(settings()), &sink.url("/services/T0/B0/x")).await;
    assert_eq!(got.name(), "sent");
    let requests = sink.wait_for(1).await;
    assert_eq!(
        requests[0].json(),
        json!({"text": "Hello Ada", "link_names": false, "unfurl_links": false, "unfurl_media": false})
    );
    assert_eq!(requests[0].header("authorization"), None);
}

#[tokio::test]
async fn each_answer_of_an_incoming_webhook_has_its_outcome() {
    let sink = HttpSink::start();
    let channels = channels(settings());
    for (status, body, outcome) in [
        (200, "ok", "sent"),
        (400, "invalid_payload", "refused_message"),
        (400, "no_text", "refused_message"),
        (400, "", "refused_message"),
        (400, "invalid_token", "refused_destination"),
        (403, "action_prohibited", "refused_destination"),
        (404, "no_service", "refused_destination"),
        (404, "channel_not_found", "refused_destination"),
        (410, "channel_is_archived", "refused_destination"),
        (302, "", "refused_destination"),
        (429, "rate_limited", "later"),
        (503, "", "later"),
        (500, "rollup_error", "unknown"),
        (502, "<html>Ada s3cret</html>", "unknown"),
        (504, "", "unknown"),
    ] {
        sink.next("/hook", HttpAct::answer(status, body));
        let got = said(&channels, &sink.url("/hook")).await;
        assert_eq!(got.name(), outcome, "{status} {body}: {got:?}");
        assert!(!got.reason().contains("s3cret"), "{got:?}");
    }
}

#[tokio::test]
async fn slacks_retry_after_is_heard() {
    let sink = HttpSink::start();
    sink.next(
        "/hook",
        HttpAct::answer(429, "").header("Retry-After", "30"),
    );
    let got = said(&channels(settings()), &sink.url("/hook")).await;
    assert!(
        matches!(got, Outcome::Later { retry_after: Some(wait), .. } if wait == Duration::from_secs(30)),
        "{got:?}"
    );
}

#[tokio::test]
async fn r63_a_post_without_an_answer_is_unknown_and_one_without_a_connection_later() {
    let sink = HttpSink::start();
    let channels = hasty_channels(bot(&sink));
    for (act, outcome) in [
        (HttpAct::Stall, "unknown"),
        (HttpAct::Drop, "unknown"),
        (HttpAct::HalfAnswer { status: 200 }, "sent"),
    ] {
        sink.next("/hook", act);
        assert_eq!(said(&channels, &sink.url("/hook")).await.name(), outcome);
    }
    for act in [
        HttpAct::Stall,
        HttpAct::Drop,
        HttpAct::HalfAnswer { status: 200 },
        HttpAct::answer(200, "<html>"),
    ] {
        sink.next(POST, act);
        assert_eq!(said(&channels, "#general").await.name(), "unknown");
    }
    assert_eq!(
        said(&channels, &format!("http://127.0.0.1:{}/", closed_port()))
            .await
            .name(),
        "later"
    );
}

#[tokio::test]
async fn a_bot_posts_to_a_channel() {
    let sink = HttpSink::start();
    sink.always(POST, HttpAct::answer(200, r#"{"ok":true,"ts":"1.2"}"#));
    assert_eq!(said(&with_bot(&sink), "#general").await.name(), "sent");
    let requests = sink.wait_for(1).await;
    assert_eq!(
        requests[0].header("authorization"),
        Some("Bearer xoxb-s3cret")
    );
    assert_eq!(
        requests[0].json(),
        json!({"channel": "#general", "text": "Hello Ada", "parse": "none", "link_names": false, "unfurl_links": false, "unfurl_media": false})
    );
}

#[tokio::test]
async fn a_bot_finds_a_person_by_address() {
    let sink = HttpSink::start();
    sink.next(
        LOOKUP,
        HttpAct::answer(200, r#"{"ok":true,"user":{"id":"U1"}}"#),
    );
    sink.always(POST, HttpAct::answer(200, r#"{"ok":true}"#));
    assert_eq!(
        said(&with_bot(&sink), "ada+x&y@example.com").await.name(),
        "sent"
    );
    let requests = sink.wait_for(2).await;
    assert_eq!(
        requests[0].target,
        "/api/users.lookupByEmail?email=ada%2Bx%26y%40example.com"
    );
    assert_eq!(requests[1].json()["channel"], "U1");
}

#[tokio::test]
async fn a_person_not_in_slack_yet_is_later_and_nothing_is_posted() {
    let sink = HttpSink::start();
    let channels = hasty_channels(bot(&sink));
    for (act, outcome) in [
        (
            HttpAct::answer(200, r#"{"ok":false,"error":"users_not_found"}"#),
            "later",
        ),
        (HttpAct::answer(500, ""), "later"),
        (HttpAct::Stall, "later"),
        (HttpAct::Drop, "later"),
        (HttpAct::HalfAnswer { status: 200 }, "later"),
        (HttpAct::answer(429, "").header("Retry-After", "5"), "later"),
        (
            HttpAct::answer(200, r#"{"ok":false,"error":"invalid_auth"}"#),
            "refused_destination",
        ),
        (
            HttpAct::answer(200, r#"{"ok":false,"error":"missing_scope"}"#),
            "refused_destination",
        ),
    ] {
        sink.next(LOOKUP, act.clone());
        let got = said(&channels, "ada@example.com").await;
        assert_eq!(got.name(), outcome, "{act:?}");
        assert!(!got.reason().contains("ada"), "{got:?}");
    }
    assert!(
        sink.requests()
            .iter()
            .all(|request| request.path() == LOOKUP)
    );
}

#[tokio::test]
async fn each_error_of_chat_post_message_has_its_outcome() {
    let sink = HttpSink::start();
    let channels = with_bot(&sink);
    for (status, error, outcome) in [
        (200, "ratelimited", "later"),
        (429, "ratelimited", "later"),
        (503, "service_unavailable", "later"),
        (200, "service_unavailable", "later"),
        (200, "fatal_error", "unknown"),
        (200, "internal_error", "unknown"),
        (500, "internal_error", "unknown"),
        (200, "invalid_auth", "refused_destination"),
        (401, "not_authed", "refused_destination"),
        (200, "channel_not_found", "refused_destination"),
        (200, "is_archived", "refused_destination"),
        (200, "not_in_channel", "refused_destination"),
        (200, "msg_too_long", "refused_message"),
        (200, "no_text", "refused_message"),
        (200, "something_new", "refused_message"),
    ] {
        sink.next(
            POST,
            HttpAct::answer(status, format!("{{\"ok\":false,\"error\":\"{error}\"}}")),
        );
        let got = said(&channels, "#general").await;
        assert_eq!(got.name(), outcome, "{status} {error}: {got:?}");
    }
}

#[tokio::test]
async fn one_persons_closed_door_closes_no_other() {
    let sink = HttpSink::start();
    sink.always(
        LOOKUP,
        HttpAct::answer(200, r#"{"ok":true,"user":{"id":"U1"}}"#),
    );
    sink.always(
        POST,
        HttpAct::answer(200, r#"{"ok":false,"error":"channel_not_found"}"#),
    );
    assert_eq!(
        said(&with_bot(&sink), "ada@example.com").await.name(),
        "refused_message"
    );
}

#[test]
fn long_texts_are_cut_but_never_within_an_entity() {
    assert_eq!(cut(&"x".repeat(MAX_TEXT)).len(), MAX_TEXT);
    let long = cut(&"ä".repeat(MAX_TEXT + 1));
    assert_eq!(
        (long.chars().count(), long.ends_with('…')),
        (MAX_TEXT, true)
    );
    for before in MAX_TEXT - 8..MAX_TEXT {
        let text = format!("{}&lt;!channel&gt;", "x".repeat(before));
        let kept = cut(&text);
        assert!(kept.chars().count() <= MAX_TEXT);
        let open = kept.rfind('&').map_or("", |at| &kept[at..]);
        assert!(open.is_empty() || open.contains(';'), "{open}");
    }
}
