//! When removals stop being applied one by one (R40): more of them within an hour, by time of
//! receipt, than a floor or a share of the people there. Pure; the worker counts.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;

/// The rolling window (C6).
pub const WINDOW: Duration = Duration::from_secs(3_600);
/// Undecided for so long, a held removal suspends access and keeps seats (R40).
pub const SUSPEND_AFTER: Duration = Duration::from_secs(4 * 3_600);

/// How many removals an hour may bring.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RemovalGuard {
    /// Always this many.
    pub floor: u32,
    /// Or this share of the people with access, in percent.
    pub percent: u32,
}

impl Default for RemovalGuard {
    fn default() -> Self {
        Self {
            floor: 20,
            percent: 5,
        }
    }
}

impl RemovalGuard {
    /// How many may be applied within the window, with so many people there when it began.
    pub fn limit(&self, headcount: usize) -> usize {
        let share = headcount.saturating_mul(self.percent as usize) / 100;
        share.max(self.floor as usize)
    }

    /// Whether one more removal received at `at` is one too many. `recent` are the times of receipt
    /// of the earlier ones, held ones included.
    pub fn trips(&self, recent: &[Timestamp], at: Timestamp, headcount: usize) -> bool {
        let begin = at.minus(WINDOW);
        let within = recent
            .iter()
            .filter(|earlier| **earlier > begin && **earlier <= at)
            .count();
        within >= self.limit(headcount)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minutes(at: i64) -> Timestamp {
        Timestamp(at * 60_000_000)
    }

    #[test]
    fn r40_the_twenty_first_removal_of_an_hour_is_one_too_many() {
        let guard = RemovalGuard::default();
        let nineteen: Vec<Timestamp> = (0..19).map(minutes).collect();
        let twenty: Vec<Timestamp> = (0..20).map(minutes).collect();
        assert!(!guard.trips(&nineteen, minutes(30), 100));
        assert!(guard.trips(&twenty, minutes(30), 100));
    }

    #[test]
    fn r40_in_a_large_company_five_in_a_hundred_may_go() {
        let guard = RemovalGuard::default();
        let all: Vec<Timestamp> = (0..49).map(|_| minutes(1)).collect();
        assert!(!guard.trips(&all, minutes(2), 1_000));
        let all: Vec<Timestamp> = (0..50).map(|_| minutes(1)).collect();
        assert!(guard.trips(&all, minutes(2), 1_000));
    }

    #[test]
    fn c6_removals_received_over_an_hour_ago_do_not_count() {
        let guard = RemovalGuard::default();
        let old: Vec<Timestamp> = (0..40).map(|_| minutes(0)).collect();
        assert!(!guard.trips(&old, minutes(60), 100));
        assert!(guard.trips(&old, minutes(59), 100));
    }
}
