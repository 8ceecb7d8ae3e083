//! Is all well? What waits, what was given up, what hangs, in figures that are read on indexes and
//! capped. An actor limited to one organization gets that organization's, counted up to 200.

use crate::clock::Timestamp;
use crate::db::Conn;
use crate::outbox::{self, EventFilter, EventState, queue_stats};
use crate::people::processes::{self, SILENT_AFTER};
use crate::triggers::deliveries::{self, DeliveryFilter, delivery_stats};

use super::{Actor, DeskError, MAX_LIMIT, Role};

/// The figures.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overview {
    /// Events that wait for the worker.
    pub ready: i64,
    /// Events that were given up.
    pub parked: i64,
    /// Events that wait for a decision.
    pub held: i64,
    /// When the oldest waiting event came; not told to those limited to one organization.
    pub oldest_ready: Option<Timestamp>,
    /// Messages that wait for their time.
    pub due: i64,
    /// Messages that may or may not have gone.
    pub unknown: i64,
    /// Messages that could not be sent.
    pub failed: i64,
    /// Whether no worker has been heard of lately.
    pub silent: bool,
}

/// The figures for this actor.
pub fn overview(conn: &mut Conn, actor: &Actor, now: Timestamp) -> Result<Overview, DeskError> {
    actor.require(Role::Viewer)?;
    let beat = processes::last_worker_heartbeat(conn)?;
    let silent = beat.is_none_or(|at| now.since(at) >= SILENT_AFTER);
    if let Some(organization) = &actor.organization_id {
        return of_one(conn, organization, silent);
    }
    let queue = queue_stats(conn)?;
    let messages = delivery_stats(conn, now)?;
    Ok(Overview {
        ready: queue.ready,
        parked: queue.parked,
        held: queue.held,
        oldest_ready: queue.oldest_ready,
        due: messages.due,
        unknown: messages.unknown,
        failed: messages.failed,
        silent,
    })
}

fn of_one(conn: &mut Conn, organization: &str, silent: bool) -> Result<Overview, DeskError> {
    let mut events = |state: EventState| {
        let filter = EventFilter {
            state: Some(state.as_str().to_owned()),
            organization_id: Some(organization.to_owned()),
            ..EventFilter::default()
        };
        outbox::list(conn, &filter, MAX_LIMIT).map(|rows| count(&rows))
    };
    let (ready, parked, held) = (
        events(EventState::Ready)?,
        events(EventState::Parked)?,
        events(EventState::Held)?,
    );
    let mut messages = |state: &str| {
        let filter = DeliveryFilter {
            state: Some(state.to_owned()),
            organization_id: Some(organization.to_owned()),
            ..DeliveryFilter::default()
        };
        deliveries::list(conn, &filter, MAX_LIMIT).map(|rows| count(&rows))
    };
    Ok(Overview {
        ready,
        parked,
        held,
        oldest_ready: None,
        due: messages("due")?,
        unknown: messages("unknown")?,
        failed: messages("failed")?,
        silent,
    })
}

fn count<T>(rows: &[T]) -> i64 {
    i64::try_from(rows.len()).unwrap_or(i64::MAX)
}
