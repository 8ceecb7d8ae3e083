//! Measuring how far this machine's clock is from the database server's. The answer lies somewhere within the
//! round trip, so that the quickest of a few counts. A file has no clock of its own: SQLite's is this machine's.

use diesel::QueryResult;

use crate::clock::machine_now;

use super::Conn;
use super::health::server_now;

/// Round trips of one measurement.
const TRIES: usize = 3;

/// By how many microseconds this machine is ahead of the database server, below zero behind; `None` where
/// the database is a file on this machine.
pub(super) fn measure(conn: &mut Conn) -> QueryResult<Option<i64>> {
    let mut best: Option<(i64, i64)> = None;
    for _ in 0..TRIES {
        let asked = machine_now();
        let Some(theirs) = server_now(conn)? else {
            return Ok(None);
        };
        let answered = machine_now();
        let took = answered.0.saturating_sub(asked.0);
        let between = asked.0.saturating_add(took / 2);
        if best.is_none_or(|(quickest, _)| took < quickest) {
            best = Some((took, between.saturating_sub(theirs.0)));
        }
    }
    Ok(best.map(|(_, ahead)| ahead))
}
