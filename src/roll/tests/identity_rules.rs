//! Who is meant: R20 to R26, R31, R32, R36, R37, C1.

use crate::roll::{Asks, EmployeeNumbers, LinkState, Status};

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
