//! The digest of what an event says: its type, its time and its data, whatever the white space, the
//! order of keys, and the parts of the envelope that webhooks and the Events API write differently
//! (contract 2.1). Two bodies with one digest say the same; the digest tells nobody what.

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::clock::Timestamp;

/// The digest of an event's body, in hex. Of what cannot be read as JSON it is that of the bytes.
pub fn content_digest(body: &str) -> String {
    let mut digest = Sha256::new();
    match serde_json::from_str::<Value>(body) {
        Ok(said) => add_content(&mut digest, &said),
        Err(_) => digest.update(body),
    }
    hex::encode(digest.finalize())
}

fn add_content(digest: &mut Sha256, said: &Value) {
    let part = |key: &str| said.get(key).unwrap_or(&Value::Null);
    // serde_json keeps keys in their order, so that one content has one text.
    digest.update(part("event").to_string());
    digest.update("\n");
    let at = part("created_at");
    match at.as_str().and_then(Timestamp::parse) {
        Some(at) => digest.update(at.to_string()),
        None => digest.update(at.to_string()),
    }
    digest.update("\n");
    digest.update(part("data").to_string());
}

#[cfg(test)]
mod tests {
    use super::content_digest;

    const WEBHOOK: &str = r#"{"id":"event_1","data":{"id":"a","state":"active"},"event":"dsync.user.created","created_at":"2026-05-04T09:00:02.118Z"}"#;

    #[test]
    fn the_envelope_of_the_events_api_and_the_order_of_keys_say_nothing() {
        let listed = r#"{"object":"event","id":"event_1","event":"dsync.user.created","created_at":"2026-05-04 09:00:02.118", "data":{"state":"active","id":"a"},"context":{}}"#;
        assert_eq!(content_digest(WEBHOOK), content_digest(listed));
    }

    #[test]
    fn other_data_another_type_and_another_time_have_another_digest() {
        for (from, to) in [
            ("active", "inactive"),
            ("created", "updated"),
            ("09:00:02", "09:00:03"),
        ] {
            assert_ne!(
                content_digest(WEBHOOK),
                content_digest(&WEBHOOK.replacen(from, to, 1)),
                "{to}"
            );
        }
        assert_ne!(content_digest("not JSON"), content_digest("not  JSON"));
    }
}
