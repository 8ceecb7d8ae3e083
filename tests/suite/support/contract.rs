//! Holds every answer of `/v1` that any test sees against the API's own document: the status must be
//! documented, the content type and the body must be what is said of it, and no field may be there
//! that the document does not know.

use std::sync::OnceLock;

use serde_json::Value;

use super::http::Answer;

/// The document, read.
pub fn document() -> &'static Value {
    static READ: OnceLock<Value> = OnceLock::new();
    READ.get_or_init(|| serde_json::from_str(rollcall::app::openapi()).unwrap())
}

/// Fails the test where an answer is not as the document says.
pub fn holds(method: &str, path: &str, answer: &Answer) {
    let path = path.split('?').next().unwrap();
    if !path.starts_with("/v1/") {
        return;
    }
    let wrong = complaints(method, path, answer);
    assert!(
        wrong.is_empty(),
        "{method} {path} answered {} {}, which is not as documented: {wrong:#?}",
        answer.status,
        answer.text
    );
}

fn complaints(method: &str, path: &str, answer: &Answer) -> Vec<String> {
    let mut wrong = Vec::new();
    let expected = match route(path) {
        None => problem_of(404, answer),
        Some(methods) => match &methods[method.to_lowercase()] {
            Value::Null => problem_of(405, answer),
            operation => documented(operation, answer),
        },
    };
    match expected {
        Err(why) => wrong.push(why),
        Ok(None) if answer.text.is_empty() => {}
        Ok(None) => wrong.push("a body where none is documented".to_owned()),
        Ok(Some(schema)) => fits(&body_of(answer), schema, "", &mut wrong),
    }
    if answer.header("x-request-id").is_empty() {
        wrong.push("no x-request-id".to_owned());
    }
    wrong
}

/// The body. What serde_json cannot hold, a lone surrogate in a payload that is told as it came, is
/// judged as another character in its place.
fn body_of(answer: &Answer) -> Value {
    if !answer.body.is_null() {
        return answer.body.clone();
    }
    let held = answer.text.replace("\\ud800", "?");
    serde_json::from_str(&held).unwrap_or_default()
}

fn problem_of(status: u16, answer: &Answer) -> Result<Option<&'static Value>, String> {
    if answer.status != status {
        return Err(format!("not documented; {status} was to be expected"));
    }
    Ok(Some(&document()["components"]["schemas"]["Problem"]))
}

fn documented(
    operation: &'static Value,
    answer: &Answer,
) -> Result<Option<&'static Value>, String> {
    let told = resolved(&operation["responses"][answer.status.to_string()]);
    if told.is_null() {
        return Err("this status is not documented".to_owned());
    }
    let Some(content) = told["content"].as_object() else {
        return Ok(None);
    };
    let kind = answer.header("content-type");
    match content.get(kind) {
        Some(media) => Ok(Some(&media["schema"])),
        None => Err(format!("the content type {kind:?} is not documented")),
    }
}

/// The methods at a path; a fixed word goes before a parameter in its place.
fn route(path: &str) -> Option<&'static Value> {
    let fits = |template: &str| {
        let (mut one, mut other) = (template.split('/'), path.split('/'));
        loop {
            match (one.next(), other.next()) {
                (None, None) => return true,
                (Some(said), Some(part)) if said == part => {}
                (Some(said), Some(part)) if said.starts_with('{') && !part.is_empty() => {}
                _ => return false,
            }
        }
    };
    let paths = document()["paths"].as_object().unwrap();
    let mut found = paths.iter().filter(|(template, _)| fits(template));
    found.next().map(|(_, methods)| methods)
}

fn resolved(schema: &'static Value) -> &'static Value {
    match schema["$ref"].as_str() {
        Some(place) => document()
            .pointer(place.strip_prefix('#').unwrap())
            .unwrap(),
        None => schema,
    }
}

fn is_a(value: &Value, kind: &str) -> bool {
    match kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("the document names the type {other:?}"),
    }
}

/// The part of JSON Schema that the document uses.
fn fits(value: &Value, schema: &'static Value, at: &str, wrong: &mut Vec<String>) {
    let schema = resolved(schema);
    if let Some(only) = schema.get("const").filter(|only| *only != value) {
        wrong.push(format!("{at} is {value}, not {only}"));
    }
    if let Some(words) = schema["enum"].as_array()
        && !words.contains(value)
    {
        wrong.push(format!("{at} is {value}, none of {words:?}"));
    }
    let kinds: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(several) => several.iter().map(|one| one.as_str().unwrap()).collect(),
        _ => Vec::new(),
    };
    if !kinds.is_empty() && !kinds.iter().any(|kind| is_a(value, kind)) {
        wrong.push(format!("{at} is {value}, which is none of {kinds:?}"));
        return;
    }
    for word in ["anyOf", "oneOf"] {
        let Some(options) = schema[word].as_array() else {
            continue;
        };
        let fit = |option: &&'static Value| {
            let mut inner = Vec::new();
            fits(value, option, at, &mut inner);
            inner.is_empty()
        };
        let count = options.iter().filter(fit).count();
        if count == 0 || (word == "oneOf" && count > 1) {
            wrong.push(format!("{at} is {value} and fits {count} of {word}"));
        }
    }
    match value {
        Value::Array(items) if schema["items"].is_object() => {
            for (place, item) in items.iter().enumerate() {
                fits(item, &schema["items"], &format!("{at}[{place}]"), wrong);
            }
        }
        Value::Object(_) => fields_fit(value, schema, at, wrong),
        Value::String(text)
            if schema["format"] == "date-time"
                && rollcall::clock::Timestamp::parse(text).is_none() =>
        {
            wrong.push(format!("{at} is {text:?}, which is no instant"));
        }
        _ => {}
    }
}

fn fields_fit(value: &Value, schema: &'static Value, at: &str, wrong: &mut Vec<String>) {
    for name in schema["required"].as_array().into_iter().flatten() {
        if value.get(name.as_str().unwrap()).is_none() {
            wrong.push(format!("{at} lacks {name}"));
        }
    }
    let known = schema["properties"].as_object();
    let others = &schema["additionalProperties"];
    for (name, inner) in value.as_object().unwrap() {
        let place = format!("{at}.{name}");
        match known.and_then(|known| known.get(name)) {
            Some(told) => fits(inner, told, &place, wrong),
            None if others.is_object() => fits(inner, others, &place, wrong),
            None if *others == Value::Bool(true) || known.is_none() => {}
            None => wrong.push(format!("{place} is not documented")),
        }
    }
}
