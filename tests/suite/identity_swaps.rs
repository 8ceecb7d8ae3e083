//! Identities that change for many people at once wait for an operator (R42); and a profile shows the
//! access that the access question answers, also while a hold suspends it (R40).

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::events::{Employee, Event, ORGANIZATION, directory, employee, minute};
use crate::support::macros::on_both;

on_both!(
    r40_a_profile_shows_the_access_that_the_access_question_answers,
    r42_many_new_domains_at_once_wait_and_are_approved_as_one,
    r42_a_rejected_swap_gives_everybody_their_identity_back,
    r42_many_new_provider_ids_at_once_wait_too,
);

fn somebody(number: usize) -> Employee {
    employee(&format!("p{number:02}"))
}

/// An organization of forty: five in a hundred of them are two.
async fn company(app: &TestApp) {
    app.apply(&directory("dsync.activated", minute(0))).await;
    let all: Vec<Event> = (0..40).map(|n| somebody(n).created(minute(1))).collect();
    app.enqueue(&all);
    app.drain();
    assert_eq!(app.people().len(), 40);
}

async fn r40_a_profile_shows_the_access_that_the_access_question_answers(app: TestApp) {
    company(&app).await;
    let burst: Vec<Event> = (0..21)
        .map(|n| somebody(n).deactivated(minute(10)))
        .collect();
    app.enqueue(&burst);
    app.drain();
    let held = app
        .people()
        .into_iter()
        .find(|email| *email < somebody(21).email())
        .unwrap();
    let agree = async |expected: bool| {
        let path = format!("/v1/access?organization_id={ORGANIZATION}&email={held}");
        let answer = app.get(&path).await;
        assert_eq!(answer["allowed"], expected);
        let id = answer["profile_id"].as_str().unwrap();
        let shown = app.get(&format!("/v1/profiles/{id}")).await;
        assert_eq!(shown["access"], expected);
        let q = held.split('@').next().unwrap();
        let list = app.get(&format!("/v1/profiles?q={q}")).await;
        assert_eq!(list["data"][0]["access"], expected);
    };
    agree(false).await;
    let path = format!("/v1/organizations/{ORGANIZATION}");
    let keep = json!({"settings": {"removal_guard": {"access": "keep"}}});
    app.call("PATCH", &path, keep).await.ok();
    agree(true).await;
}

fn moved(number: usize, at: u64) -> Event {
    let address = format!("p{number:02}@elsewhere.example");
    somebody(number)
        .updated(minute(at))
        .set("data.email", address)
}

async fn swap_hold(app: &TestApp) -> Value {
    let page = app.get("/v1/holds?state=open").await;
    let all = page["data"].as_array().unwrap();
    assert_eq!(all.len(), 1, "{all:?}");
    assert_eq!(all[0]["kind"], "identity_swap");
    all[0].clone()
}

fn at_elsewhere(app: &TestApp) -> usize {
    let people = app.people().into_iter();
    people
        .filter(|email| email.ends_with("elsewhere.example"))
        .count()
}

async fn r42_many_new_domains_at_once_wait_and_are_approved_as_one(app: TestApp) {
    company(&app).await;
    let events: Vec<Event> = (0..10).map(|n| moved(n, 10)).collect();
    app.enqueue(&events);
    app.drain();
    assert_eq!(at_elsewhere(&app), 2);
    let hold = swap_hold(&app).await;
    assert_eq!(
        (&hold["waiting"], &hold["applied"]),
        (&json!(8), &json!(2)),
        "{hold}"
    );
    // Somebody who waits goes on waiting, also after the hour; the question is not answered by time.
    app.advance(Duration::from_secs(2 * 3_600));
    let waiting = app.people();
    let late = (0..10).find(|n| waiting.contains(&somebody(*n).email()));
    app.apply(&moved(late.unwrap(), 130)).await;
    assert_eq!(at_elsewhere(&app), 2);
    let hold = swap_hold(&app).await;
    let path = format!("/v1/holds/{}/approve", hold["id"].as_str().unwrap());
    app.call("POST", &path, Value::Null).await.ok();
    app.drain();
    assert_eq!(at_elsewhere(&app), 10);
    app.apply(&moved(20, 140)).await;
    assert_eq!(at_elsewhere(&app), 11, "a decided batch does not count");
}

async fn r42_a_rejected_swap_gives_everybody_their_identity_back(app: TestApp) {
    company(&app).await;
    let before = app.people();
    let events: Vec<Event> = (0..10).map(|n| moved(n, 10)).collect();
    app.enqueue(&events);
    app.drain();
    assert_eq!(at_elsewhere(&app), 2);
    // Of those who changed already somebody leaves: that stays so.
    let gone = (0..10).find(|n| !app.people().contains(&somebody(*n).email()));
    let gone = gone.unwrap();
    app.apply(&somebody(gone).deactivated(minute(20))).await;
    let hold = swap_hold(&app).await;
    let path = format!("/v1/holds/{}/reject", hold["id"].as_str().unwrap());
    app.call("POST", &path, Value::Null).await.ok();
    app.drain();
    let left: Vec<String> = before
        .into_iter()
        .filter(|email| *email != somebody(gone).email())
        .collect();
    assert_eq!(app.people(), left);
    assert_eq!(app.profile(&somebody(gone)).status, "removed");
}

async fn r42_many_new_provider_ids_at_once_wait_too(app: TestApp) {
    company(&app).await;
    let events: Vec<Event> = (0..5)
        .map(|n| {
            somebody(n)
                .updated(minute(10))
                .set("data.idp_id", format!("idp_other_{n}"))
        })
        .collect();
    app.enqueue(&events);
    app.drain();
    assert_eq!(swap_hold(&app).await["waiting"], 3);
    assert_eq!(app.count("links WHERE idp_id LIKE 'idp_other_%'"), 2);
    assert_eq!(app.count("changes WHERE name = 'idp_id'"), 2);
}
