//! Machines whose clocks differ at one PostgreSQL: what they compare with each other is counted by the server's
//! clock, and the difference is told.

use std::time::{Duration, Instant};

use rollcall::clock::Clock;
use rollcall::db::Backend;
use serde_json::Value;
use tokio::task::block_in_place;

use crate::support::binary::{Service, rollcall};
use crate::support::events::{ada, minute};
use crate::support::place::Place;
use crate::support::wait::eventually;

const AHEAD: &str = "ROLLCALL_TEST_CLOCK_AHEAD";

#[tokio::test(flavor = "multi_thread")]
async fn r73_a_clock_that_is_a_minute_ahead_delays_no_termination_and_takes_nobody_for_dead() {
    a_machine_is_a_minute_ahead(&[(AHEAD, "60".to_owned())]).await;
}

/// Works with a right clock beside a server whose clock `ahead` sets a minute ahead; nobody may notice but by
/// a warning.
pub async fn a_machine_is_a_minute_ahead(ahead: &[(&str, String)]) {
    let (place, folder) = (Place::new(Backend::Postgres), tempfile::tempdir().unwrap());
    let mut command = rollcall(&place.url(), folder.path());
    command.arg("work");
    let worker = Service::start(command);
    eventually("it works", async || {
        worker.words().contains("working").then_some(())
    })
    .await;
    let mut command = rollcall(&place.url(), folder.path());
    command.envs(ahead.iter().map(|(name, value)| (name, value)));
    let (service, http) = Service::serve(command, &["--no-worker"]).await;

    let began = Instant::now();
    let (joins, leaves) = (ada().created(minute(0)), ada().deleted(minute(1)));
    for event in [&joins, &leaves] {
        let answer = http.deliver(event, Clock::System.now()).await.unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    for event in [&joins, &leaves] {
        eventually("it is applied", async || {
            let path = format!("/v1/events/{}", event.id());
            let shown = http.api("GET", &path, None).await.ok();
            (shown["outcome"] == "applied").then_some(())
        })
        .await;
    }
    assert!(
        began.elapsed() < Duration::from_secs(25),
        "not a minute later"
    );
    let words = service.words();
    assert!(
        words.contains("60.0 s ahead of the database server's"),
        "{words}"
    );
    assert!(
        !words.contains("stopped uncleanly"),
        "the worker lives: {words}"
    );
    let skew = http.metric("rollcall_clock_skew_seconds").await;
    assert!((skew - 60.0).abs() < 1.0, "{skew}");

    let mut command = rollcall(&place.url(), folder.path());
    command.env(AHEAD, "-60").args(["doctor", "--json"]);
    let output = block_in_place(|| command.output().unwrap());
    let checks: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    let of = |part: &str| checks.iter().find(|check| check["name"] == part).unwrap();
    let clock = of("clock");
    assert_eq!(clock["result"], "warn", "{clock}");
    assert!(
        clock["finding"].as_str().unwrap().contains("behind"),
        "{clock}"
    );
    assert_eq!(
        of("worker")["result"],
        "ok",
        "heartbeats are the server's: {checks:?}"
    );
}
