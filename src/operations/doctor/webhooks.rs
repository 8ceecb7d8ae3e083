//! The doctor's look at what WorkOS sends: the secrets that verify it, which of them still do, and the
//! two clocks, told by when events say they happened and when they came.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::db::Conn;
use crate::operations::OperationError;
use crate::operations::stale::{self, Stale};
use crate::operations::wrong_paths;
use crate::outbox;
use crate::store::secret_uses;

use super::{Check, Setup};

/// Events looked at for the clocks.
const LOOKED_AT: i64 = 100;
/// An event that came so much before it happened tells of a clock.
const APART: Duration = Duration::from_secs(2);
/// A refusal by time that is older than this is over.
const RECENT: Duration = Duration::from_secs(86_400);
/// A secret that verified nothing for so long, while another did, stands still.
const STANDS_STILL: Duration = Duration::from_secs(7 * 86_400);

/// A configured secret, by its label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretShape {
    /// Its label, or its position.
    pub label: String,
    /// Why it cannot be one of WorkOS's.
    pub odd: Option<&'static str>,
}

pub(super) fn secrets(setup: &Setup) -> Check {
    let name = "webhook secret";
    let all = match &setup.webhook_secrets {
        Some(Ok(all)) => all,
        Some(Err(why)) => {
            return Check::fail(
                name,
                format!("WORKOS_WEBHOOK_SECRET cannot be read: {why}"),
                "write one secret, or several with commas between them, each perhaps as label:secret",
            );
        }
        None => {
            return Check::fail(
                name,
                "WORKOS_WEBHOOK_SECRET is not set: `serve` will not start",
                "copy the endpoint's signing secret from the WorkOS dashboard (Developer, Webhooks)",
            );
        }
    };
    let odd: Vec<String> = all
        .iter()
        .filter_map(|one| Some(format!("the secret {} {}", one.label, one.odd?)))
        .collect();
    if !odd.is_empty() {
        return Check::fail(
            name,
            odd.join("; "),
            "copy the endpoint's own signing secret from the WorkOS dashboard (Developer, Webhooks, the endpoint) into WORKOS_WEBHOOK_SECRET, whole and without quotes",
        );
    }
    match all.len() {
        1 => Check::ok(name, "one secret verifies what WorkOS sends"),
        count => Check::ok(name, format!("{count} secrets verify at once: a rotation")),
    }
}

/// Which secret has stopped verifying while another goes on (R71).
pub(super) fn matches(
    conn: &mut Conn,
    setup: &Setup,
    now: Timestamp,
) -> Result<Option<Check>, OperationError> {
    let name = "secret in use";
    let Some(Ok(configured)) = &setup.webhook_secrets else {
        return Ok(None);
    };
    let uses = secret_uses::all(conn)?;
    let last_of = |label: &str| {
        let found = uses.iter().find(|one| one.label == label);
        found.map(|one| one.last_matched_at)
    };
    let newest = configured
        .iter()
        .filter_map(|one| last_of(&one.label))
        .max();
    let Some(newest) = newest else {
        return Ok(Some(Check::ok(name, "no delivery has been verified yet")));
    };
    let idle: Vec<String> = configured
        .iter()
        .filter_map(|one| match last_of(&one.label) {
            None => Some(format!("the secret {} has never matched", one.label)),
            Some(last) if newest.since(last) > STANDS_STILL => {
                Some(format!("the secret {} last matched at {last}", one.label))
            }
            Some(_) => None,
        })
        .collect();
    let finding = format!(
        "the last delivery was verified {} s ago",
        now.since(newest).as_secs()
    );
    Ok(Some(if idle.is_empty() {
        Check::ok(name, finding)
    } else {
        Check::warn(
            name,
            format!("{}, while another one matches", idle.join("; ")),
            "when the rotation is over at WorkOS, take it out of WORKOS_WEBHOOK_SECRET and restart; if it is the new one, WorkOS does not sign with it yet",
        )
    }))
}

/// Whether what looks like deliveries comes to a path that takes none.
pub(super) fn paths(conn: &mut Conn, now: Timestamp) -> Result<Check, OperationError> {
    let name = "webhook path";
    let wrong = wrong_paths::since(conn, now.minus(RECENT))?;
    let Some(newest) = wrong.first() else {
        return Ok(Check::ok(name, "no delivery has come to a wrong path"));
    };
    let more = match wrong.len() {
        1 => String::new(),
        paths => format!(" and to {} other paths", paths - 1),
    };
    Ok(Check::warn(
        name,
        format!(
            "WorkOS may be posting to a wrong path: {} requests to {}, the last at {}{more}",
            newest.count, newest.path, newest.last_at
        ),
        "set the endpoint's URL in the WorkOS dashboard to this server's /webhooks/workos; `rollcall webhooks register --url` does it",
    ))
}

/// Whether our clock and WorkOS's agree.
pub(super) fn clocks(
    conn: &mut Conn,
    setup: &Setup,
    now: Timestamp,
) -> Result<Check, OperationError> {
    let name = "clock against WorkOS";
    if let Some(stale) = stale::last(conn)?.filter(|stale| now.since(stale.at) < RECENT) {
        return Ok(refused(name, &stale));
    }
    let Some(ahead) = soonest(conn)? else {
        return Ok(Check::ok(name, "no event has come yet to compare with"));
    };
    let apart = ahead.unsigned_abs();
    let advice = "set the clock of this machine and of the database server by NTP (`timedatectl set-ntp true`): signatures are judged by the one, the time of receipt is the other's";
    Ok(if ahead < 0 && Duration::from_micros(apart) > APART {
        let finding = format!(
            "events come up to {} s before they happened: this clock is behind",
            apart / 1_000_000
        );
        let tolerance = u64::try_from(setup.tolerance.as_micros()).unwrap_or(u64::MAX);
        if apart > tolerance / 2 {
            Check::fail(name, finding, advice)
        } else {
            Check::warn(name, finding, advice)
        }
    } else {
        Check::ok(
            name,
            format!(
                "the quickest of the last events came {} ms after it happened",
                apart / 1_000
            ),
        )
    })
}

fn refused(name: &'static str, stale: &Stale) -> Check {
    if stale.in_seconds {
        return Check::fail(
            name,
            format!(
                "at {} a genuine delivery was refused: its time is in seconds",
                stale.at
            ),
            "`t` in WorkOS-Signature is milliseconds: mend the script or test that signs; WorkOS itself is not the sender",
        );
    }
    let apart = stale.apart_ms.unsigned_abs() / 1_000;
    let side = if stale.apart_ms > 0 { "older" } else { "newer" };
    Check::fail(
        name,
        format!(
            "at {} a genuine delivery was refused: it was signed {apart} s {side} than this clock allows",
            stale.at
        ),
        "compare this machine's clock with another one and set it by NTP (`timedatectl set-ntp true`); if WorkOS was late, widen ROLLCALL_SIGNATURE_TOLERANCE",
    )
}

/// By how much the quickest of the newest events came after it happened, in microseconds; below zero
/// where it came before.
fn soonest(conn: &mut Conn) -> Result<Option<i64>, OperationError> {
    let delays = outbox::newest_delays(conn, LOOKED_AT)?;
    Ok(delays.into_iter().min())
}
