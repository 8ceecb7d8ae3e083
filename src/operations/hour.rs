//! The last hour by the minute: what came, what became of it, how long removals took until access was
//! refused (R67). Of a great burst only the newest events are counted, and it is said since when.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::db::Conn;
use crate::outbox::hour::{self, Settled};

use super::{Actor, OperationError, Role};

/// How many minutes are told.
pub const MINUTES: usize = 60;
/// The most events that are looked at.
const MOST: usize = 10_000;

/// A count for each minute, the oldest first.
pub type Minutes = [u32; MINUTES];

/// The last hour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hour {
    /// When the first minute began.
    pub since: Timestamp,
    /// What came.
    pub arrived: Minutes,
    /// Since when arrivals are told, where the hour brought more than is counted.
    pub arrived_since: Option<Timestamp>,
    /// What changed something.
    pub applied: Minutes,
    /// What changed nothing: unchanged, stale or ignored.
    pub idle: Minutes,
    /// What failed, waits for a decision, or was discarded.
    pub troubled: Minutes,
    /// Since when outcomes are told, where the hour brought more than is counted.
    pub settled_since: Option<Timestamp>,
    /// How long removals took.
    pub revoked: Option<Revoked>,
}

/// From the receipt of a removal to access being refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Revoked {
    /// How many there were.
    pub count: usize,
    /// Half of them took no longer.
    pub median: Duration,
    /// None took longer.
    pub slowest: Duration,
}

/// The last hour; those who are limited to one organization learn nothing of the others' traffic.
pub fn last_hour(
    conn: &mut Conn,
    actor: &Actor,
    now: Timestamp,
) -> Result<Option<Hour>, OperationError> {
    actor.require(Role::Viewer)?;
    if actor.organization_id.is_some() {
        return Ok(None);
    }
    let since = now.minus(Duration::from_secs(60 * 60));
    let limit = i64::try_from(MOST).unwrap_or(i64::MAX);
    let arrived = hour::arrivals(conn, since, limit)?;
    let settled = hour::settled(conn, since, limit)?;
    Ok(Some(told(since, &arrived, &settled)))
}

fn told(since: Timestamp, arrived: &[Timestamp], settled: &[Settled]) -> Hour {
    let mut hour = Hour {
        since,
        arrived: [0; MINUTES],
        arrived_since: arrived.last().copied().filter(|_| arrived.len() >= MOST),
        applied: [0; MINUTES],
        idle: [0; MINUTES],
        troubled: [0; MINUTES],
        settled_since: settled
            .last()
            .map(|one| one.settled_at)
            .filter(|_| settled.len() >= MOST),
        revoked: revoked(settled),
    };
    for at in arrived {
        hour.arrived[minute(since, *at)] += 1;
    }
    for one in settled {
        let row = match one.outcome.as_deref() {
            Some("applied") => &mut hour.applied,
            Some("unchanged" | "stale" | "ignored") => &mut hour.idle,
            _ => &mut hour.troubled,
        };
        row[minute(since, one.settled_at)] += 1;
    }
    hour
}

fn minute(since: Timestamp, at: Timestamp) -> usize {
    let passed = at.since(since).as_secs() / 60;
    usize::try_from(passed).map_or(MINUTES - 1, |minute| minute.min(MINUTES - 1))
}

fn revoked(settled: &[Settled]) -> Option<Revoked> {
    let removals = settled
        .iter()
        .filter(|one| one.removal && one.outcome.as_deref() == Some("applied"));
    let mut took: Vec<Duration> = removals
        .map(|one| one.settled_at.since(one.received_at))
        .collect();
    took.sort_unstable();
    Some(Revoked {
        count: took.len(),
        median: *took.get(took.len() / 2)?,
        slowest: *took.last()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_800_000_000_000_000);

    fn settled(seconds: u64, outcome: &str, took: u64) -> Settled {
        let at = NOW.plus(Duration::from_secs(seconds));
        Settled {
            settled_at: at,
            received_at: at.minus(Duration::from_secs(took)),
            removal: took > 0,
            outcome: Some(outcome.to_owned()),
        }
    }

    #[test]
    fn what_came_and_became_of_it_is_told_by_the_minute() {
        let arrived = [NOW.plus(Duration::from_secs(3_599)), NOW];
        let hour = told(
            NOW,
            &arrived,
            &[
                settled(130, "stale", 0),
                settled(61, "failed", 0),
                settled(0, "applied", 0),
            ],
        );
        assert_eq!((hour.arrived[0], hour.arrived[59]), (1, 1));
        assert_eq!(hour.applied[0], 1);
        assert_eq!(hour.troubled[1], 1);
        assert_eq!(hour.idle[2], 1);
        assert_eq!((hour.arrived_since, hour.settled_since), (None, None));
        assert_eq!(hour.revoked, None);
    }

    #[test]
    fn r67_the_time_to_revoke_is_told_by_its_middle_and_its_worst() {
        let all: Vec<Settled> = [1, 9, 2]
            .into_iter()
            .map(|took| settled(60, "applied", took))
            .collect();
        let revoked = told(NOW, &[], &all).revoked.unwrap();
        assert_eq!(revoked.count, 3);
        assert_eq!(revoked.median, Duration::from_secs(2));
        assert_eq!(revoked.slowest, Duration::from_secs(9));
    }
}
