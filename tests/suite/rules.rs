//! Rules of communities: who is in one follows from groups and attributes, beside what operators
//! gave by hand, whatever the order in which it was told.

use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::events::{Event, ORGANIZATION, ada, employee, group, minute};
use crate::support::macros::on_both;

on_both!(
    a_new_community_takes_in_whom_its_rules_name,
    a_rule_by_attribute_follows_later_events,
    a_rule_by_group_follows_joining_and_leaving,
    r17_a_deleted_group_ends_its_places_and_an_older_joining_reopens_none,
    r52_a_renamed_group_keeps_its_rules_and_names_are_followed,
    r53_the_end_of_a_rule_leaves_what_was_given_by_hand,
    r29_a_removal_ends_rule_and_manual_rows_and_a_return_restores_them,
    r31_a_return_does_not_revive_the_row_of_a_rule_that_is_gone,
    r16_a_place_in_a_group_waits_for_user_and_group,
    r76_a_partial_user_gets_the_seat_and_overwrites_nothing,
    c4_joining_and_leaving_in_one_instant_is_leaving,
    c5_places_in_groups_follow_a_return_under_a_new_id,
    new_rules_apply_at_once_and_wrong_ones_are_refused_whole,
);

fn by_department(department: &str, role: &str) -> Value {
    json!({"when": {"field": "department", "op": "eq", "value": department}, "role": role})
}

fn by_group(group: &str, role: &str) -> Value {
    json!({"when": {"field": "group", "op": "eq", "value": group}, "role": role})
}

async fn community(app: &TestApp, name: &str, rules: Value) -> String {
    let body = json!({"organization_id": ORGANIZATION, "name": name, "rules": rules});
    let made = app.call("POST", "/v1/communities", body).await.ok();
    made["id"].as_str().unwrap().to_owned()
}

/// Who is in it, as `ada admin rule`, by name.
async fn seats(app: &TestApp, community: &str) -> Vec<String> {
    let page = app
        .get(&format!("/v1/communities/{community}/members"))
        .await;
    let text = |one: &Value, key: &str| one[key].as_str().unwrap().to_owned();
    let all = page["data"].as_array().unwrap().iter();
    all.map(|one| {
        let name = text(one, "display_name");
        let first = name.split(' ').next().unwrap().to_owned();
        format!("{first} {} {}", text(one, "role"), text(one, "source"))
    })
    .collect()
}

const NOBODY: [&str; 0] = [];

fn crew(at: u64) -> Event {
    group("dsync.group.created", "crew", minute(at))
}

async fn a_new_community_takes_in_whom_its_rules_name(app: TestApp) {
    app.apply(&crew(0)).await;
    app.apply(&ada().created(minute(1))).await;
    app.apply(&employee("bob").created(minute(1))).await;
    app.apply(
        &employee("cleo")
            .created(minute(1))
            .set("data.custom_attributes.department_name", "Sales"),
    )
    .await;
    app.apply(&ada().joined("crew", minute(2))).await;
    let rules = json!([
        by_department("Research", "member"),
        by_group("crew", "admin")
    ]);
    let chess = community(&app, "chess", rules).await;
    assert_eq!(
        seats(&app, &chess).await,
        ["ada admin rule", "bob member rule"]
    );
    let shown = app.get(&format!("/v1/communities/{chess}")).await;
    assert_eq!(
        (&shown["members"], &shown["admins"]),
        (&json!(1), &json!(1))
    );
}

async fn a_rule_by_attribute_follows_later_events(app: TestApp) {
    let chess = community(&app, "chess", json!([by_department("Research", "member")])).await;
    let event = app.apply(&ada().created(minute(1))).await;
    assert_eq!(seats(&app, &chess).await, ["ada member rule"]);
    let begun = event["changes"].as_array().unwrap();
    assert!(
        begun
            .iter()
            .any(|one| one["what"] == "membership" && one["new"] == "member"),
        "{event}"
    );
    let moved = ada()
        .updated(minute(2))
        .set("data.custom_attributes.department_name", "Sales");
    app.apply(&moved).await;
    assert_eq!(seats(&app, &chess).await, NOBODY);
    app.apply(&ada().updated(minute(3))).await;
    assert_eq!(seats(&app, &chess).await, ["ada member rule"]);
}

async fn a_rule_by_group_follows_joining_and_leaving(app: TestApp) {
    let chess = community(&app, "chess", json!([by_group("crew", "admin")])).await;
    app.apply(&crew(0)).await;
    app.apply(&ada().created(minute(1))).await;
    assert_eq!(seats(&app, &chess).await, NOBODY);
    let event = app.apply(&ada().joined("crew", minute(2))).await;
    assert_eq!(event["outcome"], "applied");
    assert_eq!(seats(&app, &chess).await, ["ada admin rule"]);
    app.apply(&ada().left("crew", minute(3))).await;
    assert_eq!(seats(&app, &chess).await, NOBODY);
    let late = app.apply(&ada().joined("crew", minute(2))).await;
    assert_eq!(late["outcome"], "stale");
    assert_eq!(seats(&app, &chess).await, NOBODY);
}

async fn r17_a_deleted_group_ends_its_places_and_an_older_joining_reopens_none(app: TestApp) {
    let chess = community(&app, "chess", json!([by_group("crew", "member")])).await;
    app.apply(&crew(0)).await;
    for name in ["ada", "bob"] {
        app.apply(&employee(name).created(minute(1))).await;
    }
    app.apply(&ada().joined("crew", minute(2))).await;
    assert_eq!(seats(&app, &chess).await, ["ada member rule"]);
    let gone = group("dsync.group.deleted", "crew", minute(5));
    let event = app.apply(&gone).await;
    assert_eq!(seats(&app, &chess).await, NOBODY);
    let ended = event["changes"].as_array().unwrap();
    assert!(
        ended
            .iter()
            .any(|one| one["what"] == "membership" && one["old"] == "member"),
        "the end is told under the event that made it: {event}"
    );
    app.apply(&employee("bob").joined("crew", minute(4))).await;
    assert_eq!(seats(&app, &chess).await, NOBODY);
}

async fn r52_a_renamed_group_keeps_its_rules_and_names_are_followed(app: TestApp) {
    let by_id = community(
        &app,
        "by id",
        json!([by_group("directory_group_crew", "member")]),
    )
    .await;
    let by_name = community(&app, "by name", json!([by_group("team", "member")])).await;
    app.apply(&crew(0)).await;
    app.apply(&ada().created(minute(1))).await;
    app.apply(&ada().joined("crew", minute(2))).await;
    assert_eq!(seats(&app, &by_id).await, ["ada member rule"]);
    assert_eq!(seats(&app, &by_name).await, NOBODY);
    let renamed = group("dsync.group.updated", "crew", minute(3)).set("data.name", "team");
    app.apply(&renamed).await;
    assert_eq!(seats(&app, &by_id).await, ["ada member rule"]);
    assert_eq!(seats(&app, &by_name).await, ["ada member rule"]);
}

async fn r53_the_end_of_a_rule_leaves_what_was_given_by_hand(app: TestApp) {
    let chess = community(&app, "chess", json!([by_department("Research", "member")])).await;
    app.apply(&ada().created(minute(1))).await;
    let profile = app.profile(&ada()).id;
    let path = format!("/v1/communities/{chess}/members/{profile}");
    app.call("PUT", &path, json!({"role": "admin"})).await.ok();
    assert_eq!(
        seats(&app, &chess).await,
        ["ada admin manual", "ada member rule"]
    );
    let moved = ada()
        .updated(minute(2))
        .set("data.custom_attributes.department_name", "Sales");
    app.apply(&moved).await;
    assert_eq!(seats(&app, &chess).await, ["ada admin manual"]);
}

async fn r29_a_removal_ends_rule_and_manual_rows_and_a_return_restores_them(app: TestApp) {
    let chess = community(&app, "chess", json!([by_department("Research", "admin")])).await;
    app.apply(&ada().created(minute(1))).await;
    let profile = app.profile(&ada()).id;
    let path = format!("/v1/communities/{chess}/members/{profile}");
    app.call("PUT", &path, json!({"role": "member"})).await.ok();
    app.apply(&ada().deactivated(minute(2))).await;
    assert_eq!(seats(&app, &chess).await, NOBODY);
    app.apply(&ada().updated(minute(3))).await;
    assert_eq!(
        seats(&app, &chess).await,
        ["ada member manual", "ada admin rule"]
    );
}

async fn r31_a_return_does_not_revive_the_row_of_a_rule_that_is_gone(app: TestApp) {
    let chess = community(&app, "chess", json!([by_department("Research", "member")])).await;
    app.apply(&ada().created(minute(1))).await;
    app.apply(&ada().deactivated(minute(2))).await;
    let path = format!("/v1/communities/{chess}/rules");
    app.call("PUT", &path, json!([])).await.ok();
    app.apply(&ada().updated(minute(3))).await;
    assert_eq!(app.people().len(), 1);
    assert_eq!(seats(&app, &chess).await, NOBODY);
}

async fn r16_a_place_in_a_group_waits_for_user_and_group(app: TestApp) {
    let chess = community(&app, "chess", json!([by_group("crew", "member")])).await;
    app.apply(&ada().joined("crew", minute(3)).without("data.group.name"))
        .await;
    assert_eq!(app.count("profiles"), 0);
    assert_eq!(seats(&app, &chess).await, NOBODY);
    app.apply(&ada().created(minute(1))).await;
    app.apply(&crew(0)).await;
    assert_eq!(seats(&app, &chess).await, ["ada member rule"]);
}

async fn r76_a_partial_user_gets_the_seat_and_overwrites_nothing(app: TestApp) {
    let chess = community(&app, "chess", json!([by_group("crew", "member")])).await;
    app.apply(&crew(0)).await;
    app.apply(&ada().created(minute(1))).await;
    let before = app.profile(&ada());
    let partial = ada()
        .joined("crew", minute(2))
        .without("data.user.email")
        .set("data.user.custom_attributes", json!({}))
        .set("data.user.state", "inactive");
    app.apply(&partial).await;
    assert_eq!(app.profile(&ada()), before);
    assert_eq!(seats(&app, &chess).await, ["ada member rule"]);
    app.apply(&employee("stranger").joined("crew", minute(3)))
        .await;
    assert_eq!(seats(&app, &chess).await, ["ada member rule"]);
}

async fn c4_joining_and_leaving_in_one_instant_is_leaving(app: TestApp) {
    let chess = community(&app, "chess", json!([by_group("crew", "member")])).await;
    app.apply(&crew(0)).await;
    for (name, leaves_first) in [("ada", true), ("bob", false)] {
        let person = employee(name);
        app.apply(&person.created(minute(1))).await;
        let (joins, leaves) = (
            person.joined("crew", minute(5)),
            person.left("crew", minute(5)),
        );
        let order = if leaves_first {
            [&leaves, &joins]
        } else {
            [&joins, &leaves]
        };
        for event in order {
            app.apply(event).await;
        }
        assert_eq!(seats(&app, &chess).await, NOBODY, "{name}");
    }
}

async fn c5_places_in_groups_follow_a_return_under_a_new_id(app: TestApp) {
    let chess = community(&app, "chess", json!([by_group("crew", "member")])).await;
    app.apply(&crew(0)).await;
    app.apply(&ada().created(minute(1))).await;
    app.apply(&ada().joined("crew", minute(2))).await;
    app.apply(&ada().deleted(minute(3))).await;
    assert_eq!(seats(&app, &chess).await, NOBODY);
    let back = ada()
        .created(minute(4))
        .set("data.id", "directory_user_ada_again");
    app.apply(&back).await;
    assert_eq!(seats(&app, &chess).await, ["ada member rule"]);
    let left = ada()
        .left("crew", minute(5))
        .set("data.user.id", "directory_user_ada_again");
    app.apply(&left).await;
    assert_eq!(seats(&app, &chess).await, NOBODY);
}

async fn new_rules_apply_at_once_and_wrong_ones_are_refused_whole(app: TestApp) {
    app.apply(&ada().created(minute(1))).await;
    let chess = community(&app, "chess", json!([])).await;
    let path = format!("/v1/communities/{chess}/rules");
    let good = json!([by_department("Research", "member")]);
    let shown = app.call("PUT", &path, good.clone()).await.ok();
    assert_eq!(shown["rules"], good);
    assert_eq!(seats(&app, &chess).await, ["ada member rule"]);
    let wrong = json!([
        {"when": {"field": "shoe", "op": "eq", "value": "42"}, "role": "king"},
        {"role": "member"},
        "everybody",
    ]);
    let answer = app.call("PUT", &path, wrong).await;
    assert!([400, 422].contains(&answer.status), "{answer:?}");
    for place in [
        "rules[0].role",
        "rules[0].when",
        "rules[1].when",
        "rules[2]",
    ] {
        assert!(answer.text.contains(place), "{place} in {}", answer.text);
    }
    assert_eq!(seats(&app, &chess).await, ["ada member rule"]);
    let ended = app.call("PUT", &path, json!({"rules": []})).await.ok();
    assert_eq!(ended["rules"], json!([]));
    assert_eq!(seats(&app, &chess).await, NOBODY);
}
