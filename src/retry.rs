//! When to try again: exponential with full jitter and a cap, pure, so that it is tested without
//! waiting. Jitter comes from the id and the attempt: no random source, and no herd.

use std::time::Duration;

const BASE: Duration = Duration::from_secs(1);
const CAP: Duration = Duration::from_secs(15 * 60);

/// How long to wait after the given failed attempt (1 is the first): between half and all of
/// 1 s, 2 s, 4 s … up to 15 minutes.
pub fn wait_after(attempt: u32, seed: i64) -> Duration {
    let full = BASE.saturating_mul(1_u32 << attempt.saturating_sub(1).min(20)).min(CAP);
    let half = full / 2;
    let spread = u64::try_from(half.as_millis()).unwrap_or(u64::MAX).max(1);
    half + Duration::from_millis(scramble(seed, attempt) % spread)
}

/// SplitMix64: well spread for consecutive ids.
fn scramble(seed: i64, attempt: u32) -> u64 {
    let mut x = seed.cast_unsigned().wrapping_add(u64::from(attempt).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_and_stop_growing_at_a_quarter_of_an_hour() {
        for seed in 0..200 {
            assert!((500..=1_000).contains(&wait_after(1, seed).as_millis()));
            assert!((2_000..=4_000).contains(&wait_after(3, seed).as_millis()));
            assert!(wait_after(40, seed) <= CAP);
        }
    }

    #[test]
    fn neighbours_do_not_come_back_together() {
        let waits: std::collections::BTreeSet<u128> = (0..50).map(|seed| wait_after(6, seed).as_millis()).collect();
        assert!(waits.len() > 40, "{waits:?}");
    }
}
