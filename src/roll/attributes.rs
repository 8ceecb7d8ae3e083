//! How payload values become profile fields, by the organization's mapping.
//! A value of the wrong type or too long is skipped with a warning and the rest applies (R51); an
//! empty optional one clears, an empty required one keeps (R46); nothing is cleared because a
//! deprecated field went empty (R47).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::clock::{Date, DateOrder};
use crate::workos::{DirectoryUser, Said};

use super::mapping::{Mapping, MappingRule, ValueKind};
use super::transforms;

/// The longest text a field holds, in characters (C8).
pub const LONGEST_TEXT: usize = 4_096;

/// Stands among a link's values once it has spoken of all custom attributes: what is not there was
/// said to be nothing (C3).
pub(super) const ALL_ATTRIBUTES: &str = "attributes";

/// Stands among a link's values while its last word about the start date cannot be read (R79): the
/// word's shape. Kept beside the start date, which keeps its last readable value (R51).
pub(super) const START_UNREADABLE: &str = "start_date_unreadable";
const START: &str = "start_date";

/// Among a link's values: the role that counts first, and the list of all.
pub(super) const ROLE: &str = "role";
pub(super) const ROLES: &str = "roles";

/// Values by target, and the sentences about what could not be taken. `null` says that the field was
/// said to be nothing, which is more than not being spoken of.
pub(super) struct Values<'a> {
    pub values: &'a mut BTreeMap<String, Value>,
    pub warnings: Vec<String>,
    /// How the organization's directories write dates.
    pub date_order: DateOrder,
}

impl Values<'_> {
    /// Takes over what the payload says of every field.
    pub(super) fn take(&mut self, said: &DirectoryUser, mapping: &Mapping) {
        self.warnings.extend(said.warnings.iter().cloned());
        for (target, word) in [
            ("first_name", &said.first_name),
            ("last_name", &said.last_name),
            ("name", &said.name),
        ] {
            self.take_standard(target, word);
        }
        self.take_email(&said.email);
        self.take_roles(said);
        for rule in &mapping.rules {
            self.take_rule(rule, said);
        }
        if mapping.rest {
            self.take_rest(said, mapping);
        }
    }

    fn take_standard(&mut self, target: &str, word: &Said) {
        match word {
            Said::Absent => {}
            Said::Null => self.clear(target, false),
            Said::Text(text) => {
                let value = Value::String(text.clone());
                self.put(target, &value, ValueKind::Text, false);
            }
        }
    }

    /// E-mail counts as required: a later null keeps it and warns (C3).
    fn take_email(&mut self, word: &Said) {
        match word {
            Said::Text(text) if !text.trim().is_empty() => {
                let value = Value::String(text.trim().to_owned());
                self.put("email", &value, ValueKind::Text, true);
            }
            Said::Absent => {}
            Said::Null | Said::Text(_) => {
                if self.values.contains_key("email") {
                    self.warnings
                        .push("email: came empty, the last one is kept".to_owned());
                }
            }
        }
    }

    /// The roles are a set, whose order says nothing (R83).
    fn take_roles(&mut self, said: &DirectoryUser) {
        let Some(roles) = &said.roles else { return };
        let set: BTreeSet<&String> = roles.iter().collect();
        self.values.insert(ROLES.to_owned(), json!(set));
        self.values.insert(ROLE.to_owned(), json!(said.role));
    }

    fn take_rule(&mut self, rule: &MappingRule, said: &DirectoryUser) {
        // Without transforms nothing looks further than the first source that says something.
        let most = match rule.transforms.is_empty() {
            true => 1,
            false => usize::MAX,
        };
        let named = |source: &Map<String, Value>| -> Vec<Value> {
            rule.from
                .iter()
                .filter_map(|from| look_up(source, from).filter(|value| !is_empty(value)))
                .take(most)
                .cloned()
                .collect()
        };
        let mut found = said.custom.as_ref().map(named).unwrap_or_default();
        if found.is_empty() {
            found = named(&said.legacy);
        }
        if found.is_empty() && said.custom.is_none() {
            return;
        }
        match transforms::run(found, &rule.transforms, self.date_order) {
            Ok(Some(value)) => self.put(&rule.target, &value, rule.kind, rule.required),
            Ok(None) => self.clear(&rule.target, rule.required),
            Err(why) => self.skip(&rule.target, why),
        }
    }

    /// What cannot be taken is told; of a start date that is remembered, since no date greets and an
    /// unreadable one must not (R79).
    fn skip(&mut self, target: &str, why: Skipped) {
        if target != START {
            self.warnings
                .push(format!("{target}: {}, skipped", why.reason));
            return;
        }
        let words = match why.shape {
            Some(shape) => format!("it looks like {shape}"),
            None => why.reason,
        };
        self.values
            .insert(START_UNREADABLE.to_owned(), Value::String(words));
    }

    fn take_rest(&mut self, said: &DirectoryUser, mapping: &Mapping) {
        let claimed: BTreeSet<&str> = mapping
            .rules
            .iter()
            .flat_map(|rule| rule.from.iter().map(String::as_str))
            .collect();
        let empty = Map::new();
        let custom = said.custom.as_ref().unwrap_or(&empty);
        for (key, value) in custom
            .iter()
            .filter(|(key, _)| !claimed.contains(key.as_str()))
        {
            let target = format!("attributes.{key}");
            if !mapping.rules_over(&target) && !is_empty(value) {
                self.put(&target, value, ValueKind::Any, false);
            }
        }
        for (key, value) in said
            .legacy
            .iter()
            .filter(|(key, _)| !claimed.contains(key.as_str()))
        {
            let target = format!("attributes.{key}");
            if !mapping.rules_over(&target) && custom.get(key).is_none_or(is_empty) {
                self.put(&target, value, ValueKind::Any, false);
            }
        }
        if said.custom.is_some() {
            let gone = |target: &String| {
                let Some(key) = target.strip_prefix("attributes.") else {
                    return false;
                };
                !mapping.rules_over(target)
                    && custom.get(key).is_none_or(is_empty)
                    && said.legacy.get(key).is_none_or(is_empty)
            };
            let gone: Vec<String> = self
                .values
                .keys()
                .filter(|target| gone(target))
                .cloned()
                .collect();
            for target in gone {
                self.values.remove(&target);
            }
            self.values.insert(ALL_ATTRIBUTES.to_owned(), Value::Null);
        }
    }

    fn clear(&mut self, target: &str, required: bool) {
        if target == START {
            self.values.remove(START_UNREADABLE);
        }
        if !required {
            self.values.insert(target.to_owned(), Value::Null);
        } else if self.values.get(target).is_some_and(|kept| !kept.is_null()) {
            self.warnings
                .push(format!("{target}: came empty, the last one is kept"));
        }
    }

    fn put(&mut self, target: &str, value: &Value, kind: ValueKind, required: bool) {
        if is_empty(value) {
            self.clear(target, required);
            return;
        }
        match convert(value, kind, self.date_order) {
            Ok(Value::Null) => self.clear(target, required),
            Ok(value) => {
                if target == START {
                    self.values.remove(START_UNREADABLE);
                }
                self.values.insert(target.to_owned(), value);
            }
            Err(why) => self.skip(target, why),
        }
    }
}

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

fn look_up<'a>(source: &'a Map<String, Value>, from: &str) -> Option<&'a Value> {
    let Some(pointer) = from.strip_prefix('/') else {
        return source.get(from);
    };
    let (first, rest) = pointer
        .split_once('/')
        .map_or((pointer, None), |(first, rest)| (first, Some(rest)));
    let found = source.get(&first.replace("~1", "/").replace("~0", "~"))?;
    match rest {
        Some(rest) => found.pointer(&format!("/{rest}")),
        None => Some(found),
    }
}

/// What clears a field (R46).
pub(super) fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

/// The value as its kind wants it; `null` where it says that there is none.
fn convert(value: &Value, kind: ValueKind, order: DateOrder) -> Result<Value, Skipped> {
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
        | (ValueKind::Number, Value::Number(_))
        | (ValueKind::Boolean, Value::Bool(_)) => Ok(value.clone()),
        (ValueKind::Code, Value::Number(number)) => Ok(Value::String(number.to_string())),
        (ValueKind::Number, Value::String(text)) => number_of(text).ok_or("not a number"),
        (ValueKind::Boolean, Value::String(text)) => truth_of(text).ok_or("neither yes nor no"),
        (ValueKind::Boolean, Value::Number(number)) => {
            truth_of(&number.to_string()).ok_or("neither yes nor no")
        }
        (ValueKind::Text | ValueKind::Code, _) => Err("not a text"),
        (ValueKind::Number, _) => Err("not a number"),
        (ValueKind::Boolean, _) => Err("neither yes nor no"),
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

fn truth_of(text: &str) -> Option<Value> {
    match text.trim().to_lowercase().as_str() {
        "true" | "yes" | "y" | "1" | "on" => Some(Value::Bool(true)),
        "false" | "no" | "n" | "0" | "off" => Some(Value::Bool(false)),
        _ => None,
    }
}
