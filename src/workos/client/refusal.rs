//! What a refusal's body says: its code, and what of the request it names. Every shape that the contract
//! shows is read (9); sentences are looked through and never repeated, because they may quote what was
//! sent.

use serde_json::Value;

use super::calls::ORGANIZATION_DELETED;

/// What of a request a refusal names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Names {
    /// Where reading begins: the cursor or the range of times.
    Position,
    /// The names of events that an endpoint subscribes to.
    Events,
    /// Something else, by a code or a field.
    Other,
    /// It gives no code and no field.
    Nothing,
}

/// What a refusal's body says, in whichever of the contract's shapes (9).
#[derive(Debug, Default)]
pub(super) struct Refusal {
    /// Codes and names of fields: what is meant for programs.
    words: Vec<String>,
    /// Sentences. Looked through, never repeated: they may quote what was sent.
    sentences: Vec<String>,
}

impl Refusal {
    pub(super) fn read(body: &[u8]) -> Self {
        let said: Value = serde_json::from_slice(body).unwrap_or_default();
        let mut refusal = Self::default();
        refusal.add(&said);
        let errors = said.get("errors").and_then(Value::as_array);
        for error in errors.into_iter().flatten() {
            refusal.add(error);
        }
        refusal
    }

    fn add(&mut self, said: &Value) {
        let text = |key: &str| said.get(key).and_then(Value::as_str).map(str::to_owned);
        self.words
            .extend(["code", "field"].into_iter().filter_map(text));
        // `error` is a code, or an HTTP status in words.
        let (sentences, words): (Vec<String>, Vec<String>) = text("error")
            .into_iter()
            .partition(|text| text.contains(' '));
        self.words.extend(words);
        self.sentences.extend(sentences);
        let bare = said.as_str().map(str::to_owned);
        let told = ["message", "error_description"]
            .into_iter()
            .filter_map(text);
        self.sentences.extend(told.chain(bare));
    }

    /// The stable word.
    pub(super) fn code(&self) -> String {
        let code = self.words.first().map_or("no code", String::as_str);
        code.chars()
            .filter(|letter| letter.is_ascii_alphanumeric() || "_- .".contains(*letter))
            .take(64)
            .collect()
    }

    /// Whether a field is the list of events, or a sentence quotes a name that was sent in it.
    fn is_about_events(&self) -> bool {
        let of_list = |word: &String| {
            let mut parts = word.split(|letter: char| !letter.is_ascii_alphanumeric());
            parts.next() == Some("events")
        };
        let mut all = self.words.iter().chain(&self.sentences);
        self.words.iter().any(of_list) || all.any(|text| text.contains(ORGANIZATION_DELETED))
    }

    pub(super) fn names(&self) -> Names {
        let position = |text: &String| {
            let lower = text.to_ascii_lowercase();
            let mut parts = lower.split(|letter: char| !letter.is_ascii_alphanumeric());
            // A cursor is the only id of an event that is ever sent.
            parts.any(|part| POSITION.contains(&part)) || lower.contains("event_0")
        };
        if self.words.iter().chain(&self.sentences).any(position) {
            Names::Position
        } else if self.is_about_events() {
            Names::Events
        } else if self.words.is_empty() {
            Names::Nothing
        } else {
            Names::Other
        }
    }
}

/// What the cursor and the range are called, in codes, fields and sentences.
const POSITION: [&str; 6] = [
    "cursor",
    "after",
    "before",
    "range",
    "pagination",
    "expired",
];

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use reqwest::header::HeaderMap;

    use super::super::answer::{ClientError, said_of};
    use super::Names;

    fn refusal(status: u16, body: &str) -> ClientError {
        said_of(
            "a call",
            status,
            &HeaderMap::new(),
            body.as_bytes().to_vec(),
            Duration::ZERO,
        )
        .err()
        .unwrap()
    }

    #[test]
    fn r19_a_refusal_of_the_cursor_is_known_in_every_documented_shape() {
        let shapes = [
            (
                r#"{"message":"Invalid cursor","code":"invalid_cursor"}"#,
                Names::Position,
            ),
            (r#"{"message":"The cursor has expired"}"#, Names::Position),
            (
                r#"{"errors":[{"code":"invalid_value","field":"after"}]}"#,
                Names::Position,
            ),
            (
                r#"{"message":"Validation failed","code":"x","errors":[{"code":"range_start_out_of_window"}]}"#,
                Names::Position,
            ),
            (
                r#"{"error":"expired_cursor","error_description":"gone"}"#,
                Names::Position,
            ),
            (
                r#"{"message":"No event event_01K8ZP1A","code":"entity_not_found"}"#,
                Names::Position,
            ),
            (r#""The after parameter is no event""#, Names::Position),
            (
                r#"{"message":"Bad Request","error":"Bad Request"}"#,
                Names::Nothing,
            ),
            ("<html>", Names::Nothing),
            (
                r#"{"code":"invalid_events_request","message":"Invalid name parameter, received: 'x'"}"#,
                Names::Other,
            ),
            (
                r#"{"errors":[{"code":"invalid_value","field":"limit"}]}"#,
                Names::Other,
            ),
        ];
        for (body, names) in shapes {
            for status in [400, 422] {
                let error = refusal(status, body);
                assert_eq!(
                    error.is_lost_cursor(),
                    names != Names::Other,
                    "{status} {body}"
                );
                assert_eq!(error.is_refused_range(), names == Names::Position, "{body}");
            }
            assert!(refusal(404, body).is_lost_cursor() && refusal(410, body).is_lost_cursor());
            assert!(!refusal(403, body).is_lost_cursor() && !refusal(429, body).is_lost_cursor());
        }
    }

    #[test]
    fn a_server_that_has_no_such_path_is_not_in_trouble() {
        for status in [405, 410, 501] {
            let error = refusal(status, "");
            assert!(error.is_no_such_path() && !error.may_pass(), "{status}");
        }
        assert!(refusal(500, "").may_pass() && !refusal(404, "").is_no_such_path());
    }
}
