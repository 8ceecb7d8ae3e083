//! Comparisons of a directory with WorkOS's own listing, as rows: the checkpoint, what the listing
//! named, and what differs. A comparison is worked on under a lease whose token every word names.

use std::collections::BTreeMap;
use std::time::Duration;

use diesel::prelude::*;
use diesel::upsert::excluded;

use crate::clock::Timestamp;
use crate::db::schema::{drift_items, group_edges, groups, links, reconcile_seen, reconciles};
use crate::db::{Conn, ROWS_PER_STATEMENT, on_backend};

/// Being listed, compared or applied.
pub const RUNNING: &str = "running";
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

/// Something that differs, and the event that would mend it.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = drift_items, treat_none_as_default_value = false)]
#[allow(missing_docs, reason = "the columns are described in the migrations")]
pub struct Drift {
    pub reconcile_id: String,
    pub kind: String,
    pub subject: String,
    pub fields: String,
    pub state: String,
    pub reason: Option<String>,
    pub event_id: String,
    pub occurred_at: Timestamp,
    pub body: String,
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

/// Edges of a group that stand here and that its listing did not name: the user, and when it was said.
pub fn unseen_edges(
    conn: &mut Conn,
    one: &Reconcile,
    group: &str,
) -> QueryResult<Vec<(String, Timestamp)>> {
    on_backend!(conn, c => group_edges::table
        .filter(group_edges::group_id.eq(group))
        .filter(group_edges::present.eq(true))
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

/// Writes down what differs; a page read again says the same again.
pub fn add_drift(conn: &mut Conn, all: &[Drift]) -> QueryResult<()> {
    for chunk in all.chunks(ROWS_PER_STATEMENT) {
        on_backend!(conn, c => diesel::insert_into(drift_items::table)
            .values(chunk)
            .on_conflict((drift_items::reconcile_id, drift_items::kind, drift_items::subject))
            .do_update()
            .set((
                drift_items::fields.eq(excluded(drift_items::fields)),
                drift_items::occurred_at.eq(excluded(drift_items::occurred_at)),
                drift_items::body.eq(excluded(drift_items::body)),
            ))
            .execute(c))?;
    }
    Ok(())
}

/// Takes away what comparisons found out about these directory users (R65), whatever became of it.
pub fn forget_users(conn: &mut Conn, users: &[String]) -> QueryResult<()> {
    for user in users {
        // An edge is named by its group and its user.
        let edges = format!("% {}", user.replace('%', "\\%").replace('_', "\\_"));
        on_backend!(conn, c => diesel::delete(drift_items::table
            .filter(drift_items::subject.eq(user).or(drift_items::subject.like(&edges).escape('\\'))))
            .execute(c))?;
        on_backend!(conn, c => diesel::delete(reconcile_seen::table
            .filter(reconcile_seen::id.eq(user).or(reconcile_seen::id.like(&edges).escape('\\'))))
            .execute(c))?;
    }
    Ok(())
}

/// What differs, in order; of one kind or state where given.
pub fn drift(
    conn: &mut Conn,
    id: &str,
    kind: Option<&str>,
    state: Option<&str>,
    limit: i64,
) -> QueryResult<Vec<Drift>> {
    on_backend!(conn, c => {
        let mut query = drift_items::table
            .filter(drift_items::reconcile_id.eq(id))
            .select(Drift::as_select())
            .order((drift_items::kind, drift_items::subject))
            .limit(limit)
            .into_boxed();
        if let Some(kind) = kind {
            query = query.filter(drift_items::kind.eq(kind));
        }
        if let Some(state) = state {
            query = query.filter(drift_items::state.eq(state));
        }
        query.load(c)
    })
}

/// How much of each kind is in each state.
pub fn drift_counts(
    conn: &mut Conn,
    id: &str,
) -> QueryResult<BTreeMap<String, BTreeMap<String, i64>>> {
    let rows: Vec<(String, String, i64)> = on_backend!(conn, c => drift_items::table
        .filter(drift_items::reconcile_id.eq(id))
        .group_by((drift_items::kind, drift_items::state))
        .select((drift_items::kind, drift_items::state, diesel::dsl::count_star()))
        .load(c))?;
    let mut all: BTreeMap<String, BTreeMap<String, i64>> = BTreeMap::new();
    for (kind, state, count) in rows {
        all.entry(kind).or_default().insert(state, count);
    }
    Ok(all)
}

/// Settles differences of one kind.
pub fn settle_drift(
    conn: &mut Conn,
    id: &str,
    kind: &str,
    subjects: &[String],
    state: &str,
    reason: Option<&str>,
) -> QueryResult<()> {
    for chunk in subjects.chunks(ROWS_PER_STATEMENT) {
        on_backend!(conn, c => diesel::update(drift_items::table
            .filter(drift_items::reconcile_id.eq(id))
            .filter(drift_items::kind.eq(kind))
            .filter(drift_items::subject.eq_any(chunk)))
            .set((drift_items::state.eq(state), drift_items::reason.eq(reason)))
            .execute(c))?;
    }
    Ok(())
}
