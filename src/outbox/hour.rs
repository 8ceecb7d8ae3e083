//! The newest events in figures: when they came, when they were settled with what outcome, how long
//! removals took. Read off two indexes from their newest ends, and never more rows than are asked for.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Integer, Nullable, Text};

use crate::clock::Timestamp;
use crate::db::{Conn, on_backend};

/// An event that was settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// When it was settled.
    pub settled_at: Timestamp,
    /// When it came.
    pub received_at: Timestamp,
    /// Whether it may have taken access away.
    pub removal: bool,
    /// `applied`, `unchanged`, …; nothing where it was discarded.
    pub outcome: Option<String>,
}

#[derive(QueryableByName)]
struct ArrivedRow {
    #[diesel(sql_type = BigInt)]
    received_at: i64,
}

#[derive(QueryableByName)]
struct SettledRow {
    #[diesel(sql_type = BigInt)]
    settled_at: i64,
    #[diesel(sql_type = BigInt)]
    received_at: i64,
    #[diesel(sql_type = Integer)]
    lane: i32,
    #[diesel(sql_type = Nullable<Text>)]
    outcome: Option<String>,
}

/// When the newest events came, the newest first, none before `since`.
pub fn arrivals(conn: &mut Conn, since: Timestamp, limit: i64) -> QueryResult<Vec<Timestamp>> {
    let sql = "SELECT received_at FROM event_bodies WHERE received_at >= $1 \
               ORDER BY received_at DESC LIMIT $2";
    let rows: Vec<ArrivedRow> = on_backend!(conn, c => diesel::sql_query(sql)
        .bind::<BigInt, _>(since.micros())
        .bind::<BigInt, _>(limit)
        .load(c))?;
    let rows = rows.into_iter();
    Ok(rows.map(|row| Timestamp(row.received_at)).collect())
}

/// The events that were settled last, the last first, none before `since`.
pub fn settled(conn: &mut Conn, since: Timestamp, limit: i64) -> QueryResult<Vec<Settled>> {
    let sql = "SELECT settled_at, received_at, lane, outcome FROM outbox \
               WHERE settled_at IS NOT NULL AND settled_at >= $1 \
               ORDER BY settled_at DESC LIMIT $2";
    let rows: Vec<SettledRow> = on_backend!(conn, c => diesel::sql_query(sql)
        .bind::<BigInt, _>(since.micros())
        .bind::<BigInt, _>(limit)
        .load(c))?;
    let rows = rows.into_iter().map(|row| Settled {
        settled_at: Timestamp(row.settled_at),
        received_at: Timestamp(row.received_at),
        removal: row.lane == super::REMOVAL_LANE,
        outcome: row.outcome,
    });
    Ok(rows.collect())
}
