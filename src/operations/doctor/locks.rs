//! Whether somebody holds our tables, so that everybody else waits. Asked before anything that reads them.

use super::Check;
use crate::db::{Conn, locks};
use crate::operations::OperationError;

/// A transaction that keeps others waiting for longer than this is worth a look.
const LONG_LOCK_SECONDS: i64 = 5;

/// Who holds our tables, where somebody does. Asked before anything that reads them: it would wait.
pub fn of_locks(conn: &mut Conn) -> Result<Option<Check>, OperationError> {
    let holders = locks::holders(conn, LONG_LOCK_SECONDS)?;
    let found: Vec<String> = holders.iter().map(ToString::to_string).collect();
    Ok((!found.is_empty()).then(|| {
        let advice = "end it there, or by `SELECT pg_terminate_backend(<session>)`; what waits goes on by itself, and no event is blamed for it";
        Check::fail("locks", found.join("; "), advice)
    }))
}
