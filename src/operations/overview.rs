//! Is all well? What waits, what was given up, what needs a person: figures that are read on indexes
//! and counted up to 10,000, so that a look costs the same whatever lies behind. An actor limited to
//! one organization gets that organization's, counted up to 200.

use crate::clock::Timestamp;
use crate::db::Conn;
use crate::outbox::{self, EventFilter, EventState, gaps, queue_stats_up_to};
use crate::store::{communities, decisions, organizations, processes, profiles};
use crate::triggers::deliveries::{self, DeliveryFilter, delivery_stats_up_to};
use crate::triggers::destinations;

use super::{Actor, MAX_LIMIT, OperationError, Role, failing, jobs};

/// Where counts stop.
pub const CAP: i64 = 10_000;
/// How many organizations, orphans and stopped destinations are named.
const NAMED: i64 = 10;

/// The figures.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overview {
    /// Events that wait for the worker.
    pub ready: i64,
    /// Events that were given up.
    pub failed_events: i64,
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
    /// Directory users whom only a person can tell apart.
    pub conflicts: i64,
    /// Admin roles of people who returned, which an operator restores or dismisses.
    pub admin_restorations: i64,
    /// Events that no webhook brought; not told to those limited to one organization.
    pub lost: i64,
    /// Whether catching up fails again and again; not told to those limited to one organization.
    pub catch_up_fails: bool,
    /// Directories whose comparisons with WorkOS fail again and again.
    pub failing_comparisons: i64,
    /// Long work that failed, up to 200.
    pub failed_jobs: i64,
    /// Communities that nobody runs any more: id and name.
    pub orphans: Vec<(String, String)>,
    /// Destinations that refuse messages: id and where it is; not told to those limited to one
    /// organization, who cannot resume them.
    pub stopped: Vec<(String, String)>,
    /// Destinations at which nothing is taken at the moment: where they are and why.
    pub failing: Vec<(String, String)>,
}

/// An organization with its people counted up to [`CAP`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "plain figures")]
pub struct Headcount {
    pub id: String,
    pub active: i64,
    pub on_leave: i64,
    pub removed: i64,
    pub messaging_enabled_at: Option<Timestamp>,
}

/// The figures for this actor.
pub fn overview(
    conn: &mut Conn,
    actor: &Actor,
    now: Timestamp,
) -> Result<Overview, OperationError> {
    actor.require(Role::Viewer)?;
    let only = actor.organization_id.as_deref();
    let waiting = Overview {
        silent: !processes::somebody_works(conn, now)?,
        conflicts: decisions::open_up_to(conn, only, CAP)?,
        failing_comparisons: count(&failing::comparisons(conn, only, now)?),
        failing: failing::destinations(conn, only, now)?
            .into_iter()
            .take(usize::try_from(NAMED).unwrap_or(usize::MAX))
            .map(|row| (row.shown, row.failure.unwrap_or_default()))
            .collect(),
        failed_jobs: count(&jobs::failed(conn, only)?),
        admin_restorations: count(&communities::open_seats(conn, only, None, MAX_LIMIT)?),
        orphans: communities::orphans(conn, only, NAMED)?
            .into_iter()
            .map(|one| (one.id, one.name))
            .collect(),
        ..Overview::default()
    };
    match only {
        Some(organization) => of_one(conn, organization, waiting),
        None => of_all(conn, waiting, now),
    }
}

fn of_all(conn: &mut Conn, waiting: Overview, now: Timestamp) -> Result<Overview, OperationError> {
    let queue = queue_stats_up_to(conn, CAP)?;
    let messages = delivery_stats_up_to(conn, CAP, now)?;
    let stopped = destinations::list(conn, Some(true), None, None, NAMED)?;
    Ok(Overview {
        ready: queue.ready,
        failed_events: queue.failed,
        held: queue.held,
        oldest_ready: queue.oldest_ready,
        due: messages.due,
        unknown: messages.unknown,
        failed: messages.failed,
        lost: gaps::lost_up_to(conn, CAP)?,
        catch_up_fails: !failing::catch_ups(conn, now)?.is_empty(),
        stopped: stopped.into_iter().map(|one| (one.id, one.shown)).collect(),
        ..waiting
    })
}

fn of_one(
    conn: &mut Conn,
    organization: &str,
    waiting: Overview,
) -> Result<Overview, OperationError> {
    let mut events = |state: EventState| {
        let filter = EventFilter {
            state: Some(state.as_str().to_owned()),
            organization_id: Some(organization.to_owned()),
            ..EventFilter::default()
        };
        outbox::list(conn, &filter, MAX_LIMIT).map(|rows| count(&rows))
    };
    let (ready, failed_events, held) = (
        events(EventState::Ready)?,
        events(EventState::Failed)?,
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
        failed_events,
        held,
        due: messages("due")?,
        unknown: messages("unknown")?,
        failed: messages("failed")?,
        ..waiting
    })
}

/// The newest organizations with their people, at most ten.
pub fn headcounts(conn: &mut Conn, actor: &Actor) -> Result<Vec<Headcount>, OperationError> {
    actor.require(Role::Viewer)?;
    let rows = organizations::list(conn, actor.organization_id.as_deref(), None, NAMED)?;
    let ids: Vec<String> = rows.iter().map(|row| row.id.clone()).collect();
    let statuses = ["active", "on_leave", "removed"];
    let counts = profiles::counts_up_to(conn, &ids, &statuses, CAP)?;
    let of = |id: &str, status: &str| {
        let theirs = counts.get(id).and_then(|all| all.get(status));
        theirs.copied().unwrap_or_default()
    };
    let rows = rows.into_iter().map(|row| Headcount {
        active: of(&row.id, "active"),
        on_leave: of(&row.id, "on_leave"),
        removed: of(&row.id, "removed"),
        messaging_enabled_at: row.messaging_enabled_at,
        id: row.id,
    });
    Ok(rows.collect())
}

fn count<T>(rows: &[T]) -> i64 {
    i64::try_from(rows.len()).unwrap_or(i64::MAX)
}
