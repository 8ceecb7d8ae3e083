//! What the webhook endpoint refused and why: the answer to "WorkOS shows failed deliveries". Counted in
//! memory and added to the database now and then, so that a refusal costs no write of its own; kept
//! for thirty days, which is as long as WorkOS keeps events.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::clock::Timestamp;
use crate::db::Conn;
use crate::store::refusals::{self, Refused};

use super::OperationError;

const KEPT: Duration = Duration::from_secs(30 * 86_400);
const HOUR: i64 = 3_600_000_000;

/// By reason and hour: how many, the first and the last.
type Seen = BTreeMap<(String, i64), (i64, Timestamp, Timestamp)>;

/// What this process has refused and not yet written down; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Refusals(Arc<Mutex<Seen>>);

impl Refusals {
    /// A delivery was refused.
    pub fn count(&self, reason: &'static str, at: Timestamp) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let one = all
            .entry((reason.to_owned(), at.micros() / HOUR))
            .or_insert((0, at, at));
        *one = (one.0 + 1, one.1.min(at), one.2.max(at));
    }

    /// Takes what is to be written down.
    pub fn take(&self) -> Vec<Refused> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = std::mem::take(&mut *all).into_iter();
        taken
            .map(|((reason, hour), (count, first_at, last_at))| Refused {
                reason,
                hour: Timestamp(hour * HOUR),
                count,
                first_at,
                last_at,
            })
            .collect()
    }

    /// What was taken could not be written down: it is counted on.
    pub fn give_back(&self, all: Vec<Refused>) {
        let mut here = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for one in all {
            let sum = here
                .entry((one.reason, one.hour.micros() / HOUR))
                .or_insert((0, one.first_at, one.last_at));
            *sum = (
                sum.0 + one.count,
                sum.1.min(one.first_at),
                sum.2.max(one.last_at),
            );
        }
    }
}

/// Adds what was taken, and lets go of what is long over.
pub fn write_down(conn: &mut Conn, all: &[Refused], now: Timestamp) -> Result<(), OperationError> {
    for one in all {
        refusals::add(conn, one)?;
    }
    refusals::forget(conn, now.minus(KEPT))?;
    Ok(())
}

/// What each reason means, what WorkOS saw, and what to do.
pub(super) fn told(reason: &str) -> (&'static str, &'static str) {
    match reason {
        "mismatch" => (
            "401: the signature does not match any of our secrets",
            "compare WORKOS_WEBHOOK_SECRET with the endpoint's secret in the WorkOS dashboard and restart; WorkOS delivers again, and `rollcall catch-up` reads what it gave up",
        ),
        "missing" => (
            "401: there was no WorkOS-Signature header",
            "if it was WorkOS, a proxy drops the header; else somebody tries the door",
        ),
        "stale" => (
            "401: the signature is genuine and its time is out of the window",
            "`rollcall doctor` compares the clocks; a late retry wants a wider ROLLCALL_SIGNATURE_TOLERANCE; `rollcall catch-up` reads what WorkOS gave up",
        ),
        "malformed" | "repeated" => (
            "400: the WorkOS-Signature header could not be read",
            "look at what stands between WorkOS and this server; `rollcall signature verify` checks one delivery",
        ),
        "source" => (
            "403: the source address is not allowed",
            "add the address to ROLLCALL_ALLOWED_SOURCES, or the proxy to ROLLCALL_TRUSTED_PROXIES",
        ),
        "too_large" => (
            "413: the body is over the limit",
            "raise ROLLCALL_BODY_LIMIT, then read it with `rollcall catch-up`",
        ),
        "full" | "too_slow" | "unavailable" | "stopping" => (
            "503: it could not be made durable in time",
            "nothing acknowledged is lost, and WorkOS delivers again by itself; `rollcall doctor` looks at disk, database and queue",
        ),
        "cut_off" => (
            "400: the connection ended before the body was whole",
            "WorkOS delivers again; if it goes on, look at the proxy's time limits",
        ),
        "method" => (
            "405: it was not a POST",
            "nothing: WorkOS posts; somebody opened the address in a browser",
        ),
        _ => (
            "400: the body is not an event we can read",
            "look whether another service posts here; WorkOS's own events are JSON objects with id, event and data",
        ),
    }
}

/// Those since an instant, added up by reason: reason, how many, the first and the last.
pub(super) fn by_reason(
    conn: &mut Conn,
    since: Timestamp,
) -> Result<Vec<(String, i64, Timestamp, Timestamp)>, OperationError> {
    let mut all: BTreeMap<String, (i64, Timestamp, Timestamp)> = BTreeMap::new();
    for one in refusals::since(conn, since)? {
        let sum = all
            .entry(one.reason)
            .or_insert((0, one.first_at, one.last_at));
        *sum = (
            sum.0 + one.count,
            sum.1.min(one.first_at),
            sum.2.max(one.last_at),
        );
    }
    let told = all.into_iter();
    Ok(told
        .map(|(reason, (count, first, last))| (reason, count, first, last))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_added_up_by_reason_and_hour_and_taken_once() {
        let seen = Refusals::default();
        seen.count("mismatch", Timestamp(1));
        seen.count("mismatch", Timestamp(5));
        seen.count("mismatch", Timestamp(HOUR + 1));
        let taken = seen.take();
        let counts: Vec<(i64, i64)> = taken
            .iter()
            .map(|one| (one.hour.micros(), one.count))
            .collect();
        assert_eq!(counts, [(0, 2), (HOUR, 1)]);
        assert!(seen.take().is_empty());
    }
}
