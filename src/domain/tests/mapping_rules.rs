//! Mappings of an organization's own: R46, R47, R50, R51, and R14 again, because a transform or a
//! changed mapping must not make the roll depend on the order in which events came.

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use serde_json::{Value, json};

use crate::domain::{Mapping, MappingRule, ValueKind};

use super::any_order::{arrivals, for_all, same, sorted};
use super::desk::Desk;
use super::teller::user;

fn mapping(rules: Value) -> Mapping {
    Mapping::parse(&json!({ "rules": rules })).unwrap()
}

fn desk(rules: Value) -> Desk {
    let mut desk = Desk::default();
    desk.settings.mapping = mapping(rules);
    desk
}

/// Everything a mapping of one's own can do to what the histories say.
fn elaborate() -> Mapping {
    mapping(json!([
        {"target": "title", "from": ["job_title"], "transforms": ["upper", {"lookup": {"table": {"LEAD": "Boss"}, "otherwise": "skip"}}], "required": true},
        {"target": "department", "from": ["job_title", "employee_number"], "transforms": [{"concat": {"separator": "/"}}, {"replace": {"find": "e"}}]},
        {"target": "start_date", "from": ["employment_start_date"], "kind": "day"},
        {"target": "employee_number", "from": ["badge", "employee_number"], "kind": "code"},
        {"target": "attributes.number", "from": ["employee_number"], "kind": "number", "transforms": [{"coalesce": {"or": "0"}}]},
        {"target": "attributes.deep", "from": ["/nothing/here"], "kind": "boolean", "sensitive": true, "required": true}
    ]))
}

#[test]
fn r14_a_mapping_with_transforms_ends_the_same_in_any_order() {
    for_all(|history| {
        let (mut in_order, mut as_it_came) = (Desk::default(), Desk::default());
        in_order.settings.mapping = elaborate();
        as_it_came.settings.mapping = elaborate();
        for told in sorted(history) {
            in_order.take(vec![told]);
        }
        for batch in arrivals(history) {
            as_it_came.take(batch);
        }
        same(&in_order, &as_it_came)
    });
}

#[test]
fn r50_a_mapping_changed_on_the_way_ends_as_if_it_had_always_been() {
    for_all(|history| -> Result<(), TestCaseError> {
        let (mut always, mut changed) = (Desk::default(), Desk::default());
        always.settings.mapping = elaborate();
        let arrivals = arrivals(history);
        let half = arrivals.len() / 2;
        for (place, batch) in arrivals.into_iter().enumerate() {
            if place == half {
                changed.remap(elaborate());
            }
            always.take(batch.clone());
            changed.take(batch);
        }
        changed.remap(elaborate());
        // Seats follow what was shown on the way; everything else must agree.
        let without_seats = |desk: &Desk| {
            let mut desk = desk.clone();
            desk.seats.clear();
            desk
        };
        same(&without_seats(&always), &without_seats(&changed))
    });
}

#[test]
fn r46_r51_a_required_field_that_never_came_is_told_and_a_kept_one_warns() {
    let mut desk = desk(json!([
        {"target": "title", "from": ["job_title"], "required": true},
        {"target": "department", "from": ["team"], "required": true}
    ]));
    desk.hear_all([
        user("u1")
            .email("a@x")
            .custom(json!({"job_title": "Lead"}))
            .active()
            .at(1),
        user("u1").custom(json!({"job_title": ""})).at(2),
    ]);
    assert_eq!(desk.shows("u1", "title").as_deref(), Some("Lead"));
    assert_eq!(
        desk.profile("u1").warnings,
        [
            "department: required, and nothing came yet",
            "title: came empty, the last one is kept"
        ]
    );
    desk.hear_all([user("u1").named("Ada", "L").at(3)]);
    assert_eq!(
        desk.profile("u1").warnings,
        ["department: required, and nothing came yet"],
        "still missing, whatever the last event spoke of"
    );
}

#[test]
fn r51_what_a_transform_cannot_do_is_skipped_and_the_rest_applies() {
    let mut desk = desk(json!([
        {"target": "start_date", "from": ["start"], "kind": "day", "transforms": [{"date": {"read": "DD/MM/YYYY"}}]},
        {"target": "department", "from": ["site", "team"], "transforms": ["trim", {"concat": {"separator": " · "}}]},
        {"target": "attributes.floor", "from": ["/seat/floor"], "kind": "number"},
        {"target": "attributes.driver", "from": ["drives"], "kind": "boolean"}
    ]));
    desk.hear_all([
        user("u1").email("a@x")
            .custom(json!({"start": "27/06/2021", "site": " BER ", "team": "R&D", "seat": {"floor": "4"}, "drives": "Yes"}))
            .active()
            .at(1),
        user("u1")
            .custom(json!({"start": "2021-06-28", "site": "MUC", "seat": {"floor": "top"}, "drives": "maybe"}))
            .at(2),
    ]);
    let profile = desk.profile("u1");
    assert_eq!(profile.field("start_date"), Some("2021-06-27"), "kept");
    assert_eq!(profile.field("department"), Some("MUC"));
    assert_eq!(profile.attributes["floor"], json!(4), "kept");
    assert_eq!(profile.attributes["driver"], json!(true), "kept");
    assert_eq!(
        profile.warnings,
        [
            "attributes.driver: neither yes nor no, skipped",
            "attributes.floor: not a number, skipped",
            "start_date: cannot be read (not a date written as DD/MM/YYYY), so no welcome goes out by itself"
        ]
    );
}

#[test]
fn r47_a_deprecated_field_going_empty_blanks_nothing_under_any_mapping() {
    let mut desk = desk(json!([
        {"target": "title", "from": ["job_title"], "transforms": ["trim"]},
        {"target": "attributes.login", "from": ["username"], "transforms": ["lower"]}
    ]));
    desk.hear_all([
        user("u1")
            .legacy(json!({"job_title": " Lead ", "username": "ADA"}))
            .active()
            .at(1),
        user("u1").at(2),
        user("u1").active().at(3),
    ]);
    assert_eq!(desk.shows("u1", "title").as_deref(), Some("Lead"));
    assert_eq!(desk.profile("u1").attributes["login"], json!("ada"));
    desk.hear_all([user("u1")
        .custom(json!({"job_title": null}))
        .legacy(json!({"job_title": "Lead"}))
        .at(4)]);
    assert_eq!(desk.shows("u1", "title").as_deref(), Some("Lead"));
}

#[test]
fn r50_what_the_directory_owns_is_locked_unless_the_mapping_lets_go_of_it() {
    let mapping = mapping(json!([
        {"target": "title", "from": ["job_title"]},
        {"target": "pronouns", "from": ["pronouns"], "locked": false}
    ]));
    assert!(mapping.locks("title") && mapping.locks("email") && mapping.locks("attributes.badge"));
    assert!(!mapping.locks("pronouns") && !mapping.locks("department"));
    let narrow = Mapping {
        rest: false,
        ..mapping
    };
    assert!(!narrow.locks("attributes.badge"));
    assert_eq!(
        narrow.locked(["badge".to_owned()].iter()),
        ["email", "first_name", "last_name", "title"]
    );
}

#[test]
fn a_mapping_stored_before_there_were_transforms_reads_with_defaults() {
    let stored = json!({"rules": [{"target": "title", "from": ["job_title"], "kind": "code", "required": true}], "rest": false});
    let read: Mapping = serde_json::from_value(stored).unwrap();
    let mut wanted = MappingRule::plain("title", &["job_title"], ValueKind::Code);
    wanted.required = true;
    assert_eq!(read.rules, [wanted]);
    let again: Mapping =
        serde_json::from_value(serde_json::to_value(elaborate()).unwrap()).unwrap();
    assert_eq!(again, elaborate());
}

#[test]
fn all_problems_of_a_mapping_are_told_at_once_in_words() {
    let told = Mapping::parse(&json!({
        "rest": "yes",
        "rule": [],
        "rules": [
            {"target": "salary", "from": []},
            {"target": "title", "from": ["a"], "kind": "number"},
            {"target": "title", "from": ["b"], "required": "yes", "colour": "red"},
            {"target": "start_date", "from": ["c"]},
            {"from": ["pay"], "target": "attributes.pay", "sensitive": true},
            {"from": ["/pay/base"], "target": "attributes.base", "transforms": [
                "shout", {"replace": {"find": ""}}, {"concat": {}}, {"date": {"read": "DD/MM/YY"}}, {"lookup": {"table": {}}}
            ]},
            7
        ]
    }))
    .unwrap_err();
    let paths: Vec<&str> = told.iter().map(|problem| problem.path.as_str()).collect();
    for path in [
        "rest",
        "rule",
        "rules[0].target",
        "rules[0].from",
        "rules[1].target",
        "rules[2].required",
        "rules[2].colour",
        "rules[2].target",
        "rules[3].target",
        "rules[5].transforms[0]",
        "rules[5].transforms[1].find",
        "rules[5].from",
        "rules[5].transforms[3].read",
        "rules[5].transforms[4].table",
        "rules[6]",
    ] {
        assert!(paths.contains(&path), "{path} is not told: {told:#?}");
    }
    let sensitive = "pay is sensitive in rules[4]";
    assert!(
        told.iter()
            .any(|problem| problem.message.contains("sensitive in rules[4]")),
        "{sensitive}: {told:#?}"
    );
}

proptest! {
    #[test]
    fn reading_a_mapping_never_panics(text in "\\PC{0,200}", depth in 0u8..3) {
        let mut body = Value::String(text);
        for _ in 0..depth {
            body = json!({"rules": [body]});
        }
        let _ = Mapping::parse(&body);
    }
}
