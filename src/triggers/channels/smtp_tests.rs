//! Each phase of a mail over a real socket: what goes wrong, and what is said of it.

use super::super::smtp_sink::{SmtpAct, SmtpSink, SmtpStep};
use super::super::tests::{channels, closed_port, hasty_channels, message, settings};
use super::super::{ChannelSettings, Channels};
use super::*;
use crate::triggers::Channel;

fn to(sink: &SmtpSink) -> Channels {
    at(&sink.url())
}

fn at(url: &str) -> Channels {
    channels(ChannelSettings {
        smtp_url: Some(SecretString::from(url)),
        ..settings()
    })
}

async fn mailed(channels: &Channels) -> Outcome {
    channels
        .send(Channel::Email, &message("ada@example.org"))
        .await
}

#[tokio::test]
async fn a_mail_arrives_whole() {
    let sink = SmtpSink::start();
    let mut mail = message("ada@example.org");
    mail.html = Some("<p>Hello Ädä</p>".into());
    assert_eq!(
        to(&sink).send(Channel::Email, &mail).await,
        Outcome::sent("250 at the end of the text")
    );
    let mails = sink.wait_for(1).await;
    assert_eq!(
        (mails[0].from.as_str(), mails[0].to.as_slice()),
        (
            "rollcall@example.com",
            ["ada@example.org".to_owned()].as_slice()
        )
    );
    assert_eq!(mails[0].header("Subject").as_deref(), Some("Welcome"));
    assert_eq!(
        mails[0].header("Auto-Submitted").as_deref(),
        Some("auto-generated")
    );
    assert!(
        mails[0]
            .header("Content-Type")
            .is_some_and(|value| value.starts_with("multipart/alternative"))
    );
    assert!(mails[0].body().contains("Hello Ada") && mails[0].body().contains("text/html"));
}

#[tokio::test]
async fn connections_are_reused_also_after_a_refusal() {
    let sink = SmtpSink::start();
    let channels = to(&sink);
    for act in [
        SmtpAct::Accept,
        SmtpAct::Reply("550 5.1.1 nobody"),
        SmtpAct::Accept,
    ] {
        sink.next(SmtpStep::Recipient, act);
        let _ = mailed(&channels).await;
    }
    assert_eq!((sink.mails().len(), sink.connections()), (2, 1));
}

#[tokio::test]
async fn a_kept_connection_that_died_is_replaced() {
    let sink = SmtpSink::start();
    let channels = to(&sink);
    sink.next(SmtpStep::Text, SmtpAct::AcceptThenDrop);
    for _ in 0..3 {
        assert_eq!(mailed(&channels).await.name(), "sent");
    }
    assert_eq!((sink.mails().len(), sink.connections()), (3, 2));
}

#[tokio::test]
async fn r63_every_phase_has_its_outcome_and_nothing_is_taken_unless_said() {
    use SmtpAct::{Drop, Reply, Stall};
    use SmtpStep::{Data, From, Greeting, Hello, Recipient, Text};
    for (step, act, outcome, taken) in [
        (Greeting, Reply("421 4.3.2 busy"), "later", 0),
        (Greeting, Reply("554 5.3.2 no"), "refused_destination", 0),
        (Greeting, Drop, "later", 0),
        (Greeting, Stall, "later", 0),
        (Hello, Reply("421 4.3.2 busy"), "later", 0),
        (Hello, Drop, "later", 0),
        (From, Reply("451 4.3.0 later"), "later", 0),
        (
            From,
            Reply("530 5.7.0 login first"),
            "refused_destination",
            0,
        ),
        (From, Drop, "later", 0),
        (Recipient, Reply("450 4.2.1 greylisted"), "later", 0),
        (
            Recipient,
            Reply("550 5.1.1 <ada@example.org> unknown"),
            "refused_message",
            0,
        ),
        (Recipient, Drop, "later", 0),
        (Recipient, Stall, "later", 0),
        (Data, Reply("452 4.3.1 full"), "later", 0),
        (Data, Reply("554 5.5.1 no"), "refused_message", 0),
        (Data, Reply("250 2.0.0 out of step"), "later", 0),
        (Data, Drop, "later", 0),
        (Text, Reply("451 4.7.1 try later"), "later", 0),
        (Text, Reply("421 4.3.2 closing"), "later", 0),
        (Text, Reply("552 5.3.4 too big"), "refused_message", 0),
        (Text, Drop, "unknown", 1),
        (Text, Stall, "unknown", 1),
        (Text, Reply("nonsense"), "unknown", 0),
    ] {
        let sink = SmtpSink::start();
        sink.next(step, act);
        let settings = ChannelSettings {
            smtp_url: Some(SecretString::from(sink.url())),
            ..settings()
        };
        let channels = if act == Stall {
            hasty_channels(settings)
        } else {
            channels(settings)
        };
        let got = mailed(&channels).await;
        assert_eq!(got.name(), outcome, "{step:?} {act:?}: {got:?}");
        assert_eq!(sink.mails().len(), taken, "{step:?} {act:?}");
        assert!(!got.reason().contains("ada"), "{got:?}");
    }
}

#[tokio::test]
async fn nobody_listening_is_later() {
    let got = mailed(&at(&format!("smtp://127.0.0.1:{}", closed_port()))).await;
    assert_eq!(got.name(), "later", "{got:?}");
}

#[tokio::test]
async fn the_login_is_made_and_a_wrong_one_stops_the_destination() {
    let sink = SmtpSink::start();
    sink.require_login("rollcall", "p w");
    let address = sink.address();
    assert_eq!(
        mailed(&at(&format!("smtp://rollcall:p%20w@{address}")))
            .await
            .name(),
        "sent"
    );
    let got = mailed(&at(&format!("smtp://rollcall:wrong@{address}"))).await;
    assert_eq!(
        got,
        Outcome::refused_destination("the mail server answered 535 to the login")
    );
    sink.next(SmtpStep::Auth, SmtpAct::Reply("454 4.7.0 try later"));
    assert_eq!(
        mailed(&at(&format!("smtp://rollcall:p%20w@{address}")))
            .await
            .name(),
        "later"
    );
}

#[tokio::test]
async fn a_server_without_the_login_or_tls_we_need_gets_nothing() {
    let sink = SmtpSink::start();
    let address = sink.address();
    let got = mailed(&at(&format!("smtp://user:s3cret@{address}"))).await;
    assert!(
        matches!(&got, Outcome::RefusedDestination { reason } if reason.contains("no login")),
        "{got:?}"
    );
    let got = mailed(&at(&format!("smtp://user:s3cret@{address}?tls=required"))).await;
    assert!(
        matches!(&got, Outcome::RefusedDestination { reason } if reason.contains("STARTTLS")),
        "{got:?}"
    );
    assert!(
        sink.commands().iter().all(|line| line.starts_with("EHLO")),
        "{:?}",
        sink.commands()
    );
}

#[tokio::test]
async fn tls_that_does_not_come_about_is_later_and_says_nothing_in_clear() {
    let sink = SmtpSink::start();
    let got = mailed(&at(&format!("smtps://user:s3cret@{}", sink.address()))).await;
    assert_eq!(got.name(), "later", "{got:?}");
    assert!(sink.mails().is_empty() && !sink.commands().join(" ").contains("AUTH"));
}

#[tokio::test]
async fn rustsec_2026_0561_a_lone_line_end_and_a_dot_cannot_end_the_mail() {
    for end in ["\n", "\r", "\r\n", "\n\r", "\r\r\n", "\u{85}", "\u{2028}"] {
        let sink = SmtpSink::start();
        sink.take_any_line_end();
        let mut mail = message("ada@example.org");
        mail.text = [
            "x",
            ".",
            "MAIL FROM:<boss@example.org>",
            "RCPT TO:<all@example.org>",
            "DATA",
            "Subject: fire",
            "",
            ".",
            "y",
        ]
        .join(end);
        mail.subject = Some(mail.text.clone());
        mail.html = Some(format!("<pre>{}</pre>", mail.text));
        let got = to(&sink).send(Channel::Email, &mail).await;
        assert_eq!(got.name(), "sent", "{end:?}: {got:?}");
        let mails = sink.wait_for(1).await;
        assert_eq!(mails.len(), 1, "{end:?}");
        assert_eq!(mails[0].to, ["ada@example.org"]);
        let commands: Vec<String> = sink
            .commands()
            .iter()
            .map(|line| line.chars().take(4).collect())
            .collect();
        assert_eq!(commands, ["EHLO", "MAIL", "RCPT", "DATA"], "{end:?}");
    }
}

#[tokio::test]
async fn a_dot_on_its_own_line_arrives_as_one() {
    let sink = SmtpSink::start();
    let mut mail = message("ada@example.org");
    mail.text = "one\n.\n..two\n.three".into();
    assert_eq!(to(&sink).send(Channel::Email, &mail).await.name(), "sent");
    assert_eq!(
        sink.wait_for(1).await[0].body().trim_end(),
        "one\r\n.\r\n..two\r\n.three"
    );
}

#[tokio::test]
async fn addresses_in_other_scripts_ask_for_smtputf8() {
    let sink = SmtpSink::start();
    let got = to(&sink)
        .send(Channel::Email, &message("ädä@example.org"))
        .await;
    assert_eq!(got.name(), "sent", "{got:?}");
    assert!(
        sink.commands()
            .iter()
            .any(|line| line.contains("SMTPUTF8") && line.contains("BODY=8BITMIME"))
    );
    let plain = SmtpSink::start();
    plain.next(SmtpStep::Hello, SmtpAct::Reply("250 sink"));
    assert_eq!(
        to(&plain)
            .send(Channel::Email, &message("ädä@example.org"))
            .await
            .name(),
        "refused_message"
    );
}

#[tokio::test]
async fn an_address_with_a_command_in_it_never_reaches_the_server() {
    let sink = SmtpSink::start();
    let got = to(&sink)
        .send(
            Channel::Email,
            &message("a@example.org>\r\nRCPT TO:<b@example.org"),
        )
        .await;
    assert_eq!(got.name(), "refused_message");
    assert_eq!(sink.connections(), 0);
}
