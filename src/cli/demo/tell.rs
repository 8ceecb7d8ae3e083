//! How the demo speaks: numbered steps with the time since the beginning, labelled lines under
//! them, and claims that are ticked only when they hold. Fitted to the terminal's width.

use std::cell::Cell;
use std::time::{Duration, Instant};

use anstyle::{AnsiColor, Style};

use crate::cli::output::{Output, plain};

/// How far in the text under a label stands.
const LABEL: usize = 14;
/// On a terminal, a breath before each step, so that one can follow.
const BREATH: Duration = Duration::from_millis(300);
const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();

pub(super) struct Teller<'a> {
    out: &'a Output,
    begun: Instant,
    breathes: bool,
    width: usize,
    steps: Cell<usize>,
    kept: Cell<usize>,
    broken: Cell<usize>,
}

impl<'a> Teller<'a> {
    pub(super) fn new(out: &'a Output, breathes: bool) -> Self {
        Self {
            out,
            begun: Instant::now(),
            breathes,
            width: out.width().clamp(60, 100),
            steps: Cell::new(0),
            kept: Cell::new(0),
            broken: Cell::new(0),
        }
    }

    /// A heading over what follows.
    pub(super) fn title(&self, text: &str) {
        self.out.line(format!("\n{BOLD}{text}{BOLD:#}"));
    }

    /// The next step, with the time since the beginning at the right.
    pub(super) async fn step(&self, title: &str) {
        if self.breathes {
            tokio::time::sleep(BREATH).await;
        }
        self.steps.set(self.steps.get() + 1);
        let at = format!("+{:.2} s", self.begun.elapsed().as_secs_f64());
        let head = format!("{:>2}  {title}", self.steps.get());
        let gap = self.width.saturating_sub(head.chars().count() + at.len());
        let gap = " ".repeat(gap.max(2));
        self.out
            .line(format!("\n{BOLD}{head}{BOLD:#}{gap}{DIM}{at}{DIM:#}"));
    }

    /// What was done or said, under a label.
    pub(super) fn say(&self, label: &str, text: &str) {
        let head = format!("    {DIM}{label:<10}{DIM:#}");
        self.fitted(&head, text);
    }

    /// A claim, judged: `holds` was read back from the service.
    pub(super) fn claim(&self, holds: bool, text: &str) {
        let (mark, tone, count) = if holds {
            ("✓", AnsiColor::Green, &self.kept)
        } else {
            ("✗ not so:", AnsiColor::Red, &self.broken)
        };
        count.set(count.get() + 1);
        let tone = tone.on_default();
        let head = format!("    {:<8}{tone}{mark}{tone:#} ", "");
        self.fitted(&head, text);
    }

    /// Something to be copied: in one piece, however long.
    pub(super) fn command(&self, label: &str, text: &str) {
        self.out
            .line(format!("    {DIM}{label:<10}{DIM:#}{}", plain(text)));
    }

    /// A line as it is.
    pub(super) fn plain(&self, text: &str) {
        self.out.line(text);
    }

    /// Text that stands further in, as a message's.
    pub(super) fn quote(&self, text: &str) {
        for line in text.lines() {
            for piece in wrapped(&plain(line), self.width - LABEL - 2) {
                self.out
                    .line(format!("{}{DIM}│{DIM:#} {piece}", " ".repeat(LABEL)));
            }
        }
    }

    /// Labelled text that goes on under itself.
    fn fitted(&self, head: &str, text: &str) {
        let mut lines = wrapped(&plain(text), self.width - LABEL).into_iter();
        self.out
            .line(format!("{head}{}", lines.next().unwrap_or_default()));
        for line in lines {
            self.out.line(format!("{}{line}", " ".repeat(LABEL)));
        }
    }

    /// How many claims held, how many did not, and how long it all took.
    pub(super) fn counts(&self) -> (usize, usize, Duration) {
        (self.kept.get(), self.broken.get(), self.begun.elapsed())
    }
}

/// Lines of at most `width` letters, broken at spaces; a longer word stands alone.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let Some(line) = lines.last_mut() else { break };
        let taken = line.chars().count();
        if taken > 0 && taken + 1 + word.chars().count() > width {
            lines.push(word.to_owned());
        } else {
            if taken > 0 {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_that_does_not_hold_is_counted_apart() {
        let out = Output::new(false, true, false);
        let tell = Teller::new(&out, false);
        tell.claim(true, "one");
        tell.claim(false, "two");
        let (kept, broken, _) = tell.counts();
        assert_eq!((kept, broken), (1, 1));
    }

    #[test]
    fn text_is_broken_at_spaces_only() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(
            wrapped("https://example.com/x y", 5),
            ["https://example.com/x", "y"]
        );
        assert_eq!(wrapped("", 5), [""]);
    }
}
