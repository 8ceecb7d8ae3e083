//! What operators decide about who is who: kept, found by whatever comes later, and the same whenever
//! they decided it (R14, R20, R25, R32).

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::domain::{Asks, Status, question};

use super::any_order::{arrivals, same, sorted, wanted};
use super::desk::Desk;
use super::story::histories;
use super::teller::{after, user};

/// What operators decide: who, whether they are the same, and before which batch. Nobody says two
/// things about the same two.
fn decisions(most: usize) -> impl Strategy<Value = Vec<(String, String, bool, usize)>> {
    let user =
        || (0u8..3, 0u8..2, 0u8..2).prop_map(|(who, d, again)| format!("u{who}.d{d}.{again}_0"));
    let one = (user(), user(), any::<bool>(), 0usize..12);
    proptest::collection::vec(one, 1..=most).prop_map(|all| {
        let mut told = std::collections::BTreeSet::new();
        let mut pairs = all;
        pairs.retain(|(one, other, ..)| {
            one != other
                && told.insert(std::cmp::max(
                    (one.clone(), other.clone()),
                    (other.clone(), one.clone()),
                ))
        });
        pairs
    })
}

#[test]
fn r20_what_operators_decided_comes_out_the_same_whenever_they_did() {
    let config = Config {
        cases: wanted(),
        failure_persistence: None,
        max_shrink_iters: 20_000,
        ..Config::default()
    };
    let told = (histories(12), decisions(4));
    let result = TestRunner::new(config).run(&told, |(history, decided)| {
        let mut early = Desk::default();
        for (one, other, same, _) in &decided {
            early.decide(one, other, *same);
        }
        for told in sorted(&history) {
            early.take(vec![told]);
        }
        let mut late = Desk::default();
        let mut open = decided;
        for (number, batch) in arrivals(&history).into_iter().enumerate() {
            open.retain(|(one, other, same, when)| {
                let now = *when <= number;
                if now {
                    late.decide(one, other, *same);
                }
                !now
            });
            late.take(batch);
        }
        for (one, other, same, _) in open {
            late.decide(&one, &other, same);
        }
        same(&early, &late)
    });
    if let Err(failure) = result {
        panic!("{failure}");
    }
}

impl Desk {
    pub fn asks(&self, link: &str) -> Option<Asks> {
        let mut cluster = self
            .cluster
            .iter()
            .filter(|cluster| cluster.links.contains_key(link));
        let cluster = cluster.next().unwrap();
        question(cluster, &cluster.links[link], &self.known()).map(|asked| asked.kind)
    }
}

fn two_under_one_address() -> Desk {
    after([
        user("u1").idp("i1").email("a@x").active().at(1),
        user("u2").idp("i2").email("a@x").active().at(2),
    ])
}

#[test]
fn r25_said_to_be_the_same_person_both_links_are_theirs() {
    let mut desk = two_under_one_address();
    assert_eq!(desk.asks("u2"), Some(Asks::Conflict));
    let first = desk.link("u1").person.clone();
    desk.decide("u2", "u1", true);
    assert!(desk.is_one("u1", "u2"));
    assert_eq!(desk.link("u1").person, first);
    assert_eq!((desk.asks("u1"), desk.asks("u2")), (None, None));
    desk.hear_all([user("u2").email("b@x").at(3), user("u1").inactive().at(4)]);
    assert_eq!(desk.status("u1"), Status::Active);
}

#[test]
fn r25_said_to_be_two_people_both_work_and_one_has_the_address() {
    let mut desk = two_under_one_address();
    desk.decide("u2", "u1", false);
    assert!(!desk.is_one("u1", "u2"));
    assert_eq!(desk.status("u2"), Status::Active);
    assert_eq!(desk.shows("u1", "email").as_deref(), Some("a@x"));
    assert_eq!(desk.shows("u2", "email"), None);
    assert_eq!(desk.asks("u2"), None);
    desk.hear_all([user("u1").deleted().at(3)]);
    assert_eq!(desk.shows("u2", "email").as_deref(), Some("a@x"));
}

#[test]
fn r25_an_address_kept_aside_is_asked_about_until_it_is_decided() {
    let mut desk = after([
        user("u1").idp("i1").email("a@x").active().at(1),
        user("u2").idp("i2").email("b@x").active().at(2),
        user("u2").email("a@x").at(3),
    ]);
    assert_eq!(desk.asks("u2"), Some(Asks::Address));
    assert_eq!(desk.shows("u2", "email").as_deref(), Some("b@x"));
    desk.decide("u2", "u1", false);
    assert_eq!(desk.asks("u2"), None);
    assert_eq!(desk.status("u2"), Status::Active);
    assert_eq!(desk.shows("u2", "email").as_deref(), Some("b@x"));
    desk.decide("u2", "u1", true);
    assert!(desk.is_one("u1", "u2"));
}

#[test]
fn r20_one_number_and_two_people_is_not_asked_again() {
    let mut desk = after([
        user("u1").idp("i1").number("7").active().at(1),
        user("u2").idp("i2").number("7").active().at(2),
    ]);
    desk.decide("u1", "u2", false);
    assert_eq!(desk.status("u2"), Status::Active);
    desk.hear_all([
        user("u1").inactive().at(3),
        user("u1").active().at(4),
        user("u2").deleted().at(5),
        user("u2").active().at(6),
    ]);
    assert!(!desk.is_one("u1", "u2"));
    assert_eq!((desk.waits_over("u1"), desk.waits_over("u2")), (None, None));
}

#[test]
fn r32_a_rehire_is_merged_by_hand_and_an_older_event_changes_nothing_of_it() {
    let mut desk = after([
        user("u1").idp("i1").email("a@x").active().at(2),
        user("u1").deleted().at(4),
        user("u2").idp("i2").email("a@x").active().at(6),
    ]);
    assert_eq!(desk.asks("u2"), Some(Asks::PossibleRehire));
    let former = desk.link("u1").person.clone();
    desk.decide("u2", "u1", true);
    assert_eq!(desk.link("u2").person, former);
    assert_eq!(desk.status("u2"), Status::Active);
    desk.hear_all([user("u1").named("Ada", "Lovelace").active().at(1)]);
    assert!(desk.is_one("u1", "u2"));
    assert_eq!(desk.asks("u2"), None);
}

#[test]
fn r32_somebody_else_who_got_the_address_is_not_asked_about_again() {
    let mut desk = after([
        user("u1").idp("i1").email("a@x").active().at(2),
        user("u1").deleted().at(4),
        user("u2").idp("i2").email("a@x").active().at(6),
    ]);
    desk.decide("u2", "u1", false);
    assert_eq!(desk.asks("u2"), None);
    assert_eq!(desk.status("u2"), Status::Active);
}
