//! Destinations: where messages go, which of them refuse and why, what waits there; one
//! let go on by hand, and webhooks told again to a host application that lost them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::db::Conn;
use crate::triggers::deliveries::{self, Span};
use crate::triggers::destinations::{self, DestinationRow};

use super::events::one_of;
use super::{Actor, Cursor, Listing, OperationError, Page, Role, audit, limit_of};

const STATES: [&str; 2] = ["open", "stopped"];

/// Which destinations.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the parameters of the API")]
pub struct DestinationQuery {
    /// `open` or `stopped`.
    #[schemars(extend("enum" = STATES))]
    pub state: Option<String>,
    pub limit: Option<i64>,
    pub cursor: Option<String>,
}

/// Which webhooks are told again: the body of `POST /v1/destinations/{id}/replay`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the parameters of the API")]
pub struct ReplayOrder {
    pub since: Option<Timestamp>,
    pub until: Option<Timestamp>,
    #[serde(default)]
    pub dry_run: bool,
}

/// A destination as shown.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[allow(missing_docs, reason = "the fields of the API")]
pub struct DestinationView {
    pub id: String,
    pub channel: String,
    /// Where it is, without what may be secret.
    pub shown: String,
    /// `open` or `stopped`.
    pub state: &'static str,
    /// Why it was stopped, in its own words.
    pub reason: Option<String>,
    pub stopped_at: Option<Timestamp>,
    pub resumed_at: Option<Timestamp>,
    /// Nothing goes there before: it asked for time, or is kept at a pace.
    pub not_before: Option<Timestamp>,
    /// Since when no message has been accepted there; null where the last one was.
    pub failing_since: Option<Timestamp>,
    /// Failed attempts since then.
    pub failures: i64,
    /// Why the last of them failed.
    pub last_failure: Option<String>,
    /// Messages that are due there; paused while it is stopped.
    pub waiting: i64,
    pub oldest_due: Option<Timestamp>,
    pub last_sent: Option<Timestamp>,
}

/// What a replay did, or would do.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[allow(missing_docs, reason = "the fields of the API")]
#[schemars(rename = "DestinationReplayView")]
pub struct ReplayView {
    pub destination: String,
    pub matched: i64,
    pub replayed: i64,
}

/// A page of destinations, by id. Those who are limited to one organization see where its messages
/// go, and its figures.
pub fn list(
    conn: &mut Conn,
    actor: &Actor,
    query: &DestinationQuery,
    now: Timestamp,
) -> Result<Page<DestinationView>, OperationError> {
    actor.require(Role::Viewer)?;
    let limit = limit_of(query.limit)?;
    if let Some(state) = &query.state {
        one_of("state", state, &STATES)?;
    }
    let stopped = query.state.as_deref().map(|state| state == "stopped");
    let listing = Listing::of(actor, "destinations", query)?;
    let cursor = listing.cursor(conn, query.cursor.as_deref())?;
    let after = cursor.as_ref().map(|cursor| cursor.id.as_str());
    // In the statement, so that a cursor names none of another organization's.
    let own = actor.organization_id.as_deref();
    let rows = destinations::list(conn, stopped, own, after, limit + 1)?;
    let page = listing.cut(conn, rows, limit, |row| Cursor {
        at: row.created_at,
        id: row.id.clone(),
    })?;
    let next_cursor = page.next_cursor;
    let mut data = Vec::new();
    for row in page.data {
        data.push(view(conn, actor, row, now)?);
    }
    Ok(Page { data, next_cursor })
}

/// Whether any of the actor's messages go there.
fn uses(conn: &mut Conn, actor: &Actor, id: &str) -> Result<bool, OperationError> {
    match &actor.organization_id {
        None => Ok(true),
        Some(own) => Ok(destinations::is_used_by(conn, id, own)?),
    }
}

fn view(
    conn: &mut Conn,
    actor: &Actor,
    row: DestinationRow,
    now: Timestamp,
) -> Result<DestinationView, OperationError> {
    let figures = destinations::figures(conn, &row.id, actor.organization_id.as_deref())?;
    Ok(DestinationView {
        id: row.id,
        channel: row.channel,
        shown: row.shown,
        state: if row.stopped_at.is_some() {
            "stopped"
        } else {
            "open"
        },
        reason: row.reason,
        stopped_at: row.stopped_at,
        resumed_at: row.resumed_at,
        not_before: Some(row.not_before).filter(|at| *at > now),
        failing_since: row.failing_since,
        failures: row.failures,
        last_failure: row.failure,
        waiting: figures.waiting,
        oldest_due: figures.oldest_due.map(Timestamp),
        last_sent: figures.last_sent.map(Timestamp),
    })
}

fn seen(conn: &mut Conn, actor: &Actor, id: &str) -> Result<DestinationRow, OperationError> {
    match destinations::find(conn, id)? {
        Some(row) if uses(conn, actor, id)? => Ok(row),
        _ => Err(OperationError::not_found("destination", id)),
    }
}

/// Lets a stopped destination go on; what waits there is sent.
pub fn resume(
    conn: &mut Conn,
    actor: &Actor,
    id: &str,
    now: Timestamp,
) -> Result<DestinationView, OperationError> {
    actor.require(Role::Operator)?;
    seen(conn, actor, id)?;
    actor.require_unlimited()?;
    if !destinations::resume(conn, id, now)? {
        return Err(OperationError::Conflict(format!(
            "destination {id} is not stopped; there is nothing to resume"
        )));
    }
    audit(conn, actor, "destination.resumed", id, None, None, now)?;
    let row = seen(conn, actor, id)?;
    view(conn, actor, row, now)
}

/// Tells webhooks again to a host application that lost them: those that were sent, failed or are
/// unknown, each under its old id, in their order, with the profile as it is now.
pub fn replay(
    conn: &mut Conn,
    actor: &Actor,
    id: &str,
    order: &ReplayOrder,
    now: Timestamp,
) -> Result<ReplayView, OperationError> {
    actor.require(Role::Operator)?;
    let row = seen(conn, actor, id)?;
    if row.channel != "webhook" {
        return Err(OperationError::Conflict(format!(
            "{id} is a destination of people ({}); only webhooks are told again",
            row.channel
        )));
    }
    let span = Span {
        destination: id.to_owned(),
        organization_id: actor.organization_id.clone(),
        since: order.since,
        until: order.until,
    };
    let matched = deliveries::replayable(conn, &span)?;
    if order.dry_run {
        return Ok(ReplayView {
            destination: row.id,
            matched,
            replayed: 0,
        });
    }
    let replayed = deliveries::replay(conn, &span, &actor.name, now)?;
    let detail = format!("{replayed} webhooks");
    let own = actor.organization_id.as_deref();
    audit(
        conn,
        actor,
        "destination.replayed",
        id,
        own,
        Some(&detail),
        now,
    )?;
    Ok(ReplayView {
        destination: row.id,
        matched,
        replayed: i64::try_from(replayed).unwrap_or(i64::MAX),
    })
}
