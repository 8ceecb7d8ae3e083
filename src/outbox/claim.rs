//! Claiming a batch: removals first, then in the order of arrival. On SQLite the one write
//! transaction makes it exclusive. On PostgreSQL a worker locks one part (a hash of the
//! organization) for the length of its transaction, which also keeps two batches off the same
//! person (R73); it tries the parts that have work, removals first.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Integer};

use crate::clock::Timestamp;
use crate::db::schema::{event_bodies, outbox};
use crate::db::{Conn, on_backend};

use super::{EventState, NORMAL_LANE, PARTS, REMOVAL_LANE};

/// An event in hand, with its body if the retention has left it.
#[derive(Debug, Clone)]
pub struct Claimed {
    /// The queue row's id.
    pub id: i64,
    /// WorkOS's event id.
    pub event_id: String,
    /// Its type.
    pub event_type: String,
    /// Whether it rides in the removals' lane.
    pub removal: bool,
    /// Attempts made before this one.
    pub attempts: i32,
    /// For the order key.
    pub occurred_at: Timestamp,
    /// When it came.
    pub received_at: Timestamp,
    /// Byte for byte; `None` once the retention has passed.
    pub body: Option<String>,
}

#[derive(QueryableByName)]
struct Id {
    #[diesel(sql_type = BigInt)]
    id: i64,
}

#[derive(QueryableByName)]
struct Part {
    #[diesel(sql_type = Integer)]
    part: i32,
}

#[derive(QueryableByName)]
struct Locked {
    #[diesel(sql_type = diesel::sql_types::Bool)]
    locked: bool,
}

/// The class of our advisory locks on parts ("roll").
const PART_LOCK: i32 = 0x726f_6c6c;

/// Takes up to `limit` events that are due. `start` says where to begin looking among the parts.
pub fn claim(conn: &mut Conn, limit: i64, now: Timestamp, start: i32) -> QueryResult<Vec<Claimed>> {
    let ids = match conn {
        // Without INDEXED BY the planner walks the row ids past every settled row (measured: 67 times slower).
        Conn::Sqlite(c) => diesel::sql_query(
            "SELECT id FROM outbox INDEXED BY outbox_ready WHERE state = 'ready' AND available_at <= ? \
             ORDER BY lane, id LIMIT ?",
        )
        .bind::<BigInt, _>(now.micros())
        .bind::<BigInt, _>(limit)
        .load::<Id>(c)?,
        Conn::Postgres(c) => match lock_some_part(c, now, start)? {
            Some(part) => diesel::sql_query(
                "SELECT id FROM outbox WHERE part = $1 AND state = 'ready' AND available_at <= $2 \
                 ORDER BY lane, id LIMIT $3",
            )
            .bind::<Integer, _>(part)
            .bind::<BigInt, _>(now.micros())
            .bind::<BigInt, _>(limit)
            .load::<Id>(c)?,
            None => Vec::new(),
        },
    };
    let ids: Vec<i64> = ids.into_iter().map(|row| row.id).collect();
    load(conn, &ids)
}

/// Takes one event of which the id is known, if it still waits; on PostgreSQL its part is waited for.
pub fn claim_one(conn: &mut Conn, id: i64) -> QueryResult<Option<Claimed>> {
    let part: Option<i32> =
        on_backend!(conn, c => outbox::table.find(id).select(outbox::part).first(c).optional())?;
    let Some(part) = part else {
        return Ok(None);
    };
    lock_part(conn, part)?;
    let waits: i64 = on_backend!(conn, c => outbox::table
        .filter(outbox::id.eq(id))
        .filter(outbox::state.eq(EventState::Ready.as_str()))
        .count()
        .get_result(c))?;
    if waits == 0 {
        return Ok(None);
    }
    Ok(load(conn, &[id])?.into_iter().next())
}

/// The given events in hand, whatever is due beside them: for a rehearsal.
pub fn load(conn: &mut Conn, ids: &[i64]) -> QueryResult<Vec<Claimed>> {
    type Row = (
        i64,
        String,
        String,
        i32,
        i32,
        Timestamp,
        Timestamp,
        Option<String>,
    );
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<Row> = on_backend!(conn, c => outbox::table
        .left_join(event_bodies::table.on(event_bodies::event_id.eq(outbox::event_id)))
        .filter(outbox::id.eq_any(ids))
        .order((outbox::lane, outbox::id))
        .select((
            outbox::id,
            outbox::event_id,
            outbox::event_type,
            outbox::lane,
            outbox::attempts,
            outbox::occurred_at,
            outbox::received_at,
            event_bodies::body.nullable(),
        ))
        .load(c))?;
    Ok(rows
        .into_iter()
        .map(
            |(id, event_id, event_type, lane, attempts, occurred_at, received_at, body)| Claimed {
                id,
                event_id,
                event_type,
                removal: lane == REMOVAL_LANE,
                attempts,
                occurred_at,
                received_at,
                body,
            },
        )
        .collect())
}

/// Locks one part that has work, removals' parts first; `None` when others hold all of them.
fn lock_some_part(c: &mut PgConnection, now: Timestamp, start: i32) -> QueryResult<Option<i32>> {
    for lane in [REMOVAL_LANE, NORMAL_LANE] {
        // 64 probes of the partial index: flat, however long the queue and whatever its skew.
        let mut parts: Vec<i32> = diesel::sql_query(
            "SELECT part FROM generate_series(0, 63) AS part WHERE EXISTS (SELECT 1 FROM outbox \
             WHERE outbox.part = part.part AND state = 'ready' AND lane = $1 AND available_at <= $2)",
        )
        .bind::<Integer, _>(lane)
        .bind::<BigInt, _>(now.micros())
        .load::<Part>(c)?
        .into_iter()
        .map(|row| row.part)
        .collect();
        parts.sort_by_key(|part| (part - start).rem_euclid(PARTS));
        for part in parts {
            if try_lock(c, part)? {
                return Ok(Some(part));
            }
        }
    }
    Ok(None)
}

fn try_lock(c: &mut PgConnection, part: i32) -> QueryResult<bool> {
    let row: Locked = diesel::sql_query("SELECT pg_try_advisory_xact_lock($1, $2) AS locked")
        .bind::<Integer, _>(PART_LOCK)
        .bind::<Integer, _>(part)
        .get_result(c)?;
    Ok(row.locked)
}

/// Waits for a part and holds it to the end of the transaction: for those who change people from
/// another side (an operator's act, an event that did not name its organization). SQLite needs none.
pub fn lock_part(conn: &mut Conn, part: i32) -> QueryResult<()> {
    if let Conn::Postgres(c) = conn {
        diesel::sql_query("SELECT pg_advisory_xact_lock($1, $2)")
            .bind::<Integer, _>(PART_LOCK)
            .bind::<Integer, _>(part)
            .execute(c)?;
    }
    Ok(())
}
