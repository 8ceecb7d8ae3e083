//! Replay of a selection (R68, R69): the same filters as the list, a true dry run, and a job where it
//! takes long, so that live events go first and somebody can watch it and stop it. What has gone out
//! or was cancelled does not go out again: its key is taken.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::db::{Conn, Db, Urgency};
use crate::outbox::{self, EventFilter};
use crate::worker::replay::{self as job, Selection};

use super::events::{ChangeView, EventQuery, filter_of, seen};
use super::rehearsal::{self, TRIED};
use super::{Actor, OperationError, Role, audit};

/// More than these, or what takes longer than a second at the rate that was asked for, is a job.
pub const AT_ONCE: i64 = 200;
/// The most events one call names.
const MOST_NAMED: usize = 10_000;

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
    #[schemars(range(min = 1))]
    pub limit: Option<i64>,
    /// So many a second; when not said, as fast as what waits already allows.
    #[schemars(range(min = 1))]
    pub rate: Option<u32>,
    /// As a job, however few they are.
    #[serde(default)]
    pub job: bool,
    /// Events that a dry run tries, where more match: 500 when not said.
    #[schemars(range(min = 1, max = 500))]
    pub tries: Option<usize>,
}

/// What a replay did, would do, or has begun.
#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
#[allow(missing_docs, reason = "the fields of the API")]
pub struct ReplayView {
    pub matched: usize,
    /// Ready again; 0 in a dry run, and while a job is doing it.
    pub replayed: usize,
    /// The job that does it: `GET /v1/jobs/{id}` says how far it is. Null where it is done already.
    pub job_id: Option<String>,
    /// How many of those that match the dry run tried, spread evenly over all of them.
    pub tried: Option<usize>,
    /// Events that would change something; counted in a dry run only.
    pub would_change: Option<usize>,
    /// Memberships that would begin, end or change; counted in a dry run only.
    pub memberships: Option<usize>,
    /// Messages that would fall due; counted in a dry run only.
    pub messages_due: Option<usize>,
    /// Messages of these events that exist already and stay as they are; in a dry run only.
    pub messages_done: Option<usize>,
    /// Messages that wait now and would be cancelled; counted in a dry run only.
    pub messages_cancelled: Option<usize>,
    pub dry_run: bool,
    /// At most 200 of them.
    pub events: Vec<Replayed>,
}

/// One event of a replay.
#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
#[allow(missing_docs, reason = "the fields of the API")]
pub struct Replayed {
    pub id: String,
    pub outcome: Option<String>,
    pub reason: Option<String>,
    /// Fields and memberships.
    pub differences: Vec<ChangeView>,
    pub messages: Vec<MessageRef>,
}

/// A message of an event in a dry run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[allow(missing_docs, reason = "the fields of the API")]
pub struct MessageRef {
    /// Null for one that would only come into being.
    pub id: Option<String>,
    pub channel: String,
    /// `due` or `held` when it would come into being; else what became of it.
    pub state: String,
}

impl ReplayBody {
    /// What they must match.
    fn query(&self) -> EventQuery {
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
            &self.organization_id,
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

    fn check(&self, actor: &Actor) -> Result<(), OperationError> {
        actor.require(Role::Operator)?;
        let problem = if self.says_nothing() && !self.all {
            "no filter is given: say which events, or `all` to replay every one that is kept"
                .to_owned()
        } else if let Some(limit) = self.limit.filter(|limit| *limit < 1) {
            format!("limit is {limit}; it may be 1 and more")
        } else if self.rate == Some(0) {
            "rate is 0; it may be 1 and more, events a second".to_owned()
        } else if let Some(tries) = self.tries.filter(|tries| !(1..=TRIED).contains(tries)) {
            format!("tries is {tries}; it may be 1 to {TRIED}")
        } else if self.ids.len() > MOST_NAMED {
            format!(
                "{} ids are given; up to {MOST_NAMED} may be named, or say a filter",
                self.ids.len()
            )
        } else {
            return Ok(());
        };
        Err(OperationError::Invalid(problem))
    }
}

/// The events a body is about.
pub(super) struct Selected {
    filter: EventFilter,
    /// Those that were named, sorted.
    places: Option<Vec<i64>>,
    count: usize,
    limit: Option<i64>,
}

impl Selected {
    /// Finds out, and counts them.
    pub(super) fn of(
        conn: &mut Conn,
        actor: &Actor,
        body: &ReplayBody,
    ) -> Result<Self, OperationError> {
        let mut filter = filter_of(conn, actor, &body.query())?;
        // What comes from now on is no part of it.
        let newest = outbox::newest_place(conn)?;
        filter.up_to = Some(filter.up_to.map_or(newest, |to| to.min(newest)));
        let (places, count) = if body.ids.is_empty() {
            (None, outbox::count(conn, &filter)?)
        } else {
            let mut places = Vec::new();
            for id in &body.ids {
                places.push(seen(conn, actor, id)?.id);
            }
            places.sort_unstable();
            places.dedup();
            let count = i64::try_from(places.len()).unwrap_or(i64::MAX);
            (Some(places), count)
        };
        let count = body.limit.map_or(count, |limit| count.min(limit));
        Ok(Self {
            filter,
            places,
            count: usize::try_from(count).unwrap_or_default(),
            limit: body.limit,
        })
    }

    /// How many they are.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Their places in the queue, the oldest first.
    pub(super) fn places(&self, conn: &mut Conn, most: i64) -> Result<Vec<i64>, OperationError> {
        let most = self.limit.map_or(most, |limit| limit.min(most));
        Ok(match &self.places {
            Some(places) => {
                let most = usize::try_from(most).unwrap_or(usize::MAX);
                places.iter().take(most).copied().collect()
            }
            None => outbox::places(conn, &self.filter, most)?,
        })
    }

    fn takes_long(&self, body: &ReplayBody) -> bool {
        let count = i64::try_from(self.count).unwrap_or(i64::MAX);
        body.job || count > AT_ONCE || body.rate.is_some_and(|rate| count > i64::from(rate))
    }
}

/// Replays what matches, or with `dry_run` says what would come of it. Chooses its own transactions
/// (blocking): finding out how many match must not keep the webhooks waiting.
pub fn replay(
    db: &Db,
    actor: &Actor,
    body: &ReplayBody,
    now: Timestamp,
) -> Result<ReplayView, OperationError> {
    body.check(actor)?;
    let selected = db.read(|conn| Selected::of(conn, actor, body))?;
    if body.dry_run {
        let tries = body.tries.unwrap_or(TRIED);
        return rehearsal::rehearse(db, actor, &selected, tries, now);
    }
    db.write(Urgency::Normal, |conn| {
        if selected.takes_long(body) {
            begin_job(conn, actor, body, selected, now)
        } else {
            at_once(conn, actor, body, &selected, now)
        }
    })
}

/// How many events a replay would touch.
pub fn count_matching(
    conn: &mut Conn,
    actor: &Actor,
    body: &ReplayBody,
) -> Result<usize, OperationError> {
    body.check(actor)?;
    Ok(Selected::of(conn, actor, body)?.count())
}

fn at_once(
    conn: &mut Conn,
    actor: &Actor,
    body: &ReplayBody,
    selected: &Selected,
    now: Timestamp,
) -> Result<ReplayView, OperationError> {
    let places = selected.places(conn, AT_ONCE)?;
    let since = job::others_since(conn)?;
    let done = outbox::replay_places(conn, &places, &actor.name, since, now, now)?;
    let detail = format!("{} events", done.ready.len());
    audited(conn, actor, body, "selection", &detail, now)?;
    let listed = outbox::at_places(conn, &done.ready)?;
    let named = |id: String| Replayed {
        id,
        ..Replayed::default()
    };
    Ok(ReplayView {
        matched: places.len(),
        replayed: done.ready.len(),
        events: listed.into_iter().map(|row| named(row.event_id)).collect(),
        ..ReplayView::default()
    })
}

fn begin_job(
    conn: &mut Conn,
    actor: &Actor,
    body: &ReplayBody,
    selected: Selected,
    now: Timestamp,
) -> Result<ReplayView, OperationError> {
    let matched = selected.count();
    let selection = Selection {
        filter: selected.filter,
        places: selected.places,
        limit: selected.limit,
        rate: body.rate,
        others_since: job::others_since(conn)?.unwrap_or(now),
    };
    let total = i64::try_from(matched).unwrap_or(i64::MAX);
    let organization = selection.filter.organization_id.clone();
    let asked = job::ask(
        conn,
        organization.as_deref(),
        &selection,
        total,
        &actor.name,
        now,
    )?;
    let detail = format!("{matched} events, as a job");
    audited(conn, actor, body, &asked.id, &detail, now)?;
    Ok(ReplayView {
        matched,
        job_id: Some(asked.id),
        ..ReplayView::default()
    })
}

fn audited(
    conn: &mut Conn,
    actor: &Actor,
    body: &ReplayBody,
    target: &str,
    detail: &str,
    now: Timestamp,
) -> Result<(), OperationError> {
    let organization = body
        .organization_id
        .as_deref()
        .or(actor.organization_id.as_deref());
    audit(
        conn,
        actor,
        "events.replayed",
        target,
        organization,
        Some(detail),
        now,
    )?;
    Ok(())
}
