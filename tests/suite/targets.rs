//! Outgoing calls reach only what they may: every spelling of a private address is refused before a
//! connection is made, a name is judged by the addresses it resolves to and connected to at none but
//! those, redirects are not followed, and neither a slow nor an endless answer holds a sender.

use std::net::{IpAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rollcall::clock::Timestamp;
use rollcall::triggers::channels::Names;
use rollcall::triggers::{Channel, ChannelSettings, Channels, Message, Outcome};

use crate::support::http_sink::{HttpAct, HttpSink};
use crate::support::post::WEBHOOK_SECRET;

fn channels(allow_private_targets: bool, names: Names) -> Channels {
    Channels::new(ChannelSettings {
        webhook_secret: Some(WEBHOOK_SECRET.into()),
        allow_private_targets,
        names,
        ..ChannelSettings::default()
    })
    .unwrap()
}

async fn call(channels: &Channels, channel: Channel, url: &str) -> Outcome {
    let message = Message {
        delivery_key: "key".to_owned(),
        recipient: url.to_owned(),
        subject: None,
        text: "hello".to_owned(),
        html: None,
        payload: None,
        event_type: None,
        at: Timestamp::parse("2026-11-23T10:00:00Z").unwrap(),
    };
    channels.send(channel, &message).await
}

fn refused(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::RefusedDestination { .. })
}

/// Answers names from a list, one answer after the other, the last for ever; counts the questions.
fn resolver(answers: &[&[&str]]) -> (Names, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let answers: Vec<Vec<IpAddr>> = answers
        .iter()
        .map(|one| one.iter().map(|ip| ip.parse().unwrap()).collect())
        .collect();
    let count = Arc::clone(&asked);
    let names = Names::by(move |_| {
        let turn = count.fetch_add(1, Ordering::SeqCst);
        Ok(answers[turn.min(answers.len() - 1)].clone())
    });
    (names, asked)
}

/// Nobody connected to it.
fn untouched(listener: &TcpListener) -> bool {
    listener.set_nonblocking(true).unwrap();
    listener.accept().is_err()
}

#[tokio::test]
async fn every_spelling_of_this_machine_is_refused_before_a_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let channels = channels(false, Names::default());
    for host in [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.1",
        "017700000001",
        "127.0.0.1.",
        "localhost",
        "LocalHost.",
        "any.localhost",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[0:0:0:0:0:0:0:1]",
        "0.0.0.0",
        "0",
    ] {
        for (channel, scheme) in [
            (Channel::Webhook, "https"),
            (Channel::Slack, "https"),
            (Channel::Webhook, "http"),
        ] {
            let outcome = call(&channels, channel, &format!("{scheme}://{host}:{port}/x")).await;
            assert!(refused(&outcome), "{scheme}://{host}: {outcome:?}");
        }
    }
    assert!(untouched(&listener));
}

#[tokio::test]
async fn metadata_addresses_are_refused_even_where_private_ones_are_allowed() {
    let channels = channels(true, Names::default());
    for host in [
        "169.254.169.254",
        "2852039166",
        "0xa9fea9fe",
        "[::ffff:169.254.169.254]",
        "[fd00:ec2::254]",
        "[fe80::1]",
    ] {
        let url = format!("http://{host}/latest/meta-data/");
        let outcome = call(&channels, Channel::Webhook, &url).await;
        assert!(refused(&outcome), "{host}: {outcome:?}");
    }
}

#[tokio::test]
async fn a_name_is_judged_by_what_it_resolves_to() {
    for private in [
        "127.0.0.1",
        "10.0.0.1",
        "192.168.1.1",
        "172.20.0.1",
        "169.254.169.254",
        "100.64.0.1",
        "::1",
        "fc00::1",
        "fe80::1",
        "::ffff:127.0.0.1",
        "64:ff9b::a00:1",
    ] {
        let (names, asked) = resolver(&[&[private]]);
        let outcome = call(
            &channels(false, names),
            Channel::Webhook,
            "https://hook.example/x",
        )
        .await;
        assert!(refused(&outcome), "{private}: {outcome:?}");
        assert_eq!(asked.load(Ordering::SeqCst), 1);
    }
    let (names, _) = resolver(&[&["169.254.169.254", "::ffff:10.0.0.1"]]);
    let outcome = call(
        &channels(true, names),
        Channel::Webhook,
        "http://hook.example/x",
    )
    .await;
    assert!(
        refused(&outcome),
        "metadata by name, with the flag: {outcome:?}"
    );
}

#[tokio::test]
async fn a_name_that_changes_its_mind_is_connected_to_where_it_was_judged() {
    let sink = HttpSink::start();
    // Rebinding: a permitted answer first, then another one for whoever asks again.
    let (names, asked) = resolver(&[&["127.0.0.1"], &["169.254.169.254"]]);
    let channels = channels(true, names);
    let url = format!("http://hook.example:{}/x", sink.address().port());
    let outcome = call(&channels, Channel::Webhook, &url).await;
    assert!(matches!(outcome, Outcome::Sent { .. }), "{outcome:?}");
    assert_eq!(
        asked.load(Ordering::SeqCst),
        1,
        "asked once, connected to that"
    );
    let host = format!("hook.example:{}", sink.address().port());
    assert_eq!(sink.requests()[0].header("host"), Some(host.as_str()));
    let outcome = call(&channels, Channel::Webhook, &url).await;
    assert!(refused(&outcome), "the next call judges anew: {outcome:?}");
    assert_eq!(sink.requests().len(), 1);
}

#[tokio::test]
async fn of_several_addresses_only_the_permitted_are_tried() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    // 192.0.2.0/24 is never reached; without it nothing is left but this machine.
    let (names, _) = resolver(&[&["127.0.0.1", "192.0.2.1", "::1"]]);
    let url = format!("https://hook.example:{port}/x");
    let outcome = call(&channels(false, names), Channel::Webhook, &url).await;
    assert!(refused(&outcome), "{outcome:?}");
    assert!(untouched(&listener));
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let sink = HttpSink::start();
    for status in [301, 302, 303, 307, 308] {
        let to = sink.url("/elsewhere");
        sink.next("/x", HttpAct::answer(status, "").header("Location", &to));
        let outcome = call(
            &channels(true, Names::default()),
            Channel::Webhook,
            &sink.url("/x"),
        )
        .await;
        assert!(refused(&outcome), "{status}: {outcome:?}");
    }
    assert!(sink.requests().iter().all(|request| request.path() == "/x"));
}

#[tokio::test]
async fn neither_a_silent_nor_an_endless_answer_holds_a_sender() {
    let sink = HttpSink::start();
    let channels = channels(true, Names::default());
    sink.next("/big", HttpAct::answer(200, "x".repeat(20 * 1024 * 1024)));
    let outcome = call(&channels, Channel::Slack, &sink.url("/big")).await;
    assert!(matches!(outcome, Outcome::Sent { .. }), "{outcome:?}");
    assert!(
        outcome.reason().len() < 100,
        "an answer is not repeated at length"
    );
    sink.next("/silent", HttpAct::Stall);
    let began = Instant::now();
    let outcome = call(&channels, Channel::Webhook, &sink.url("/silent")).await;
    assert!(matches!(outcome, Outcome::Unknown { .. }), "{outcome:?}");
    assert!(began.elapsed() < Duration::from_secs(15));
}
