//! The order of events (R66): by when they happened, a removal last among those of one instant,
//! then by event id. Every part of a profile keeps the key of the event that last spoke of it, so
//! the stored form keeps microseconds: `[1767225600000123, false, "event_01…"]`.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::clock::Timestamp;

/// What decides which of two events is newer; field order is the order of comparison.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrderKey {
    /// When it happened: the envelope's `created_at`, else the id's time, else the receipt.
    pub at: Timestamp,
    /// Whether it removes; of two events in one instant the removal wins.
    pub removal: bool,
    /// The event's id, so that no two events tie.
    pub event_id: String,
}

impl Serialize for OrderKey {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        (self.at.micros(), self.removal, &self.event_id).serialize(to)
    }
}

impl<'de> Deserialize<'de> for OrderKey {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let (micros, removal, event_id) = Deserialize::deserialize(from)?;
        Ok(Self {
            at: Timestamp(micros),
            removal,
            event_id,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(micros: i64, removal: bool, id: &str) -> OrderKey {
        OrderKey {
            at: Timestamp(micros),
            removal,
            event_id: id.to_owned(),
        }
    }

    #[test]
    fn r66_time_decides_then_the_removal_then_the_event_id() {
        let ascending = [
            key(1, true, "event_9"),
            key(2, false, "event_8"),
            key(2, false, "event_9"),
            key(2, true, "event_1"),
            key(3, false, "event_0"),
        ];
        assert!(ascending.is_sorted_by(|earlier, later| earlier < later));
    }

    #[test]
    fn r66_the_stored_form_is_an_array_that_keeps_microseconds() {
        let key = key(1_767_225_600_000_123, true, "event_1");
        let stored = serde_json::to_string(&key).unwrap();
        assert_eq!(stored, r#"[1767225600000123,true,"event_1"]"#);
        assert_eq!(serde_json::from_str::<OrderKey>(&stored).unwrap(), key);
    }
}
