//! Whose an address is: R21 to R26, R32, C1.

use crate::domain::Status;

use super::desk::Desk;
use super::teller::{after, gone, linked, user};

fn three() -> Desk {
    let hired = |n: u32, email: &str| {
        let id = format!("u{n}");
        user(&id).idp(&format!("i{n}")).email(email).active().at(n)
    };
    after([hired(1, "a@x"), hired(2, "b@x"), hired(3, "c@x")])
}

fn addresses(desk: &Desk) -> Vec<Option<String>> {
    let shown = ["u1", "u2", "u3"].map(|id| desk.shows(id, "email"));
    shown.to_vec()
}

#[test]
fn r23_two_people_exchange_addresses() {
    for (first, second) in [(10, 11), (11, 10)] {
        let mut desk = three();
        desk.hear_all([
            user("u1").email("b@x").at(first),
            user("u2").email("a@x").at(second),
        ]);
        let wanted = ["b@x", "a@x", "c@x"].map(|email| Some(email.to_owned()));
        assert_eq!(addresses(&desk), wanted);
        assert_eq!((desk.asks("u1"), desk.asks("u2")), (None, None));
    }
}

#[test]
fn r23_three_people_rotate_addresses_and_nobody_answers_for_another_meanwhile() {
    let mut desk = three();
    desk.hear_all([
        user("u1").email("b@x").at(10),
        user("u2").email("c@x").at(11),
    ]);
    assert_eq!(
        addresses(&desk),
        [Some("b@x".to_owned()), None, Some("c@x".to_owned())],
        "b@x is given to the first, and no former one is shown in its place"
    );
    desk.hear_all([user("u3").email("a@x").at(12)]);
    let wanted = ["b@x", "c@x", "a@x"].map(|email| Some(email.to_owned()));
    assert_eq!(addresses(&desk), wanted);
}

#[test]
fn r24_what_an_ended_link_once_had_is_nobodys() {
    let mut desk = after([
        user("p1").idp("i1").email("a@x").active().at(1),
        user("p1").deleted().at(2),
        user("p2").idp("i1").email("a@x").active().at(3),
        user("p2").email("new@x").at(4),
        user("q").idp("i2").email("a@x").active().at(5),
    ]);
    assert!(!desk.is_one("p2", "q"));
    assert_eq!(desk.waits_over("q"), None);
    assert_eq!(desk.status("q"), Status::Active);
    assert_eq!(desk.shows("q", "email").as_deref(), Some("a@x"));
    desk.hear_all([gone("d0", 6)]);
    assert!(
        !desk.is_one("p2", "q"),
        "not by a directory that goes either"
    );
    desk.hear_all([linked("d0", "okta", 7), user("p2").deleted().at(8)]);
    assert_eq!(desk.status("p2"), Status::Removed);
}

#[test]
fn r24_an_address_that_two_people_have_by_nothing_better_is_neither_s() {
    let returns = |old: &str, new: &str, idp: &str, at: u32| {
        [
            user(old).idp(idp).email("a@x").active().at(at),
            user(old).deleted().at(at + 1),
            user(new).idp(idp).active().at(at + 2),
        ]
    };
    let mut desk = after(returns("p1", "p2", "i1", 1));
    assert_eq!(desk.shows("p2", "email").as_deref(), Some("a@x"));
    desk.hear_all(returns("q1", "q2", "i2", 11));
    assert!(!desk.is_one("p2", "q2"));
    assert_eq!(desk.shows("p2", "email"), None);
    assert_eq!(desk.shows("q2", "email"), None);
}

#[test]
fn r25_a_former_address_that_is_shown_is_nobody_elses_by_an_older_record() {
    let desk = after([
        user("p").idp("i1").email("b@x").active().at(1),
        user("q1").idp("i2").active().at(2),
        user("r").of("d1").idp("i1").email("a@x").active().at(3),
        user("p").email("a@x").at(4),
        user("q2").idp("i2").email("b@x").at(5),
    ]);
    assert!(desk.is_one("q1", "q2"));
    assert_eq!(desk.shows("p", "email").as_deref(), Some("b@x"));
    assert_eq!(desk.shows("q1", "email"), None);
}

#[test]
fn r21_adoption_by_address_does_not_rewrite_it_and_later_events_may() {
    let mut desk = after([
        user("u1").email("Ada@X.com").inactive().at(1),
        user("u2").of("d1").email("ada@x.com").active().at(3),
    ]);
    assert!(desk.is_one("u1", "u2"));
    assert_eq!(desk.shows("u2", "email").as_deref(), Some("Ada@X.com"));
    desk.hear_all([user("u2").of("d1").email("ada@x.com").at(4)]);
    assert_eq!(desk.shows("u2", "email").as_deref(), Some("ada@x.com"));
}

#[test]
fn r22_case_does_not_count_in_an_address_and_is_shown_as_written() {
    let desk = after([
        user("u1").idp("i1").email("Ada@X.com").active().at(1),
        user("u2").idp("i2").email("ada@x.com").active().at(2),
    ]);
    assert_eq!(desk.waits_over("u2"), Some("email"));
    assert_eq!(desk.shows("u1", "email").as_deref(), Some("Ada@X.com"));
}

#[test]
fn r23_a_new_address_is_the_same_person_and_the_old_one_is_free() {
    let mut desk = after([
        user("u1").idp("i1").email("ada@x").active().at(1),
        user("u1").idp("i1").email("lovelace@x").active().at(2),
    ]);
    assert_eq!(desk.shows("u1", "email").as_deref(), Some("lovelace@x"));
    desk.hear_all([user("u2").idp("i2").email("ada@x").active().at(3)]);
    assert!(!desk.is_one("u1", "u2"));
    assert_eq!(desk.status("u2"), Status::Active);
}

#[test]
fn r24_r32_a_reused_address_is_a_new_person_with_a_note() {
    let desk = after([
        user("u1")
            .idp("i1")
            .email("a@x")
            .named("Ada", "Lovelace")
            .active()
            .at(1),
        user("u1").deleted().at(2),
        user("u2").idp("i2").email("a@x").active().at(3),
    ]);
    assert!(!desk.is_one("u1", "u2"));
    assert_eq!(desk.shows("u2", "first_name"), None);
    let person = &desk.cluster[0].people[&desk.link("u2").person];
    assert_eq!(
        person.possible_rehire_of.as_ref(),
        Some(&desk.link("u1").person)
    );
}

#[test]
fn r25_the_second_user_of_an_address_waits_and_the_first_is_untouched() {
    let mut desk = after([user("u1").idp("i1").email("a@x").active().at(1)]);
    let first = desk.profile("u1");
    desk.hear_all([user("u2").idp("i2").email("a@x").active().at(2)]);
    assert_eq!(desk.waits_over("u2"), Some("email"));
    assert_ne!(desk.status("u2"), Status::Active);
    assert_eq!(desk.profile("u1"), first);
}

#[test]
fn r25_c1_who_waits_gets_the_address_once_it_is_free_as_somebody_new() {
    let desk = after([
        user("u1").idp("i1").email("a@x").active().at(1),
        user("u2").idp("i2").email("a@x").active().at(2),
        user("u1").inactive().at(3),
    ]);
    assert_eq!(desk.waits_over("u2"), None);
    assert_eq!(desk.status("u2"), Status::Active);
    assert!(
        !desk.is_one("u1", "u2"),
        "R24: the leaver's profile is not theirs"
    );
}

#[test]
fn r25_an_address_of_somebody_else_is_kept_aside_until_it_is_free() {
    let mut desk = after([
        user("u1").idp("i1").email("a@x").active().at(1),
        user("u2").idp("i2").email("b@x").active().at(2),
        user("u2").idp("i2").email("a@x").active().at(3),
        user("u2").named("Bo", "Dahl").at(4),
    ]);
    assert_eq!(desk.shows("u2", "email").as_deref(), Some("b@x"));
    assert_eq!(desk.status("u2"), Status::Active);
    desk.hear_all([user("u1").deleted().at(5)]);
    assert_eq!(desk.shows("u2", "email").as_deref(), Some("a@x"));
}

#[test]
fn c1_a_chain_of_addresses_is_freed_to_its_end() {
    // Each wants what the next one has, and spoke before it: a round frees one address only.
    let desk = after([
        user("u3").idp("i3").email("c@x").active().at(1),
        user("u2").idp("i2").email("c@x").active().at(2),
        user("u4").idp("i4").email("b@x").active().at(3),
        user("u3").idp("i3").email("b@x").active().at(4),
        user("u9").idp("i9").email("a@x").active().at(5),
        user("u4").idp("i4").email("a@x").active().at(6),
        user("u9").deleted().at(7),
    ]);
    assert_eq!(desk.shows("u4", "email").as_deref(), Some("a@x"));
    assert_eq!(desk.shows("u3", "email").as_deref(), Some("b@x"));
    assert_eq!(desk.waits_over("u2"), None);
    assert_eq!(desk.status("u2"), Status::Active);
}

#[test]
fn c1_r37_an_address_is_freed_at_once_by_whoever_moves_to_a_new_directory() {
    // Only the second round sees that the old record's address is free.
    let desk = after([
        linked("d1", "okta", 0),
        gone("d1", 1),
        user("u2").of("d1").idp("i2").email("b@x").at(2),
        user("u1").of("d1").idp("i1").email("b@x").active().at(3),
        user("u2").of("d1").idp("i2").no_email().active().at(4),
        linked("d0", "okta", 5),
        user("u1_again").idp("i1").email("a@x").active().at(6),
    ]);
    assert!(desk.is_one("u1", "u1_again"));
    assert_eq!(desk.shows("u1", "email").as_deref(), Some("a@x"));
    assert_eq!(desk.shows("u2", "email").as_deref(), Some("b@x"));
    assert_eq!(desk.link("u2").wanted_email, None);
}

#[test]
fn c1_an_older_event_that_comes_late_decides_the_conflict_anew() {
    let desk = after([
        user("u2").idp("i2").email("a@x").active().at(5),
        user("u1").idp("i1").email("a@x").active().at(1),
    ]);
    assert_eq!(desk.waits_over("u2"), Some("email"));
    assert_eq!(desk.status("u1"), Status::Active);
}

#[test]
fn c1_an_address_adopts_only_somebody_without_an_active_link() {
    let desk = after([
        user("u1").idp("i1").email("a@x").active().at(1),
        user("u2").of("d1").idp("i2").email("a@x").active().at(2),
    ]);
    assert!(!desk.is_one("u1", "u2"));
    assert_eq!(desk.waits_over("u2"), Some("email"));
}

#[test]
fn r26_somebody_without_an_address_has_a_profile_and_a_flag() {
    let desk = after([user("u1")
        .idp("i1")
        .no_email()
        .named("Ada", "L")
        .active()
        .at(1)]);
    assert_eq!(desk.status("u1"), Status::Active);
    assert_eq!(desk.profile("u1").warnings, ["email: none known"]);
}
