//! Who is meant: R20 to R26, R31, R32, R36, R37, C1.

use crate::roll::{LinkState, Status};

use super::teller::{after, gone, linked, user};

#[test]
fn r20_the_providers_id_comes_before_the_number_and_the_number_before_the_address() {
    let desk = after([
        user("u1").idp("i1").number("1").email("a@x").active().at(1),
        user("u1").inactive().at(2),
        user("u2").idp("i2").number("2").email("b@x").active().at(3),
        user("u3").email("c@x").inactive().at(3),
        user("by_number")
            .of("d1")
            .idp("i9")
            .number("2")
            .email("c@x")
            .active()
            .at(4),
        user("by_idp")
            .idp("i1")
            .number("2")
            .email("c@x")
            .active()
            .at(5),
    ]);
    assert!(desk.is_one("by_idp", "u1"));
    assert!(desk.is_one("by_number", "u2"));
}

#[test]
fn r20_more_than_one_candidate_is_never_guessed() {
    let desk = after([
        user("u1").email("a@x").inactive().at(1),
        user("u2").of("d1").email("a@x").inactive().at(2),
        user("u3").of("d2").email("a@x").active().at(3),
    ]);
    assert_eq!(desk.waits_over("u3"), Some("email"));
    assert_ne!(desk.status("u3"), Status::Active);
    let numbers = after([
        user("u1").idp("i1").number("7").active().at(1),
        user("u2").idp("i2").number("7").active().at(2),
    ]);
    assert_eq!(numbers.waits_over("u2"), Some("employee_number"));
}

#[test]
fn r20_a_providers_id_known_in_two_former_directories_is_never_guessed() {
    let told = |directory: &str, at| {
        user(&format!("u_{directory}"))
            .of(directory)
            .idp("7")
            .active()
            .at(at)
    };
    let desk = after([
        linked("d1", "okta", 1),
        linked("d2", "okta", 1),
        linked("d3", "okta", 1),
        told("d1", 2),
        told("d2", 3),
        gone("d1", 4),
        gone("d2", 5),
        told("d3", 6),
    ]);
    assert_eq!(desk.waits_over("u_d3"), Some("idp_id"));
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
    let person = &desk.kin[0].people[&desk.link("u2").person];
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

#[test]
fn r31_a_return_under_a_new_user_id_is_the_same_person() {
    let mut desk = after([user("u1")
        .idp("i1")
        .email("a@x")
        .named("Ada", "L")
        .active()
        .at(1)]);
    let id = desk.profile("u1").id;
    desk.hear_all([
        user("u1").deleted().at(2),
        user("u2").idp("i1").email("new@x").active().at(3),
    ]);
    let back = desk.profile("u2");
    assert_eq!((back.id, back.status), (id, Status::Active));
    assert_eq!(back.fields["first_name"], "Ada");
    assert_eq!(
        back.period, "first",
        "R33: no new start date, no new welcome"
    );
}

#[test]
fn r37_a_relinked_directory_brings_nobody_new() {
    let before = [
        linked("d0", "okta", 0),
        user("u1").idp("i1").email("a@x").active().at(1),
        gone("d0", 2),
    ];
    let mut desk = after(before);
    let id = desk.profile("u1").id;
    desk.hear_all([
        linked("d9", "okta", 3),
        user("u9")
            .of("d9")
            .idp("i1")
            .email("other@x")
            .active()
            .at(4),
    ]);
    assert_eq!(desk.profile("u9").id, id);
    assert_eq!(desk.profiles().len(), 1);
    assert_eq!(desk.state("u1"), LinkState::Moved);
    desk.hear_all([user("u9").of("d9").inactive().at(5)]);
    assert_eq!(
        desk.status("u9"),
        Status::Removed,
        "the detached link keeps nobody"
    );
}

#[test]
fn r37_a_small_id_of_another_provider_is_not_taken_for_the_same_person() {
    let desk = after([
        linked("d0", "okta", 0),
        user("u1").idp("42").email("a@x").active().at(1),
        gone("d0", 2),
        linked("d9", "workday", 3),
        user("u9").of("d9").idp("42").email("b@x").active().at(4),
    ]);
    assert!(!desk.is_one("u1", "u9"));
}

#[test]
fn r20_a_providers_id_that_passed_to_somebody_else_merges_nobody() {
    let desk = after([
        user("u1").idp("i1").email("a@x").active().at(1),
        user("u1").idp("i1b").email("a@x").active().at(2),
        user("u2").idp("i1").email("b@x").active().at(3),
    ]);
    assert!(!desk.is_one("u1", "u2"));
}
