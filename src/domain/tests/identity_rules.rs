//! Who is meant: R20 to R26, R31, R32, R36, R37, C1.

use crate::domain::{Asks, EmployeeNumbers, LinkState, Status};

use super::desk::Desk;
use super::teller::{after, gone, linked, user};
use super::told::Told;

#[test]
fn r20_the_providers_id_comes_before_the_number_and_the_number_before_the_address() {
    let desk = after([
        user("u1").idp("i1").number("1").email("a@x").active().at(1),
        user("u1").inactive().at(2),
        user("u2").idp("i2").number("2").email("b@x").active().at(3),
        user("u2").deleted().at(4),
        user("u3").email("c@x").inactive().at(4),
        user("by_number")
            .idp("i9")
            .number("2")
            .email("c@x")
            .active()
            .at(5),
        user("by_idp")
            .idp("i1")
            .number("2")
            .email("c@x")
            .active()
            .at(6),
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
    assert!(!numbers.is_one("u1", "u2"));
    assert_eq!(numbers.waits_over("u2"), None, "a number locks nobody out");
    assert_eq!(numbers.asks("u2"), Some(Asks::Conflict));
    assert_eq!(numbers.asks("u1"), None, "asked once");
}

fn second_directory(number: &str, email: &str) -> [Told; 2] {
    [
        user("p")
            .idp("i1")
            .number("1001")
            .email("p@x")
            .active()
            .at(1),
        user("q")
            .of("d1")
            .idp("q9")
            .number(number)
            .email(email)
            .active()
            .at(2),
    ]
}

#[test]
fn r20_one_number_in_two_directories_is_two_people() {
    let mut desk = after(second_directory("1001", "q@x"));
    assert!(!desk.is_one("p", "q"));
    assert_eq!(
        desk.asks("q"),
        None,
        "each directory has numbers of its own"
    );
    let q = desk.profile("q");
    desk.hear_all([user("p").deleted().at(3)]);
    assert_eq!(desk.status("p"), Status::Removed);
    assert_eq!(desk.profile("q"), q);
}

#[test]
fn r20_a_number_and_the_address_together_are_one_person() {
    let desk = after(second_directory("1001", "P@x"));
    assert!(desk.is_one("p", "q"));
}

#[test]
fn r20_a_shared_range_of_numbers_joins_what_nothing_contradicts() {
    let shared = |email: Option<&str>| {
        let mut desk = Desk::default();
        desk.settings.employee_numbers = EmployeeNumbers::Shared;
        let q = user("q").of("d1").idp("q9").number("1001");
        let q = email.into_iter().fold(q, |q, email| q.email(email));
        let [p, _] = second_directory("1001", "");
        desk.hear_all([p, q.active().at(2)]);
        desk
    };
    assert!(shared(None).is_one("p", "q"));
    let two = shared(Some("q@x"));
    assert!(!two.is_one("p", "q"));
    assert_eq!(two.asks("q"), Some(Asks::Conflict));
    assert_eq!(two.status("q"), Status::Active);
}

#[test]
fn r86_a_placeholder_is_no_number_no_address_and_no_providers_id() {
    for nothing in [" ", "0", "-", "N/A", "none", "unknown", "null", "TBD"] {
        let somebody = |id: &str, at| {
            let said = user(id).idp(nothing).number(nothing).email(nothing);
            said.active().at(at)
        };
        let desk = after([somebody("u1", 1), somebody("u2", 2)]);
        assert!(!desk.is_one("u1", "u2"), "{nothing:?}");
        assert_eq!(desk.status("u2"), Status::Active, "{nothing:?}");
        assert_eq!(desk.profile("u2").address_key, None, "{nothing:?}");
    }
    let desk = after([user("u1").number("N/A").active().at(1)]);
    let told = desk.profile("u1").warnings.join("; ");
    assert!(told.contains("employee_number: a placeholder"), "{told}");
}

#[test]
fn r20_what_a_fourth_claimant_shows_to_mean_nobody_comes_apart() {
    let hired = |n: u32, at| {
        let id = format!("u{n}");
        user(&id).idp(&format!("i{n}")).number("7").active().at(at)
    };
    let mut desk = after([
        hired(1, 1),
        user("u1").deleted().at(2),
        hired(2, 3),
        hired(3, 4),
        hired(4, 5),
    ]);
    assert!(desk.is_one("u1", "u2"), "a new record for an old one");
    desk.hear_all([hired(5, 6)]);
    assert!(!desk.is_one("u1", "u2"));
    assert_eq!(desk.status("u1"), Status::Removed);
    assert_eq!(desk.status("u2"), Status::Active);
    assert_eq!(desk.asks("u5"), None);
    let told = desk.profile("u5").warnings.join("; ");
    assert!(told.contains("more than 3 active people"), "{told}");
}

#[test]
fn r20_whom_a_number_made_one_are_two_once_the_first_is_back() {
    let mut desk = after([
        user("u1").idp("i1").number("7").email("a@x").active().at(1),
        user("u1").deleted().at(2),
        user("u2").idp("i2").number("7").email("b@x").active().at(3),
    ]);
    let profile = desk.profile("u1").id;
    assert!(desk.is_one("u1", "u2"));
    desk.hear_all([user("u1").active().at(4)]);
    assert!(!desk.is_one("u1", "u2"));
    assert_eq!(desk.profile("u1").id, profile, "R31");
    assert_eq!(desk.status("u2"), Status::Active);
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
