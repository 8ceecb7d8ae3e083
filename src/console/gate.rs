//! Attempts to sign in are limited for each source: a bucket of ten that refills within a minute.
//! In this process only; tokens are 32 random bytes, so this spares the database and the log more
//! than it stops a guess.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::clock::Timestamp;

const ATTEMPTS: u32 = 10;
const REFILL: Duration = Duration::from_secs(6);
/// Sources remembered at most; above it, those whose buckets are full again are forgotten.
const SOURCES: usize = 10_000;

/// Lets attempts through.
#[derive(Debug, Default)]
pub(super) struct Gate(Mutex<HashMap<IpAddr, Timestamp>>);

impl Gate {
    /// Takes one attempt from a source's bucket, or says how long to wait for the next.
    pub fn admit(&self, source: Option<IpAddr>, now: Timestamp) -> Result<(), Duration> {
        let source = network_of(source.unwrap_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED)));
        let mut sources = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if sources.len() >= SOURCES {
            sources.retain(|_, full_at| *full_at > now);
            if sources.len() >= SOURCES {
                return Err(REFILL);
            }
        }
        // When the bucket will be full again tells how much has been taken from it.
        let full_at = sources.get(&source).copied().unwrap_or(now).max(now);
        let after = full_at.plus(REFILL);
        let limit = now.plus(REFILL * ATTEMPTS);
        if after > limit {
            return Err(after.since(limit));
        }
        sources.insert(source, after);
        Ok(())
    }
}

/// One customer has a whole /64 of IPv6 addresses.
fn network_of(source: IpAddr) -> IpAddr {
    match source {
        IpAddr::V4(_) => source,
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(
            address.to_bits() & !u128::from(u64::MAX),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_800_000_000_000_000);

    fn source(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn ten_attempts_pass_and_the_next_waits() {
        let gate = Gate::default();
        for _ in 0..10 {
            assert_eq!(gate.admit(source("192.0.2.1"), NOW), Ok(()));
        }
        assert_eq!(gate.admit(source("192.0.2.1"), NOW), Err(REFILL));
        assert_eq!(gate.admit(source("192.0.2.2"), NOW), Ok(()));
        assert_eq!(gate.admit(source("192.0.2.1"), NOW.plus(REFILL)), Ok(()));
        assert!(gate.admit(source("192.0.2.1"), NOW.plus(REFILL)).is_err());
    }

    #[test]
    fn addresses_of_one_network_share_a_bucket() {
        let gate = Gate::default();
        for host in 0..10 {
            let address = format!("2001:db8::{host:x}");
            assert_eq!(gate.admit(source(&address), NOW), Ok(()));
        }
        assert!(gate.admit(source("2001:db8::ff:1"), NOW).is_err());
        assert_eq!(gate.admit(source("2001:db8:0:1::1"), NOW), Ok(()));
    }
}
