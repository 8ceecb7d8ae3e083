//! The gap report: events that WorkOS has and no webhook brought, grouped into stretches of time,
//! each with its likely cause. What a webhook brought after all counts as late.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::db::Conn;
use crate::outbox::catch_ups::{self, CatchUpRow};
use crate::outbox::gaps::{self, Gap, GapFilter};

use super::{Actor, DeskError, Role, limit_of};

/// Lost events further apart than this belong to different stretches.
const APART: Duration = Duration::from_secs(3_600);
/// So many of the newest events are put together into stretches.
const STRETCHED: i64 = 10_000;
/// How far around a stretch webhooks are looked for.
const AROUND: Duration = Duration::from_secs(300);

/// Which gaps; the query of `GET /v1/gaps` and the flags of `rollcall gaps`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the parameters of the API")]
pub struct GapQuery {
    pub organization_id: Option<String>,
    pub since: Option<Timestamp>,
    pub limit: Option<i64>,
}

/// The report.
#[derive(Debug, Clone, Serialize)]
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
#[derive(Debug, Clone, Serialize)]
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
#[derive(Debug, Clone, Serialize)]
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
#[derive(Debug, Clone, Serialize)]
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
pub fn report(conn: &mut Conn, actor: &Actor, query: &GapQuery) -> Result<GapReport, DeskError> {
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

fn stretches(conn: &mut Conn, rows: &[Gap]) -> Result<Vec<Stretch>, DeskError> {
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
    groups
        .iter()
        .map(|group| stretch(conn, group, first))
        .collect()
}

/// The rows are newest first.
fn stretch(
    conn: &mut Conn,
    group: &[&Gap],
    first: Option<Timestamp>,
) -> Result<Stretch, DeskError> {
    let time_of = |gap: Option<&&Gap>| gap.map_or(Timestamp(0), |gap| gap.occurred_at);
    let (from, until) = (time_of(group.last()), time_of(group.first()));
    let mut types: BTreeMap<String, usize> = BTreeMap::new();
    for gap in group {
        *types.entry(gap.event_type.clone()).or_default() += 1;
    }
    let mut unheard = BTreeSet::new();
    for event_type in types.keys() {
        let begin = Timestamp(i64::MIN);
        if gaps::webhooks_within(conn, begin, Timestamp(i64::MAX), Some(event_type))? == 0 {
            unheard.insert(event_type.as_str());
        }
    }
    let around = gaps::webhooks_within(conn, from.minus(AROUND), until.plus(AROUND), None)?;
    Ok(Stretch {
        from,
        until,
        events: group.len(),
        likely_cause: likely_cause(
            first.is_none_or(|first| until < first),
            around,
            &unheard,
            types.len(),
        ),
        types,
    })
}

/// Why they were lost, as far as it can be told from what else came.
fn likely_cause(
    before_the_first: bool,
    around: i64,
    unheard: &BTreeSet<&str>,
    types: usize,
) -> String {
    if before_the_first {
        return "before the first webhook that is still known: Rollcall was not set up yet, or is not called at all".to_owned();
    }
    if around == 0 {
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
        assert!(likely_cause(true, 0, &none, 1).contains("before the first webhook"));
        assert!(likely_cause(false, 0, &none, 1).contains("endpoint was down"));
        assert!(likely_cause(false, 9, &one, 1).contains("does not subscribe"));
        assert!(likely_cause(false, 9, &one, 2).contains("single deliveries"));
    }
}
