//! Reading conditions: closed (unknown keys, fields and operators are refused), bounded in depth
//! and number, and complete in its complaints: every problem is told, with its place.

use serde_json::{Map, Value};

use super::{Condition, Field, MAX_DEPTH, MAX_TESTS, Op, PROFILE_FIELDS, Problem, Test};
use crate::clock::Timestamp;

/// The longest text a comparison may hold, in characters.
const MAX_TEXT: usize = 4_096;
/// The longest list an `in` may hold.
const MAX_LIST: usize = 1_000;
/// The life of a profile, as `status` says it (design section 2).
const STATUSES: [&str; 5] = ["pending", "active", "on_leave", "removed", "erased"];

pub(super) fn condition(value: &Value, path: &str) -> Result<Condition, Vec<Problem>> {
    let mut reader = Reader {
        problems: Vec::new(),
        tests: 0,
    };
    let condition = reader.condition(value, path, 1);
    if reader.tests > MAX_TESTS {
        reader.complain::<()>(
            path,
            format!("at most {MAX_TESTS} comparisons in one condition"),
        );
    }
    match condition {
        Some(condition) if reader.problems.is_empty() => Ok(condition),
        _ => Err(reader.problems),
    }
}

struct Reader {
    problems: Vec<Problem>,
    tests: usize,
}

impl Reader {
    fn complain<T>(&mut self, path: &str, message: impl Into<String>) -> Option<T> {
        self.problems.push(Problem::new(path, message));
        None
    }

    fn condition(&mut self, value: &Value, path: &str, depth: usize) -> Option<Condition> {
        if depth > MAX_DEPTH {
            return self.complain(path, format!("conditions nest at most {MAX_DEPTH} deep"));
        }
        let Value::Object(object) = value else {
            return self.complain(path, "a condition is {\"field\",\"op\",\"value\"}, {\"all\":[…]}, {\"any\":[…]} or {\"not\":…}");
        };
        let joins: Vec<&str> = ["all", "any", "not"]
            .into_iter()
            .filter(|key| object.contains_key(*key))
            .collect();
        match joins.as_slice() {
            [] => self.test(object, path).map(Condition::Test),
            [join] if object.len() == 1 => self.join(join, &object[*join], path, depth),
            _ => self.complain(
                path,
                "\"all\", \"any\" and \"not\" stand alone in their object; nest instead",
            ),
        }
    }

    fn join(&mut self, join: &str, value: &Value, path: &str, depth: usize) -> Option<Condition> {
        let here = dotted(path, join);
        if join == "not" {
            return self
                .condition(value, &here, depth + 1)
                .map(|part| Condition::Not(Box::new(part)));
        }
        let parts = match value {
            Value::Array(parts) if !parts.is_empty() => parts,
            _ => return self.complain(&here, "a list with at least one condition is wanted"),
        };
        let read: Vec<Option<Condition>> = parts
            .iter()
            .enumerate()
            .map(|(at, part)| self.condition(part, &format!("{here}[{at}]"), depth + 1))
            .collect();
        let parts = read.into_iter().collect::<Option<Vec<_>>>()?;
        Some(if join == "all" {
            Condition::All(parts)
        } else {
            Condition::Any(parts)
        })
    }

    fn test(&mut self, object: &Map<String, Value>, path: &str) -> Option<Test> {
        self.tests += 1;
        for key in object
            .keys()
            .filter(|key| !matches!(key.as_str(), "field" | "op" | "value"))
        {
            self.complain::<()>(
                &dotted(path, key),
                "unknown key; a comparison has \"field\", \"op\" and \"value\"",
            );
        }
        let field = self.field(object.get("field"), &dotted(path, "field"));
        let op = self.op(object.get("op"), &dotted(path, "op"));
        let (field, op) = (field?, op?);
        let value = self.value(&field, op, object.get("value"), path)?;
        Some(Test { field, op, value })
    }

    fn field(&mut self, value: Option<&Value>, path: &str) -> Option<Field> {
        let known = || {
            format!(
                "{}, attributes.<name>, group, community, directory",
                PROFILE_FIELDS.join(", ")
            )
        };
        let Some(Value::String(name)) = value else {
            return self.complain(path, format!("a field is wanted: {}", known()));
        };
        match Field::parse(name) {
            Some(Field::Attribute(name)) if name.chars().count() > MAX_TEXT => {
                self.complain(path, "the attribute's name is too long")
            }
            Some(field) => Some(field),
            None => self.complain(
                path,
                format!("unknown field {:?}; known are {}", short(name), known()),
            ),
        }
    }

    fn op(&mut self, value: Option<&Value>, path: &str) -> Option<Op> {
        let known = || Op::ALL.map(|(name, _)| name).join(", ");
        let Some(Value::String(name)) = value else {
            return self.complain(path, format!("an operator is wanted: {}", known()));
        };
        Op::parse(name).or_else(|| {
            self.complain(
                path,
                format!("unknown operator {:?}; known are {}", short(name), known()),
            )
        })
    }

    fn value(&mut self, field: &Field, op: Op, value: Option<&Value>, path: &str) -> Option<Value> {
        let path = dotted(path, "value");
        let value = match (op, value) {
            (Op::Exists, None) => return Some(Value::Bool(true)),
            (_, None | Some(Value::Null)) => {
                return self.complain(
                    &path,
                    format!(
                        "\"{}\" wants a value; to ask whether there is one, use \"exists\"",
                        op.name()
                    ),
                );
            }
            (_, Some(value)) => value,
        };
        match op {
            Op::Exists if value.is_boolean() => {}
            Op::Exists => return self.complain(&path, "\"exists\" wants true or false"),
            Op::In => match value {
                Value::Array(list)
                    if (1..=MAX_LIST).contains(&list.len()) && list.iter().all(is_scalar) => {}
                _ => {
                    return self.complain(
                        &path,
                        format!(
                            "\"in\" wants a list of 1 to {MAX_LIST} texts, numbers or booleans"
                        ),
                    );
                }
            },
            Op::Before | Op::After => return self.date(field, op, value, &path),
            Op::StartsWith if !value.is_string() => {
                return self.complain(&path, "\"starts_with\" wants a text");
            }
            _ if is_scalar(value) => {}
            _ => {
                return self.complain(
                    &path,
                    format!("\"{}\" wants a text, a number or a boolean", op.name()),
                );
            }
        }
        self.known_status(field, op, value, &path)?;
        Some(value.clone())
    }

    fn date(&mut self, field: &Field, op: Op, value: &Value, path: &str) -> Option<Value> {
        if !matches!(field, Field::Profile("start_date") | Field::Attribute(_)) {
            return self.complain(
                path,
                format!(
                    "\"{}\" compares dates: use it with start_date or attributes.<name>",
                    op.name()
                ),
            );
        }
        match value.as_str().and_then(Timestamp::parse) {
            Some(_) => Some(value.clone()),
            None => self.complain(
                path,
                format!(
                    "\"{}\" wants a day (2026-11-23) or an RFC 3339 time",
                    op.name()
                ),
            ),
        }
    }

    /// A misspelt status would make a rule that silently fits nobody.
    fn known_status(&mut self, field: &Field, op: Op, value: &Value, path: &str) -> Option<()> {
        if *field != Field::Profile("status") || !matches!(op, Op::Eq | Op::Ne | Op::In) {
            return Some(());
        }
        let named = value
            .as_array()
            .map_or(std::slice::from_ref(value), Vec::as_slice);
        if named.iter().all(|status| {
            status
                .as_str()
                .is_some_and(|status| STATUSES.contains(&status))
        }) {
            return Some(());
        }
        self.complain(path, format!("a status is one of {}", STATUSES.join(", ")))
    }
}

fn is_scalar(value: &Value) -> bool {
    match value {
        Value::String(text) => text.chars().count() <= MAX_TEXT,
        Value::Number(_) | Value::Bool(_) => true,
        _ => false,
    }
}

/// Enough of what was written to find it again, never a whole page of it.
fn short(text: &str) -> String {
    text.chars().take(60).collect()
}

fn dotted(path: &str, key: &str) -> String {
    if path.is_empty() {
        short(key)
    } else {
        format!("{path}.{}", short(key))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(value: Value) -> Vec<(String, String)> {
        condition(&value, "when")
            .err()
            .unwrap_or_default()
            .into_iter()
            .map(|p| (p.path, p.message))
            .collect()
    }

    #[test]
    fn every_problem_is_told_at_once_with_its_place() {
        let problems = told(json!({"all": [
            {"field": "salary", "op": "eq", "value": 1},
            {"any": [{"field": "title", "op": "like", "value": "x", "values": 2}]},
            {"not": {"field": "title", "op": "in", "value": []}},
        ]}));
        let places: Vec<&str> = problems.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(
            places,
            [
                "when.all[0].field",
                "when.all[1].any[0].values",
                "when.all[1].any[0].op",
                "when.all[2].not.value",
            ]
        );
        assert!(
            problems[0].1.contains("department, pronouns"),
            "{}",
            problems[0].1
        );
        assert!(
            problems[2].1.contains("starts_with, exists"),
            "{}",
            problems[2].1
        );
    }

    #[test]
    fn what_is_no_condition_is_refused() {
        for wrong in [
            json!(null),
            json!([]),
            json!("all"),
            json!({}),
            json!({"all": []}),
            json!({"any": {}}),
            json!({"not": []}),
            json!({"all": [{"field": "id", "op": "exists"}], "field": "id"}),
            json!({"all": [{"field": "id", "op": "exists"}], "any": [{"field": "id", "op": "exists"}]}),
            json!({"field": "attributes.", "op": "exists"}),
            json!({"field": "title", "op": "eq"}),
            json!({"field": "title", "op": "eq", "value": null}),
            json!({"field": "title", "op": "eq", "value": {"a": 1}}),
            json!({"field": "title", "op": "exists", "value": "yes"}),
            json!({"field": "title", "op": "starts_with", "value": 3}),
            json!({"field": "title", "op": "before", "value": "2026-01-01"}),
            json!({"field": "start_date", "op": "before", "value": "soon"}),
            json!({"field": "status", "op": "eq", "value": "aktive"}),
            json!({"field": "status", "op": "in", "value": ["active", "gone"]}),
        ] {
            assert!(condition(&wrong, "").is_err(), "{wrong}");
        }
    }

    #[test]
    fn depth_and_number_are_bounded() {
        let mut deep = json!({"field": "id", "op": "exists"});
        for _ in 1..MAX_DEPTH {
            deep = json!({ "not": deep });
        }
        assert!(condition(&deep, "").is_ok());
        assert!(condition(&json!({ "not": deep }), "").is_err());
        let many = vec![json!({"field": "id", "op": "exists"}); MAX_TESTS + 1];
        assert!(condition(&json!({ "any": many }), "").is_err());
    }

    #[test]
    fn a_condition_survives_the_way_to_json_and_back() {
        let written = json!({"all": [
            {"field": "attributes.cost.centre", "op": "in", "value": ["a", 7, true]},
            {"not": {"any": [{"field": "group", "op": "eq", "value": "Sales"}]}},
            {"field": "start_date", "op": "after", "value": "2026-11-23"},
        ]});
        let condition: Condition =
            serde_json::from_value(written.clone()).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(serde_json::to_value(condition).ok(), Some(written));
    }
}
