//! How often a token may call `/v1`: so many requests a second, some seconds' worth at once, then 429 with
//! `Retry-After`. Judged before the token is looked up, by its digest. `/v1/access` is one look-up on an
//! index, asked at every session refresh of a host application: it has a far larger bucket of its own.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use actix_web::http::StatusCode;

use crate::clock::Timestamp;

use super::{Buckets, Problem};

/// Seconds' worth of requests that may come at once.
const AT_ONCE: u32 = 4;
/// Access may be asked so many times as often.
const ACCESS: u32 = 20;

/// Buckets of every token.
#[derive(Debug)]
pub(super) struct Rates {
    rate: u32,
    calls: Buckets<[u8; 32]>,
    access: Buckets<[u8; 32]>,
}

impl Rates {
    /// So many a second; `None` for 0.
    pub(super) fn new(rate: u32) -> Option<Self> {
        let buckets = |rate: u32| {
            let refill = Duration::from_secs(1) / rate;
            Buckets::new(
                rate.saturating_mul(AT_ONCE),
                refill.max(Duration::from_micros(1)),
            )
        };
        (rate > 0).then(|| Self {
            rate,
            calls: buckets(rate),
            access: buckets(rate.saturating_mul(ACCESS)),
        })
    }

    /// Takes one call of a token, or says when the next may come.
    pub(super) fn admit(&self, token: [u8; 32], is_access: bool) -> Result<(), Problem> {
        let buckets = if is_access { &self.access } else { &self.calls };
        buckets.take(token, elapsed()).map_err(|wait| {
            let seconds = u32::try_from(wait.as_secs()).unwrap_or(u32::MAX);
            Problem {
                retry_after: Some(seconds.saturating_add(1)),
                ..Problem::new(
                    StatusCode::TOO_MANY_REQUESTS,
                    "too-many-requests",
                    format!(
                        "this token may make {} calls a second (ROLLCALL_API_RATE); wait and go on more slowly",
                        self.rate
                    ),
                )
            }
        })
    }
}

/// The time since the process began: what the wall clock says may jump.
fn elapsed() -> Timestamp {
    static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);
    Timestamp(0).plus(BEGAN.elapsed())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_that_calls_too_often_waits_and_others_do_not() {
        let rates = Rates::new(1).unwrap();
        for _ in 0..AT_ONCE {
            assert!(rates.admit([1; 32], false).is_ok());
        }
        let refused = rates.admit([1; 32], false).unwrap_err();
        assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(refused.retry_after, Some(1));
        assert!(rates.admit([2; 32], false).is_ok());
        assert!(rates.admit([1; 32], true).is_ok());
        assert!(Rates::new(0).is_none());
    }
}
