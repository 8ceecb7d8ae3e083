//! Where a person stands: R28, R33, R35, R36, R38, C2, C3, C10.

use serde_json::json;

use crate::domain::{LinkState, Settings, Status};

use super::desk::Desk;
use super::teller::{after, gone, linked, minute, user};

#[test]
fn r28_c2_somebody_never_active_is_pending() {
    let mut desk = after([user("u1").idp("i1").email("a@x").inactive().at(1)]);
    assert_eq!(desk.status("u1"), Status::Pending);
    assert!(!desk.status("u1").has_access());
    desk.hear_all([user("u1").active().at(2)]);
    assert_eq!(desk.status("u1"), Status::Active);
}

#[test]
fn c2_created_and_deleted_before_ever_active_is_removed() {
    let desk = after([
        user("u1").idp("i1").inactive().at(1),
        user("u1").deleted().at(2),
    ]);
    assert_eq!(desk.status("u1"), Status::Removed);
}

#[test]
fn r29_both_shapes_of_a_termination_remove_and_say_why() {
    let leaves = |how: fn(super::teller::Saying) -> super::teller::Saying| {
        after([
            user("u1").email("a@x").active().at(1),
            how(user("u1")).at(2),
        ])
        .profile("u1")
    };
    let (inactive, deleted) = (leaves(|one| one.inactive()), leaves(|one| one.deleted()));
    assert_eq!(
        (inactive.status, deleted.status),
        (Status::Removed, Status::Removed)
    );
    assert_eq!(
        inactive.removed_reason.as_deref(),
        Some("deactivated in the directory")
    );
    assert_eq!(
        deleted.removed_reason.as_deref(),
        Some("deleted in the directory")
    );
    assert_eq!(deleted.removed_at, Some(minute(2)));
}

#[test]
fn r33_a_new_period_needs_a_start_after_the_removal() {
    let returns = |start: &str| {
        let told = [
            user("u1")
                .custom(json!({"employment_start_date": "2020-01-01"}))
                .active()
                .at(1),
            user("u1").inactive().at(2),
            user("u1")
                .custom(json!({"employment_start_date": start}))
                .active()
                .at(3),
        ];
        after(told).profile("u1").period
    };
    assert_eq!(returns("2026-04-01T12:00:00.000Z"), "2026-04-01");
    assert_eq!(returns("2020-01-01"), "first");
    assert_eq!(returns(""), "first");
}

#[test]
fn r33_a_new_start_may_be_told_only_after_the_return() {
    let starts = |date: &str| user("u1").custom(json!({ "employment_start_date": date }));
    let mut desk = after([
        starts("2020-01-01").active().at(1),
        user("u1").inactive().at(2),
        user("u1").active().at(3),
    ]);
    assert_eq!(desk.profile("u1").period, "first");
    desk.hear_all([starts("2026-04-01").at(4)]);
    assert_eq!(desk.profile("u1").period, "2026-04-01");
    // R60: the day moves, the employment is the same.
    desk.hear_all([starts("2026-04-08").at(5)]);
    assert_eq!(desk.profile("u1").period, "2026-04-01");
    desk.hear_all([
        user("u1").inactive().at(6),
        starts("2026-05-01").active().at(7),
    ]);
    assert_eq!(desk.profile("u1").period, "2026-05-01");
}

#[test]
fn r35_only_the_last_active_link_removes_and_the_first_directory_speaks() {
    let mut desk = Desk {
        settings: Settings {
            directory_priority: vec!["d1".to_owned()],
            ..Settings::default()
        },
        ..Desk::default()
    };
    desk.hear_all([
        user("u1")
            .idp("i1")
            .number("7")
            .email("a@x")
            .named("Old", "Name")
            .active()
            .at(1),
        user("u2")
            .of("d1")
            .number("7")
            .email("a@x")
            .named("New", "Name")
            .active()
            .at(2),
    ]);
    assert!(desk.is_one("u1", "u2"));
    assert_eq!(desk.shows("u1", "first_name").as_deref(), Some("New"));
    desk.hear_all([user("u2").of("d1").deleted().at(3)]);
    assert_eq!(desk.status("u1"), Status::Active);
    assert_eq!(desk.shows("u1", "first_name").as_deref(), Some("Old"));
    desk.hear_all([user("u1").deleted().at(4)]);
    assert_eq!(desk.status("u1"), Status::Removed);
}

#[test]
fn r36_r38_c10_a_directory_that_goes_removes_nobody() {
    let desk = after([
        linked("d0", "okta", 0),
        user("u1").email("a@x").active().at(1),
        user("u2").email("b@x").active().at(2),
        gone("d0", 3),
    ]);
    assert_eq!(
        (desk.status("u1"), desk.status("u2")),
        (Status::Active, Status::Active)
    );
    assert_eq!(desk.state("u1"), LinkState::Active);
}

#[test]
fn c10_somebody_with_two_directories_stays_when_one_goes() {
    let both = [
        user("u1").number("7").email("a@x").active().at(1),
        user("u2").of("d1").number("7").email("a@x").active().at(2),
        gone("d1", 3),
    ];
    let desk = after(both);
    assert_eq!(desk.status("u1"), Status::Active);
    assert_eq!(desk.state("u2"), LinkState::Moved);
}

#[test]
fn c3_a_removal_changes_no_field_also_the_second_one() {
    let mut desk = after([
        user("u1")
            .number("7")
            .email("a@x")
            .named("Ada", "One")
            .active()
            .at(1),
        user("u2")
            .of("d1")
            .number("7")
            .email("a@x")
            .named("Ada", "Two")
            .active()
            .at(2),
        user("u1").inactive().at(3),
        user("u2")
            .of("d1")
            .email("z@x")
            .named("Zoe", "Z")
            .inactive()
            .at(4),
    ]);
    let left = desk.profile("u1");
    assert_eq!(left.field("last_name"), Some("Two"));
    desk.hear_all([user("u1").named("Yan", "Y").deleted().at(5)]);
    assert_eq!(desk.profile("u1").fields, left.fields);
    assert_eq!(desk.profile("u1").removed_at, Some(minute(4)));
}

#[test]
fn r14_what_was_said_before_a_directory_went_is_put_before_it() {
    let desk = after([
        user("u1").number("7").email("a@x").active().at(1),
        gone("d0", 5),
        user("u2").of("d1").number("7").email("a@x").active().at(3),
    ]);
    assert_eq!(desk.state("u1"), LinkState::Moved);
    assert_eq!(desk.status("u2"), Status::Active);
}
