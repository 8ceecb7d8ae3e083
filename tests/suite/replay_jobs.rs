//! Replay of many events as a job: each once whoever asks, at the pace that was asked for, stopped by
//! hand, gone on with after a crash of a real process, and without a second message to anybody.

use std::time::Duration;

use rollcall::clock::Clock;
use rollcall::db::{Backend, Db, DbError, Urgency};
use rollcall::outbox::{NewEvent, enqueue};
use rollcall::store::jobs;
use serde_json::{Value, json};
use tokio::task::block_in_place;

use crate::console::Browser;
use crate::support::app::{TestApp, new_event};
use crate::support::binary::{Service, rollcall};
use crate::support::events::{Event, ORGANIZATION, ada, employee, minute};
use crate::support::http::{Caller, TOKEN};
use crate::support::macros::on_both;
use crate::support::place::Place;
use crate::support::wait::eventually;

on_both!(
    a_large_replay_is_a_job_that_everybody_can_follow,
    a_replay_job_keeps_its_pace_and_stops_when_told,
    every_filter_narrows_a_replay_and_ids_may_be_many,
    r68_a_replay_job_sends_nothing_that_went_or_was_cancelled,
    r69_two_replay_jobs_at_once_apply_each_event_once,
    a_replay_gives_way_to_events_that_wait,
    r92_a_job_whose_steps_end_with_the_process_is_not_given_up_for_it,
    a_replay_killed_in_the_middle_is_finished_by_the_next_process,
    a_dry_run_of_very_many_tries_a_sample_and_says_so,
    a_dry_run_tells_memberships_and_messages,
    the_command_line_follows_a_replay_and_can_leave_it,
);

/// So many people, hired and applied.
fn hired(app: &TestApp, count: u64) -> Vec<Event> {
    let events: Vec<Event> = (0..count)
        .map(|number| employee(&format!("p{number}")).created(minute(number % 60)))
        .collect();
    app.enqueue(&events);
    app.drain();
    events
}

async fn begun(app: &TestApp, body: Value) -> String {
    let told = app.call("POST", "/v1/events/replay", body).await;
    assert_eq!(told.status, 202, "{told:?}");
    assert_eq!(told.body["replayed"], 0);
    told.body["job_id"].as_str().unwrap().to_owned()
}

async fn job(app: &TestApp, id: &str) -> Value {
    app.get(&format!("/v1/jobs/{id}")).await
}

/// How often each event was replayed.
fn replays(app: &TestApp) -> Vec<i64> {
    let sql = "SELECT count(*) AS n FROM event_attempts WHERE what = 'replayed' GROUP BY event_id";
    app.read(|conn| counted(conn, sql))
}

#[derive(diesel::QueryableByName)]
struct Count {
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    n: i64,
}

fn counted(conn: &mut rollcall::db::Conn, sql: &str) -> diesel::QueryResult<Vec<i64>> {
    use diesel::RunQueryDsl as _;
    let query = diesel::sql_query(sql);
    let rows: Vec<Count> = match conn {
        rollcall::db::Conn::Sqlite(c) => query.load(c)?,
        rollcall::db::Conn::Postgres(c) => query.load(c)?,
    };
    Ok(rows.into_iter().map(|row| row.n).collect())
}

async fn a_large_replay_is_a_job_that_everybody_can_follow(app: TestApp) {
    hired(&app, 450);
    let token = app.token("nadia", "operator", None);
    let told = app
        .http
        .api_as(
            Some(&token),
            "POST",
            "/v1/events/replay",
            Some(&json!({"type": "dsync.user.created"})),
        )
        .await;
    assert_eq!((told.status, &told.body["matched"]), (202, &json!(450)));
    let id = told.body["job_id"].as_str().unwrap();
    let before = job(&app, id).await;
    assert_eq!(
        (&before["kind"], &before["total"]),
        (&json!("events.replay"), &json!(450))
    );
    assert_eq!(before["created_by"], "nadia");
    assert!(block_in_place(|| app.worker.step_job()).unwrap());
    let between = job(&app, id).await;
    assert_eq!(
        (&between["state"], &between["done"]),
        (&json!("running"), &json!(200))
    );
    app.drain();
    let after = job(&app, id).await;
    assert_eq!(
        (&after["state"], &after["done"]),
        (&json!("done"), &json!(450))
    );
    assert_eq!(after["result"]["replayed"], 450);
    assert_eq!(replays(&app), [1; 450]);
    let act =
        "SELECT count(*) AS n FROM operator_acts WHERE act = 'events.replayed' AND actor = 'nadia'";
    assert_eq!(app.read(|conn| counted(conn, act)), [1]);
    // What came after the question is no part of the answer.
    let small = app
        .call(
            "POST",
            "/v1/events/replay",
            json!({"q": "p449@", "job": true}),
        )
        .await;
    assert_eq!((small.status, &small.body["matched"]), (202, &json!(1)));
    app.drain();
}

async fn a_replay_job_keeps_its_pace_and_stops_when_told(app: TestApp) {
    hired(&app, 120);
    let id = begun(&app, json!({"all": true, "rate": 50})).await;
    for done in [50, 100] {
        app.drain();
        assert_eq!(
            job(&app, &id).await["done"],
            done,
            "no more than its pace allows"
        );
        app.advance(Duration::from_secs(1));
    }
    let stopped = app
        .call("POST", &format!("/v1/jobs/{id}/cancel"), json!({}))
        .await;
    assert_eq!(stopped.ok()["state"], "cancelled");
    app.drain();
    assert_eq!(job(&app, &id).await["done"], 100);
    assert_eq!(replays(&app).len(), 100);
    let again = app
        .call("POST", &format!("/v1/jobs/{id}/cancel"), json!({}))
        .await;
    assert_eq!(again.status, 409);
    let wrong = app
        .call("POST", "/v1/events/replay", json!({"all": true, "rate": 0}))
        .await;
    assert_eq!(wrong.status, 400);
}

async fn every_filter_narrows_a_replay_and_ids_may_be_many(app: TestApp) {
    let events = hired(&app, 260);
    app.apply(&ada().created(minute(1)).without("data.directory_id"))
        .await;
    let ada = app.profile(&employee("p7")).id;
    let tomorrow = app
        .clock
        .now()
        .plus(Duration::from_secs(86_400))
        .to_string();
    let count = async |body: Value| -> Value {
        let mut body = body;
        body["dry_run"] = json!(true);
        let told = app.call("POST", "/v1/events/replay", body).await.ok();
        told["matched"].clone()
    };
    assert_eq!(count(json!({"state": "failed"})).await, 1);
    assert_eq!(count(json!({"outcome": "applied"})).await, 260);
    assert_eq!(count(json!({"type": "dsync.user.deleted"})).await, 0);
    assert_eq!(
        count(json!({"directory_id": "directory_01TEST"})).await,
        260
    );
    assert_eq!(count(json!({"organization_id": ORGANIZATION})).await, 261);
    assert_eq!(count(json!({"profile_id": ada})).await, 1);
    assert_eq!(count(json!({"since": tomorrow})).await, 0);
    assert_eq!(count(json!({"until": tomorrow})).await, 261);
    assert_eq!(count(json!({"q": "p12@test"})).await, 1);
    assert_eq!(count(json!({"error": "directory_id"})).await, 1);
    assert_eq!(count(json!({"all": true, "limit": 5})).await, 5);

    let ids: Vec<String> = events.iter().map(Event::id).collect();
    let id = begun(&app, json!({"ids": ids, "limit": 255})).await;
    app.drain();
    let told = job(&app, &id).await;
    assert_eq!((&told["total"], &told["done"]), (&json!(255), &json!(255)));
    assert_eq!(replays(&app), [1; 255]);
    app.advance(Duration::from_secs(1));
    let filtered = begun(&app, json!({"state": "done", "limit": 203})).await;
    app.drain();
    assert_eq!(job(&app, &filtered).await["result"]["replayed"], 203);
}

async fn r68_a_replay_job_sends_nothing_that_went_or_was_cancelled(app: TestApp) {
    app.apply(&ada().created(minute(0))).await;
    app.call(
        "POST",
        &format!("/v1/organizations/{ORGANIZATION}/messaging/enable"),
        json!({}),
    )
    .await
    .ok();
    let trigger = json!({
        "organization_id": ORGANIZATION, "name": "welcome", "on": "profile.activated",
        "status": "published",
        "steps": [{"channel": "webhook", "to": "http://127.0.0.1:9/hook"}],
    });
    app.call("POST", "/v1/triggers", trigger).await.ok();
    app.advance(Duration::from_secs(3_600));
    for number in 0..4 {
        app.apply(&employee(&format!("new{number}")).created(minute(61)))
            .await;
    }
    assert_eq!(app.count("deliveries"), 4);
    app.sql("UPDATE deliveries SET state = 'sent', settled_at = 1");
    app.sql(
        "UPDATE deliveries SET state = 'cancelled' WHERE id = (SELECT min(id) FROM deliveries)",
    );
    let before = app.read(|conn| {
        counted(
            conn,
            "SELECT count(*) AS n FROM deliveries GROUP BY state ORDER BY state",
        )
    });
    let told = app
        .call(
            "POST",
            "/v1/events/replay",
            json!({"all": true, "dry_run": true}),
        )
        .await
        .ok();
    assert_eq!(
        (&told["messages_due"], &told["messages_done"]),
        (&json!(0), &json!(4))
    );
    begun(&app, json!({"all": true, "job": true})).await;
    app.drain();
    let after = app.read(|conn| {
        counted(
            conn,
            "SELECT count(*) AS n FROM deliveries GROUP BY state ORDER BY state",
        )
    });
    assert_eq!(
        after, before,
        "as many cancelled and as many sent, and none is due"
    );
}

async fn r69_two_replay_jobs_at_once_apply_each_event_once(app: TestApp) {
    hired(&app, 300);
    for name in ["nadia", "omar"] {
        app.token(name, "operator", None);
    }
    let ask = async |who: &str| {
        let body = json!({"type": "dsync.user.created"});
        let told = app
            .http
            .api_as(Some(who), "POST", "/v1/events/replay", Some(&body))
            .await;
        told.ok()["job_id"].as_str().unwrap().to_owned()
    };
    let first = ask("nadia").await;
    assert!(block_in_place(|| app.worker.step_job()).unwrap());
    block_in_place(|| while app.worker.run_once().unwrap() > 0 {});
    // The second operator asks while the first one's job has done most of it.
    app.advance(Duration::from_secs(1));
    let second = ask("omar").await;
    app.drain();
    let (first, second) = (job(&app, &first).await, job(&app, &second).await);
    let replayed = |one: &Value| one["result"]["replayed"].as_i64().unwrap();
    assert_eq!(
        replayed(&first) + replayed(&second),
        300,
        "{first} {second}"
    );
    assert!(
        second["result"]["replayed_by_others"].as_i64().unwrap() >= 200,
        "{second}"
    );
    assert_eq!(replays(&app), [1; 300]);
    let by = "SELECT count(*) AS n FROM event_attempts WHERE actor IN ('nadia', 'omar')";
    assert_eq!(
        app.read(|conn| counted(conn, by)),
        [300],
        "everybody sees who did it"
    );
}

async fn a_replay_gives_way_to_events_that_wait(app: TestApp) {
    hired(&app, 250);
    let id = begun(&app, json!({"all": true})).await;
    let live: Vec<Event> = (0..450)
        .map(|number| ada().updated(minute(number + 61)))
        .collect();
    app.enqueue(&live);
    assert!(block_in_place(|| app.worker.step_job()).unwrap());
    assert_eq!(job(&app, &id).await["done"], 0, "too much waits already");
    app.drain();
    app.advance(Duration::from_secs(1));
    app.drain();
    assert_eq!(job(&app, &id).await["done"], 250);
}

async fn r92_a_job_whose_steps_end_with_the_process_is_not_given_up_for_it(app: TestApp) {
    hired(&app, 210);
    let id = begun(&app, json!({"all": true})).await;
    for _ in 1..=10 {
        let now = app.clock.now();
        // What a killed process leaves behind: a claim, and no word after it.
        let claimed = app.write(|conn| {
            jobs::claim(
                conn,
                &["events.replay"],
                "gone",
                Duration::from_secs(5),
                now,
            )
        });
        let claimed = claimed.unwrap().job;
        assert_eq!(claimed.attempts, 0, "no error, no evidence");
        assert!(
            !block_in_place(|| app.worker.step_job()).unwrap(),
            "it is claimed"
        );
        let lease = claimed.lease_until.unwrap().since(now);
        assert!(lease <= Duration::from_secs(600), "{lease:?}");
        app.advance(lease + Duration::from_secs(1));
    }
    app.drain();
    let told = job(&app, &id).await;
    assert_eq!(
        (&told["state"], &told["done"]),
        (&json!("done"), &json!(210)),
        "{told}"
    );
    assert_eq!(replays(&app).len(), 210);
}

/// People hired in a database that no process works on yet.
fn filled(place: &Place, count: u64) -> Db {
    let db = Db::open(&place.url(), 2).unwrap();
    db.maintain(rollcall::db::migrate).unwrap();
    let now = Clock::System.now();
    let rows: Vec<NewEvent> = (0..count)
        .map(|number| new_event(&employee(&format!("p{number}")).created(minute(0)), now))
        .collect();
    db.write(Urgency::Normal, |conn| {
        Ok::<_, DbError>(enqueue(conn, &rows)?)
    })
    .unwrap();
    db
}

async fn a_replay_killed_in_the_middle_is_finished_by_the_next_process(backend: Backend) {
    const PEOPLE: u64 = 600;
    let (place, folder) = (Place::new(backend), tempfile::tempdir().unwrap());
    let db = block_in_place(|| filled(&place, PEOPLE));
    let (mut first, http) = Service::serve(rollcall(&place.url(), folder.path()), &[]).await;
    applied(&http).await;
    let body = json!({"type": "dsync.user.created", "rate": 150});
    let told = http.api("POST", "/v1/events/replay", Some(&body)).await;
    assert_eq!(told.status, 202, "{told:?}");
    let path = format!("/v1/jobs/{}", told.body["job_id"].as_str().unwrap());
    eventually("some are replayed", async || {
        let done = http.api("GET", &path, None).await.body["done"].as_i64()?;
        (done > 0).then_some(())
    })
    .await;
    first.kill();
    let read = |sql: &str| {
        block_in_place(|| db.read(|conn| Ok::<_, DbError>(counted(conn, sql)?))).unwrap()
    };
    let lines = "SELECT count(*) AS n FROM event_attempts WHERE what = 'replayed'";
    let some = read(lines)[0];
    assert!(
        (1..600).contains(&some),
        "it was killed in the middle: {some}"
    );
    let (_second, http) = Service::serve(rollcall(&place.url(), folder.path()), &[]).await;
    let done = eventually("the job is done", async || {
        let job = http.api("GET", &path, None).await.body;
        (job["state"] == "done").then_some(job)
    })
    .await;
    assert_eq!(done["result"]["replayed"], 600, "{done}");
    applied(&http).await;
    let each = "SELECT count(*) AS n FROM event_attempts WHERE what = 'replayed' GROUP BY event_id";
    assert_eq!(read(each), [1; 600], "each once");
}

async fn applied(http: &Caller) {
    eventually("everything is applied", async || {
        let left = http
            .api("GET", "/v1/events?state=ready&limit=1", None)
            .await;
        left.body["data"].as_array()?.is_empty().then_some(())
    })
    .await;
}

async fn a_dry_run_of_very_many_tries_a_sample_and_says_so(app: TestApp) {
    hired(&app, 620);
    let before = app.dump();
    let told = app
        .call(
            "POST",
            "/v1/events/replay",
            json!({"all": true, "dry_run": true}),
        )
        .await
        .ok();
    assert_eq!(
        (&told["matched"], &told["tried"]),
        (&json!(620), &json!(500))
    );
    assert_eq!(told["would_change"], 0);
    assert_eq!(told["events"].as_array().unwrap().len(), 200);
    let try_some = async |tries: u64| {
        let body = json!({"all": true, "dry_run": true, "tries": tries});
        app.call("POST", "/v1/events/replay", body).await
    };
    let some = try_some(7).await.ok();
    assert_eq!((&some["matched"], &some["tried"]), (&json!(620), &json!(7)));
    assert_eq!(try_some(0).await.status, 400);
    assert_eq!(try_some(501).await.status, 400);
    let browser = Browser::signed_in(&app, TOKEN).await;
    let csrf = browser.csrf().await;
    let form = [("csrf", csrf.as_str()), ("state", "done")];
    let preview = "/console/events/replay/preview";
    let some = browser.send(preview, &form).await.text;
    assert!(some.contains("100 of the 620 events were tried"), "{some}");
    let form = [form[0], form[1], ("thorough", "true")];
    let more = browser.send(preview, &form).await.text;
    assert!(more.contains("500 of the 620 events were tried"), "{more}");
    assert!(some.contains("Try more of them") && !more.contains("Try more of them"));
    assert_eq!(app.dump(), before, "nothing was changed");
}

async fn a_dry_run_tells_memberships_and_messages(app: TestApp) {
    app.apply(&ada().created(minute(0))).await;
    app.call(
        "POST",
        &format!("/v1/organizations/{ORGANIZATION}/messaging/enable"),
        json!({}),
    )
    .await
    .ok();
    let community = json!({
        "organization_id": ORGANIZATION, "name": "all",
        "rules": [{"when": {"field": "status", "op": "eq", "value": "active"}, "role": "member"}],
    });
    app.call("POST", "/v1/communities", community).await.ok();
    let farewell = json!({
        "organization_id": ORGANIZATION, "name": "farewell", "on": "profile.removed",
        "status": "published",
        "steps": [{"channel": "webhook", "to": "http://127.0.0.1:9/hook"}],
    });
    app.call("POST", "/v1/triggers", farewell).await.ok();
    app.drain();
    app.advance(Duration::from_secs(600));
    // A removal that could not be read when it came, and can now.
    let removal = ada().deleted(minute(5));
    app.deliver(&removal).await;
    app.sql("UPDATE outbox SET state = 'failed', error = 'a defect' WHERE event_type = 'dsync.user.deleted'");
    let told = app
        .call(
            "POST",
            "/v1/events/replay",
            json!({"state": "failed", "dry_run": true}),
        )
        .await
        .ok();
    let event = &told["events"][0];
    let what: Vec<&str> = event["differences"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|one| one["what"].as_str())
        .collect();
    assert!(
        what.contains(&"status") && what.contains(&"membership"),
        "{told:#}"
    );
    assert_eq!(
        (&told["memberships"], &told["messages_due"]),
        (&json!(1), &json!(1)),
        "{told:#}"
    );
    let due = json!([{"id": null, "channel": "webhook", "state": "due"}]);
    assert_eq!(event["messages"], due);
    assert_eq!(app.profile(&ada()).status, "active");
    app.call("POST", "/v1/events/replay", json!({"state": "failed"}))
        .await
        .ok();
    app.drain();
    assert_eq!(app.profile(&ada()).status, "removed");
}

async fn the_command_line_follows_a_replay_and_can_leave_it(app: TestApp) {
    hired(&app, 230);
    let folder = tempfile::tempdir().unwrap();
    let run = |args: &[&str]| {
        let output = block_in_place(|| {
            rollcall(&app.place.url(), folder.path())
                .args(args)
                .output()
                .unwrap()
        });
        let told = String::from_utf8(output.stdout).unwrap();
        let talk = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{args:?}: {told}{talk}");
        (told, talk)
    };
    let replay = ["events", "replay", "--type", "dsync.user.created", "--yes"];
    let (told, talk) = run(&[&replay[..], &["--detach", "--json"]].concat());
    let told: Value = serde_json::from_str(&told).unwrap();
    let id = told["job_id"].as_str().unwrap();
    assert!(talk.contains(id), "{talk}");
    assert!(run(&["jobs", "cancel", id]).0.contains("cancelled"));
    // Nobody is at work: it does not wait for ever.
    let (_, talk) = run(&replay);
    assert!(talk.contains("No worker is running"), "{talk}");
    app.drain();
    let (_service, http) = Service::serve(rollcall(&app.place.url(), folder.path()), &[]).await;
    let (told, _) = run(&replay);
    assert!(
        told.contains("230 of 230") && told.contains("done"),
        "{told}"
    );
    applied(&http).await;
    let (told, _) = run(&[&replay[..4], &["--dry-run"]].concat());
    assert!(
        told.contains("230 matched: 0 would change something"),
        "{told}"
    );
}
