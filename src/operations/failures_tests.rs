//! Causes of failures, grouped.

use super::*;

#[test]
fn errors_that_differ_in_ids_only_have_one_cause() {
    let one = without_particulars("the group directory_group_01AB has no \"name of it\" at 12345");
    let other = without_particulars("the group directory_group_07XY has no \"other\" at 99999");
    assert_eq!(one, "the group … has no … at …");
    assert_eq!(one, other);
}

#[test]
fn the_filter_of_a_replay_is_what_all_of_them_say() {
    assert_eq!(
        longest_piece("… carries no data object …"),
        "carries no data object"
    );
    assert_eq!(longest_piece(""), "");
}

#[test]
fn an_address_is_never_part_of_a_cause() {
    assert_eq!(
        without_particulars("550 <ada@example.com> unknown"),
        "550 … unknown"
    );
}

fn failure(cause: &str, count: i64, at: i64) -> FailureView {
    FailureView {
        about: "event",
        kind: "dsync.user.created".to_owned(),
        state: "failed".to_owned(),
        cause: cause.to_owned(),
        destination: None,
        count,
        first_at: Some(Timestamp(at)),
        last_at: Some(Timestamp(at)),
        example: Some(at.to_string()),
        what_to_do: "",
        replay: None,
        resend: None,
    }
}

#[test]
fn causes_are_added_up_and_come_newest_first() {
    let all = [failure("a", 2, 1), failure("b", 1, 5), failure("a", 3, 4)];
    let causes = grouped(all.into_iter());
    let short: Vec<_> = causes.iter().map(|one| (&*one.cause, one.count)).collect();
    assert_eq!(short, [("b", 1), ("a", 5)]);
    assert_eq!(causes[1].example.as_deref(), Some("4"));
    assert_eq!(causes[1].first_at, Some(Timestamp(1)));
}
