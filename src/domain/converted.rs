//! A value brought into the kind that its field has, or the reason why it cannot be: in words that name
//! the kind and show nothing of the value (R51), of a date also what it looks like (R79).

use serde_json::Value;

use crate::clock::{Date, DateOrder};
use crate::workos::truth;

use super::attributes::LONGEST_TEXT;
use super::mapping::ValueKind;

/// Why a value was not taken, in words that show nothing of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Skipped {
    pub reason: String,
    /// Of a date: what it looks like.
    pub shape: Option<String>,
}

impl From<&str> for Skipped {
    fn from(reason: &str) -> Self {
        Self {
            reason: reason.to_owned(),
            shape: None,
        }
    }
}

impl Skipped {
    /// A date that cannot be read.
    pub(super) fn date(shape: String) -> Self {
        Self {
            reason: format!("not a date that can be read (it looks like {shape})"),
            shape: Some(shape),
        }
    }
}

/// The value as its kind wants it; `null` where it says that there is none.
pub(super) fn convert(value: &Value, kind: ValueKind, order: DateOrder) -> Result<Value, Skipped> {
    if let Value::String(text) = value
        && text.chars().count() > LONGEST_TEXT
    {
        return Err(Skipped::from("longer than 4,096 characters"));
    }
    if kind == ValueKind::Day {
        return match Date::read(value, order) {
            // As written: what stands behind the day moves it nowhere (R61).
            Date::Day(day) => Ok(Value::String(day.to_string())),
            Date::None => Ok(Value::Null),
            Date::Unreadable(shape) => Err(Skipped::date(shape)),
        };
    }
    let fitted = match (kind, value) {
        (ValueKind::Any, _)
        | (ValueKind::Text | ValueKind::Code, Value::String(_))
        | (ValueKind::Number, Value::Number(_)) => Ok(value.clone()),
        (ValueKind::Code, Value::Number(number)) => Ok(Value::String(number.to_string())),
        (ValueKind::Number, Value::String(text)) => number_of(text).ok_or("not a number"),
        (ValueKind::Text | ValueKind::Code, _) => Err("not a text"),
        (ValueKind::Number, _) => Err("not a number"),
        (ValueKind::Boolean, _) => truth::of(value)
            .map(Value::Bool)
            .ok_or("neither yes nor no"),
        (ValueKind::Day, _) => Err("not a date"),
    };
    fitted.map_err(Skipped::from)
}

fn number_of(text: &str) -> Option<Value> {
    let text = text.trim();
    if let Ok(whole) = text.parse::<i64>() {
        return Some(whole.into());
    }
    let broken = text.parse::<f64>().ok()?;
    serde_json::Number::from_f64(broken).map(Value::Number)
}
