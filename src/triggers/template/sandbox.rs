//! The engine, closed: an empty environment with a handful of filters, strict about undefined
//! names, with fuel against runaway loops and a cap on what it writes.

use std::io::{self, Write};

use minijinja::{
    AutoEscape, Environment, ErrorKind, Output, State, UndefinedBehavior, Value, escape_formatter,
    filters,
};

use super::{Escape, TemplateError, VARIABLES};

/// The filters a template may use, as in Jinja; `default` also covers null and the empty text.
pub const FILTERS: [&str; 10] = [
    "capitalize",
    "default",
    "first",
    "join",
    "last",
    "length",
    "lower",
    "replace",
    "trim",
    "upper",
];

/// The longest text a template may make, in bytes.
pub const MAX_RENDERED: usize = 256 * 1024;

/// About this many instructions, or 64 bytes of memory each.
const FUEL: u64 = 50_000;

const SLACK: &str = "slack";

fn environment(escape: Escape) -> Environment<'static> {
    let mut environment = Environment::empty();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    environment.set_recursion_limit(50);
    environment.set_auto_escape_callback(move |_| match escape {
        Escape::PlainText | Escape::Header => AutoEscape::None,
        Escape::Html => AutoEscape::Html,
        Escape::Slack => AutoEscape::Custom(SLACK.into()),
    });
    environment.set_formatter(format);
    environment.add_filter("capitalize", filters::capitalize);
    environment.add_filter("default", default);
    environment.add_filter("first", filters::first);
    environment.add_filter("join", filters::join);
    environment.add_filter("last", filters::last);
    environment.add_filter("length", filters::length);
    environment.add_filter("lower", filters::lower);
    environment.add_filter("replace", filters::replace);
    environment.add_filter("trim", filters::trim);
    environment.add_filter("upper", filters::upper);
    environment
}

/// Unlike Jinja's: null and `""` count as missing too, as everywhere else in Rollcall (R46).
fn default(value: &Value, fallback: Value) -> Value {
    let missing = value.is_undefined()
        || value.is_none()
        || value.as_str().is_some_and(|text| text.trim().is_empty());
    if missing { fallback } else { value.clone() }
}

fn format(out: &mut Output, state: &mut State, value: &Value) -> Result<(), minijinja::Error> {
    if value.is_none() {
        return Ok(());
    }
    match state.auto_escape() {
        AutoEscape::Custom(_) => Ok(out.write_str(&escape_slack(&value.to_string()))?),
        _ => escape_formatter(out, state, value),
    }
}

/// Slack's three control characters (docs.slack.dev, "formatting message text").
fn escape_slack(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// The names that a template uses and `known` does not know.
pub(super) fn strangers(
    source: &str,
    known: fn(&str) -> bool,
) -> Result<Vec<String>, TemplateError> {
    let environment = environment(Escape::PlainText);
    let template = environment.template_from_str(source).map_err(syntax)?;
    let mut unknown: Vec<String> = template
        .undeclared_variables(true)
        .into_iter()
        .filter(|name| !known(name))
        .map(|name| name.chars().take(80).collect())
        .collect();
    unknown.sort();
    Ok(unknown)
}

/// `attributes.anything` is known, since the organization decides what attributes there are; the
/// other fields have no parts.
pub(super) fn is_known(name: &str) -> bool {
    match name.split_once('.') {
        Some((root, _)) => root == "attributes",
        None => VARIABLES.contains(&name),
    }
}

pub(super) fn render(
    source: &str,
    context: Value,
    escape: Escape,
) -> Result<String, TemplateError> {
    let environment = environment(escape);
    let template = environment.template_from_str(source).map_err(syntax)?;
    let mut written = Capped(Vec::new());
    template
        .render_captured_to(context, &mut written)
        .map_err(|error| match error.kind() {
            ErrorKind::OutOfFuel | ErrorKind::WriteFailure => TemplateError::TooMuch,
            // Only the kind: the engine's detail may quote a person's data.
            kind => TemplateError::Render {
                line: error.line().unwrap_or(1),
                kind: kind.to_string(),
            },
        })?;
    let text = String::from_utf8_lossy(&written.0).into_owned();
    Ok(if escape == Escape::Header {
        one_line(&text)
    } else {
        text
    })
}

/// Line breaks and control characters become single spaces.
pub(crate) fn one_line(text: &str) -> String {
    let spaced: String = text
        .chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .collect();
    spaced.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn syntax(error: minijinja::Error) -> TemplateError {
    let detail = error
        .detail()
        .map_or_else(|| error.kind().to_string(), str::to_owned);
    TemplateError::Syntax {
        line: error.line().unwrap_or(1),
        detail,
    }
}

/// A writer that stops at [`MAX_RENDERED`].
struct Capped(Vec<u8>);

impl Write for Capped {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > MAX_RENDERED {
            return Err(io::Error::other("too long"));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
