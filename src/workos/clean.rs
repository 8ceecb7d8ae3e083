//! The one place where values are made clean (R86 to R88): text for show, addresses and ids for
//! comparison. Every field, key, group name and search goes through here before anything looks at
//! it, so that two spellings of one value are one value everywhere. Pure, and every function is
//! idempotent; the stored body stays as it came.

use icu_normalizer::ComposingNormalizerBorrowed;
use icu_properties::props::{DefaultIgnorableCodePoint, GeneralCategory};
use icu_properties::{CodePointMapData, CodePointSetData};

/// Words that stand where somebody had nothing to write (R86), in lower case. What holds only
/// zeros and punctuation (`-`, `0`, `--`, `000`) is one, too.
const PLACEHOLDERS: [&str; 9] = [
    "n/a", "na", "none", "null", "nil", "unknown", "tbd", "test", "x",
];

/// The characters that NFC turns into ASCII: the Greek question mark (`;`), the Greek varia (`` ` ``)
/// and the Kelvin sign (`K`). They stay as they are (R88): an address is one for its letters, not
/// for what resembles them. A test asks every character there is whether the list is complete.
const NEVER_ASCII: [char; 3] = ['\u{37e}', '\u{1fef}', '\u{212a}'];

/// Text as it is kept and shown: NFC, outer white space and invisible characters away, inner white
/// space to one space each (R87). Invisible characters within stay: they join letters of some
/// scripts and parts of some emoji.
#[must_use]
pub fn text(raw: &str) -> String {
    if is_plain(raw) {
        return raw.to_owned();
    }
    let composed = compose(raw);
    let shown = composed
        .trim_start_matches(|c: char| c.is_whitespace() || is_invisible(c))
        .trim_end_matches(|c: char| c.is_whitespace() || (is_invisible(c) && !modifies(c)));
    spaced(shown)
}

/// An address or id as it is kept: like [`text`], without any invisible character (R87), and with
/// its letters' case.
#[must_use]
pub fn bare(raw: &str) -> String {
    if is_plain(raw) {
        return raw.to_owned();
    }
    let visible: String = raw.chars().filter(|&c| !is_invisible(c)).collect();
    spaced(&compose(&visible))
}

/// The form by which addresses and numbers are compared: [`bare`], ASCII letters in lower case. A
/// non-ASCII character never becomes an ASCII one (R88), as `to_lowercase` would have it of U+212A,
/// and `Ë` is not `ë`.
#[must_use]
pub fn fold(raw: &str) -> String {
    if is_plain(raw) {
        return raw.to_ascii_lowercase();
    }
    // A small letter may compose with a mark where the capital one does not: U+1E96.
    compose(&bare(raw).to_ascii_lowercase())
}

/// The form in which text is searched: [`bare`], all letters in lower case but for those whose small
/// letter is an ASCII one. Finding is not being the same: `zoë` finds `ZOË`.
#[must_use]
pub fn search(raw: &str) -> String {
    let mut small = String::with_capacity(raw.len());
    for letter in bare(raw).chars() {
        let lower = letter.to_lowercase();
        match !letter.is_ascii() && lower.clone().any(|c| c.is_ascii()) {
            true => small.push(letter),
            false => small.extend(lower),
        }
    }
    compose(&small)
}

/// Whether a value only says that there is none (R86): empty after cleaning, or a placeholder.
#[must_use]
pub fn is_placeholder(raw: &str) -> bool {
    // Asked of every key at every step: nearly every value is decided without a copy of it.
    match is_plain(raw) {
        true => says_that_there_is_none(raw),
        false => says_that_there_is_none(&fold(raw)),
    }
}

fn says_that_there_is_none(cleaned: &str) -> bool {
    cleaned.chars().all(says_nothing)
        || PLACEHOLDERS
            .iter()
            .any(|word| word.eq_ignore_ascii_case(cleaned))
}

/// The key that an address or an employee number is compared by; `None` where the value identifies
/// nobody (R86).
#[must_use]
pub fn key(raw: &str) -> Option<String> {
    (!is_placeholder(raw)).then(|| fold(raw))
}

/// The key that a provider's id is compared by; `None` where it identifies nobody (R86). Letters keep
/// their case: at Okta, `00uAb` and `00uaB` are two people.
#[must_use]
pub fn id_key(raw: &str) -> Option<String> {
    (!is_placeholder(raw)).then(|| bare(raw))
}

/// Whether there is nothing to clean, as in nearly every value: printable ASCII, no space but a
/// single one between two words.
fn is_plain(raw: &str) -> bool {
    let printable = raw.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    printable && !raw.starts_with(' ') && !raw.ends_with(' ') && !raw.contains("  ")
}

/// Whether a character adds nothing to see: general category Cf (zero width, soft hyphen, direction
/// marks, byte-order mark), or another one that is drawn as nothing at all, such as Hangul's fillers.
fn is_invisible(c: char) -> bool {
    // Asked of nearly every character, and true of none of these.
    if c.is_ascii() {
        return false;
    }
    CodePointMapData::<GeneralCategory>::new().get(c) == GeneralCategory::Format
        || CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c)
}

/// Whether an invisible character changes how the one before it is drawn: variation selectors and
/// the tags that spell a flag. Without them an emoji at the end of a name is another one.
fn modifies(c: char) -> bool {
    matches!(c, '\u{fe00}'..='\u{fe0f}' | '\u{e0020}'..='\u{e007f}' | '\u{e0100}'..='\u{e01ef}')
}

/// Zeros, white space, punctuation of ASCII and dashes.
fn says_nothing(c: char) -> bool {
    c == '0'
        || c == ' '
        || c.is_ascii_punctuation()
        || matches!(c, '\u{2010}'..='\u{2015}' | '\u{2212}')
}

/// NFC but for [`NEVER_ASCII`]; U+0000, which no database takes, as U+FFFD (C8).
fn compose(raw: &str) -> String {
    let nfc = ComposingNormalizerBorrowed::new_nfc();
    let mut composed = String::with_capacity(raw.len());
    for part in raw.split_inclusive(NEVER_ASCII) {
        let (plain, kept) = match part.strip_suffix(NEVER_ASCII) {
            Some(plain) => part.split_at(plain.len()),
            None => (part, ""),
        };
        composed.push_str(&nfc.normalize(plain));
        composed.push_str(kept);
    }
    match composed.contains('\0') {
        true => composed.replace('\0', "\u{fffd}"),
        false => composed,
    }
}

fn spaced(text: &str) -> String {
    let mut spaced = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !spaced.is_empty() {
            spaced.push(' ');
        }
        spaced.push_str(word);
    }
    spaced
}

#[cfg(test)]
#[path = "clean_tests.rs"]
mod tests;
