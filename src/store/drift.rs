//! What a comparison found to differ, and the event that would mend each of it. The event's body goes
//! when the difference is settled, with the person, and after the retention (R65, R72).

use std::collections::BTreeMap;

use diesel::prelude::*;
use diesel::upsert::excluded;

use crate::clock::Timestamp;
use crate::db::schema::{drift_items, reconcile_seen, reconciles};
use crate::db::{Conn, ROWS_PER_STATEMENT, ends_with, on_backend};

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

/// What differs in one way and is open, in order, after a given one.
pub fn open_after(
    conn: &mut Conn,
    id: &str,
    kind: &str,
    after: &str,
    limit: i64,
) -> QueryResult<Vec<Drift>> {
    on_backend!(conn, c => drift_items::table
        .filter(drift_items::reconcile_id.eq(id))
        .filter(drift_items::kind.eq(kind))
        .filter(drift_items::subject.gt(after))
        .filter(drift_items::state.eq("open"))
        .order(drift_items::subject)
        .limit(limit)
        .select(Drift::as_select())
        .load(c))
}

/// What differs in one way, by what it is about, in order, after a given one.
pub fn subjects_after(
    conn: &mut Conn,
    id: &str,
    kind: &str,
    after: &str,
    limit: i64,
) -> QueryResult<Vec<String>> {
    on_backend!(conn, c => drift_items::table
        .filter(drift_items::reconcile_id.eq(id))
        .filter(drift_items::kind.eq(kind))
        .filter(drift_items::subject.gt(after))
        .order(drift_items::subject)
        .limit(limit)
        .select(drift_items::subject)
        .load(c))
}

/// Takes back differences that turned out to be none.
pub fn drop_drift(conn: &mut Conn, id: &str, kind: &str, subjects: &[String]) -> QueryResult<()> {
    for chunk in subjects.chunks(ROWS_PER_STATEMENT) {
        on_backend!(conn, c => diesel::delete(drift_items::table
            .filter(drift_items::reconcile_id.eq(id))
            .filter(drift_items::kind.eq(kind))
            .filter(drift_items::subject.eq_any(chunk)))
            .execute(c))?;
    }
    Ok(())
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
            .set((
                drift_items::state.eq(state),
                drift_items::reason.eq(reason),
                drift_items::body.eq(""),
            ))
            .execute(c))?;
    }
    Ok(())
}

/// Takes away what comparisons found out about these directory users (R65), whatever became of it.
pub fn forget_users(conn: &mut Conn, users: &[String]) -> QueryResult<()> {
    for user in users {
        // An edge is named by its group and its user.
        let edges = ends_with(&format!(" {user}"));
        on_backend!(conn, c => diesel::delete(drift_items::table
            .filter(drift_items::subject.eq(user).or(drift_items::subject.like(&edges).escape('\\'))))
            .execute(c))?;
        on_backend!(conn, c => diesel::delete(reconcile_seen::table
            .filter(reconcile_seen::id.eq(user).or(reconcile_seen::id.like(&edges).escape('\\'))))
            .execute(c))?;
    }
    Ok(())
}

/// Differences of comparisons that ended before, but for those about these directory users: comparison,
/// kind and subject.
pub fn old_drift(
    conn: &mut Conn,
    before: Timestamp,
    spared: &[String],
    limit: i64,
) -> QueryResult<Vec<(String, String, String)>> {
    on_backend!(conn, c => drift_items::table
        .inner_join(reconciles::table.on(reconciles::id.eq(drift_items::reconcile_id)))
        .filter(reconciles::finished_at.lt(before))
        .filter(drift_items::subject.ne_all(spared))
        .limit(limit)
        .select((drift_items::reconcile_id, drift_items::kind, drift_items::subject))
        .load(c))
}

/// Deletes differences.
pub fn prune_drift(conn: &mut Conn, all: &[(String, String, String)]) -> QueryResult<()> {
    let mut of: BTreeMap<(&str, &str), Vec<String>> = BTreeMap::new();
    for (id, kind, subject) in all {
        of.entry((id, kind)).or_default().push(subject.clone());
    }
    for ((id, kind), subjects) in of {
        drop_drift(conn, id, kind, &subjects)?;
    }
    Ok(())
}
