//! The console in a real browser: an operator's ways from a question to its answer, pages that work without
//! scripts, and none that a reader with a screen reader would stumble over.

use rollcall::roll::Role;

use crate::support::app::TestApp;
use crate::support::chromium::{By, Window};
use crate::support::events::{ORGANIZATION, ada, directory, employee, minute};
use crate::support::macros::on_both;

on_both!(
    r69_a_failed_event_is_found_read_tried_dry_and_replayed,
    r40_a_hold_is_read_and_approved,
    r41_a_hold_is_read_and_rejected,
    r29_a_member_is_added_and_leaves_the_page_with_the_termination,
    a_profile_named_as_a_script_stays_text_and_runs_nothing,
    every_page_works_without_scripts_and_stumbles_nobody,
);

async fn r69_a_failed_event_is_found_read_tried_dry_and_replayed(app: TestApp) {
    app.apply(&ada().created(minute(0))).await;
    let update = ada()
        .updated(minute(1))
        .set("data.custom_attributes.job_title", "Head of Optics");
    app.enqueue(std::slice::from_ref(&update));
    // As a worker that lost its database for days leaves it.
    app.sql("UPDATE outbox SET state = 'parked', outcome = 'failed', error = 'the disk was full', attempts = 20 WHERE state = 'ready'");
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
    window.page.refresh().await.unwrap();
    window.shows("Applied:").await;
    window.follow("ada Tester").await;
    window.shows("Head of Optics").await;
    window.close().await;
}

/// Forty people, of whom thirty are said to have left within the hour.
async fn burst(app: &TestApp) {
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
    window.page.refresh().await.unwrap();
    window.shows("Nobody is in it.").await;
    window.go("/console/people").await;
    window.shows("Nobody works here").await;
    window.close().await;
}

async fn a_profile_named_as_a_script_stays_text_and_runs_nothing(app: TestApp) {
    let name = "<script>alert(1)</script>";
    app.apply(&ada().created(minute(0)).set("data.first_name", name))
        .await;
    let id = app.profile(&ada()).id;
    let window = Window::open(&app, 1280, true).await;
    window.sign_in().await;
    for path in [
        "/console/people".to_owned(),
        format!("/console/people/{id}"),
    ] {
        window.go(&path).await;
        window.shows(name).await;
        let scripts = window.page.find_all(By::Css("script")).await;
        assert!(scripts.unwrap().is_empty(), "{path}");
    }
    window.close().await;
}

/// Every page there is, with something on it.
async fn pages(app: &TestApp) -> Vec<String> {
    let trigger = serde_json::json!({
        "organization_id": ORGANIZATION, "name": "welcome", "on": "profile.activated", "status": "published",
        "steps": [{"channel": "webhook", "to": "http://127.0.0.1:9/hook"}],
    });
    burst(app).await;
    app.http
        .api("POST", "/v1/triggers", Some(&trigger))
        .await
        .ok();
    let arm = format!("/v1/organizations/{ORGANIZATION}/arm");
    app.http.api("POST", &arm, None).await.ok();
    let homeless = ada().created(minute(50)).without("data.directory_id");
    app.apply(&homeless).await;
    app.apply(&ada().created(minute(50))).await;
    let id = app.profile(&ada()).id;
    let chess = app.community("Chess", &[(&id, Role::Admin)]);
    let newest = async |path: &str| {
        let page = app.get(path).await;
        let id = page["data"][0]["id"].as_str();
        id.unwrap_or_else(|| panic!("{path}: {page}")).to_owned()
    };
    let hold = newest("/v1/holds").await;
    let parked = newest("/v1/events?state=parked").await;
    let delivery = newest("/v1/deliveries").await;
    let replay = serde_json::json!({"all": true, "job": true});
    let begun = app.call("POST", "/v1/events/replay", replay).await.ok();
    let job = begun["job_id"].as_str().unwrap().to_owned();
    vec![
        "/console/jobs".to_owned(),
        format!("/console/jobs/{job}"),
        "/console".to_owned(),
        "/console/people?status=all".to_owned(),
        format!("/console/people/{id}"),
        "/console/events".to_owned(),
        "/console/events?state=parked".to_owned(),
        format!("/console/events/{}", parked),
        "/console/failures".to_owned(),
        "/console/communities".to_owned(),
        format!("/console/communities/{chess}?find=tester"),
        "/console/deliveries".to_owned(),
        format!("/console/deliveries/{}", delivery),
        format!("/console/holds/{}", hold),
        "/console/nothing-here".to_owned(),
    ]
}

/// axe-core, fetched from the npm registry by `.ci/test`.
pub fn axe() -> String {
    let path = std::env::var("AXE_JS").unwrap_or_else(|_| "target/axe/axe.min.js".to_owned());
    std::fs::read_to_string(&path).unwrap_or_else(|error| {
        panic!("{path} is not there ({error}): .ci/test fetches it, or: npm pack axe-core")
    })
}

async fn every_page_works_without_scripts_and_stumbles_nobody(app: TestApp) {
    let pages = pages(&app).await;
    let without = Window::open(&app, 1280, false).await;
    without.sign_in().await;
    for path in &pages {
        without.go(path).await;
        let heading = without.find("h1").await.text().await.unwrap();
        assert!(!heading.is_empty(), "{path}");
    }
    without.close().await;

    let axe = axe();
    let mut found = Vec::new();
    for width in [1280, 360] {
        let window = Window::open(&app, width, true).await;
        window.go("/console/sign-in").await;
        found.extend(violations(&window, &axe, "/console/sign-in").await);
        window.sign_in().await;
        for path in &pages {
            window.go(path).await;
            found.extend(violations(&window, &axe, path).await);
            let wide = "return document.documentElement.scrollWidth - window.innerWidth";
            let over = window.page.execute(wide).await.unwrap();
            let over = over.as_i64().unwrap();
            if over > 0 {
                found.push(format!("{path} at {width}: {over} px too wide"));
            }
        }
        window.close().await;
    }
    assert!(found.is_empty(), "{found:#?}");
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
