//! Triggers as people write them: TOML, or JSON where it begins like JSON. Both are read into the one
//! form that is checked, and what is kept is written out as TOML that reads back the same.

use serde_json::{Map, Value};

use super::definition::NewTrigger;

/// JSON where it begins like JSON, TOML otherwise; or why it is neither, and where.
pub fn read(text: &str) -> Result<Value, String> {
    if text.trim_start().starts_with('{') {
        return serde_json::from_str(text).map_err(|why| why.to_string());
    }
    let table: toml::Table = toml::from_str(text).map_err(|why| in_one_line(&why.to_string()))?;
    Ok(json_of(toml::Value::Table(table)))
}

/// Where TOML breaks and why, without the picture of the line between them.
fn in_one_line(why: &str) -> String {
    let mut lines = why.lines().map(str::trim).filter(|line| !line.is_empty());
    match (lines.next(), lines.next_back()) {
        (Some(first), Some(last)) => format!("{first}: {last}"),
        (Some(only), None) => only.to_owned(),
        (None, _) => why.to_owned(),
    }
}

/// The keys of a trigger, and of a step, in the order one would write them.
const KEYS: [&str; 6] = ["name", "on", "field", "changed_to", "community", "when"];
const STEP_KEYS: [&str; 9] = [
    "channel", "to", "fallback", "after", "at", "subject", "text", "html", "digest",
];

/// A trigger as TOML, without its organization and its status: those are decided where it is saved.
pub fn write(trigger: &NewTrigger) -> String {
    let value = serde_json::to_value(trigger).unwrap_or_default();
    let mut text = lines(&value, &KEYS);
    for step in value["steps"].as_array().into_iter().flatten() {
        text.push_str("\n[[steps]]\n");
        text.push_str(&lines(step, &STEP_KEYS));
    }
    text
}

/// One line for each key that says something; a text of several lines stays one.
fn lines(object: &Value, keys: &[&str]) -> String {
    let known = keys.iter().filter_map(|key| {
        let value = object.get(*key).cloned().and_then(toml_of)?;
        let nothing = *key == "after" && value.as_str() == Some("PT0S");
        (!nothing).then(|| match value {
            // In one line: a header of its own would end the table it stands in.
            toml::Value::Table(_) | toml::Value::Array(_) => format!("{key} = {value}\n"),
            plain => {
                let one = toml::Table::from_iter([((*key).to_owned(), plain)]);
                toml::to_string_pretty(&one).unwrap_or_default()
            }
        })
    });
    known.collect()
}

/// TOML knows no null: what is null is left out.
fn toml_of(value: Value) -> Option<toml::Value> {
    Some(match value {
        Value::Null => return None,
        Value::Bool(truth) => toml::Value::Boolean(truth),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => toml::Value::Integer(whole),
            (None, Some(broken)) => toml::Value::Float(broken),
            (None, None) => toml::Value::String(number.to_string()),
        },
        Value::String(text) => toml::Value::String(text),
        Value::Array(all) => toml::Value::Array(all.into_iter().filter_map(toml_of).collect()),
        Value::Object(all) => {
            let all = all.into_iter();
            toml::Value::Table(
                all.filter_map(|(key, value)| Some((key, toml_of(value)?)))
                    .collect(),
            )
        }
    })
}

/// TOML's own times of day and dates become the text they are written as.
fn json_of(value: toml::Value) -> Value {
    match value {
        toml::Value::String(text) => Value::String(text),
        toml::Value::Integer(number) => Value::from(number),
        toml::Value::Float(number) => Value::from(number),
        toml::Value::Boolean(truth) => Value::Bool(truth),
        toml::Value::Datetime(at) => Value::String(written(&at)),
        toml::Value::Array(all) => Value::Array(all.into_iter().map(json_of).collect()),
        toml::Value::Table(all) => {
            let all = all.into_iter().map(|(key, value)| (key, json_of(value)));
            Value::Object(all.collect::<Map<_, _>>())
        }
    }
}

/// `09:00:00` is a time of day to the minute here.
fn written(at: &toml::value::Datetime) -> String {
    match (&at.date, &at.time) {
        (None, Some(time)) if time.second.unwrap_or(0) == 0 => {
            format!("{:02}:{:02}", time.hour, time.minute)
        }
        _ => at.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::triggers::Policy;

    #[test]
    fn toml_and_json_say_the_same() {
        let toml = "organization_id = \"org_1\"\n[[triggers]]\nname = \"a\"\n[[triggers.steps]]\nat = 09:00:00\nafter = \"P1D\"\n";
        let json = r#"{"organization_id": "org_1", "triggers": [{"name": "a", "steps": [{"at": "09:00", "after": "P1D"}]}]}"#;
        assert_eq!(read(toml), read(json));
    }

    #[test]
    fn what_is_written_reads_back_the_same() {
        let body = json!({
            "organization_id": "org_1", "name": "First days", "on": "field.changed",
            "field": "attributes.level", "changed_to": 3, "status": "published",
            "when": {"all": [{"not": {"field": "department", "op": "in", "value": ["A", "B"]}},
                {"field": "attributes.rank", "op": "eq", "value": 1.5}]},
            "steps": [
                {"channel": "email", "to": "person", "after": "P1D", "at": "09:00", "subject": "Hi \"{{ first_name }}\"",
                 "text": "Hello {{ first_name }},\n\nwelcome '''here'''.\n", "html": "<p>\\o/</p>"},
                {"channel": "slack", "to": "https://hooks.slack.com/services/T0/B0/x", "text": "hi",
                 "digest": {"at_least": 5, "text": "{{ count }}"}},
                {"channel": "webhook", "to": "https://hooks.example/in"},
            ],
        });
        let policy = Policy::default();
        let trigger = NewTrigger::parse(&body, policy).unwrap();
        let text = write(&trigger);
        let mut again = read(&text).unwrap();
        again["organization_id"] = "org_1".into();
        again["status"] = "published".into();
        assert_eq!(
            NewTrigger::parse(&again, policy).unwrap(),
            trigger,
            "{text}"
        );
        assert!(!text.contains("org_1"), "{text}");
        assert!(text.contains("\n\nwelcome"), "lines stay lines: {text}");
        assert!(text.starts_with("name = \"First days\"\non = "), "{text}");
    }

    #[test]
    fn what_is_neither_says_where_it_breaks() {
        let why = read("name = \"a\"\nsteps").unwrap_err();
        assert!(why.contains("at line 2, column 6: "), "{why}");
        assert!(read("= 3").is_err() && read("{").is_err());
    }
}
