//! Whom an organization's rules screen: R34, R45; and probable renames: R52.

use std::collections::BTreeSet;

use serde_json::json;

use crate::domain::{Settings, Status, let_go, probably_renamed};

use super::desk::Desk;
use super::teller::{key, user};

fn under(settings: serde_json::Value) -> Desk {
    Desk {
        settings: serde_json::from_value::<Settings>(settings).unwrap(),
        ..Desk::default()
    }
}

fn title(title: &str) -> serde_json::Value {
    json!({"field": "title", "op": "eq", "value": title})
}

#[test]
fn r34_on_leave_is_neither_gone_nor_active() {
    let mut desk = under(json!({"on_leave": {"when": title("Away")}}));
    desk.hear_all([user("u1")
        .custom(json!({"job_title": "Away"}))
        .active()
        .at(1)]);
    assert_eq!(desk.status("u1"), Status::OnLeave);
    assert!(desk.status("u1").has_access());
    desk.hear_all([user("u1")
        .custom(json!({"job_title": "Here"}))
        .active()
        .at(2)]);
    assert_eq!(desk.status("u1"), Status::Active);
    desk.hear_all([user("u1").inactive().at(3)]);
    assert_eq!(desk.status("u1"), Status::Removed);
}

#[test]
fn r45_an_excluded_person_is_nobody_until_they_are_not() {
    let mut desk = under(json!({"exclude": [{"name": "temps", "when": title("Temp")}]}));
    desk.hear_all([user("u1")
        .custom(json!({"job_title": "Temp"}))
        .active()
        .at(1)]);
    let shut_out = desk.profile("u1");
    assert_eq!(shut_out.status, Status::Pending);
    assert_eq!(shut_out.removed_reason.as_deref(), Some("excluded"));
    assert!(shut_out.warnings.iter().any(|one| one.contains("temps")));
    desk.hear_all([user("u1")
        .custom(json!({"job_title": "Staff"}))
        .active()
        .at(2)]);
    assert_eq!(desk.status("u1"), Status::Active);
    desk.hear_all([user("u1")
        .custom(json!({"job_title": "Temp"}))
        .active()
        .at(3)]);
    let left = desk.profile("u1");
    assert_eq!(left.status, Status::Removed);
    assert_eq!(left.removed_reason.as_deref(), Some("excluded"));
}

#[test]
fn r45_whom_a_new_rule_lets_go_was_there_also_after_a_fold_from_nothing() {
    let mut desk = under(json!({}));
    desk.hear_all([user("u1")
        .custom(json!({"job_title": "Temp"}))
        .active()
        .at(2)]);
    let before = desk.cluster[0].clone();
    desk.settings = serde_json::from_value(json!({"exclude": [{"when": title("Temp")}]})).unwrap();
    // A word of the same that came late folds everything again, under the new rule.
    desk.hear_all([user("u1")
        .custom(json!({"job_title": "Temp"}))
        .active()
        .at(1)]);
    assert_eq!(
        desk.status("u1"),
        Status::Pending,
        "as if it had always been"
    );
    let mut after = desk.cluster[0].clone();
    let_go(&before, &mut after, &key(5));
    desk.cluster[0] = after;
    assert_eq!(desk.status("u1"), Status::Removed);
    desk.hear_all([user("u1")
        .custom(json!({"job_title": "Temp"}))
        .active()
        .at(0)]);
    assert_eq!(desk.status("u1"), Status::Removed);
    assert_eq!(
        desk.profile("u1").removed_reason.as_deref(),
        Some("excluded")
    );
}

#[test]
fn r52_over_eighty_of_a_hundred_members_make_a_probable_rename() {
    let some = |range: std::ops::Range<u32>| -> BTreeSet<String> {
        range.map(|one| one.to_string()).collect()
    };
    assert!(probably_renamed(&some(0..10), &some(0..10)));
    assert!(probably_renamed(&some(0..10), &some(1..10)));
    assert!(
        !probably_renamed(&some(0..10), &some(2..10)),
        "80 is not over 80"
    );
    assert!(!probably_renamed(&some(0..10), &some(0..20)));
    assert!(
        !probably_renamed(&some(0..2), &some(0..2)),
        "too few to tell"
    );
}

#[test]
fn r45_who_gets_a_profile_back_from_somebody_shut_out_never_left() {
    let mut desk = under(json!({"exclude": [{"when": title("Temp")}]}));
    desk.hear_all([
        user("u2").email("c@x").at(1),
        user("u0")
            .idp("i0")
            .email("c@x")
            .custom(json!({"job_title": "Temp"}))
            .active()
            .at(2),
    ]);
    assert!(desk.is_one("u2", "u0"));
    desk.hear_all([user("u2").idp("i2").no_email().active().at(3)]);
    assert!(!desk.is_one("u2", "u0"));
    assert_eq!(desk.waits_over("u2"), Some("email"));
    assert_eq!(
        desk.status("u2"),
        Status::Pending,
        "nobody was ever here under it"
    );
}
