//! Directories that are deleted and replaced (R85): their groups end with them, rules are asked again at
//! once, and who is in what does not depend on the order, on batches, or on what comes later.

use rollcall::db::Backend;
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::events::{
    DIRECTORY, Employee, Event, ORGANIZATION, ada, directory, employee, group, minute,
};
use crate::support::macros::on_both;

on_both!(
    r85_the_groups_of_a_deleted_directory_end_and_the_new_ones_count_by_their_own_ids,
    r85_what_was_said_before_the_deletion_and_comes_later_opens_nothing,
    r85_a_directory_that_goes_on_under_its_id_begins_with_the_groups_announced_again,
    r85_a_directory_that_is_only_deactivated_keeps_its_groups,
    r85_a_move_to_another_directory_asks_the_rules_again,
    r52_who_is_in_a_group_by_a_former_name_leaves_when_another_group_takes_the_name,
    r14_a_rule_about_another_community_follows_it_at_once,
    r36_a_hold_over_nobody_is_not_opened,
    r36_whoever_is_heard_of_after_the_deletion_is_held_too,
);

const NEW: &str = "directory_02TEST";

async fn community(app: &TestApp, name: &str, field: &str, value: &str) -> String {
    let rule = json!({"when": {"field": field, "op": "eq", "value": value}, "role": "member"});
    let body = json!({"organization_id": ORGANIZATION, "name": name, "rules": [rule]});
    let made = app.call("POST", "/v1/communities", body).await.ok();
    made["id"].as_str().unwrap().to_owned()
}

/// First names of the members, by name.
async fn members(app: &TestApp, community: &str) -> Vec<String> {
    let page = app
        .get(&format!("/v1/communities/{community}/members"))
        .await;
    let rows = page["data"].as_array().unwrap().iter();
    rows.map(|row| {
        row["display_name"]
            .as_str()
            .unwrap()
            .split(' ')
            .next()
            .unwrap()
            .to_owned()
    })
    .collect()
}

const NOBODY: [&str; 0] = [];

/// Somebody as the new directory knows them: another directory user, the same provider's id.
fn again(name: &str) -> Employee {
    Employee {
        directory: NEW.to_owned(),
        ..employee(name)
    }
}

fn in_new(event: Event) -> Event {
    let path = match event.0["event"].as_str().unwrap() {
        "dsync.group.user_added" | "dsync.group.user_removed" => "data.user.id",
        _ => "data.id",
    };
    let id = path
        .split('.')
        .skip(1)
        .fold(&event.0["data"], |at, key| &at[key]);
    let id = format!("{}_new", id.as_str().unwrap());
    event.set(path, id)
}

fn new_directory(kind: &str, at: u64) -> Event {
    directory(kind, minute(at)).set("data.id", NEW)
}

fn new_crew(at: u64) -> Event {
    in_new(group("dsync.group.created", "crew", minute(at))).set("data.directory_id", NEW)
}

fn joined_new(name: &str, at: u64) -> Event {
    in_new(again(name).joined("crew", minute(at))).set("data.group.id", "directory_group_crew_new")
}

/// Ada and Bob are in the crew; their directory is deleted and replaced, and Ada alone is in the new crew.
fn replacement() -> Vec<Event> {
    let mut all = vec![
        directory("dsync.activated", minute(0)),
        group("dsync.group.created", "crew", minute(1)),
    ];
    for name in ["ada", "bob"] {
        all.push(employee(name).created(minute(2)));
        all.push(employee(name).joined("crew", minute(3)));
    }
    all.push(directory("dsync.deleted", minute(10)));
    all.push(new_directory("dsync.activated", 11));
    for name in ["ada", "bob"] {
        all.push(in_new(again(name).created(minute(12))));
    }
    all.push(new_crew(13));
    all.push(joined_new("ada", 14));
    all
}

async fn r85_the_groups_of_a_deleted_directory_end_and_the_new_ones_count_by_their_own_ids(
    backend: Backend,
) {
    let mut ends = Vec::new();
    for (road, size) in [("one by one", 1), ("in one batch", 100), ("backwards", 1)] {
        let app = TestApp::start(backend).await;
        app.apply(&directory("dsync.activated", minute(0))).await;
        let by_name = community(&app, "by name", "group", "crew").await;
        let by_id = community(&app, "by id", "group", "directory_group_crew").await;
        let by_new_id = community(&app, "by new id", "group", "directory_group_crew_new").await;
        let mut events = replacement();
        if road == "backwards" {
            events.reverse();
        }
        for some in events.chunks(size) {
            app.enqueue(some);
            app.drain();
        }
        let told = |at: &'static str| format!("{road}, {at}, {backend:?}");
        for at in ["at once", "after something unrelated"] {
            assert_eq!(members(&app, &by_name).await, ["ada"], "{}", told(at));
            assert_eq!(members(&app, &by_id).await, NOBODY, "{}", told(at));
            assert_eq!(members(&app, &by_new_id).await, ["ada"], "{}", told(at));
            let unrelated =
                in_new(again("bob").updated(minute(20))).set("data.first_name", "bobby");
            app.apply(&unrelated).await;
        }
        ends.push(app.people());
    }
    assert!(ends.iter().all(|end| *end == ends[0]), "{ends:?}");
}

async fn r85_what_was_said_before_the_deletion_and_comes_later_opens_nothing(app: TestApp) {
    let crew = community(&app, "crew", "group", "crew").await;
    app.apply(&group("dsync.group.created", "crew", minute(1)))
        .await;
    app.apply(&ada().created(minute(2))).await;
    app.apply(&ada().joined("crew", minute(3))).await;
    assert_eq!(members(&app, &crew).await, ["ada"]);
    let deleted = app.apply(&directory("dsync.deleted", minute(10))).await;
    assert_eq!(members(&app, &crew).await, NOBODY, "at once");
    let ended = deleted["changes"].as_array().unwrap();
    assert!(
        ended.iter().any(|change| change["what"] == "membership"),
        "{deleted}"
    );
    assert_eq!(app.people().len(), 1, "nobody is removed by that alone");
    app.apply(&ada().joined("choir", minute(4))).await;
    let choir = community(&app, "choir", "group", "choir").await;
    app.apply(&group("dsync.group.created", "choir", minute(5)))
        .await;
    app.apply(&group("dsync.group.updated", "crew", minute(6)))
        .await;
    app.apply(&ada().updated(minute(7))).await;
    assert_eq!(members(&app, &crew).await, NOBODY);
    assert_eq!(members(&app, &choir).await, NOBODY);
}

async fn r85_a_directory_that_goes_on_under_its_id_begins_with_the_groups_announced_again(
    app: TestApp,
) {
    let crew = community(&app, "crew", "group", "crew").await;
    app.apply(&group("dsync.group.created", "crew", minute(1)))
        .await;
    for name in ["ada", "bob"] {
        app.apply(&employee(name).created(minute(2))).await;
        app.apply(&employee(name).joined("crew", minute(3))).await;
    }
    app.apply(&directory("dsync.deleted", minute(10))).await;
    app.apply(&directory("dsync.activated", minute(11))).await;
    app.apply(&group("dsync.group.created", "crew", minute(12)))
        .await;
    assert_eq!(members(&app, &crew).await, NOBODY);
    app.apply(&ada().joined("crew", minute(13))).await;
    assert_eq!(members(&app, &crew).await, ["ada"]);
}

async fn r85_a_directory_that_is_only_deactivated_keeps_its_groups(app: TestApp) {
    let crew = community(&app, "crew", "group", "crew").await;
    app.apply(&group("dsync.group.created", "crew", minute(1)))
        .await;
    app.apply(&ada().created(minute(2))).await;
    app.apply(&ada().joined("crew", minute(3))).await;
    app.apply(&directory("dsync.deactivated", minute(10))).await;
    assert_eq!(members(&app, &crew).await, ["ada"]);
}

async fn r85_a_move_to_another_directory_asks_the_rules_again(app: TestApp) {
    let old = community(&app, "old", "directory", DIRECTORY).await;
    let new = community(&app, "new", "directory", NEW).await;
    app.apply(&directory("dsync.activated", minute(0))).await;
    app.apply(&ada().created(minute(2))).await;
    assert_eq!(members(&app, &old).await, ["ada"]);
    app.apply(&directory("dsync.deleted", minute(10))).await;
    assert_eq!(members(&app, &old).await, ["ada"], "she is held, not gone");
    app.apply(&new_directory("dsync.activated", 11)).await;
    // The same person, word for word: nothing that is shown changes.
    app.apply(&in_new(again("ada").created(minute(12)))).await;
    assert_eq!(members(&app, &old).await, NOBODY);
    assert_eq!(members(&app, &new).await, ["ada"]);
}

async fn r52_who_is_in_a_group_by_a_former_name_leaves_when_another_group_takes_the_name(
    app: TestApp,
) {
    let crew = community(&app, "crew", "group", "crew").await;
    app.apply(&group("dsync.group.created", "crew", minute(1)))
        .await;
    app.apply(&ada().created(minute(2))).await;
    app.apply(&ada().joined("crew", minute(3))).await;
    let renamed = group("dsync.group.updated", "crew", minute(4)).set("data.name", "team");
    app.apply(&renamed).await;
    assert_eq!(members(&app, &crew).await, ["ada"]);
    let other = group("dsync.group.created", "other", minute(5)).set("data.name", "crew");
    app.apply(&other).await;
    assert_eq!(members(&app, &crew).await, NOBODY, "at once");
    app.apply(&group("dsync.group.deleted", "other", minute(6)))
        .await;
    assert_eq!(members(&app, &crew).await, ["ada"]);
}

async fn r14_a_rule_about_another_community_follows_it_at_once(app: TestApp) {
    // Made before what it follows, and named before it: neither may matter.
    app.apply(&ada().created(minute(1))).await;
    let all = community(&app, "all", "community", "research").await;
    let research = community(&app, "research", "department", "Research").await;
    assert_eq!(members(&app, &research).await, ["ada"]);
    assert_eq!(
        members(&app, &all).await,
        ["ada"],
        "when the other one is made"
    );
    let department = "data.custom_attributes.department_name";
    app.apply(&ada().updated(minute(2)).set(department, "Sales"))
        .await;
    assert_eq!(members(&app, &all).await, NOBODY);
    let seat = format!(
        "/v1/communities/{research}/members/{}",
        app.profile(&ada()).id
    );
    app.call("PUT", &seat, json!({"role": "member"})).await.ok();
    assert_eq!(members(&app, &all).await, ["ada"], "by hand");
    app.call("DELETE", &seat, Value::Null).await;
    assert_eq!(members(&app, &all).await, NOBODY);
}

async fn open_holds(app: &TestApp) -> Vec<Value> {
    let page = app.get("/v1/holds?state=open").await;
    page["data"].as_array().unwrap().clone()
}

async fn r36_a_hold_over_nobody_is_not_opened(app: TestApp) {
    app.apply(&directory("dsync.activated", minute(0))).await;
    app.apply(&directory("dsync.deleted", minute(1))).await;
    assert_eq!(open_holds(&app).await, [Value::Null; 0]);
    // Everybody is spoken for by the directory that took its place.
    app.apply(&new_directory("dsync.activated", 2)).await;
    app.apply(&directory("dsync.activated", minute(2))).await;
    app.apply(
        &ada()
            .created(minute(3))
            .set("data.custom_attributes.employee_number", "1001"),
    )
    .await;
    let both = in_new(again("ada").created(minute(4)));
    app.apply(&both.set("data.custom_attributes.employee_number", "1001"))
        .await;
    app.apply(&directory("dsync.deleted", minute(5))).await;
    assert_eq!(app.people().len(), 1);
    assert_eq!(open_holds(&app).await, [Value::Null; 0]);
}

async fn r36_whoever_is_heard_of_after_the_deletion_is_held_too(app: TestApp) {
    app.apply(&directory("dsync.deleted", minute(10))).await;
    app.apply(&ada().created(minute(2))).await;
    app.apply(&employee("bob").created(minute(3))).await;
    let holds = open_holds(&app).await;
    assert_eq!(holds.len(), 1, "{holds:?}");
    assert_eq!(
        (&holds[0]["kind"], &holds[0]["waiting"]),
        (&json!("directory_deleted"), &json!(2))
    );
}
