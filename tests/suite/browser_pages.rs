//! Every page of the console in a real browser: kept up to date without a reload, true to what names say,
//! working without scripts, and none that a reader with a screen reader would stumble over. The list of
//! pages here is of all there are, but for Directory Sync's own.

use rollcall::db::Backend;
use rollcall::domain::Role;
use serde_json::{Value, json};

use crate::browser::{axe, burst, violations};
use crate::support::app::TestApp;
use crate::support::chromium::Window;
use crate::support::events::{ORGANIZATION, ada, employee, minute};
use crate::support::http_sink::HttpAct;
use crate::support::macros::on_both;
use crate::support::post::Post;

on_both!(
    r29_a_row_leaves_the_page_with_the_termination_and_what_is_typed_stays,
    the_overview_and_the_events_keep_themselves_up_to_date,
    a_trigger_is_written_previewed_tried_and_published,
    a_name_that_is_a_script_stays_text_on_every_page,
    every_page_works_without_scripts,
);

/// What a page asks a script.
async fn says(window: &Window, script: &str) -> Value {
    window.page.execute(script).await.unwrap()
}

async fn r29_a_row_leaves_the_page_with_the_termination_and_what_is_typed_stays(app: TestApp) {
    app.apply(&ada().created(minute(0))).await;
    app.apply(&employee("bob").created(minute(0))).await;
    let (one, other) = (app.profile(&ada()).id, app.profile(&employee("bob")).id);
    let chess = app.community("Chess", &[(&one, Role::Admin), (&other, Role::Member)]);
    let window = Window::open(&app, 1280, true).await;
    window.sign_in().await;
    window.go(&format!("/console/communities/{chess}")).await;
    window.shows("1 member, 1 admin").await;
    says(&window, "window.untouched = true").await;
    window.find("#find").await.send_keys("some").await.unwrap();
    app.deliver(&employee("bob").deactivated(minute(1))).await;
    app.drain();
    window.shows("0 members, 1 admin").await;
    window.shows("Who left, and why").await;
    let kept = says(
        &window,
        "return [window.untouched, document.activeElement.id, document.activeElement.value]",
    );
    assert_eq!(kept.await, json!([true, "find", "some"]));
    window.close().await;
}

async fn the_overview_and_the_events_keep_themselves_up_to_date(app: TestApp) {
    let (first, second) = (
        Window::open(&app, 1280, true).await,
        Window::open(&app, 1280, true).await,
    );
    first.sign_in().await;
    first.shows("No organization yet.").await;
    second.sign_in().await;
    second.go("/console/events").await;
    second.shows("WorkOS has sent nothing yet.").await;
    for window in [&first, &second] {
        says(window, "window.untouched = true").await;
    }
    app.apply(&ada().created(minute(0))).await;
    second.shows("user.created").await;
    second.shows("ada Tester").await;
    first.shows("Organization").await;
    first.shows("1 event in the last hour").await;
    for window in [first, second] {
        assert_eq!(says(&window, "return window.untouched").await, true);
        // Nothing that the policy forbids was tried on the way.
        let style = "return document.querySelectorAll('style, [style], script:not([src])').length";
        assert_eq!(says(&window, style).await, 0);
        window.close().await;
    }
}

/// Writes it in place of what the editor holds.
async fn write(window: &Window, text: &str) {
    let text = json!(text);
    let script = format!("document.querySelector('#definition').value = {text}");
    says(window, &script).await;
}

async fn a_trigger_is_written_previewed_tried_and_published(post: Post) {
    let app = &post.app;
    post.web.always("/hook", HttpAct::answer(200, "ok"));
    app.apply(&ada().created(minute(0))).await;
    let window = Window::open(app, 1280, true).await;
    window.sign_in().await;
    window.follow("Triggers").await;
    window.follow("New trigger").await;
    let toml = |channel: &str| {
        let url = post.web.url("/hook");
        format!(
            "name = \"Welcome\"\non = \"profile.activated\"\n\n[[steps]]\nchannel = \"{channel}\"\nto = \"person\"\n\
             subject = \"Hello {{{{ first_name }}}}\"\ntext = \"You are in {{{{ department }}}}.\"\n\
             html = \"<p style='color: teal'>Hello <b>{{{{ first_name }}}}</b></p>\"\n\n\
             [[steps]]\nchannel = \"webhook\"\nto = \"{url}\"\n"
        )
    };
    write(&window, &toml("pigeon")).await;
    window.press("Save as a draft").await;
    window.shows("Not saved: 1 thing to put right.").await;
    window.shows("steps[0].channel").await;
    let typed = says(
        &window,
        "return document.querySelector('#definition').value",
    )
    .await;
    assert!(typed.as_str().unwrap().contains("pigeon"), "{typed}");
    write(&window, &toml("email")).await;
    window.press("Save as a draft").await;
    window.shows("A draft: it sends nothing by itself").await;
    window.find("#find").await.send_keys("ada").await.unwrap();
    window.press("Find").await;
    window.follow("Preview").await;
    window.shows("What ada Tester would hear").await;
    window.shows("They fit: it would fire for them").await;
    window.shows("Hello ada").await;
    let mail = "return document.querySelector('iframe').getAttribute('src')";
    let mail = says(&window, mail).await;
    assert!(mail.as_str().unwrap().ends_with("step=0"), "{mail}");
    window
        .find("#to")
        .await
        .send_keys("me@test.example")
        .await
        .unwrap();
    window.press("Send the test").await;
    window.shows("2 of 2 messages sent").await;
    assert_eq!(post.told("/hook")[0]["test"], true);
    let mails = post.mail.mails();
    assert_eq!(mails[0].header("subject").unwrap(), "[Test] Hello ada");
    assert_eq!(mails[0].to, ["me@test.example"]);
    window.follow("The preview").await;
    window.follow("Welcome").await;
    window.follow("Edit").await;
    window.press("Save and publish").await;
    window.shows("Published, and nothing goes out yet").await;
    window.shows("version 2").await;
    post.enable_messaging();
    window.page.refresh().await.unwrap();
    window.shows("Live").await;
    let versions = app.get("/v1/triggers").await;
    assert_eq!(versions["data"][0]["status"], "published", "{versions}");
    window.close().await;
}

/// Every page there is, with something on it.
async fn pages(app: &TestApp) -> Vec<String> {
    let trigger = json!({
        "organization_id": ORGANIZATION, "name": "welcome", "on": "profile.activated", "status": "published",
        "steps": [
            {"channel": "email", "to": "person", "subject": "Hello {{ display_name }}",
             "text": "Hello {{ display_name }}", "html": "<p>Hello <b>{{ display_name }}</b></p>"},
            {"channel": "webhook", "to": "http://127.0.0.1:9/hook"},
        ],
    });
    burst(app).await;
    app.call("POST", "/v1/triggers", trigger).await.ok();
    let enable = format!("/v1/organizations/{ORGANIZATION}/messaging/enable");
    app.call("POST", &enable, Value::Null).await.ok();
    let hostile = "<script>alert(1)</script>";
    app.apply(&ada().created(minute(50)).without("data.directory_id"))
        .await;
    let named = ada()
        .created(minute(50))
        .set("data.first_name", hostile)
        .set("data.last_name", "")
        .set("data.custom_attributes.department_name", hostile);
    let event = named.id();
    app.apply(&named).await;
    let id = app.profile(&ada()).id;
    let twin = employee("twin")
        .created(minute(51))
        .set("data.email", ada().email())
        .set("data.first_name", hostile);
    app.apply(&twin).await;
    let chess = app.community("Chess", &[(&id, Role::Admin)]);
    app.sql("UPDATE communities SET orphaned_at = 1 WHERE name = 'Chess'");
    app.sql("UPDATE memberships SET former_role = 'admin', role = 'member'");
    app.sql(
        "UPDATE destinations SET stopped_at = 1, reason = '410 Gone' WHERE channel = 'webhook'",
    );
    let newest = async |path: &str| {
        let page = app.get(path).await;
        let id = page["data"][0]["id"].as_str();
        id.unwrap_or_else(|| panic!("{path}: {page}")).to_owned()
    };
    let hold = newest("/v1/holds").await;
    let failed = newest("/v1/events?state=failed").await;
    let delivery = newest(&format!("/v1/deliveries?profile_id={id}")).await;
    let trigger = newest("/v1/triggers").await;
    let asked = employee("twin").id();
    // Of nothing, so that it is over and the rest stays as it is.
    let replay = json!({"type": "dsync.group.created", "job": true});
    let begun = app.call("POST", "/v1/events/replay", replay).await.ok();
    app.drain();
    let job = begun["job_id"].as_str().unwrap().to_owned();
    [
        "/jobs".to_owned(),
        format!("/jobs/{job}"),
        "".to_owned(),
        "/people?status=all".to_owned(),
        format!("/people?community={chess}"),
        "/people?q=nobody-of-this-name".to_owned(),
        format!("/people/{id}"),
        format!("/people/{id}/erase"),
        "/conflicts".to_owned(),
        format!("/conflicts/{asked}"),
        "/events".to_owned(),
        "/events?state=failed".to_owned(),
        format!("/events/{event}"),
        format!("/events/{failed}"),
        "/failures".to_owned(),
        "/jobs".to_owned(),
        "/communities".to_owned(),
        "/communities/admin-restorations".to_owned(),
        format!("/communities/{chess}?find=example"),
        format!("/communities/{chess}/rules"),
        "/triggers".to_owned(),
        "/triggers/new".to_owned(),
        format!("/triggers/{trigger}?find=example"),
        format!("/triggers/{trigger}/edit"),
        format!("/triggers/{trigger}/delete"),
        format!("/triggers/{trigger}/preview?person={id}"),
        "/destinations".to_owned(),
        "/deliveries".to_owned(),
        format!("/deliveries/{delivery}"),
        format!("/holds/{hold}"),
        "/audit".to_owned(),
        "/nothing-here".to_owned(),
    ]
    .map(|path| format!("/console{path}"))
    .into()
}

async fn a_name_that_is_a_script_stays_text_on_every_page(app: TestApp) {
    let pages = pages(&app).await;
    let window = Window::open(&app, 1280, true).await;
    window.sign_in().await;
    let mut shown = 0;
    for path in &pages {
        window.go(path).await;
        let own = "return document.querySelectorAll('script:not([src^=\"/console/\"]), main script').length";
        assert_eq!(says(&window, own).await, 0, "{path}");
        shown += usize::from(window.text().await.contains("<script>alert(1)</script>"));
    }
    assert!(shown >= 10, "the name is on {shown} pages only");
    window.close().await;
}

async fn every_page_works_without_scripts(app: TestApp) {
    let pages = pages(&app).await;
    let window = Window::open(&app, 1280, false).await;
    window.sign_in().await;
    for path in &pages {
        window.go(path).await;
        let heading = window.find("h1").await.text().await.unwrap();
        assert!(!heading.is_empty(), "{path}");
    }
    // A change by a form alone.
    window.go("/console/destinations?state=stopped").await;
    let button = window.find("td button").await;
    assert_eq!(button.text().await.unwrap(), "Let it go on");
    let stopped = app.get("/v1/destinations?state=stopped").await;
    let shown = stopped["data"][0]["shown"].as_str().unwrap();
    window.press(&format!("Let it go on: {shown}")).await;
    window
        .shows("It goes on: what waited there is being sent.")
        .await;
    window.close().await;
}

/// What is wrong with any page, judged at that width, by day or by night.
async fn stumbles(app: &TestApp, width: u32, dark: bool) -> Vec<String> {
    let pages = pages(app).await;
    let axe = axe();
    let window = Window::open(app, width, true).await;
    if dark {
        window.page.dim().await.unwrap();
    }
    window.go("/console/sign-in").await;
    let mut found = violations(&window, &axe, "/console/sign-in").await;
    window.sign_in().await;
    for path in &pages {
        window.go(path).await;
        found.extend(violations(&window, &axe, path).await);
        let over = window.too_wide().await;
        if over > 0 {
            found.push(format!("{path} at {width}: {over} px too wide"));
        }
        let light = if dark { "dark" } else { "light" };
        window.shoot(&format!("{width}-{light}{path}")).await;
    }
    window.close().await;
    found
}

/// That pages say the same on either database is for the tests above; how they look is asked of one
/// by day and of both by night, since axe-core takes a minute each time.
async fn nobody_stumbles(backend: Backend, width: u32, dark: bool) {
    let app = TestApp::start(backend).await;
    let found = stumbles(&app, width, dark).await;
    assert!(found.is_empty(), "{found:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_page_stumbles_anybody() {
    nobody_stumbles(Backend::Sqlite, 1280, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_page_stumbles_anybody_on_a_telephone() {
    nobody_stumbles(Backend::Sqlite, 360, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_page_stumbles_anybody_in_the_dark() {
    nobody_stumbles(Backend::Sqlite, 1280, true).await;
}

mod nightly {
    use rollcall::db::Backend;

    use super::nobody_stumbles;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn no_page_stumbles_anybody_on_postgres() {
        nobody_stumbles(Backend::Postgres, 1280, false).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn no_page_stumbles_anybody_on_a_telephone_on_postgres() {
        nobody_stumbles(Backend::Postgres, 360, false).await;
    }
}
