//! An hour as a row of small bars, one a minute, in SVG that stands in the page itself: colours come from
//! the stylesheet, and the same is said in words for those who do not see it.

use std::fmt;

use askama::filters::HtmlSafe;

use crate::clock::Timestamp;
use crate::operations::hour::{Hour, MINUTES, Minutes};

const HEIGHT: u64 = 48;
const STEP: usize = 10;
const BAR: usize = 8;

/// Bars on top of each other, each kind with its class.
#[derive(Debug)]
pub(super) struct Chart {
    /// What the chart says, in words.
    pub words: String,
    kinds: Vec<(&'static str, Minutes)>,
}

/// What came in the last hour.
pub(super) fn arrivals(hour: &Hour) -> Chart {
    let total = total(&hour.arrived);
    let mut words = match busiest(&hour.arrived) {
        None => "Nothing came in the last hour.".to_owned(),
        Some((minute, most)) => {
            let at = at(hour, minute);
            let came = counted(total, "event");
            format!("{came} in the last hour, at most {most} in one minute ({at} UTC).")
        }
    };
    since(&mut words, hour.arrived_since);
    Chart {
        words,
        kinds: vec![("came", hour.arrived)],
    }
}

/// What became of it.
pub(super) fn outcomes(hour: &Hour) -> Chart {
    let (applied, idle, troubled) = (
        total(&hour.applied),
        total(&hour.idle),
        total(&hour.troubled),
    );
    let mut words = if applied + idle + troubled == 0 {
        "Nothing was settled in the last hour.".to_owned()
    } else {
        format!(
            "{} applied, {idle} had nothing to change, {troubled} failed, held or discarded.",
            counted(applied, "event")
        )
    };
    since(&mut words, hour.settled_since);
    Chart {
        words,
        kinds: vec![
            ("applied", hour.applied),
            ("idle", hour.idle),
            ("troubled", hour.troubled),
        ],
    }
}

fn total(minutes: &Minutes) -> u64 {
    minutes.iter().copied().map(u64::from).sum()
}

fn busiest(minutes: &Minutes) -> Option<(usize, u32)> {
    let most = minutes.iter().copied().max().filter(|most| *most > 0)?;
    let minute = minutes.iter().position(|count| *count == most)?;
    Some((minute, most))
}

fn at(hour: &Hour, minute: usize) -> String {
    let after = std::time::Duration::from_secs(60 * u64::try_from(minute).unwrap_or_default());
    hour.since
        .plus(after)
        .to_chrono()
        .format("%H:%M")
        .to_string()
}

fn since(words: &mut String, since: Option<Timestamp>) {
    if let Some(since) = since {
        let told = since
            .to_chrono()
            .format(" Only the newest are counted, since %H:%M UTC.");
        words.push_str(&told.to_string());
    }
}

fn counted(count: u64, noun: &str) -> String {
    let many = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{many}")
}

/// Numbers and words of our own: nothing to escape.
impl HtmlSafe for Chart {}

impl fmt::Display for Chart {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let height = |count: u64, most: u64| (count * HEIGHT).div_ceil(most.max(1));
        let most = (0..MINUTES).map(|minute| {
            let kinds = self.kinds.iter();
            kinds.map(|(_, minutes)| u64::from(minutes[minute])).sum()
        });
        let most: u64 = most.max().unwrap_or_default();
        write!(
            out,
            "<svg class=\"chart\" viewBox=\"0 0 {} {HEIGHT}\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"{}\">",
            MINUTES * STEP,
            self.words
        )?;
        for minute in 0..MINUTES {
            let mut below = 0;
            for (class, minutes) in &self.kinds {
                let count = u64::from(minutes[minute]);
                if count == 0 {
                    continue;
                }
                let top = height(below + count, most);
                let tall = top - height(below, most);
                below += count;
                write!(
                    out,
                    "<rect class=\"{class}\" x=\"{}\" y=\"{}\" width=\"{BAR}\" height=\"{tall}\"/>",
                    minute * STEP,
                    HEIGHT - top
                )?;
            }
        }
        out.write_str("</svg>")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_is_drawn_and_said_in_words() {
        let mut hour = Hour {
            since: Timestamp(1_800_000_000_000_000),
            arrived: [0; MINUTES],
            arrived_since: None,
            applied: [0; MINUTES],
            idle: [0; MINUTES],
            troubled: [0; MINUTES],
            settled_since: None,
            revoked: None,
        };
        assert_eq!(arrivals(&hour).words, "Nothing came in the last hour.");
        hour.arrived[1] = 4;
        hour.arrived[59] = 1;
        let chart = arrivals(&hour);
        let words = "5 events in the last hour, at most 4 in one minute (08:01 UTC).";
        assert_eq!(chart.words, words);
        let drawn = chart.to_string();
        assert!(
            drawn.contains("x=\"10\" y=\"0\" width=\"8\" height=\"48\""),
            "{drawn}"
        );
        assert!(
            drawn.contains("x=\"590\" y=\"36\" width=\"8\" height=\"12\""),
            "{drawn}"
        );
    }

    #[test]
    fn outcomes_stand_on_each_other() {
        let mut hour = Hour {
            since: Timestamp(1_800_000_000_000_000),
            arrived: [0; MINUTES],
            arrived_since: None,
            applied: [0; MINUTES],
            idle: [0; MINUTES],
            troubled: [0; MINUTES],
            settled_since: Some(Timestamp(1_800_000_600_000_000)),
            revoked: None,
        };
        hour.applied[0] = 1;
        hour.troubled[0] = 1;
        let chart = outcomes(&hour);
        assert!(chart.words.ends_with("since 08:10 UTC."), "{}", chart.words);
        let drawn = chart.to_string();
        assert!(
            drawn.contains("class=\"applied\" x=\"0\" y=\"24\""),
            "{drawn}"
        );
        assert!(
            drawn.contains("class=\"troubled\" x=\"0\" y=\"0\""),
            "{drawn}"
        );
    }
}
