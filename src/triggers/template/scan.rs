//! A look at the code parts of a template before the engine sees them: only a few statements, the
//! listed filters, no tests and no calls pass. The engine itself would find an unknown filter only when a
//! branch that uses it is rendered, for the one person it happens to.

use super::TemplateError;
use super::sandbox::FILTERS;

/// The statements of the small language.
const STATEMENTS: [&str; 6] = ["if", "elif", "else", "endif", "for", "endfor"];

/// Words that may stand before a bracket without calling anything.
const KEYWORDS: [&str; 8] = ["and", "or", "not", "in", "if", "elif", "else", "for"];

/// Walks all `{{ … }}` and `{% … %}`, past comments. What never closes is left to the parser.
pub(super) fn scan(source: &str) -> Result<(), TemplateError> {
    let mut rest = source;
    while let Some(at) = rest.find('{') {
        rest = &rest[at..];
        rest = if let Some(comment) = rest.strip_prefix("{#") {
            comment.split_once("#}").map_or("", |(_, after)| after)
        } else if let Some(block) = rest.strip_prefix("{%") {
            let (code, after) = code(block, "%}");
            statement(code)?;
            expression(code)?;
            after
        } else if let Some(variable) = rest.strip_prefix("{{") {
            let (code, after) = code(variable, "}}");
            expression(code)?;
            after
        } else {
            &rest[1..]
        };
    }
    Ok(())
}

/// Splits at the closing mark, which does not count inside a quoted text.
fn code<'a>(text: &'a str, close: &str) -> (&'a str, &'a str) {
    let mut quote = None;
    let mut escaped = false;
    for (at, letter) in text.char_indices() {
        match quote {
            Some(_) if escaped => escaped = false,
            Some(_) if letter == '\\' => escaped = true,
            Some(mark) if letter == mark => quote = None,
            Some(_) => {}
            None if text[at..].starts_with(close) => {
                return (&text[..at], &text[at + close.len()..]);
            }
            None if matches!(letter, '"' | '\'') => quote = Some(letter),
            None => {}
        }
    }
    (text, "")
}

fn statement(code: &str) -> Result<(), TemplateError> {
    let name = word(code.trim_start_matches(['-', '+']).trim_start());
    if STATEMENTS.contains(&name) {
        return Ok(());
    }
    Err(TemplateError::UnknownStatement(
        name.chars().take(40).collect(),
    ))
}

/// Every name after `|` must be a filter of ours; tests (`is`) and calls are not offered.
fn expression(code: &str) -> Result<(), TemplateError> {
    let mut rest = code;
    while let Some(letter) = rest.chars().next() {
        let after = &rest[letter.len_utf8()..];
        rest = match letter {
            '"' | '\'' => quoted_end(after, letter),
            '|' => {
                let name = word(after.trim_start());
                if !FILTERS.contains(&name) {
                    return Err(TemplateError::UnknownFilter(
                        name.chars().take(40).collect(),
                    ));
                }
                &after.trim_start()[name.len()..]
            }
            _ if letter.is_alphanumeric() || letter == '_' => {
                let name = word(rest);
                let after = &rest[name.len()..];
                if name == "is" {
                    return Err(TemplateError::UnknownTest(
                        word(after.trim_start()).chars().take(40).collect(),
                    ));
                }
                // The engine's own name for the template; it would pass for a variable.
                if name == "self" {
                    return Err(TemplateError::UnknownVariables(vec![name.to_owned()]));
                }
                if after.trim_start().starts_with('(') && !KEYWORDS.contains(&name) {
                    return Err(TemplateError::UnknownFunction(
                        name.chars().take(40).collect(),
                    ));
                }
                after
            }
            _ => after,
        };
    }
    Ok(())
}

fn quoted_end(text: &str, mark: char) -> &str {
    let mut escaped = false;
    for (at, letter) in text.char_indices() {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if letter == mark => return &text[at + mark.len_utf8()..],
            _ => {}
        }
    }
    ""
}

/// The name at the start of a text; never empty where the first letter may begin one.
fn word(text: &str) -> &str {
    let end = text
        .find(|letter: char| !(letter.is_alphanumeric() || letter == '_'))
        .unwrap_or(text.len());
    &text[..end]
}
