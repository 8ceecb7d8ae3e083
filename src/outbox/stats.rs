//! The queue in figures, for health and metrics. Nothing here walks the settled rows: open states
//! are counted on their partial indexes, capped, because nobody needs to know a million to the last one.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable};

use crate::clock::Timestamp;
use crate::db::{Conn, on_backend};

/// Counts stop here.
const COUNT_CAP: i64 = 100_000;

/// The open part of the queue.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QueueStats {
    /// Events waiting for the worker (counted up to 100,000).
    pub ready: i64,
    /// Events given up.
    pub failed: i64,
    /// Events waiting for an operator.
    pub held: i64,
    /// When the oldest event that is due came.
    pub oldest_ready: Option<Timestamp>,
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = BigInt)]
    ready: i64,
    #[diesel(sql_type = BigInt)]
    failed: i64,
    #[diesel(sql_type = BigInt)]
    held: i64,
    #[diesel(sql_type = Nullable<BigInt>)]
    oldest: Option<i64>,
}

/// Counts what is open. SQLite takes a partial index only where the query says the index's own words.
pub fn queue_stats(conn: &mut Conn) -> QueryResult<QueueStats> {
    queue_stats_up_to(conn, COUNT_CAP)
}

/// Counts what is open, each count up to a number. The oldest is looked for at the old end of both
/// lanes: events come nearly in the order of their ids.
pub fn queue_stats_up_to(conn: &mut Conn, cap: i64) -> QueryResult<QueueStats> {
    let first = |lane: i32| {
        format!(
            "SELECT received_at FROM (SELECT received_at FROM outbox \
             WHERE state = 'ready' AND lane = {lane} ORDER BY id LIMIT 100) AS lane_{lane}"
        )
    };
    let (removals, others) = (first(super::REMOVAL_LANE), first(super::NORMAL_LANE));
    let sql = format!(
        "SELECT (SELECT count(*) FROM (SELECT 1 FROM outbox WHERE state = 'ready' LIMIT {cap}) AS r) AS ready, \
         (SELECT count(*) FROM (SELECT 1 FROM outbox WHERE state = 'failed' AND state IN ('failed', 'held') LIMIT {cap}) AS p) AS failed, \
         (SELECT count(*) FROM (SELECT 1 FROM outbox WHERE state = 'held' AND state IN ('failed', 'held') LIMIT {cap}) AS h) AS held, \
         (SELECT min(received_at) FROM ({removals} UNION ALL {others}) AS o) AS oldest"
    );
    let row: Row = on_backend!(conn, c => diesel::sql_query(sql).get_result(c))?;
    Ok(QueueStats {
        ready: row.ready,
        failed: row.failed,
        held: row.held,
        oldest_ready: row.oldest.map(Timestamp),
    })
}

#[derive(QueryableByName)]
struct Due {
    #[diesel(sql_type = BigInt)]
    due: i64,
}

/// How many events the worker could take now, counted up to `most`.
pub fn due_up_to(conn: &mut Conn, now: Timestamp, most: i64) -> QueryResult<i64> {
    let sql = "SELECT count(*) AS due FROM \
        (SELECT 1 FROM outbox WHERE state = 'ready' AND available_at <= $1 LIMIT $2) AS d";
    let row: Due = on_backend!(conn, c => diesel::sql_query(sql)
        .bind::<BigInt, _>(now.micros())
        .bind::<BigInt, _>(most)
        .get_result(c))?;
    Ok(row.due)
}
