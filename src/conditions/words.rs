//! Conditions in words, for somebody who does not read JSON: `department is “Research” and (title
//! starts with “Head” or cost center is missing)`.

use std::fmt;

use serde_json::Value;

use super::{Condition, Op, Test};

impl fmt::Display for Condition {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All(parts) => joined(out, parts, " and "),
            Self::Any(parts) => joined(out, parts, " or "),
            Self::Not(part) => write!(out, "not ({part})"),
            Self::Test(test) => write!(out, "{test}"),
        }
    }
}

fn joined(out: &mut fmt::Formatter<'_>, parts: &[Condition], word: &str) -> fmt::Result {
    for (place, part) in parts.iter().enumerate() {
        if place > 0 {
            out.write_str(word)?;
        }
        match part {
            Condition::All(_) | Condition::Any(_) => write!(out, "({part})")?,
            Condition::Not(_) | Condition::Test(_) => write!(out, "{part}")?,
        }
    }
    Ok(())
}

impl fmt::Display for Test {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let field = field_in_words(&self.field.name());
        let op = match self.op {
            Op::Exists if self.value == Value::Bool(false) => {
                return write!(out, "{field} is missing");
            }
            Op::Exists => return write!(out, "{field} is known"),
            Op::Eq => "is",
            Op::Ne => "is not",
            Op::In => "is one of",
            Op::StartsWith => "starts with",
            Op::Contains | Op::Before | Op::After => self.op.name(),
        };
        write!(out, "{field} {op} {}", value_in_words(&self.value))
    }
}

/// A field as somebody calls it: `attributes.cost_center` is `cost center`.
pub fn field_in_words(name: &str) -> String {
    let bare = name.strip_prefix("attributes.").unwrap_or(name);
    bare.replace('_', " ")
}

/// A value as somebody writes it.
pub fn value_in_words(value: &Value) -> String {
    match value {
        Value::String(text) => format!("“{text}”"),
        Value::Array(all) => all
            .iter()
            .map(value_in_words)
            .collect::<Vec<_>>()
            .join(", "),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_condition_reads_as_a_sentence() {
        let body = json!({"all": [
            {"field": "department", "op": "eq", "value": "Research"},
            {"any": [{"field": "attributes.cost_center", "op": "in", "value": ["A", 7]},
                {"field": "title", "op": "exists", "value": false}]},
            {"not": {"field": "group", "op": "contains", "value": "ext"}},
        ]});
        assert_eq!(
            Condition::parse(&body, "when").unwrap().to_string(),
            "department is “Research” and (cost center is one of “A”, 7 or title is missing) \
             and not (group contains “ext”)"
        );
    }
}
