//! What is learned from how a child ended: only its own death over one event alone is evidence.

use super::*;

fn tried(in_hand: &[&[i64]], end: End) -> Tried {
    Tried {
        greeted: true,
        in_hand: in_hand.iter().map(|rows| rows.to_vec()).collect(),
        worked: Vec::new(),
        end,
    }
}

#[test]
fn r92_a_death_over_several_makes_each_of_them_a_suspect_and_nobody_guilty() {
    let mut suspects = Suspects::of(10);
    assert_eq!(
        suspects.learn(&tried(&[&[1, 2], &[3, 4]], End::Killed(9))),
        None
    );
    assert_eq!(suspects.singly, [3, 4]);
    assert!(suspects.deaths.is_empty());
}

#[test]
fn r92_three_deaths_over_one_alone_are_evidence_and_its_neighbours_go_free() {
    let mut suspects = Suspects::of(10);
    suspects.learn(&tried(&[&[3, 4, 5]], End::Killed(6)));
    // 3 was worked off, 4 was in hand alone.
    assert_eq!(suspects.learn(&tried(&[&[3], &[4]], End::Killed(6))), None);
    assert_eq!(suspects.singly, [5, 4]);
    assert_eq!(suspects.learn(&tried(&[&[5], &[4]], End::Killed(6))), None);
    assert_eq!(
        suspects.learn(&tried(&[&[4]], End::Killed(6))),
        Some((4, 6))
    );
    assert!(suspects.singly.is_empty());
}

#[test]
fn r92_a_child_that_could_not_go_on_or_was_asked_to_stop_proves_nothing() {
    let mut suspects = Suspects::of(10);
    suspects.learn(&tried(&[&[3, 4]], End::Killed(9)));
    for _ in 0..10 {
        assert_eq!(suspects.learn(&tried(&[&[3]], End::Stopped)), None);
    }
    assert!(suspects.deaths.is_empty());
    assert_eq!(suspects.learn(&tried(&[&[3], &[4]], End::Finished)), None);
    assert!(suspects.singly.is_empty());
}

#[test]
fn r92_only_signals_that_are_not_sent_to_whole_groups_count() {
    assert_eq!(ended(ExitStatus::from_raw(0), false), End::Finished);
    assert_eq!(ended(ExitStatus::from_raw(0), true), End::Full);
    assert_eq!(ended(ExitStatus::from_raw(69 << 8), false), End::Stopped);
    assert_eq!(
        ended(ExitStatus::from_raw(libc::SIGTERM), false),
        End::Stopped
    );
    assert_eq!(
        ended(ExitStatus::from_raw(libc::SIGABRT), false),
        End::Killed(6)
    );
}
