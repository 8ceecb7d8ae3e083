//! Text that JSON allows and databases do not: `\u0000` and half of a surrogate pair. They become
//! U+FFFD before anything is parsed (C8), so that no name can block the queue (R9); the stored
//! body stays as it came.

use std::borrow::Cow;

/// The longest text a field holds, in characters (C8).
pub const MAX_TEXT: usize = 4_096;
/// The longest id of any kind, in characters: a key longer than a database page cannot be indexed.
pub const MAX_ID: usize = 255;

const ESCAPE_LEN: usize = 6;
const REPLACEMENT: &str = "\\ufffd";

/// Rewrites `\u0000` and lone surrogate escapes in JSON text to `\ufffd`; borrowed when there is
/// none, which is nearly always. Everything else stays, byte for byte.
pub fn sanitise(json: &str) -> Cow<'_, str> {
    let bytes = json.as_bytes();
    let mut clean = String::new();
    let mut copied = 0;
    let mut at = 0;
    while let Some(found) = next_backslash(bytes, at) {
        let escape = Escape::at(bytes, found);
        if escape.unusable {
            clean.push_str(&json[copied..found]);
            clean.push_str(REPLACEMENT);
            copied = found + ESCAPE_LEN;
        }
        at = found + escape.len;
    }
    if copied == 0 {
        return Cow::Borrowed(json);
    }
    clean.push_str(&json[copied..]);
    Cow::Owned(clean)
}

fn next_backslash(bytes: &[u8], from: usize) -> Option<usize> {
    let rest = bytes.get(from..)?;
    rest.iter()
        .position(|byte| *byte == b'\\')
        .map(|offset| from + offset)
}

struct Escape {
    len: usize,
    unusable: bool,
}

impl Escape {
    fn at(bytes: &[u8], at: usize) -> Self {
        let (len, unusable) = match unit(bytes, at) {
            Some(0) => (ESCAPE_LEN, true),
            Some(0xD800..=0xDBFF) => match unit(bytes, at + ESCAPE_LEN) {
                Some(0xDC00..=0xDFFF) => (2 * ESCAPE_LEN, false),
                _ => (ESCAPE_LEN, true),
            },
            Some(0xDC00..=0xDFFF) => (ESCAPE_LEN, true),
            Some(_) => (ESCAPE_LEN, false),
            // Two bytes: of `\\u0000` the second backslash is no escape's beginning.
            None => (2, false),
        };
        Self { len, unusable }
    }
}

/// The UTF-16 unit of a `\uXXXX` escape that begins at `at`.
fn unit(bytes: &[u8], at: usize) -> Option<u16> {
    let digits = bytes.get(at..at + ESCAPE_LEN)?.strip_prefix(b"\\u")?;
    digits.iter().try_fold(0, |value: u16, digit| {
        let digit = char::from(*digit).to_digit(16)?;
        Some(value << 4 | u16::try_from(digit).ok()?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r9_nul_and_lone_surrogates_become_the_replacement_character() {
        for (given, clean) in [
            (r#""a\u0000b""#, r#""a\ufffdb""#),
            (r#""\ud800""#, r#""\ufffd""#),
            (r#""\uDC00x""#, r#""\ufffdx""#),
            (r#""\ud83d\ud83d\ude00""#, r#""\ufffd\ud83d\ude00""#),
            (r#""\ud83d\u0041""#, r#""\ufffd\u0041""#),
            (r#""\ud83d\u0000""#, r#""\ufffd\ufffd""#),
            (r#""\\\u0000""#, r#""\\\ufffd""#),
            (r#"{"\udfff":"é\udfff"}"#, r#"{"\ufffd":"é\ufffd"}"#),
        ] {
            assert_eq!(sanitise(given), clean, "{given}");
        }
    }

    #[test]
    fn r9_everything_else_is_borrowed_as_it_came() {
        for json in [
            "",
            r#"{"name":"Zoë \ud83e\udd80 🦀"}"#,
            r#""\\u0000 \\ud800""#,
            r#""\u00e9\u0001\n\"\/""#,
            r#""\u12"#,
            r#""\uzzzz\u+123""#,
            "\\",
        ] {
            assert!(matches!(sanitise(json), Cow::Borrowed(same) if same == json));
        }
    }
}
