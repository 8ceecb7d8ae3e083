//! How the places at one destination are shared out among the organizations that wait there (R94): who has
//! the fewest in hand first, then who waits longest; none has more than its share of the sender. Pure.

use std::collections::BTreeMap;

use crate::clock::Timestamp;

/// An organization that something is due for, since when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Waiting {
    pub organization_id: String,
    pub since: Timestamp,
}

/// Who gets how many of `places`, in the order in which they are served.
pub(super) fn divide(
    mut waiting: Vec<Waiting>,
    in_hand: &BTreeMap<String, usize>,
    share: usize,
    places: usize,
) -> Vec<(String, usize)> {
    let held = |row: &Waiting| in_hand.get(&row.organization_id).copied().unwrap_or(0);
    waiting.retain(|row| held(row) < share);
    waiting.sort_by_key(|row| (held(row), row.since));
    let mut given: Vec<(String, usize)> = Vec::new();
    let mut left = places;
    while left > 0 {
        let before = left;
        for row in &waiting {
            if left == 0 {
                break;
            }
            let so_far = given
                .iter_mut()
                .find(|(organization, _)| *organization == row.organization_id);
            match so_far {
                Some((_, count)) if held(row) + *count < share => *count += 1,
                Some(_) => continue,
                None => given.push((row.organization_id.clone(), 1)),
            }
            left -= 1;
        }
        if left == before {
            break;
        }
    }
    given
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(all: &[(&str, i64)]) -> Vec<Waiting> {
        let rows = all.iter().map(|(organization, since)| Waiting {
            organization_id: (*organization).to_owned(),
            since: Timestamp(*since),
        });
        rows.collect()
    }

    fn divided(
        all: &[(&str, i64)],
        held: &[(&str, usize)],
        share: usize,
        places: usize,
    ) -> Vec<(String, usize)> {
        let held = held.iter().map(|(of, count)| ((*of).to_owned(), *count));
        divide(waiting(all), &held.collect(), share, places)
    }

    #[test]
    fn r94_who_has_the_fewest_in_hand_comes_first_then_who_waits_longest() {
        let all = [("a", 1), ("b", 3), ("c", 2)];
        let held = [("a", 2)];
        let given = divided(&all, &held, 8, 2);
        assert_eq!(given, [("c".to_owned(), 1), ("b".to_owned(), 1)]);
    }

    #[test]
    fn r94_nobody_has_more_than_a_share_and_one_alone_has_what_is_free() {
        assert_eq!(divided(&[("a", 1)], &[], 8, 4), [("a".to_owned(), 4)]);
        assert_eq!(
            divided(&[("a", 1)], &[("a", 7)], 8, 4),
            [("a".to_owned(), 1)]
        );
        assert_eq!(divided(&[("a", 1)], &[("a", 8)], 8, 4), []);
        let given = divided(&[("a", 1), ("b", 2)], &[], 8, 3);
        assert_eq!(given, [("a".to_owned(), 2), ("b".to_owned(), 1)]);
    }
}
