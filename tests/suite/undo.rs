//! What was decided wrongly is taken back in one act, what was taken back stays so whatever replays
//! it, a settle delay sees a burst before any of it is applied, and somebody hears of every hold.

use std::time::Duration;

use rollcall::clock::Clock;
use rollcall::db::Backend;
use serde_json::{Value, json};

use crate::holds::{burst, company, decide, holds, only_hold, seats, somebody};
use crate::support::app::TestApp;
use crate::support::binary::rollcall;
use crate::support::events::{DIRECTORY, Event, ORGANIZATION, directory, minute};
use crate::support::macros::on_both;
use crate::support::plans;

on_both!(
    r41_an_approved_batch_is_taken_back_in_one_act,
    r41_what_was_taken_back_is_not_applied_by_a_replay_of_everything,
    r41_the_people_of_a_removed_directory_are_brought_back,
    r41_an_open_or_rejected_batch_cannot_be_undone,
    r41_a_settle_delay_sees_a_burst_whole_and_applies_none_of_it,
    r41_a_settle_delay_lets_single_removals_pass_in_their_time,
    r40_a_hold_is_told_to_whoever_watches,
    r40_holds_are_decided_from_the_command_line,
);

async fn undo(app: &TestApp, hold: &str) -> Value {
    decide(app, hold, "undo").await
}

async fn r41_an_approved_batch_is_taken_back_in_one_act(app: TestApp) {
    let chess = company(&app).await;
    let before: Vec<(String, String)> = seats(&app, &chess);
    let events = burst(&app);
    let hold = only_hold(&app).await;
    decide(&app, &hold, "approve").await;
    app.drain();
    assert_eq!(app.people().len(), 10);
    assert_eq!(app.count("deliveries WHERE state = 'due'"), 10);

    let shown = undo(&app, &hold).await;
    assert_eq!(shown["state"], "undone", "{shown}");
    app.drain();
    assert_eq!(app.people().len(), 40);
    assert_eq!(seats(&app, &chess), before, "admin seats, too");
    assert_eq!(app.count("deliveries WHERE state = 'due'"), 40);
    for event in &events {
        let told = app.event(&event.id()).await;
        assert_eq!(told["outcome"], "ignored", "{told}");
    }
    assert_eq!(app.count("operator_acts WHERE act = 'hold.undone'"), 1);
    // A removal that is not of the batch goes its way.
    let next = app.apply(&somebody(39).deactivated(minute(59))).await;
    assert_eq!(next["outcome"], "applied", "{next}");
    let again = app
        .call("POST", &format!("/v1/holds/{hold}/undo"), Value::Null)
        .await;
    assert_eq!(again.status, 409, "{again:?}");
}

async fn r41_what_was_taken_back_is_not_applied_by_a_replay_of_everything(app: TestApp) {
    company(&app).await;
    burst(&app);
    // The deletion that followed a deactivation is taken back with it.
    app.apply(&somebody(0).deleted(minute(55))).await;
    let hold = only_hold(&app).await;
    decide(&app, &hold, "reject").await;
    assert_eq!(app.people().len(), 40);
    let (changes, messages) = (app.count("changes"), app.count("deliveries"));
    app.call("POST", "/v1/events/replay", json!({"all": true}))
        .await
        .ok();
    app.drain();
    assert_eq!(
        app.people().len(),
        40,
        "R18: a replay changes nothing that is right"
    );
    assert_eq!(app.count("changes"), changes);
    assert_eq!(app.count("deliveries"), messages);
    // The directory's next word counts.
    app.apply(&somebody(0).deleted(minute(58))).await;
    assert_eq!(app.people().len(), 39);
}

async fn r41_the_people_of_a_removed_directory_are_brought_back(app: TestApp) {
    let chess = company(&app).await;
    let before = seats(&app, &chess);
    app.apply(&directory("dsync.deleted", minute(5))).await;
    app.advance(Duration::from_secs(600));
    let path = format!("/v1/directories/{DIRECTORY}/decide");
    let decided = app
        .call("POST", &path, json!({"decision": "remove_all"}))
        .await
        .ok();
    assert_eq!(app.people().len(), 0);
    assert_eq!(app.count("deliveries WHERE state = 'due'"), 0);
    undo(&app, decided["id"].as_str().unwrap()).await;
    assert_eq!(app.people().len(), 40);
    assert_eq!(seats(&app, &chess), before);
    assert_eq!(app.count("deliveries WHERE state = 'due'"), 40);
}

async fn r41_an_open_or_rejected_batch_cannot_be_undone(app: TestApp) {
    company(&app).await;
    burst(&app);
    let hold = only_hold(&app).await;
    let path = format!("/v1/holds/{hold}/undo");
    let open = app.call("POST", &path, Value::Null).await;
    assert_eq!(open.status, 409);
    assert!(open.text.contains("reject it instead"), "{open:?}");
    decide(&app, &hold, "reject").await;
    assert_eq!(app.call("POST", &path, Value::Null).await.status, 409);
}

/// Removals of the organization wait for five minutes.
fn settle(app: &TestApp) {
    let settings = json!({"removal_guard": {"settle_seconds": 300}}).to_string();
    let rows = app.sql(&format!(
        "UPDATE organizations SET settings = '{settings}' WHERE id = '{ORGANIZATION}'"
    ));
    assert_eq!(rows, 1);
}

async fn r41_a_settle_delay_sees_a_burst_whole_and_applies_none_of_it(app: TestApp) {
    company(&app).await;
    settle(&app);
    // They come one by one over four minutes, as a poll brings them.
    for n in 0..24 {
        app.enqueue(&[somebody(n).deactivated(minute(10 + n as u64))]);
        app.drain();
        app.advance(Duration::from_secs(10));
    }
    assert_eq!(app.people().len(), 40, "all of them settle");
    assert_eq!(holds(&app).await, Vec::<Value>::new());
    let waiting = app.count("outbox WHERE state = 'ready' AND attempts = 0");
    assert_eq!(waiting, 24);
    app.advance(Duration::from_secs(300));
    app.drain();
    assert_eq!(app.people().len(), 40, "the first, too, is part of a burst");
    let all = holds(&app).await;
    assert_eq!(
        (&all[0]["waiting"], &all[0]["applied"]),
        (&json!(24), &json!(0))
    );
    decide(&app, all[0]["id"].as_str().unwrap(), "approve").await;
    app.drain();
    assert_eq!(app.people().len(), 16, "an approved batch settles no more");
}

async fn r41_a_settle_delay_lets_single_removals_pass_in_their_time(backend: Backend) {
    plans::record();
    let app = TestApp::start(backend).await;
    company(&app).await;
    settle(&app);
    let event: Event = somebody(0).deleted(minute(10));
    app.enqueue(std::slice::from_ref(&event));
    app.drain();
    let shown = app.event(&event.id()).await;
    assert_eq!(
        (&shown["state"], &shown["attempts"]),
        (&json!("ready"), &json!(0))
    );
    assert!(
        shown["reason"].as_str().unwrap().contains("settle"),
        "{shown}"
    );
    app.advance(Duration::from_secs(299));
    assert_eq!(app.drain(), 0);
    app.advance(Duration::from_secs(1));
    app.drain();
    assert_eq!(app.event(&event.id()).await["outcome"], "applied");
    assert_eq!(app.people().len(), 39);
    let coming = plans::plan_of(&app.place, &["links", "outbox.state = 'ready'"]);
    if backend == Backend::Sqlite {
        assert!(coming.contains("outbox_ready"), "of all events: {coming}");
    }
}

async fn r40_a_hold_is_told_to_whoever_watches(app: TestApp) {
    company(&app).await;
    burst(&app);
    let metrics = app.http.call("GET", "/metrics").await.text;
    let has = |wanted: &str| metrics.lines().any(|line| line.starts_with(wanted));
    assert!(has("rollcall_holds_open 1"), "{metrics}");
    assert!(has("rollcall_holds_opened_total{kind=\"removals\"}"));
    assert!(has("rollcall_outbox_events{state=\"held\"} 10"));
    let todo = app.get("/v1/holds?state=open").await;
    assert_eq!(todo["data"].as_array().unwrap().len(), 1);
}

async fn r40_holds_are_decided_from_the_command_line(app: TestApp) {
    company(&app).await;
    burst(&app);
    let hold = only_hold(&app).await;
    let folder = tempfile::tempdir().unwrap();
    let url = app.place.url();
    let run = |args: &[&str]| {
        let done = rollcall(&url, folder.path()).args(args).output().unwrap();
        let text = String::from_utf8_lossy(&done.stdout).into_owned();
        assert!(done.status.success(), "{args:?} {done:?}");
        text
    };
    let listed = run(&["holds", "list", "--state", "open", "--json"]);
    assert!(listed.contains(&hold), "{listed}");
    let dry = run(&["holds", "approve", &hold, "--dry-run", "--json"]);
    assert!(dry.contains("\"approved\""), "{dry}");
    assert_eq!(
        holds(&app).await[0]["state"],
        "open",
        "a dry run decides nothing"
    );
    run(&["holds", "approve", &hold, "--yes"]);
    // The command ran by the machine's clock.
    app.advance(Clock::System.now().since(app.clock.now()) + Duration::from_secs(1));
    app.drain();
    assert_eq!(app.people().len(), 10);
    run(&["holds", "undo", &hold]);
    app.drain();
    assert_eq!(app.people().len(), 40);
    let doctor = rollcall(&url, folder.path())
        .arg("doctor")
        .output()
        .unwrap();
    assert!(String::from_utf8_lossy(&doctor.stdout).contains("holds"));
}
