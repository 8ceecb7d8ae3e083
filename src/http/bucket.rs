//! Buckets that refill with time, one for each key: how often somebody may do something. In this process
//! only, and bounded: where too many keys are remembered, those whose buckets are full again are forgotten.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::clock::Timestamp;

/// Keys remembered at most.
const KEYS: usize = 10_000;

/// What one key has taken.
#[derive(Debug)]
pub(crate) struct Buckets<K> {
    size: u32,
    refill: Duration,
    /// When each bucket will be full again tells how much has been taken from it.
    full_at: Mutex<HashMap<K, Timestamp>>,
}

impl<K: Eq + Hash> Buckets<K> {
    /// Each holds `size`, and one comes back every `refill`.
    pub(crate) fn new(size: u32, refill: Duration) -> Self {
        Self {
            size,
            refill,
            full_at: Mutex::default(),
        }
    }

    /// How long a key must wait for its next; nothing is taken.
    pub(crate) fn must_wait(&self, key: &K, now: Timestamp) -> Option<Duration> {
        let buckets = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        let full_at = buckets.get(key).copied().unwrap_or(now).max(now);
        self.over(full_at.plus(self.refill), now)
    }

    /// Takes one from a key's bucket, or says how long to wait for the next.
    pub(crate) fn take(&self, key: K, now: Timestamp) -> Result<(), Duration> {
        let mut buckets = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= KEYS {
            buckets.retain(|_, full_at| *full_at > now);
            if buckets.len() >= KEYS && !buckets.contains_key(&key) {
                return Err(self.refill);
            }
        }
        let after = buckets
            .get(&key)
            .copied()
            .unwrap_or(now)
            .max(now)
            .plus(self.refill);
        match self.over(after, now) {
            Some(wait) => Err(wait),
            None => {
                buckets.insert(key, after);
                Ok(())
            }
        }
    }

    fn over(&self, after: Timestamp, now: Timestamp) -> Option<Duration> {
        let limit = now.plus(self.refill * self.size);
        (after > limit).then(|| after.since(limit))
    }
}

/// One customer has a whole /64 of IPv6 addresses.
pub(crate) fn network_of(source: Option<IpAddr>) -> IpAddr {
    match source {
        Some(IpAddr::V6(address)) => match address.to_ipv4_mapped() {
            Some(mapped) => IpAddr::V4(mapped),
            None => IpAddr::V6(Ipv6Addr::from_bits(
                address.to_bits() & !u128::from(u64::MAX),
            )),
        },
        Some(address) => address,
        None => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_800_000_000_000_000);
    const REFILL: Duration = Duration::from_secs(6);

    #[test]
    fn as_many_pass_as_the_bucket_holds_and_the_next_waits() {
        let buckets = Buckets::new(10, REFILL);
        for _ in 0..10 {
            assert_eq!(buckets.must_wait(&1, NOW), None);
            assert_eq!(buckets.take(1, NOW), Ok(()));
        }
        assert_eq!(buckets.must_wait(&1, NOW), Some(REFILL));
        assert_eq!(buckets.take(1, NOW), Err(REFILL));
        assert_eq!(buckets.take(2, NOW), Ok(()));
        assert_eq!(buckets.take(1, NOW.plus(REFILL)), Ok(()));
        assert!(buckets.take(1, NOW.plus(REFILL)).is_err());
    }

    #[test]
    fn many_keys_take_no_more_memory_than_the_bound() {
        let buckets = Buckets::new(1, REFILL);
        for key in 0..KEYS + 500 {
            let _ = buckets.take(key, NOW);
        }
        let kept = |buckets: &Buckets<usize>| buckets.full_at.lock().unwrap().len();
        assert_eq!(kept(&buckets), KEYS);
        assert_eq!(buckets.take(KEYS + 1_000, NOW.plus(REFILL)), Ok(()));
        assert_eq!(kept(&buckets), 1);
    }

    #[test]
    fn addresses_of_one_network_share_a_bucket() {
        let network = |text: &str| network_of(Some(text.parse().unwrap()));
        assert_eq!(network("2001:db8::1"), network("2001:db8::ff:1"));
        assert_ne!(network("2001:db8::1"), network("2001:db8:0:1::1"));
        assert_eq!(network("::ffff:192.0.2.1"), network("192.0.2.1"));
    }
}
