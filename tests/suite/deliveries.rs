//! Messages to the outside, caught by real servers: each once, nobody by mistake, and what is not
//! known for certain is said to be unknown.

use std::time::Duration;

use rollcall::triggers::deliveries::{self, Settled};
use serde_json::json;

use crate::support::events::{ada, employee, minute};
use crate::support::http_sink::HttpAct;
use crate::support::macros::on_both;
use crate::support::post::{LEASE, Post, WEBHOOK_SECRET};
use crate::support::smtp::{SmtpAct, SmtpStep};

on_both!(
    r63_a_new_person_is_greeted_once_over_each_channel,
    r56_nobody_is_greeted_before_messaging_is_on,
    r68_a_replay_sends_nothing_again,
    r63_a_message_cut_off_by_a_crash_is_unknown_and_not_sent_again,
    r73_what_a_dead_sender_had_not_begun_is_sent_by_another,
    r73_a_late_result_under_an_old_lease_changes_nothing,
    r64_who_was_removed_before_the_sending_gets_nothing,
    r64_a_removal_is_seen_also_by_a_sender_that_holds_the_message,
    a_refused_message_has_failed_and_an_operator_may_send_it_again,
    a_message_that_comes_too_early_is_sent_later_under_the_same_id,
    r63_silence_after_the_handing_over_is_unknown,
    r26_a_mail_waits_for_an_address_and_other_channels_do_not,
);

async fn r63_a_new_person_is_greeted_once_over_each_channel(post: Post) {
    post.enable_messaging();
    post.trigger(json!([
        Post::mail_step(),
        post.slack_step(),
        post.webhook_step()
    ]));
    let event = ada().created(minute(0));
    post.app.apply(&event).await;
    assert_eq!(post.app.send_due().await, 3);

    let mails = post.mail.mails();
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0].to, [ada().email()]);
    assert_eq!(mails[0].header("Subject").as_deref(), Some("Welcome ada"));
    assert!(mails[0].body().contains("Dear ada"));
    let requests = post.web.requests();
    let at = |path: &str| {
        let mut found = requests.iter().filter(|request| request.path() == path);
        let one = found.next().unwrap();
        assert!(found.next().is_none(), "{path} was called twice");
        one
    };
    assert_eq!(at("/slack").json()["text"], "ada is here");
    let hook = at("/hook");
    let body = hook.json();
    assert_eq!(body["type"], "profile.activated");
    assert_eq!(body["data"]["profile"]["email"], ada().email());
    assert_eq!(body["data"]["event_id"], event.id());
    // The oracle: another implementation of Standard Webhooks makes the same signature.
    let (id, timestamp) = (
        hook.header("webhook-id").unwrap(),
        hook.header("webhook-timestamp").unwrap().parse().unwrap(),
    );
    let oracle = standardwebhooks::Webhook::new(WEBHOOK_SECRET).unwrap();
    let signature = oracle.sign(id, timestamp, &hook.body).unwrap();
    assert_eq!(hook.header("webhook-signature"), Some(signature.as_str()));

    assert!(post.all().iter().all(|row| row.state == "sent"));
    let again = ada()
        .updated(minute(5))
        .set("data.custom_attributes.job_title", "Lead");
    post.app.apply(&again).await;
    assert_eq!(post.app.send_due().await, 0, "greeted once");
    let shown = post.app.event(&event.id()).await;
    assert_eq!(shown["deliveries"].as_array().unwrap().len(), 3);
}

async fn r56_nobody_is_greeted_before_messaging_is_on(post: Post) {
    post.trigger(json!([Post::mail_step(), post.webhook_step()]));
    post.app.apply(&ada().created(minute(0))).await;
    assert_eq!(post.all().len(), 0);
    post.enable_messaging();
    let update = ada()
        .updated(minute(1))
        .set("data.custom_attributes.job_title", "Lead");
    post.app.apply(&update).await;
    assert_eq!(post.all().len(), 0, "who was there before is no newcomer");
    post.app.apply(&employee("bob").created(minute(2))).await;
    assert_eq!(post.app.send_due().await, 2);
    assert_eq!(post.mail.mails()[0].to, [employee("bob").email()]);
}

async fn r68_a_replay_sends_nothing_again(post: Post) {
    post.enable_messaging();
    post.trigger(json!([Post::mail_step(), post.webhook_step()]));
    let event = ada().created(minute(0));
    post.app.apply(&event).await;
    assert_eq!(post.app.send_due().await, 2);
    post.app.apply(&ada().deleted(minute(1))).await;
    post.app.apply(&ada().created(minute(2))).await;
    post.app.replay(&event.id()).await;
    post.app.drain();
    assert_eq!(
        post.app.send_due().await,
        0,
        "back without a new start date: no welcome (R31)"
    );
    assert_eq!((post.mail.mails().len(), post.web.requests().len()), (1, 1));
}

async fn r63_a_message_cut_off_by_a_crash_is_unknown_and_not_sent_again(post: Post) {
    post.enable_messaging();
    post.trigger(json!([Post::mail_step()]));
    post.app.apply(&ada().created(minute(0))).await;
    let held = post.claim("a sender that dies");
    assert!(post.begin(&held[0]));
    assert_eq!(post.app.send_due().await, 0, "its lease holds");
    post.app.advance(LEASE + Duration::from_secs(1));
    assert_eq!(post.app.send_due().await, 0);
    let row = post.only();
    assert_eq!(row.state, "unknown", "{row:?}");
    assert!(row.reason.unwrap().contains("may have been taken"));
    assert_eq!(post.mail.mails().len(), 0);

    let now = post.app.clock.now();
    let retried = post
        .app
        .write(|conn| deliveries::retry(conn, &row.id, "an operator", now));
    assert_eq!(retried, Ok(()), "only a person sends it again");
    assert_eq!(post.app.send_due().await, 1);
    assert_eq!(post.only().state, "sent");
}

async fn r73_what_a_dead_sender_had_not_begun_is_sent_by_another(post: Post) {
    post.one_due().await;
    assert_eq!(post.claim("a sender that dies").len(), 1);
    assert_eq!(post.claim("another").len(), 0, "one holds it at a time");
    post.app.advance(LEASE + Duration::from_secs(1));
    assert_eq!(post.app.send_due().await, 1, "free again within seconds");
    assert_eq!(post.only().state, "sent");
    assert_eq!(post.web.requests().len(), 1);
}

async fn r73_a_late_result_under_an_old_lease_changes_nothing(post: Post) {
    post.one_due().await;
    let sleeper = post.claim("a sender that sleeps").remove(0);
    post.app.advance(LEASE + Duration::from_secs(1));
    assert_eq!(post.app.send_due().await, 1);
    let sent = post.only();
    assert!(!post.begin(&sleeper), "it may not begin any more");
    for late in [
        Settled::Failed("late".into()),
        Settled::Sent("late".into()),
        Settled::Again(minute(0), "late".into()),
    ] {
        assert!(!post.settle(&sleeper, &late), "{late:?}");
    }
    let now = post.only();
    assert_eq!(
        (now.state, now.reason, now.attempts),
        (sent.state, sent.reason, sent.attempts)
    );
    assert_eq!(post.app.send_due().await, 0);
}

async fn r64_who_was_removed_before_the_sending_gets_nothing(post: Post) {
    post.one_due().await;
    post.app.apply(&ada().deleted(minute(1))).await;
    let row = post.only();
    assert_eq!(
        (row.state.as_str(), row.reason.as_deref()),
        ("cancelled", Some("the person left"))
    );
    assert_eq!(post.app.send_due().await, 0);
    assert_eq!(post.web.requests().len(), 0);
}

async fn r64_a_removal_is_seen_also_by_a_sender_that_holds_the_message(post: Post) {
    post.one_due().await;
    let held = post.claim("a sender").remove(0);
    post.app.apply(&ada().deactivated(minute(1))).await;
    assert!(!post.begin(&held), "what is cancelled is not begun");
    assert_eq!(post.only().state, "cancelled");
}

async fn a_refused_message_has_failed_and_an_operator_may_send_it_again(post: Post) {
    post.web.next("/hook", HttpAct::answer(422, "no"));
    post.one_due().await;
    assert_eq!(post.app.send_due().await, 1);
    let row = post.only();
    assert_eq!(row.state, "failed");
    assert!(row.reason.unwrap().contains("422"));
    post.app.advance(Duration::from_secs(86_400));
    assert_eq!(post.app.send_due().await, 0, "not by itself");
    let now = post.app.clock.now();
    post.app
        .write(|conn| deliveries::retry(conn, &row.id, "an operator", now))
        .unwrap();
    assert_eq!(post.app.send_due().await, 1);
    assert_eq!(post.only().state, "sent");
    let log = post.app.read(|conn| deliveries::attempts_of(conn, &row.id));
    let told: Vec<&str> = log.iter().map(|line| line.outcome.as_str()).collect();
    assert_eq!(told, ["failed", "retried", "sent"]);
}

async fn a_message_that_comes_too_early_is_sent_later_under_the_same_id(post: Post) {
    post.web.next(
        "/hook",
        HttpAct::answer(503, "").header("Retry-After", "120"),
    );
    post.mail.next(
        SmtpStep::Recipient,
        SmtpAct::Reply("451 4.3.0 try again later"),
    );
    post.enable_messaging();
    post.trigger(json!([Post::mail_step(), post.webhook_step()]));
    post.app.apply(&ada().created(minute(0))).await;
    assert_eq!(post.app.send_due().await, 2);
    assert!(post.all().iter().all(|row| row.state == "due"));
    post.app.advance(Duration::from_secs(2));
    assert_eq!(
        post.app.send_due().await,
        1,
        "the mail, after a second of back-off"
    );
    assert_eq!(post.mail.mails().len(), 1);
    post.app.advance(Duration::from_secs(119));
    assert_eq!(
        post.app.send_due().await,
        1,
        "the webhook, when it was asked for"
    );
    assert!(
        post.all()
            .iter()
            .all(|row| row.state == "sent" && row.attempts == 2)
    );
    let requests = post.web.requests();
    assert_eq!(requests.len(), 2);
    assert_eq!(
        requests[0].header("webhook-id"),
        requests[1].header("webhook-id")
    );
    assert_ne!(
        requests[0].header("webhook-timestamp"),
        requests[1].header("webhook-timestamp")
    );
}

async fn r63_silence_after_the_handing_over_is_unknown(post: Post) {
    post.web.next("/slack", HttpAct::Drop);
    post.mail.next(SmtpStep::Text, SmtpAct::Drop);
    post.enable_messaging();
    post.trigger(json!([Post::mail_step(), post.slack_step()]));
    post.app.apply(&ada().created(minute(0))).await;
    assert_eq!(post.app.send_due().await, 2);
    assert!(
        post.all().iter().all(|row| row.state == "unknown"),
        "{:?}",
        post.all()
    );
    post.app.advance(Duration::from_secs(86_400));
    assert_eq!(post.app.send_due().await, 0);
    assert_eq!((post.mail.mails().len(), post.web.requests().len()), (1, 1));
}

async fn r26_a_mail_waits_for_an_address_and_other_channels_do_not(post: Post) {
    post.enable_messaging();
    post.trigger(json!([Post::mail_step(), post.slack_step()]));
    let without = ada().created(minute(0)).without("data.email");
    post.app.apply(&without).await;
    assert_eq!(post.app.send_due().await, 2);
    assert_eq!((post.mail.mails().len(), post.web.requests().len()), (0, 1));
    post.app.apply(&ada().updated(minute(1))).await;
    post.app.advance(Duration::from_secs(3600));
    assert_eq!(post.app.send_due().await, 1);
    assert_eq!(post.mail.mails()[0].to, [ada().email()]);
}
