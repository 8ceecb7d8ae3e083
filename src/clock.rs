//! Time as an argument: every instant in Rollcall is a [`Timestamp`] (microseconds since the Unix
//! epoch, UTC) and every "now" comes from one [`Clock`], the system's or one that a test holds.
//! Instants are parsed, never compared as text (R66): WorkOS writes both
//! `2026-11-23T10:00:00.000Z` and `2026-11-23 11:00:00.000` (contract 2.1).

mod date;
mod skew;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use chrono::{DateTime, NaiveDate, NaiveDateTime, SecondsFormat, Utc};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub use date::{Date, DateOrder};
pub use skew::{MOST_APART, Skew};

/// An instant: microseconds since 1970-01-01T00:00:00Z. Shown as RFC 3339 UTC with milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// From milliseconds since the epoch, the unit of WorkOS's `t` and of ULIDs; saturates.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(1_000))
    }

    /// Microseconds since the epoch.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Milliseconds since the epoch, rounded down.
    pub const fn millis(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    /// Whole seconds since the epoch, rounded down.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// This instant moved forward; saturates.
    pub fn plus(self, by: Duration) -> Self {
        Self(
            self.0
                .saturating_add(i64::try_from(by.as_micros()).unwrap_or(i64::MAX)),
        )
    }

    /// This instant moved back; saturates.
    pub fn minus(self, by: Duration) -> Self {
        Self(
            self.0
                .saturating_sub(i64::try_from(by.as_micros()).unwrap_or(i64::MAX)),
        )
    }

    /// How long ago `earlier` was; zero when it lies ahead.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// Reads every form WorkOS writes (contract 2.1): RFC 3339 with any offset, the same with a
    /// space, and `2023-04-28 20:05:31.093` without a zone, which is UTC; a bare day is its
    /// midnight in UTC. `None` when it is no instant.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if let Ok(at) = DateTime::parse_from_rfc3339(text) {
            return Some(Self(at.timestamp_micros()));
        }
        for form in [
            "%Y-%m-%dT%H:%M:%S%.f%#z",
            "%Y-%m-%d %H:%M:%S%.f%#z",
            "%Y-%m-%d %H:%M:%S%.f %#z",
        ] {
            if let Ok(at) = DateTime::parse_from_str(text, form) {
                return Some(Self(at.timestamp_micros()));
            }
        }
        if let Some(bare) = text.strip_suffix(" UTC").or_else(|| text.strip_suffix('Z')) {
            return Self::parse_naive(bare);
        }
        Self::parse_naive(text)
    }

    fn parse_naive(text: &str) -> Option<Self> {
        for form in [
            "%Y-%m-%d %H:%M:%S%.f",
            "%Y-%m-%dT%H:%M:%S%.f",
            "%Y-%m-%dT%H:%M",
            "%Y-%m-%d %H:%M",
        ] {
            if let Ok(at) = NaiveDateTime::parse_from_str(text, form) {
                return Some(Self(at.and_utc().timestamp_micros()));
            }
        }
        let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
        Some(Self(day.and_hms_opt(0, 0, 0)?.and_utc().timestamp_micros()))
    }

    /// As a `chrono` date and time; instants outside chrono's range become the epoch.
    pub fn to_chrono(self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.0).unwrap_or_default()
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(
            &self
                .to_chrono()
                .to_rfc3339_opts(SecondsFormat::Millis, true),
        )
    }
}

impl JsonSchema for Timestamp {
    fn schema_name() -> Cow<'static, str> {
        "Timestamp".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "date-time" })
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(from)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("not an RFC 3339 instant"))
    }
}

/// Where "now" comes from.
#[derive(Debug, Clone, Default)]
pub enum Clock {
    /// The machine's clock.
    #[default]
    System,
    /// The machine's clock, corrected by how far it was measured to be from the database server's: what several
    /// machines compare (due times, leases, heartbeats) means the same on all of them.
    Database(Arc<Skew>),
    /// A clock that stands still until a test moves it (microseconds since the epoch).
    Fixed(Arc<AtomicI64>),
}

impl Clock {
    /// A clock that stands at `at` until [`Clock::advance`].
    pub fn fixed(at: Timestamp) -> Self {
        Self::Fixed(Arc::new(AtomicI64::new(at.0)))
    }

    /// The present instant.
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => machine_now(),
            Self::Database(skew) => skew.correct(machine_now()),
            Self::Fixed(at) => Timestamp(at.load(Ordering::SeqCst)),
        }
    }

    /// The present instant by this machine's own clock: for what it agrees on with somebody who is not at the
    /// database, such as how old a signature is. A test's clock is every machine's.
    pub fn machine_now(&self) -> Timestamp {
        match self {
            Self::System | Self::Database(_) => machine_now(),
            Self::Fixed(at) => Timestamp(at.load(Ordering::SeqCst)),
        }
    }

    /// Moves a fixed clock forward; the system's clock takes no orders.
    pub fn advance(&self, by: Duration) {
        if let Self::Fixed(at) = self {
            at.store(
                Timestamp(at.load(Ordering::SeqCst)).plus(by).0,
                Ordering::SeqCst,
            );
        }
    }
}

/// This machine's clock, whatever a database's says.
pub(crate) fn machine_now() -> Timestamp {
    let now = Timestamp(Utc::now().timestamp_micros());
    #[cfg(debug_assertions)]
    let now = wrong_if_asked(now);
    now
}

/// A fail point of builds for tests: the machine's clock is so many seconds ahead. Not in a release build.
#[cfg(debug_assertions)]
fn wrong_if_asked(now: Timestamp) -> Timestamp {
    use std::sync::OnceLock;
    static AHEAD: OnceLock<i64> = OnceLock::new();
    let ahead = AHEAD.get_or_init(|| {
        let said = std::env::var("ROLLCALL_TEST_CLOCK_AHEAD").ok();
        said.and_then(|said| said.parse().ok()).unwrap_or(0)
    });
    Timestamp(now.0.saturating_add(ahead.saturating_mul(1_000_000)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r7_both_of_workos_timestamp_forms_give_the_same_instant() {
        let rfc = Timestamp::parse("2023-04-28T20:05:31.093Z");
        assert!(rfc.is_some());
        assert_eq!(rfc, Timestamp::parse("2023-04-28 20:05:31.093"));
        assert_eq!(rfc, Timestamp::parse("2023-04-28T22:05:31.093+02:00"));
        assert_eq!(rfc, Timestamp::parse("2023-04-28 20:05:31.093 UTC"));
    }

    #[test]
    fn r66_an_instant_written_with_a_space_sorts_by_time_and_not_by_text() {
        let earlier = Timestamp::parse("2026-11-23T10:00:00.000Z");
        let later = Timestamp::parse("2026-11-23 11:00:00.000");
        assert!(earlier < later);
    }

    #[test]
    fn microseconds_survive_and_nonsense_is_refused() {
        assert_eq!(
            Timestamp::parse("2020-05-06 04:21:48.649164").map(|at| at.0 % 1_000_000),
            Some(649_164)
        );
        assert_eq!(Timestamp::parse("yesterday"), None);
        assert_eq!(Timestamp::parse(""), None);
    }

    #[test]
    fn a_timestamp_is_shown_with_milliseconds_in_utc() {
        assert_eq!(
            Timestamp::from_millis(1_700_000_000_123).to_string(),
            "2023-11-14T22:13:20.123Z"
        );
    }
}
