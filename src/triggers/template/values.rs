//! A profile's JSON as the template sees it: null becomes the empty text, so that neither "none"
//! nor an error ever reaches a reader, and an attribute that a person does not have reads the same.

use std::collections::BTreeMap;
use std::sync::Arc;

use minijinja::value::{Enumerator, Object, Serde};
use serde_json::Value;

use super::VARIABLES;

/// The root of what a template can name.
pub(super) fn context(vars: &Value) -> minijinja::Value {
    let mut root: BTreeMap<&'static str, minijinja::Value> = BTreeMap::new();
    for name in VARIABLES {
        let value = vars.get(name).unwrap_or(&Value::Null);
        let value = match name {
            "first_name" if is_blank(value) => {
                tidy(vars.get("display_name").unwrap_or(&Value::Null))
            }
            "attributes" => minijinja::Value::from_object(attributes(value)),
            "communities" if value.is_null() => minijinja::Value::from(Vec::<String>::new()),
            _ => tidy(value),
        };
        root.insert(name, value);
    }
    minijinja::Value::from(root)
}

/// What a digest can name.
pub(super) fn digest(names: &[String]) -> minijinja::Value {
    let names: Vec<String> = names.iter().map(|name| printable(name)).collect();
    let mut root: BTreeMap<&'static str, minijinja::Value> = BTreeMap::new();
    root.insert("count", minijinja::Value::from(names.len()));
    root.insert("names", minijinja::Value::from(names));
    minijinja::Value::from(root)
}

fn is_blank(value: &Value) -> bool {
    value.is_null() || value.as_str().is_some_and(|text| text.trim().is_empty())
}

fn attributes(value: &Value) -> Attributes {
    let all = value.as_object().map(|all| {
        all.iter()
            .map(|(name, value)| (name.clone(), tidy(value)))
            .collect()
    });
    Attributes(all.unwrap_or_default())
}

fn tidy(value: &Value) -> minijinja::Value {
    match value {
        Value::Null => minijinja::Value::from(""),
        Value::String(text) => minijinja::Value::from(printable(text)),
        Value::Array(all) => minijinja::Value::from(all.iter().map(tidy).collect::<Vec<_>>()),
        Value::Object(_) => minijinja::Value::from_object(attributes(value)),
        Value::Bool(_) | Value::Number(_) => minijinja::Value::from(Serde(value)),
    }
}

/// Control characters have no business in a name and much mischief in a mail or a terminal; line
/// breaks and tabs may stand.
fn printable(text: &str) -> String {
    text.chars()
        .filter(|letter| !letter.is_control() || matches!(letter, '\n' | '\t'))
        .collect()
}

/// A map without holes: a key it does not have is the empty text.
#[derive(Debug)]
struct Attributes(BTreeMap<String, minijinja::Value>);

impl Object for Attributes {
    fn get_value(self: &Arc<Self>, key: &minijinja::Value) -> Option<minijinja::Value> {
        let name = key.as_str()?;
        Some(
            self.0
                .get(name)
                .cloned()
                .unwrap_or_else(|| minijinja::Value::from("")),
        )
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.0.keys().cloned().map(minijinja::Value::from).collect())
    }
}
