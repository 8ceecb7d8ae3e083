//! Reading calendar dates as HR systems write them (R61, R79), pure, and the only place where a date
//! is read. The day as written counts, whatever time or zone stands behind it. A value that is there
//! and cannot be read is [`Date::Unreadable`], which is more than no date: its shape may be shown,
//! its text never.

use chrono::{DateTime, Datelike, NaiveDate};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Dates in later years are how systems write "no date": `9999-12-31`.
const LAST_YEAR: i32 = 9_000;
/// From so many on a number counts milliseconds; fewer are seconds, which reach the year 5138.
const FIRST_MILLIS: i64 = 100_000_000_000;
/// The smallest number of seconds that is read as an instant: 3 March 1973. Below it a number is more
/// likely a count of days or a damaged value, and a guess could greet somebody.
const FIRST_SECONDS: i64 = 100_000_000;
/// Characters of a shape.
const LONGEST_SHAPE: usize = 32;

/// In which order day, month and year stand where `/`, `.` or `-` divides them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DateOrder {
    /// Year, month, day only: `2027-01-09`, `2027/01/09`, `2027.01.09`.
    #[default]
    Ymd,
    /// Also day, month, year: `09.01.2027`.
    Dmy,
    /// Also month, day, year: `01/09/2027`.
    Mdy,
}

/// What a value says of a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Date {
    /// This day.
    Day(NaiveDate),
    /// No day: empty, `0000-00-00`, `9999-12-31`.
    None,
    /// Something that is no date we can read; its shape (`Aaa 9, 9999`).
    Unreadable(String),
}

impl Date {
    /// Reads a value, text or number.
    pub fn read(value: &Value, order: DateOrder) -> Self {
        let read = match value {
            Value::Null => return Self::None,
            Value::String(text) => return Self::read_text(text, order),
            Value::Number(number) => number
                .as_i64()
                .or_else(|| number.as_f64().and_then(whole))
                .and_then(of_number),
            Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
        };
        read.unwrap_or_else(|| Self::Unreadable(shape_of(value)))
    }

    /// Reads a text.
    pub fn read_text(text: &str, order: DateOrder) -> Self {
        let trimmed = text.trim();
        if trimmed.is_empty() {
            return Self::None;
        }
        of_text(trimmed, order)
            .unwrap_or_else(|| Self::Unreadable(shape_of(&Value::String(trimmed.to_owned()))))
    }

    /// A day from its parts as written; `None` where there is no such day.
    pub fn of_parts(year: &str, month: &str, day: &str) -> Option<Self> {
        let (year, month, day) = (number(year)?, number(month)?, number(day)?);
        if (year, month, day) == (0, 0, 0) || year > LAST_YEAR.unsigned_abs() {
            return Some(Self::None);
        }
        let year = i32::try_from(year).ok().filter(|year| *year > 0)?;
        NaiveDate::from_ymd_opt(year, month, day).map(Self::Day)
    }

    /// The day, where there is one.
    pub fn day(self) -> Option<NaiveDate> {
        match self {
            Self::Day(day) => Some(day),
            Self::None | Self::Unreadable(_) => None,
        }
    }
}

fn number(digits: &str) -> Option<u32> {
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| digits.parse().ok()).flatten()
}

/// The whole part of a number; a fraction of a second changes no day.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the range is checked before the cast"
)]
fn whole(broken: f64) -> Option<i64> {
    (broken.abs() < 9e15).then_some(broken as i64)
}

/// `YYYYMMDD`, seconds or milliseconds since 1970.
fn of_number(number: i64) -> Option<Date> {
    if (0..FIRST_SECONDS).contains(&number) {
        let digits = number.to_string();
        return (digits.len() == 8).then(|| compact(&digits)).flatten();
    }
    let instant = match number {
        FIRST_SECONDS..FIRST_MILLIS => DateTime::from_timestamp(number, 0),
        FIRST_MILLIS.. => DateTime::from_timestamp_millis(number),
        _ => None,
    };
    let day = instant?.date_naive();
    Some(if day.year() > LAST_YEAR {
        Date::None
    } else {
        Date::Day(day)
    })
}

fn compact(digits: &str) -> Option<Date> {
    Date::of_parts(digits.get(..4)?, digits.get(4..6)?, digits.get(6..8)?)
}

fn of_text(text: &str, order: DateOrder) -> Option<Date> {
    let end = text
        .find(|letter: char| !letter.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    match digits.len() {
        8 => {
            let date = compact(digits)?;
            is_time_or_zone(rest).then_some(date)
        }
        1..=4 => divided(digits, rest, order),
        9.. if rest.is_empty() || is_fraction(rest) => digits.parse().ok().and_then(of_number),
        _ => None,
    }
}

fn is_fraction(rest: &str) -> bool {
    rest.strip_prefix('.').is_some_and(|digits| {
        !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// Three numbers with one divider between them, and perhaps a time behind.
fn divided(first: &str, rest: &str, order: DateOrder) -> Option<Date> {
    let divider = rest.chars().next().filter(|sign| "-/.".contains(*sign))?;
    let (second, rest) = leading(rest.get(1..)?);
    let (third, rest) = leading(rest.strip_prefix(divider)?);
    let short = |digits: &str| (1..=2).contains(&digits.len());
    let (year, month, day) = match (first.len(), third.len(), order) {
        // Nobody writes the day behind a leading year.
        (4, _, _) if short(third) => (first, second, third),
        (1..=2, 4, DateOrder::Dmy) => (third, second, first),
        (1..=2, 4, DateOrder::Mdy) => (third, first, second),
        // All zeros say the same in any order.
        (1..=2, 4, DateOrder::Ymd) if is_zeros(first) && is_zeros(second) && is_zeros(third) => {
            (third, second, first)
        }
        _ => return None,
    };
    let fits = short(month) && short(day) && is_time_or_zone(rest);
    fits.then(|| Date::of_parts(year, month, day)).flatten()
}

fn leading(text: &str) -> (&str, &str) {
    let end = text
        .find(|letter: char| !letter.is_ascii_digit())
        .unwrap_or(text.len());
    text.split_at(end)
}

fn is_zeros(digits: &str) -> bool {
    digits.bytes().all(|byte| byte == b'0')
}

/// What may stand behind a day: nothing, a time, an offset, or both. None of it moves the day (R61).
fn is_time_or_zone(rest: &str) -> bool {
    let Some(time) = rest.strip_prefix(['T', 't', ' ']) else {
        return rest.is_empty() || is_zone(rest);
    };
    let time = time.trim_start();
    let (hour, rest) = leading(time);
    let rest = match hour.len() {
        // `120000`, as in the basic form of ISO 8601.
        4 | 6 => rest,
        1 | 2 => match after_minutes(rest) {
            Some(rest) => rest,
            None => return false,
        },
        _ => return false,
    };
    let rest = match rest.strip_prefix(['.', ',']) {
        Some(fraction) => match leading(fraction) {
            ("", _) => return false,
            (_, rest) => rest,
        },
        None => rest,
    };
    let upper = rest.trim().to_ascii_uppercase();
    let zone = upper
        .strip_prefix("AM")
        .or_else(|| upper.strip_prefix("PM"))
        .map_or(upper.as_str(), str::trim_start);
    zone.is_empty() || is_zone(zone)
}

/// What stands behind `:MM` or `:MM:SS`.
fn after_minutes(rest: &str) -> Option<&str> {
    let (minutes, rest) = leading(rest.strip_prefix(':')?);
    if minutes.len() != 2 {
        return None;
    }
    match rest.strip_prefix(':').map(leading) {
        None => Some(rest),
        Some((seconds, rest)) => (seconds.len() == 2).then_some(rest),
    }
}

/// `Z`, `UTC`, `GMT`, `+01:00`, `-0800`, `+05`.
fn is_zone(text: &str) -> bool {
    if ["Z", "UTC", "GMT"].contains(&text.to_ascii_uppercase().as_str()) {
        return true;
    }
    let Some(offset) = text.strip_prefix(['+', '-']) else {
        return false;
    };
    let (hours, rest) = leading(offset);
    match (hours.len(), rest) {
        (2 | 4, "") => true,
        (2, rest) => rest
            .strip_prefix(':')
            .is_some_and(|minutes| minutes.len() == 2 && leading(minutes).1.is_empty()),
        _ => false,
    }
}

/// What a value looks like without what it says: `9` for digits, `a` and `A` for letters.
fn shape_of(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Null => return "nothing".to_owned(),
        Value::Bool(_) => return "true or false".to_owned(),
        Value::Array(_) => return "a list".to_owned(),
        Value::Object(_) => return "an object".to_owned(),
    };
    let masked = |letter: char| match letter {
        _ if letter.is_numeric() => '9',
        _ if letter.is_uppercase() => 'A',
        _ if letter.is_alphabetic() => 'a',
        _ if letter.is_ascii_punctuation() || letter == ' ' => letter,
        _ => '?',
    };
    let mut shape: String = text.chars().take(LONGEST_SHAPE).map(masked).collect();
    if text.chars().nth(LONGEST_SHAPE).is_some() {
        shape.push('…');
    }
    shape
}

#[cfg(test)]
#[path = "date_tests.rs"]
mod tests;
