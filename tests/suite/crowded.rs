//! What a system writes for everybody, a number for a whole plant or one mailbox, makes nobody
//! anybody else (R20), and what an event costs does not grow with how many have it.

use std::collections::BTreeSet;

use rollcall::store::cluster;
use rollcall::store::crowds::{Crowded, MOST_LINKS};
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::events::{DIRECTORY, Employee, ORGANIZATION, directory, employee, minute};
use crate::support::macros::on_both;

on_both!(
    r20_a_number_that_a_whole_plant_has_brings_nobody_together,
    r20_a_whole_plant_may_come_in_one_batch,
    r20_one_mailbox_of_a_whole_plant_is_nobodys_address,
);

const NUMBER: &str = "data.custom_attributes.employee_number";
const MAILBOX: &str = "plant@test.example";

fn worker(place: usize) -> Employee {
    employee(&format!("worker{place}"))
}

/// Some more than are ever loaded together, in batches as they come.
async fn hire(app: &TestApp, path: &str, value: &str) -> usize {
    let many = MOST_LINKS + 10;
    let hired = |place| worker(place).created(minute(1)).set(path, value);
    let few = many / 2;
    for some in [0..few, few..many] {
        app.enqueue(&some.map(hired).collect::<Vec<_>>());
        app.drain();
    }
    assert_eq!(app.count("profiles WHERE status = 'active'"), many as i64);
    many
}

async fn profile_of(app: &TestApp, user: &str) -> Value {
    let shown = app.get(&format!("/v1/conflicts/{user}")).await;
    let id = shown["profile"]["profile_id"].as_str().unwrap();
    app.get(&format!("/v1/profiles/{id}")).await
}

async fn access(app: &TestApp, email: &str) -> Value {
    let path = format!("/v1/access?organization_id={ORGANIZATION}&email={email}");
    app.get(&path).await
}

fn loaded_with(app: &TestApp, user: &str) -> usize {
    let seeds = BTreeSet::from([user.to_owned()]);
    let found = app.read(|conn| cluster::find(conn, &seeds, &BTreeSet::new(), Crowded::default()));
    found.links.len()
}

async fn r20_a_number_that_a_whole_plant_has_brings_nobody_together(app: TestApp) {
    let many = hire(&app, NUMBER, "PLANT-7").await;
    let (first, last) = (worker(0), worker(many - 1));
    assert_eq!(
        loaded_with(&app, &first.id()),
        1,
        "alone, however many there are"
    );

    app.apply(
        &last
            .updated(minute(2))
            .set(NUMBER, "PLANT-7")
            .set("data.job_title", "Foreman"),
    )
    .await;
    let shown = profile_of(&app, &last.id()).await;
    assert!(
        shown["warnings"]
            .to_string()
            .contains("nobody is known by it"),
        "{shown}"
    );

    app.apply(&first.deleted(minute(3))).await;
    assert_eq!(access(&app, &first.email()).await["allowed"], false);
    assert_eq!(access(&app, &last.email()).await["allowed"], true);
    let back = employee("returned").created(minute(4));
    app.apply(&back.set(NUMBER, "PLANT-7")).await;
    assert_eq!(
        app.count("profiles"),
        many as i64 + 1,
        "a number alone brings nobody back"
    );

    let own = worker(1);
    app.apply(&own.updated(minute(5)).set(NUMBER, "1001")).await;
    app.apply(&own.deleted(minute(6))).await;
    let again = employee("again").created(minute(7)).set(NUMBER, "1001");
    app.apply(&again).await;
    assert_eq!(
        app.count("profiles"),
        many as i64 + 1,
        "a number of one's own does"
    );

    app.apply(&directory("dsync.deleted", minute(8))).await;
    let kept = format!(
        "profiles WHERE status = 'active' AND id IN (SELECT profile_id FROM links WHERE directory_id = '{DIRECTORY}')"
    );
    assert_eq!(
        app.count(&kept),
        many as i64,
        "everybody waits for a decision"
    );
}

async fn r20_a_whole_plant_may_come_in_one_batch(app: TestApp) {
    let many = 6 * MOST_LINKS;
    let hired = |place| worker(place).created(minute(1)).set(NUMBER, "PLANT-7");
    app.enqueue(&(0..many).map(hired).collect::<Vec<_>>());
    app.drain();
    assert_eq!(app.count("profiles WHERE status = 'active'"), many as i64);
    assert_eq!(loaded_with(&app, &worker(0).id()), 1);
    let shown = profile_of(&app, &worker(0).id()).await;
    assert!(
        shown["warnings"]
            .to_string()
            .contains("nobody is known by it"),
        "{shown}"
    );
}

async fn r20_one_mailbox_of_a_whole_plant_is_nobodys_address(app: TestApp) {
    let many = hire(&app, "data.email", MAILBOX).await;
    let conflicts = app.get("/v1/conflicts").await;
    assert_eq!(conflicts["data"], json!([]));
    assert_eq!(access(&app, MAILBOX).await["allowed"], false);
    let last = worker(many - 1);
    assert_eq!(
        loaded_with(&app, &last.id()),
        1,
        "alone, however many there are"
    );
    app.apply(&last.updated(minute(2)).set("data.email", last.email()))
        .await;
    assert_eq!(access(&app, &last.email()).await["allowed"], true);
}
