//! When too much is due at once, pure. Of welcomes: more people within an hour than an operator would
//! expect, and everybody in such an hour is concerned (R59). Of any step's messages: those beyond the
//! limit of an hour, the first ones go (R80).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::clock::Timestamp;

/// The rolling window, by the time a welcome is due.
const WINDOW: Duration = Duration::from_secs(3_600);

/// One welcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Welcome {
    /// Of whom.
    pub profile_id: String,
    /// When it is due.
    pub due_at: Timestamp,
}

/// The people of every hour in which more than `limit` of them are welcomed.
pub fn too_many(welcomes: &[Welcome], limit: usize) -> BTreeSet<String> {
    let mut all: Vec<&Welcome> = welcomes.iter().collect();
    all.sort_by_key(|one| one.due_at);
    let mut concerned = BTreeSet::new();
    let mut within: BTreeMap<&str, usize> = BTreeMap::new();
    let mut first = 0;
    for (place, one) in all.iter().enumerate() {
        *within.entry(&one.profile_id).or_default() += 1;
        while all[first].due_at <= one.due_at.minus(WINDOW) {
            let gone = all[first].profile_id.as_str();
            if let Some(count) = within.get_mut(gone) {
                *count -= 1;
                if *count == 0 {
                    within.remove(gone);
                }
            }
            first += 1;
        }
        let last_of_its_time = all
            .get(place + 1)
            .is_none_or(|next| next.due_at != one.due_at);
        if within.len() > limit && last_of_its_time {
            concerned.extend(within.keys().map(|id| (*id).to_owned()));
        }
    }
    concerned
}

/// Which of the waiting messages would be more than `limit` within some hour, by their places; they are
/// asked one after the other, and `passed` are those that left or will leave.
pub fn beyond(passed: &[Timestamp], waiting: &[Timestamp], limit: usize) -> Vec<usize> {
    let mut passing: Vec<Timestamp> = passed.to_vec();
    passing.sort_unstable();
    let mut held = Vec::new();
    for (place, at) in waiting.iter().enumerate() {
        let from = passing.partition_point(|one| *one <= at.minus(WINDOW));
        let until = passing.partition_point(|one| *one < at.plus(WINDOW));
        let near = passing.get(from..until).unwrap_or_default();
        if would_be_too_many(near, *at, limit) {
            held.push(place);
        } else {
            let there = passing.partition_point(|one| one <= at);
            passing.insert(there, *at);
        }
    }
    held
}

/// Whether some hour around `at` would have more than `limit` with it. `near` is sorted.
fn would_be_too_many(near: &[Timestamp], at: Timestamp, limit: usize) -> bool {
    let begins = near.iter().copied().filter(|begin| *begin < at).chain([at]);
    for begin in begins {
        let from = near.partition_point(|one| *one < begin);
        let until = near.partition_point(|one| *one < begin.plus(WINDOW));
        if until - from + 1 > limit {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp(minute * 60_000_000)
    }

    #[test]
    fn r80_of_eighty_at_once_twenty_five_go_and_the_rest_wait() {
        let eighty = vec![at(0); 80];
        assert_eq!(beyond(&[], &eighty, 25), (25..80).collect::<Vec<_>>());
    }

    #[test]
    fn r80_many_small_batches_count_together_over_an_hour() {
        let mut passed = Vec::new();
        let mut held = 0;
        for minute in 0..50 {
            match beyond(&passed, &[at(minute)], 25).len() {
                0 => passed.push(at(minute)),
                more => held += more,
            }
        }
        assert_eq!((passed.len(), held), (25, 25));
        assert_eq!(
            beyond(&passed, &[at(60)], 25),
            Vec::<usize>::new(),
            "the first has left the hour"
        );
    }

    proptest! {
        #[test]
        fn r80_no_hour_ever_has_more_than_the_limit_and_nothing_is_held_without_need(
            minutes in proptest::collection::vec(0_i64..300, 0..80), limit in 1_usize..10, cut in 0_usize..80,
        ) {
            let all: Vec<Timestamp> = minutes.iter().map(|minute| at(*minute)).collect();
            let (first, second) = all.split_at(cut.min(all.len()));
            let mut passed = Vec::new();
            let mut held = Vec::new();
            for batch in [first, second] {
                let places = beyond(&passed, batch, limit);
                for (place, time) in batch.iter().enumerate() {
                    if places.contains(&place) { held.push(*time) } else { passed.push(*time) }
                }
            }
            let most = |times: &[Timestamp]| times.iter().map(|begin| {
                times.iter().filter(|one| *one >= begin && **one < begin.plus(WINDOW)).count()
            }).max().unwrap_or(0);
            prop_assert!(most(&passed) <= limit);
            for time in held {
                let mut with = passed.clone();
                with.push(time);
                prop_assert!(most(&with) > limit, "it could have gone");
            }
        }
    }

    fn welcomes(minutes: impl Iterator<Item = i64>) -> Vec<Welcome> {
        minutes
            .enumerate()
            .map(|(place, minute)| Welcome {
                profile_id: format!("p{place:04}"),
                due_at: Timestamp(minute * 60_000_000),
            })
            .collect()
    }

    #[test]
    fn r59_the_twenty_sixth_of_an_hour_concerns_all_twenty_six() {
        assert_eq!(too_many(&welcomes(0..25), 25).len(), 0);
        assert_eq!(too_many(&welcomes(0..26), 25).len(), 26);
    }

    #[test]
    fn r59_a_slow_trickle_is_no_burst() {
        let one_every_three_minutes = welcomes((0..500).map(|place| place * 3));
        assert_eq!(too_many(&one_every_three_minutes, 25).len(), 0);
        let after_an_hour = welcomes([0; 25].into_iter().chain([60; 25]));
        assert_eq!(too_many(&after_an_hour, 25).len(), 0);
    }

    #[test]
    fn r59_several_messages_about_one_person_are_one_welcome() {
        let mut all = welcomes(0..20);
        all.extend(welcomes(0..20));
        assert_eq!(too_many(&all, 25).len(), 0);
    }
}
