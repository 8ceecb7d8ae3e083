//! The console's pages as HTTP: who sees what and may change what, that nothing is read again where nothing
//! was written, and that what operators do stands in the audit.

use rollcall::domain::Role as Seat;
use rollcall::operations::Role;
use rollcall::store::communities;
use serde_json::{Value, json};

use crate::console::{Browser, make_token};
use crate::support::app::TestApp;
use crate::support::events::{ORGANIZATION, ada, directory, employee, minute};
use crate::support::http::TOKEN;
use crate::support::macros::on_both;
use crate::support::wait::eventually;

on_both!(
    a_viewer_sees_every_page_and_changes_nothing,
    an_operator_of_another_organization_finds_nothing,
    a_page_is_read_again_only_where_something_was_written,
    a_session_that_ended_reloads_the_page_that_asks,
    the_audit_tells_who_did_what_in_pages_that_stay,
    r65_somebody_is_erased_by_an_admin_who_typed_the_word,
    r65_somebody_under_a_legal_hold_is_kept_until_an_admin_releases_it,
    r64_somebody_opts_out_and_in_again_on_their_page,
    r32_a_conflict_is_decided_on_its_page,
    c5_an_admin_role_is_restored_on_its_page,
    a_rule_is_written_and_applied_and_a_wrong_one_is_told,
    people_are_found_by_community_and_department,
    scripts_come_from_the_binary_and_stay,
);

fn trigger() -> Value {
    json!({
        "organization_id": ORGANIZATION, "name": "Welcome", "on": "profile.activated",
        "steps": [{"channel": "email", "to": "person", "subject": "s", "text": "t", "html": "<b>{{ first_name }}</b>"}],
    })
}

struct Things {
    profile: String,
    trigger: String,
    community: String,
    asked: String,
}

async fn things(app: &TestApp) -> Things {
    app.apply(&directory("dsync.activated", minute(0))).await;
    app.apply(&ada().created(minute(1))).await;
    app.apply(&employee("bob").created(minute(1))).await;
    let asked = employee("bobby")
        .created(minute(4))
        .set("data.email", employee("bob").email());
    app.apply(&asked).await;
    let made = app.call("POST", "/v1/triggers", trigger()).await;
    let profile = app.profile(&ada()).id;
    Things {
        community: app.community("Chess", &[(&profile, Seat::Admin)]),
        asked: employee("bobby").id(),
        trigger: made.body["id"].as_str().unwrap().to_owned(),
        profile,
    }
}

async fn a_viewer_sees_every_page_and_changes_nothing(app: TestApp) {
    let one = things(&app).await;
    let (trigger, profile) = (&one.trigger, &one.profile);
    let (community, asked) = (&one.community, &one.asked);
    let viewer = Browser::signed_in(&app, &make_token(&app, "vera", Role::Viewer)).await;
    for path in [
        String::new(),
        "/people".to_owned(),
        format!("/people/{profile}"),
        "/conflicts".to_owned(),
        format!("/conflicts/{asked}"),
        "/triggers".to_owned(),
        format!("/triggers/{trigger}?find=ada"),
        format!("/triggers/{trigger}/preview?person={profile}"),
        format!("/triggers/{trigger}/preview/html?person={profile}"),
        "/destinations".to_owned(),
        "/communities/admin-restorations".to_owned(),
        format!("/communities/{community}"),
        "/audit".to_owned(),
    ] {
        let page = viewer.open(&format!("/console{path}")).await;
        assert_eq!(page.status, 200, "{path}: {}", page.text);
        // The only form that a viewer is given ends the session.
        let forms = page.text.matches("method=\"post\"").count();
        assert!(forms <= 1, "{path}: {}", page.text);
    }
    for path in [
        "/triggers/new".to_owned(),
        format!("/triggers/{trigger}/edit"),
        format!("/communities/{community}/rules"),
        format!("/people/{profile}/erase"),
    ] {
        let page = viewer.open(&format!("/console{path}")).await;
        assert_eq!(page.status, 403, "{path}");
    }
    let csrf = viewer.csrf().await;
    let typed = "name = \"x\"\non = \"profile.activated\"\n[[steps]]\nchannel = \"email\"\nto = \"person\"\nsubject = \"s\"\ntext = \"t\"\n";
    let fields: &[(&str, &str)] = &[
        ("csrf", &csrf),
        ("organization", ORGANIZATION),
        ("definition", typed),
        ("status", "published"),
        ("person", profile),
        ("to", "me@test.example"),
        ("profile_id", profile),
        ("restore", "true"),
        ("rules", "[]"),
        ("word", "erase"),
        ("wanted", "false"),
        ("reason", "case 7"),
    ];
    for path in [
        "/triggers".to_owned(),
        format!("/triggers/{trigger}/edit"),
        format!("/triggers/{trigger}/status"),
        format!("/triggers/{trigger}/delete"),
        format!("/triggers/{trigger}/test"),
        format!("/communities/{community}/rules"),
        format!("/communities/admin-restorations/{community}.profile_ada"),
        format!("/people/{profile}/erase"),
        format!("/people/{profile}/messages"),
        format!("/people/{profile}/legal-hold"),
        format!("/people/{profile}/legal-hold/release"),
        format!("/conflicts/{asked}/decide"),
        "/destinations/email/resume".to_owned(),
    ] {
        let page = viewer.send(&format!("/console{path}"), fields).await;
        assert_eq!(page.status, 403, "{path}: {}", page.text);
    }
    assert_eq!(
        app.get(&format!("/v1/triggers/{trigger}")).await["version"],
        1
    );
}

async fn an_operator_of_another_organization_finds_nothing(app: TestApp) {
    let one = things(&app).await;
    app.token("outsider", "operator", Some("org_OTHER"));
    let outsider = Browser::signed_in(&app, "outsider").await;
    for path in [
        format!("/people/{}", one.profile),
        format!("/conflicts/{}", one.asked),
        format!("/triggers/{}", one.trigger),
        format!("/triggers/{}/edit", one.trigger),
        format!("/communities/{}", one.community),
        format!("/communities/{}/rules", one.community),
    ] {
        assert_eq!(
            outsider.open(&format!("/console{path}")).await.status,
            404,
            "{path}"
        );
    }
    for path in [
        "",
        "/people",
        "/conflicts",
        "/triggers",
        "/communities",
        "/communities/admin-restorations",
        "/audit",
    ] {
        let page = outsider.open(&format!("/console{path}")).await;
        assert_eq!(page.status, 200, "{path}");
        for secret in [&one.profile, &one.trigger, &one.community, "The last hour"] {
            assert!(!page.text.contains(secret), "{path} tells {secret}");
        }
    }
}

/// The pulse that a page was shown at.
fn pulse(page: &str) -> String {
    let (_, rest) = page.split_once("data-pulse=\"").expect("a live part");
    rest.split_once('"').unwrap().0.to_owned()
}

async fn a_page_is_read_again_only_where_something_was_written(app: TestApp) {
    app.apply(&ada().created(minute(0))).await;
    let browser = Browser::signed_in(&app, TOKEN).await;
    let shown = eventually("the page is shown at the pulse of now", async || {
        let shown = pulse(&browser.open("/console/events").await.text);
        let named = [("hx-request", "true"), ("if-none-match", &shown)];
        let again = browser.open_with("/console/events", &named).await;
        (again.status == 304 && again.text.is_empty()).then_some(shown)
    })
    .await;
    let named = [("hx-request", "true"), ("if-none-match", shown.as_str())];
    app.apply(&employee("bob").created(minute(1))).await;
    let page = eventually("what was written is shown", async || {
        let page = browser.open_with("/console/events", &named).await;
        (page.status == 200).then_some(page)
    })
    .await;
    assert!(page.text.contains("bob Tester"), "{}", page.text);
    assert_ne!(pulse(&page.text), shown);
}

async fn a_session_that_ended_reloads_the_page_that_asks(app: TestApp) {
    let nobody = Browser::new(&app);
    let asks = [("hx-request", "true")];
    let page = nobody.open_with("/console/events", &asks).await;
    assert_eq!(page.status, 401);
    assert_eq!(page.headers["hx-refresh"], "true");
}

async fn the_audit_tells_who_did_what_in_pages_that_stay(app: TestApp) {
    let one = things(&app).await;
    let olga = Browser::signed_in(&app, &make_token(&app, "olga", Role::Operator)).await;
    let csrf = olga.csrf().await;
    for status in ["published", "draft"] {
        let path = format!("/console/triggers/{}/status", one.trigger);
        let page = olga
            .send(&path, &[("csrf", &csrf), ("status", status)])
            .await;
        assert_eq!(page.status, 303, "{}", page.text);
    }
    let all = app.get("/v1/audit").await;
    let told = |page: &Value| -> Vec<String> {
        let rows = page["data"].as_array().unwrap().iter();
        rows.map(|row| {
            format!(
                "{} {}",
                row["actor"].as_str().unwrap(),
                row["act"].as_str().unwrap()
            )
        })
        .collect()
    };
    let acts = told(&all);
    assert_eq!(acts[..2], ["olga trigger.updated", "olga trigger.updated"]);
    assert!(
        acts.contains(&"bootstrap trigger.created".to_owned()),
        "{acts:?}"
    );
    let kind = told(&app.get("/v1/audit?act=trigger").await);
    assert_eq!(kind.len(), 3, "{kind:?}");
    assert_eq!(
        told(&app.get("/v1/audit?act=trigger.created&actor=olga").await),
        [""; 0]
    );
    assert_eq!(told(&app.get("/v1/audit?since=2030-01-01").await), [""; 0]);
    let first = app.get("/v1/audit?limit=1&act=trigger").await;
    app.token("late", "operator", None);
    olga.send(
        &format!("/console/triggers/{}/status", one.trigger),
        &[("csrf", &csrf), ("status", "published")],
    )
    .await;
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = app
        .get(&format!("/v1/audit?limit=1&act=trigger&cursor={cursor}"))
        .await;
    assert_eq!(second["data"][0]["id"], all["data"][1]["id"]);
    let page = olga
        .open(&format!("/console/audit?who=olga&target={}", one.trigger))
        .await;
    assert_eq!(
        page.text.matches("trigger updated").count(),
        3,
        "{}",
        page.text
    );
    assert_eq!(
        olga.open("/console/audit?since=yesterday").await.status,
        400
    );
}

async fn r65_somebody_is_erased_by_an_admin_who_typed_the_word(app: TestApp) {
    let one = things(&app).await;
    let path = format!("/console/people/{}/erase", one.profile);
    let admin = Browser::signed_in(&app, TOKEN).await;
    assert!(
        admin
            .open(&path)
            .await
            .text
            .contains("They still work here")
    );
    let csrf = admin.csrf().await;
    let wrong = admin.send(&path, &[("csrf", &csrf), ("word", "yes")]).await;
    assert_eq!(wrong.status, 400);
    assert!(wrong.text.contains("Nobody was erased"), "{}", wrong.text);
    let operator = Browser::signed_in(&app, &make_token(&app, "olga", Role::Operator)).await;
    assert_eq!(operator.open(&path).await.status, 403);
    let own = operator.csrf().await;
    let refused = operator
        .send(&path, &[("csrf", &own), ("word", "erase")])
        .await;
    assert_eq!(refused.status, 403);
    assert_eq!(app.profile(&ada()).status, "active");
    let done = admin
        .send(&path, &[("csrf", &csrf), ("word", "erase")])
        .await;
    assert_eq!(done.status, 303, "{}", done.text);
    let page = admin.open(&done.to).await;
    assert!(page.text.contains("Erased for good.") && !page.text.contains("ada Tester"));
}

async fn r65_somebody_under_a_legal_hold_is_kept_until_an_admin_releases_it(app: TestApp) {
    let one = things(&app).await;
    let home = format!("/console/people/{}", one.profile);
    let place = format!("{home}/legal-hold");
    let operator = Browser::signed_in(&app, &make_token(&app, "olga", Role::Operator)).await;
    let own = operator.csrf().await;
    let send = async |reason: &str| {
        let fields = [("csrf", own.as_str()), ("reason", reason)];
        operator.send(&place, &fields).await
    };
    assert_eq!(send(" ").await.status, 400);
    assert_eq!(send("case \u{0}").await.status, 400);
    let placed = send("case <7>").await;
    assert_eq!(placed.status, 303, "{}", placed.text);
    let page = operator.open(&placed.to).await.text;
    assert!(page.contains("olga: <bdi>case &#60;7&#62;</bdi>"), "{page}");
    assert!(!page.contains("Release the legal hold"), "{page}");
    assert_eq!(send("case 8").await.status, 409, "one at a time");

    let admin = Browser::signed_in(&app, TOKEN).await;
    let csrf = admin.csrf().await;
    let word = [("csrf", csrf.as_str()), ("word", "erase")];
    let erase = format!("{home}/erase");
    let kept = admin.send(&erase, &word).await;
    assert_eq!(kept.status, 409);
    assert!(kept.text.contains("case"), "{}", kept.text);
    let release = format!("{place}/release");
    let refused = operator.send(&release, &[("csrf", &own)]).await;
    assert_eq!(refused.status, 403);
    let released = admin.send(&release, &[("csrf", &csrf)]).await;
    let page = admin.open(&released.to).await.text;
    assert!(page.contains("The legal hold is released."), "{page}");
    assert_eq!(admin.send(&erase, &word).await.status, 303);
}

async fn r64_somebody_opts_out_and_in_again_on_their_page(app: TestApp) {
    let one = things(&app).await;
    let browser = Browser::signed_in(&app, TOKEN).await;
    let csrf = browser.csrf().await;
    let path = format!("/console/people/{}/messages", one.profile);
    let list = format!("/v1/opt-outs?organization_id={ORGANIZATION}");
    let done = browser
        .send(&path, &[("csrf", &csrf), ("wanted", "false")])
        .await;
    assert!(
        browser
            .open(&done.to)
            .await
            .text
            .contains("on the opt-out list")
    );
    assert_eq!(app.get(&list).await["data"][0]["email"], ada().email());
    let done = browser
        .send(&path, &[("csrf", &csrf), ("wanted", "true")])
        .await;
    assert!(
        browser
            .open(&done.to)
            .await
            .text
            .contains("Send no messages")
    );
    assert_eq!(app.get(&list).await["data"], json!([]));
}

async fn r32_a_conflict_is_decided_on_its_page(app: TestApp) {
    let one = things(&app).await;
    let browser = Browser::signed_in(&app, TOKEN).await;
    let list = browser.open("/console/conflicts").await.text;
    assert!(
        list.contains(&one.asked) && list.contains("bob Tester"),
        "{list}"
    );
    let todo = browser.open("/console").await.text;
    assert!(
        todo.contains("1 person whom only you can tell apart"),
        "{todo}"
    );
    let path = format!("/console/conflicts/{}", one.asked);
    assert!(
        browser
            .open(&path)
            .await
            .text
            .contains("a person of their own")
    );
    let csrf = browser.csrf().await;
    let done = browser
        .send(&format!("{path}/decide"), &[("csrf", &csrf)])
        .await;
    assert_eq!(done.status, 303, "{}", done.text);
    let page = browser.open(&done.to).await.text;
    assert!(page.contains("Not the same person as"), "{page}");
    assert!(
        browser
            .open("/console/conflicts")
            .await
            .text
            .contains("Everybody is told apart.")
    );
    let acts = app.get("/v1/audit?act=conflict").await;
    assert_eq!(acts["data"][0]["act"], "conflict.new_person", "{acts}");
}

async fn c5_an_admin_role_is_restored_on_its_page(app: TestApp) {
    let one = things(&app).await;
    app.sql("UPDATE memberships SET role = 'member', former_role = 'admin'");
    let browser = Browser::signed_in(&app, TOKEN).await;
    assert!(
        browser
            .open("/console")
            .await
            .text
            .contains("1 admin role to restore")
    );
    let page = browser
        .open("/console/communities/admin-restorations")
        .await
        .text;
    assert!(
        page.contains("ada Tester") && page.contains("Restore admin role"),
        "{page}"
    );
    let csrf = browser.csrf().await;
    let path = format!(
        "/console/communities/admin-restorations/{}.{}",
        one.community, one.profile
    );
    let fields = [("csrf", csrf.as_str()), ("restore", "true")];
    let done = browser.send(&path, &fields).await;
    assert_eq!(done.status, 303, "{}", done.text);
    assert!(
        browser
            .open(&done.to)
            .await
            .text
            .contains("No admin role to restore.")
    );
    let members = app.read(|conn| communities::members(conn, &one.community));
    assert_eq!(members[0].role, "admin");
}

async fn a_rule_is_written_and_applied_and_a_wrong_one_is_told(app: TestApp) {
    let one = things(&app).await;
    let browser = Browser::signed_in(&app, TOKEN).await;
    let csrf = browser.csrf().await;
    let home = format!("/console/communities/{}", one.community);
    let path = format!("{home}/rules");
    for (typed, told) in [
        ("[{\"when\": ]", "this is no JSON list of rules"),
        (
            "[{\"when\": {\"field\": \"shoe size\", \"op\": \"eq\", \"value\": 44}}]",
            "rules[0].when.field",
        ),
    ] {
        let page = browser
            .send(&path, &[("csrf", &csrf), ("rules", typed)])
            .await;
        assert_eq!(page.status, 422, "{}", page.text);
        assert!(page.text.contains(told), "{told}: {}", page.text);
        let start = typed.split('"').nth(1).unwrap();
        assert!(page.text.contains(start), "what was typed stays");
    }
    let rule = "[{\"when\": {\"field\": \"department\", \"op\": \"eq\", \"value\": \"Research\"}, \"role\": \"member\"}]";
    let done = browser
        .send(&path, &[("csrf", &csrf), ("rules", rule)])
        .await;
    assert_eq!(done.to, format!("{home}?done=ruled"), "{}", done.text);
    let page = browser.open(&done.to).await.text;
    assert!(
        page.contains("Members: where department is “Research”"),
        "{page}"
    );
    assert!(page.contains("bob Tester"), "{page}");
}

async fn people_are_found_by_community_and_department(app: TestApp) {
    let one = things(&app).await;
    let browser = Browser::signed_in(&app, TOKEN).await;
    let within = browser
        .open(&format!("/console/people?community={}", one.community))
        .await
        .text;
    assert!(
        within.contains("ada Tester") && !within.contains(">bob Tester"),
        "{within}"
    );
    let empty = browser.open("/console/people?department=Poetry").await.text;
    assert!(empty.contains("Nobody matches."), "{empty}");
    let api = app
        .get(&format!("/v1/profiles?community_id={}", one.community))
        .await;
    assert_eq!(api["data"].as_array().unwrap().len(), 1);
}

async fn scripts_come_from_the_binary_and_stay(app: TestApp) {
    let browser = Browser::signed_in(&app, TOKEN).await;
    let page = browser.open("/console").await;
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("script-src 'self';"), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    let scripts: Vec<&str> = page.text.split("<script defer src=\"").skip(1).collect();
    assert_eq!(scripts.len(), 3);
    for script in scripts {
        let path = script.split_once('"').unwrap().0;
        let script = browser.open(path).await;
        assert_eq!(script.status, 200, "{path}");
        let kept = script.headers["cache-control"].to_str().unwrap();
        assert!(kept.contains("immutable"), "{path}: {kept}");
    }
}
