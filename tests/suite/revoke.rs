//! Leavers first (R67), with the service as it runs: behind a backlog of thousands of updates a
//! removal is applied within seconds of its receipt, and the metrics say how long it took. And two
//! batches never hold the same person (R73).

use std::time::{Duration, Instant};

use rollcall::db::Backend;
use rollcall::outbox;
use serde_json::json;

use crate::support::app::TestApp;
use crate::support::events::{Event, ORGANIZATION, ada, employee, minute};
use crate::support::macros::on_both;
use crate::support::wait::eventually;

on_both!(
    r67_behind_a_backlog_access_is_refused_within_seconds_and_the_metrics_tell,
    r73_an_organization_in_hand_is_left_alone_by_other_workers,
);

async fn r67_behind_a_backlog_access_is_refused_within_seconds_and_the_metrics_tell(
    still: TestApp,
) {
    let app =
        TestApp::start_with(still.db.backend(), |setup| setup.options.no_worker = false).await;
    drop(still);
    let backlog: Vec<Event> = (0..8_000)
        .map(|n| {
            let title = format!("Title {n}");
            employee(&format!("p{}", n % 1_000))
                .updated(minute(1 + n / 1_000))
                .set("data.custom_attributes.job_title", title)
        })
        .collect();
    app.deliver(&ada().created(minute(0))).await;
    let path = format!(
        "/v1/access?organization_id={ORGANIZATION}&email={}",
        ada().email()
    );
    let begun = Instant::now();
    eventually("she comes in", async || {
        (app.get(&path).await["allowed"] == json!(true)).then_some(())
    })
    .await;
    assert!(begun.elapsed() < Duration::from_secs(20), "late");
    app.enqueue(&backlog);
    let sent = Instant::now();
    assert_eq!(app.deliver(&ada().deleted(minute(9))).await.status, 200);
    eventually("she comes in no more", async || {
        (app.get(&path).await["allowed"] == json!(false)).then_some(())
    })
    .await;
    let took = sent.elapsed();
    let left = app.count("outbox WHERE state = 'ready'");
    println!("time to revoke behind {left} waiting updates: {took:?}");
    assert!(took < Duration::from_secs(5), "{took:?}");
    assert!(left > 4_000, "{left} wait: it overtook them");
    // Refused from the 200 on; applied, which is what the metric measures, within seconds.
    eventually("the metric tells", async || {
        let metrics = app.http.call("GET", "/metrics").await.text;
        let counted = metrics
            .lines()
            .find_map(|line| line.strip_prefix("rollcall_time_to_revoke_seconds_bucket{le=\"5\"} "))
            .and_then(|count| count.parse::<u64>().ok());
        counted.filter(|count| *count >= 1).map(drop)
    })
    .await;
    app.leave_work();
}

async fn r73_an_organization_in_hand_is_left_alone_by_other_workers(app: TestApp) {
    // SQLite has one writer: nobody can be beside it.
    if app.db.backend() == Backend::Sqlite {
        return;
    }
    let mut elsewhere = employee("elsewhere");
    elsewhere.organization = "org_02ELSEWHERE".to_owned();
    elsewhere.directory = "directory_02ELSEWHERE".to_owned();
    assert_ne!(
        outbox::part_of(ORGANIZATION),
        outbox::part_of(&elsewhere.organization)
    );
    app.enqueue(&[ada().created(minute(1)), elsewhere.created(minute(2))]);
    app.write(|conn| {
        outbox::lock_part(conn, outbox::part_of(ORGANIZATION))?;
        // Another worker, while this transaction holds the organization.
        let done = std::thread::scope(|scope| {
            let other = scope.spawn(|| (app.worker.run_once(), app.worker.run_once()));
            other.join().unwrap()
        });
        assert_eq!(
            (done.0.unwrap(), done.1.unwrap()),
            (1, 0),
            "the other one's only"
        );
        Ok(())
    });
    assert_eq!(app.people(), Vec::<String>::new());
    assert_eq!(app.profile(&elsewhere).status, "active");
    app.drain();
    assert_eq!(app.people(), [ada().email()]);
}
