//! What becomes of a payload's values: R46, R47, R51, C3, C8, C13.

use serde_json::json;

use crate::domain::{Mapping, MappingRule, ValueKind};

use super::desk::Desk;
use super::teller::{after, user};

#[test]
fn c13_the_default_mapping() {
    let desk = after([user("u1")
        .custom(json!({
            "job_title": "Lead", "department_name": "R&D", "department": "other", "pronouns": "she/her",
            "employment_start_date": "2021-06-27T12:00:00.000Z", "manager_email": "m@x",
            "employee_number": 1042, "badge": {"colour": "red"}
        }))
        .active()
        .at(1)]);
    let profile = desk.profile("u1");
    let expected = [
        ("title", "Lead"),
        ("department", "R&D"),
        ("pronouns", "she/her"),
        ("start_date", "2021-06-27"),
        ("manager_email", "m@x"),
        ("employee_number", "1042"),
    ];
    for (field, value) in expected {
        assert_eq!(profile.field(field), Some(value));
    }
    assert_eq!(
        json!(profile.attributes),
        json!({"badge": {"colour": "red"}})
    );
}

#[test]
fn r46_null_absent_empty_and_an_empty_list_clear() {
    for empty in [
        json!({"job_title": null}),
        json!({}),
        json!({"job_title": ""}),
        json!({"job_title": []}),
    ] {
        let full = json!({"job_title": "Lead", "badge": 1});
        let desk = after([
            user("u1").custom(full).active().at(1),
            user("u1").custom(empty).at(2),
        ]);
        assert_eq!(desk.shows("u1", "title"), None);
        assert_eq!(json!(desk.profile("u1").attributes), json!({}));
    }
}

#[test]
fn r46_a_required_field_keeps_its_last_value_and_warns() {
    let mut desk = Desk::default();
    let mut rule = MappingRule::plain("title", &["job_title"], ValueKind::Text);
    rule.required = true;
    desk.settings.mapping = Mapping {
        rules: vec![rule],
        rest: false,
    };
    desk.hear_all([
        user("u1")
            .email("a@x")
            .custom(json!({"job_title": "Lead"}))
            .active()
            .at(1),
        user("u1").custom(json!({"job_title": null})).at(2),
    ]);
    assert_eq!(desk.shows("u1", "title").as_deref(), Some("Lead"));
    assert_eq!(
        desk.profile("u1").warnings,
        ["title: came empty, the last one is kept"]
    );
}

#[test]
fn r46_what_a_new_user_id_says_to_be_nothing_does_not_come_back_from_the_old_one() {
    let old = json!({"job_title": "Lead", "badge": 1});
    let returns = |custom| {
        let mut told = vec![
            user("u1")
                .idp("i1")
                .named("Ada", "L")
                .custom(old.clone())
                .active()
                .at(1),
        ];
        told.push(user("u1").deleted().at(2));
        let back = user("u2").idp("i1").active();
        told.push(match custom {
            true => back.custom(json!({})).at(3),
            false => back.at(3),
        });
        after(told).profile("u2")
    };
    let (said, silent) = (returns(true), returns(false));
    assert_eq!((said.field("title"), said.attributes.len()), (None, 0));
    assert_eq!(
        (silent.field("title"), silent.attributes.len()),
        (Some("Lead"), 1),
        "C3"
    );
    assert_eq!(said.field("first_name"), Some("Ada"));
}

#[test]
fn r47_c3_nothing_is_cleared_by_a_missing_key_and_legacy_fields_only_fill_in() {
    let mut desk = after([
        user("u1")
            .custom(json!({"job_title": "Lead", "badge": 1}))
            .active()
            .at(1),
        user("u1").named("Ada", "L").active().at(2),
    ]);
    assert_eq!(desk.shows("u1", "title").as_deref(), Some("Lead"));
    assert_eq!(desk.profile("u1").attributes.len(), 1);
    desk.hear_all([user("u1")
        .custom(json!({"job_title": "Head"}))
        .legacy(json!({"job_title": "Old"}))
        .at(3)]);
    assert_eq!(desk.shows("u1", "title").as_deref(), Some("Head"));
    desk.hear_all([user("u1")
        .custom(json!({}))
        .legacy(json!({"job_title": "Old"}))
        .at(4)]);
    assert_eq!(desk.shows("u1", "title").as_deref(), Some("Old"));
}

#[test]
fn c3_an_empty_address_keeps_the_last_one_and_warns() {
    let desk = after([
        user("u1").email("a@x").active().at(1),
        user("u1").no_email().active().at(2),
    ]);
    assert_eq!(desk.shows("u1", "email").as_deref(), Some("a@x"));
    assert_eq!(
        desk.profile("u1").warnings,
        ["email: came empty, the last one is kept"]
    );
}

#[test]
fn c3_a_removal_clears_nothing_even_where_it_says_so() {
    let desk = after([
        user("u1")
            .email("a@x")
            .custom(json!({"job_title": "Lead"}))
            .active()
            .at(1),
        user("u1").no_email().custom(json!({})).inactive().at(2),
    ]);
    assert_eq!(desk.shows("u1", "title").as_deref(), Some("Lead"));
}

#[test]
fn r51_c8_a_wrong_type_or_an_over_long_text_is_skipped_and_the_rest_applies() {
    let long = "x".repeat(4_097);
    let desk = after([
        user("u1").email("a@x").custom(json!({"job_title": "Lead", "pronouns": "she"})).active().at(1),
        user("u1").custom(json!({
            "job_title": 7, "pronouns": long, "employment_start_date": "soon", "department": "R&D",
            "note": long
        })).at(2),
    ]);
    let profile = desk.profile("u1");
    assert_eq!(profile.field("title"), Some("Lead"));
    assert_eq!(profile.field("pronouns"), Some("she"));
    assert_eq!(profile.field("department"), Some("R&D"));
    assert_eq!(profile.attributes.len(), 0);
    assert_eq!(profile.warnings.len(), 4, "{:?}", profile.warnings);
    assert!(
        !profile.warnings.concat().contains("xxx"),
        "no values in warnings"
    );
    let longest = "x".repeat(4_096);
    let fits = after([user("u1")
        .custom(json!({"job_title": longest}))
        .active()
        .at(1)]);
    assert_eq!(fits.shows("u1", "title"), Some(longest));
}

#[test]
fn r83_a_list_in_another_order_is_the_same_list_and_the_earlier_one_stays() {
    let with = |skills: serde_json::Value, at: u32| {
        user("u1").custom(json!({"skills": skills})).active().at(at)
    };
    let desk = after([with(json!(["b", "a"]), 1), with(json!(["a", "b"]), 2)]);
    assert_eq!(
        json!(desk.profile("u1").attributes),
        json!({"skills": ["b", "a"]})
    );
    let desk = after([with(json!(["b", "a"]), 1), with(json!(["a"]), 2)]);
    assert_eq!(
        json!(desk.profile("u1").attributes),
        json!({"skills": ["a"]})
    );
    // Which entry is primary says something.
    let marked =
        |first: bool| json!([{"value": "a", "primary": first}, {"value": "b", "primary": !first}]);
    let desk = after([with(marked(true), 1), with(marked(false), 2)]);
    assert_eq!(
        json!(desk.profile("u1").attributes),
        json!({"skills": marked(false)})
    );
}

#[test]
fn r90_a_name_made_of_parts_follows_them_unless_it_was_given_anew() {
    let full = |name: &str| json!({"display_name": name});
    let desk = after([
        user("u1")
            .named("Ada", "Oster")
            .custom(full("A. Oster"))
            .active()
            .at(1),
        user("u1").named("Ada", "Berg").at(2),
    ]);
    assert_eq!(
        desk.shows("u1", "display_name").as_deref(),
        Some("Ada Berg")
    );
    assert_eq!(json!(desk.profile("u1").attributes), full("Ada Berg"));
    let desk = after([
        user("u1")
            .named("Ada", "Oster")
            .custom(full("A. Oster"))
            .active()
            .at(1),
        user("u1")
            .named("Ada", "Berg")
            .custom(full("A. Berg"))
            .at(2),
        user("u1").named("Ada", "Berg").at(3),
    ]);
    assert_eq!(desk.shows("u1", "display_name").as_deref(), Some("A. Berg"));
}

#[test]
fn r90_a_full_name_of_another_directory_does_not_cover_the_parts_of_one_that_counts_more() {
    let desk = after([
        user("u1")
            .idp("i")
            .email("a@x")
            .custom(json!({"display_name": "Ada Oster"}))
            .active()
            .at(1),
        user("u2")
            .of("d1")
            .idp("j")
            .email("a@y")
            .custom(json!({"employee_number": "7"}))
            .active()
            .at(2),
    ]);
    assert_eq!(
        desk.shows("u1", "display_name").as_deref(),
        Some("Ada Oster")
    );
    let desk = after([
        user("u1")
            .email("a@x")
            .named("Ada", "Berg")
            .custom(json!({"employee_number": "17"}))
            .active()
            .at(1),
        user("u2")
            .of("d1")
            .email("a@x")
            .custom(json!({"employee_number": "17", "display_name": "Ada Oster"}))
            .active()
            .at(2),
    ]);
    assert_eq!(
        desk.shows("u1", "display_name").as_deref(),
        Some("Ada Berg")
    );
}

#[test]
fn r46_truth_is_read_from_text_and_numbers() {
    let mut desk = Desk::default();
    desk.settings.mapping = Mapping {
        rules: vec![MappingRule::plain(
            "attributes.remote",
            &["remote"],
            ValueKind::Boolean,
        )],
        rest: false,
    };
    for (at, (said, kept)) in [
        (json!("True"), true),
        (json!(" no "), false),
        (json!(1), true),
        (json!("OFF"), false),
    ]
    .into_iter()
    .enumerate()
    {
        desk.hear_all([user("u1")
            .custom(json!({"remote": said}))
            .active()
            .at(u32::try_from(at).unwrap() + 1)]);
        assert_eq!(
            json!(desk.profile("u1").attributes),
            json!({"remote": kept})
        );
    }
}

#[test]
fn r86_a_placeholder_address_does_not_take_a_real_ones_place() {
    let desk = after([
        user("u1").email("a@x").active().at(1),
        user("u1").email("n/a").at(2),
    ]);
    assert_eq!(desk.shows("u1", "email").as_deref(), Some("a@x"));
    assert_eq!(
        desk.profile("u1").warnings,
        ["email: came as a placeholder, the last one is kept"]
    );
}

#[test]
fn r83_roles_in_another_order_are_no_change() {
    let mut desk = after([user("u1")
        .idp("i1")
        .roles(&["admin", "editor"])
        .active()
        .at(1)]);
    let before = desk.profile("u1").roles;
    assert_eq!(before, ["admin", "editor"]);
    desk.hear_all([user("u1")
        .idp("i1")
        .roles(&["editor", "admin", "editor"])
        .active()
        .at(2)]);
    assert_eq!(desk.profile("u1").roles, before);
}
