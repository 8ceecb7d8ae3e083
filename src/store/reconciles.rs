//! Comparisons of a directory with WorkOS's own listing, as rows: the checkpoint, what the listing
//! named, and what differs. A comparison is worked on under a lease whose token every word names.

use std::collections::BTreeMap;
use std::time::Duration;

use diesel::prelude::*;
use serde::Deserialize;

use crate::clock::Timestamp;
use crate::db::schema::{drift_items, reconcile_seen, reconciles};
use crate::db::{Conn, on_backend};

pub use super::listed::{
    forget, groups_here, see, seen_after, unseen_edges, unseen_groups, unseen_users, users_here,
};

pub use super::drift::{
    Drift, add_drift, drift, drift_counts, drop_drift, forget_users, old_drift, open_after,
    prune_drift, settle_drift, subjects_after,
};

/// Being listed, compared or applied.
pub const RUNNING: &str = "running";
/// The ways in which something differs.
pub const KINDS: [&str; 9] = [
    "directory_missing_here",
    "user_missing_here",
    "user_missing_there",
    "user_differs",
    "group_missing_here",
    "group_missing_there",
    "group_differs",
    "edge_missing_here",
    "edge_missing_there",
];
/// Compared in full.
pub const DONE: &str = "done";
/// Not in full: nothing follows from it (R43).
pub const INCOMPLETE: &str = "incomplete";

/// A comparison.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = reconciles, treat_none_as_default_value = false)]
#[allow(missing_docs, reason = "the columns are described in the migrations")]
pub struct Reconcile {
    pub id: String,
    pub organization_id: String,
    pub directory_id: String,
    pub apply: bool,
    pub state: String,
    pub phase: String,
    pub progress: String,
    pub reason: Option<String>,
    pub actor: String,
    pub started_at: Timestamp,
    pub finished_at: Option<Timestamp>,
    pub lease_owner: Option<String>,
    pub lease_token: i64,
    pub lease_until: Option<Timestamp>,
}

/// Adds a comparison.
pub fn add(conn: &mut Conn, one: &Reconcile) -> QueryResult<()> {
    on_backend!(conn, c => diesel::insert_into(reconciles::table).values(one).execute(c))?;
    Ok(())
}

/// One comparison.
pub fn find(conn: &mut Conn, id: &str) -> QueryResult<Option<Reconcile>> {
    on_backend!(conn, c => reconciles::table.find(id).select(Reconcile::as_select()).first(c).optional())
}

/// Comparisons, newest first; of one directory or organization where given.
pub fn list(
    conn: &mut Conn,
    organization: Option<&str>,
    directory: Option<&str>,
    before: Option<(Timestamp, String)>,
    limit: i64,
) -> QueryResult<Vec<Reconcile>> {
    on_backend!(conn, c => {
        let mut query = reconciles::table
            .select(Reconcile::as_select())
            .order((reconciles::started_at.desc(), reconciles::id.desc()))
            .limit(limit)
            .into_boxed();
        if let Some(organization) = organization {
            query = query.filter(reconciles::organization_id.eq(organization));
        }
        if let Some(directory) = directory {
            query = query.filter(reconciles::directory_id.eq(directory));
        }
        if let Some((at, id)) = before {
            query = query.filter(reconciles::started_at.lt(at).or(reconciles::started_at.eq(at).and(reconciles::id.lt(id))));
        }
        query.load(c)
    })
}

/// The comparison of a directory that is not over.
pub fn running_of(conn: &mut Conn, directory: &str) -> QueryResult<Option<Reconcile>> {
    on_backend!(conn, c => reconciles::table
        .filter(reconciles::directory_id.eq(directory))
        .filter(reconciles::state.eq(RUNNING))
        .select(Reconcile::as_select())
        .first(c)
        .optional())
}

/// The ids of comparisons nobody works on.
pub fn waiting(conn: &mut Conn, now: Timestamp) -> QueryResult<Vec<String>> {
    on_backend!(conn, c => reconciles::table
        .filter(reconciles::state.eq(RUNNING))
        .filter(reconciles::lease_until.is_null().or(reconciles::lease_until.le(now)))
        .order(reconciles::started_at)
        .select(reconciles::id)
        .load(c))
}

/// Takes the lease of a comparison that nobody works on.
pub fn claim(
    conn: &mut Conn,
    id: &str,
    owner: &str,
    now: Timestamp,
    lease: Duration,
) -> QueryResult<Option<Reconcile>> {
    let taken = on_backend!(conn, c => diesel::update(reconciles::table
        .filter(reconciles::id.eq(id))
        .filter(reconciles::state.eq(RUNNING))
        .filter(reconciles::lease_until.is_null().or(reconciles::lease_until.le(now))))
        .set((
            reconciles::lease_owner.eq(owner),
            reconciles::lease_token.eq(reconciles::lease_token + 1),
            reconciles::lease_until.eq(now.plus(lease)),
        ))
        .execute(c))?;
    if taken == 0 { Ok(None) } else { find(conn, id) }
}

/// Renews the lease, where it is still this one.
pub fn renew(conn: &mut Conn, id: &str, token: i64, until: Timestamp) -> QueryResult<()> {
    on_backend!(conn, c => diesel::update(reconciles::table
        .filter(reconciles::id.eq(id))
        .filter(reconciles::lease_token.eq(token))
        .filter(reconciles::state.eq(RUNNING)))
        .set(reconciles::lease_until.eq(until))
        .execute(c))?;
    Ok(())
}

/// Gives back what this owner works on. What it still has on the way changes nothing any more.
pub fn let_go(conn: &mut Conn, owner: &str) -> QueryResult<()> {
    on_backend!(conn, c => diesel::update(reconciles::table
        .filter(reconciles::lease_owner.eq(owner))
        .filter(reconciles::lease_until.is_not_null())
        .filter(reconciles::state.eq(RUNNING)))
        .set((
            reconciles::lease_token.eq(reconciles::lease_token + 1),
            reconciles::lease_until.eq(None::<Timestamp>),
        ))
        .execute(c))?;
    Ok(())
}

/// Writes the checkpoint and renews the lease; false when the lease is somebody else's by now.
pub fn save(conn: &mut Conn, one: &Reconcile, until: Timestamp) -> QueryResult<bool> {
    let saved = on_backend!(conn, c => diesel::update(reconciles::table
        .filter(reconciles::id.eq(&one.id))
        .filter(reconciles::lease_token.eq(one.lease_token)))
        .set((
            reconciles::phase.eq(&one.phase),
            reconciles::progress.eq(&one.progress),
            reconciles::lease_until.eq(until),
        ))
        .execute(c))?;
    Ok(saved == 1)
}

/// Ends a comparison, and forgets what the listing named.
pub fn finish(
    conn: &mut Conn,
    one: &Reconcile,
    state: &str,
    reason: Option<&str>,
    now: Timestamp,
) -> QueryResult<()> {
    on_backend!(conn, c => diesel::update(reconciles::table
        .filter(reconciles::id.eq(&one.id))
        .filter(reconciles::lease_token.eq(one.lease_token)))
        .set((
            reconciles::state.eq(state),
            reconciles::phase.eq(&one.phase),
            reconciles::progress.eq(&one.progress),
            reconciles::reason.eq(reason),
            reconciles::finished_at.eq(now),
            reconciles::lease_until.eq(None::<Timestamp>),
        ))
        .execute(c))?;
    on_backend!(conn, c => diesel::delete(reconcile_seen::table.filter(reconcile_seen::reconcile_id.eq(&one.id))).execute(c))?;
    Ok(())
}

/// Lets a finished comparison's differences be applied.
pub fn begin_apply(conn: &mut Conn, id: &str) -> QueryResult<bool> {
    let begun = on_backend!(conn, c => diesel::update(reconciles::table
        .filter(reconciles::id.eq(id))
        .filter(reconciles::state.eq(DONE)))
        .set((
            reconciles::state.eq(RUNNING),
            reconciles::phase.eq("apply"),
            reconciles::apply.eq(true),
            reconciles::finished_at.eq(None::<Timestamp>),
        ))
        .execute(c))?;
    Ok(begun == 1)
}

/// The newest comparison of each directory among those in these states.
pub fn newest(conn: &mut Conn, states: &[&str]) -> QueryResult<Vec<Reconcile>> {
    let newer = diesel::alias!(reconciles as newer_reconciles);
    on_backend!(conn, c => {
        let later = newer
            .filter(newer.field(reconciles::directory_id).eq(reconciles::directory_id))
            .filter(newer.field(reconciles::state).eq_any(states))
            .filter(newer.field(reconciles::started_at).gt(reconciles::started_at)
                .or(newer.field(reconciles::started_at).eq(reconciles::started_at)
                    .and(newer.field(reconciles::id).gt(reconciles::id))));
        reconciles::table
            .filter(reconciles::state.eq_any(states))
            .filter(diesel::dsl::not(diesel::dsl::exists(later)))
            .select(Reconcile::as_select())
            .load(c)
    })
}

/// How the comparisons stand, for the metrics.
#[derive(Debug, Clone, Default)]
pub struct ReconcileStats {
    /// Directories by the state of their newest comparison.
    pub states: BTreeMap<String, i64>,
    /// What the newest whole comparison of each directory found, by kind and state.
    pub drift: BTreeMap<(String, String), i64>,
    /// When one last ended whole.
    pub last_done: Option<Timestamp>,
}

/// How the comparisons stand. The counts of differences were written down when each ended.
pub fn stats(conn: &mut Conn) -> QueryResult<ReconcileStats> {
    let mut stats = ReconcileStats::default();
    for one in newest(conn, &[RUNNING, DONE, INCOMPLETE])? {
        *stats.states.entry(one.state).or_default() += 1;
    }
    for one in newest(conn, &[DONE])? {
        stats.last_done = stats.last_done.max(one.finished_at);
        let Summary { drift } = serde_json::from_str(&one.progress).unwrap_or_default();
        for (kind, states) in drift {
            for (state, count) in states {
                *stats.drift.entry((kind.clone(), state)).or_default() += count;
            }
        }
    }
    Ok(stats)
}

/// Of a comparison's progress, what it found.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Summary {
    drift: BTreeMap<String, BTreeMap<String, i64>>,
}

/// The newest comparison of a directory.
pub fn newest_of(conn: &mut Conn, directory: &str) -> QueryResult<Option<Reconcile>> {
    Ok(list(conn, None, Some(directory), None, 1)?.pop())
}

/// Deletes comparisons that ended before, and of which no difference is kept any more.
pub fn prune(conn: &mut Conn, before: Timestamp) -> QueryResult<usize> {
    on_backend!(conn, c => diesel::delete(reconciles::table
        .filter(reconciles::finished_at.lt(before))
        .filter(diesel::dsl::not(diesel::dsl::exists(
            drift_items::table.filter(drift_items::reconcile_id.eq(reconciles::id)),
        ))))
        .execute(c))
}
