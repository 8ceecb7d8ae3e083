//! How payload values become profile fields, by the organization's mapping.
//! A value of the wrong type or too long is skipped with a warning and the rest applies (R51); an
//! empty optional one clears, an empty required one keeps (R46); nothing is cleared because a
//! deprecated field went empty (R47). A list in another order is the same list (R83), and a name that
//! is made of other names follows them (R90).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::clock::DateOrder;
use crate::workos::{DirectoryUser, Said, clean};

use super::converted::{Skipped, convert};
use super::mapping::{Mapping, MappingRule, ValueKind, parts_of};
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
    /// The targets that the payload in hand gives a value.
    given: BTreeSet<String>,
    /// How the organization's directories write dates.
    date_order: DateOrder,
}

/// The full names that a directory may give beside the parts they are made of.
const DERIVED: [&str; 2] = ["name", "attributes.display_name"];

impl<'a> Values<'a> {
    /// Over the values that a link has so far.
    pub(super) fn over(values: &'a mut BTreeMap<String, Value>, date_order: DateOrder) -> Self {
        Self {
            values,
            warnings: Vec::new(),
            given: BTreeSet::new(),
            date_order,
        }
    }

    /// Takes over what the payload says of every field.
    pub(super) fn take(&mut self, said: &DirectoryUser, mapping: &Mapping) {
        let former_parts = name_of_parts(self.values);
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
        let parts = name_of_parts(self.values);
        if parts != former_parts {
            self.derive_names(parts);
        }
    }

    /// A full name that an older event gave says another name than the parts do now: they count,
    /// because names change on one day and stand in templates on the next (R90).
    fn derive_names(&mut self, parts: Option<String>) {
        for target in DERIVED {
            let is_older = !self.given.contains(target)
                && self.values.get(target).is_some_and(|name| !name.is_null());
            if is_older {
                let derived = parts.clone().map_or(Value::Null, Value::String);
                self.values.insert(target.to_owned(), derived);
            }
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

    /// E-mail counts as required: a later null keeps it and warns (C3). So does a placeholder (R86),
    /// which is shown only of somebody of whom nothing better is known.
    fn take_email(&mut self, word: &Said) {
        let known = self.values.get("email").and_then(Value::as_str);
        let has_address = known.is_some_and(|email| !clean::is_placeholder(email));
        match word {
            Said::Text(text) if has_address && clean::is_placeholder(text) => self
                .warnings
                .push("email: came as a placeholder, the last one is kept".to_owned()),
            Said::Text(text) => {
                let value = Value::String(text.clone());
                self.put("email", &value, ValueKind::Text, true);
            }
            Said::Null if known.is_some() => self
                .warnings
                .push("email: came empty, the last one is kept".to_owned()),
            Said::Absent | Said::Null => {}
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
        let claimed: BTreeSet<String> = mapping
            .rules
            .iter()
            .flat_map(|rule| rule.from.iter().map(|from| clean::text(from)))
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
        // The payload's values came clean; what a transform made of them need not be.
        let value = match value {
            Value::String(text) if KEYS.contains(&target) => &Value::String(clean::bare(text)),
            Value::String(text) => &Value::String(clean::text(text)),
            value => value,
        };
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
                self.keep(target, value);
            }
            Err(why) => self.skip(target, why),
        }
    }

    fn keep(&mut self, target: &str, value: Value) {
        if IDENTIFYING.contains(&target) && value.as_str().is_some_and(clean::is_placeholder) {
            self.warnings.push(format!(
                "{target}: a placeholder, so nobody is matched by it"
            ));
        }
        self.given.insert(target.to_owned());
        let earlier = self.values.get(target);
        // A list in another order is no change, and the earlier one stays (R83).
        if !earlier.is_some_and(|earlier| is_same(earlier, &value)) {
            self.values.insert(target.to_owned(), value);
        }
    }
}

/// Fields by which people are looked up: no invisible character stays in them.
const KEYS: [&str; 3] = ["email", "manager_email", "employee_number"];
/// Those of them that say who somebody is.
const IDENTIFYING: [&str; 2] = ["email", "employee_number"];

/// The name that first and last name make; `None` where there is neither.
pub(super) fn name_of_parts(values: &BTreeMap<String, Value>) -> Option<String> {
    let parts = ["first_name", "last_name"].map(|part| values.get(part).and_then(Value::as_str));
    let name = clean::text(&parts.into_iter().flatten().collect::<Vec<_>>().join(" "));
    (!name.is_empty()).then_some(name)
}

/// Whether two values say the same: lists do in any order, since SCIM promises none (R83, RFC 7643
/// section 2.4). An entry that is marked as primary is another entry than one that is not.
fn is_same(one: &Value, other: &Value) -> bool {
    one == other || (is_nested(one) && is_nested(other) && sorted(one) == sorted(other))
}

fn is_nested(value: &Value) -> bool {
    value.is_array() || value.is_object()
}

/// A value with every list in it sorted and without repetitions.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Array(items) => {
            let mut items: Vec<Value> = items.iter().map(sorted).collect();
            items.sort_by_cached_key(Value::to_string);
            items.dedup();
            Value::Array(items)
        }
        Value::Object(members) => {
            let members = members.iter();
            let sorted = members.map(|(name, value)| (name.clone(), sorted(value)));
            Value::Object(sorted.collect())
        }
        plain => plain.clone(),
    }
}

fn look_up<'a>(source: &'a Map<String, Value>, from: &str) -> Option<&'a Value> {
    let parts = parts_of(from);
    let (first, rest) = parts.split_first()?;
    rest.iter()
        .try_fold(source.get(first)?, |value, part| match value {
            Value::Object(members) => members.get(part),
            Value::Array(items) => items.get(part.parse::<usize>().ok()?),
            _ => None,
        })
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
