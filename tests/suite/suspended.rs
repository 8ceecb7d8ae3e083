//! Messages that are due about people whose access is suspended (R40, R84, R91): they wait while it is, go on
//! when access is back, and never go where the removal is applied. Machines are told all along.

use std::time::Duration;

use serde_json::{Value, json};

use crate::holds::decide;
use crate::support::events::{Employee, ORGANIZATION, ada, employee, minute};
use crate::support::macros::on_both;
use crate::triggers_time::Clockwork;

on_both!(
    r40_a_message_to_somebody_suspended_waits_with_its_reason_and_goes_on_after_a_rejection,
    r40_a_message_to_somebody_suspended_is_cancelled_when_the_removal_is_approved,
    r91_a_message_waits_from_the_200_of_a_removal_on_and_machines_are_told,
    r40_a_digest_leaves_out_whose_access_is_suspended,
    r62_of_the_steps_that_gather_during_a_suspension_only_the_newest_goes,
);

const HOUR: Duration = Duration::from_secs(3_600);

/// Every removal waits for an operator.
async fn hold_every_removal(given: &Clockwork) {
    let path = format!("/v1/organizations/{ORGANIZATION}");
    let body = json!({"settings": {"removal_guard": {"floor": 0, "percent": 0}}});
    given.app.call("PATCH", &path, body).await.ok();
}

/// Ada is known and welcomed in an hour; her removal waits for an operator. Answers the hold.
async fn suspended(given: &Clockwork, steps: &[(&str, Option<&str>)]) -> String {
    given.welcome(steps).await;
    given.enable_messaging().await;
    hold_every_removal(given).await;
    given.app.apply(&employee("ben").created(minute(1))).await;
    given.app.apply(&ada().created(minute(1))).await;
    given.app.apply(&ada().deactivated(minute(2))).await;
    let hold = given.only_hold().await["id"].as_str().unwrap().to_owned();
    given.app.advance(HOUR);
    hold
}

fn told_of(given: &Clockwork, who: &Employee) -> Vec<(String, Option<String>)> {
    let id = given.app.profile(who).id;
    let rows = given.all().into_iter().filter(|row| row.profile_id == id);
    rows.map(|row| (row.state, row.reason)).collect()
}

fn waits() -> Vec<(String, Option<String>)> {
    let why = "waits while the person's access is suspended";
    vec![("due".to_owned(), Some(why.to_owned()))]
}

async fn r40_a_message_to_somebody_suspended_waits_with_its_reason_and_goes_on_after_a_rejection(
    given: Clockwork,
) {
    let hold = suspended(&given, &[("PT1H", None)]).await;
    assert_eq!(given.subjects().await, ["step 0"]);
    assert_eq!(given.mail.mails()[0].to, ["ben@test.example"]);
    assert_eq!(told_of(&given, &ada()), waits());
    let id = given.app.profile(&ada()).id;
    let why = given.app.get(&format!("/v1/profiles/{id}/history")).await;
    assert!(why.to_string().contains("access is suspended"), "{why}");
    given.app.advance(HOUR * 30);
    assert_eq!(given.subjects().await.len(), 1, "however long it takes");
    decide(&given.app, &hold, "reject").await;
    assert_eq!(given.subjects().await.len(), 2, "at once");
    assert_eq!(given.mail.mails()[1].to, ["ada@test.example"]);
}

async fn r40_a_message_to_somebody_suspended_is_cancelled_when_the_removal_is_approved(
    given: Clockwork,
) {
    let hold = suspended(&given, &[("PT1H", None)]).await;
    assert_eq!(given.subjects().await.len(), 1);
    decide(&given.app, &hold, "approve").await;
    given.app.drain();
    given.app.advance(HOUR);
    assert_eq!(given.subjects().await.len(), 1);
    let why = Some("the person left".to_owned());
    assert_eq!(told_of(&given, &ada()), [("cancelled".to_owned(), why)]);
}

async fn r91_a_message_waits_from_the_200_of_a_removal_on_and_machines_are_told(given: Clockwork) {
    let steps = json!([
        {"channel": "email", "to": "person", "subject": "hello", "text": "x"},
        {"channel": "webhook", "to": given.web.url("/hook")},
    ]);
    let body = json!({"name": "both", "on": "profile.activated", "steps": steps});
    given.trigger(body).await;
    given.enable_messaging().await;
    given.app.apply(&ada().created(minute(1))).await;
    given.app.deliver(&ada().deleted(minute(2))).await;
    assert!(given.subjects().await.is_empty());
    assert_eq!(given.web.requests().len(), 1);
    given.app.drain();
    given.app.advance(HOUR);
    assert!(given.subjects().await.is_empty());
    let states: Vec<Value> = told_of(&given, &ada())
        .into_iter()
        .map(|(state, _)| json!(state))
        .collect();
    assert!(states.contains(&json!("cancelled")), "{states:?}");
}

async fn r40_a_digest_leaves_out_whose_access_is_suspended(given: Clockwork) {
    let step = json!({"channel": "email", "to": "hr@test.example", "after": "PT1H",
        "subject": "{{ display_name }}", "text": "{{ display_name }}",
        "digest": {"at_least": 2, "subject": "New", "text": "{{ count }} joined: {{ names | join(\", \") }}"}});
    let body = json!({"name": "posts", "on": "profile.activated", "steps": [step]});
    given.trigger(body).await;
    given.enable_messaging().await;
    hold_every_removal(&given).await;
    for who in [ada(), employee("ben"), employee("eve")] {
        given.app.apply(&who.created(minute(1))).await;
    }
    given.app.apply(&ada().deactivated(minute(2))).await;
    given.app.advance(HOUR);
    given.app.send_due().await;
    let mails = given.mail.mails();
    assert_eq!(mails.len(), 1);
    let text = mails[0].body();
    assert!(text.contains("2 joined"), "{text}");
    assert_eq!(told_of(&given, &ada()), waits());
}

async fn r62_of_the_steps_that_gather_during_a_suspension_only_the_newest_goes(given: Clockwork) {
    let hold = suspended(&given, &[("P1D", None), ("P2D", None)]).await;
    for _ in 0..60 {
        given.app.advance(HOUR);
        given.app.send_due().await;
    }
    decide(&given.app, &hold, "reject").await;
    given.app.send_due().await;
    let mails = given.mail.mails();
    let hers = mails.iter().filter(|mail| mail.to == ["ada@test.example"]);
    let hers: Vec<String> = hers.map(|mail| mail.header("Subject").unwrap()).collect();
    assert_eq!(hers, ["step 1"]);
}
