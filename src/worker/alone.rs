//! The child's side of trying suspects: it says which events it has in hand before it works on them, and
//! what came of them after; or it makes one step of a job. If it dies, its last line tells over what. The lines are for the parent alone.

use std::fmt::Write as _;
use std::io::Write;

use crate::clock::Timestamp;
use crate::db::DbError;
use crate::outbox::Claimed;

use super::Worker;
use super::batch::{BatchReport, Worked};

/// What to try.
#[derive(Debug, Clone)]
pub enum Orders {
    /// So many events at most, batch by batch.
    Events(usize),
    /// These rows, each by itself.
    Only(Vec<i64>),
    /// One step of a job that the parent has claimed: its id, and the token of the claim.
    Job(String, i64),
}

/// The first line: whoever does not say it is no child of this version.
pub(super) const GREETING: &str = "rollcall tries suspects, 1";

/// What a child says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// These rows are in hand.
    InHand(Vec<i64>),
    /// What came of one.
    Worked(String, String, bool, Timestamp),
}

impl Line {
    pub(super) fn read(line: &str) -> Option<Self> {
        let mut words = line.split(' ');
        match words.next()? {
            "hand" => {
                let ids: Result<Vec<i64>, _> = words.map(str::parse).collect();
                ids.ok().map(Self::InHand)
            }
            "done" => {
                let event_id = words.next()?.to_owned();
                let outcome = words.next()?.to_owned();
                let removal = words.next()? == "removal";
                let received_at = Timestamp(words.next()?.parse().ok()?);
                Some(Self::Worked(event_id, outcome, removal, received_at))
            }
            _ => None,
        }
    }
}

/// Works on what was ordered until nothing is left of it (blocking). An `out` that is closed means that the
/// parent is gone: what is in hand is rolled back and the child ends.
pub fn try_suspects(worker: &Worker, orders: &Orders, out: &mut dyn Write) -> Result<(), DbError> {
    let mut say = |line: &str| {
        let said = writeln!(out, "{line}").and_then(|()| out.flush());
        said.map_err(|_| DbError::Pool("whoever started this is gone".to_owned()))
    };
    say(GREETING)?;
    let limit = match orders {
        Orders::Job(id, token) => return worker.step_of_parent(id, *token),
        Orders::Only(rows) => {
            for id in rows {
                let report = worker.take_alone(*id, &mut |claimed| {
                    let _ = say(&in_hand(claimed));
                })?;
                say_report(&report, &mut say)?;
            }
            return Ok(());
        }
        Orders::Events(limit) => *limit,
    };
    let mut done = 0;
    while done < limit {
        let report = worker.take_batch(&mut |claimed| {
            let _ = say(&in_hand(claimed));
        })?;
        if report.events.is_empty() {
            break;
        }
        done += report.events.len();
        say_report(&report, &mut say)?;
    }
    Ok(())
}

fn in_hand(claimed: &[Claimed]) -> String {
    claimed.iter().fold("hand".to_owned(), |mut line, event| {
        let _ = write!(line, " {}", event.id);
        line
    })
}

fn say_report(
    report: &BatchReport,
    say: &mut impl FnMut(&str) -> Result<(), DbError>,
) -> Result<(), DbError> {
    report.events.iter().try_for_each(|event: &Worked| {
        let lane = if event.removal { "removal" } else { "other" };
        say(&format!(
            "done {} {} {lane} {}",
            event.event_id,
            event.outcome,
            event.received_at.micros()
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parent_reads_what_the_child_says() {
        assert_eq!(Line::read("hand 4 7"), Some(Line::InHand(vec![4, 7])));
        assert_eq!(Line::read("hand"), Some(Line::InHand(Vec::new())));
        let worked = Line::Worked("event_1".into(), "applied".into(), true, Timestamp(9));
        assert_eq!(Line::read("done event_1 applied removal 9"), Some(worked));
        assert_eq!(Line::read("hand x"), None);
        assert_eq!(Line::read("anything else"), None);
    }
}
