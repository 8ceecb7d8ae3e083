//! `rollcall.toml`: sections and keys, flattened to `section.key`. Numbers, booleans and lists are
//! taken as the text one would write in the environment. An unknown key is an error that names the
//! nearest known one, so that a misspelt setting is never silently its default.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::problem::Problem;
use super::setting::Setting;

/// The file that is read when `--config` names none.
pub const FILE_NAME: &str = "rollcall.toml";

/// `./rollcall.toml`, if there is one.
pub fn find() -> Option<PathBuf> {
    let path = PathBuf::from(FILE_NAME);
    path.is_file().then_some(path)
}

/// Reads the file to `section.key` -> text, with what is wrong in it.
pub(super) fn read(path: &Path, settings: &[&Setting]) -> (BTreeMap<String, String>, Vec<Problem>) {
    let failed = |said: String| {
        (
            BTreeMap::new(),
            vec![Problem::new(format!("{}: {said}", path.display()))],
        )
    };
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(why) => return failed(format!("the configuration file cannot be read: {why}")),
    };
    match text.parse::<Table>() {
        Ok(table) => flatten(&table, path, &known_keys(settings)),
        // The message only: the whole error quotes the line, which may hold a secret.
        Err(why) => {
            let line = why.span().map_or(1, |span| {
                text.get(..span.start).unwrap_or("").lines().count().max(1)
            });
            failed(format!("line {line} is not TOML: {}", why.message()))
        }
    }
}

fn known_keys(settings: &[&Setting]) -> Vec<String> {
    let mut keys: Vec<String> = settings
        .iter()
        .map(|setting| setting.key.to_owned())
        .collect();
    keys.extend(
        settings
            .iter()
            .filter(|setting| setting.may_come_from_a_file())
            .map(|setting| setting.file_key()),
    );
    keys
}

fn flatten(
    table: &Table,
    path: &Path,
    known: &[String],
) -> (BTreeMap<String, String>, Vec<Problem>) {
    let mut leaves = Vec::new();
    gather(table, "", &mut leaves);
    let (mut found, mut problems) = (BTreeMap::new(), Vec::new());
    for (key, value) in leaves {
        if !known.contains(&key) {
            let hint = nearest(&key, known)
                .map(|near| format!("; did you mean `{near}`?"))
                .unwrap_or_default();
            problems.push(Problem::new(format!(
                "{}: unknown key `{key}`{hint}",
                path.display()
            )));
            continue;
        }
        match scalar(value) {
            Some(text) => {
                found.insert(key, text);
            }
            None => problems.push(Problem::new(format!(
                "{}: `{key}` wants text, a number, a boolean or a list of texts",
                path.display()
            ))),
        }
    }
    (found, problems)
}

fn gather<'a>(table: &'a Table, section: &str, leaves: &mut Vec<(String, &'a Value)>) {
    for (key, value) in table {
        let name = if section.is_empty() {
            key.clone()
        } else {
            format!("{section}.{key}")
        };
        match value {
            Value::Table(inner) => gather(inner, &name, leaves),
            _ => leaves.push((name, value)),
        }
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Integer(number) => Some(number.to_string()),
        Value::Boolean(truth) => Some(truth.to_string()),
        Value::Array(items) => Some(
            items
                .iter()
                .map(scalar)
                .collect::<Option<Vec<_>>>()?
                .join(","),
        ),
        _ => None,
    }
}

/// The known key that is fewest edits away, by its last part or as a whole, if any is near.
fn nearest<'a>(key: &str, known: &'a [String]) -> Option<&'a str> {
    let last = |text: &'a str| text.rsplit('.').next().unwrap_or(text);
    let wanted = key.rsplit('.').next().unwrap_or(key).replace('-', "_");
    let distance = |near: &'a str| edits(&wanted, last(near)).min(edits(key, near));
    // A whole section written as one key (`database = "…"`) is a near miss too.
    let section = known
        .iter()
        .find(|near| near.split('.').next() == Some(key))
        .map(String::as_str);
    let best = known
        .iter()
        .map(String::as_str)
        .min_by_key(|near| (distance(near), edits(key, near)))?;
    if distance(best) <= (wanted.len() / 3).max(1) {
        Some(best)
    } else {
        section
    }
}

/// Levenshtein's distance, in bytes: keys are ASCII.
fn edits(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.bytes().enumerate() {
        let mut before = i;
        let mut left = i + 1;
        for (b, above) in to.bytes().zip(row.iter_mut().skip(1)) {
            let cost = (before + usize::from(a != b)).min(left + 1).min(*above + 1);
            before = std::mem::replace(above, cost);
            left = cost;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_key_is_found_and_nonsense_has_none() {
        let known = known_keys(&crate::config::settings());
        assert_eq!(nearest("http.lisen", &known), Some("http.listen"));
        assert_eq!(nearest("listen", &known), Some("http.listen"));
        assert_eq!(
            nearest("worker.max-attempts", &known),
            Some("worker.max_attempts")
        );
        assert_eq!(nearest("database", &known), Some("database.url"));
        assert_eq!(nearest("weather.forecast", &known), None);
    }

    #[test]
    fn edits_are_counted() {
        assert_eq!(edits("kitten", "sitting"), 3);
        assert_eq!(edits("", "abc"), 3);
        assert_eq!(edits("abc", "abc"), 0);
    }
}
