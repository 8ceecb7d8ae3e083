//! The one place where values are made clean (R86 to R88): text for show, keys and addresses for
//! comparison. Every field, key, group name and search goes through here before anything looks at
//! it, so that two spellings of one value are one value everywhere. Pure; the stored body stays as
//! it came.

/// Words that stand where somebody had nothing to write (R86), in lower case.
const PLACEHOLDERS: [&str; 11] = [
    "-", "0", "n/a", "na", "none", "null", "nil", "unknown", "tbd", "test", "x",
];

/// Text as it is kept and shown: outer white space away, inner runs to one space (R87).
#[must_use]
pub fn text(raw: &str) -> String {
    raw.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The form by which two texts are compared: cleaned, ASCII letters in lower case. A non-ASCII
/// character never becomes an ASCII one (R88), which `to_lowercase` would do to U+212A.
#[must_use]
pub fn fold(raw: &str) -> String {
    text(raw).to_ascii_lowercase()
}

/// Whether a value only says that there is none (R86): empty after cleaning, or a placeholder.
#[must_use]
pub fn is_placeholder(raw: &str) -> bool {
    let folded = fold(raw);
    folded.is_empty() || PLACEHOLDERS.contains(&folded.as_str())
}

/// The key that an address, a provider's id or an employee number is compared by; `None` where the
/// value identifies nobody (R86).
#[must_use]
pub fn key(raw: &str) -> Option<String> {
    (!is_placeholder(raw)).then(|| fold(raw))
}
