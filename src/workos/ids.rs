//! WorkOS ids: a prefix, an underscore, and a ULID, whose first ten characters are a time in
//! milliseconds (contract 2.1). Ids are opaque strings everywhere else: imported directories bring
//! ids of their own without prefix or ULID, and those simply carry no time.

use std::time::{Duration, UNIX_EPOCH};

use sha2::{Digest, Sha256};
use ulid::Ulid;

use super::clean;
use crate::clock::Timestamp;

const ULID_LEN: usize = 26;

/// The time inside the ULID after the last underscore of an id; `None` where there is no ULID.
pub fn event_time(id: &str) -> Option<Timestamp> {
    let tail = id.rsplit('_').next()?;
    // 26 characters hold 130 bits, a ULID has 128: above `7` the first one would overflow.
    if tail.len() != ULID_LEN || !matches!(tail.as_bytes().first(), Some(b'0'..=b'7')) {
        return None;
    }
    let ulid = Ulid::from_string(tail).ok()?;
    i64::try_from(ulid.timestamp_ms())
        .ok()
        .map(Timestamp::from_millis)
}

/// The id that stands for a user whom a membership event names by the provider's id alone (R95). A
/// digest: both parts in full would be longer than a database may index.
pub fn provider_user(directory_id: &str, idp_id: &str) -> String {
    let key = clean::id_key(idp_id);
    let key = key.as_deref().unwrap_or(idp_id);
    let digest = Sha256::digest(format!("{directory_id}\0{key}"));
    format!(
        "provider_user_{}",
        hex::encode(digest.get(..16).unwrap_or_default())
    )
}

/// A new event id as WorkOS writes it, `event_` and a ULID of that instant. Instants before 1970
/// count as 1970.
pub fn new_event_id(at: Timestamp) -> String {
    let since_epoch = Duration::from_millis(u64::try_from(at.millis()).unwrap_or(0));
    format!("event_{}", Ulid::from_datetime(UNIX_EPOCH + since_epoch))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r66_the_time_inside_an_id_is_read_whatever_its_prefix() {
        // 01ARZ3NDEK is the timestamp of the ULID specification's own example.
        let at = Some(Timestamp::from_millis(1_469_922_850_259));
        for prefix in ["event_", "wh_", "evt_", "directory_user_", ""] {
            let id = format!("{prefix}01ARZ3NDEKTSV4RRFFQ69G5FAV");
            assert_eq!(event_time(&id), at, "{id}");
        }
    }

    #[test]
    fn an_id_without_a_ulid_carries_no_time() {
        for id in [
            "",
            "event_1",
            "event_",
            "00u1q7kdx",
            "event_01ARZ3NDEKTSV4RRFFQ69G5FA",
            "event_01ARZ3NDEKTSV4RRFFQ69G5FAVX",
            "event_U1ARZ3NDEKTSV4RRFFQ69G5FAV",
            "event_8ZZZZZZZZZZZZZZZZZZZZZZZZZ",
            "event_ééééééééééééé",
        ] {
            assert_eq!(event_time(id), None, "{id}");
        }
    }

    #[test]
    fn a_new_id_holds_its_instant_and_is_never_the_same_twice() {
        let at = Timestamp::from_millis(1_767_225_600_123);
        let id = new_event_id(at);
        assert_eq!(id.len(), "event_".len() + ULID_LEN);
        assert_eq!(event_time(&id), Some(at));
        assert_ne!(id, new_event_id(at));
        assert_eq!(event_time(&new_event_id(Timestamp(-1))), Some(Timestamp(0)));
    }
}
