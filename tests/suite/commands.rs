//! Acts that have a command beside their route, done with the real binary on the database itself.

use std::time::Duration;

use rollcall::domain::Role;
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::binary::rollcall;
use crate::support::events::{ORGANIZATION, ada, employee, minute};
use crate::support::macros::on_both;

on_both!(
    c5_an_admin_role_is_restored_or_dismissed_from_the_command_line,
    settings_are_tried_out_and_set_from_the_command_line,
    r42_the_swap_guard_is_a_setting_as_well,
    r16_places_that_wait_are_listed_on_the_command_line,
    a_setting_that_is_none_is_refused_with_its_name_and_nothing_changes,
);

/// The exit code of a command, and what it said on standard output and on standard error.
fn run(app: &TestApp, args: &[&str]) -> (Option<i32>, String, String) {
    let folder = tempfile::tempdir().unwrap();
    let mut command = rollcall(&app.place.url(), folder.path());
    command.args(args);
    let done = tokio::task::block_in_place(|| command.output().unwrap());
    (
        done.status.code(),
        String::from_utf8_lossy(&done.stdout).into_owned(),
        String::from_utf8_lossy(&done.stderr).into_owned(),
    )
}

/// The answer of a command that works, as JSON.
fn told(app: &TestApp, args: &[&str]) -> Value {
    let (code, out, err) = run(app, &[args, &["--json", "--yes"]].concat());
    assert_eq!(code, Some(0), "{args:?}: {err}");
    serde_json::from_str(&out).unwrap()
}

async fn settings(app: &TestApp) -> Value {
    app.get(&format!("/v1/organizations/{ORGANIZATION}")).await["settings"].clone()
}

async fn c5_an_admin_role_is_restored_or_dismissed_from_the_command_line(app: TestApp) {
    for name in ["mia", "ada"] {
        app.apply(&employee(name).created(minute(0))).await;
    }
    let hers = app.profile(&employee("ada")).id;
    let mias = app.profile(&employee("mia")).id;
    let both = [(hers.as_str(), Role::Admin), (mias.as_str(), Role::Admin)];
    let (chess, choir) = (app.community("chess", &both), app.community("choir", &both));
    app.apply(&employee("ada").deactivated(minute(1))).await;
    app.advance(Duration::from_secs(600));
    app.apply(&employee("ada").updated(minute(2))).await;
    let listed = told(&app, &["communities", "admin-restorations"]);
    assert_eq!(listed["data"].as_array().unwrap().len(), 2, "{listed}");
    told(
        &app,
        &[
            "communities",
            "restore-admin",
            &format!("{chess}.{hers}"),
            "--dry-run",
        ],
    );
    let listed = told(&app, &["communities", "admin-restorations"]);
    assert_eq!(listed["data"].as_array().unwrap().len(), 2, "a dry run");
    told(
        &app,
        &["communities", "restore-admin", &format!("{chess}.{hers}")],
    );
    told(
        &app,
        &["communities", "dismiss-admin", &format!("{choir}.{hers}")],
    );
    let listed = told(&app, &["communities", "admin-restorations"]);
    assert_eq!(listed["data"], json!([]));
    let admin = |community: &str| {
        let all = app.members(community);
        all.iter()
            .any(|one| one.profile_id == hers && one.role == "admin")
    };
    assert!(admin(&chess) && !admin(&choir));
    let (code, _, words) = run(
        &app,
        &["communities", "restore-admin", &format!("{chess}.{hers}")],
    );
    assert_eq!(code, Some(4), "{words}");
}

async fn settings_are_tried_out_and_set_from_the_command_line(app: TestApp) {
    app.apply(&ada().created(minute(0))).await;
    let asked = |dry: bool| {
        let mut all = vec![
            "organizations",
            "set",
            ORGANIZATION,
            "on_directory_deleted=remove",
            "removal_guard.floor=3",
        ];
        all.extend(dry.then_some("--dry-run"));
        told(&app, &all)
    };
    let before = settings(&app).await;
    asked(true);
    assert_eq!(settings(&app).await, before, "a dry run");
    asked(false);
    let after = settings(&app).await;
    assert_eq!(after["on_directory_deleted"], "remove");
    assert_eq!(after["removal_guard"]["floor"], 3);
    assert_eq!(
        after["removal_guard"]["percent"],
        before["removal_guard"]["percent"]
    );
    told(
        &app,
        &[
            "organizations",
            "set",
            ORGANIZATION,
            "removal_guard.floor=null",
        ],
    );
    assert_eq!(
        settings(&app).await["removal_guard"],
        before["removal_guard"]
    );
}

async fn r42_the_swap_guard_is_a_setting_as_well(app: TestApp) {
    app.apply(&ada().created(minute(0))).await;
    told(
        &app,
        &[
            "organizations",
            "set",
            ORGANIZATION,
            "swap_guard.percent=50",
        ],
    );
    assert_eq!(settings(&app).await["swap_guard"]["percent"], 50);
    let path = format!("/v1/organizations/{ORGANIZATION}");
    let body = json!({"settings": {"swap_guard": {"floor": 9}}});
    app.call("PATCH", &path, body).await.ok();
    assert_eq!(
        settings(&app).await["swap_guard"],
        json!({"floor": 9, "percent": 50})
    );
}

async fn r16_places_that_wait_are_listed_on_the_command_line(app: TestApp) {
    app.apply(&ada().created(minute(0))).await;
    // Neither a name nor a provider's id: the group is not known by this event (R95).
    let joined = ada().joined("nobodys", minute(1));
    let joined = joined.set("data.group.name", Value::Null);
    app.apply(&joined.set("data.group.idp_id", Value::Null))
        .await;
    app.advance(Duration::from_secs(25 * 3_600));
    let waiting = app.get("/v1/groups/pending-members").await;
    assert_eq!(waiting["data"].as_array().unwrap().len(), 1, "{waiting}");
    // The command's clock is the machine's, not the test's.
    app.sql("UPDATE group_edges SET recorded_at = 0");
    let waiting = app.get("/v1/groups/pending-members").await;
    assert_eq!(
        told(&app, &["groups", "pending-members"])["data"],
        waiting["data"]
    );
}

async fn a_setting_that_is_none_is_refused_with_its_name_and_nothing_changes(app: TestApp) {
    app.apply(&ada().created(minute(0))).await;
    let before = settings(&app).await;
    for wrong in [
        "colour=blue",
        "removal_guard.floor=many",
        "restore_admin=perhaps",
    ] {
        let (code, out, words) = run(&app, &["organizations", "set", ORGANIZATION, wrong]);
        let name = wrong.split(['=', '.']).next().unwrap();
        assert_eq!((code, out.as_str()), (Some(2), ""), "{wrong}: {words}");
        assert!(words.contains(name), "{wrong}: {words}");
    }
    assert_eq!(settings(&app).await, before);
}

#[test]
fn manual_pages_and_completions_are_printed_for_every_command_and_shell() {
    let folder = tempfile::tempdir().unwrap();
    let said = |words: &[&str]| {
        let mut command = rollcall("sqlite://none.db", folder.path());
        let out = command.args(words).output().unwrap();
        assert!(out.status.success(), "{words:?}: {out:?}");
        String::from_utf8(out.stdout).unwrap()
    };
    let page = said(&["man"]);
    assert!(
        page.starts_with(".ie") && page.contains("rollcall"),
        "{page}"
    );
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(said(&["completions", shell]).contains("openapi"), "{shell}");
    }
    let pages = folder.path().join("pages");
    std::fs::create_dir(&pages).unwrap();
    said(&["man", "--dir", pages.to_str().unwrap()]);
    let made = std::fs::read_dir(&pages).unwrap().count();
    assert!(made > 60, "{made} pages");
    for words in [
        &["events", "list"][..],
        &["openapi"],
        &["triggers", "apply"],
    ] {
        assert!(
            pages
                .join(format!("rollcall-{}.1", words.join("-")))
                .exists(),
            "{words:?}"
        );
    }
}
