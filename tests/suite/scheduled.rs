//! Comparing by itself: when its time has come, once whoever looks, under the policy that the
//! organization chose, and under the guards that stand before every removal.

use std::time::Duration;

use rollcall::db::Backend;
use rollcall::upstream::{Comparing, Scheduled};
use serde_json::{Value, json};

use crate::catch_up::Desk;
use crate::live_reconcile::crowd;
use crate::reconcile::{lose, reconciler};
use crate::support::app::TestApp;
use crate::support::binary::{Service, rollcall};
use crate::support::events::{DIRECTORY, ORGANIZATION, ada, directory, employee, group, minute};
use crate::support::macros::on_both;
use crate::support::wait::eventually;
use crate::support::workos::{API_KEY, FakeWorkOs, Fault};

on_both!(
    a_directory_is_compared_again_and_again_and_the_metrics_tell_what_differs,
    what_an_organization_says_of_its_schedule_wins,
    r43_r40_r38_the_guards_stand_before_a_scheduled_comparison_too,
    of_two_processes_that_look_at_once_one_begins,
    a_running_service_compares_by_itself,
    r72_r65_what_comparisons_found_goes_with_its_days_and_with_the_person,
);

const DAILY: Scheduled = Scheduled {
    mode: Comparing::Report,
    every: Duration::from_secs(86_400),
};

async fn due(desk: &Desk, scheduled: Scheduled) -> usize {
    let reconciler = reconciler(&desk.app, &desk.fake);
    let begun = reconciler.begin_due(scheduled).await.unwrap();
    assert_eq!(reconciler.work_off().await.unwrap(), begun);
    begun
}

fn a_day_goes_by(app: &TestApp) {
    app.advance(Duration::from_secs(27 * 3_600));
}

async fn newest(app: &TestApp) -> Value {
    app.get("/v1/reconciles?limit=1").await["data"][0].clone()
}

async fn a_directory_is_compared_again_and_again_and_the_metrics_tell_what_differs(
    backend: Backend,
) {
    let desk = Desk::start(backend).await;
    let Desk { app, fake, .. } = &desk;
    crowd(app, fake, 5);
    a_day_goes_by(app);
    assert_eq!((due(&desk, DAILY).await, due(&desk, DAILY).await), (1, 0));
    fake.user(&employee("eve").created(minute(70)));
    lose(fake, &employee("p001"));
    a_day_goes_by(app);
    assert_eq!((due(&desk, DAILY).await, app.drain()), (1, 0), "it reports");
    let one = newest(app).await;
    assert_eq!(
        (&one["actor"], &one["apply"]),
        (&json!("schedule"), &json!(false))
    );
    for (series, value) in [
        (
            r#"rollcall_drift_items{kind="user_missing_here",state="open"}"#,
            1.0,
        ),
        (
            r#"rollcall_drift_items{kind="user_missing_there",state="open"}"#,
            1.0,
        ),
        (
            r#"rollcall_drift_items{kind="edge_missing_there",state="open"}"#,
            0.0,
        ),
        (
            r#"rollcall_drift_items{kind="user_differs",state="open"}"#,
            0.0,
        ),
        (r#"rollcall_reconciles{state="done"}"#, 1.0),
    ] {
        let shown = app.http.metric(series).await;
        assert_eq!(shown.to_bits(), f64::to_bits(value), "{series} is {shown}");
    }
    let last = app
        .http
        .metric("rollcall_reconcile_last_success_timestamp_seconds")
        .await;
    assert!(last > 1_790_000_000.0, "{last}");
    // Applied by choice, and then there is nothing any more.
    let id = one["id"].as_str().unwrap();
    app.call("POST", &format!("/v1/reconciles/{id}/apply"), Value::Null)
        .await
        .ok();
    reconciler(app, fake).work_off().await.unwrap();
    assert_eq!(app.drain(), 2);
    let applied = r#"rollcall_drift_items{kind="user_missing_here",state="applied"}"#;
    assert_eq!(app.http.metric(applied).await.to_bits(), 1.0_f64.to_bits());
    a_day_goes_by(app);
    assert_eq!(due(&desk, DAILY).await, 1);
    assert_eq!(newest(app).await["drift"], json!({}));
    assert_eq!(app.count("operator_acts WHERE actor = 'schedule'"), 3);
}

async fn what_an_organization_says_of_its_schedule_wins(backend: Backend) {
    let desk = Desk::start(backend).await;
    let Desk { app, fake, .. } = &desk;
    crowd(app, fake, 3);
    let path = format!("/v1/organizations/{ORGANIZATION}");
    let set = async |reconcile: Value| {
        let body = json!({"settings": {"reconcile": reconcile}});
        app.call("PATCH", &path, body).await
    };
    set(json!({"mode": "off"})).await.ok();
    a_day_goes_by(app);
    assert_eq!(due(&desk, DAILY).await, 0);
    set(json!({"mode": "apply", "interval_hours": 6}))
        .await
        .ok();
    lose(fake, &employee("p001"));
    assert_eq!(due(&desk, DAILY).await, 1);
    app.drain();
    assert_eq!(app.people().len(), 2, "applied by policy");
    app.advance(Duration::from_secs(7 * 3_600));
    assert_eq!(due(&desk, DAILY).await, 1, "every six hours");
    let refused = set(json!({"interval_hours": 0})).await;
    assert_eq!(refused.status, 422, "{}", refused.text);
    set(Value::Null).await.ok();
    app.advance(Duration::from_secs(7 * 3_600));
    assert_eq!(due(&desk, DAILY).await, 0, "daily, as for everybody");
}

async fn r43_r40_r38_the_guards_stand_before_a_scheduled_comparison_too(backend: Backend) {
    let desk = Desk::start(backend).await;
    let Desk { app, fake, .. } = &desk;
    let apply = Scheduled {
        mode: Comparing::Apply,
        ..DAILY
    };
    crowd(app, fake, 30);
    for number in 1..30 {
        lose(fake, &employee(&format!("p{number:03}")));
    }
    a_day_goes_by(app);
    // A listing that comes back empty removes nobody, and is tried again within the hour.
    let empty = r#"{"object":"list","data":[],"list_metadata":{}}"#;
    fake.fault("/directory_users", Fault::Answer(200, empty, None));
    assert_eq!(due(&desk, apply).await, 1);
    let one = newest(app).await;
    assert_eq!(
        (&one["state"], app.drain()),
        (&json!("incomplete"), 0),
        "{one}"
    );
    assert_eq!(
        app.http
            .metric(r#"rollcall_reconciles{state="incomplete"}"#)
            .await
            .to_bits(),
        1.0_f64.to_bits()
    );
    fake.mend();
    app.advance(Duration::from_secs(4_000));
    assert_eq!(due(&desk, apply).await, 1);
    app.drain();
    assert_eq!(app.people().len(), 10, "twenty pass, nine wait");
    let holds = app.get("/v1/holds?state=open").await;
    assert_eq!(holds["data"][0]["waiting"], 9);
    // Of a directory that is gone nothing is asked.
    app.apply(&directory("dsync.deleted", minute(5_000))).await;
    a_day_goes_by(app);
    let asked = fake.requests().len();
    assert_eq!((due(&desk, apply).await, fake.requests().len()), (0, asked));
}

async fn of_two_processes_that_look_at_once_one_begins(backend: Backend) {
    let desk = Desk::start(backend).await;
    let Desk { app, fake, .. } = &desk;
    crowd(app, fake, 1);
    for number in 0..8 {
        app.enqueue(&[
            directory("dsync.activated", minute(2)).set("data.id", format!("directory_{number}"))
        ]);
    }
    app.drain();
    a_day_goes_by(app);
    let (one, other) = (reconciler(app, fake), reconciler(app, fake));
    let (first, second) = tokio::join!(one.begin_due(DAILY), other.begin_due(DAILY));
    assert_eq!(first.unwrap() + second.unwrap(), 9);
    assert_eq!(app.count("reconciles"), 9);
    // And of two that work on them, each is worked on by one.
    let (first, second) = tokio::join!(one.work_off(), other.work_off());
    assert_eq!(first.unwrap() + second.unwrap(), 9);
    assert_eq!(
        app.count("reconciles WHERE lease_token = 1 AND state <> 'running'"),
        9
    );
}

async fn a_running_service_compares_by_itself(backend: Backend) {
    let fake = FakeWorkOs::start();
    fake.directory(DIRECTORY, ORGANIZATION, "linked");
    fake.user(&ada().created(minute(1)));
    fake.user(&employee("eve").created(minute(2)));
    let app = TestApp::start(backend).await;
    let (first, hired) = (
        directory("dsync.activated", minute(0)),
        ada().created(minute(1)),
    );
    app.enqueue(&[first, hired]);
    app.drain();
    // It was first heard of long ago, so that its first comparison is due.
    app.sql("UPDATE directories SET first_seen_at = 1");
    let folder = tempfile::tempdir().unwrap();
    let mut command = rollcall(&app.place.url(), folder.path());
    command.env("WORKOS_API_KEY", API_KEY);
    command.env("WORKOS_API_URL", fake.url());
    command.env("ROLLCALL_RECONCILE", "apply");
    command.env("ROLLCALL_CATCH_UP", "off");
    let (service, http) = Service::serve(command, &[]).await;
    eventually("eve is found and in People", async || {
        let path = format!("/v1/profiles?organization_id={ORGANIZATION}");
        let people = http.api("GET", &path, None).await.ok();
        (people["data"].as_array().unwrap().len() == 2).then_some(())
    })
    .await;
    drop(service);
}

async fn r72_r65_what_comparisons_found_goes_with_its_days_and_with_the_person(backend: Backend) {
    let desk = Desk::start(backend).await;
    let Desk { app, fake, .. } = &desk;
    crowd(app, fake, 2);
    fake.user(
        &employee("p000")
            .updated(minute(9))
            .set("data.last_name", "Findable"),
    );
    fake.user(
        &employee("p001")
            .updated(minute(9))
            .set("data.last_name", "Lasting"),
    );
    fake.group(&group("dsync.group.updated", "crew", minute(9)).set("data.name", "Crew A"));
    a_day_goes_by(app);
    assert_eq!(due(&desk, DAILY).await, 1);
    let kept = |text: &str| {
        let all: Vec<String> = app.dump().into_values().flatten().collect();
        all.iter().filter(|row| row.contains(text)).count()
    };
    assert_eq!((kept("Findable"), kept("Lasting")), (1, 1));
    let id = app.profile(&employee("p000")).id;
    app.call("POST", &format!("/v1/profiles/{id}/erase"), json!({}))
        .await
        .ok();
    assert_eq!((kept("Findable"), kept("Lasting")), (0, 1));
    let policy = rollcall::operations::retention::Policy::of([90, 90, 0]);
    let sweep = || {
        let now = app.clock.now();
        let all = rollcall::operations::retention::ALL;
        tokio::task::block_in_place(|| {
            rollcall::operations::retention::sweep(&app.db, policy, all, now).unwrap()
        })
    };
    assert_eq!(sweep().differences, 0);
    app.advance(Duration::from_secs(91 * 86_400));
    assert_eq!(sweep().differences, 2, "p001 and the group");
    assert_eq!((app.count("drift_items"), app.count("reconciles")), (0, 0));
}
