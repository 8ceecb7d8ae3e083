//! Failed attempts to sign in are limited for each peer and for each account (which is its token): ten, and
//! one more every six seconds. Those that succeed count for nothing, so that a whole company behind one
//! address can sign in. In this process only; tokens are 32 random bytes, so this spares the database and
//! the log more than it stops a guess.

use std::net::IpAddr;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::http::{Buckets, network_of};

const FAILURES: u32 = 10;
const REFILL: Duration = Duration::from_secs(6);

/// Lets attempts through.
#[derive(Debug)]
pub(super) struct Gate {
    peers: Buckets<IpAddr>,
    accounts: Buckets<[u8; 32]>,
}

impl Default for Gate {
    fn default() -> Self {
        Self {
            peers: Buckets::new(FAILURES, REFILL),
            accounts: Buckets::new(FAILURES, REFILL),
        }
    }
}

impl Gate {
    /// Whether an attempt is looked at, or how long to wait.
    pub fn admit(
        &self,
        peer: Option<IpAddr>,
        account: &[u8; 32],
        now: Timestamp,
    ) -> Result<(), Duration> {
        let peer = self.peers.must_wait(&network_of(peer), now);
        let account = self.accounts.must_wait(account, now);
        peer.max(account).map_or(Ok(()), Err)
    }

    /// Counts an attempt that failed.
    pub fn failed(&self, peer: Option<IpAddr>, account: [u8; 32], now: Timestamp) {
        // Over the limit already is as good as counted.
        let _ = self.peers.take(network_of(peer), now);
        let _ = self.accounts.take(account, now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_800_000_000_000_000);
    const RIGHT: [u8; 32] = [1; 32];

    fn peer(number: u8) -> Option<IpAddr> {
        Some(IpAddr::from([192, 0, 2, number]))
    }

    #[test]
    fn ten_failures_of_a_peer_close_the_gate_to_it_and_to_nobody_else() {
        let gate = Gate::default();
        for guess in 0..10 {
            assert_eq!(gate.admit(peer(1), &RIGHT, NOW), Ok(()));
            gate.failed(peer(1), [guess + 2; 32], NOW);
        }
        assert_eq!(gate.admit(peer(1), &RIGHT, NOW), Err(REFILL));
        assert_eq!(gate.admit(peer(2), &RIGHT, NOW), Ok(()));
        assert_eq!(gate.admit(peer(1), &RIGHT, NOW.plus(REFILL)), Ok(()));
    }

    #[test]
    fn ten_failures_of_an_account_close_it_from_everywhere() {
        let gate = Gate::default();
        for from in 0..10 {
            gate.failed(peer(from), RIGHT, NOW);
        }
        assert_eq!(gate.admit(peer(99), &RIGHT, NOW), Err(REFILL));
        assert_eq!(gate.admit(peer(99), &[2; 32], NOW), Ok(()));
    }
}
