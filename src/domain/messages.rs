//! What an organization may set of its messages: where its people are, when they may be disturbed,
//! who counts as new, and how many welcomes an hour are plausible (R57-R62). Kept as text and
//! numbers; the triggers read them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An organization's settings for messages.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MessageSettings {
    /// The IANA zone of whoever has none of their own.
    pub timezone: String,
    /// The custom attribute that names a person's IANA zone.
    pub timezone_attribute: String,
    /// The IANA zones of communities, by id: for people without one of their own.
    pub community_timezones: BTreeMap<String, String>,
    /// At what time a step without `at` leaves on a start day that lies ahead, `HH:MM` there.
    pub send_time: String,
    /// When nobody is sent an e-mail or a Slack message; it waits for the end.
    pub quiet_hours: Option<QuietHours>,
    /// A start may lie so many days before messaging was turned on and still be greeted (R57).
    pub grace_days: u32,
    /// A message that is later than so many hours is skipped (R62).
    pub late_hours: u32,
    /// How many welcomes may be due in an hour before they wait for an operator (R59).
    pub burst_guard: BurstGuard,
}

impl Default for MessageSettings {
    fn default() -> Self {
        Self {
            timezone: "UTC".to_owned(),
            timezone_attribute: "timezone".to_owned(),
            community_timezones: BTreeMap::new(),
            send_time: "09:00".to_owned(),
            quiet_hours: None,
            grace_days: 7,
            late_hours: 24,
            burst_guard: BurstGuard::default(),
        }
    }
}

/// A span of the local day, over midnight where `from` is the later one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct QuietHours {
    /// `HH:MM`.
    pub from: String,
    /// `HH:MM`.
    pub to: String,
}

/// How many welcomes may be due in an hour.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BurstGuard {
    /// Always this many people.
    pub floor: u32,
    /// Or this share of the people with access, in percent.
    pub percent: u32,
}

impl Default for BurstGuard {
    fn default() -> Self {
        Self {
            floor: 25,
            percent: 1,
        }
    }
}

impl BurstGuard {
    /// How many people may be welcomed in an hour, with so many there.
    pub fn limit(&self, headcount: usize) -> usize {
        let share = headcount.saturating_mul(self.percent as usize) / 100;
        share.max(self.floor as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r59_twenty_five_or_one_in_a_hundred() {
        let guard = BurstGuard::default();
        assert_eq!(guard.limit(40), 25);
        assert_eq!(guard.limit(5_000), 50);
    }

    #[test]
    fn settings_written_before_there_were_any_read_as_the_defaults() {
        let read: MessageSettings = serde_json::from_str("{}").unwrap_or_default();
        assert_eq!(read, MessageSettings::default());
    }
}
