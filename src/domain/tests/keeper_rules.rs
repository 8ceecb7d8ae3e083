//! Whom a profile and what was given to it are for, where people turn out to be one or two: R14, R20, R31.

use crate::domain::{Left, Membership, RestoreAdmin, Role, Source, Status, follow_status};

use super::desk::Desk;
use super::teller::{gone, key, minute, user};

/// Two people are taken for one for a while, because word of the first one's new address comes late.
#[test]
fn r31_what_was_given_to_one_of_two_taken_for_one_is_not_the_others() {
    let mut desk = Desk::default();
    desk.take(vec![user("bob").email("a@x").active().at(3)]);
    let bobs = desk.link("bob").person.clone();
    desk.take(vec![
        user("ada").idp("i2").email("a@x").active().at(1),
        gone("d0", 5),
    ]);
    assert!(desk.is_one("ada", "bob"));
    desk.take(vec![user("ada").idp("i2").email("b@x").active().at(4)]);
    assert!(!desk.is_one("ada", "bob"));
    let owner = desk
        .seats
        .iter()
        .find(|(_, seat)| seat.given_for.as_deref() == Some("bob"));
    let (owner, seat) = owner.expect("the seat that moved is remembered");
    assert_eq!(*owner, desk.link("bob").person, "{bobs}'s seat is Bob's");
    assert_eq!(seat.role, Role::Admin);
    assert_ne!(*owner, desk.link("ada").person);
}

#[test]
fn r31_a_profile_stays_with_whom_it_was_made_for_whoever_joined_it_and_was_known_earlier() {
    // Whose id comes first in the alphabet of hashes must not decide.
    for idp in ["i0", "i1", "i2", "i3", "i4", "i5"] {
        let mut desk = Desk::default();
        desk.hear_all([gone("d1", 3), user("new").email("b@x").active().at(6)]);
        let profile = desk.link("new").person.clone();
        desk.hear_all([
            user("new").idp(idp).email("b@x").active().at(5),
            user("old").of("d1").idp(idp).email("b@x").active().at(1),
        ]);
        assert!(desk.is_one("old", "new"));
        desk.hear_all([user("new").idp(idp).email("a@x").active().at(4)]);
        assert!(!desk.is_one("old", "new"));
        assert_eq!(desk.link("new").person, profile);
    }
}

#[test]
fn r31_a_newest_event_that_parts_two_people_leaves_the_profile_with_whom_it_was_made_for() {
    let mut desk = Desk::default();
    desk.hear_all([user("bob").email("b@x").number("7").active().at(5)]);
    let profile = desk.link("bob").person.clone();
    desk.hear_all([
        user("ada").email("a@x").number("7").inactive().at(1),
        user("ada").deleted().at(2),
    ]);
    assert!(desk.is_one("ada", "bob"));
    desk.hear_all([user("ada").active().at(9)]);
    assert!(!desk.is_one("ada", "bob"));
    assert_eq!(desk.link("bob").person, profile);
}

#[test]
fn r31_a_role_comes_back_where_there_was_no_removal_also_to_whom_a_person_has_to_let_in_first() {
    let removal = key(5);
    let mut rows = [Membership {
        community_id: "c".to_owned(),
        profile_id: "p".to_owned(),
        source: Source::Manual,
        given_for: None,
        role: Role::Member,
        former_role: Some(Role::Admin),
        stand_in: None,
        granted_at: minute(1),
        ended_at: None,
        ended_reason: None,
    }];
    let mut follow = |status, before| {
        let left = Left { before, now: None };
        follow_status(&mut rows, status, left, RestoreAdmin::Ask, minute(9));
        (rows[0].role, rows[0].ended_at.is_none())
    };
    assert!(!follow(Status::Pending, Some(&removal)).1);
    assert_eq!(follow(Status::Active, None), (Role::Admin, true));
}
