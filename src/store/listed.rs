//! What the listing of a comparison named, as rows, and what is here beside it: whatever a complete
//! listing did not name is not there any more (R43, R44).

use diesel::prelude::*;

use super::reconciles::Reconcile;
use crate::clock::Timestamp;
use crate::db::schema::{group_edges, groups, links, reconcile_seen};
use crate::db::{Conn, ROWS_PER_STATEMENT, on_backend};

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
