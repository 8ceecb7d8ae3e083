//! What came of a sending, counted: as a person reads it and as JSON.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use super::post::Outcome;
use crate::cli::output::plain;

/// Longest piece of an answer that is not ours which is shown.
const LONGEST_DETAIL: usize = 200;

/// The answers with one status that refused an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rejected {
    /// HTTP status.
    pub status: u16,
    /// How many of them.
    pub count: usize,
    /// What the first of them said.
    pub detail: String,
}

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Summary {
    /// Events that were sent, whatever came of them.
    pub sent: usize,
    /// Taken as new.
    pub accepted: usize,
    /// Known already.
    pub duplicate: usize,
    /// Refused, by status.
    pub rejected: Vec<Rejected>,
    /// Sent without an answer, and what went wrong with the first of them.
    pub unanswered: usize,
    /// Never sent, because the service could not be reached.
    pub unsent: usize,
    /// Sent again because the service was busy or away.
    pub retries: usize,
    /// Why the first unanswered or unsent one failed.
    pub problem: Option<String>,
    /// From the first to the last.
    pub elapsed_seconds: f64,
    /// Answers by second.
    pub events_per_second: f64,
    #[serde(skip)]
    by_status: BTreeMap<u16, (usize, String)>,
}

impl Summary {
    /// Takes one outcome in.
    pub fn count(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Answered {
                status,
                body,
                retries,
            } => {
                self.sent += 1;
                self.retries += *retries as usize;
                self.count_answer(*status, body);
            }
            Outcome::Silent(why) => {
                self.sent += 1;
                self.unanswered += 1;
                self.problem.get_or_insert_with(|| why.clone());
            }
            Outcome::Unreachable(why) => {
                self.problem.get_or_insert_with(|| why.clone());
            }
        }
    }

    fn count_answer(&mut self, status: u16, body: &str) {
        let said = serde_json::from_str::<Value>(body).unwrap_or_default();
        match status {
            200..=299 if said.get("status").and_then(Value::as_str) == Some("duplicate") => {
                self.duplicate += 1
            }
            200..=299 => self.accepted += 1,
            _ => {
                self.by_status
                    .entry(status)
                    .or_insert_with(|| (0, detail(&said, body)))
                    .0 += 1
            }
        }
    }

    /// Closes the count of what was to be `total` events.
    pub fn close(&mut self, total: usize, elapsed: Duration) {
        self.unsent = total.saturating_sub(self.sent);
        self.elapsed_seconds = (elapsed.as_secs_f64() * 1_000.0).round() / 1_000.0;
        let rate = self.sent as f64 / elapsed.as_secs_f64().max(0.001);
        self.events_per_second = (rate * 10.0).round() / 10.0;
        let rejected = std::mem::take(&mut self.by_status).into_iter();
        self.rejected = rejected
            .map(|(status, (count, detail))| Rejected {
                status,
                count,
                detail,
            })
            .collect();
    }

    /// Whether every event arrived.
    pub fn is_whole(&self) -> bool {
        self.accepted + self.duplicate == self.sent && self.unsent == 0
    }

    /// A few lines for people.
    pub fn lines(&self) -> Vec<String> {
        let rejected: usize = self.rejected.iter().map(|rejected| rejected.count).sum();
        let mut parts = vec![
            format!("sent {}", self.sent),
            format!("accepted {}", self.accepted),
            format!("duplicate {}", self.duplicate),
            format!("rejected {rejected}"),
        ];
        let more = [
            ("unanswered", self.unanswered),
            ("unsent", self.unsent),
            ("retries", self.retries),
        ];
        parts.extend(
            more.iter()
                .filter(|(_, count)| *count > 0)
                .map(|(name, count)| format!("{name} {count}")),
        );
        parts.push(format!(
            "in {:.2} s ({:.0}/s)",
            self.elapsed_seconds, self.events_per_second
        ));
        let mut lines = vec![parts.join("  ")];
        lines.extend(
            self.rejected
                .iter()
                .map(|said| format!("  {} × {}: {}", said.status, said.count, said.detail)),
        );
        lines
    }
}

/// What a refusal says: our `detail` (RFC 9457), else its `title` or `message`, else its beginning.
fn detail(said: &Value, body: &str) -> String {
    let field = ["detail", "title", "message"]
        .iter()
        .find_map(|name| said.get(name).and_then(Value::as_str));
    let text: String = field
        .unwrap_or(body.trim())
        .chars()
        .take(LONGEST_DETAIL)
        .collect();
    plain(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status: u16, body: &str) -> Outcome {
        Outcome::Answered {
            status,
            body: body.to_owned(),
            retries: 0,
        }
    }

    #[test]
    fn outcomes_are_counted_and_the_first_problem_of_a_status_is_kept() {
        let mut summary = Summary::default();
        for outcome in [
            answered(200, r#"{"status":"accepted"}"#),
            answered(200, r#"{"status":"duplicate"}"#),
            answered(401, r#"{"title":"Unauthorized","detail":"first"}"#),
            answered(401, r#"{"detail":"second"}"#),
            answered(500, "<html>\u{1b}[2J"),
            Outcome::Silent("no answer in time".to_owned()),
            Outcome::Unreachable("refused".to_owned()),
        ] {
            summary.count(&outcome);
        }
        summary.close(8, Duration::from_millis(500));
        assert_eq!(
            (
                summary.sent,
                summary.accepted,
                summary.duplicate,
                summary.unsent
            ),
            (6, 1, 1, 2)
        );
        assert_eq!(
            summary.rejected[0],
            Rejected {
                status: 401,
                count: 2,
                detail: "first".to_owned()
            }
        );
        assert_eq!(summary.rejected[1].detail, "<html>\u{fffd}[2J");
        assert_eq!(summary.problem.as_deref(), Some("no answer in time"));
        assert!(!summary.is_whole());
        assert_eq!(
            summary.lines()[0],
            "sent 6  accepted 1  duplicate 1  rejected 3  unanswered 1  unsent 2  in 0.50 s (12/s)"
        );
    }

    #[test]
    fn a_plain_success_is_whole() {
        let mut summary = Summary::default();
        summary.count(&answered(204, ""));
        summary.close(1, Duration::from_secs(1));
        assert!(summary.is_whole());
        assert_eq!(summary.accepted, 1);
    }
}
