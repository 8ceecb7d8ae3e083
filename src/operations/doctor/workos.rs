//! The doctor's look at what is asked of WorkOS: reading events back, and comparing directories. What
//! fails once is tried again; what fails again and again is told (R93).

use crate::clock::Timestamp;
use crate::db::Conn;
use crate::operations::{OperationError, failing};
use crate::outbox::catch_ups;
use crate::store::failing_reconciles;

use super::Check;

/// Directories named.
const NAMED: usize = 3;

pub(super) fn catch_up(conn: &mut Conn, now: Timestamp) -> Result<Check, OperationError> {
    let name = "catching up";
    let failing = failing::catch_ups(conn, now)?;
    if let Some(row) = failing.first() {
        let since = row
            .failing_since
            .map_or(String::new(), |at| format!(" since {at}"));
        return Ok(Check::warn(
            name,
            format!(
                "reading events back from WorkOS has failed {} times in a row{since}: {}",
                row.failures,
                row.last_error.as_deref().unwrap_or("no reason was kept")
            ),
            "put the cause right; reading is tried again by itself, and `rollcall catch-up` does it now",
        ));
    }
    let read = catch_ups::all(conn)?
        .into_iter()
        .filter_map(|row| row.caught_up_at)
        .max();
    Ok(match read {
        Some(at) => Check::ok(name, format!("events were last read back at {at}")),
        None => Check::ok(name, "events were never read back from WorkOS"),
    })
}

pub(super) fn comparisons(conn: &mut Conn, now: Timestamp) -> Result<Check, OperationError> {
    let name = "comparisons";
    let failing = failing::comparisons(conn, None, now)?;
    let Some(first) = failing.first() else {
        return Ok(Check::ok(name, "none fails again and again"));
    };
    let reason = failing_reconciles::reason_of(conn, &first.directory_id)?;
    let named: Vec<&str> = failing
        .iter()
        .take(NAMED)
        .map(|directory| directory.directory_id.as_str())
        .collect();
    let more = failing.len().saturating_sub(NAMED);
    let more = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    Ok(Check::warn(
        name,
        format!(
            "comparing with WorkOS fails again and again for {}{more}: {}",
            named.join(", "),
            reason.as_deref().unwrap_or("no reason was kept")
        ),
        "put the cause right, then `rollcall directories reconcile`; lost webhooks of these directories are not found until then",
    ))
}
