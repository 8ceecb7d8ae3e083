//! What concerns very many people at once (R94): a rule, settings, a directory's end in a large organization are
//! jobs in short steps, between which webhooks are stored; in a small one they are true with the answer. A job that
//! is given up is told everywhere and tried again by hand.

use rollcall::clock::Clock;
use rollcall::db::{Backend, Db, DbError, Urgency};
use rollcall::outbox::enqueue;
use serde_json::{Value, json};
use tokio::task::block_in_place;

use crate::support::app::{TestApp, new_event};
use crate::support::binary::{Service, rollcall};
use crate::support::events::{Event, ORGANIZATION, directory, employee, minute};
use crate::support::http::Caller;
use crate::support::macros::on_both;
use crate::support::place::Place;
use crate::support::wait::eventually;

on_both!(
    r94_a_rule_over_very_many_is_a_job_in_steps_and_ends_in_the_same,
    r94_settings_over_very_many_are_a_job_and_the_guard_asks_first,
    r94_settings_that_others_changed_meanwhile_are_not_replaced,
    r36_r94_a_large_directory_is_removed_and_brought_back_in_steps,
    r67_a_removal_in_steps_gets_one_after_every_batch,
    r92_a_job_that_kills_its_process_is_given_up_after_three_deaths_alone,
);

/// More than what is done at once.
const MANY: u64 = 230;

fn crowd(app: &TestApp) {
    let hires: Vec<Event> = (0..MANY)
        .map(|number| employee(&format!("p{number:04}")).created(minute(0)))
        .collect();
    app.enqueue(&hires);
    app.drain();
}

fn everybody() -> Value {
    json!({"when": {"field": "status", "op": "eq", "value": "active"}, "role": "member"})
}

async fn job(app: &TestApp, id: &Value) -> Value {
    app.get(&format!("/v1/jobs/{}", id.as_str().unwrap())).await
}

fn step(app: &TestApp) -> bool {
    block_in_place(|| app.worker.step_job()).unwrap()
}

async fn r94_a_rule_over_very_many_is_a_job_in_steps_and_ends_in_the_same(app: TestApp) {
    crowd(&app);
    let body = json!({"organization_id": ORGANIZATION, "name": "all", "rules": [everybody()]});
    let made = app.call("POST", "/v1/communities", body).await.ok();
    assert_eq!(made["members"], 0, "nobody waits for the answer");
    let path = format!("/v1/communities/{}", made["id"].as_str().unwrap());
    assert!(step(&app));
    let shown = app.get(&path).await;
    let some = shown["members"].as_i64().unwrap();
    assert!(some > 0, "{shown}");
    assert_eq!(shown["rules_job_id"], made["rules_job_id"]);

    // Other rules meanwhile: the first job gives way, and what it did is undone by the second.
    let nobody = json!({"field": "department", "op": "eq", "value": "Nowhere"});
    let rules = json!([{"when": nobody, "role": "member"}]);
    let again = app.call("PUT", &format!("{path}/rules"), rules).await.ok();
    assert_ne!(again["rules_job_id"], made["rules_job_id"]);
    assert_eq!(job(&app, &made["rules_job_id"]).await["state"], "cancelled");
    app.drain();
    let done = job(&app, &again["rules_job_id"]).await;
    assert_eq!(
        (&done["state"], &done["kind"]),
        (&json!("done"), &json!("rules.apply"))
    );
    let shown = app.get(&path).await;
    assert_eq!(
        (&shown["members"], &shown["rules_job_id"]),
        (&json!(0), &Value::Null)
    );
    app.call("PUT", &format!("{path}/rules"), json!([everybody()]))
        .await
        .ok();
    app.drain();
    assert_eq!(app.get(&path).await["members"], MANY);
}

async fn change(app: &TestApp, settings: Value, confirm: bool) -> crate::support::http::Answer {
    let path = format!("/v1/organizations/{ORGANIZATION}");
    let body = json!({"settings": settings, "confirm": confirm});
    app.call("PATCH", &path, body).await
}

async fn r94_settings_over_very_many_are_a_job_and_the_guard_asks_first(app: TestApp) {
    crowd(&app);
    let out =
        json!([{"name": "all", "when": {"field": "department", "op": "exists", "value": true}}]);
    let refused = change(&app, json!({"exclude": out}), false).await;
    assert_eq!(refused.status, 409, "{refused:?}");
    assert!(
        refused.body.to_string().contains("230 of 230"),
        "{refused:?}"
    );
    assert_eq!(app.people().len(), 230, "nothing was changed");

    let changed = change(&app, json!({"exclude": out}), true).await.ok();
    assert_eq!(
        (
            &changed["people_before"],
            &changed["people_after"],
            &changed["reapplied"]
        ),
        (&json!(230), &json!(0), &json!(0))
    );
    assert_eq!(app.people().len(), 230, "nobody waits for the answer");
    app.drain();
    assert_eq!(app.people(), Vec::<String>::new());
    let done = job(&app, &changed["job"]["id"]).await;
    assert_eq!(
        (&done["state"], &done["done"], &done["kind"]),
        (&json!("done"), &json!(230), &json!("settings.reapply"))
    );
    change(&app, json!({"exclude": []}), true).await.ok();
    app.drain();
    assert_eq!(app.people().len(), 230);
}

async fn r94_settings_that_others_changed_meanwhile_are_not_replaced(app: TestApp) {
    use rollcall::operations::{Actor, OperationError, settings};
    crowd(&app);
    let update = settings::SettingsUpdate {
        settings: serde_json::from_value(json!({"poll_cycle_minutes": 7})).unwrap(),
        confirm: false,
    };
    let now = app.clock.now();
    let forecast = block_in_place(|| {
        app.db
            .read(|conn| settings::foresee(conn, &Actor::cli(), ORGANIZATION, &update, now))
    })
    .unwrap();
    change(&app, json!({"poll_cycle_minutes": 9}), false)
        .await
        .ok();
    let refused = block_in_place(|| {
        app.db.write(Urgency::Normal, |conn| {
            settings::update(conn, &Actor::cli(), ORGANIZATION, &update, &forecast, now)
        })
    });
    assert!(
        matches!(refused, Err(OperationError::Conflict(ref why)) if why.contains("meanwhile")),
        "{refused:?}"
    );
    let kept = app.get(&format!("/v1/organizations/{ORGANIZATION}")).await;
    assert_eq!(kept["settings"]["poll_cycle_minutes"], 9);
}

async fn r36_r94_a_large_directory_is_removed_and_brought_back_in_steps(app: TestApp) {
    crowd(&app);
    app.apply(&directory("dsync.deleted", minute(5))).await;
    let hold = app.get("/v1/holds?state=open").await["data"][0].clone();
    let path = format!("/v1/holds/{}", hold["id"].as_str().unwrap());
    app.call("POST", &format!("{path}/approve"), json!({}))
        .await
        .ok();
    assert_eq!(app.people().len(), 230, "nobody waits for the answer");
    assert!(step(&app));
    let left = app.people().len();
    assert!(left < 230, "some are gone");

    // Taken back in the middle: the rest stays, and who was gone is back.
    app.call("POST", &format!("{path}/undo"), json!({}))
        .await
        .ok();
    let removal = app.get("/v1/jobs?kind=directory.remove").await["data"][0].clone();
    assert_eq!(removal["state"], "cancelled", "{removal}");
    app.drain();
    assert_eq!(app.people().len(), 230);
}

async fn r67_a_removal_in_steps_gets_one_after_every_batch(app: TestApp) {
    crowd(&app);
    change(&app, json!({"on_directory_deleted": "remove"}), true)
        .await
        .ok();
    app.enqueue(&[directory("dsync.deleted", minute(5))]);
    block_in_place(|| app.worker.run_once()).unwrap();
    let removal = app.get("/v1/jobs?kind=directory.remove").await["data"][0].clone();
    assert_eq!(removal["state"], "ready", "{removal}");
    assert_eq!(removal["total"], 230);
    // Events never end. Other jobs would get a step after twenty batches, again and again.
    let mut rounds = 0;
    while !app.people().is_empty() {
        app.enqueue(&[employee("p0000").updated(minute(1 + rounds % 4))]);
        block_in_place(|| app.worker.turn()).unwrap();
        rounds += 1;
        assert!(rounds < 40, "{} are still there", app.people().len());
    }
    let history = app.history(&app.profile(&employee("p0000")).id);
    let end = history
        .iter()
        .find(|change| change.new.as_deref() == Some("removed"));
    assert!(end.unwrap().event_id.is_some(), "the event did it");
}

/// People hired in a database that no process works on yet, and a mapping that a job is to apply.
fn company(place: &Place) -> Db {
    let db = Db::open(&place.url(), 2).unwrap();
    db.maintain(rollcall::db::migrate).unwrap();
    let now = Clock::System.now();
    let rows: Vec<_> = (0..5)
        .map(|number| new_event(&employee(&format!("p{number}")).created(minute(0)), now))
        .collect();
    db.write(Urgency::Normal, |conn| {
        Ok::<_, DbError>(enqueue(conn, &rows)?)
    })
    .unwrap();
    db
}

async fn nothing_waits(http: &Caller) {
    eventually("everything is applied", async || {
        let left = http
            .api("GET", "/v1/events?state=ready&limit=1", None)
            .await;
        left.body["data"].as_array()?.is_empty().then_some(())
    })
    .await;
}

async fn r92_a_job_that_kills_its_process_is_given_up_after_three_deaths_alone(backend: Backend) {
    let (place, folder) = (Place::new(backend), tempfile::tempdir().unwrap());
    let _db = block_in_place(|| company(&place));
    let poisoned = || {
        let mut command = rollcall(&place.url(), folder.path());
        command.env("ROLLCALL_TEST_CRASH_AT", "job.stepped");
        command
    };
    let (mut first, http) = Service::serve(poisoned(), &[]).await;
    nothing_waits(&http).await;
    let mapping = json!({"rules": [{"target": "department", "from": ["job_title"]}]});
    let path = format!("/v1/organizations/{ORGANIZATION}/fields");
    let asked = http.api("PUT", &path, Some(&mapping)).await.ok();
    let id = asked["job"]["id"].as_str().unwrap().to_owned();
    first.ended().await;

    // The next process finds a step that ended without a word, and lets a child try it: it goes on itself.
    let (second, http) = Service::serve(poisoned(), &[]).await;
    let path = format!("/v1/jobs/{id}");
    let failed = eventually("the job is given up", async || {
        let job = http.api("GET", &path, None).await.body;
        (job["state"] == "failed").then_some(job)
    })
    .await;
    let reason = failed["reason"].as_str().unwrap();
    assert!(
        reason.contains("three times") && reason.contains("signal 6"),
        "{reason}"
    );
    let failures = http.api("GET", "/v1/failures", None).await.ok();
    let all = failures["data"].as_array().unwrap().iter();
    let jobs: Vec<&Value> = all.filter(|row| row["about"] == "job").collect();
    assert_eq!(jobs.len(), 1, "{failures}");
    assert_eq!(jobs[0]["example"], json!(id));
    let doctor = rollcall(&place.url(), folder.path())
        .args(["doctor", "--json"])
        .output()
        .unwrap();
    let doctor = String::from_utf8_lossy(&doctor.stdout).into_owned();
    assert!(doctor.contains("rollcall jobs retry"), "{doctor}");
    drop(second);

    // Mended: an operator tries it again.
    let (_third, http) = Service::serve(rollcall(&place.url(), folder.path()), &[]).await;
    let again = http
        .api("POST", &format!("{path}/retry"), Some(&json!({})))
        .await;
    assert_eq!(again.status, 200, "{again:?}");
    eventually("the job is done", async || {
        let job = http.api("GET", &path, None).await.body;
        (job["state"] == "done").then_some(())
    })
    .await;
    let once_more = http
        .api("POST", &format!("{path}/retry"), Some(&json!({})))
        .await;
    assert_eq!(once_more.status, 409, "{once_more:?}");
    eventually("no failure is told any more", async || {
        (http.metric("rollcall_jobs_failed").await == 0.0).then_some(())
    })
    .await;
}
