//! Directory Sync in the console as HTTP: who sees what and may change what, that nothing is saved
//! which was not previewed, and that a set-up link is in one answer and nowhere else.

use rollcall::db::{Backend, Urgency};
use rollcall::operations::webhook_secrets::{self, SecretUses, write_down};
use rollcall::operations::{Actor, Role};
use serde_json::json;

use crate::catch_up::Desk;
use crate::console::{Browser, make_token};
use crate::support::app::TestApp;
use crate::support::binary::rollcall;
use crate::support::events::{DIRECTORY, ORGANIZATION, ada, directory, employee, minute};
use crate::support::http::TOKEN;
use crate::support::macros::on_both;

on_both!(
    a_viewer_sees_every_page_of_directory_sync_and_changes_nothing,
    an_operator_of_another_organization_finds_nothing,
    a_set_up_link_is_in_one_answer_and_nowhere_else,
    without_a_key_every_page_says_so,
    only_a_mapping_that_was_previewed_as_it_stands_is_saved,
    a_mapping_that_somebody_else_changed_is_not_overwritten_unseen,
    a_preview_shows_no_sensitive_value_to_who_may_not_see_it,
    a_preview_tries_some_first_and_everybody_when_asked,
    guards_are_changed_and_what_was_typed_is_kept_beside_what_is_wrong,
    r71_secrets_are_told_by_label_with_their_last_use_and_never_by_value,
    r71_what_two_processes_have_verified_adds_up,
);

const HOME: &str = "/console/directory-sync";

fn one() -> String {
    format!("{HOME}/organizations/{ORGANIZATION}")
}

async fn company(app: &TestApp) {
    app.apply(&directory("dsync.activated", minute(0))).await;
    let event = ada()
        .created(minute(1))
        .set("data.custom_attributes.salary", "90210");
    app.apply(&event).await;
}

/// The value of a hidden field on a page.
fn hidden(page: &str, name: &str) -> String {
    let (_, rest) = page
        .split_once(&format!("name=\"{name}\" value=\""))
        .unwrap_or_else(|| panic!("no {name} in {page}"));
    rest.split_once('"').unwrap().0.to_owned()
}

/// Every form of the pages, with fields that would be taken from an admin.
fn forms() -> Vec<(String, Vec<(&'static str, &'static str)>)> {
    let one = one();
    vec![
        (format!("{one}/guards"), vec![("removal_floor", "1")]),
        (format!("{one}/messaging"), vec![]),
        (format!("{one}/messaging/disable"), vec![]),
        (format!("{HOME}/enable/{ORGANIZATION}/open"), vec![]),
        (
            format!("{HOME}/directories/{DIRECTORY}/decide"),
            vec![("decision", "keep")],
        ),
        (format!("{HOME}/reconciles"), vec![("directory", DIRECTORY)]),
    ]
}

async fn a_viewer_sees_every_page_of_directory_sync_and_changes_nothing(backend: Backend) {
    let desk = Desk::start(backend).await;
    let Desk { app, fake, .. } = &desk;
    company(app).await;
    let id = app.profile(&ada()).id;
    let admin = Browser::signed_in(app, TOKEN).await;
    let csrf = admin.csrf().await;
    let begun = admin
        .send(
            &format!("{HOME}/reconciles"),
            &[("csrf", &csrf), ("directory", DIRECTORY)],
        )
        .await;
    assert_eq!(begun.status, 303, "{}", begun.text);
    let viewer = Browser::signed_in(app, &make_token(app, "vera", Role::Viewer)).await;
    let pages = [
        HOME.to_owned(),
        one(),
        format!("{}/mapping", one()),
        format!("{}/guards", one()),
        format!("{HOME}/enable/{ORGANIZATION}"),
        format!("{HOME}/gaps"),
        format!("{HOME}/reconciles"),
        begun.to.clone(),
        format!("/console/people/{id}/resync"),
    ];
    for path in &pages {
        let page = viewer.open(path).await;
        assert_eq!(page.status, 200, "{path}: {}", page.text);
        let forms: Vec<&str> = page.text.matches("<button").collect();
        let saves = page.text.contains("<button class=\"main\"") || page.text.contains("danger");
        assert!(
            forms.len() == 1 && !saves,
            "{path}: only the way out: {}",
            page.text
        );
    }
    let csrf = viewer.csrf().await;
    let before = app.dump();
    let mut forms = forms();
    forms.push((format!("{}/apply", begun.to), vec![]));
    forms.push((format!("/console/people/{id}/resync"), vec![]));
    for (path, mut fields) in forms {
        fields.push(("csrf", &csrf));
        let page = viewer.send(&path, &fields).await;
        let invalid = path.ends_with("guards") && page.status == 422;
        assert!(
            page.status == 403 || invalid,
            "{path}: {} {}",
            page.status,
            page.text
        );
    }
    assert_eq!(app.dump(), before);
    assert!(fake.environment().links.is_empty());
}

async fn an_operator_of_another_organization_finds_nothing(backend: Backend) {
    let desk = Desk::start(backend).await;
    let Desk { app, .. } = &desk;
    company(app).await;
    let token = app.token("olga", "operator", Some("org_other"));
    let browser = Browser::signed_in(app, &token).await;
    let home = browser.open(HOME).await;
    assert!(
        !home.text.contains(ORGANIZATION) && !home.text.contains("Webhook secrets"),
        "{}",
        home.text
    );
    for path in [
        one(),
        format!("{}/mapping", one()),
        format!("{}/guards", one()),
        format!("{}/messaging", one()),
        format!("{HOME}/enable/{ORGANIZATION}"),
        format!("{HOME}/gaps?organization={ORGANIZATION}"),
        format!("{HOME}/reconciles?organization={ORGANIZATION}"),
        format!("/console/people/{}/resync", app.profile(&ada()).id),
    ] {
        assert_eq!(browser.open(&path).await.status, 404, "{path}");
    }
}

async fn a_set_up_link_is_in_one_answer_and_nowhere_else(backend: Backend) {
    let desk = Desk::start(backend).await;
    let Desk { app, fake, .. } = &desk;
    let path = format!("{HOME}/enable/{ORGANIZATION}/open");
    let operator = Browser::signed_in(app, &make_token(app, "olga", Role::Operator)).await;
    let csrf = operator.csrf().await;
    assert_eq!(operator.send(&path, &[("csrf", &csrf)]).await.status, 403);
    let admin = Browser::signed_in(app, TOKEN).await;
    assert_eq!(
        admin.send(&path, &[]).await.status,
        403,
        "not from our page"
    );
    assert!(fake.environment().links.is_empty());
    let csrf = admin.csrf().await;
    let page = admin.send(&path, &[("csrf", &csrf)]).await;
    let link = fake.environment().links[0].0.clone();
    let header = |name: &str| page.headers[name].to_str().unwrap().to_owned();
    assert_eq!(page.status, 200, "{}", page.text);
    assert_eq!(header("refresh"), format!("0;url={link}"));
    assert_eq!(
        (
            header("referrer-policy").as_str(),
            header("cache-control").as_str()
        ),
        ("no-referrer", "no-store")
    );
    let kept: Vec<String> = app.dump().into_values().flatten().collect();
    assert!(kept.iter().all(|row| !row.contains(&link)));
    let follows = admin.open(&format!("{HOME}/enable/{ORGANIZATION}")).await;
    assert!(
        !follows.text.contains(&link) && follows.text.contains("link opened just now")
            || follows.text.contains("Set-up link opened"),
        "{}",
        follows.text
    );
    let alone = "<noscript><meta http-equiv=\"refresh\" content=\"4\"></noscript>";
    assert!(
        follows.text.contains(alone) && follows.text.contains("data-pulse"),
        "{}",
        follows.text
    );
}

async fn without_a_key_every_page_says_so(app: TestApp) {
    company(&app).await;
    let browser = Browser::signed_in(&app, TOKEN).await;
    for path in [
        HOME.to_owned(),
        format!("{HOME}/enable/{ORGANIZATION}"),
        format!("{HOME}/gaps"),
        format!("{HOME}/reconciles"),
    ] {
        let page = browser.open(&path).await;
        assert!(
            page.status == 200 && page.text.contains("WORKOS_API_KEY"),
            "{path}: {}",
            page.text
        );
    }
    let csrf = browser.csrf().await;
    let id = app.profile(&ada()).id;
    for path in [
        format!("{HOME}/enable/{ORGANIZATION}/open"),
        format!("/console/people/{id}/resync"),
    ] {
        let page = browser.send(&path, &[("csrf", &csrf)]).await;
        assert!(
            page.status == 409 && page.text.contains("WORKOS_API_KEY"),
            "{path}: {}",
            page.text
        );
    }
}

const RULES: &str = "{\"rules\":[{\"target\":\"title\",\"from\":[\"job_title\"],\"transforms\":[\"upper\"]}],\"rest\":true}";

async fn only_a_mapping_that_was_previewed_as_it_stands_is_saved(app: TestApp) {
    company(&app).await;
    let browser = Browser::signed_in(&app, TOKEN).await;
    let csrf = browser.csrf().await;
    let path = format!("{}/mapping", one());
    let from = hidden(&browser.open(&path).await.text, "from");
    let send = async |to: &str, mapping: &str, previewed: &str| {
        let fields = [
            ("csrf", csrf.as_str()),
            ("from", &from),
            ("mapping", mapping),
            ("previewed", previewed),
        ];
        browser.send(&format!("{path}/{to}"), &fields).await
    };
    let broken = send("preview", "{\"rules\": [{]}", "").await;
    assert_eq!(broken.status, 422);
    assert!(
        broken.text.contains("line 1, column") && broken.text.contains("&#34;rules&#34;: [{]}"),
        "{}",
        broken.text
    );
    let wrong = send(
        "save",
        "{\"rules\":[{\"target\":\"titel\",\"from\":[]}]}",
        "",
    )
    .await;
    assert_eq!(wrong.status, 422);
    assert!(wrong.text.contains("rules[0].target"), "{}", wrong.text);
    let unseen = send("save", RULES, "").await;
    assert_eq!(unseen.status, 422, "{}", unseen.text);
    assert!(
        unseen.text.contains("not what was previewed") && unseen.text.contains("ANALYST"),
        "{}",
        unseen.text
    );
    assert_eq!(app.count("jobs"), 0);
    let previewed = hidden(&send("preview", RULES, "").await.text, "previewed");
    let saved = send("save", RULES, &previewed).await;
    assert_eq!(saved.status, 303, "{}", saved.text);
    assert!(saved.to.contains("/jobs/"), "{}", saved.to);
    let running = browser.open(&saved.to).await;
    let alone = "<noscript><meta http-equiv=\"refresh\" content=\"2\"></noscript>";
    assert!(
        running.text.contains(alone) && running.text.contains("data-pulse"),
        "{}",
        running.text
    );
    app.drain();
    assert_eq!(app.profile(&ada()).title.as_deref(), Some("ANALYST"));
    let done = browser.open(&saved.to).await;
    assert!(
        !done.text.contains("data-pulse") && done.text.contains("1 of 1"),
        "{}",
        done.text
    );
}

async fn a_mapping_that_somebody_else_changed_is_not_overwritten_unseen(app: TestApp) {
    company(&app).await;
    let browser = Browser::signed_in(&app, TOKEN).await;
    let csrf = browser.csrf().await;
    let path = format!("{}/mapping", one());
    let from = hidden(&browser.open(&path).await.text, "from");
    let theirs = json!({"rules": [], "rest": true});
    app.call(
        "PUT",
        &format!("/v1/organizations/{ORGANIZATION}/fields"),
        theirs,
    )
    .await
    .ok();
    app.drain();
    let fields = [("csrf", csrf.as_str()), ("from", &from), ("mapping", RULES)];
    let page = browser.send(&format!("{path}/preview"), &fields).await;
    let (from, previewed) = (hidden(&page.text, "from"), hidden(&page.text, "previewed"));
    let again = |from: String| {
        let (csrf, previewed) = (csrf.clone(), previewed.clone());
        let (browser, path) = (&browser, &path);
        async move {
            let fields = [
                ("csrf", csrf.as_str()),
                ("from", &from),
                ("previewed", &previewed),
                ("mapping", RULES),
            ];
            browser.send(&format!("{path}/save"), &fields).await
        }
    };
    let refused = again(from).await;
    assert_eq!(refused.status, 422);
    assert!(
        refused
            .text
            .contains("somebody else has changed the mapping"),
        "{}",
        refused.text
    );
    assert_eq!(again(hidden(&refused.text, "from")).await.status, 303);
    app.drain();
}

async fn a_preview_shows_no_sensitive_value_to_who_may_not_see_it(app: TestApp) {
    company(&app).await;
    let rules = json!({"rules": [{"target": "attributes.pay", "from": ["salary"], "sensitive": true}], "rest": false});
    app.call(
        "PUT",
        &format!("/v1/organizations/{ORGANIZATION}/fields"),
        rules,
    )
    .await
    .ok();
    app.drain();
    let operator = Browser::signed_in(&app, &make_token(&app, "olga", Role::Operator)).await;
    let csrf = operator.csrf().await;
    let path = format!("{}/mapping/preview", one());
    let nothing = "{\"rules\":[],\"rest\":false}";
    let page = operator
        .send(&path, &[("csrf", &csrf), ("mapping", nothing)])
        .await;
    assert_eq!(page.status, 200, "{}", page.text);
    assert!(
        !page.text.contains("90210") && page.text.contains("[hidden]"),
        "{}",
        page.text
    );
    let open =
        "{\"rules\":[{\"target\":\"attributes.open\",\"from\":[\"salary\"]}],\"rest\":false}";
    let page = operator
        .send(&path, &[("csrf", &csrf), ("mapping", open)])
        .await;
    assert!(
        page.status == 403 && !page.text.contains("90210"),
        "{}",
        page.text
    );
    let admin = Browser::signed_in(&app, TOKEN).await;
    let csrf = admin.csrf().await;
    let page = admin
        .send(&path, &[("csrf", &csrf), ("mapping", nothing)])
        .await;
    assert!(page.text.contains("90210"), "{}", page.text);
}

async fn a_preview_tries_some_first_and_everybody_when_asked(app: TestApp) {
    let all: Vec<_> = (0..102)
        .map(|n| employee(&format!("p{n:03}")).created(minute(1)))
        .collect();
    app.enqueue(&all);
    app.drain();
    let fields = format!("/v1/organizations/{ORGANIZATION}/fields/preview");
    let counts = async |query: &str| {
        let asked = format!("{fields}{query}");
        let told = app.call("POST", &asked, json!({"rules": []}));
        let told = told.await.ok();
        (told["people"].clone(), told["complete"].clone())
    };
    assert_eq!(counts("").await, (json!(102), json!(true)));
    assert_eq!(counts("?tries=102").await, (json!(102), json!(true)));
    assert_eq!(counts("?tries=101").await, (json!(101), json!(false)));
    let none = format!("{fields}?tries=0");
    let none = app.call("POST", &none, json!({"rules": []})).await;
    assert_eq!(none.status, 400, "{}", none.text);
    let browser = Browser::signed_in(&app, TOKEN).await;
    let csrf = browser.csrf().await;
    let path = format!("{}/mapping/preview", one());
    let typed = ("mapping", "{\"rules\":[],\"rest\":false}");
    let form = [("csrf", csrf.as_str()), typed];
    let some = browser.send(&path, &form).await.text;
    assert!(some.contains("of 100 people would change"), "{some}");
    let form = [form[0], form[1], ("everybody", "true")];
    let every = browser.send(&path, &form).await.text;
    assert!(every.contains("of 102 people would change"), "{every}");
    assert!(some.contains("Try it on everybody") && !every.contains("Try it on everybody"));
}

async fn guards_are_changed_and_what_was_typed_is_kept_beside_what_is_wrong(app: TestApp) {
    company(&app).await;
    let browser = Browser::signed_in(&app, TOKEN).await;
    let csrf = browser.csrf().await;
    let path = format!("{}/guards", one());
    let fields = |floor: &'static str, percent: &'static str| {
        [
            ("csrf", csrf.clone()),
            ("removal_floor", floor.to_owned()),
            ("removal_percent", percent.to_owned()),
            ("removal_settle", "60".to_owned()),
            ("leave_floor", "20".to_owned()),
            ("leave_percent", "5".to_owned()),
            ("swap_floor", "2".to_owned()),
            ("swap_percent", "5".to_owned()),
            ("poll_cycle_minutes", "30".to_owned()),
            ("on_directory_deleted", "hold".to_owned()),
            ("reconcile_mode", "apply".to_owned()),
            ("reconcile_hours", "6".to_owned()),
        ]
    };
    for (floor, percent, told) in [
        ("many", "5", "is not a whole number"),
        ("7", "101", "0 to 100"),
    ] {
        let fields = fields(floor, percent);
        let fields: Vec<(&str, &str)> = fields
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let page = browser.send(&path, &fields).await;
        assert_eq!(page.status, 422, "{}", page.text);
        assert!(
            page.text.contains(told) && page.text.contains(&format!("value=\"{floor}\"")),
            "{}",
            page.text
        );
    }
    let fields = fields("7", "3");
    let fields: Vec<(&str, &str)> = fields
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let saved = browser.send(&path, &fields).await;
    assert_eq!(saved.status, 303, "{}", saved.text);
    let kept = app.get(&format!("/v1/organizations/{ORGANIZATION}")).await;
    let expected = json!({"mode": "apply", "interval_hours": 6});
    assert_eq!(kept["settings"]["reconcile"], expected);
    let shown = browser.open(&saved.to).await.text;
    assert!(
        shown.contains("The guards are saved.")
            && shown.contains("7, or 3 % of the people; each waits 60 s"),
        "{shown}"
    );
    let acts = "operator_acts WHERE act = 'organization.settings_changed' AND actor = 'bootstrap'";
    assert_eq!(app.count(acts), 1);
}

async fn r71_secrets_are_told_by_label_with_their_last_use_and_never_by_value(backend: Backend) {
    let app = TestApp::start_with(backend, |setup| {
        setup.config.webhook.secrets = Some("old:a-secret-of-the-tests,new:another-secret".into());
    })
    .await;
    company(&app).await;
    let browser = Browser::signed_in(&app, TOKEN).await;
    let told = |page: &str| {
        let (_, table) = page.split_once("Webhook secrets by label").unwrap();
        let table = table.split_once("</table>").unwrap().0.to_owned();
        assert!(
            !page.contains("a-secret-of") && !page.contains("another-secret"),
            "{page}"
        );
        table
            .split("<tr>")
            .skip(2)
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let rows = told(&browser.open(HOME).await.text);
    assert!(
        rows[0].contains("old") && rows[0].contains(">2<") && rows[0].contains("just now"),
        "{rows:?}"
    );
    assert!(
        rows[1].contains("new") && rows[1].contains(">0<") && rows[1].contains("never"),
        "{rows:?}"
    );
    let told = rollcall_says(&app, &["webhooks", "secrets"]);
    let labels = told["data"].as_array().unwrap().iter();
    let labels: Vec<&str> = labels.map(|one| one["label"].as_str().unwrap()).collect();
    assert_eq!(labels, ["old", "new"], "{told}");
    assert!(!told.to_string().contains("secret-of"), "{told}");
}

async fn r71_what_two_processes_have_verified_adds_up(app: TestApp) {
    let (one, other) = (SecretUses::default(), SecretUses::default());
    one.count("old", minute(3));
    one.count("old", minute(1));
    other.count("old", minute(2));
    let written = |uses: &SecretUses| {
        let done = tokio::task::block_in_place(|| {
            app.db.write(Urgency::Normal, |conn| write_down(conn, uses))
        });
        uses.written(&done.unwrap());
    };
    written(&one);
    written(&other);
    written(&one);
    one.count("old", minute(4));
    let labels = ["new".to_owned()];
    let told = tokio::task::block_in_place(|| {
        app.db
            .read(|conn| webhook_secrets::list(conn, &Actor::cli(), &labels, &one))
    });
    let told = told.unwrap();
    let row = |one: &webhook_secrets::SecretView| {
        (
            one.label.clone(),
            one.in_use,
            one.matched,
            one.last_matched_at,
        )
    };
    let rows: Vec<_> = told.iter().map(row).collect();
    let expected = [
        ("new".to_owned(), true, 0, None),
        ("old".to_owned(), false, 4, Some(minute(4))),
    ];
    assert_eq!(rows, expected);
}

/// What the binary says of the same database, with the same two secrets.
fn rollcall_says(app: &TestApp, args: &[&str]) -> serde_json::Value {
    let folder = tempfile::tempdir().unwrap();
    let mut command = rollcall(&app.place.url(), folder.path());
    command.args(args).arg("--json").env(
        "WORKOS_WEBHOOK_SECRET",
        "old:a-secret-of-the-tests,new:another-secret",
    );
    let done = tokio::task::block_in_place(|| command.output().unwrap());
    serde_json::from_slice(&done.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&done.stderr)))
}
