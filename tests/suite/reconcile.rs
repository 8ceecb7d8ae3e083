//! Comparing a directory with WorkOS's own listing: what differs is found and mended by choice, what
//! is not whole removes nobody, and the first import and the resync of one person go the same road.

use rollcall::app::workos_client;
use rollcall::config::Config;
use rollcall::db::Backend;
use rollcall::upstream::Reconciler;
use serde_json::{Value, json};

use crate::catch_up::Desk;
use crate::support::app::TestApp;
use crate::support::events::{
    DIRECTORY, Employee, ORGANIZATION, ada, directory, employee, group, minute,
};
use crate::support::macros::on_both;
use crate::support::workos::{API_KEY, CLIENT_ID, FakeWorkOs, Fault, lists_users};

on_both!(
    r44_a_damaged_company_is_told_and_mended_to_what_the_report_said,
    r43_a_listing_that_is_not_whole_removes_nobody,
    r38_of_a_directory_that_is_not_linked_nothing_is_inferred,
    r44_who_is_touched_by_a_newer_event_is_skipped,
    r40_removals_found_by_comparing_pass_the_guard,
    r56_a_first_import_by_listing_greets_nobody,
    a_comparison_left_behind_is_gone_on_with,
    one_person_is_resynced_step_by_step,
    r77_the_groups_of_somebody_who_returns_are_asked_for,
    enabling_is_for_admins_and_its_steps_are_told,
);

pub fn reconciler(app: &TestApp, fake: &FakeWorkOs) -> Reconciler {
    let mut config = Config::defaults().unwrap();
    config.workos.api_key = Some(API_KEY.into());
    config.workos.client_id = Some(CLIENT_ID.to_owned());
    config.workos.api_url = fake.url();
    let client = workos_client(&config).unwrap().unwrap();
    Reconciler::new(
        app.db.clone(),
        app.clock.clone(),
        client,
        std::sync::Arc::default(),
    )
}

/// A company of these people here and at WorkOS, all in one group.
pub async fn company(desk: &Desk, names: &[&str]) {
    let Desk { app, fake, .. } = desk;
    app.apply(&directory("dsync.activated", minute(0))).await;
    fake.directory(DIRECTORY, ORGANIZATION, "linked");
    let crew = group("dsync.group.created", "crew", minute(0));
    app.apply(&crew).await;
    fake.group(&crew);
    for name in names {
        let created = employee(name).created(minute(1));
        app.apply(&created).await;
        app.apply(&employee(name).joined("crew", minute(1))).await;
        fake.user(&created);
        fake.edge("directory_group_crew", &employee(name).id());
    }
    app.advance(std::time::Duration::from_secs(3_600));
}

pub async fn compare(desk: &Desk, apply: bool) -> Value {
    let Desk { app, fake, .. } = desk;
    let begun = app
        .call(
            "POST",
            &format!("/v1/directories/{DIRECTORY}/reconcile"),
            json!({ "apply": apply }),
        )
        .await;
    assert_eq!(begun.status, 202, "{}", begun.text);
    assert_eq!(reconciler(app, fake).work_off().await.unwrap(), 1);
    app.get(&format!(
        "/v1/reconciles/{}",
        begun.body["id"].as_str().unwrap()
    ))
    .await
}

pub fn kinds(report: &Value) -> Vec<String> {
    let items = report["items"].as_array().unwrap();
    items
        .iter()
        .map(|one| {
            format!(
                "{} {}",
                one["kind"].as_str().unwrap(),
                one["subject"].as_str().unwrap()
            )
        })
        .collect()
}

pub fn lose(fake: &FakeWorkOs, who: &Employee) {
    let mut all = fake.environment();
    all.users.remove(&who.id());
    all.edges.retain(|(_, user)| *user != who.id());
}

async fn r44_a_damaged_company_is_told_and_mended_to_what_the_report_said(backend: Backend) {
    let desk = Desk::start(backend).await;
    company(&desk, &["ada", "bob", "cleo", "dan"]).await;
    let Desk { app, fake, .. } = &desk;
    // What never came by webhook: bob renamed, cleo gone, eve hired, dan out of the group, a group renamed.
    fake.user(
        &employee("bob")
            .updated(minute(5))
            .set("data.last_name", "Berg")
            .set("data.custom_attributes.job_title", "Chief"),
    );
    lose(fake, &employee("cleo"));
    fake.user(&employee("eve").created(minute(6)));
    fake.edge("directory_group_crew", &employee("eve").id());
    fake.environment()
        .edges
        .retain(|(_, user)| *user != employee("dan").id());
    fake.group(&group("dsync.group.updated", "crew", minute(7)).set("data.name", "Crew A"));
    let before = app.people();
    let report = compare(&desk, false).await;
    assert_eq!(report["state"], "done", "{report}");
    let expected = [
        "edge_missing_here directory_group_crew directory_user_eve",
        "edge_missing_there directory_group_crew directory_user_dan",
        "group_differs directory_group_crew",
        "user_differs directory_user_bob",
        "user_missing_here directory_user_eve",
        "user_missing_there directory_user_cleo",
    ];
    assert_eq!(kinds(&report), expected);
    let bob = report["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["kind"] == "user_differs")
        .unwrap();
    assert_eq!(bob["fields"], json!(["last_name", "title"]));
    assert!(
        !report.to_string().contains("Berg"),
        "a report names fields and no values"
    );
    assert_eq!(
        (app.people(), app.drain()),
        (before, 0),
        "a report changes nothing"
    );
    // Applied by choice, in the background.
    let id = report["id"].as_str().unwrap();
    app.call("POST", &format!("/v1/reconciles/{id}/apply"), Value::Null)
        .await
        .ok();
    assert_eq!(reconciler(app, fake).work_off().await.unwrap(), 1);
    assert_eq!(app.drain(), 6);
    let left = app.lines("SELECT progress AS line FROM reconciles");
    assert!(
        !left[0].contains("directory_user"),
        "it ended, and names nobody any more: {left:?}"
    );
    assert_eq!(
        app.people(),
        [
            "ada@test.example",
            "bob@test.example",
            "dan@test.example",
            "eve@test.example"
        ]
    );
    let bob = app.profile(&employee("bob"));
    assert_eq!(
        (bob.last_name.as_deref(), bob.title.as_deref()),
        (Some("Berg"), Some("Chief"))
    );
    app.advance(std::time::Duration::from_secs(60));
    let again = compare(&desk, true).await;
    assert_eq!(
        (kinds(&again), &again["state"]),
        (Vec::new(), &json!("done")),
        "nothing differs any more"
    );
    let acts = app.count("operator_acts WHERE act IN ('directory.reconciled', 'reconcile.applied', 'directory.reconcile_and_apply')");
    assert_eq!(acts, 3);
}

async fn r43_a_listing_that_is_not_whole_removes_nobody(backend: Backend) {
    let desk = Desk::start(backend).await;
    company(&desk, &["ada", "bob"]).await;
    let Desk { app, fake, .. } = &desk;
    for number in 0..230 {
        let one = employee(&format!("p{number:03}"));
        fake.user(&one.created(minute(2)));
        app.enqueue(&[one.created(minute(2))]);
    }
    app.drain();
    lose(fake, &ada());
    let people = app.people();
    let path = "/directory_users";
    let faults = [
        (Fault::CutAfter(1), "was cut"),
        (Fault::CutAfter(2), "was cut"),
        (Fault::SamePage, "repeated a page"),
        (
            Fault::Answer(
                200,
                r#"{"object":"list","data":[],"list_metadata":{}}"#,
                None,
            ),
            "came back empty",
        ),
        (Fault::Answer(401, "{}", None), "the listing failed"),
    ];
    for (fault, why) in faults {
        fake.fault(path, fault);
        let report = compare(&desk, true).await;
        fake.mend();
        assert_eq!(report["state"], "incomplete", "{report}");
        assert!(
            report["reason"].as_str().unwrap().contains(why),
            "{why}: {report}"
        );
        app.drain();
        assert_eq!(app.people(), people);
        let id = report["id"].as_str().unwrap();
        let refused = app
            .call("POST", &format!("/v1/reconciles/{id}/apply"), Value::Null)
            .await;
        assert_eq!(refused.status, 409);
    }
    assert_eq!(compare(&desk, true).await["state"], "done");
    app.drain();
    assert_eq!(app.people().len(), people.len() - 1);
}

async fn r38_of_a_directory_that_is_not_linked_nothing_is_inferred(backend: Backend) {
    let desk = Desk::start(backend).await;
    company(&desk, &["ada"]).await;
    lose(&desk.fake, &ada());
    for state in ["unlinked", "validating", "invalid_credentials", "deleting"] {
        desk.fake.directory(DIRECTORY, ORGANIZATION, state);
        let report = compare(&desk, true).await;
        assert!(
            report["reason"].as_str().unwrap().contains(state),
            "{report}"
        );
        assert_eq!(desk.app.drain(), 0);
    }
    assert_eq!(desk.app.people(), ["ada@test.example"]);
}

async fn r44_who_is_touched_by_a_newer_event_is_skipped(backend: Backend) {
    let desk = Desk::start(backend).await;
    company(&desk, &["ada", "bob"]).await;
    let Desk { app, fake, .. } = &desk;
    lose(fake, &ada());
    fake.user(
        &employee("bob")
            .updated(minute(5))
            .set("data.last_name", "Listed"),
    );
    let report = compare(&desk, false).await;
    assert_eq!(report["items"].as_array().unwrap().len(), 2);
    // Both are heard of by webhook before anybody applies it.
    app.apply(&ada().updated(minute(70)).set("data.last_name", "Newer"))
        .await;
    app.apply(
        &employee("bob")
            .updated(minute(70))
            .set("data.last_name", "Newer"),
    )
    .await;
    let id = report["id"].as_str().unwrap();
    app.call("POST", &format!("/v1/reconciles/{id}/apply"), Value::Null)
        .await
        .ok();
    reconciler(app, fake).work_off().await.unwrap();
    app.drain();
    let after = app.get(&format!("/v1/reconciles/{id}")).await;
    assert_eq!(
        (
            &after["drift"]["user_differs"]["skipped"],
            &after["drift"]["user_missing_there"]["skipped"]
        ),
        (&json!(1), &json!(1))
    );
    assert_eq!(app.people(), ["ada@test.example", "bob@test.example"]);
    assert_eq!(
        app.profile(&employee("bob")).last_name.as_deref(),
        Some("Newer")
    );
}

async fn r40_removals_found_by_comparing_pass_the_guard(backend: Backend) {
    let desk = Desk::start(backend).await;
    let names: Vec<String> = (0..30).map(|number| format!("p{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    company(&desk, &names).await;
    let Desk { app, fake, .. } = &desk;
    for name in &names[1..] {
        lose(fake, &employee(name));
    }
    assert_eq!(compare(&desk, true).await["state"], "done");
    app.drain();
    assert_eq!(app.people().len(), 10, "twenty pass, nine wait");
    assert_eq!(
        app.get("/v1/holds?state=open").await["data"][0]["waiting"],
        9
    );
}

async fn r56_a_first_import_by_listing_greets_nobody(backend: Backend) {
    let desk = Desk::start(backend).await;
    let Desk { app, fake, .. } = &desk;
    fake.directory(DIRECTORY, ORGANIZATION, "linked");
    fake.group(&group("dsync.group.created", "crew", minute(0)));
    for number in 0..120 {
        let one = employee(&format!("p{number}"));
        fake.user(&one.created(minute(0)));
        fake.edge("directory_group_crew", &one.id());
    }
    app.advance(std::time::Duration::from_secs(3_600));
    let now = app.clock.now();
    let actor = rollcall::operations::Actor::cli();
    let begun = tokio::task::block_in_place(|| {
        app.db.write(rollcall::db::Urgency::Normal, |conn| {
            rollcall::operations::reconciles::begin(
                conn,
                &actor,
                DIRECTORY,
                Some(ORGANIZATION),
                true,
                now,
            )
        })
    });
    begun.unwrap();
    assert_eq!(reconciler(app, fake).work_off().await.unwrap(), 1);
    app.drain();
    assert_eq!(app.people().len(), 120);
    assert_eq!(app.count("group_edges WHERE present"), 120);
    assert_eq!(app.count("deliveries"), 0);
    let seen = app.get(&format!("/v1/directories/{DIRECTORY}")).await;
    assert_eq!(
        (&seen["type"], &seen["linked"]),
        (&json!("okta scim v2.0"), &json!(true))
    );
}

async fn a_comparison_left_behind_is_gone_on_with(backend: Backend) {
    let desk = Desk::start(backend).await;
    company(&desk, &["ada", "bob"]).await;
    let Desk { app, fake, .. } = &desk;
    lose(fake, &ada());
    let path = format!("/v1/directories/{DIRECTORY}/reconcile");
    let begun = app.call("POST", &path, json!({"apply": true})).await.ok();
    assert_eq!(
        app.call("POST", &path, json!({})).await.status,
        409,
        "one at a time"
    );
    // Somebody took it and died after the users were listed.
    app.sql("UPDATE reconciles SET phase = 'groups', lease_token = 1, lease_owner = 'dead', lease_until = 1");
    app.sql(&format!(
        "INSERT INTO reconcile_seen VALUES ('{}', 'user', '{}')",
        begun["id"].as_str().unwrap(),
        employee("bob").id()
    ));
    let asked = fake.requests().len();
    assert_eq!(reconciler(app, fake).work_off().await.unwrap(), 1);
    app.drain();
    let listed = fake.requests()[asked..]
        .iter()
        .filter(|one| lists_users(one))
        .count();
    assert_eq!(
        (listed, app.people()),
        (0, vec!["bob@test.example".to_owned()])
    );
}

async fn one_person_is_resynced_step_by_step(backend: Backend) {
    let desk = Desk::start(backend).await;
    company(&desk, &["ada", "bob"]).await;
    let Desk { app, fake, .. } = &desk;
    fake.user(&ada().updated(minute(5)).set("data.last_name", "Berg"));
    fake.environment().edges.clear();
    let id = app.profile(&ada()).id;
    let done = app
        .call("POST", &format!("/v1/profiles/{id}/resync"), Value::Null)
        .await
        .ok();
    let steps: Vec<&str> = done["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["step"].as_str().unwrap())
        .collect();
    assert_eq!(
        steps,
        ["found", "matched", "mapped", "applied", "applied"],
        "{done}"
    );
    assert!(
        done["steps"][2]["sentence"]
            .as_str()
            .unwrap()
            .contains("last_name"),
        "{done}"
    );
    assert_eq!(
        (&done["changed"], app.profile(&ada()).last_name.as_deref()),
        (&json!(true), Some("Berg"))
    );
    assert_eq!(app.count("group_edges WHERE present"), 1, "bob's");
    lose(fake, &ada());
    app.advance(std::time::Duration::from_secs(60));
    let gone = app
        .call("POST", &format!("/v1/profiles/{id}/resync"), Value::Null)
        .await
        .ok();
    assert_eq!(gone["steps"][0]["ok"], false);
    assert_eq!(app.people(), ["bob@test.example"]);
    app.drain();
}

async fn r77_the_groups_of_somebody_who_returns_are_asked_for(backend: Backend) {
    let desk = Desk::start(backend).await;
    company(&desk, &["ada"]).await;
    let Desk { app, fake, .. } = &desk;
    let comparing = reconciler(app, fake);
    assert_eq!(comparing.refetch_returned().await.unwrap(), 0);
    app.apply(&ada().deleted(minute(61))).await;
    // While she was away she was given another group, of which WorkOS says nothing on her return.
    fake.group(&group("dsync.group.created", "choir", minute(62)));
    fake.edge("directory_group_choir", &ada().id());
    app.apply(&ada().updated(minute(63))).await;
    app.advance(std::time::Duration::from_secs(600));
    assert_eq!(comparing.refetch_returned().await.unwrap(), 1);
    app.drain();
    assert_eq!(
        app.count("group_edges WHERE present AND group_id = 'directory_group_choir'"),
        1
    );
    assert_eq!(comparing.refetch_returned().await.unwrap(), 0, "once");
}

async fn enabling_is_for_admins_and_its_steps_are_told(backend: Backend) {
    let desk = Desk::start(backend).await;
    let Desk { app, fake, .. } = &desk;
    let path = format!("/v1/organizations/{ORGANIZATION}/directory-sync");
    let operator = app.token("operator", "operator", None);
    let refused = app
        .http
        .api_as(Some(&operator), "POST", &format!("{path}/link"), None)
        .await;
    assert_eq!((refused.status, fake.environment().links.len()), (403, 0));
    let opened = app.call("POST", &format!("{path}/link"), Value::Null).await;
    assert_eq!(
        (opened.status, opened.header("cache-control")),
        (201, "no-store")
    );
    let link = opened.body["link"].as_str().unwrap().to_owned();
    assert_eq!(opened.body["ends_at"], minute(5).to_string());
    let kept: Vec<String> = app.dump().into_values().flatten().collect();
    assert!(
        kept.iter().all(|row| !row.contains(&link)),
        "the link is kept nowhere"
    );
    assert_eq!(app.get(&path).await["step"], "link_opened");
    app.apply(&directory("dsync.activated", minute(1))).await;
    assert_eq!(app.get(&path).await["step"], "linked");
    fake.directory(DIRECTORY, ORGANIZATION, "linked");
    for name in ["ada", "bob"] {
        fake.user(&employee(name).created(minute(2)));
    }
    app.apply(&ada().created(minute(2))).await;
    let arriving = app.get(&path).await;
    assert_eq!(
        (
            &arriving["step"],
            &arriving["directories"][0]["users_there"]
        ),
        (&json!("arriving"), &json!(2)),
        "{arriving}"
    );
    app.apply(&employee("bob").created(minute(2))).await;
    assert_eq!(app.get(&path).await["step"], "ready");
    app.call(
        "POST",
        &format!("/v1/organizations/{ORGANIZATION}/messaging/enable"),
        Value::Null,
    )
    .await
    .ok();
    assert_eq!(app.get(&path).await["step"], "messaging_enabled");
}
