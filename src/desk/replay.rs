//! Replay of a selection (R68, R69): the same filters as the list, a true dry run (everything is
//! done in a transaction, told, and taken back by the caller), a rate so that live events go first.
//! What has gone out or was cancelled does not go out again: its key is taken.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::db::Conn;
use crate::outbox::{self, EventRow};
use crate::people::changes;
use crate::triggers::deliveries;
use crate::worker::{self, BatchSettings};

use super::events::{ChangeView, EventQuery, matching, seen};
use super::visibility::Veil;
use super::{Actor, DeskError, Role, audit};

/// The most events one call replays.
pub const MOST: i64 = 10_000;
/// The most events one answer lists.
const LISTED: usize = 200;

/// The body of `POST /v1/events/replay`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the parameters of the API")]
pub struct ReplayBody {
    /// These events, instead of a filter.
    #[serde(default)]
    pub ids: Vec<String>,
    pub state: Option<String>,
    pub outcome: Option<String>,
    #[serde(rename = "type")]
    pub event_type: Option<String>,
    pub organization_id: Option<String>,
    pub directory_id: Option<String>,
    pub profile_id: Option<String>,
    pub since: Option<Timestamp>,
    pub until: Option<Timestamp>,
    /// Text in the error.
    pub error: Option<String>,
    pub q: Option<String>,
    /// Replay everything: said on purpose where no filter is.
    #[serde(default)]
    pub all: bool,
    /// Say what would change, and change nothing.
    #[serde(default)]
    pub dry_run: bool,
    /// At most so many, the oldest first.
    #[schemars(range(min = 1, max = MOST))]
    pub limit: Option<i64>,
    /// So many a second; as fast as it goes when not said.
    #[schemars(range(min = 1))]
    pub rate: Option<u32>,
}

/// What a replay did, or would do.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[allow(missing_docs, reason = "the fields of the API")]
pub struct ReplayView {
    pub matched: usize,
    pub replayed: usize,
    /// Events that would change something; counted in a dry run only.
    pub would_change: Option<usize>,
    /// Messages that would fall due; counted in a dry run only.
    pub messages_due: Option<usize>,
    pub dry_run: bool,
    /// At most 200 of them.
    pub events: Vec<Replayed>,
}

/// One event of a replay.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[allow(missing_docs, reason = "the fields of the API")]
pub struct Replayed {
    pub id: String,
    pub outcome: Option<String>,
    pub reason: Option<String>,
    pub differences: Vec<ChangeView>,
}

impl ReplayBody {
    fn filter(&self) -> EventQuery {
        EventQuery {
            state: self.state.clone(),
            outcome: self.outcome.clone(),
            event_type: self.event_type.clone(),
            organization_id: self.organization_id.clone(),
            directory_id: self.directory_id.clone(),
            profile_id: self.profile_id.clone(),
            since: self.since,
            until: self.until,
            error: self.error.clone(),
            q: self.q.clone(),
            limit: None,
            cursor: None,
        }
    }

    fn says_nothing(&self) -> bool {
        let words = [
            &self.state,
            &self.outcome,
            &self.event_type,
            &self.directory_id,
            &self.profile_id,
            &self.q,
            &self.error,
        ];
        words.iter().all(|word| word.is_none())
            && self.since.is_none()
            && self.until.is_none()
            && self.ids.is_empty()
    }

    /// The events it is about, newest first.
    fn rows(&self, conn: &mut Conn, actor: &Actor, limit: i64) -> Result<Vec<EventRow>, DeskError> {
        if self.ids.is_empty() {
            return matching(conn, actor, &self.filter(), limit);
        }
        let mut rows = Vec::new();
        for id in &self.ids {
            rows.push(seen(conn, actor, id)?);
        }
        rows.sort_by_key(|row| std::cmp::Reverse(row.id));
        Ok(rows)
    }
}

/// Replays what matches. With `dry_run` the caller must take the transaction back afterwards.
pub fn replay_matching(
    conn: &mut Conn,
    actor: &Actor,
    body: &ReplayBody,
    now: Timestamp,
) -> Result<ReplayView, DeskError> {
    actor.require(Role::Operator)?;
    if body.says_nothing() && !body.all {
        return Err(DeskError::Invalid(
            "no filter is given: say which events, or `all` to replay every one that is kept"
                .to_owned(),
        ));
    }
    let limit = body.limit.unwrap_or(MOST);
    if !(1..=MOST).contains(&limit) {
        return Err(DeskError::Invalid(format!(
            "limit is {limit}; it may be 1 to {MOST}"
        )));
    }
    if body.rate == Some(0) {
        return Err(DeskError::Invalid(
            "rate is 0; it may be 1 and more, events a second".to_owned(),
        ));
    }
    let mut rows = body.rows(conn, actor, limit)?;
    // The oldest first: in the order they came, nothing has to be folded twice.
    rows.reverse();
    let mut ids = Vec::new();
    for (place, row) in rows.iter().enumerate() {
        let at = match body.rate.filter(|_| !body.dry_run) {
            Some(rate) => now.plus(wait_of(place, rate)),
            None => now,
        };
        if outbox::replay(conn, &row.event_id, &actor.name, at)?.is_ok() {
            ids.push(row.id);
        }
    }
    let organization = body
        .organization_id
        .as_deref()
        .or(actor.organization_id.as_deref());
    let detail = format!("{} events", ids.len());
    audit(
        conn,
        actor,
        "events.replayed",
        "selection",
        organization,
        Some(&detail),
        now,
    )?;
    let mut view = ReplayView {
        matched: rows.len(),
        replayed: ids.len(),
        would_change: None,
        messages_due: None,
        dry_run: body.dry_run,
        events: Vec::new(),
    };
    let names: Vec<String> = rows.into_iter().map(|row| row.event_id).collect();
    if body.dry_run {
        rehearse(conn, actor, &ids, &names, &mut view, now)?;
    } else {
        let listed = names.into_iter().take(LISTED);
        view.events = listed
            .map(|id| Replayed {
                id,
                outcome: None,
                reason: None,
                differences: Vec::new(),
            })
            .collect();
    }
    Ok(view)
}

/// How many events a replay would touch.
pub fn count_matching(
    conn: &mut Conn,
    actor: &Actor,
    body: &ReplayBody,
) -> Result<usize, DeskError> {
    let limit = body.limit.unwrap_or(MOST).clamp(1, MOST);
    Ok(body.rows(conn, actor, limit)?.len())
}

/// When the event at that place is due, so many a second.
fn wait_of(place: usize, rate: u32) -> Duration {
    Duration::from_secs(1).saturating_mul(u32::try_from(place).unwrap_or(u32::MAX)) / rate
}

/// Does it all, and tells what came of it.
fn rehearse(
    conn: &mut Conn,
    actor: &Actor,
    ids: &[i64],
    names: &[String],
    view: &mut ReplayView,
    now: Timestamp,
) -> Result<(), DeskError> {
    let last_change = changes::newest(conn)?;
    let due_before = deliveries::count(conn)?;
    worker::work_off(
        conn,
        BatchSettings {
            max_attempts: u32::MAX,
            arm_new: false,
        },
        ids,
        now,
    )?;
    let mut would_change = 0;
    for id in names {
        let Some(row) = outbox::find(conn, id)? else {
            continue;
        };
        let mut made = changes::of_event(conn, id)?;
        made.retain(|change| change.id > last_change);
        let listed = view.events.len() < LISTED;
        if listed && !made.is_empty() {
            let veil = Veil::over_event(conn, actor, &row)?;
            made.iter_mut().for_each(|change| veil.change(change));
        }
        let differences = made.into_iter().map(ChangeView::from).collect();
        would_change += usize::from(row.outcome.as_deref() == Some("applied"));
        if listed {
            view.events.push(Replayed {
                id: id.clone(),
                outcome: row.outcome,
                reason: row.reason,
                differences,
            });
        }
    }
    view.would_change = Some(would_change);
    view.messages_due = Some(usize::try_from(deliveries::count(conn)? - due_before).unwrap_or(0));
    view.replayed = 0;
    Ok(())
}
