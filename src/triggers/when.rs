//! When a step is due: an offset from the event ([`After`], ISO 8601) and, where wanted, a time of
//! day at the person's place ([`LocalTime`]). Pure; the calendar itself is the plan's affair.

use std::fmt;
use std::time::Duration;

use chrono::Timelike;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The longest offset: a year of onboarding.
pub const MAX_AFTER: Duration = Duration::from_secs(365 * DAY);

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// An offset of 0 to 365 days, written as an ISO 8601 duration: `PT0S`, `PT30M`, `P1D`, `P1W`,
/// `P1DT12H`. Years and months have no fixed length and are refused. A day is 24 hours here; with a
/// [`LocalTime`] beside it, whole days are calendar days.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize, JsonSchema,
)]
#[serde(into = "String", try_from = "String")]
#[schemars(extend("pattern" = "^P(\\d+W)?(\\d+D)?(T(\\d+H)?(\\d+M)?(\\d+S)?)?$"))]
pub struct After(Duration);

impl After {
    /// Reads the ISO 8601 form; the error says what is accepted.
    pub fn parse(text: &str) -> Result<Self, String> {
        let seconds = seconds(text).ok_or_else(|| {
            "an ISO 8601 duration is wanted, such as PT0S, PT30M, P1D, P2W or P1DT12H (no years or months)".to_owned()
        })?;
        if Duration::from_secs(seconds) > MAX_AFTER {
            return Err("at most 365 days (P365D)".to_owned());
        }
        Ok(Self(Duration::from_secs(seconds)))
    }

    /// The offset as a length of time.
    pub fn duration(self) -> Duration {
        self.0
    }

    /// The whole days in it, and what is left of it.
    pub fn days_and_rest(self) -> (u64, Duration) {
        let seconds = self.0.as_secs();
        (seconds / DAY, Duration::from_secs(seconds % DAY))
    }

    /// The offset in whole days, where it is one.
    pub fn whole_days(self) -> Option<u64> {
        self.0
            .as_secs()
            .is_multiple_of(DAY)
            .then_some(self.0.as_secs() / DAY)
    }
}

/// Each unit at most once, largest first, at least one; `T` before the parts of a day.
fn seconds(text: &str) -> Option<u64> {
    let (days, time) = match text.strip_prefix('P')?.split_once('T') {
        Some((_, "")) => return None,
        Some((days, time)) => (days, time),
        None => (text.strip_prefix('P')?, ""),
    };
    if days.is_empty() && time.is_empty() {
        return None;
    }
    let days = units(days, &[('W', 7 * DAY), ('D', DAY)])?;
    days.checked_add(units(time, &[('H', HOUR), ('M', MINUTE), ('S', 1)])?)
}

fn units(mut text: &str, known: &[(char, u64)]) -> Option<u64> {
    let mut total = 0_u64;
    for (letter, length) in known {
        let Some((digits, rest)) = text.split_once(*letter) else {
            continue;
        };
        if digits.is_empty()
            || digits.len() > 9
            || !digits.bytes().all(|byte| byte.is_ascii_digit())
        {
            return None;
        }
        total = total.checked_add(digits.parse::<u64>().ok()?.checked_mul(*length)?)?;
        text = rest;
    }
    text.is_empty().then_some(total)
}

impl fmt::Display for After {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        if seconds == 0 {
            return out.write_str("PT0S");
        }
        out.write_str("P")?;
        if seconds >= DAY {
            write!(out, "{}D", seconds / DAY)?;
        }
        if !seconds.is_multiple_of(DAY) {
            out.write_str("T")?;
        }
        for (length, whole, letter) in [(HOUR, DAY, 'H'), (MINUTE, HOUR, 'M'), (1, MINUTE, 'S')] {
            match seconds % whole / length {
                0 => {}
                count => write!(out, "{count}{letter}")?,
            }
        }
        Ok(())
    }
}

impl From<After> for String {
    fn from(after: After) -> Self {
        after.to_string()
    }
}

impl TryFrom<String> for After {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

/// A time of day, `HH:MM` on a 24-hour clock, at the person's place (R60, R61).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(into = "String", try_from = "String")]
#[schemars(extend("pattern" = "^([01]\\d|2[0-3]):[0-5]\\d$"))]
pub struct LocalTime {
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
}

impl LocalTime {
    /// The hour and minute of a time of day.
    pub fn of(time: chrono::NaiveTime) -> Self {
        let short = |number: u32| u8::try_from(number).unwrap_or(0);
        Self {
            hour: short(time.hour()),
            minute: short(time.minute()),
        }
    }

    /// Reads `HH:MM`; the error says what is accepted.
    pub fn parse(text: &str) -> Result<Self, String> {
        let two = |digits: &str| {
            (digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit()))
                .then(|| digits.parse::<u8>().ok())
        };
        let read = text
            .split_once(':')
            .and_then(|(hour, minute)| Some((two(hour)??, two(minute)??)));
        match read {
            Some((hour, minute)) if hour < 24 && minute < 60 => Ok(Self { hour, minute }),
            _ => Err("a time of day HH:MM is wanted, such as 09:00".to_owned()),
        }
    }
}

impl fmt::Display for LocalTime {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:02}:{:02}", self.hour, self.minute)
    }
}

impl From<LocalTime> for String {
    fn from(time: LocalTime) -> Self {
        time.to_string()
    }
}

impl TryFrom<String> for LocalTime {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_read_and_written_in_iso_8601() {
        for (text, seconds, written) in [
            ("PT0S", 0, "PT0S"),
            ("P0D", 0, "PT0S"),
            ("PT30M", 1_800, "PT30M"),
            ("PT90M", 5_400, "PT1H30M"),
            ("P1D", 86_400, "P1D"),
            ("P2W", 14 * 86_400, "P14D"),
            ("P1W1DT1S", 8 * 86_400 + 1, "P8DT1S"),
            ("P365D", 365 * 86_400, "P365D"),
        ] {
            let after = After::parse(text);
            assert_eq!(
                after.as_ref().map(|after| after.duration().as_secs()),
                Ok(seconds),
                "{text}"
            );
            assert_eq!(after.map(|after| after.to_string()), Ok(written.to_owned()));
        }
    }

    #[test]
    fn what_is_no_offset_is_refused() {
        for text in [
            "",
            "P",
            "PT",
            "1D",
            "P1",
            "P1Y",
            "P1M",
            "P-1D",
            "-P1D",
            "P1DT",
            "P1H",
            "PT1D",
            "PT1S1M",
            "P1D1D",
            "P1.5D",
            "p1d",
            " P1D",
            "P366D",
            "P52W2D",
            "PT99999999999S",
            "P٣D",
        ] {
            assert!(After::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_time_of_day_is_two_digits_and_two_digits() {
        assert_eq!(
            LocalTime::parse("09:00"),
            Ok(LocalTime { hour: 9, minute: 0 })
        );
        assert_eq!(
            LocalTime::parse("23:59").map(|time| time.to_string()),
            Ok("23:59".to_owned())
        );
        for text in [
            "", "9:00", "24:00", "12:60", "12:5", "12:005", "-1:00", "+9:00", "noon", "09:00:00",
        ] {
            assert!(LocalTime::parse(text).is_err(), "{text}");
        }
    }
}
