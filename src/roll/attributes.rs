//! How payload values become profile fields: a mapping of sources to targets, C13 by default.
//! A value of the wrong type or too long is skipped with a warning and the rest applies (R51); an
//! empty optional one clears, an empty required one keeps (R46); nothing is cleared because a
//! deprecated field went empty (R47).

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::clock::Timestamp;
use crate::workos::{DirectoryUser, Said};

/// The longest text a field holds, in characters (C8).
pub const LONGEST_TEXT: usize = 4_096;

/// Which source feeds which field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Mapping {
    /// One rule a target.
    pub rules: Vec<MappingRule>,
    /// Whether every key of `custom_attributes` that no rule names becomes an attribute (C13).
    pub rest: bool,
}

/// One target and where its value comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MappingRule {
    /// `title`, `department`, … or `attributes.<name>`.
    pub target: String,
    /// Keys of `custom_attributes`, or JSON pointers into it; the first that says something wins.
    pub from: Vec<String>,
    /// What the value must be.
    #[serde(default)]
    pub kind: ValueKind,
    /// Whether an empty value keeps the last one instead of clearing.
    #[serde(default)]
    pub required: bool,
}

impl Mapping {
    /// Whether a rule feeds this target.
    pub(super) fn rules_over(&self, target: &str) -> bool {
        self.rules.iter().any(|rule| rule.target == target)
    }
}

/// The type a mapped value must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ValueKind {
    /// Text as it came.
    #[default]
    Text,
    /// Text or a number, kept as text: employee numbers come as both.
    Code,
    /// A calendar day, kept as `YYYY-MM-DD` as it is written (R61), whatever time stands behind it.
    Day,
    /// Any JSON value.
    Any,
}

impl Default for Mapping {
    fn default() -> Self {
        let rule = |target: &str, from: &[&str], kind| MappingRule {
            target: target.to_owned(),
            from: from.iter().map(|&name| name.to_owned()).collect(),
            kind,
            required: false,
        };
        Self {
            rules: vec![
                rule("title", &["job_title"], ValueKind::Text),
                rule(
                    "department",
                    &["department_name", "department"],
                    ValueKind::Text,
                ),
                rule("pronouns", &["pronouns"], ValueKind::Text),
                rule("start_date", &["employment_start_date"], ValueKind::Day),
                rule("manager_email", &["manager_email"], ValueKind::Text),
                rule("employee_number", &["employee_number"], ValueKind::Code),
            ],
            rest: true,
        }
    }
}

/// Stands among a link's values once it has spoken of all custom attributes: what is not there was
/// said to be nothing (C3).
pub(super) const ALL_ATTRIBUTES: &str = "attributes";

/// Values by target, and the sentences about what could not be taken. `null` says that the field was
/// said to be nothing, which is more than not being spoken of.
pub(super) struct Values<'a> {
    pub values: &'a mut BTreeMap<String, Value>,
    pub warnings: Vec<String>,
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

    fn take_rule(&mut self, rule: &MappingRule, said: &DirectoryUser) {
        let named = |source: &Map<String, Value>| {
            rule.from.iter().find_map(|from| {
                look_up(source, from)
                    .filter(|value| !is_empty(value))
                    .cloned()
            })
        };
        let value = said
            .custom
            .as_ref()
            .and_then(named)
            .or_else(|| named(&said.legacy));
        match value {
            Some(value) => self.put(&rule.target, &value, rule.kind, rule.required),
            None if said.custom.is_some() => self.clear(&rule.target, rule.required),
            None => {}
        }
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
        match convert(value, kind) {
            Ok(value) => {
                self.values.insert(target.to_owned(), value);
            }
            Err(why) => self.warnings.push(format!("{target}: {why}, skipped")),
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
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

fn convert(value: &Value, kind: ValueKind) -> Result<Value, &'static str> {
    if let Value::String(text) = value
        && text.chars().count() > LONGEST_TEXT
    {
        return Err("longer than 4,096 characters");
    }
    match (kind, value) {
        (ValueKind::Any, _) | (ValueKind::Text | ValueKind::Code, Value::String(_)) => {
            Ok(value.clone())
        }
        (ValueKind::Code, Value::Number(number)) => Ok(Value::String(number.to_string())),
        (ValueKind::Day, Value::String(text)) => {
            day_of(text).map(Value::String).ok_or("not a date")
        }
        (ValueKind::Text | ValueKind::Code, _) => Err("not a text"),
        (ValueKind::Day, _) => Err("not a date"),
    }
}

/// The day as written: `2021-06-27T12:00:00.000Z` and `2021-06-27` are both 27 June everywhere (R61).
fn day_of(text: &str) -> Option<String> {
    Timestamp::parse(text)?;
    let day = text.trim().get(..10)?;
    let well_formed = Timestamp::parse(day).is_some() && day.as_bytes().get(4) == Some(&b'-');
    well_formed.then(|| day.to_owned())
}
