//! Which word counts: R11 to R13, R48, R49, R66, C4.

use serde_json::json;

use crate::domain::{Status, diff_profiles, is_tie};

use super::teller::{after, minute, user};
use super::told::Told;

#[test]
fn r11_an_older_event_changes_no_part_that_a_newer_one_spoke_of_and_gives_the_others() {
    let desk = after([
        user("u1").idp("i1").email("new@x").active().at(5),
        user("u1")
            .email("old@x")
            .named("Ada", "Lovelace")
            .custom(json!({"job_title": "Lead"}))
            .at(2),
    ]);
    assert_eq!(desk.shows("u1", "email").as_deref(), Some("new@x"));
    assert_eq!(desk.shows("u1", "first_name").as_deref(), Some("Ada"));
    assert_eq!(desk.shows("u1", "title").as_deref(), Some("Lead"));
}

#[test]
fn r11_a_newer_bare_delete_does_not_make_an_older_full_update_worthless() {
    let desk = after([
        user("u1").email("a@x").active().at(1),
        user("u1").deleted().at(9),
        user("u1").named("Ada", "Lovelace").active().at(5),
    ]);
    assert_eq!(desk.status("u1"), Status::Removed);
    assert_eq!(
        desk.shows("u1", "display_name").as_deref(),
        Some("Ada Lovelace")
    );
    assert_eq!(desk.profile("u1").removed_at, Some(minute(9)));
}

#[test]
fn r12_a_deletion_before_its_creation_leaves_a_tombstone() {
    let mut desk = after([user("u1").deleted().at(5)]);
    assert_eq!(desk.status("u1"), Status::Removed);
    desk.hear_all([user("u1").idp("i1").email("a@x").active().at(1)]);
    assert_eq!(desk.status("u1"), Status::Removed);
    assert!(!desk.status("u1").has_access());
}

#[test]
fn r13_only_an_explicit_active_restores() {
    let mut desk = after([
        user("u1").email("a@x").active().at(1),
        user("u1").deleted().at(2),
        user("u1").email("a@x").named("Ada", "Lovelace").at(3),
    ]);
    assert_eq!(desk.status("u1"), Status::Removed);
    desk.hear_all([user("u1").inactive().at(4)]);
    assert_eq!(desk.status("u1"), Status::Removed);
    desk.hear_all([user("u1").active().at(5)]);
    assert_eq!(desk.status("u1"), Status::Active);
}

#[test]
fn r66_of_two_events_of_one_instant_the_removal_wins_whichever_comes_first() {
    let told = || {
        [
            user("u1").email("a@x").active().at(1),
            user("u1").inactive().at(1),
        ]
    };
    assert_eq!(after(told()).status("u1"), Status::Removed);
    assert_eq!(
        after(told().into_iter().rev()).status("u1"),
        Status::Removed
    );
}

#[test]
fn c4_a_link_that_begins_wins_over_one_that_ends_in_the_same_instant() {
    let desk = after([
        user("u1").idp("i1").active().at(1),
        user("u1").deleted().at(5),
        user("u2").idp("i1").active().at(5),
    ]);
    assert!(desk.is_one("u1", "u2"));
    assert_eq!(desk.status("u2"), Status::Active);
    let person = desk.cluster[0].people.values().next().unwrap();
    assert_eq!(person.left, None, "nobody left, so no seat is lost");
}

#[test]
fn r48_an_update_that_changes_nothing_shown_leaves_no_stamp() {
    let mut desk = after([user("u1")
        .email("a@x")
        .custom(json!({"job_title": "Lead"}))
        .active()
        .at(1)]);
    let before = desk.profile("u1");
    desk.hear_all([user("u1")
        .email("a@x")
        .custom(json!({"job_title": "Lead"}))
        .active()
        .at(2)]);
    let now = desk.profile("u1");
    assert_eq!(diff_profiles(Some(&before), &now), []);
    assert_eq!(now.updated, minute(1));
}

#[test]
fn r49_as_many_changes_as_fields_changed() {
    let mut desk = after([user("u1")
        .email("a@x")
        .named("Ada", "Byron")
        .custom(json!({"badge": 1}))
        .active()
        .at(1)]);
    let before = desk.profile("u1");
    desk.hear_all([user("u1")
        .named("Ada", "Lovelace")
        .custom(json!({"job_title": "Lead", "badge": 2}))
        .at(2)]);
    let mut changed: Vec<_> = diff_profiles(Some(&before), &desk.profile("u1"));
    changed.sort_by(|one, other| one.name.cmp(&other.name));
    let told: Vec<_> = changed
        .iter()
        .map(|one| (one.name.as_str(), one.old.as_deref(), one.new.as_deref()))
        .collect();
    let expected = [
        ("attributes.badge", Some("1"), Some("2")),
        ("last_name", Some("Byron"), Some("Lovelace")),
        ("title", None, Some("Lead")),
    ];
    assert_eq!(told, expected);
}

#[test]
fn r96_a_removal_and_a_return_of_one_instant_are_a_tie_from_either_side() {
    let active = || user("u1").active().at(5);
    let tie = |before: Vec<Told>, last: Told| {
        let desk = after(before);
        let Told::User(observation) = last else {
            return false;
        };
        desk.cluster
            .iter()
            .any(|cluster| is_tie(cluster, &observation))
    };
    for gone in [user("u1").deleted(), user("u1").inactive()] {
        let gone = gone.at(5);
        let joined = || user("u1").active().at(1);
        assert!(tie(vec![joined(), gone.clone()], active()));
        assert!(tie(vec![joined(), active()], gone.clone()));
        assert!(
            !tie(vec![joined()], gone.clone()),
            "nothing was said against it"
        );
        assert!(
            !tie(vec![joined(), gone.clone()], gone.clone()),
            "it is the same event"
        );
        assert!(
            !tie(vec![joined(), gone], user("u1").active().at(6)),
            "it is newer"
        );
    }
}
