//! How a command ends: one documented set of exit codes, and one error shape. An error says what
//! was being done and why it failed; its hint says what to do next.

use std::fmt;
use std::process::{ExitCode, Termination};

use crate::config::Problems;

/// Exit codes, the same for every command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// The command ran and some of it failed, or the answer to its question is no.
    SomeFailed = 1,
    /// The command line is wrong (clap uses this code too).
    Usage = 2,
    /// What was named does not exist.
    NotFound = 3,
    /// Refused: a hold, a role, a signature, or a "no" at the prompt.
    Refused = 4,
    /// The database or the service cannot be reached (`EX_UNAVAILABLE`).
    Unavailable = 69,
    /// `serve` or `work` stopped before everything in hand was finished (`EX_TEMPFAIL`).
    WorkLeft = 75,
    /// The configuration is wrong (`EX_CONFIG`).
    Configuration = 78,
}

impl Exit {
    /// The word for this code in JSON errors.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::SomeFailed => "failed",
            Self::Usage => "usage",
            Self::NotFound => "not_found",
            Self::Refused => "refused",
            Self::Unavailable => "unavailable",
            Self::WorkLeft => "work_left",
            Self::Configuration => "configuration",
        }
    }
}

impl Termination for Exit {
    fn report(self) -> ExitCode {
        ExitCode::from(self as u8)
    }
}

/// The codes as the help and the manual page list them.
pub const EXIT_CODES: &str = "\
Exit codes:
  0   done
  1   some of it failed
  2   the command line is wrong
  3   not found
  4   refused (a hold, a role, a signature, a \"no\")
  69  the database or the service cannot be reached
  75  stopped with work left; the next start goes on with it
  78  the configuration is wrong";

/// Why a command ends early.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The code to end with.
    pub exit: Exit,
    /// What was being done and why it failed; no secret, no payload.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Failure {
    /// A failure with a code and a sentence.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            exit,
            message: message.into(),
            hint: None,
        }
    }

    /// The same failure with a way out.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// As `--json` prints it on standard error.
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::json!({ "error": { "code": self.exit.word(), "message": self.message, "hint": self.hint } })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

impl From<Problems> for Failure {
    fn from(problems: Problems) -> Self {
        Self::new(Exit::Configuration, problems.to_string())
            .hint("`rollcall config reference` lists every setting with its names and default")
    }
}

impl From<anyhow::Error> for Failure {
    fn from(why: anyhow::Error) -> Self {
        Self::new(Exit::SomeFailed, format!("{why:#}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_are_the_documented_ones() {
        let codes = [
            Exit::Done,
            Exit::SomeFailed,
            Exit::Usage,
            Exit::NotFound,
            Exit::Refused,
            Exit::Unavailable,
            Exit::WorkLeft,
            Exit::Configuration,
        ];
        assert_eq!(codes.map(|exit| exit as u8), [0, 1, 2, 3, 4, 69, 75, 78]);
        for exit in codes {
            assert!(
                EXIT_CODES.contains(&format!("\n  {:<4}", exit as u8)),
                "{exit:?} is not in the help"
            );
        }
    }

    #[test]
    fn a_failure_in_json_has_code_message_and_hint() {
        let failure = Failure::new(Exit::NotFound, "there is no event `x`");
        let json =
            r#"{"error":{"code":"not_found","hint":null,"message":"there is no event `x`"}}"#;
        assert_eq!(failure.to_json().to_string(), json);
        assert_eq!(
            failure.hint("look again").to_json()["error"]["hint"],
            "look again"
        );
    }
}
