//! Changing one value in a JSON text and leaving every other byte's meaning alone: order of keys,
//! numbers too long for a float, lone surrogates, deep nesting. Only the objects and arrays on the
//! way to the value are taken apart.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Where a value lies: `data.email`, `data.emails.0.value`, or a JSON pointer (RFC 6901) such as
/// `/data/custom_attributes/a.b` for keys with dots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path(Vec<String>);

impl FromStr for Path {
    type Err = EditError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let steps: Vec<String> = match text.strip_prefix('/') {
            Some(pointer) => pointer
                .split('/')
                .map(|step| step.replace("~1", "/").replace("~0", "~"))
                .collect(),
            None => text.split('.').map(str::to_owned).collect(),
        };
        if steps.iter().any(String::is_empty) {
            return Err(EditError::Path(text.to_owned()));
        }
        Ok(Self(steps))
    }
}

impl fmt::Display for Path {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0.join("."))
    }
}

/// `path=value`: the value is JSON where it reads as JSON, else text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// Where.
    pub path: Path,
    /// What, as JSON text.
    pub json: String,
}

impl FromStr for Assignment {
    type Err = EditError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (path, value) = text
            .split_once('=')
            .ok_or_else(|| EditError::Assignment(text.to_owned()))?;
        let json = match serde_json::from_str::<&RawValue>(value) {
            Ok(raw) => raw.get().to_owned(),
            Err(_) => quoted(value),
        };
        Ok(Self {
            path: path.parse()?,
            json,
        })
    }
}

/// Why a value cannot be changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// A step without a name.
    #[error("`{0}` is no path: write `data.email`, or `/data/a.b` for a key with dots")]
    Path(String),
    /// No `=`.
    #[error("`{0}` sets nothing: write `path=value`, such as `data.email=ann@example.com`")]
    Assignment(String),
    /// The text is not JSON as far as it was read.
    #[error("the body is not JSON: {0}")]
    NotJson(String),
    /// An event is an object.
    #[error("the body is not a JSON object")]
    NotAnObject,
    /// A step leads into something that has no inside.
    #[error("there is no way to `{0}`: what lies before it is neither an object nor an array")]
    NoWay(String),
    /// An index past the end.
    #[error("`{0}` is no index of that array")]
    Index(String),
}

/// The text of the value at `path`, if it is there.
pub fn get<'a>(json: &'a str, path: &[&str]) -> Option<&'a str> {
    let Some((step, rest)) = path.split_first() else {
        return Some(json.trim());
    };
    let Members(members) = serde_json::from_str(json).ok()?;
    // The last of equal keys, as every reader has it.
    let (_, value) = members.into_iter().rfind(|(key, _)| key == step)?;
    get(value.get(), rest)
}

/// The string at `path`, if there is one.
pub fn get_text(json: &str, path: &[&str]) -> Option<String> {
    serde_json::from_str(get(json, path)?).ok()
}

/// `json` with the value at `path` set; objects on the way are made where they are missing.
pub fn set(json: &str, path: &Path, value: &str) -> Result<String, EditError> {
    edit(json, &path.0, &Change::Set(value))
}

/// `json` without the value at `path`; as it was when there is none.
pub fn remove(json: &str, path: &Path) -> Result<String, EditError> {
    edit(json, &path.0, &Change::Remove)
}

enum Change<'a> {
    Set(&'a str),
    Remove,
}

fn edit(json: &str, path: &[String], change: &Change<'_>) -> Result<String, EditError> {
    let Some((step, rest)) = path.split_first() else {
        return Ok(json.to_owned());
    };
    match json.trim_start().as_bytes().first() {
        Some(b'{') => edit_object(json, step, rest, change),
        Some(b'[') => edit_array(json, step, rest, change),
        // Absent is what `null` is to whoever wants to set something below it.
        _ if json.trim() == "null" && matches!(change, Change::Set(_)) => {
            edit_object("{}", step, rest, change)
        }
        _ if matches!(change, Change::Remove) => parsed::<&RawValue>(json).map(|_| json.to_owned()),
        _ => parsed::<&RawValue>(json).and_then(|_| Err(EditError::NoWay(path.join(".")))),
    }
}

fn edit_object(
    json: &str,
    step: &str,
    rest: &[String],
    change: &Change<'_>,
) -> Result<String, EditError> {
    let Members(members) = parsed(json)?;
    let mut written: Vec<String> = Vec::with_capacity(members.len() + 1);
    let mut found = false;
    for (key, value) in &members {
        if key != step {
            written.push(format!("{}:{}", quoted(key), value.get()));
            continue;
        }
        found = true;
        if let Some(value) = changed(value.get(), rest, change)? {
            written.push(format!("{}:{value}", quoted(key)));
        }
    }
    if !found && let Change::Set(_) = change {
        let value = changed("{}", rest, change)?.unwrap_or_default();
        written.push(format!("{}:{value}", quoted(step)));
    }
    Ok(format!("{{{}}}", written.join(",")))
}

fn edit_array(
    json: &str,
    step: &str,
    rest: &[String],
    change: &Change<'_>,
) -> Result<String, EditError> {
    let items: Vec<&RawValue> = parsed(json)?;
    let index: usize = step
        .parse()
        .map_err(|_| EditError::Index(step.to_owned()))?;
    let mut written: Vec<String> = items.iter().map(|item| item.get().to_owned()).collect();
    let replacement = match (items.get(index), change) {
        (Some(item), _) => changed(item.get(), rest, change)?,
        (None, Change::Set(_)) if index == items.len() => changed("{}", rest, change)?,
        (None, Change::Set(_)) => return Err(EditError::Index(step.to_owned())),
        (None, Change::Remove) => return Ok(json.to_owned()),
    };
    written.splice(index..items.len().min(index + 1), replacement);
    Ok(format!("[{}]", written.join(",")))
}

/// What stands at the end of `rest` from here; `None` when it is to go.
fn changed(json: &str, rest: &[String], change: &Change<'_>) -> Result<Option<String>, EditError> {
    match (rest.is_empty(), change) {
        (true, Change::Set(value)) => Ok(Some((*value).to_owned())),
        (true, Change::Remove) => Ok(None),
        (false, _) => edit(json, rest, change).map(Some),
    }
}

fn parsed<'a, T: Deserialize<'a>>(json: &'a str) -> Result<T, EditError> {
    serde_json::from_str(json).map_err(|why| EditError::NotJson(why.to_string()))
}

/// Text as a JSON string.
pub fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// An object's members in their order, the values not read.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Members<'de>;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        from.deserialize_map(InOrder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(json: &str, assignment: &str) -> Result<String, EditError> {
        let Assignment { path, json: value } = assignment.parse()?;
        set(json, &path, &value)
    }

    #[test]
    fn a_value_is_set_and_everything_else_stays_as_it_was() {
        let json =
            r#"{"z":1.00000000000000000001,"data":{"name":"\ud800","email":"a@x"},"a":[1, 2]}"#;
        assert_eq!(
            with(json, "data.email=b@y").unwrap(),
            r#"{"z":1.00000000000000000001,"data":{"name":"\ud800","email":"b@y"},"a":[1, 2]}"#
        );
    }

    #[test]
    fn a_value_is_json_where_it_reads_as_json_and_else_text() {
        let value = |assignment: &str| with("{}", assignment).unwrap();
        assert_eq!(value("a=null"), r#"{"a":null}"#);
        assert_eq!(value("a=12"), r#"{"a":12}"#);
        assert_eq!(value(r#"a={"b":[]}"#), r#"{"a":{"b":[]}}"#);
        assert_eq!(value("a=x=y"), r#"{"a":"x=y"}"#);
        assert_eq!(value("a="), r#"{"a":""}"#);
        assert_eq!(value("a=\"12\""), r#"{"a":"12"}"#);
    }

    #[test]
    fn missing_objects_on_the_way_are_made() {
        assert_eq!(with("{}", "a.b.c=1").unwrap(), r#"{"a":{"b":{"c":1}}}"#);
        assert_eq!(with(r#"{"a":null}"#, "a.b=1").unwrap(), r#"{"a":{"b":1}}"#);
        assert_eq!(with("{}", "/a.b/c~1d=1").unwrap(), r#"{"a.b":{"c/d":1}}"#);
    }

    #[test]
    fn arrays_are_reached_by_index_and_grow_by_one() {
        let json = r#"{"emails":[{"value":"a"},{"value":"b"}]}"#;
        assert_eq!(
            with(json, "emails.1.value=c").unwrap(),
            r#"{"emails":[{"value":"a"},{"value":"c"}]}"#
        );
        assert_eq!(with(r#"{"a":[1]}"#, "a.1=2").unwrap(), r#"{"a":[1,2]}"#);
        assert_eq!(
            with(r#"{"a":[1]}"#, "a.5=2"),
            Err(EditError::Index("5".to_owned()))
        );
        assert_eq!(
            with(r#"{"a":[1]}"#, "a.x=2"),
            Err(EditError::Index("x".to_owned()))
        );
    }

    #[test]
    fn what_is_removed_is_gone_and_what_is_not_there_may_be_removed() {
        let gone = |json: &str, path: &str| remove(json, &path.parse().unwrap()).unwrap();
        assert_eq!(gone(r#"{"a":{"b":1,"c":2}}"#, "a.b"), r#"{"a":{"c":2}}"#);
        assert_eq!(gone(r#"{"a":[1,2,3]}"#, "a.1"), r#"{"a":[1,3]}"#);
        assert_eq!(gone(r#"{"a":1}"#, "b"), r#"{"a":1}"#);
        assert_eq!(gone(r#"{"a":1}"#, "a.b.c"), r#"{"a":1}"#);
    }

    #[test]
    fn what_cannot_be_edited_is_said() {
        assert!(matches!(
            with("nonsense", "a=1"),
            Err(EditError::NotJson(_))
        ));
        assert!(matches!(
            with(r#"{"a":"#, "a=1"),
            Err(EditError::NotJson(_))
        ));
        assert_eq!(
            with(r#"{"a":7}"#, "a.b=1"),
            Err(EditError::NoWay("b".to_owned()))
        );
        assert!(matches!("a..b".parse::<Path>(), Err(EditError::Path(_))));
        assert!(matches!(
            "a".parse::<Assignment>(),
            Err(EditError::Assignment(_))
        ));
    }

    #[test]
    fn the_last_of_equal_keys_is_read() {
        assert_eq!(
            get_text(r#"{"id":"a","id":"b"}"#, &["id"]).as_deref(),
            Some("b")
        );
        assert_eq!(get_text(r#"{"id":7}"#, &["id"]), None);
        assert_eq!(get("[", &["id"]), None);
    }
}
