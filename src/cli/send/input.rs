//! What is to be sent: files, folders, JSON lines, standard input. A body is sent as the bytes it
//! was found as, well formed or not: sending broken ones is a use of its own.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::value::RawValue;

use super::edit::EditError;
use crate::cli::{Exit, Failure};

/// One body to be sent, and where it was found.
#[derive(Debug, Clone)]
pub struct Body {
    /// The bytes.
    pub bytes: Arc<[u8]>,
    /// File, and line where there are several.
    pub from: Arc<str>,
}

impl Body {
    /// A body that was found at `from`.
    pub fn new(bytes: Vec<u8>, from: &str) -> Self {
        Self {
            bytes: bytes.into(),
            from: from.into(),
        }
    }

    /// The body as text, if it is any.
    pub fn text(&self) -> Option<&str> {
        std::str::from_utf8(&self.bytes).ok()
    }

    /// The body with its text changed.
    ///
    /// # Errors
    /// Where the body was found, and why it cannot be changed.
    pub fn edited(
        &self,
        change: impl Fn(&str) -> Result<String, EditError>,
    ) -> Result<Self, (String, EditError)> {
        let failed = |why: EditError| (self.from.to_string(), why);
        let text = self
            .text()
            .ok_or_else(|| failed(EditError::NotJson("it is not UTF-8".to_owned())))?;
        if !text.trim_start().starts_with('{') {
            return Err(failed(EditError::NotAnObject));
        }
        let bytes = change(text).map_err(failed)?.into_bytes().into();
        Ok(Self {
            bytes,
            from: self.from.clone(),
        })
    }
}

/// All bodies of all sources, in the order given; folders recursively, sorted by name.
///
/// # Errors
/// A source that is not there or cannot be read, or sources that hold nothing to send.
pub fn read_all(sources: &[PathBuf]) -> Result<Vec<Body>, Failure> {
    let mut bodies = Vec::new();
    for source in sources {
        let before = bodies.len();
        if source.as_os_str() == "-" {
            bodies.extend(stream(&read_whole(source)?));
        } else if source.is_dir() {
            for file in walk(source)? {
                bodies.extend(file_bodies(&file)?);
            }
        } else {
            bodies.extend(file_bodies(source)?);
        }
        if bodies.len() == before {
            return Err(Failure::new(
                Exit::NotFound,
                format!("{} holds nothing to send", source.display()),
            )
            .hint("a folder is searched for .json and .jsonl files"));
        }
    }
    Ok(bodies)
}

/// The bytes of one file, or of standard input for `-`.
///
/// # Errors
/// [`Exit::NotFound`] when there is no such file, else [`Exit::SomeFailed`].
pub fn read_whole(path: &Path) -> Result<Vec<u8>, Failure> {
    let read = if path.as_os_str() == "-" {
        let mut bytes = Vec::new();
        std::io::stdin()
            .lock()
            .read_to_end(&mut bytes)
            .map(|_| bytes)
    } else {
        std::fs::read(path)
    };
    read.map_err(|why| unreadable(path, &why))
}

fn unreadable(path: &Path, why: &std::io::Error) -> Failure {
    let exit = if why.kind() == std::io::ErrorKind::NotFound {
        Exit::NotFound
    } else {
        Exit::SomeFailed
    };
    Failure::new(exit, format!("{} cannot be read: {why}", path.display()))
}

fn file_bodies(path: &Path) -> Result<Vec<Body>, Failure> {
    let bytes = read_whole(path)?;
    let from = path.display().to_string();
    Ok(if is_lines(path) {
        lines(&bytes, &from)
    } else {
        vec![Body::new(bytes, &from)]
    })
}

fn is_lines(path: &Path) -> bool {
    path.extension()
        .is_some_and(|end| end == "jsonl" || end == "ndjson")
}

fn walk(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let entries =
        std::fs::read_dir(folder).and_then(|entries| entries.collect::<Result<Vec<_>, _>>());
    let mut paths: Vec<PathBuf> = entries
        .map_err(|why| unreadable(folder, &why))?
        .into_iter()
        .map(|entry| entry.path())
        .collect();
    paths.sort();
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            files.extend(walk(&path)?);
        } else if is_lines(&path) || path.extension().is_some_and(|end| end == "json") {
            files.push(path);
        }
    }
    Ok(files)
}

fn lines(bytes: &[u8], from: &str) -> Vec<Body> {
    let numbered = bytes.split(|byte| *byte == b'\n').zip(1..);
    numbered
        .filter(|(line, _)| !line.trim_ascii().is_empty())
        .map(|(line, number)| Body::new(line.trim_ascii().to_vec(), &format!("{from}:{number}")))
        .collect()
}

/// JSON values one after another, each on a line or spread over several (`jq .` prints them so);
/// what is not JSON is taken line by line.
fn stream(bytes: &[u8]) -> Vec<Body> {
    let values: Result<Vec<&RawValue>, _> = serde_json::Deserializer::from_slice(bytes)
        .into_iter()
        .collect();
    match values {
        Ok(values) => values
            .into_iter()
            .zip(1..)
            .map(|(value, number)| {
                Body::new(
                    value.get().as_bytes().to_vec(),
                    &format!("standard input, value {number}"),
                )
            })
            .collect(),
        Err(_) => lines(bytes, "standard input"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_holds_values_on_lines_or_spread_over_several() {
        let texts = |bytes: &[u8]| -> Vec<String> {
            stream(bytes)
                .iter()
                .map(|body| body.text().unwrap().to_owned())
                .collect()
        };
        assert_eq!(
            texts(b"{\"a\":1}\n\n{\"b\": 2}\n"),
            [r#"{"a":1}"#, r#"{"b": 2}"#]
        );
        assert_eq!(texts(b"{\n  \"a\": 1\n}\n"), ["{\n  \"a\": 1\n}"]);
        assert_eq!(texts(b"{\"a\":1}\nbroken\n"), [r#"{"a":1}"#, "broken"]);
        assert!(texts(b" \n").is_empty());
    }

    #[test]
    fn a_folder_is_read_in_the_order_of_names_and_only_what_is_json() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("b.json", "{\n}\n");
        write("a/two.jsonl", "2\n3\n");
        write("a/one.json", "1");
        write("README.md", "no");
        let bodies = read_all(&[folder.path().to_owned()]).unwrap();
        let texts: Vec<&str> = bodies.iter().map(|body| body.text().unwrap()).collect();
        assert_eq!(
            texts,
            ["1", "2", "3", "{\n}\n"],
            "a single body keeps its bytes"
        );
        assert!(
            bodies[2].from.ends_with("two.jsonl:2"),
            "{}",
            bodies[2].from
        );
    }

    #[test]
    fn a_missing_file_is_not_found() {
        let failure = read_all(&[PathBuf::from("/nowhere/event.json")]).unwrap_err();
        assert_eq!(failure.exit, Exit::NotFound);
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(
            read_all(&[folder.path().to_owned()]).unwrap_err().exit,
            Exit::NotFound
        );
    }
}
