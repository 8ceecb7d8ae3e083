//! The gap report: events that WorkOS has and no webhook brought, grouped into stretches of time,
//! each with its likely cause. What a webhook brought after all counts as late.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::db::Conn;
use crate::outbox::catch_ups::{self, CatchUpRow};
use crate::outbox::gaps::{self, Gap, GapFilter};

use super::{Actor, OperationError, Role, limit_of};

/// Lost events further apart than this belong to different stretches.
const APART: Duration = Duration::from_secs(3_600);
/// So many of the newest events are put together into stretches.
const STRETCHED: i64 = 10_000;
/// How far around a stretch webhooks are looked for.
const AROUND: Duration = Duration::from_secs(300);

/// Which gaps; the query of `GET /v1/gaps` and the flags of `rollcall gaps`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the parameters of the API")]
pub struct GapQuery {
    pub organization_id: Option<String>,
    pub since: Option<Timestamp>,
    pub limit: Option<i64>,
}

/// The report.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[allow(missing_docs, reason = "the fields of the API")]
pub struct GapReport {
    /// Events that no webhook brought to this day, and that one brought late; of the organization, where
    /// one is asked for.
    pub lost: i64,
    pub late: i64,
    pub catch_up: Vec<CatchUpView>,
    /// The stretches of the newest 10,000 events, newest first.
    pub stretches: Vec<Stretch>,
    /// The newest events of the report, at most `limit`.
    pub events: Vec<GapView>,
}

/// Where catching up stands.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[allow(missing_docs, reason = "the fields of the API")]
pub struct CatchUpView {
    pub environment: String,
    /// The newest event it knows happened then.
    pub reached: Option<Timestamp>,
    pub polled_at: Option<Timestamp>,
    pub caught_up_at: Option<Timestamp>,
    pub last_error: Option<String>,
}

/// Lost events close to each other in time.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[allow(missing_docs, reason = "the fields of the API")]
pub struct Stretch {
    pub from: Timestamp,
    pub until: Timestamp,
    pub events: usize,
    /// How many of each type.
    pub types: BTreeMap<String, usize>,
    /// In a sentence.
    pub likely_cause: String,
}

/// One event that no webhook brought in time.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[allow(missing_docs, reason = "the fields of the API")]
pub struct GapView {
    pub id: String,
    #[serde(rename = "type")]
    pub event_type: String,
    pub organization_id: Option<String>,
    pub directory_id: Option<String>,
    pub occurred_at: Timestamp,
    pub found_at: Timestamp,
    /// When a webhook brought it after all.
    pub webhook_at: Option<Timestamp>,
}

/// The report.
pub fn report(
    conn: &mut Conn,
    actor: &Actor,
    query: &GapQuery,
) -> Result<GapReport, OperationError> {
    actor.require(Role::Viewer)?;
    let limit = limit_of(query.limit)?;
    let filter = GapFilter {
        organization_id: actor.scope(query.organization_id.as_deref())?,
        since: query.since,
        before: None,
    };
    let mut rows = gaps::list(conn, &filter, limit.max(STRETCHED))?;
    let (lost, late) = gaps::counts(conn, filter.organization_id.as_deref())?;
    let catch_up = match actor.organization_id {
        None => catch_ups::all(conn)?
            .into_iter()
            .map(CatchUpView::from)
            .collect(),
        Some(_) => Vec::new(),
    };
    Ok(GapReport {
        lost,
        late,
        catch_up,
        stretches: stretches(conn, &rows)?,
        events: {
            rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
            rows.into_iter().map(GapView::from).collect()
        },
    })
}

/// How many events no webhook has brought to this day.
pub fn lost(conn: &mut Conn, actor: &Actor) -> Result<i64, OperationError> {
    actor.require(Role::Viewer)?;
    let (lost, _) = gaps::counts(conn, actor.organization_id.as_deref())?;
    Ok(lost)
}

fn stretches(conn: &mut Conn, rows: &[Gap]) -> Result<Vec<Stretch>, OperationError> {
    let mut groups: Vec<Vec<&Gap>> = Vec::new();
    for row in rows.iter().filter(|row| row.webhook_at.is_none()) {
        match groups.last_mut() {
            Some(group)
                if group
                    .last()
                    .is_some_and(|last| last.occurred_at.since(row.occurred_at) <= APART) =>
            {
                group.push(row);
            }
            _ => groups.push(vec![row]),
        }
    }
    let first = gaps::first_webhook(conn)?;
    let missing = groups.iter().flatten().map(|row| row.event_type.as_str());
    let unheard = unheard(conn, missing.collect())?;
    groups
        .iter()
        .map(|group| stretch(conn, group, first, &unheard))
        .collect()
}

/// Those of the types of which no webhook has ever brought an event.
fn unheard<'a>(
    conn: &mut Conn,
    types: BTreeSet<&'a str>,
) -> Result<BTreeSet<&'a str>, OperationError> {
    let (begin, end) = (Timestamp(i64::MIN), Timestamp(i64::MAX));
    let mut unheard = BTreeSet::new();
    for event_type in types {
        if !gaps::came_by_webhook(conn, begin, end, Some(event_type))? {
            unheard.insert(event_type);
        }
    }
    Ok(unheard)
}

/// The rows are newest first.
fn stretch(
    conn: &mut Conn,
    group: &[&Gap],
    first: Option<Timestamp>,
    unheard: &BTreeSet<&str>,
) -> Result<Stretch, OperationError> {
    let time_of = |gap: Option<&&Gap>| gap.map_or(Timestamp(0), |gap| gap.occurred_at);
    let (from, until) = (time_of(group.last()), time_of(group.first()));
    let mut types: BTreeMap<String, usize> = BTreeMap::new();
    for gap in group {
        *types.entry(gap.event_type.clone()).or_default() += 1;
    }
    let heard = gaps::came_by_webhook(conn, from.minus(AROUND), until.plus(AROUND), None)?;
    let names = types.keys().map(String::as_str);
    let unheard: BTreeSet<&str> = names.filter(|name| unheard.contains(name)).collect();
    Ok(Stretch {
        from,
        until,
        events: group.len(),
        likely_cause: likely_cause(
            first.is_none_or(|first| until < first),
            heard,
            &unheard,
            types.len(),
        ),
        types,
    })
}

/// Why they were lost, as far as it can be told from what else came.
fn likely_cause(
    before_the_first: bool,
    heard: bool,
    unheard: &BTreeSet<&str>,
    types: usize,
) -> String {
    if before_the_first {
        return "before the first webhook that is still known: Rollcall was not set up yet, or is not called at all".to_owned();
    }
    if !heard {
        return "no webhook at all came in that time: the endpoint was down, disabled or blocked for longer than WorkOS retries".to_owned();
    }
    if unheard.len() == types {
        let names: Vec<&str> = unheard.iter().copied().collect();
        return format!(
            "events of this type have never come by webhook ({}): the endpoint does not subscribe to them; `rollcall webhooks register` mends that",
            names.join(", ")
        );
    }
    "other webhooks came in that time: single deliveries were refused or timed out until WorkOS gave up, or are still being retried".to_owned()
}

impl From<CatchUpRow> for CatchUpView {
    fn from(row: CatchUpRow) -> Self {
        Self {
            environment: row.environment,
            reached: row.cursor_at,
            polled_at: row.polled_at,
            caught_up_at: row.caught_up_at,
            last_error: row.last_error,
        }
    }
}

impl From<Gap> for GapView {
    fn from(row: Gap) -> Self {
        Self {
            id: row.event_id,
            event_type: row.event_type,
            organization_id: row.organization_id,
            directory_id: row.directory_id,
            occurred_at: row.occurred_at,
            found_at: row.found_at,
            webhook_at: row.webhook_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_told_from_what_else_came() {
        let none = BTreeSet::new();
        let one: BTreeSet<&str> = ["dsync.group.deleted"].into();
        assert!(likely_cause(true, false, &none, 1).contains("before the first webhook"));
        assert!(likely_cause(false, false, &none, 1).contains("endpoint was down"));
        assert!(likely_cause(false, true, &one, 1).contains("does not subscribe"));
        assert!(likely_cause(false, true, &one, 2).contains("single deliveries"));
    }
}
