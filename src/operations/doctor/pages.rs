//! The doctor's look at SQLite's pages: all of them, and each index against its table.

use std::time::Duration;

use super::Check;
use crate::db::{Backend, Db, Look, Pages};
use crate::operations::OperationError;

/// Whoever asks waits for it.
const AT_MOST: Duration = Duration::from_secs(60);

/// Whether the pages fit together; none on PostgreSQL, which looks after its own (blocking).
pub fn of_pages(db: &Db) -> Result<Option<Check>, OperationError> {
    let name = "pages";
    if db.backend() == Backend::Postgres {
        return Ok(None);
    }
    Ok(Some(match db.look_at_pages(Look::Whole, AT_MOST)? {
        Pages::Sound => Check::ok(name, "all of the file's pages and indexes fit together"),
        Pages::Unfinished => Check::ok(
            name,
            format!(
                "nothing was found in {} s; the file is larger than that",
                AT_MOST.as_secs()
            ),
        ),
        Pages::Damaged(first) => Check::fail(
            name,
            format!("the file is damaged: {first}"),
            "stop Rollcall, keep a copy of the file, and restore a back-up, or try `sqlite3 rollcall.db .recover`",
        ),
    }))
}
