//! How far this machine's clock is from the database server's, as it was last measured: several machines at
//! one database compare due times, leases and heartbeats, and one whose clock is a minute ahead must neither
//! delay a termination by a minute nor take the others for dead.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use super::Timestamp;

/// Clocks that are further apart than this are worth a warning.
pub const MOST_APART: Duration = Duration::from_secs(2);

/// A difference that changed by less than this is left as it is: nothing waits for a tenth of a second, and a
/// clock that jumps to and fro with every measurement would put what follows out of order.
const STEADY_MICROS: i64 = 100_000;

/// The difference, shared by every part that asks what time it is.
#[derive(Debug, Default)]
pub struct Skew {
    ahead: AtomicI64,
}

impl Skew {
    /// Takes a measurement: by how many microseconds this machine is ahead of the database server; below zero
    /// it is behind.
    pub fn measured(&self, ahead: i64) {
        if ahead.saturating_sub(self.ahead()).abs() >= STEADY_MICROS {
            self.ahead.store(ahead, Ordering::Relaxed);
        }
    }

    /// By how many microseconds this machine is ahead.
    pub fn ahead(&self) -> i64 {
        self.ahead.load(Ordering::Relaxed)
    }

    /// What the database server's clock says when this machine's says `now`.
    pub(super) fn correct(&self, now: Timestamp) -> Timestamp {
        Timestamp(now.0.saturating_sub(self.ahead()))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::Clock;
    use super::*;

    #[test]
    fn a_machine_that_is_a_minute_ahead_says_what_the_database_says() {
        let skew = Arc::new(Skew::default());
        let clock = Clock::Database(Arc::clone(&skew));
        skew.measured(60_000_000);
        let apart = clock.machine_now().since(clock.now());
        assert!(apart >= Duration::from_secs(59) && apart < Duration::from_secs(61));
        skew.measured(-60_000_000);
        assert!(clock.now().since(clock.machine_now()) >= Duration::from_secs(59));
    }

    #[test]
    fn what_changes_by_less_than_a_tenth_of_a_second_moves_nothing() {
        let skew = Skew::default();
        for ahead in [40_000, -70_000, 99_999] {
            skew.measured(ahead);
            assert_eq!(skew.ahead(), 0);
        }
        skew.measured(100_000);
        assert_eq!(skew.ahead(), 100_000);
    }

    #[test]
    fn a_clock_of_a_test_is_corrected_by_nobody() {
        let clock = Clock::fixed(Timestamp(1));
        assert_eq!(
            (clock.now(), clock.machine_now()),
            (Timestamp(1), Timestamp(1))
        );
    }
}
