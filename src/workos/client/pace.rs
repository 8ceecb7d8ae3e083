//! WorkOS's limits, kept on our side: 6,000 calls a minute, and four a second to `/directory_users`
//! of one directory (contract 9). Calls are spread, so that a long listing neither bursts nor is
//! told off; several processes share a limit by the leases that let only one of them list.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// 6,000 a minute, a little slower.
const ANY: Duration = Duration::from_millis(11);
/// Four a second of one directory, a little slower.
const OF_A_DIRECTORY: Duration = Duration::from_millis(260);

/// When the next call may leave.
#[derive(Debug)]
pub(super) struct Pace {
    next: Mutex<Next>,
}

#[derive(Debug)]
struct Next {
    any: Instant,
    of: BTreeMap<String, Instant>,
}

impl Pace {
    pub(super) fn new() -> Self {
        Self {
            next: Mutex::new(Next {
                any: Instant::now(),
                of: BTreeMap::new(),
            }),
        }
    }

    /// Waits until a call may leave; `directory` is the one whose limit it counts for.
    pub(super) async fn wait(&self, directory: Option<&str>) {
        let at = self.take(directory, Instant::now());
        tokio::time::sleep_until(at).await;
    }

    fn take(&self, directory: Option<&str>, now: Instant) -> Instant {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let mut at = next.any.max(now);
        if let Some(directory) = directory {
            at = at.max(next.of.get(directory).copied().unwrap_or(now));
            next.of.retain(|_, free| *free > now);
            next.of.insert(directory.to_owned(), at + OF_A_DIRECTORY);
        }
        next.any = next.any.max(now) + ANY;
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_directory_is_asked_at_most_four_times_a_second_and_another_beside_it() {
        let pace = Pace::new();
        let now = Instant::now();
        let one: Vec<Instant> = (0..5).map(|_| pace.take(Some("one"), now)).collect();
        assert!(one[4] - one[0] >= Duration::from_secs(1));
        assert!(pace.take(Some("two"), now) - now < Duration::from_millis(200));
    }

    #[tokio::test]
    async fn all_calls_together_stay_below_six_thousand_a_minute() {
        let pace = Pace::new();
        let now = Instant::now();
        let last = (0..6_000).map(|_| pace.take(None, now)).last();
        assert!(last.is_some_and(|last| last - now >= Duration::from_secs(60)));
    }
}
