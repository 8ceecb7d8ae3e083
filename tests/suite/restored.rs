//! A restored back-up is recognized, and what the database that is lost may have sent to people waits for an
//! operator; what is new goes, and machines are told as ever.

use std::time::Duration;

use rollcall::clock::Clock;
use rollcall::db::Backend;
use serde_json::{Value, json};
use tokio::task::block_in_place;

use crate::support::binary::rollcall;
use crate::support::events::{ada, directory, employee, minute, morning};
use crate::support::http_sink::HttpSink;
use crate::support::macros::on_both;
use crate::support::place::Place;
use crate::support::smtp::SmtpSink;
use crate::triggers_time::Clockwork;

on_both!(
    r63_after_a_restored_back_up_what_may_have_been_sent_waits_in_a_hold,
    r63_a_restart_or_a_database_begun_anew_is_no_restored_back_up,
    r63_an_operator_says_that_a_back_up_was_restored,
);

const HOUR: Duration = Duration::from_secs(3_600);

/// Ends it and starts it again, on its own database or on what `of` makes of that.
async fn again(given: Clockwork, of: impl FnOnce(Place) -> Place) -> Clockwork {
    let Clockwork { app, mail, web } = given;
    let clock = app.clock.clone();
    let place = block_in_place(|| of(app.stop()));
    Clockwork::at(place, clock, mail, web).await
}

fn waiting(given: &Clockwork) -> Vec<String> {
    let all = given.all().into_iter().filter(|row| row.channel == "email");
    all.map(|row| format!("step {}: {}", row.step, row.state))
        .collect()
}

async fn decide(given: &Clockwork, decision: &str) {
    let hold = given.only_hold().await;
    let path = format!("/v1/holds/{}/{decision}", hold["id"].as_str().unwrap());
    given.app.call("POST", &path, Value::Null).await.ok();
}

async fn welcomes(backend: Backend) -> Clockwork {
    let place = block_in_place(|| Place::new(backend));
    let (mail, web) = (SmtpSink::start(), HttpSink::start());
    let given = Clockwork::at(place, Clock::fixed(morning()), mail, web).await;
    let begun = directory("dsync.activated", minute(0));
    given.app.apply(&begun).await;
    given.welcome(&[("PT0S", None), ("P2D", None)]).await;
    given
        .trigger(json!({"name": "told", "on": "profile.activated", "steps": [
            {"channel": "webhook", "to": given.web.url("/hook")}]}))
        .await;
    given.enable_messaging().await;
    given
}

async fn r63_after_a_restored_back_up_what_may_have_been_sent_waits_in_a_hold(backend: Backend) {
    let given = welcomes(backend).await;
    // Due in the back-up, and sent after it.
    given.app.apply(&employee("ben").created(minute(1))).await;
    let mut backup = None;
    let given = again(given, |place| {
        backup = Some(place.back_up());
        place
    })
    .await;
    let joined = ada().created(minute(2));
    given.app.apply(&joined).await;
    assert_eq!(given.subjects().await.len(), 2, "both are welcomed");
    given.app.advance(HOUR);

    let given = again(given, |place| place.restored(backup.unwrap())).await;
    let hold = given.only_hold().await;
    assert_eq!(
        (&hold["kind"], &hold["waiting"]),
        (&json!("restored"), &json!(1))
    );
    assert!(
        hold["reason"].as_str().unwrap().contains("back-up"),
        "it says why: {hold}"
    );
    // The event comes again, and is new to this database.
    given.app.apply(&joined).await;
    assert_eq!(given.subjects().await.len(), 2, "nobody is welcomed twice");
    assert_eq!(given.only_hold().await["waiting"], 2);
    assert_eq!(
        given.web.requests().len(),
        4,
        "machines are told at least once, and so twice"
    );
    let second = waiting(&given);
    assert_eq!(
        second.iter().filter(|row| *row == "step 1: due").count(),
        2,
        "what was not due before goes on: {second:?}"
    );
    // Who comes after the restore is greeted as ever.
    given.app.apply(&employee("eve").created(minute(90))).await;
    assert_eq!(given.subjects().await.len(), 3);

    decide(&given, "approve").await;
    assert_eq!(given.subjects().await.len(), 5, "approved, they go");
    given.app.advance(HOUR * 48);
    assert_eq!(
        given.subjects().await.len(),
        8,
        "the series goes on for all three"
    );
}

async fn r63_a_restart_or_a_database_begun_anew_is_no_restored_back_up(backend: Backend) {
    let given = welcomes(backend).await;
    given.app.apply(&ada().created(minute(1))).await;
    let given = again(given, |place| place).await;
    assert_eq!(given.app.count("restores"), 0);
    assert_eq!(given.subjects().await.len(), 1, "what was due goes");
    let given = again(given, |place| match place {
        // The mark of the former one still lies there.
        Place::Sqlite(folder) => {
            std::fs::remove_file(folder.path().join("roll.db")).unwrap();
            assert!(folder.path().join(".roll.db.mark").exists());
            Place::Sqlite(folder)
        }
        Place::Postgres(_) => Place::new(backend),
    })
    .await;
    assert_eq!(given.app.count("restores"), 0);
}

async fn r63_an_operator_says_that_a_back_up_was_restored(backend: Backend) {
    let given = welcomes(backend).await;
    given.app.apply(&ada().created(minute(1))).await;
    let said = |arguments: &[&str]| {
        let folder = tempfile::tempdir().unwrap();
        block_in_place(|| {
            let mut command = rollcall(&given.app.place.url(), folder.path());
            command.arg("restored").args(arguments).output().unwrap()
        })
    };
    let future = said(&["--since", "2100-01-01T00:00:00Z", "--yes"]);
    assert_eq!(future.status.code(), Some(2), "{future:?}");
    assert!(String::from_utf8_lossy(&future.stderr).contains("lies in the future"));
    let tried = said(&["--since", "2026-11-01T00:00:00Z", "--dry-run", "--json"]);
    assert_eq!(tried.status.code(), Some(0), "{tried:?}");
    assert_eq!(given.app.count("restores"), 0);

    let done = said(&["--since", "2026-11-01T00:00:00Z", "--yes", "--json"]);
    let view: Value = serde_json::from_slice(&done.stdout).unwrap();
    // By the command's clock, which is the real one, both steps were due.
    assert_eq!(view["messages"], 2, "{view}");
    assert!(given.subjects().await.is_empty());
    assert_eq!(
        given
            .app
            .count("operator_acts WHERE act = 'database.restored'"),
        1
    );
    decide(&given, "reject").await;
    assert!(given.subjects().await.is_empty(), "rejected, it never goes");
    assert!(waiting(&given).contains(&"step 0: cancelled".to_owned()));
}
