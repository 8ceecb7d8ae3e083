//! Directory Sync in a real browser: a mapping is tried and saved, an organization is enabled and
//! followed until it is ready for messages, gaps and a comparison are read and applied. Pages move on by
//! themselves; without scripts as well.

use rollcall::db::Backend;
use serde_json::json;

use crate::browser::{axe, violations};
use crate::catch_up::Desk;
use crate::reconcile::{company, lose, reconciler};
use crate::support::app::TestApp;
use crate::support::chromium::Window;
use crate::support::events::{DIRECTORY, ORGANIZATION, ada, directory, employee, minute};
use crate::support::macros::on_both;

on_both!(
    a_mapping_is_tried_on_real_people_and_saved,
    an_organization_is_enabled_and_followed_until_messaging_can_be_turned_on,
    a_gap_is_read_and_a_comparison_is_followed_and_applied,
    r36_a_deleted_directory_is_decided_where_it_is_seen,
    one_person_is_resynced_from_their_page,
    the_directory_sync_pages_work_without_scripts_and_stumble_nobody,
);

/// Selects everything in a field, so that what is typed next replaces it.
const SELECT_ALL: &str = "\u{E009}a\u{E000}";

fn by_site() -> String {
    json!({"rules": [
        {"target": "title", "from": ["job_title"], "transforms": ["upper"]},
        {"target": "attributes.pay", "from": ["salary"], "sensitive": true},
    ], "rest": false})
    .to_string()
}

async fn a_mapping_is_tried_on_real_people_and_saved(app: TestApp) {
    app.apply(&directory("dsync.activated", minute(0))).await;
    app.apply(&ada().created(minute(1))).await;
    let window = Window::open(&app, 1280, true).await;
    window.sign_in().await;
    window.follow("Directory Sync").await;
    window
        .go(&format!(
            "/console/directory-sync/organizations/{ORGANIZATION}"
        ))
        .await;
    window.follow("Change it").await;
    let field = window.find("#mapping").await;
    field.send_keys(SELECT_ALL).await.unwrap();
    field
        .send_keys("{\"rules\": [{\"target\": \"titel\"")
        .await
        .unwrap();
    window.press("Preview").await;
    window.shows("Nothing was saved.").await;
    window.shows("this is not JSON").await;
    let field = window.find("#mapping").await;
    assert!(
        field.text().await.unwrap().contains("titel"),
        "what was typed is kept"
    );
    field.send_keys(SELECT_ALL).await.unwrap();
    field.send_keys(&by_site()).await.unwrap();
    window.press("Preview").await;
    window.shows("1 of 1 person would change").await;
    window.shows("ANALYST").await;
    window.shoot("preview-1280").await;
    assert_eq!(app.profile(&ada()).title.as_deref(), Some("Analyst"));
    window.press("Save and apply to everybody").await;
    window.shows("The mapping is saved").await;
    window.shows("A changed mapping applied to everybody").await;
    app.drain();
    window.shows("1 of 1").await;
    window.shows("done").await;
    assert_eq!(app.profile(&ada()).title.as_deref(), Some("ANALYST"));
    window.close().await;
}

async fn an_organization_is_enabled_and_followed_until_messaging_can_be_turned_on(
    backend: Backend,
) {
    let desk = Desk::start(backend).await;
    let Desk { app, fake, .. } = &desk;
    let window = Window::open(app, 1280, true).await;
    window.sign_in().await;
    window.follow("Directory Sync").await;
    window.shows("No organization is connected yet.").await;
    let field = window.find("#organization").await;
    field.send_keys(ORGANIZATION).await.unwrap();
    window.press("Connect…").await;
    let page = format!("/console/directory-sync/enable/{ORGANIZATION}");
    window.press("Connect a directory").await;
    // The set-up is in a tab of its own. From here on the page is never loaded anew: it follows by itself.
    window.page.come_to_front().await.unwrap();
    window.go(&page).await;
    let mark = "window.untouched = true";
    window.page.execute(mark).await.unwrap();
    window
        .shows("Set-up link opened just now by bootstrap")
        .await;
    assert_eq!(fake.environment().links.len(), 1);
    app.apply(&directory("dsync.activated", minute(0))).await;
    fake.directory(DIRECTORY, ORGANIZATION, "linked");
    window
        .shows("the directory is linked; its people follow")
        .await;
    for name in ["ada", "bob"] {
        fake.user(&employee(name).created(minute(1)));
    }
    app.apply(&ada().created(minute(1))).await;
    window.shows("1 person is here, WorkOS counts 2").await;
    window.shoot("arriving-1280").await;
    app.apply(&employee("bob").created(minute(1))).await;
    window
        .shows("people are here; check the list, then turn messaging on")
        .await;
    window.shows("2 people are here, WorkOS counts 2").await;
    let untouched = "return window.untouched";
    assert_eq!(window.page.execute(untouched).await.unwrap(), true);
    window.follow("Turn messaging on…").await;
    window
        .shows("2 people are already there, and 0 messages would fall due")
        .await;
    window.press("Turn messaging on").await;
    window.shows("Messaging is on.").await;
    window.go(&page).await;
    window.shows("people are here and messaging is on").await;
    window.close().await;
}

/// Four people; bob was renamed and cleo left without a webhook, and eve's came only to WorkOS.
async fn damage(desk: &Desk) {
    let Desk {
        app,
        fake,
        catch_up,
    } = desk;
    company(desk, &["ada", "bob", "cleo"]).await;
    fake.user(
        &employee("bob")
            .updated(minute(5))
            .set("data.custom_attributes.job_title", "Chief"),
    );
    lose(fake, &employee("cleo"));
    fake.user(&employee("eve").created(minute(6)));
    fake.edge("directory_group_crew", &employee("eve").id());
    let lost = employee("dan").created(minute(8));
    fake.happened(&lost);
    fake.user(&lost);
    catch_up.pull().await.unwrap();
    app.drain();
}

async fn a_gap_is_read_and_a_comparison_is_followed_and_applied(backend: Backend) {
    let desk = Desk::start(backend).await;
    damage(&desk).await;
    let Desk { app, fake, .. } = &desk;
    let window = Window::open(app, 1280, true).await;
    window.sign_in().await;
    window.follow("Directory Sync").await;
    window.follow("Gap report").await;
    window.shows("1 event never came by webhook").await;
    window.shows("Likely cause:").await;
    window.follow("Directory Sync").await;
    window.follow("Comparisons").await;
    window.press("Compare").await;
    window.shows("waiting to begin").await;
    assert_eq!(reconciler(app, fake).work_off().await.unwrap(), 1);
    window.shows("Missing there").await;
    window.shows("cleo Tester").await;
    window.shows("Different fields").await;
    window.shoot("drift-1280").await;
    assert_eq!(app.people().len(), 4);
    window.press("Apply 4 differences").await;
    window.shows("applying what differs").await;
    assert_eq!(reconciler(app, fake).work_off().await.unwrap(), 1);
    app.drain();
    window.shows("0 to be applied").await;
    let people = app.people();
    assert!(people.contains(&employee("eve").email()), "{people:?}");
    assert!(!people.contains(&employee("cleo").email()), "{people:?}");
    window.close().await;
}

async fn r36_a_deleted_directory_is_decided_where_it_is_seen(app: TestApp) {
    app.apply(&directory("dsync.activated", minute(0))).await;
    app.apply(&ada().created(minute(1))).await;
    app.apply(&directory("dsync.deleted", minute(2))).await;
    let window = Window::open(&app, 360, false).await;
    window.sign_in().await;
    window
        .go(&format!(
            "/console/directory-sync/organizations/{ORGANIZATION}"
        ))
        .await;
    window.shows("1 person hangs on").await;
    window.shoot("decide-360").await;
    window
        .press("Sync is off: keep everybody, log-ins update them")
        .await;
    window.shows("Decided.").await;
    assert_eq!(app.people(), [ada().email()]);
    window.close().await;
}

async fn one_person_is_resynced_from_their_page(backend: Backend) {
    let desk = Desk::start(backend).await;
    damage(&desk).await;
    let Desk { app, .. } = &desk;
    let id = app.profile(&employee("bob")).id;
    let window = Window::open(app, 1280, true).await;
    window.sign_in().await;
    window.go(&format!("/console/people/{id}/resync")).await;
    window.press("Resync now").await;
    window.shows("brought up to date").await;
    for step in [
        "found: WorkOS knows them",
        "matched: by",
        "mapped: user differs",
        "applied: dsync.user.updated: applied",
    ] {
        window.shows(step).await;
    }
    window.shoot("resync-1280").await;
    assert_eq!(
        app.profile(&employee("bob")).title.as_deref(),
        Some("Chief")
    );
    window.close().await;
}

/// Every page of Directory Sync, with something on it.
async fn pages(desk: &Desk) -> Vec<(&'static str, String)> {
    let Desk { app, fake, .. } = desk;
    damage(desk).await;
    let fields = format!("/v1/organizations/{ORGANIZATION}/fields");
    let body: serde_json::Value = serde_json::from_str(&by_site()).unwrap();
    app.call("PUT", &fields, body).await.ok();
    let compare = format!("/v1/directories/{DIRECTORY}/reconcile");
    let done = app.call("POST", &compare, json!({})).await.body;
    assert_eq!(reconciler(app, fake).work_off().await.unwrap(), 1);
    let running = app.call("POST", &compare, json!({})).await.body;
    let jobs = app.get("/v1/jobs").await;
    let person = app.profile(&ada()).id;
    let home = "/console/directory-sync";
    let one = format!("{home}/organizations/{ORGANIZATION}");
    let text = |value: &serde_json::Value| value["id"].as_str().unwrap().to_owned();
    vec![
        ("index", home.to_owned()),
        ("organization", one.clone()),
        ("mapping", format!("{one}/mapping")),
        ("guards", format!("{one}/guards")),
        ("messaging", format!("{one}/messaging")),
        ("enable", format!("{home}/enable/{ORGANIZATION}")),
        ("enable-new", format!("{home}/enable/org_new")),
        ("gaps", format!("{home}/gaps")),
        ("reconciles", format!("{home}/reconciles")),
        ("reconcile", format!("{home}/reconciles/{}", text(&done))),
        ("running", format!("{home}/reconciles/{}", text(&running))),
        ("job", format!("/console/jobs/{}", text(&jobs["data"][0]))),
        ("resync", format!("/console/people/{person}/resync")),
    ]
}

async fn the_directory_sync_pages_work_without_scripts_and_stumble_nobody(backend: Backend) {
    let desk = Desk::start(backend).await;
    let pages = pages(&desk).await;
    let without = Window::open(&desk.app, 1280, false).await;
    without.sign_in().await;
    for (_, path) in &pages {
        without.go(path).await;
        let heading = without.find("h1").await.text().await.unwrap();
        assert!(!heading.is_empty(), "{path}");
    }
    without.close().await;
    let axe = axe();
    let mut found = Vec::new();
    for width in [1280, 360] {
        let window = Window::open(&desk.app, width, true).await;
        window.sign_in().await;
        for (name, path) in &pages {
            window.go(path).await;
            window.find("h1").await;
            found.extend(violations(&window, &axe, path).await);
            let over = window.too_wide().await;
            if over > 0 {
                found.push(format!("{path} at {width}: {over} px too wide"));
            }
            window.shoot(&format!("{name}-{width}")).await;
        }
        window.close().await;
    }
    desk.app.drain();
    assert!(found.is_empty(), "{found:#?}");
}
