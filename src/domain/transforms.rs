//! What may be done to a value between its source and its field: a small set that cannot fail
//! dangerously. No patterns, no code, nothing that looks elsewhere. Each step acts on all values that
//! the sources gave; the first that is left in the end counts. What cannot be done is said in words
//! that show no value (R51).

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::clock::{Date, DateOrder};

use crate::workos::clean;

use super::attributes::{LONGEST_TEXT, is_empty};
use super::converted::Skipped;

/// One step on the way of a value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Transform {
    /// Outer space goes.
    Trim,
    /// All letters small.
    Lower,
    /// All letters capital.
    Upper,
    /// The First Letter Of Each Word Capital, the others small.
    TitleCase,
    /// All values that say something, joined in the order of the sources.
    Concat {
        /// Between two of them.
        #[serde(default = "space")]
        separator: String,
    },
    /// The first value that says something, or a fixed one.
    Coalesce {
        /// The fixed one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        or: Option<String>,
    },
    /// Every occurrence of a text by another.
    Replace {
        /// What goes.
        find: String,
        /// What comes instead; nothing when not said.
        #[serde(default)]
        with: String,
    },
    /// What a table says of the value.
    Lookup {
        /// New values by old ones, as written.
        table: BTreeMap<String, String>,
        /// What becomes of a value that is not in it.
        #[serde(default)]
        otherwise: Otherwise,
    },
    /// A date written in another way.
    Date {
        /// How it is written: `DD/MM/YYYY`, `MM-DD-YYYY`, `YYYYMMDD`, …
        read: String,
        /// How it is to be written.
        #[serde(default = "iso")]
        write: String,
    },
}

/// What becomes of a value that a lookup table does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Otherwise {
    /// It stays as it is.
    #[default]
    Keep,
    /// It is skipped with a warning (R51).
    Skip,
}

/// How days are kept.
pub(super) const ISO_DAY: &str = "YYYY-MM-DD";

fn space() -> String {
    " ".to_owned()
}

fn iso() -> String {
    ISO_DAY.to_owned()
}

/// Takes the values of the sources through all steps. `None` is nothing at all, which clears; what
/// none of the values could go through is an error.
pub(super) fn run(
    sources: Vec<Value>,
    steps: &[Transform],
    order: DateOrder,
) -> Result<Option<Value>, Skipped> {
    let mut values = sources;
    let mut refused = None;
    for step in steps {
        values = match step {
            Transform::Concat { separator } => joined(&values, separator, &mut refused),
            Transform::Coalesce { or } => {
                let first = values.into_iter().find(|value| !is_empty(value));
                let fixed = || or.clone().map(Value::String);
                first.or_else(fixed).into_iter().collect()
            }
            _ => values
                .into_iter()
                .filter_map(|value| {
                    let done = fits(&value).and_then(|()| each(step, value, order));
                    done.map_err(|why| refused.get_or_insert(why)).ok()
                })
                .collect(),
        };
    }
    match values.into_iter().find(|value| !is_empty(value)) {
        Some(value) => Ok(Some(value)),
        None => refused.map_or(Ok(None), Err),
    }
}

/// A step may make a text longer: what is too long already goes no further.
fn fits(value: &Value) -> Result<(), Skipped> {
    match value {
        Value::String(text) if text.chars().count() > LONGEST_TEXT => {
            Err(Skipped::from("longer than 4,096 characters"))
        }
        _ => Ok(()),
    }
}

fn joined(values: &[Value], separator: &str, refused: &mut Option<Skipped>) -> Vec<Value> {
    let mut parts = Vec::new();
    for value in values.iter().filter(|value| !is_empty(value)) {
        match written(value) {
            Some(text) if !text.trim().is_empty() => parts.push(text),
            Some(_) => {}
            None => {
                refused.get_or_insert_with(|| Skipped::from("not a text that can be joined"));
            }
        }
    }
    if parts.is_empty() {
        return Vec::new();
    }
    vec![Value::String(parts.join(separator))]
}

/// Text, numbers and truth values as text.
fn written(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn each(step: &Transform, value: Value, order: DateOrder) -> Result<Value, Skipped> {
    if let Transform::Lookup { table, otherwise } = step {
        return look_up(table, *otherwise, value);
    }
    if let Transform::Date { read, write } = step {
        return rewrite_date(&value, read, write, order);
    }
    // Letters of a number or a list: there are none to change.
    let Value::String(text) = value else {
        return Ok(value);
    };
    Ok(Value::String(match step {
        Transform::Trim => clean::text(&text),
        Transform::Lower => text.to_lowercase(),
        Transform::Upper => text.to_uppercase(),
        Transform::TitleCase => title_case(&text),
        Transform::Replace { find, with } if !find.is_empty() => text.replace(find.as_str(), with),
        _ => text,
    }))
}

fn look_up(
    table: &BTreeMap<String, String>,
    otherwise: Otherwise,
    value: Value,
) -> Result<Value, Skipped> {
    let found = written(&value).and_then(|text| {
        // The table as somebody typed it, the value clean (R87).
        let typed = || table.iter().find(|(key, _)| clean::text(key) == text);
        table
            .get(&text)
            .or_else(|| typed().map(|(_, found)| found))
            .cloned()
    });
    match (found, otherwise) {
        (Some(found), _) => Ok(Value::String(found)),
        (None, Otherwise::Keep) => Ok(value),
        (None, Otherwise::Skip) => Err(Skipped::from("not in the lookup table")),
    }
}

fn title_case(text: &str) -> String {
    let mut begins = true;
    let mut shown = String::with_capacity(text.len());
    for letter in text.chars() {
        if begins {
            shown.extend(letter.to_uppercase());
        } else {
            shown.extend(letter.to_lowercase());
        }
        begins = letter.is_whitespace() || matches!(letter, '-' | '/');
    }
    shown
}

/// Whether a form names year, month and day, each once.
pub(super) fn is_date_form(form: &str) -> bool {
    ["YYYY", "MM", "DD"]
        .iter()
        .all(|part| form.matches(part).count() == 1)
        && form.chars().count() <= 40
}

/// A date in the form that the mapping names, written in another; `null` where it says no date. Its
/// shape is told of what is something else, so that the form can be put right.
fn rewrite_date(
    value: &Value,
    read: &str,
    write: &str,
    order: DateOrder,
) -> Result<Value, Skipped> {
    let found = written(value).and_then(|text| by_form(&text, read));
    match found {
        Some(Date::Day(day)) => Ok(Value::String(
            write
                .replace("YYYY", &day.format("%Y").to_string())
                .replace("MM", &day.format("%m").to_string())
                .replace("DD", &day.format("%d").to_string()),
        )),
        Some(_) => Ok(Value::Null),
        None => Err(Skipped {
            reason: format!("not a date written as {read}"),
            shape: match Date::read(value, order) {
                Date::Unreadable(shape) => Some(shape),
                Date::Day(_) | Date::None => None,
            },
        }),
    }
}

/// Reads the parts where the form has them; everything else must stand there as in the form.
fn by_form(text: &str, read: &str) -> Option<Date> {
    let text = text.trim();
    let (mut year, mut month, mut day) = (None, None, None);
    let (mut form, mut rest) = (read, text);
    while !form.is_empty() {
        let part = [("YYYY", &mut year), ("MM", &mut month), ("DD", &mut day)]
            .into_iter()
            .find(|(name, _)| form.starts_with(name));
        if let Some((name, place)) = part {
            let digits = rest.get(..name.len())?;
            if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
                return None;
            }
            *place = Some(digits);
            form = form.get(name.len()..)?;
            rest = rest.get(name.len()..)?;
        } else {
            let letter = form.chars().next()?;
            rest = rest.strip_prefix(letter)?;
            form = form.get(letter.len_utf8()..)?;
        }
    }
    let date = Date::of_parts(year?, month?, day?)?;
    rest.is_empty().then_some(date)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn done(sources: Value, steps: Value) -> Result<Option<Value>, String> {
        let sources = serde_json::from_value(sources).unwrap();
        run(
            sources,
            &serde_json::from_value::<Vec<Transform>>(steps).unwrap(),
            DateOrder::Ymd,
        )
        .map_err(|why| why.reason)
    }

    #[test]
    fn letters_and_space() {
        for (given, steps, wanted) in [
            ("  Ada ", json!(["trim"]), "Ada"),
            ("ADA", json!(["lower"]), "ada"),
            ("straße", json!(["upper"]), "STRASSE"),
            (
                "anne-marie VAN dyke",
                json!(["title_case"]),
                "Anne-Marie Van Dyke",
            ),
            (
                "a.b.c",
                json!([{"replace": {"find": ".", "with": "-"}}]),
                "a-b-c",
            ),
            ("a.b", json!([{"replace": {"find": "."}}]), "ab"),
        ] {
            assert_eq!(done(json!([given]), steps), Ok(Some(json!(wanted))));
        }
        assert_eq!(done(json!(["  "]), json!(["trim"])), Ok(None), "empty now");
        assert_eq!(
            done(json!([7]), json!(["trim", "lower"])),
            Ok(Some(json!(7)))
        );
    }

    #[test]
    fn several_sources_are_joined_or_the_first_counts() {
        let sources = json!(["Berlin", " ", 7, "DE"]);
        let joined = json!([{"concat": {"separator": ", "}}]);
        assert_eq!(done(sources, joined), Ok(Some(json!("Berlin, 7, DE"))));
        assert_eq!(
            done(json!(["", "b"]), json!(["trim"])),
            Ok(Some(json!("b")))
        );
        let fixed = json!([{"coalesce": {"or": "none"}}]);
        assert_eq!(done(json!([]), fixed.clone()), Ok(Some(json!("none"))));
        assert_eq!(done(json!(["x"]), fixed), Ok(Some(json!("x"))));
        let refused = done(json!([{"a": 1}]), json!([{"concat": {}}]));
        assert_eq!(refused, Err("not a text that can be joined".to_owned()));
    }

    #[test]
    fn r51_a_table_that_has_no_such_value_says_so_without_showing_it() {
        let table = |otherwise: &str| json!([{"lookup": {"table": {"BER": "Berlin", "7": "Seven"}, "otherwise": otherwise}}]);
        assert_eq!(
            done(json!(["BER"]), table("skip")),
            Ok(Some(json!("Berlin")))
        );
        assert_eq!(done(json!([7]), table("skip")), Ok(Some(json!("Seven"))));
        assert_eq!(done(json!(["X"]), table("keep")), Ok(Some(json!("X"))));
        assert_eq!(
            done(json!(["X"]), table("skip")),
            Err("not in the lookup table".to_owned())
        );
        assert_eq!(
            done(json!(["X", "BER"]), table("skip")),
            Ok(Some(json!("Berlin")))
        );
    }

    #[test]
    fn r61_a_date_is_rewritten_part_by_part_and_a_day_that_is_none_is_refused() {
        let day = |text: &str, read: &str| done(json!([text]), json!([{"date": {"read": read}}]));
        assert_eq!(
            day("27/06/2021", "DD/MM/YYYY"),
            Ok(Some(json!("2021-06-27")))
        );
        assert_eq!(day("20210627", "YYYYMMDD"), Ok(Some(json!("2021-06-27"))));
        for wrong in ["31/02/2021", "27-06-2021", "27/06/21", "27/06/2021x", ""] {
            assert_eq!(
                day(wrong, "DD/MM/YYYY"),
                Err("not a date written as DD/MM/YYYY".to_owned()),
                "{wrong}"
            );
        }
        let shown = json!([{"date": {"read": "YYYY-MM-DD", "write": "DD.MM.YYYY"}}]);
        assert_eq!(
            done(json!(["2021-06-27"]), shown),
            Ok(Some(json!("27.06.2021")))
        );
        assert!(
            is_date_form("DD/MM/YYYY")
                && !is_date_form("DD/MM/YY")
                && !is_date_form("MM MM DD YYYY")
        );
    }

    #[test]
    fn a_text_cannot_be_made_to_grow_without_end() {
        let grow = json!({"replace": {"find": "a", "with": "a".repeat(100)}});
        let steps = json!([grow, grow, grow, grow]);
        let grown = done(json!(["a".repeat(100)]), steps);
        assert_eq!(grown, Err("longer than 4,096 characters".to_owned()));
    }
}
