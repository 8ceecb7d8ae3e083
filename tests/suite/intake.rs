//! The intake under load and in trouble: deliveries share commits, waiting is bounded, and a
//! database that is away costs a 503 and nothing else.

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use rollcall::clock::Clock;
use rollcall::db::Backend;

use crate::support::app::TestApp;
use crate::support::binary::{Service, ignores_full_disks, rollcall};
use crate::support::events::{employee, minute};
use crate::support::http::Answer;
use crate::support::macros::on_both;
use crate::support::place::Place;
use crate::support::wait::eventually;
use crate::webhook_contract::assert_problem;

on_both!(
    deliveries_that_come_together_share_a_commit,
    r75_past_the_bound_the_excess_is_told_at_once,
    r75_who_waits_too_long_is_told_to_come_again,
);

fn assert_come_again(answer: &Answer) {
    assert_eq!(answer.status, 503, "{answer:?}");
    assert_problem(answer, "unavailable");
    let seconds: u32 = answer.header("retry-after").parse().unwrap();
    assert!((1..=60).contains(&seconds), "{answer:?}");
}

async fn deliveries_that_come_together_share_a_commit(app: TestApp) {
    let sizes = || async {
        let sum = app.http.metric("rollcall_intake_group_size_sum").await;
        let count = app.http.metric("rollcall_intake_group_size_count").await;
        sum - count
    };
    let before = sizes().await;
    let mut stranger = app.place.stranger();
    stranger.hold_the_outbox();
    let deliveries = futures_util::future::join_all((0..64).map(|n| {
        let event = employee(&format!("p{n}")).created(minute(0));
        let app = &app;
        async move { app.deliver(&event).await }
    }));
    let release = async {
        eventually("most of them wait", async || {
            let waiting = app.http.metric("rollcall_intake_waiting").await;
            (waiting >= 50.0).then_some(())
        })
        .await;
        stranger.let_go();
    };
    let (answers, ()) = tokio::join!(deliveries, release);
    assert!(answers.iter().all(|answer| answer.status == 200));
    assert!(sizes().await >= before + 50.0, "groups of more than one");
    assert_eq!(app.drain(), 64, "all of them are durable");
    assert_eq!(app.people().len(), 64);
}

async fn r75_past_the_bound_the_excess_is_told_at_once(backend: Backend) {
    let app = TestApp::start_with(backend, |setup| setup.config.intake.queue = 1).await;
    app.leave_work();
    let mut stranger = app.place.stranger();
    stranger.hold_the_outbox();
    let began = Instant::now();
    let mut answers: FuturesUnordered<_> = (0..10)
        .map(|n| {
            let event = employee(&format!("p{n}")).created(minute(0));
            let app = &app;
            async move { (event.id(), app.deliver(&event).await) }
        })
        .collect();
    // One is in the committer's hand, one waits.
    let mut refused = Vec::new();
    for _ in 0..8 {
        let (id, answer) = answers.next().await.unwrap();
        assert_come_again(&answer);
        refused.push(id);
    }
    assert!(
        began.elapsed() < Duration::from_secs(4),
        "{:?}",
        began.elapsed()
    );
    stranger.let_go();
    // On a slow machine these two may have waited too long by now; what was in hand is kept even so.
    while let Some((id, answer)) = answers.next().await {
        if answer.status == 200 {
            assert_eq!(app.count(&format!("outbox WHERE event_id = '{id}'")), 1);
        } else {
            assert_come_again(&answer);
        }
    }
    for id in refused {
        let left = app.count(&format!("outbox WHERE event_id = '{id}'"));
        assert_eq!(left, 0, "what was refused left nothing");
    }
}

async fn r75_who_waits_too_long_is_told_to_come_again(app: TestApp) {
    app.leave_work();
    let event = employee("late").created(minute(0));
    let mut stranger = app.place.stranger();
    stranger.hold_the_outbox();
    assert_come_again(&app.deliver(&event).await);
    stranger.let_go();
    // It may have been committed since: then the repeat is a duplicate, and either way it is there.
    let again = eventually("the repeat is taken", async || {
        let answer = app.deliver(&event).await;
        (answer.status == 200).then_some(answer)
    })
    .await;
    assert!(again.body["status"].is_string());
    assert_eq!(app.count("outbox"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn r74_a_postgres_that_is_away_costs_a_503_and_heals_by_itself() {
    let app = TestApp::start(Backend::Postgres).await;
    let before = employee("before").created(minute(0));
    assert_eq!(app.deliver(&before).await.status, 200);
    let Place::Postgres(database) = &app.place else {
        panic!("it was asked for");
    };
    database.close();
    let during = employee("during").created(minute(0));
    assert_come_again(&app.deliver(&during).await);
    assert_eq!(app.http.call("GET", "/health/ready").await.status, 503);
    assert_eq!(app.http.call("GET", "/health/live").await.status, 200);
    let api = app.http.api("GET", "/v1/events", None).await;
    assert_come_again(&api);
    database.open();
    eventually("the repeat is taken", async || {
        (app.deliver(&during).await.status == 200).then_some(())
    })
    .await;
    eventually("it is ready again", async || {
        let ready = app.http.call("GET", "/health/ready").await;
        (ready.status == 200).then_some(())
    })
    .await;
    assert_eq!(
        app.drain(),
        2,
        "what was acknowledged before is still there"
    );
    assert_eq!(app.people().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn r74_a_full_disk_costs_a_503_and_heals_by_itself() {
    let (place, folder) = (Place::new(Backend::Sqlite), tempfile::tempdir().unwrap());
    // A limit on the size of files stands in for a full disk; the signal that comes with it is
    // ignored here and in the child, so that writing fails as it does on a full disk.
    let command = ignores_full_disks(&rollcall(&place.url(), folder.path()));
    let (service, http) = Service::serve(command, &[]).await;
    let deliver = async |name: String| {
        let event = employee(&name).created(minute(0));
        let padded = event.clone().set("data.padding", "x".repeat(4_000));
        let answer = http.deliver(&padded, Clock::System.now()).await.unwrap();
        (event.id(), answer)
    };
    let mut acknowledged = Vec::new();
    for n in 0..5 {
        let (id, answer) = deliver(format!("early{n}")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        acknowledged.push(id);
    }
    service.limit_files("1048576");
    let refused = eventually("the disk is full", async || {
        let (id, answer) = deliver("filler".to_owned()).await;
        if answer.status == 200 {
            acknowledged.push(id);
            return None;
        }
        Some(answer)
    })
    .await;
    assert_come_again(&refused);
    service.limit_files("unlimited");
    let (id, _) = eventually("there is room again", async || {
        let (id, answer) = deliver("late".to_owned()).await;
        (answer.status == 200).then_some((id, answer))
    })
    .await;
    acknowledged.push(id);
    for id in acknowledged {
        eventually("every acknowledged one is applied", async || {
            let event = http.api("GET", &format!("/v1/events/{id}"), None).await;
            (event.body["state"] == "done").then_some(())
        })
        .await;
    }
}
