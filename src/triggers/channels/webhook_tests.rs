//! Signatures against the reference implementation, and each answer's outcome over a real socket.

use std::time::Duration;

use secrecy::SecretString;
use serde_json::json;

use super::super::http_sink::{HttpAct, HttpSink, TakenRequest};
use super::super::tests::{channels, closed_port, hasty_channels, message, settings};
use super::super::{ChannelSettings, Channels};
use super::*;
use crate::triggers::Channel;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn secret() -> ChannelSettings {
    ChannelSettings {
        webhook_secret: Some(SecretString::from(SECRET)),
        ..settings()
    }
}

fn signed() -> Channels {
    channels(secret())
}

fn now() -> Timestamp {
    crate::clock::Clock::System.now()
}

fn verified(request: &TakenRequest) -> bool {
    let mut headers = reqwest::header::HeaderMap::new();
    for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
        let value = request.header(name).and_then(|value| value.parse().ok());
        headers.extend(value.map(|value| (reqwest::header::HeaderName::from_static(name), value)));
    }
    let oracle = standardwebhooks::Webhook::new(SECRET).unwrap_or_else(|error| panic!("{error}"));
    oracle.verify(&request.body, &headers).is_ok()
}

#[tokio::test]
async fn the_reference_implementation_accepts_what_arrives() {
    let sink = HttpSink::start();
    let mut sent = message(&sink.url("/hook?x=1"));
    sent.at = now();
    sent.payload = Some(
        json!({"type": "profile.removed", "timestamp": sent.at.to_string(), "data": {"id": "p1", "name": "Ädä \u{1F980}"}}),
    );
    assert!(matches!(
        signed().send(Channel::Webhook, &sent).await,
        Outcome::Sent { .. }
    ));
    let requests = sink.wait_for(1).await;
    let request = &requests[0];
    assert_eq!(
        (request.method.as_str(), request.target.as_str()),
        ("POST", "/hook?x=1")
    );
    assert_eq!(request.header("content-type"), Some("application/json"));
    assert_eq!(
        request.header("webhook-id"),
        Some(sent.delivery_key.as_str())
    );
    assert_eq!(Some(request.json()), sent.payload);
    assert!(verified(request));
    let mut changed = request.clone();
    changed.body.push(b' ');
    assert!(!verified(&changed));
}

#[tokio::test]
async fn a_text_alone_goes_in_the_standard_envelope() {
    let sink = HttpSink::start();
    let _ = signed()
        .send(Channel::Webhook, &message(&sink.url("/")))
        .await;
    let body = sink.wait_for(1).await[0].json();
    assert_eq!(
        body,
        json!({"type": "profile.activated", "timestamp": "2026-11-23T10:00:00.000Z", "data": {"text": "Hello Ada"}})
    );
}

#[tokio::test]
async fn each_answer_has_its_outcome() {
    let sink = HttpSink::start();
    let channels = signed();
    for (status, outcome) in [
        (200, "sent"),
        (201, "sent"),
        (204, "sent"),
        (301, "refused_destination"),
        (307, "refused_destination"),
        (410, "refused_destination"),
        (400, "refused_message"),
        (401, "refused_message"),
        (404, "refused_message"),
        (413, "refused_message"),
        (422, "refused_message"),
        (408, "later"),
        (425, "later"),
        (429, "later"),
        (500, "later"),
        (502, "later"),
        (503, "later"),
        (504, "later"),
    ] {
        sink.next(
            "/hook",
            HttpAct::answer(status, "").header("Location", &sink.url("/elsewhere")),
        );
        let got = channels
            .send(Channel::Webhook, &message(&sink.url("/hook")))
            .await;
        assert_eq!(got.name(), outcome, "{status}: {got:?}");
    }
    assert!(
        sink.requests()
            .iter()
            .all(|request| request.path() == "/hook"),
        "a redirect was followed"
    );
}

#[tokio::test]
async fn the_receivers_retry_after_is_heard() {
    let sink = HttpSink::start();
    sink.next(
        "/hook",
        HttpAct::answer(503, "").header("Retry-After", "120"),
    );
    let got = signed()
        .send(Channel::Webhook, &message(&sink.url("/hook")))
        .await;
    assert!(
        matches!(got, Outcome::Later { retry_after: Some(wait), .. } if wait == Duration::from_secs(120)),
        "{got:?}"
    );
}

#[tokio::test]
async fn r63_silence_before_the_connection_is_later_and_after_it_unknown() {
    let channels = hasty_channels(secret());
    let nobody = message(&format!("http://127.0.0.1:{}/", closed_port()));
    assert_eq!(
        channels.send(Channel::Webhook, &nobody).await.name(),
        "later"
    );
    let sink = HttpSink::start();
    for (act, outcome) in [
        (HttpAct::Stall, "unknown"),
        (HttpAct::Drop, "unknown"),
        (HttpAct::HalfAnswer { status: 200 }, "sent"),
    ] {
        sink.next("/hook", act.clone());
        let got = channels
            .send(Channel::Webhook, &message(&sink.url("/hook")))
            .await;
        assert_eq!(got.name(), outcome, "{act:?}");
    }
    assert_eq!(sink.requests().len(), 3, "one call is one attempt");
}

#[tokio::test]
async fn outcomes_repeat_nothing_of_the_url() {
    let channels = signed();
    for url in [
        format!("http://127.0.0.1:{}/s3cret", closed_port()),
        "http://169.254.169.254/s3cret".into(),
        "http://a:s3cret@127.0.0.1/".into(),
    ] {
        let got = channels.send(Channel::Webhook, &message(&url)).await;
        assert!(!got.reason().contains("s3cret"), "{got:?}");
    }
}

#[test]
fn secrets_are_whsec_and_base64_of_24_to_64_bytes() {
    assert!(SigningKey::parse(&SecretString::from(SECRET)).is_ok());
    assert!(SigningKey::parse(&SecretString::from(SECRET.trim_start_matches("whsec_"))).is_ok());
    for wrong in ["", "whsec_", "whsec_abc", "whsec_!!!!", "whsec_c2hvcnQ="] {
        assert!(
            SigningKey::parse(&SecretString::from(wrong)).is_err(),
            "{wrong}"
        );
    }
}

#[test]
fn a_fixed_message_has_the_signature_of_the_specification() {
    // The example of the Standard Webhooks specification and libraries.
    let key =
        SigningKey::parse(&SecretString::from(SECRET)).unwrap_or_else(|error| panic!("{error}"));
    let signature = key.sign(
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1_614_265_330,
        br#"{"test": 2432232314}"#,
    );
    assert_eq!(
        signature.as_deref(),
        Some("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")
    );
}
