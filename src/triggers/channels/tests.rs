//! What the channels have in common, and the helpers of their tests.

use std::time::Duration;

use secrecy::SecretString;

use super::*;

/// Settings that reach the tests' own servers.
pub(super) fn settings() -> ChannelSettings {
    ChannelSettings {
        allow_private_targets: true,
        mail_from: Some("Rollcall <rollcall@example.com>".into()),
        ..ChannelSettings::default()
    }
}

pub(super) fn channels(settings: ChannelSettings) -> Channels {
    Channels::new(settings).unwrap_or_else(|error| panic!("{error}"))
}

/// Channels that lose patience soon, for servers that never answer.
pub(super) fn hasty_channels(settings: ChannelSettings) -> Channels {
    let http = client::Patience {
        connect: Duration::from_millis(800),
        whole: Duration::from_secs(1),
    };
    let mail = smtp::Patience {
        before: Duration::from_secs(1),
        after: Duration::from_secs(1),
    };
    Channels::with_patience(settings, http, mail).unwrap_or_else(|error| panic!("{error}"))
}

pub(super) fn message(recipient: &str) -> Message {
    Message {
        delivery_key: "profile_1/trigger_1/0/1".into(),
        recipient: recipient.into(),
        subject: Some("Welcome".into()),
        text: "Hello Ada".into(),
        html: None,
        payload: None,
        event_type: Some("profile.activated".into()),
        at: Timestamp::parse("2026-11-23T10:00:00Z").unwrap_or_default(),
    }
}

/// A loopback port on which nobody listens.
pub(super) fn closed_port() -> u16 {
    let bound =
        std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    bound
        .map(|at| at.port())
        .unwrap_or_else(|error| panic!("{error}"))
}

#[tokio::test]
async fn in_development_nothing_leaves_the_house() {
    let sink = http_sink::HttpSink::start();
    let channels = channels(ChannelSettings {
        capture: true,
        smtp_url: Some(SecretString::from("nonsense")),
        ..settings()
    });
    for channel in [Channel::Email, Channel::Slack, Channel::Webhook] {
        assert_eq!(
            channels.send(channel, &message(&sink.url("/x"))).await,
            Outcome::sent("captured")
        );
    }
    assert_eq!(sink.requests(), []);
}

#[tokio::test]
async fn what_is_not_configured_says_what_to_set() {
    let channels = channels(settings());
    for (channel, recipient, wanted) in [
        (Channel::Email, "ada@example.com", "ROLLCALL_SMTP_URL"),
        (Channel::Slack, "#general", "ROLLCALL_SLACK_BOT_TOKEN"),
        (
            Channel::Slack,
            "ada@example.com",
            "ROLLCALL_SLACK_BOT_TOKEN",
        ),
        (
            Channel::Webhook,
            "http://127.0.0.1:9/x",
            "ROLLCALL_TRIGGER_WEBHOOK_SECRET",
        ),
    ] {
        let outcome = channels.send(channel, &message(recipient)).await;
        assert!(
            matches!(&outcome, Outcome::RefusedDestination { reason } if reason.contains(wanted)),
            "{outcome:?}"
        );
    }
}

#[test]
fn settings_that_cannot_work_are_told_at_start_up() {
    let wrong = [
        ChannelSettings {
            webhook_secret: Some(SecretString::from("whsec_short")),
            ..settings()
        },
        ChannelSettings {
            slack_api_url: "ftp://slack.com".into(),
            ..settings()
        },
        ChannelSettings {
            smtp_url: Some(SecretString::from("smtp://localhost")),
            mail_from: None,
            ..settings()
        },
    ];
    for settings in wrong {
        assert!(Channels::new(settings).is_err());
    }
    assert!(Channels::new(settings()).is_ok());
}

#[test]
fn a_lease_can_outlast_every_attempt() {
    let (http, mail) = (client::Patience::default(), smtp::Patience::default());
    assert!(http.connect < http.whole);
    assert!(http.whole * 2 < LONGEST_ATTEMPT, "lookup and post");
    assert!(mail.before + mail.after + Duration::from_secs(4) < LONGEST_ATTEMPT);
}
