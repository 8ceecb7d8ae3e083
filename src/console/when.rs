//! Times as people read them: how long ago or ahead, with the exact instant in the title.

use std::fmt;

use askama::filters::HtmlSafe;

use crate::clock::Timestamp;

/// An instant seen from now; shows itself as a `<time>` element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct When {
    at: Timestamp,
    now: Timestamp,
}

impl When {
    /// An instant seen from `now`.
    pub fn new(at: Timestamp, now: Timestamp) -> Self {
        Self { at, now }
    }

    fn relative(self) -> String {
        let ahead = self.at > self.now;
        let seconds = if ahead {
            self.at.since(self.now).as_secs()
        } else {
            self.now.since(self.at).as_secs()
        };
        let said = match seconds {
            0..=4 => return "just now".to_owned(),
            5..=59 => format!("{seconds} s"),
            60..=3_599 => format!("{} min", seconds / 60),
            3_600..=86_399 => format!("{} h", seconds / 3_600),
            86_400..=172_799 => "1 day".to_owned(),
            172_800..=2_591_999 => format!("{} days", seconds / 86_400),
            _ => return self.at.to_chrono().format("%-d %b %Y").to_string(),
        };
        if ahead {
            format!("in {said}")
        } else {
            format!("{said} ago")
        }
    }
}

/// A length of time as people say it.
pub(super) fn took(length: std::time::Duration) -> String {
    match length.as_millis() {
        0..=999 => format!("{} ms", length.as_millis()),
        1_000..=59_999 => format!("{:.1} s", length.as_secs_f64()),
        60_000..=3_599_999 => format!("{} min", length.as_secs() / 60),
        _ => format!("{} h", length.as_secs() / 3_600),
    }
}

/// Digits, letters of ours, and punctuation that HTML leaves alone: nothing to escape.
impl HtmlSafe for When {}

impl fmt::Display for When {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exact = self.at.to_chrono().format("%-d %B %Y, %H:%M:%S UTC");
        let relative = self.relative();
        write!(
            out,
            "<time datetime=\"{}\" title=\"{exact}\">{relative}</time>",
            self.at
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_800_000_000_000_000);

    fn said(seconds: i64) -> String {
        When::new(Timestamp(NOW.0 + seconds * 1_000_000), NOW).relative()
    }

    #[test]
    fn times_read_as_people_say_them() {
        assert_eq!(said(0), "just now");
        assert_eq!(said(-30), "30 s ago");
        assert_eq!(said(-3_599), "59 min ago");
        assert_eq!(said(7_200), "in 2 h");
        assert_eq!(said(-90_000), "1 day ago");
        assert_eq!(said(-5 * 86_400), "5 days ago");
        assert_eq!(said(-40 * 86_400), "6 Dec 2026");
    }

    #[test]
    fn the_exact_instant_is_in_the_title() {
        let shown = When::new(NOW, NOW).to_string();
        assert_eq!(
            shown,
            "<time datetime=\"2027-01-15T08:00:00.000Z\" title=\"15 January 2027, 08:00:00 UTC\">just now</time>"
        );
    }
}
