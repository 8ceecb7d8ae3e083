//! What may leave next: from every destination that is open a few, the oldest first, so that one that
//! is slow, waits or refuses holds up no other; and webhooks about one person in their order.

use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};

use crate::clock::Timestamp;
use crate::db::schema::deliveries;
use crate::db::{Conn, on_backend};
use crate::triggers::destinations::{self, Open};

use super::DeliveryState;
use super::lease::Leased;

#[derive(QueryableByName)]
struct Id {
    #[diesel(sql_type = Text)]
    id: String,
}

/// Takes up to `limit` deliveries that are due, for `lease`.
pub fn claim(
    conn: &mut Conn,
    owner: &str,
    limit: i64,
    now: Timestamp,
    lease: Duration,
) -> QueryResult<Vec<Leased>> {
    let mut ids = Vec::new();
    for open in destinations::open(conn, now, limit)? {
        let taken = i64::try_from(ids.len()).unwrap_or(i64::MAX);
        let room = (destinations::width(&open.channel) - open.in_the_air).min(limit - taken);
        if room <= 0 {
            continue;
        }
        let found = next(conn, &open, now, room)?;
        if !found.is_empty() {
            destinations::pace(conn, &open, now)?;
            ids.extend(found);
        }
    }
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    on_backend!(conn, c => diesel::update(deliveries::table.filter(deliveries::id.eq_any(&ids)))
        .set((
            deliveries::state.eq(DeliveryState::Claimed.as_str()),
            deliveries::lease_owner.eq(owner),
            deliveries::lease_token.eq(deliveries::lease_token + 1),
            deliveries::lease_until.eq(now.plus(lease)),
        ))
        .execute(c))?;
    on_backend!(conn, c => deliveries::table
        .filter(deliveries::id.eq_any(&ids))
        .order((deliveries::due_at, deliveries::id))
        .select(Leased::as_select())
        .load(c))
}

/// The next ones at one destination. A webhook waits for earlier ones about the same person, as long
/// as those are being tried; one that is not due yet and was never tried holds up nothing. The earlier
/// ones are looked for among the person's, who has few, and not among all that ever went there.
fn next(conn: &mut Conn, open: &Open, now: Timestamp, room: i64) -> QueryResult<Vec<String>> {
    let lock = match conn {
        Conn::Sqlite(_) => "",
        Conn::Postgres(_) => " FOR UPDATE OF w SKIP LOCKED",
    };
    let in_order = match open.channel.as_str() {
        "webhook" => {
            " AND NOT EXISTS (SELECT 1 FROM deliveries e WHERE e.profile_id = w.profile_id \
               AND e.destination || '' = w.destination AND e.state IN ('due', 'claimed', 'attempting') \
               AND (e.planned_at < w.planned_at OR (e.planned_at = w.planned_at AND e.id < w.id)) \
               AND (e.due_at <= $1 OR e.attempts > 0))"
        }
        _ => "",
    };
    let sql = format!(
        "SELECT w.id FROM deliveries w WHERE w.state = 'due' AND w.due_at <= $1 AND w.destination = $2{in_order} \
         ORDER BY w.due_at, w.id LIMIT $3{lock}"
    );
    let ids: Vec<Id> = on_backend!(conn, c => diesel::sql_query(sql)
        .bind::<BigInt, _>(now.micros())
        .bind::<Text, _>(&open.id)
        .bind::<BigInt, _>(room)
        .load(c))?;
    Ok(ids.into_iter().map(|row| row.id).collect())
}
