//! Requests that look like deliveries to a path that takes none: by path, the newest few. Several
//! processes add up in one row.

use diesel::prelude::*;

use crate::clock::Timestamp;
use crate::db::schema::webhook_wrong_paths as wrong_paths;
use crate::db::{Conn, on_backend};

/// How often one path was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = wrong_paths)]
#[allow(missing_docs, reason = "the columns are described in the migrations")]
pub struct WrongPath {
    pub path: String,
    pub count: i64,
    pub first_at: Timestamp,
    pub last_at: Timestamp,
}

/// Adds what one process has seen since it said so last.
pub fn add(conn: &mut Conn, row: &WrongPath) -> QueryResult<()> {
    on_backend!(conn, c => diesel::insert_into(wrong_paths::table)
        .values(row)
        .on_conflict(wrong_paths::path)
        .do_update()
        .set((wrong_paths::count.eq(wrong_paths::count + row.count), wrong_paths::last_at.eq(row.last_at)))
        .execute(c))?;
    Ok(())
}

/// All of them, the newest first.
pub fn all(conn: &mut Conn) -> QueryResult<Vec<WrongPath>> {
    on_backend!(conn, c => wrong_paths::table
        .order((wrong_paths::last_at.desc(), wrong_paths::path))
        .select(WrongPath::as_select())
        .load(c))
}

/// Forgets these.
pub fn forget(conn: &mut Conn, paths: &[String]) -> QueryResult<usize> {
    on_backend!(conn, c => diesel::delete(wrong_paths::table.filter(wrong_paths::path.eq_any(paths))).execute(c))
}
