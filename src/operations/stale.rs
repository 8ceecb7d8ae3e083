//! Genuine deliveries that were refused by their time: the last one is kept, for the doctor. None of
//! them reaches the queue, so that without it a clock that is far off would leave no trace.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::db::Conn;
use crate::store::chores;

use super::OperationError;

const NAME: &str = "webhook.stale";
/// `t` read as seconds lies this near to now, in milliseconds: it was written in seconds.
const A_DAY: i64 = 86_400_000;

/// A refusal by time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stale {
    /// When it came.
    pub at: Timestamp,
    /// How many milliseconds before that it was signed; below zero: after.
    pub apart_ms: i64,
    /// Whether its time is in seconds.
    pub in_seconds: bool,
}

#[derive(Serialize, Deserialize)]
struct Told {
    apart_ms: i64,
    in_seconds: bool,
}

impl Stale {
    /// A delivery whose signature says `t`, as it stands there.
    pub fn of(t: i64, at: Timestamp) -> Self {
        let as_seconds = at.millis().saturating_sub(t.saturating_mul(1_000));
        Self {
            at,
            apart_ms: at.millis().saturating_sub(t),
            in_seconds: as_seconds.abs() < A_DAY,
        }
    }
}

/// Keeps the last one.
pub fn keep(conn: &mut Conn, stale: Stale) -> Result<(), OperationError> {
    let told = Told {
        apart_ms: stale.apart_ms,
        in_seconds: stale.in_seconds,
    };
    let told = serde_json::to_string(&told).unwrap_or_default();
    Ok(chores::done(conn, NAME, &told, stale.at)?)
}

/// The last one.
pub fn last(conn: &mut Conn) -> Result<Option<Stale>, OperationError> {
    let found = chores::last(conn, NAME)?;
    Ok(found.and_then(|(at, told)| {
        let told: Told = serde_json::from_str(&told).ok()?;
        Some(Stale {
            at,
            apart_ms: told.apart_ms,
            in_seconds: told.in_seconds,
        })
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_in_seconds_is_told_from_a_clock_that_is_off() {
        let now = Timestamp::from_millis(1_790_000_000_000);
        assert!(Stale::of(1_790_000_000, now).in_seconds);
        let late = Stale::of(1_790_000_000_000 - 600_000, now);
        assert_eq!((late.apart_ms, late.in_seconds), (600_000, false));
    }
}
