//! The doctor's look at what goes out: messages, the places they go to, the mail server.

use crate::clock::Timestamp;
use crate::db::Conn;
use crate::operations::{OperationError, failing};
use crate::triggers::definition::{Channel, Status};
use crate::triggers::{deliveries, destinations, store};

use super::{Check, Setup};

/// Triggers looked at for e-mail steps.
const MOST_TRIGGERS: i64 = 1_000;

/// What came of trying to reach a server.
pub(super) fn reached((name, outcome): &(&'static str, Result<String, String>)) -> Check {
    match outcome {
        Ok(finding) => Check::ok(name, finding.as_str()),
        Err(why) => Check::fail(
            name,
            format!("not reached: {why}"),
            match *name {
                "Slack" => {
                    "check ROLLCALL_SLACK_BOT_TOKEN and ROLLCALL_SLACK_API_URL, and that this machine may connect to Slack (proxy, firewall)"
                }
                _ => {
                    "check ROLLCALL_SMTP_URL (host, port, user, password), and that this machine may connect to the mail server (firewall)"
                }
            },
        ),
    }
}

pub(super) fn messages(conn: &mut Conn, now: Timestamp) -> Result<Check, OperationError> {
    let name = "messages";
    let stats = deliveries::delivery_stats(conn, now)?;
    let finding = format!(
        "{} due, {} failed, {} unknown",
        stats.due, stats.failed, stats.unknown
    );
    Ok(if stats.failed + stats.unknown > 0 {
        Check::warn(
            name,
            finding,
            "`rollcall deliveries list --state failed` (or unknown) says why; look whether it arrived, then retry it",
        )
    } else {
        Check::ok(name, finding)
    })
}

pub(super) fn places(conn: &mut Conn, now: Timestamp) -> Result<Check, OperationError> {
    let name = "destinations";
    let (stopped, all) = destinations::stopped_count(conn)?;
    let failing = failing::destinations(conn, None, now)?;
    Ok(if stopped > 0 {
        Check::fail(
            name,
            format!("{stopped} of {all} refuse and were stopped; what goes there is paused"),
            "`rollcall destinations list --stopped` says why; put it right there, then `rollcall destinations resume <id>`",
        )
    } else if let Some(first) = failing.first() {
        let since = first.failing_since.unwrap_or(now);
        Check::warn(
            name,
            format!(
                "{} of {all} accept no messages; {} since {since}: {}",
                failing.len(),
                first.shown,
                first.failure.as_deref().unwrap_or("no reason was kept")
            ),
            "check that the receiver is running and reachable; messages are sent again automatically; `rollcall failures` lists every failing destination",
        )
    } else {
        Check::ok(name, format!("{all}, none stopped"))
    })
}

pub(super) fn mail(conn: &mut Conn, setup: &Setup) -> Result<Check, OperationError> {
    let name = "mail";
    if setup.mail {
        return Ok(Check::ok(name, "a mail server is configured"));
    }
    let mut wanting = 0_usize;
    for row in store::list(conn, None, None, MOST_TRIGGERS)? {
        let definition = row.read()?;
        let mails = definition
            .steps
            .iter()
            .any(|step| step.channel == Channel::Email);
        wanting += usize::from(mails && definition.status == Status::Published);
    }
    Ok(if wanting > 0 {
        Check::fail(
            name,
            format!("{wanting} published triggers send e-mail, and no mail server is configured"),
            "set ROLLCALL_SMTP_URL and ROLLCALL_MAIL_FROM",
        )
    } else {
        Check::ok(name, "no mail server, and no published trigger wants one")
    })
}
