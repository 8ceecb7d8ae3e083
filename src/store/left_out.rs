//! What a comparison left out, because something newer was heard of it than the listing could know:
//! kept beside what the listing named, and gone with it when the comparison is over.

use diesel::prelude::*;

use crate::db::schema::reconcile_seen;
use crate::db::{Conn, ROWS_PER_STATEMENT, on_backend};

use super::reconciles::see;

/// What can be left out, as it is kept; an edge by its group and its user.
pub const LEFT_OUT: [&str; 3] = ["left_user", "left_group", "left_edge"];

/// Notes what was left out.
pub fn leave_out(conn: &mut Conn, id: &str, kind: &str, subjects: &[String]) -> QueryResult<()> {
    see(conn, id, kind, subjects).map(drop)
}

/// What was left out of a kind, in order, after a given one.
pub fn after(
    conn: &mut Conn,
    id: &str,
    kind: &str,
    after: &str,
    limit: i64,
) -> QueryResult<Vec<String>> {
    on_backend!(conn, c => reconcile_seen::table
        .filter(reconcile_seen::reconcile_id.eq(id))
        .filter(reconcile_seen::kind.eq(kind))
        .filter(reconcile_seen::id.gt(after))
        .order(reconcile_seen::id)
        .limit(limit)
        .select(reconcile_seen::id)
        .load(c))
}

/// These were compared after all.
pub fn take_in(conn: &mut Conn, id: &str, kind: &str, subjects: &[String]) -> QueryResult<()> {
    for chunk in subjects.chunks(ROWS_PER_STATEMENT) {
        on_backend!(conn, c => diesel::delete(reconcile_seen::table
            .filter(reconcile_seen::reconcile_id.eq(id))
            .filter(reconcile_seen::kind.eq(kind))
            .filter(reconcile_seen::id.eq_any(chunk)))
            .execute(c))?;
    }
    Ok(())
}

/// How much is left out now.
pub fn count(conn: &mut Conn, id: &str) -> QueryResult<i64> {
    on_backend!(conn, c => reconcile_seen::table
        .filter(reconcile_seen::reconcile_id.eq(id))
        .filter(reconcile_seen::kind.eq_any(LEFT_OUT))
        .count()
        .get_result(c))
}
