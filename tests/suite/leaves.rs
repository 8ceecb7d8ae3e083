//! Groups that are renamed, or seem to be; leaves that wait; places that nobody can take yet.

use std::time::Duration;

use rollcall::db::Backend;
use serde_json::{Value, json};

use crate::lifecycle::set;
use crate::support::app::TestApp;
use crate::support::events::{Event, ORGANIZATION, ada, directory, employee, group, minute};
use crate::support::macros::on_both;
use crate::support::plans;

on_both!(
    r52_rules_for_an_old_name_go_on_and_a_new_group_of_that_name_takes_it,
    r52_a_group_of_forty_thousand_is_renamed_as_any_other,
    r52_a_deleted_group_that_goes_by_name_waits_and_then_its_leaves_apply,
    r52_a_probable_rename_is_shown_and_rejecting_hands_the_rules_over,
    r52_approving_says_that_it_was_no_rename,
    r53_leaves_beyond_the_guard_wait_and_a_rejection_keeps_them,
    r53_the_guard_counts_no_others_than_the_organizations_newest_leaves,
    r16_places_that_wait_for_over_a_day_are_reported,
    memberships_that_groups_rules_and_operators_turn_fire_triggers,
);

async fn community(app: &TestApp, name: &str, rules: Value) -> String {
    let body = json!({"organization_id": ORGANIZATION, "name": name, "rules": rules});
    let made = app.call("POST", "/v1/communities", body).await.ok();
    made["id"].as_str().unwrap().to_owned()
}

fn by_group(group: &str) -> Value {
    json!([{"when": {"field": "group", "op": "eq", "value": group}, "role": "member"}])
}

/// A group as Okta has it: it goes by its name.
fn okta(kind: &str, name: &str, at: u64) -> Event {
    group(kind, name, minute(at)).set("data.idp_id", name)
}

/// So many people in an Okta group of that name, and a community by its name.
async fn crew(app: &TestApp, count: usize) -> String {
    let chess = community(app, "chess", by_group("crew")).await;
    let mut all = vec![okta("dsync.group.created", "crew", 0)];
    for n in 0..count {
        let person = employee(&format!("p{n:02}"));
        all.push(person.created(minute(1)));
        all.push(person.joined("crew", minute(2)));
    }
    app.enqueue(&all);
    app.drain();
    assert_eq!(app.members(&chess).len(), count);
    chess
}

async fn hold(app: &TestApp) -> Value {
    let page = app.get("/v1/holds?state=open").await;
    let all = page["data"].as_array().unwrap();
    assert_eq!(all.len(), 1, "{page}");
    app.get(&format!("/v1/holds/{}", all[0]["id"].as_str().unwrap()))
        .await
}

async fn decide(app: &TestApp, hold: &Value, decision: &str) -> Value {
    let id = hold["id"].as_str().unwrap();
    let path = format!("/v1/holds/{id}/{decision}");
    app.call("POST", &path, Value::Null).await.ok()
}

async fn r52_rules_for_an_old_name_go_on_and_a_new_group_of_that_name_takes_it(app: TestApp) {
    let chess = crew(&app, 1).await;
    let person = employee("p00");
    let renamed = group("dsync.group.updated", "crew", minute(3)).set("data.name", "team");
    app.apply(&renamed).await;
    // Something else about her, so that her rules are asked again.
    app.apply(&person.updated(minute(4)).set("data.first_name", "Pat"))
        .await;
    assert_eq!(app.members(&chess).len(), 1);
    let listed = app.get("/v1/groups").await;
    assert_eq!(listed["data"][0]["name"], "team");
    assert_eq!(listed["data"][0]["former_names"], json!(["crew"]));
    assert_eq!(listed["data"][0]["members"], 1);
    let other = group("dsync.group.created", "crew2", minute(5)).set("data.name", "crew");
    app.apply(&other).await;
    app.apply(&ada().created(minute(5))).await;
    app.apply(&ada().joined("crew2", minute(6))).await;
    app.apply(&person.updated(minute(7))).await;
    let names: Vec<String> = app
        .members(&chess)
        .into_iter()
        .map(|one| one.display_name)
        .collect();
    assert_eq!(
        names,
        ["ada Tester"],
        "the name means the group that has it"
    );
}

async fn r52_a_group_of_forty_thousand_is_renamed_as_any_other(app: TestApp) {
    let chess = crew(&app, 2).await;
    // More than one statement of SQLite takes values.
    app.sql(&format!(
        "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 40000) \
         INSERT INTO group_edges (group_id, directory_user_id, organization_id, present, at, removal, event_id, recorded_at) \
         SELECT 'directory_group_crew', 'directory_user_' || n, '{ORGANIZATION}', 1 = 1, 0, 1 = 0, 'event_' || n, 0 FROM numbers"
    ));
    let renamed = group("dsync.group.updated", "crew", minute(5)).set("data.name", "team");
    let told = app.apply(&renamed).await;
    assert_eq!(told["outcome"], "applied", "{told}");
    assert_eq!(app.members(&chess).len(), 2);
}

async fn r52_a_deleted_group_that_goes_by_name_waits_and_then_its_leaves_apply(app: TestApp) {
    let chess = crew(&app, 4).await;
    app.apply(&okta("dsync.group.deleted", "crew", 5)).await;
    assert_eq!(app.members(&chess).len(), 4);
    let shown = hold(&app).await;
    assert_eq!(shown["kind"], "group_deleted");
    assert_counted(&app, "group_deleted").await;
    assert_eq!(shown["waiting"], 4);
    assert_eq!(shown["probable_rename"], Value::Null);
    assert_eq!(shown["people"][0]["communities"], json!([chess]));
    // Whatever else happens to them, they stay for now; who leaves the company leaves.
    app.apply(
        &employee("p00")
            .updated(minute(6))
            .set("data.first_name", "Pat"),
    )
    .await;
    app.apply(&employee("p01").deleted(minute(6))).await;
    assert_eq!(app.members(&chess).len(), 3);
    app.advance(Duration::from_secs(29 * 60));
    app.drain();
    assert_eq!(app.members(&chess).len(), 3);
    app.advance(Duration::from_secs(60));
    app.drain();
    assert_eq!(app.members(&chess).len(), 0);
    let decided = app
        .get(&format!("/v1/holds/{}", shown["id"].as_str().unwrap()))
        .await;
    assert_eq!(
        (&decided["state"], &decided["decided_by"]),
        (&json!("approved"), &json!("rollcall"))
    );
}

/// Whoever watches is told that a hold of that kind opened (R40).
async fn assert_counted(app: &TestApp, kind: &str) {
    let metrics = app.http.call("GET", "/metrics").await.text;
    let line = format!("rollcall_holds_opened_total{{kind=\"{kind}\"}}");
    assert!(metrics.contains(&line), "{metrics}");
}

async fn renamed(app: &TestApp) {
    let mut all = vec![
        okta("dsync.group.deleted", "crew", 5),
        okta("dsync.group.created", "team", 6),
    ];
    all.extend((0..9).map(|n| employee(&format!("p{n:02}")).joined("team", minute(7))));
    app.enqueue(&all);
    app.drain();
}

async fn r52_a_probable_rename_is_shown_and_rejecting_hands_the_rules_over(app: TestApp) {
    let chess = crew(&app, 10).await;
    renamed(&app).await;
    assert_eq!(app.members(&chess).len(), 10);
    let shown = hold(&app).await;
    let rename = &shown["probable_rename"];
    assert_eq!(rename["name"], "team", "{shown}");
    assert_eq!(
        (&rename["same_members"], &rename["of"]),
        (&json!(9), &json!(10))
    );
    app.advance(Duration::from_secs(3_600));
    app.drain();
    assert_eq!(app.members(&chess).len(), 10, "it waits for an operator");
    decide(&app, &shown, "reject").await;
    assert_eq!(app.members(&chess).len(), 9, "one is not in the new group");
    let late = employee("p09").joined("team", minute(8));
    app.apply(&late).await;
    assert_eq!(
        app.members(&chess).len(),
        10,
        "the rule goes on with the new group"
    );
    assert_eq!(app.get("/v1/holds?state=open").await["data"], json!([]));
}

async fn r52_approving_says_that_it_was_no_rename(app: TestApp) {
    let chess = crew(&app, 10).await;
    renamed(&app).await;
    let shown = hold(&app).await;
    decide(&app, &shown, "approve").await;
    assert_eq!(app.members(&chess).len(), 0);
    let profile = app.profile(&employee("p00")).id;
    let last = app.history(&profile).pop().unwrap();
    assert_eq!(
        (last.what.as_str(), last.actor.as_str()),
        ("membership", "bootstrap")
    );
}

async fn r53_leaves_beyond_the_guard_wait_and_a_rejection_keeps_them(app: TestApp) {
    let rules = json!([{"when": {"field": "department", "op": "eq", "value": "Research"}, "role": "member"}]);
    let chess = community(&app, "chess", rules).await;
    let everybody = |at: u64, department: &str| -> Vec<Event> {
        let moved = |n: usize| {
            let updated = employee(&format!("p{n:02}")).updated(minute(at));
            updated.set("data.custom_attributes.department_name", department)
        };
        (0..6).map(moved).collect()
    };
    app.enqueue(&everybody(1, "Research"));
    app.drain();
    assert_eq!(app.members(&chess).len(), 6);
    set(&app, json!({"leave_guard": {"floor": 2, "percent": 0}})).await;
    for event in everybody(2, "Sales") {
        app.apply(&event).await;
    }
    assert_eq!(app.members(&chess).len(), 4);
    let shown = hold(&app).await;
    assert_eq!(
        (&shown["kind"], &shown["waiting"]),
        (&json!("leaves"), &json!(4))
    );
    assert_counted(&app, "leaves").await;
    decide(&app, &shown, "reject").await;
    app.apply(
        &employee("p05")
            .updated(minute(3))
            .set("data.custom_attributes.department_name", "Sales"),
    )
    .await;
    assert_eq!(
        app.members(&chess).len(),
        4,
        "kept until the rule gives them again"
    );
    app.advance(Duration::from_secs(3_601));
    app.enqueue(&everybody(4, "Research"));
    app.drain();
    assert_eq!(app.members(&chess).len(), 6);
    assert_eq!(app.count("staged_removals"), 0);
    app.apply(&everybody(5, "Sales").remove(0)).await;
    assert_eq!(app.members(&chess).len(), 5);
}

async fn r53_the_guard_counts_no_others_than_the_organizations_newest_leaves(backend: Backend) {
    plans::record();
    let app = TestApp::start(backend).await;
    let chess = crew(&app, 2).await;
    app.apply(&employee("p00").left("crew", minute(3))).await;
    assert_eq!(app.members(&chess).len(), 1);
    let counted = plans::plan_of(
        &app.place,
        &["SELECT COUNT(*)", "memberships", "ended_reason"],
    );
    let staged = plans::plan_of(&app.place, &["SELECT", "staged_removals", "profile_id"]);
    if backend == Backend::Sqlite {
        assert!(
            counted.contains("SEARCH memberships USING INDEX memberships_left"),
            "{counted}"
        );
        assert!(staged.contains("SEARCH staged_removals"), "{staged}");
    }
}

async fn r16_places_that_wait_for_over_a_day_are_reported(app: TestApp) {
    app.apply(&directory("dsync.activated", minute(0))).await;
    app.apply(&okta("dsync.group.created", "crew", 0)).await;
    app.apply(&ada().joined("crew", minute(1))).await;
    app.apply(&employee("bob").created(minute(1))).await;
    app.apply(
        &employee("bob")
            .joined("ghost", minute(1))
            .without("data.group.name"),
    )
    .await;
    assert_eq!(
        app.get("/v1/groups/pending-members").await["data"],
        json!([])
    );
    app.advance(Duration::from_secs(24 * 3_600));
    let waiting = app.get("/v1/groups/pending-members").await;
    let mut told: Vec<(&str, &str)> = waiting["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            let text = |key: &str| one[key].as_str().unwrap();
            (text("directory_user_id"), text("waits_for"))
        })
        .collect();
    told.sort_unstable();
    assert_eq!(
        told,
        [
            ("directory_user_ada", "user"),
            ("directory_user_bob", "group")
        ]
    );
    app.apply(&ada().created(minute(1))).await;
    let waiting = app.get("/v1/groups/pending-members").await;
    assert_eq!(waiting["data"].as_array().unwrap().len(), 1);
}

async fn memberships_that_groups_rules_and_operators_turn_fire_triggers(app: TestApp) {
    app.apply(&directory("dsync.activated", minute(0))).await;
    let path = format!("/v1/organizations/{ORGANIZATION}/messaging/enable");
    app.call("POST", &path, Value::Null).await.ok();
    for on in ["membership.began", "membership.ended"] {
        let trigger = json!({
            "organization_id": ORGANIZATION, "name": on, "on": on, "status": "published",
            "steps": [{"channel": "webhook", "to": "http://127.0.0.1:9/hook"}],
        });
        app.call("POST", "/v1/triggers", trigger).await.ok();
    }
    let fired = |on: &str| app.count(&format!("deliveries WHERE on_event = 'membership.{on}'"));
    app.apply(&ada().created(minute(1))).await;
    let chess = community(&app, "chess", by_group("crew")).await;
    app.apply(&group("dsync.group.created", "crew", minute(2)))
        .await;
    assert_eq!((fired("began"), fired("ended")), (0, 0));
    app.apply(&ada().joined("crew", minute(3))).await;
    assert_eq!((fired("began"), fired("ended")), (1, 0), "by a group");
    app.apply(&ada().left("crew", minute(4))).await;
    assert_eq!((fired("began"), fired("ended")), (1, 1));
    let research = json!([{"when": {"field": "department", "op": "eq", "value": "Research"}, "role": "member"}]);
    app.call("PUT", &format!("/v1/communities/{chess}/rules"), research)
        .await
        .ok();
    assert_eq!((fired("began"), fired("ended")), (2, 1), "by a rule");
    let choir = community(&app, "choir", json!([])).await;
    let path = format!("/v1/communities/{choir}/members/{}", app.profile(&ada()).id);
    app.advance(Duration::from_secs(1));
    app.call("PUT", &path, json!({"role": "member"})).await.ok();
    assert_eq!((fired("began"), fired("ended")), (3, 1), "by hand");
    app.call("DELETE", &path, Value::Null).await;
    assert_eq!((fired("began"), fired("ended")), (3, 2));
    app.advance(Duration::from_secs(1));
    app.call("PUT", &path, json!({"role": "admin"})).await.ok();
    assert_eq!(fired("began"), 4, "a second time is another occasion");
}
