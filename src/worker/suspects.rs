//! Suspects: after an unclean stop the events that wait are tried in a child process of their own, because
//! one of them may be why. Nothing is written down before: that this process died proves nothing, only the
//! death of a child that had one event alone in hand does, three times (R92). What is known of deaths lives
//! in memory: whoever kills the parent, however often, leaves no trace on any event.

use std::collections::{BTreeMap, VecDeque};
use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::PoisonError;

use crate::db::DbError;
use crate::store::jobs::JobRow;

use super::Worker;
use super::alone::{GREETING, Line};
use super::batch::{BatchReport, Worked};

/// So many deaths of a child over one event alone are evidence against it.
const DEATHS: u32 = 3;
/// A child that could not even begin: after so many in a row the service goes on without.
const FALSE_STARTS: u32 = 3;
/// Events for one child at most, so that a stop need not wait for it long.
const MOST: usize = 1_000;

/// How to start this program again as a child.
#[derive(Debug, Clone)]
pub struct Program {
    /// The executable.
    pub path: PathBuf,
    /// Up to the orders, which are added.
    pub arguments: Vec<OsString>,
    /// Beside what this process has: what must not stand on a command line.
    pub environment: Vec<(OsString, OsString)>,
}

/// What is still to be tried.
#[derive(Debug, Default)]
pub(super) struct Suspects {
    /// How many of the events that come next.
    left: usize,
    /// Rows that were in hand when a child died: each is tried by itself.
    singly: VecDeque<i64>,
    deaths: BTreeMap<i64, u32>,
    false_starts: u32,
}

impl Suspects {
    pub(super) fn of(count: usize) -> Self {
        Self {
            left: count,
            ..Self::default()
        }
    }

    fn are_cleared(&self) -> bool {
        self.left == 0 && self.singly.is_empty()
    }

    /// Learns from how a child ended; answers the row that is proven to be why, and the signal.
    fn learn(&mut self, tried: &Tried) -> Option<(i64, i32)> {
        self.left = self.left.saturating_sub(tried.worked.len());
        let alone = !self.singly.is_empty();
        match tried.end {
            End::Finished if alone => drop(self.singly.drain(..self.singly.len().min(MOST))),
            // Nothing more was due.
            End::Finished => self.left = 0,
            End::Full | End::Stopped => {
                // Those before the last were worked off; a second time would find them settled.
                while alone && self.singly.front().is_some_and(|id| tried.is_behind(*id)) {
                    self.singly.pop_front();
                }
            }
            End::Killed(signal) => {
                let in_hand = tried.in_hand.last().cloned().unwrap_or_default();
                if !alone {
                    self.singly.extend(in_hand);
                    return None;
                }
                let culprit = in_hand.first().copied()?;
                self.singly
                    .retain(|id| !tried.is_behind(*id) && *id != culprit);
                let deaths = self.deaths.entry(culprit).or_default();
                *deaths += 1;
                if *deaths >= DEATHS {
                    self.deaths.remove(&culprit);
                    return Some((culprit, signal));
                }
                self.singly.push_back(culprit);
            }
        }
        None
    }
}

/// How a child ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// Of itself, with nothing left.
    Finished,
    /// Of itself, with as many as it was ordered.
    Full,
    /// It says itself that it could not go on, or was asked to stop.
    Stopped,
    /// By this signal.
    Killed(i32),
}

/// What a child did.
#[derive(Debug)]
struct Tried {
    greeted: bool,
    /// Each group of rows that it took in hand, in turn.
    in_hand: Vec<Vec<i64>>,
    worked: Vec<Worked>,
    end: End,
}

impl Tried {
    /// Whether it is of this version and, if it died, died over an event.
    fn has_begun(&self) -> bool {
        let over_something = self.in_hand.last().is_some_and(|rows| !rows.is_empty());
        self.greeted && (over_something || !matches!(self.end, End::Killed(_)))
    }

    /// Whether the child went on past that row.
    fn is_behind(&self, id: i64) -> bool {
        let before = self
            .in_hand
            .split_last()
            .map_or(&[][..], |(_, before)| before);
        before.iter().any(|rows| rows.contains(&id))
    }
}

impl Worker {
    /// Tries the next suspects in a child (blocking), one child at a time; `None` when there are none, or no
    /// program to start: then nobody is suspected, and nobody given up for it.
    pub(super) fn try_suspects(&self) -> Result<Option<BatchReport>, DbError> {
        let Some(program) = &self.program else {
            return Ok(None);
        };
        let mut suspects = self.suspects.lock().unwrap_or_else(PoisonError::into_inner);
        if suspects.are_cleared() {
            return Ok(None);
        }
        let limit = suspects.left.min(MOST);
        let only: Vec<i64> = suspects.singly.iter().copied().take(MOST).collect();
        let mut orders = vec!["--limit".to_owned(), limit.to_string()];
        orders.extend(
            only.iter()
                .flat_map(|id| ["--only".to_owned(), id.to_string()]),
        );
        let tried = match start(program, &orders) {
            Ok(child) => follow(child, limit),
            Err(error) => {
                tracing::warn!(%error, "could not start a process of its own to try events in");
                None
            }
        };
        let Some(tried) = tried.filter(Tried::has_begun) else {
            suspects.false_starts += 1;
            if suspects.false_starts >= FALSE_STARTS {
                tracing::warn!("events are worked off in this process again");
                *suspects = Suspects::default();
            }
            return Err(DbError::Pool(
                "the process that tries events did not begin".to_owned(),
            ));
        };
        suspects.false_starts = 0;
        let proven = suspects.learn(&tried);
        if let End::Killed(signal) = tried.end {
            tracing::error!(signal, in_hand = ?tried.in_hand.last(), "the process that tried events died; those it had in hand are tried one by one");
        }
        let mut report = BatchReport {
            events: tried.worked,
            ..BatchReport::default()
        };
        if let Some((id, signal)) = proven {
            let failed = self.fail_alone(id, killed(signal))?;
            report.events.extend(failed.events);
        }
        if tried.end == End::Stopped && report.events.is_empty() {
            return Err(DbError::Pool(
                "the process that tries events could not go on; its own words are above".to_owned(),
            ));
        }
        // Whoever asks again must not take an empty report for an empty queue while some are left.
        Ok((!report.events.is_empty() || !suspects.are_cleared()).then_some(report))
    }
}

pub(super) fn killed(signal: i32) -> String {
    format!(
        "three times it ended the process that worked on it and on nothing else (signal {signal}); \
         that is a defect in Rollcall or too little memory: please report it, then replay it"
    )
}

impl Worker {
    /// The step of a job whose last one ended without a word, in a child that has nothing else in hand: the signal
    /// that ended the child three times, or none where it lived. `None` where no child could be begun: then the
    /// step is as innocent as any other.
    pub(super) fn step_in_child(&self, job: &JobRow) -> Option<Option<i32>> {
        let program = self.program.as_ref()?;
        let token = job.lease_token.to_string();
        for death in 1..=DEATHS {
            let orders = ["--job", &job.id, "--token", &token].map(str::to_owned);
            let tried = match start(program, &orders) {
                Ok(child) => follow(child, usize::MAX)?,
                Err(error) => {
                    tracing::warn!(%error, "could not start a process of its own to try a job in");
                    return None;
                }
            };
            match tried.end {
                _ if !tried.greeted => return None,
                End::Killed(signal) if death == DEATHS => return Some(Some(signal)),
                End::Killed(signal) => {
                    tracing::error!(job = job.id, signal, "the process that tried a job died");
                }
                _ => return Some(None),
            }
        }
        None
    }
}

fn start(program: &Program, orders: &[String]) -> std::io::Result<Child> {
    let mut command = Command::new(&program.path);
    command.args(&program.arguments);
    command.args(orders);
    command.envs(
        program
            .environment
            .iter()
            .map(|(name, value)| (name, value)),
    );
    // Its end of this pipe closes when this process ends, however it ends: then the child ends, too.
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    command.spawn()
}

/// Listens to a child until its end.
fn follow(mut child: Child, limit: usize) -> Option<Tried> {
    let mut tried = Tried {
        greeted: false,
        in_hand: Vec::new(),
        worked: Vec::new(),
        end: End::Stopped,
    };
    let lines = child.stdout.take().map(BufReader::new)?.lines();
    for line in lines.map_while(Result::ok) {
        tried.greeted |= line == GREETING;
        match Line::read(&line) {
            Some(Line::InHand(rows)) => tried.in_hand.push(rows),
            Some(Line::Worked(event_id, outcome, removal, received_at)) => {
                tried.worked.push(Worked {
                    event_id,
                    outcome: super::batch::outcome_named(&outcome),
                    removal,
                    received_at,
                });
            }
            None => {}
        }
    }
    // `wait` closes the child's input; it has said its last word.
    let status = child.wait().ok()?;
    tried.end = ended(status, tried.worked.len() >= limit);
    Some(tried)
}

fn ended(status: ExitStatus, full: bool) -> End {
    match status.signal() {
        None if status.success() && full => End::Full,
        None if status.success() => End::Finished,
        None => End::Stopped,
        // Sent to whole groups of processes to ask for an end: they prove nothing.
        Some(libc::SIGTERM | libc::SIGINT | libc::SIGHUP | libc::SIGQUIT) => End::Stopped,
        Some(signal) => End::Killed(signal),
    }
}

#[cfg(test)]
#[path = "suspects_tests.rs"]
mod tests;
