//! How commands speak: data to standard output, talk to standard error, colour only on a terminal,
//! questions only where somebody can answer. A reader that goes away (`| head`) is no error; a full
//! disk behind `>` is one.

mod progress;
mod table;
mod terminal;

use std::fmt::Display;
use std::io::{BufRead, ErrorKind, IsTerminal, Write};
use std::sync::OnceLock;

use anstyle::{AnsiColor, Style};
use serde::Serialize;

pub use progress::Progress;
pub use table::{Cell, Tone, plain};
use terminal::{escaped, harmless};

use super::exit::{Exit, Failure};
use crate::clock::{Clock, Timestamp};

/// Where and how a command's words go.
#[derive(Debug)]
pub struct Output {
    json: bool,
    yes: bool,
    stdout_is_terminal: bool,
    stdin_is_terminal: bool,
    stderr_is_terminal: bool,
    /// The first failure to write to standard output; nothing is written after it.
    broken: OnceLock<ErrorKind>,
}

impl Output {
    /// Output as the flags `--json`, `--no-color` and `--yes` ask for it.
    pub fn new(json: bool, no_color: bool, yes: bool) -> Self {
        if no_color {
            anstream::ColorChoice::Never.write_global();
        }
        Self {
            json,
            yes,
            stdout_is_terminal: std::io::stdout().is_terminal(),
            stdin_is_terminal: std::io::stdin().is_terminal(),
            stderr_is_terminal: std::io::stderr().is_terminal(),
            broken: OnceLock::new(),
        }
    }

    /// Whether `--json` was asked for.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// Whether nobody reads standard output any more: endless commands end then.
    pub fn is_closed(&self) -> bool {
        self.broken.get().is_some()
    }

    /// A line of data.
    pub fn line(&self, text: impl Display) {
        self.write(&harmless(&format!("{text}\n")));
    }

    /// A value as indented JSON.
    pub fn json(&self, value: &impl Serialize) {
        match serde_json::to_string_pretty(value) {
            Ok(text) => self.line(escaped(&text)),
            Err(why) => self.note(format!("cannot be written as JSON: {why}")),
        }
    }

    /// A value as one line of JSON, for streams.
    pub fn json_line(&self, value: &impl Serialize) {
        match serde_json::to_string(value) {
            Ok(text) => self.line(escaped(&text)),
            Err(why) => self.note(format!("cannot be written as JSON: {why}")),
        }
    }

    /// Rows in columns: fitted to a terminal with times as people say them, else unwrapped with
    /// times in RFC 3339.
    pub fn table(&self, heads: &[&str], rows: Vec<Vec<Cell>>) {
        let people = self.stdout_is_terminal.then(|| Clock::System.now());
        self.line(table::render(heads, rows, people));
    }

    /// How many letters fit on a line: the terminal's width, 80 elsewhere.
    pub fn width(&self) -> usize {
        match self
            .stdout_is_terminal
            .then(table::terminal_width)
            .flatten()
        {
            Some(width) => usize::from(width),
            None => 80,
        }
    }

    /// An instant as [`Output::table`] writes it.
    pub fn time(&self, at: Timestamp) -> String {
        table::time(at, self.stdout_is_terminal.then(|| Clock::System.now()))
    }

    /// Talk: progress, next steps, warnings. Never data.
    pub fn note(&self, text: impl Display) {
        // Nobody can be told when standard error is gone.
        let _ = writeln!(anstream::stderr(), "{}", harmless(&text.to_string()));
    }

    /// A failure, in the shape that was asked for.
    pub fn failure(&self, failure: &Failure) {
        if self.json {
            self.note(failure.to_json());
            return;
        }
        let (red, dim) = (AnsiColor::Red.on_default().bold(), Style::new().bold());
        self.note(format!("{red}error:{red:#} {}", failure.message));
        if let Some(hint) = &failure.hint {
            self.note(format!("{dim}hint:{dim:#} {hint}"));
        }
    }

    /// Asks before something sweeping. `question` says what is about to happen, with its count.
    ///
    /// # Errors
    /// A "no" is [`Exit::Refused`]; nobody to ask and no `--yes` is [`Exit::Usage`].
    pub fn confirm(&self, question: &str) -> Result<(), Failure> {
        if self.yes {
            return Ok(());
        }
        if !(self.stdin_is_terminal && self.stderr_is_terminal) {
            return Err(Failure::new(
                Exit::Usage,
                format!("{question} Nobody is there to be asked."),
            )
            .hint("say --yes to go ahead, or --dry-run to see what would happen"));
        }
        let _ = write!(anstream::stderr(), "{question} [y/N] ");
        let mut answer = String::new();
        let read = std::io::stdin().lock().read_line(&mut answer);
        if read.is_ok() && matches!(answer.trim().to_lowercase().as_str(), "y" | "yes") {
            return Ok(());
        }
        Err(Failure::new(
            Exit::Refused,
            "Nothing was done: the answer was no.",
        ))
    }

    /// A bar on standard error that shows itself after a second, and never in a pipe.
    pub fn progress(&self, total: u64, what: &'static str) -> Progress {
        Progress::new(total, what)
    }

    /// Bytes of data as they are, for pages and scripts.
    pub fn raw(&self, bytes: &[u8]) {
        self.keep(std::io::stdout().lock().write_all(bytes));
    }

    /// Whether all data went out; a reader that went away has had what it wanted.
    pub(super) fn finish(&self) -> Result<(), Failure> {
        self.keep(std::io::stdout().flush());
        match self.broken.get() {
            None | Some(ErrorKind::BrokenPipe) => Ok(()),
            Some(kind) => Err(Failure::new(
                Exit::SomeFailed,
                format!("standard output could not be written: {kind}"),
            )),
        }
    }

    fn write(&self, text: &str) {
        if !self.is_closed() {
            self.keep(anstream::stdout().lock().write_all(text.as_bytes()));
        }
    }

    fn keep(&self, written: std::io::Result<()>) {
        if let Err(why) = written {
            // Only the first one counts.
            let _ = self.broken.set(why.kind());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piped(yes: bool) -> Output {
        Output {
            json: false,
            yes,
            stdout_is_terminal: false,
            stdin_is_terminal: false,
            stderr_is_terminal: false,
            broken: OnceLock::new(),
        }
    }

    #[test]
    fn what_sweeps_asks_and_where_nobody_can_answer_wants_yes() {
        assert_eq!(
            piped(false).confirm("Replay 12 events?").unwrap_err().exit,
            Exit::Usage
        );
        assert_eq!(piped(true).confirm("Replay 12 events?"), Ok(()));
    }

    #[test]
    fn a_reader_that_went_away_is_no_failure_and_a_full_disk_is_one() {
        let gone = piped(false);
        gone.keep(Err(ErrorKind::BrokenPipe.into()));
        assert!(gone.is_closed() && gone.finish().is_ok());
        let full = piped(false);
        full.keep(Err(ErrorKind::StorageFull.into()));
        assert_eq!(full.finish().unwrap_err().exit, Exit::SomeFailed);
    }
}
