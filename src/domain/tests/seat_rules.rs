//! Groups and seats: R15 to R17, R29, R31, R76, C4, C5.

use crate::clock::Timestamp;
use crate::domain::{
    Edge, Group, LEFT, Left, Membership, RestoreAdmin, Role, Source, Status, follow_status,
};
use crate::workos::{self, OrderKey};

use super::teller::{after, key, minute, user};
use super::told::Told;

fn edge(at: u32, joins: bool) -> Told {
    let key = OrderKey {
        removal: !joins,
        ..key(at)
    };
    let said = workos::Membership {
        directory_id: "d0".to_owned(),
        organization_id: None,
        user_id: "u1".to_owned(),
        user_idp_id: None,
        group: group_said(None),
    };
    Told::Edge(key, said, joins)
}

fn group_said(name: Option<&str>) -> workos::Group {
    workos::Group {
        id: "g".to_owned(),
        directory_id: "d0".to_owned(),
        organization_id: None,
        idp_id: None,
        name: name.map(str::to_owned),
    }
}

fn group(at: u32, name: Option<&str>) -> Told {
    let key = OrderKey {
        removal: name.is_none(),
        ..key(at)
    };
    Told::Group(key, group_said(name))
}

fn holds(told: impl IntoIterator<Item = Told>) -> bool {
    let desk = after(told);
    let edge = &desk.edges[&("g".to_owned(), "u1".to_owned())];
    edge.holds(desk.groups.get("g"))
}

#[test]
fn r15_the_newest_word_about_a_user_and_a_group_wins_in_any_order() {
    assert!(holds([edge(1, true), edge(2, false), edge(3, true)]));
    assert!(!holds([edge(3, false), edge(1, true), edge(2, true)]));
}

#[test]
fn c4_in_one_instant_the_leave_and_the_groups_end_win() {
    assert!(!holds([edge(1, true), edge(1, false)]));
    assert!(!holds([edge(1, false), edge(1, true)]));
    assert!(!holds([group(1, None), edge(1, true)]));
}

#[test]
fn r16_an_edge_waits_for_its_user_and_group() {
    assert!(holds([edge(1, true)]));
    assert!(holds([
        edge(5, true),
        group(1, Some("Staff")),
        user("u1").active().at(2)
    ]));
}

#[test]
fn r17_a_deleted_group_ends_its_edges_and_a_late_one_does_not_reopen() {
    assert!(!holds([
        group(1, Some("Staff")),
        edge(2, true),
        group(5, None)
    ]));
    assert!(!holds([group(5, None), edge(2, true)]));
    assert!(!holds([
        group(5, None),
        edge(2, true),
        group(6, Some("Staff"))
    ]));
    assert!(holds([
        group(5, None),
        edge(7, true),
        group(6, Some("Staff"))
    ]));
}

#[test]
fn r52_a_renamed_group_keeps_its_edges_and_the_newest_name() {
    let desk = after([group(3, Some("New")), edge(1, true), group(2, Some("Old"))]);
    assert_eq!(desk.groups["g"].name, "New");
    assert!(
        desk.edges
            .values()
            .all(|edge| edge.holds(desk.groups.get("g")))
    );
}

#[test]
fn r11_each_part_of_a_group_keeps_its_own_newest_word() {
    let mut known = Group::unnamed("g", "d0");
    known.learn(&key(3), None, Some("id3"));
    known.learn(&key(2), Some("Staff"), Some("id2"));
    assert_eq!(
        (known.name.as_str(), known.idp_id.as_deref()),
        ("Staff", Some("id3"))
    );
}

#[test]
fn r76_an_edge_makes_nobody_active_and_rewrites_nothing() {
    let desk = after([
        user("u1").email("a@x").active().at(1),
        user("u1").deleted().at(2),
        edge(3, true),
    ]);
    assert_eq!(desk.status("u1"), Status::Removed);
    let unknown = after([edge(1, true)]);
    assert_eq!(unknown.profiles().len(), 0);
}

fn seat(role: Role, source: Source) -> Membership {
    Membership {
        community_id: "c".to_owned(),
        profile_id: "p".to_owned(),
        source,
        role,
        given_for: None,
        former_role: None,
        stand_in: None,
        granted_at: minute(1),
        ended_at: None,
        ended_reason: None,
    }
}

fn left<'a>(before: Option<&'a OrderKey>, now: Option<&'a OrderKey>) -> Left<'a> {
    Left { before, now }
}

fn leave_and_return(policy: RestoreAdmin) -> Vec<Membership> {
    let mut rows = vec![
        seat(Role::Member, Source::Manual),
        seat(Role::Admin, Source::Manual),
        seat(Role::Admin, Source::Rule),
    ];
    follow_status(
        &mut rows,
        Status::Removed,
        left(None, Some(&key(5))),
        policy,
        minute(6),
    );
    follow_status(
        &mut rows,
        Status::Active,
        left(Some(&key(5)), Some(&key(5))),
        policy,
        minute(8),
    );
    rows
}

#[test]
fn r29_a_removal_ends_every_membership_member_and_admin() {
    let mut rows = vec![
        seat(Role::Member, Source::Rule),
        seat(Role::Admin, Source::Manual),
    ];
    follow_status(
        &mut rows,
        Status::Removed,
        left(None, Some(&key(5))),
        RestoreAdmin::Ask,
        minute(6),
    );
    assert!(rows.iter().all(|row| row.ended_at == Some(minute(6)) && row.ended_reason.as_deref() == Some(LEFT)));
    let again = rows.clone();
    follow_status(
        &mut rows,
        Status::Removed,
        left(None, Some(&key(5))),
        RestoreAdmin::Ask,
        minute(9),
    );
    assert_eq!(rows, again, "was not a member is success");
}

#[test]
fn r31_c5_a_return_opens_the_memberships_and_admin_seats_by_policy() {
    let roles = |policy| {
        leave_and_return(policy)
            .iter()
            .map(|row| (row.role, row.former_role))
            .collect::<Vec<_>>()
    };
    use Role::{Admin, Member};
    assert!(
        leave_and_return(RestoreAdmin::Ask)
            .iter()
            .all(|row| row.ended_at.is_none())
    );
    assert_eq!(
        roles(RestoreAdmin::Ask),
        [(Member, None), (Member, Some(Admin)), (Admin, None)]
    );
    assert_eq!(
        roles(RestoreAdmin::Never),
        [(Member, None), (Member, None), (Admin, None)]
    );
    assert_eq!(
        roles(RestoreAdmin::Always),
        [(Member, None), (Admin, None), (Admin, None)]
    );
}

#[test]
fn r31_what_an_operator_ended_stays_ended() {
    let mut rows = vec![seat(Role::Member, Source::Manual)];
    rows[0].ended_at = Some(minute(2));
    rows[0].ended_reason = Some("by an operator".to_owned());
    let before = rows.clone();
    follow_status(
        &mut rows,
        Status::Removed,
        left(None, Some(&key(5))),
        RestoreAdmin::Ask,
        minute(6),
    );
    follow_status(
        &mut rows,
        Status::Active,
        left(Some(&key(5)), Some(&key(5))),
        RestoreAdmin::Ask,
        minute(8),
    );
    assert_eq!(rows, before);
}

#[test]
fn r14_an_admin_seat_falls_also_where_the_absence_is_learned_too_late_and_comes_back_where_it_never_was()
 {
    let mut rows = vec![seat(Role::Admin, Source::Manual)];
    follow_status(
        &mut rows,
        Status::Active,
        left(None, Some(&key(5))),
        RestoreAdmin::Ask,
        minute(9),
    );
    assert_eq!(
        (rows[0].role, rows[0].former_role),
        (Role::Member, Some(Role::Admin))
    );
    follow_status(
        &mut rows,
        Status::Active,
        left(Some(&key(5)), None),
        RestoreAdmin::Ask,
        minute(9),
    );
    assert_eq!((rows[0].role, rows[0].former_role), (Role::Admin, None));
    let mut later = vec![Membership {
        granted_at: minute(7),
        ..seat(Role::Admin, Source::Manual)
    }];
    follow_status(
        &mut later,
        Status::Active,
        left(Some(&key(5)), Some(&key(5))),
        RestoreAdmin::Ask,
        Timestamp(1),
    );
    assert_eq!(later[0].role, Role::Admin, "given after the return");
}

/// An admin role given at minute 7 to somebody whose removal, dated minute 5, is applied after that.
fn given_before_the_removal_was_known() -> Vec<Membership> {
    vec![Membership {
        granted_at: minute(7),
        ..seat(Role::Admin, Source::Manual)
    }]
}

#[test]
fn r31_a_role_does_not_come_back_unasked_where_the_removal_is_dated_before_it_and_applied_after() {
    let ask = RestoreAdmin::Ask;
    let lowered = (Role::Member, Some(Role::Admin));
    let removal = key(5);
    let mut rows = given_before_the_removal_was_known();
    follow_status(
        &mut rows,
        Status::Removed,
        left(None, Some(&removal)),
        ask,
        minute(8),
    );
    let stays = left(Some(&removal), Some(&removal));
    follow_status(&mut rows, Status::Active, stays, ask, minute(9));
    assert_eq!((rows[0].role, rows[0].former_role), lowered);
    // What happens to them later gives nothing back either.
    follow_status(&mut rows, Status::OnLeave, stays, ask, minute(10));
    assert_eq!((rows[0].role, rows[0].former_role), lowered);
    // Removal and return in one batch are no other story (R14).
    let mut rows = given_before_the_removal_was_known();
    follow_status(
        &mut rows,
        Status::Active,
        left(None, Some(&removal)),
        ask,
        minute(9),
    );
    assert_eq!((rows[0].role, rows[0].former_role), lowered);
}

#[test]
fn r41_a_removal_that_was_taken_back_leaves_the_role_as_it_was() {
    let (first, wrong) = (key(5), key(9));
    let mut rows = given_before_the_removal_was_known();
    let ask = RestoreAdmin::Ask;
    follow_status(
        &mut rows,
        Status::Removed,
        left(Some(&first), Some(&wrong)),
        ask,
        minute(10),
    );
    follow_status(
        &mut rows,
        Status::Active,
        left(Some(&wrong), Some(&first)),
        ask,
        minute(11),
    );
    assert_eq!((rows[0].role, rows[0].former_role), (Role::Admin, None));
}

#[test]
fn r15_an_edge_says_whether_a_word_was_news() {
    let mut edge = Edge {
        group_id: "g".to_owned(),
        directory_user_id: "u".to_owned(),
        idp_id: None,
        present: true,
        key: key(3),
    };
    assert!(!edge.learn(&key(3), false) && !edge.learn(&key(2), false));
    assert!(edge.learn(&key(4), false));
}
