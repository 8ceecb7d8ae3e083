//! When removals stop being applied one by one (R40): more of them within an hour, by time of
//! receipt, than a floor or a share of the people there. Pure; the worker counts.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;

/// The rolling window (C6).
pub const WINDOW: Duration = Duration::from_secs(3_600);

/// What becomes of the access of those whose removal waits for an operator (R40).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HeldAccess {
    /// It is refused until an operator decides, and comes back with a rejection.
    #[default]
    Suspend,
    /// They may come in until an operator decides.
    Keep,
}

impl HeldAccess {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Suspend => "suspend",
            Self::Keep => "keep",
        }
    }
}

/// How many removals an hour may bring.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RemovalGuard {
    /// Always this many.
    pub floor: u32,
    /// Or this share of the people with access, in percent.
    pub percent: u32,
    /// For so many seconds a removal waits before it is looked at, so that a burst is seen whole and
    /// none of it is applied (R41). It delays every removal by as much; 0 applies each at once.
    pub settle_seconds: u32,
    /// Whether those whose removal waits for an operator may come in meanwhile (R40).
    pub access: HeldAccess,
}

impl Default for RemovalGuard {
    fn default() -> Self {
        Self {
            floor: 20,
            percent: 5,
            settle_seconds: 0,
            access: HeldAccess::Suspend,
        }
    }
}

/// How many memberships rules may end within an hour (R53): counted as removals are, but nobody's access hangs
/// on it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LeaveGuard {
    /// Always this many.
    pub floor: u32,
    /// Or this share of the people with access, in percent.
    pub percent: u32,
    /// Not used: a membership is ended or held at once.
    pub settle_seconds: u32,
}

impl Default for LeaveGuard {
    fn default() -> Self {
        let RemovalGuard {
            floor,
            percent,
            settle_seconds,
            ..
        } = RemovalGuard::default();
        Self {
            floor,
            percent,
            settle_seconds,
        }
    }
}

impl From<LeaveGuard> for RemovalGuard {
    fn from(guard: LeaveGuard) -> Self {
        Self {
            floor: guard.floor,
            percent: guard.percent,
            settle_seconds: guard.settle_seconds,
            ..Self::default()
        }
    }
}

impl RemovalGuard {
    /// How many may be applied within the window, with so many people there when it began.
    pub fn limit(&self, headcount: usize) -> usize {
        let share = headcount.saturating_mul(self.percent as usize) / 100;
        share.max(self.floor as usize)
    }

    /// How long a removal waits before it is looked at.
    pub fn settle(&self) -> Duration {
        Duration::from_secs(u64::from(self.settle_seconds))
    }

    /// Whether one more removal received at `at` is one too many. `recent` are the times of receipt
    /// of the others, held ones included; with a settle delay those that came after it count, too.
    pub fn trips(&self, recent: &[Timestamp], at: Timestamp, headcount: usize) -> bool {
        let (begin, end) = (at.minus(WINDOW), at.plus(self.settle()));
        let within = recent
            .iter()
            .filter(|earlier| **earlier > begin && **earlier <= end)
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
    fn r41_with_a_settle_delay_the_rest_of_a_burst_counts_for_its_first() {
        let at_once = RemovalGuard::default();
        let settling = RemovalGuard {
            settle_seconds: 300,
            ..at_once
        };
        let rest: Vec<Timestamp> = (0..20).map(|_| minutes(4)).collect();
        assert!(!at_once.trips(&rest, minutes(1), 100));
        assert!(settling.trips(&rest, minutes(1), 100));
        let too_late: Vec<Timestamp> = (0..20).map(|_| minutes(7)).collect();
        assert!(!settling.trips(&too_late, minutes(1), 100));
    }

    #[test]
    fn c6_removals_received_over_an_hour_ago_do_not_count() {
        let guard = RemovalGuard::default();
        let old: Vec<Timestamp> = (0..40).map(|_| minutes(0)).collect();
        assert!(!guard.trips(&old, minutes(60), 100));
        assert!(guard.trips(&old, minutes(59), 100));
    }
}
