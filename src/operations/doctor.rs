//! `rollcall doctor`: looks at everything an installation stands on and says of each part whether
//! it is well, what was found, and what to do. Changes nothing.

use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use crate::clock::{MOST_APART, Timestamp};
use crate::db::{Backend, Conn, MigrationState};
use crate::outbox;
use crate::store::{chores, groups, processes};

mod directories;
mod disk;
mod durability;
mod files;
mod locks;
mod pages;
mod sending;
mod webhooks;
mod workos;

use disk::disk;
use durability::durability;
pub use locks::of_locks;
pub use pages::of_pages;
use sending::{mail, messages, places, reached};
pub use webhooks::SecretShape;

use super::OperationError;
use super::groups::WAITS_LONG;
use super::jobs;

/// An event that waits longer than this is worth a look.
const OLD: Duration = Duration::from_secs(60);
/// And longer than this is a standstill.
const VERY_OLD: Duration = Duration::from_secs(15 * 60);
/// The retention runs every ten minutes where something runs.
const RETENTION_OVERDUE: Duration = Duration::from_secs(86_400);
/// Waiting places counted at most.
const MOST_PLACES: i64 = 1_000;

/// How a part is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Well.
    Ok,
    /// Worth a look.
    Warn,
    /// Broken.
    Fail,
}

/// One part that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// The part.
    pub name: &'static str,
    /// How it is.
    pub result: Verdict,
    /// What was found.
    pub finding: String,
    /// What to do, where there is something to do.
    pub advice: Option<String>,
}

impl Check {
    /// A part that is well.
    pub fn ok(name: &'static str, finding: impl Into<String>) -> Self {
        Self {
            name,
            result: Verdict::Ok,
            finding: finding.into(),
            advice: None,
        }
    }

    /// A part that is worth a look.
    pub fn warn(name: &'static str, finding: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            result: Verdict::Warn,
            advice: Some(advice.into()),
            ..Self::ok(name, finding)
        }
    }

    /// A part that is broken.
    pub fn fail(name: &'static str, finding: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            result: Verdict::Fail,
            ..Self::warn(name, finding, advice)
        }
    }
}

/// What the configuration says, as far as it is looked at.
#[derive(Debug, Clone, Default)]
pub struct Setup {
    /// The webhook secrets there are, or why they cannot be read; `None`: there is none.
    pub webhook_secrets: Option<Result<Vec<SecretShape>, String>>,
    /// How far a signature's time may lie from ours.
    pub tolerance: Duration,
    /// Whether mail can be sent.
    pub mail: bool,
    /// By how many microseconds this machine's clock is ahead of the database server's, where that was measured.
    pub clock_ahead: Option<i64>,
    /// Where the SQLite file is.
    pub sqlite_file: Option<PathBuf>,
    /// What was tried to be reached (`mail server`, `Slack`), and what came of it.
    pub reached: Vec<(&'static str, Result<String, String>)>,
}

/// What can be told without the database.
pub fn of_setup(setup: &Setup) -> Vec<Check> {
    let mut checks = vec![webhooks::secrets(setup), tolerance(setup.tolerance)];
    checks.extend(setup.reached.iter().map(reached));
    if let Some(file) = &setup.sqlite_file {
        checks.push(disk(file));
        checks.push(files::of_database(file));
        checks.push(files::of_server(file));
    }
    checks
}

/// A tolerance of 300,000 seconds was meant in milliseconds; one below ten seconds refuses honest
/// deliveries whenever a clock or the network is slow.
fn tolerance(tolerance: Duration) -> Check {
    let name = "signature tolerance";
    let seconds = tolerance.as_secs();
    let finding = format!("a signature may be {seconds} s old or ahead");
    match seconds {
        0..=9 => Check::warn(
            name,
            finding,
            "ROLLCALL_SIGNATURE_TOLERANCE is in seconds: below 10 honest deliveries are refused when clocks differ; 300 is usual",
        ),
        10..=86_400 => Check::ok(name, finding),
        _ => Check::warn(
            name,
            finding,
            "ROLLCALL_SIGNATURE_TOLERANCE is in seconds: was this meant in milliseconds? 300 is usual",
        ),
    }
}

/// What the database says of its migrations.
///
/// `unreadable` names the tables that lack a column this version reads.
pub fn of_migrations(state: &MigrationState, unreadable: &[&str]) -> Check {
    let name = "migrations";
    if !state.unknown.is_empty() {
        return Check::fail(
            name,
            format!(
                "the database has {} that this version does not know",
                state.unknown.join(", ")
            ),
            "a newer Rollcall wrote it: start that version, or restore a backup from before the upgrade",
        );
    }
    if !state.pending.is_empty() {
        return Check::fail(
            name,
            format!("not run yet: {}", state.pending.join(", ")),
            "run `rollcall migrate` (on SQLite `serve` does it by itself)",
        );
    }
    let made_otherwise = "start the build that made it, or restore a backup made by a release";
    if !state.edited.is_empty() {
        return Check::fail(
            name,
            format!(
                "{} ran with another text than this version has",
                state.edited.join(", ")
            ),
            made_otherwise,
        );
    }
    if !unreadable.is_empty() {
        return Check::fail(
            name,
            format!(
                "all migrations ran, but columns that this version reads are missing in: {}",
                unreadable.join(", ")
            ),
            made_otherwise,
        );
    }
    Check::ok(name, "the database is up to this version")
}

/// What a database with our tables tells.
pub fn of_database(
    conn: &mut Conn,
    setup: &Setup,
    now: Timestamp,
) -> Result<Vec<Check>, OperationError> {
    let mut checks = vec![durability(conn)?];
    checks.extend(clock(conn, setup, now));
    checks.push(webhooks::clocks(conn, setup, now)?);
    checks.extend(webhooks::matches(conn, setup, now)?);
    checks.push(webhooks::paths(conn, now)?);
    checks.push(workos::catch_up(conn, now)?);
    checks.push(workos::comparisons(conn, now)?);
    checks.push(directories::silent(conn, now)?);
    checks.extend(queue(conn, now)?);
    checks.push(worker(conn, now)?);
    checks.push(failed_jobs(conn)?);
    checks.push(waiting_places(conn, now)?);
    checks.push(messages(conn, now)?);
    checks.push(places(conn, now)?);
    checks.push(mail(conn, setup)?);
    checks.push(directories::waiting_holds(conn, now)?);
    checks.push(retention(conn, now)?);
    Ok(checks)
}

fn failed_jobs(conn: &mut Conn) -> Result<Check, OperationError> {
    let name = "jobs";
    let failed = jobs::failed(conn, None)?;
    Ok(match failed.first() {
        None => Check::ok(name, "none was given up"),
        Some(newest) => Check::warn(
            name,
            format!(
                "{} were given up; the newest is {} ({}): {}",
                failed.len(),
                newest.id,
                newest.kind,
                newest.reason.as_deref().unwrap_or("no reason was kept")
            ),
            "put the cause right, then `rollcall jobs retry <id>`, or `rollcall jobs cancel <id>` to leave it",
        ),
    })
}

fn retention(conn: &mut Conn, now: Timestamp) -> Result<Check, OperationError> {
    let name = "retention";
    Ok(match chores::last(conn, chores::RETENTION)? {
        None => Check::ok(name, "it has not run yet"),
        Some((at, _)) => {
            let finding = format!("last ran at {at}");
            if now.since(at) > RETENTION_OVERDUE {
                let advice = "`rollcall serve` and `rollcall work` run it every ten minutes; `rollcall retention run` does it now";
                Check::warn(name, finding, advice)
            } else {
                Check::ok(name, finding)
            }
        }
    })
}

fn clock(conn: &Conn, setup: &Setup, now: Timestamp) -> Option<Check> {
    let name = "clock";
    if conn.backend() == Backend::Sqlite {
        let sane = now > Timestamp::parse("2025-01-01").unwrap_or_default();
        let advice = "set the clock: signatures are judged by it";
        return (!sane).then(|| Check::fail(name, format!("this machine says {now}"), advice));
    }
    let ahead = setup.clock_ahead?;
    let apart = Duration::from_micros(ahead.unsigned_abs());
    let side = if ahead < 0 { "behind" } else { "ahead of" };
    let finding = format!("{} ms {side} the database server's", apart.as_millis());
    Some(if apart > MOST_APART {
        let advice = "set both clocks by NTP: due times and leases are counted by the server's, signatures are judged by this machine's";
        Check::warn(name, finding, advice)
    } else {
        Check::ok(name, finding)
    })
}

fn queue(conn: &mut Conn, now: Timestamp) -> Result<Vec<Check>, OperationError> {
    let stats = outbox::queue_stats(conn)?;
    let age = stats
        .oldest_ready
        .map(|oldest| now.since(oldest))
        .unwrap_or_default();
    let waiting = format!(
        "{} waiting, the oldest for {} s",
        stats.ready,
        age.as_secs()
    );
    let advice = "is `rollcall serve` or `rollcall work` running? `rollcall events list --state ready` shows them";
    let queue = match age {
        age if age > VERY_OLD => Check::fail("queue", waiting, advice),
        age if age > OLD => Check::warn("queue", waiting, advice),
        _ => Check::ok("queue", waiting),
    };
    let failed = format!("{} given up, {} held", stats.failed, stats.held);
    let failed = if stats.failed + stats.held > 0 {
        Check::warn(
            "failed events",
            failed,
            "`rollcall events list --state failed` shows them; replay or discard each",
        )
    } else {
        Check::ok("failed events", failed)
    };
    Ok(vec![queue, failed])
}

fn worker(conn: &mut Conn, now: Timestamp) -> Result<Check, OperationError> {
    let name = "worker";
    let advice =
        "start `rollcall serve` or `rollcall work`: events are stored, and nothing applies them";
    Ok(match processes::last_worker_heartbeat(conn)? {
        None => Check::warn(name, "none is at work", advice),
        Some(beat) => {
            let silent = now.since(beat);
            let finding = format!("last heard from {} s ago", silent.as_secs());
            if silent > processes::SILENT_AFTER {
                Check::warn(name, finding, advice)
            } else {
                Check::ok(name, finding)
            }
        }
    })
}

fn waiting_places(conn: &mut Conn, now: Timestamp) -> Result<Check, OperationError> {
    let name = "group places";
    let since = now.minus(WAITS_LONG);
    let count = groups::waiting(conn, None, since, None, MOST_PLACES)?.len();
    Ok(if count > 0 {
        let most = i64::try_from(count).is_ok_and(|count| count >= MOST_PLACES);
        let more = if most { " or more" } else { "" };
        Check::warn(
            name,
            format!("{count}{more} have waited for their user or group for over a day"),
            "`rollcall groups pending-members` lists them; WorkOS may not have told of the user or group",
        )
    } else {
        Check::ok(name, "none waits for its user or group for over a day")
    })
}

/// What a database that answers is told as.
pub fn reachable(backend: Backend, place: &str) -> Check {
    let kind = match backend {
        Backend::Sqlite => "SQLite",
        Backend::Postgres => "PostgreSQL",
    };
    Check::ok("database", format!("{kind} answers ({place})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tolerance_that_was_meant_in_milliseconds_is_found() {
        let judged = |seconds| tolerance(Duration::from_secs(seconds)).result;
        assert_eq!(judged(300), Verdict::Ok);
        assert_eq!(judged(5), Verdict::Warn);
        assert_eq!(judged(300_000), Verdict::Warn);
    }

    #[test]
    fn without_a_webhook_secret_nothing_can_be_received() {
        let check = webhooks::secrets(&Setup::default());
        assert_eq!(check.result, Verdict::Fail);
        assert!(
            check
                .advice
                .is_some_and(|advice| advice.contains("dashboard"))
        );
    }
}
