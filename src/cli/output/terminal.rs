//! The one way to a terminal: what comes from people's data must not move the cursor, clear the screen, set a
//! title or turn the direction of text, whichever command forgot to clean it. Of escape sequences only
//! colours pass, which are our own.

use std::fmt::Write as _;

/// A text without what a terminal would obey; line breaks and tabs stay.
pub(super) fn harmless(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        let colour = colour_at(rest);
        if colour > 0 {
            shown.push_str(&rest[..colour]);
            rest = &rest[colour..];
            continue;
        }
        rest = &rest[letter.len_utf8()..];
        match letter {
            '\n' | '\t' => shown.push(letter),
            _ if is_obeyed(letter) => shown.push(char::REPLACEMENT_CHARACTER),
            _ => shown.push(letter),
        }
    }
    shown
}

/// JSON in which such letters are escaped: a reader gets them as they are, a terminal never. JSON itself escapes
/// only those below U+0020.
pub(super) fn escaped(json: &str) -> String {
    let mut shown = String::with_capacity(json.len());
    for letter in json.chars() {
        if letter != '\n' && is_obeyed(letter) {
            let _ = write!(shown, "\\u{:04x}", u32::from(letter));
        } else {
            shown.push(letter);
        }
    }
    shown
}

/// C0, DEL and C1, line and paragraph separators, and what turns the direction of text.
fn is_obeyed(letter: char) -> bool {
    letter.is_control()
        || matches!(
            letter,
            '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{200E}' | '\u{200F}' | '\u{061C}'
        )
}

/// The length of the colour (`ESC [ digits ; … m`) that a text begins with; 0 where it begins with none.
fn colour_at(text: &str) -> usize {
    let Some(after) = text.strip_prefix("\u{1b}[") else {
        return 0;
    };
    let end = after.find(|letter: char| !(letter.is_ascii_digit() || letter == ';'));
    match end {
        Some(end) if after[end..].starts_with('m') => 2 + end + 1,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVIL: &str = "Eve\u{1b}[2J\u{1b}]0;pwned\u{7}\u{9b}31m\u{202e}evE\r\u{7f}";

    #[test]
    fn a_name_moves_no_cursor_and_sets_no_title() {
        let shown = harmless(EVIL);
        assert!(!shown.chars().any(is_obeyed), "{shown:?}");
        assert!(shown.starts_with("Eve") && shown.contains("pwned"));
    }

    #[test]
    fn colours_lines_and_tabs_pass() {
        let ours = "\u{1b}[1;31merror:\u{1b}[0m\tno\n";
        assert_eq!(harmless(ours), ours);
    }

    #[test]
    fn json_stays_the_same_value_and_holds_nothing_to_obey() {
        let value = serde_json::json!({ "name": EVIL, "umlaut": "ä" });
        let pretty = serde_json::to_string_pretty(&value).unwrap();
        let shown = escaped(&pretty);
        assert!(!shown.replace('\n', "").chars().any(is_obeyed));
        assert!(shown.contains('ä'));
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&shown).unwrap(),
            value
        );
    }
}
