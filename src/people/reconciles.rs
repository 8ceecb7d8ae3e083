//! Comparisons of a directory with WorkOS's own listing, as rows: the checkpoint, what the listing
//! named, and what differs. A comparison is worked on under a lease whose token every word names.

use std::collections::BTreeMap;
use std::time::Duration;

use diesel::prelude::*;
use serde::Deserialize;

use crate::clock::Timestamp;
use crate::db::schema::{drift_items, group_edges, groups, links, reconcile_seen, reconciles};
use crate::db::{Conn, ROWS_PER_STATEMENT, on_backend};

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

/// Writes down what a page named; answers how many were not named before.
pub fn see(conn: &mut Conn, id: &str, kind: &str, all: &[String]) -> QueryResult<usize> {
    let mut new = 0;
    for chunk in all.chunks(ROWS_PER_STATEMENT) {
        let rows: Vec<_> = chunk
            .iter()
            .map(|one| {
                (
                    reconcile_seen::reconcile_id.eq(id),
                    reconcile_seen::kind.eq(kind),
                    reconcile_seen::id.eq(one),
                )
            })
            .collect();
        new += on_backend!(conn, c => diesel::insert_into(reconcile_seen::table).values(&rows).on_conflict_do_nothing().execute(c))?;
    }
    Ok(new)
}

/// The first of what was named, in order, after a given one.
pub fn seen_after(
    conn: &mut Conn,
    id: &str,
    kind: &str,
    after: &str,
) -> QueryResult<Option<String>> {
    on_backend!(conn, c => reconcile_seen::table
        .filter(reconcile_seen::reconcile_id.eq(id))
        .filter(reconcile_seen::kind.eq(kind))
        .filter(reconcile_seen::id.gt(after))
        .order(reconcile_seen::id)
        .select(reconcile_seen::id)
        .first(c)
        .optional())
}

/// Forgets what was named of a kind.
pub fn forget(conn: &mut Conn, id: &str, kind: &str) -> QueryResult<()> {
    on_backend!(conn, c => diesel::delete(reconcile_seen::table
        .filter(reconcile_seen::reconcile_id.eq(id))
        .filter(reconcile_seen::kind.eq(kind)))
        .execute(c))?;
    Ok(())
}

/// Directory users that count here and that the listing did not name, in order, after a given one.
pub fn unseen_users(
    conn: &mut Conn,
    one: &Reconcile,
    after: &str,
    limit: i64,
) -> QueryResult<Vec<String>> {
    on_backend!(conn, c => links::table
        .filter(links::directory_id.eq(&one.directory_id))
        .filter(links::state.eq_any(["active", "pending", "conflict"]))
        .filter(links::directory_user_id.gt(after))
        .filter(diesel::dsl::not(diesel::dsl::exists(reconcile_seen::table
            .filter(reconcile_seen::reconcile_id.eq(&one.id))
            .filter(reconcile_seen::kind.eq("user"))
            .filter(reconcile_seen::id.eq(links::directory_user_id)))))
        .order(links::directory_user_id)
        .limit(limit)
        .select(links::directory_user_id)
        .load(c))
}

/// Groups that exist here and that the listing did not name, in order, after a given one.
pub fn unseen_groups(
    conn: &mut Conn,
    one: &Reconcile,
    after: &str,
    limit: i64,
) -> QueryResult<Vec<String>> {
    on_backend!(conn, c => groups::table
        .filter(groups::directory_id.eq(&one.directory_id))
        .filter(groups::state.eq("active"))
        .filter(groups::id.gt(after))
        .filter(diesel::dsl::not(diesel::dsl::exists(reconcile_seen::table
            .filter(reconcile_seen::reconcile_id.eq(&one.id))
            .filter(reconcile_seen::kind.eq("group"))
            .filter(reconcile_seen::id.eq(groups::id)))))
        .order(groups::id)
        .limit(limit)
        .select(groups::id)
        .load(c))
}

/// Edges of a group that stand here and that its listing did not name, of users who are there: the user,
/// and when it was said. Who is gone takes their edges along, and brings them back (R31).
pub fn unseen_edges(
    conn: &mut Conn,
    one: &Reconcile,
    group: &str,
) -> QueryResult<Vec<(String, Timestamp)>> {
    let users = diesel::alias!(reconcile_seen as seen_users);
    on_backend!(conn, c => group_edges::table
        .filter(group_edges::group_id.eq(group))
        .filter(group_edges::present.eq(true))
        .filter(diesel::dsl::exists(users
            .filter(users.field(reconcile_seen::reconcile_id).eq(&one.id))
            .filter(users.field(reconcile_seen::kind).eq("user"))
            .filter(users.field(reconcile_seen::id).eq(group_edges::directory_user_id))))
        .filter(diesel::dsl::not(diesel::dsl::exists(reconcile_seen::table
            .filter(reconcile_seen::reconcile_id.eq(&one.id))
            .filter(reconcile_seen::kind.eq("edge"))
            .filter(reconcile_seen::id.eq(group_edges::directory_user_id)))))
        .select((group_edges::directory_user_id, group_edges::at))
        .load(c))
}

/// How many directory users of a directory count here.
pub fn users_here(conn: &mut Conn, directory: &str) -> QueryResult<i64> {
    on_backend!(conn, c => links::table
        .filter(links::directory_id.eq(directory))
        .filter(links::state.eq_any(["active", "pending", "conflict"]))
        .count()
        .get_result(c))
}

/// How many groups of a directory exist here.
pub fn groups_here(conn: &mut Conn, directory: &str) -> QueryResult<i64> {
    on_backend!(conn, c => groups::table
        .filter(groups::directory_id.eq(directory))
        .filter(groups::state.eq("active"))
        .count()
        .get_result(c))
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
