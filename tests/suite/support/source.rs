//! The project's own source as data, for tests that read it: files with their comments and strings
//! blanked, so that a rule about code neither trips over prose nor is misled by it.

use std::path::Path;

/// One file of `src/`.
pub struct Source {
    /// Below `src/`, without `.rs`: `clock`, `http/mod`, `http/webhook`.
    pub path: String,
    /// As it stands.
    pub text: String,
    /// The text with comments, strings and characters blanked; line for line the same.
    pub code: String,
}

impl Source {
    /// A file by its path below `src/` and its text.
    pub fn new(path: &str, text: &str) -> Self {
        Self {
            path: path.trim_end_matches(".rs").to_owned(),
            text: text.to_owned(),
            code: code_of(text),
        }
    }

    /// Whether the file is one of these places (words apart), or lies in a folder among them.
    pub fn is_under(&self, places: &str) -> bool {
        places.split_whitespace().any(|place| {
            let below = self.path.strip_prefix(place);
            below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    }
}

/// Every `.rs` file of `src/`, in order of path.
pub fn sources() -> Vec<Source> {
    files_of(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))
}

/// Every `.rs` file of the suite itself, in order of path.
pub fn suite() -> Vec<Source> {
    files_of(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/suite"))
}

fn files_of(root: &str) -> Vec<Source> {
    let root = Path::new(root);
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|kind| kind == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                let below = path.strip_prefix(root).unwrap().to_str().unwrap();
                found.push(Source::new(&below.replace('\\', "/"), &text));
            }
        }
    }
    found.sort_by(|one, other| one.path.cmp(&other.path));
    found
}

/// Whether `line` has `word` in it, not as a part of a longer word.
pub fn has_word(line: &str, word: &str) -> bool {
    let is_part = |letter: char| letter.is_alphanumeric() || letter == '_';
    line.match_indices(word).any(|(at, _)| {
        let begins_inside = line[..at].ends_with(is_part);
        let ends_inside = word.ends_with(is_part) && line[at + word.len()..].starts_with(is_part);
        !begins_inside && !ends_inside
    })
}

fn code_of(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let blank = blank_length(rest);
        if blank == 0 {
            code.push(first);
            rest = &rest[first.len_utf8()..];
        } else {
            code.push(' ');
            code.extend(rest[..blank].chars().filter(|letter| *letter == '\n'));
            rest = &rest[blank..];
        }
    }
    code
}

/// How many bytes of a comment, string or character stand at the start of `rest`; zero for code.
fn blank_length(rest: &str) -> usize {
    let mut letters = rest.chars();
    match (letters.next(), letters.next(), letters.next()) {
        (Some('/'), Some('/'), _) => rest.find('\n').unwrap_or(rest.len()),
        (Some('/'), Some('*'), _) => block_comment(rest),
        (Some('"'), ..) => quoted(rest, '"'),
        // Anything else after a quote is a lifetime.
        (Some('\''), Some('\\'), _) | (Some('\''), _, Some('\'')) => quoted(rest, '\''),
        _ => raw_string(rest).unwrap_or(0),
    }
}

fn raw_string(rest: &str) -> Option<usize> {
    let body = rest.strip_prefix('r')?;
    let hashes = body.len() - body.trim_start_matches('#').len();
    let inside = body[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let length = inside.find(&end)?;
    Some(1 + hashes + 1 + length + end.len())
}

fn block_comment(rest: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < rest.len() {
        if rest[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}

fn quoted(rest: &str, quote: char) -> usize {
    let mut letters = rest.char_indices().skip(1);
    while let Some((at, letter)) = letters.next() {
        if letter == '\\' {
            letters.next();
        } else if letter == quote {
            return at + 1;
        }
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_strings_and_characters_are_blanked_line_for_line() {
        let text = concat!(
            "//! anyhow\n",
            "let url = \"https://tokio\"; real();\n",
            "/* diesel /* nested\n */ */ also_real();\n",
            "let (quote, raw) = ('\"', r#\"a \" schema\"#); fn f<'a>(x: &'a str) {}\n",
            "let escaped = \"a \\\" sql_query\"; let c = '\\''; end();\n",
        );
        let code = code_of(text);
        assert_eq!(code.lines().count(), text.lines().count());
        for gone in ["anyhow", "tokio", "diesel", "nested", "schema", "sql_query"] {
            assert!(!code.contains(gone), "{gone} is still in {code}");
        }
        for kept in [
            "real();",
            "also_real();",
            "fn f<'a>(x: &'a str) {}",
            "end();",
        ] {
            assert!(code.contains(kept), "{kept} is gone from {code}");
        }
        assert!(code.lines().nth(3).unwrap().contains("also_real"));
    }

    #[test]
    fn a_word_is_not_found_inside_another() {
        assert!(has_word("use tokio::time;", "tokio"));
        assert!(has_word("    println!(\"x\")", "println!"));
        assert!(!has_word("eprintln!()", "println!"));
        assert!(!has_word("let tokio_like = my_tokio;", "tokio"));
    }
}
