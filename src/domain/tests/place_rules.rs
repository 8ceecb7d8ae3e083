//! Who is in which group, and whose places have to be looked at again: C5, R52, R85.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{Edge, Group, Holder, displaced, standing_edges};

use super::teller::{after, key, user};

#[test]
fn r85_whoever_has_another_providers_id_now_may_be_in_other_groups() {
    let mut desk = after([user("u1").idp("i1").active().at(1)]);
    let before = desk.cluster[0].clone();
    desk.hear_all([user("u1").idp("i1").named("Ada", "L").active().at(2)]);
    let named = desk.cluster[0].clone();
    assert_eq!(displaced(&before, &named), BTreeSet::new());
    desk.hear_all([user("u1").idp("i2").active().at(3)]);
    let person = desk.link("u1").person.clone();
    assert_eq!(
        displaced(&named, &desk.cluster[0]),
        BTreeSet::from([person]),
        "the link is there before and after, and is called otherwise"
    );
}

#[test]
fn r52_a_group_that_is_renamed_turns_both_names() {
    let mut group = Group::unnamed("g1", "d0");
    group.learn(&key(1), Some("Red"), None);
    let before = group.clone();
    assert_eq!(group.names_turned(None), BTreeSet::from(["Red"]));
    assert_eq!(group.names_turned(Some(&before)), BTreeSet::new());
    group.learn(&key(2), Some("Blue"), None);
    assert_eq!(
        group.names_turned(Some(&before)),
        BTreeSet::from(["Blue", "Red"]),
        "another group that was called Blue is not any more, and one that was Red is again"
    );
}

#[test]
fn c5_a_newer_word_about_an_ended_record_takes_no_place_from_its_successor() {
    let record = |id, active| Holder {
        directory_user_id: id,
        directory_id: "d0",
        idp_id: Some("i1"),
        active,
    };
    let word = |user: &str, present, minute| Edge {
        group_id: "g1".to_owned(),
        directory_user_id: user.to_owned(),
        idp_id: None,
        present,
        key: key(minute),
    };
    let (joined, left) = (word("new", true, 1), word("old", false, 2));
    let edges = BTreeMap::from([
        ("new".to_owned(), vec![joined.clone()]),
        ("old".to_owned(), vec![left.clone()]),
    ]);
    let groups = BTreeMap::new();
    let both = [record("old", false), record("new", true)];
    assert_eq!(standing_edges(&both, &edges, &groups), [&joined]);
    let both = [record("old", true), record("new", true)];
    assert_eq!(
        standing_edges(&both, &edges, &groups),
        [&joined],
        "any record that is active and has the place"
    );
    let former = BTreeMap::from([("old".to_owned(), vec![left.clone()])]);
    let both = [record("old", false), record("new", true)];
    assert_eq!(
        standing_edges(&both, &former, &groups),
        [&left],
        "what was said of the ended record carries over"
    );
}
