//! Templates: what a message says, with the profile's fields filled in. A closed sandbox of
//! minijinja: known variables, filters and statements only, all of it checked when a trigger is
//! saved; no files, no includes, no functions; bounded work, source and output.
//!
//! A field that is null, or an attribute a person does not have, is the empty text; give a fallback
//! with `{{ department | default("your team") }}`. Values are escaped by channel ([`Escape`]); what
//! the template itself says is the author's own and stands as written.

mod bounds;
mod sandbox;
mod scan;
mod values;

use serde_json::Value;

pub(crate) use sandbox::one_line;
pub use sandbox::{FILTERS, MAX_RENDERED};

/// The variables a template may use: the profile's fields by name, and `community`, the name of the
/// community a membership trigger speaks of. `first_name` falls back to the display name.
pub const VARIABLES: [&str; 20] = [
    "id",
    "organization_id",
    "status",
    "first_name",
    "last_name",
    "display_name",
    "email",
    "title",
    "department",
    "pronouns",
    "start_date",
    "manager_email",
    "employee_number",
    "role",
    "roles",
    "attributes",
    "communities",
    "community",
    "removed_at",
    "removed_reason",
];

/// The variables of a digest: how many people it stands for, and their display names.
pub const DIGEST_VARIABLES: [&str; 2] = ["count", "names"];

/// The longest template, in bytes.
pub const MAX_SOURCE: usize = 64 * 1024;

/// How values are made harmless for where they go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Escape {
    /// As they are, but for control characters.
    PlainText,
    /// One line: a subject or any other header; line breaks become spaces.
    Header,
    /// `& < > " '` as entities.
    Html,
    /// `& < >` as entities, so that a display name `<!channel>` pings nobody.
    Slack,
}

/// Why a template cannot be used. Holds words of the template, never a person's data.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// Over [`MAX_SOURCE`].
    #[error("the template is too long: at most {} KiB", MAX_SOURCE / 1024)]
    TooLong,
    /// One `{{ … }}` or `{% … %}` holds too much.
    #[error(
        "one {{{{ … }}}} or {{% … %}} is too long: at most {} words and signs; say it in several", bounds::limits().0
    )]
    TooLongExpression,
    /// All code parts together are too much.
    #[error("the template has too much code: at most {} words and signs in all of it; write a shorter one", bounds::limits().1)]
    TooMuchCode,
    /// Blocks nest too deep.
    #[error(
        "{{% if %}}, {{% elif %}} and {{% for %}} nest too deep: at most {} within each other", bounds::limits().2
    )]
    TooDeep,
    /// The system gave no thread.
    #[error("the system had no thread to fill in the template on; try again")]
    NoThread,
    /// It does not parse.
    #[error("line {line}: {detail}")]
    Syntax {
        /// Counted from 1.
        line: usize,
        /// The parser's words.
        detail: String,
    },
    /// It names what does not exist.
    #[error("unknown variable {}; known are {}, and attributes.<name>", .0.join(", "), VARIABLES.join(", "))]
    UnknownVariables(Vec<String>),
    /// A digest names what a digest does not have.
    #[error("unknown variable {}; a digest knows {}", .0.join(", "), DIGEST_VARIABLES.join(", "))]
    UnknownInDigest(Vec<String>),
    /// It uses a filter that is not offered.
    #[error("unknown filter {0}; known are {list}", list = FILTERS.join(", "))]
    UnknownFilter(String),
    /// It uses a statement that is not offered.
    #[error(
        "{{% {0} %}} is not offered; templates know {{{{ … }}}}, {{% if %}} with elif and else, and {{% for %}}"
    )]
    UnknownStatement(String),
    /// It calls something; nothing can be called.
    #[error(
        "{0}() is not offered: templates have filters, such as {{{{ {0} | upper }}}}, and no functions"
    )]
    UnknownFunction(String),
    /// It uses `is` with a test that is not offered.
    #[error(
        "unknown test \"is {0}\"; to ask whether there is a value, write {{% if department %}}"
    )]
    UnknownTest(String),
    /// It failed on this person's values.
    #[error("line {line}: {kind}")]
    Render {
        /// Counted from 1.
        line: usize,
        /// The kind of failure.
        kind: String,
    },
    /// The result is over [`MAX_RENDERED`], or took too much work.
    #[error("the template makes too long a text or takes too much work")]
    TooMuch,
}

/// Checks a template as it is saved: syntax, and that every variable, filter and statement is known.
pub fn check(template: &str) -> Result<(), TemplateError> {
    bounded(template)?;
    match bounds::apart(|| sandbox::strangers(template, sandbox::is_known))? {
        none if none.is_empty() => Ok(()),
        some => Err(TemplateError::UnknownVariables(some)),
    }
}

/// What is refused without the engine's parser: length, amount of code, and what is not offered.
fn bounded(template: &str) -> Result<(), TemplateError> {
    if template.len() > MAX_SOURCE {
        return Err(TemplateError::TooLong);
    }
    bounds::check(template)?;
    scan::scan(template)
}

/// As [`check`], for the text of a digest.
pub fn check_digest(template: &str) -> Result<(), TemplateError> {
    bounded(template)?;
    let known = |name: &str| DIGEST_VARIABLES.contains(&name);
    match bounds::apart(|| sandbox::strangers(template, known))? {
        none if none.is_empty() => Ok(()),
        some => Err(TemplateError::UnknownInDigest(some)),
    }
}

/// Fills in a template. `vars` is a JSON object with (some of) [`VARIABLES`]; those not given count
/// as null, others are not seen.
pub fn render(template: &str, vars: &Value, escape: Escape) -> Result<String, TemplateError> {
    bounded(template)?;
    bounds::apart(|| {
        let unknown = sandbox::strangers(template, sandbox::is_known)?;
        if !unknown.is_empty() {
            return Err(TemplateError::UnknownVariables(unknown));
        }
        sandbox::render(template, values::context(vars), escape)
    })
}

/// Fills in a digest.
pub fn render_digest(
    template: &str,
    names: &[String],
    escape: Escape,
) -> Result<String, TemplateError> {
    bounded(template)?;
    bounds::apart(|| {
        let unknown = sandbox::strangers(template, |name| DIGEST_VARIABLES.contains(&name))?;
        if !unknown.is_empty() {
            return Err(TemplateError::UnknownInDigest(unknown));
        }
        sandbox::render(template, values::digest(names), escape)
    })
}

#[cfg(test)]
mod tests;
