//! The console in a real browser: an operator's ways from a question to its answer, and how a page is
//! judged for readers with a screen reader.

use crate::support::app::TestApp;
use crate::support::chromium::Window;
use crate::support::events::{ada, directory, employee, minute};
use crate::support::macros::on_both;

on_both!(
    r69_a_failed_event_is_found_read_tried_dry_and_replayed,
    r40_a_hold_is_read_and_approved,
    r41_a_hold_is_read_and_rejected,
    r29_a_member_is_added_and_leaves_the_page_with_the_termination,
);

async fn r69_a_failed_event_is_found_read_tried_dry_and_replayed(app: TestApp) {
    app.apply(&ada().created(minute(0))).await;
    let update = ada()
        .updated(minute(1))
        .set("data.custom_attributes.job_title", "Head of Optics");
    app.enqueue(std::slice::from_ref(&update));
    // As a worker that lost its database for days leaves it.
    app.sql("UPDATE outbox SET state = 'failed', outcome = 'failed', error = 'the disk was full', attempts = 20 WHERE state = 'ready'");
    let window = Window::open(&app, 1280, true).await;
    window.sign_in().await;
    window.go("/console/failures").await;
    window.shows("the disk was full").await;
    window.follow("The newest").await;
    window.shows("Given up: the disk was full.").await;
    window.press("Dry run").await;
    window
        .shows("1 event, of which 1 would change something")
        .await;
    window.shows("Head of Optics").await;
    assert_eq!(app.profile(&ada()).title.as_deref(), Some("Analyst"));
    window.press("Replay 1 event").await;
    window.shows("Waits for the worker.").await;
    app.drain();
    window.shows("Applied:").await;
    window.follow("ada Tester").await;
    window.shows("Head of Optics").await;
    window.close().await;
}

/// Forty people, of whom thirty are said to have left within the hour.
pub async fn burst(app: &TestApp) {
    app.apply(&directory("dsync.activated", minute(0))).await;
    let somebody = |n: u64| employee(&format!("p{n:02}"));
    let all: Vec<_> = (0..40).map(|n| somebody(n).created(minute(1))).collect();
    app.enqueue(&all);
    app.drain();
    let gone: Vec<_> = (0..30)
        .map(|n| somebody(n).deactivated(minute(10 + n)))
        .collect();
    app.enqueue(&gone);
    app.drain();
    assert_eq!(app.people().len(), 20);
}

async fn to_the_hold(app: &TestApp) -> Window {
    let window = Window::open(app, 1280, true).await;
    window.sign_in().await;
    window.follow("Many people would be removed: 10 wait").await;
    window.shows("10 wait for the decision").await;
    window
}

async fn r40_a_hold_is_read_and_approved(app: TestApp) {
    burst(&app).await;
    let window = to_the_hold(&app).await;
    window.press("Approve: remove 10 people").await;
    window.shows("Approved: what waited goes on.").await;
    app.drain();
    assert_eq!(app.people().len(), 10);
    window.close().await;
}

async fn r41_a_hold_is_read_and_rejected(app: TestApp) {
    burst(&app).await;
    let window = to_the_hold(&app).await;
    window.press("Reject: everybody stays").await;
    window.shows("Rejected: nobody is removed by it.").await;
    app.drain();
    assert_eq!(app.people().len(), 40);
    window.close().await;
}

async fn r29_a_member_is_added_and_leaves_the_page_with_the_termination(app: TestApp) {
    app.apply(&ada().created(minute(0))).await;
    let chess = app.community("Chess", &[]);
    let window = Window::open(&app, 1280, true).await;
    window.sign_in().await;
    window.go(&format!("/console/communities/{chess}")).await;
    let field = window.find("#find").await;
    field.send_keys("ada").await.unwrap();
    window.press("Find").await;
    window.press("As admin: ada Tester").await;
    window.shows("The membership is saved.").await;
    window.shows("0 members, 1 admin").await;
    app.apply(&ada().deactivated(minute(1))).await;
    window.shows("Nobody is in it.").await;
    window.go("/console/people").await;
    window.shows("Nobody works here").await;
    window.close().await;
}

/// axe-core, fetched from the npm registry by `.ci/test`.
pub fn axe() -> String {
    let path = std::env::var("AXE_JS").unwrap_or_else(|_| "target/axe/axe.min.js".to_owned());
    std::fs::read_to_string(&path).unwrap_or_else(|error| {
        panic!("{path} is not there ({error}): .ci/test fetches it, or: npm pack axe-core")
    })
}

/// What axe calls serious or critical on this page.
pub async fn violations(window: &Window, axe: &str, path: &str) -> Vec<String> {
    window.page.execute(axe).await.unwrap();
    let run = "const done = arguments[arguments.length - 1]; \
        const told = v => v.id + ': ' + v.help + ' ' + v.nodes.map(n => n.html).join(' | '); \
        axe.run().then(r => done({checked: r.passes.length, found: r.violations \
        .filter(v => ['serious', 'critical'].includes(v.impact)).map(told)}));";
    let told = window.page.execute_async(run).await.unwrap();
    assert!(
        told["checked"].as_u64().unwrap() > 5,
        "{path}: axe has not run: {told}"
    );
    let found = told["found"].as_array().unwrap().iter();
    found.map(|one| format!("{path}: {one}")).collect()
}
