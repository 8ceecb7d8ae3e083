//! When too many welcomes are due at once (R59), pure: more people within an hour than an operator
//! would expect. Everybody in such an hour is concerned, not only those who came last.

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

#[cfg(test)]
mod tests {
    use super::*;

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
