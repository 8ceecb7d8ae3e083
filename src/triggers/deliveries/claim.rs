//! What may leave next. Each lane has its own places (who left goes first), each destination that is open a
//! few of them, and each organization no more than its share, so that nobody's backlog, slow or silent address
//! holds up anybody else's messages (R94); webhooks about one person go in their order.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Integer, Nullable, Text};

use crate::clock::Timestamp;
use crate::db::schema::deliveries;
use crate::db::{Conn, on_backend};
use crate::triggers::destinations::{self, Open};

use super::lease::Leased;
use super::shares::{Waiting, divide};
use super::{DeliveryState, Lane};

#[derive(QueryableByName)]
struct Id {
    #[diesel(sql_type = Text)]
    id: String,
}

#[derive(QueryableByName)]
struct Since {
    #[diesel(sql_type = Text)]
    organization_id: String,
    #[diesel(sql_type = Nullable<BigInt>)]
    since: Option<i64>,
}

/// What a sender has in the air in one lane, as far as it decides what is taken next.
#[derive(Debug, Clone, Default)]
pub struct InTheAir {
    /// Messages by organization.
    pub of_organization: BTreeMap<String, usize>,
    /// Destinations that have kept one waiting: they get no second place.
    pub slow: BTreeSet<String>,
}

/// What a sender asks for.
#[derive(Debug, Clone)]
pub struct Order<'a> {
    /// Under which name.
    pub owner: &'a str,
    /// From which lane.
    pub lane: Lane,
    /// How many at most.
    pub places: usize,
    /// How many of one organization may be in the air.
    pub share: usize,
    /// What is.
    pub in_the_air: InTheAir,
    /// For how long.
    pub lease: Duration,
}

/// Takes what is due.
pub fn claim(conn: &mut Conn, mut order: Order<'_>, now: Timestamp) -> QueryResult<Vec<Leased>> {
    let mut ids: Vec<String> = Vec::new();
    if order.places == 0 {
        return Ok(Vec::new());
    }
    for open in destinations::open(conn, order.lane.number(), now)? {
        if order.places == ids.len() {
            break;
        }
        if order.in_the_air.slow.contains(&open.id) {
            continue;
        }
        let waiting = waiting(conn, &open, order.lane, now)?;
        let full = |row: &Waiting| {
            let theirs = order.in_the_air.of_organization.get(&row.organization_id);
            theirs.is_some_and(|count| *count >= order.share)
        };
        if waiting.iter().all(full) {
            continue;
        }
        let free = destinations::free_places(conn, &open, order.lane.number())?;
        let places = free.min(order.places - ids.len());
        let mut found = Vec::new();
        let held = &mut order.in_the_air.of_organization;
        for (organization, count) in divide(waiting, held, order.share, places) {
            let next = next(conn, &open, &organization, order.lane, now, count)?;
            *held.entry(organization).or_default() += next.len();
            found.extend(next);
        }
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
            deliveries::lease_owner.eq(order.owner),
            deliveries::lease_token.eq(deliveries::lease_token + 1),
            deliveries::lease_until.eq(now.plus(order.lease)),
        ))
        .execute(c))?;
    on_backend!(conn, c => deliveries::table
        .filter(deliveries::id.eq_any(&ids))
        .order((deliveries::due_at, deliveries::id))
        .select(Leased::as_select())
        .load(c))
}

/// The organizations that something is due for at a destination: one step in an index for each, however
/// much they have there.
fn waiting(conn: &mut Conn, open: &Open, lane: Lane, now: Timestamp) -> QueryResult<Vec<Waiting>> {
    let at = "d.state = 'due' AND d.destination = $1 AND d.lane = $2";
    let sql = format!(
        "WITH RECURSIVE theirs(organization_id) AS (\
           SELECT min(d.organization_id) FROM deliveries d WHERE {at} \
           UNION ALL \
           SELECT (SELECT min(d.organization_id) FROM deliveries d WHERE {at} AND d.organization_id > theirs.organization_id) \
           FROM theirs WHERE theirs.organization_id IS NOT NULL) \
         SELECT theirs.organization_id AS organization_id, \
           (SELECT min(d.due_at) FROM deliveries d WHERE {at} AND d.organization_id = theirs.organization_id) AS since \
         FROM theirs WHERE theirs.organization_id IS NOT NULL"
    );
    let rows: Vec<Since> = on_backend!(conn, c => diesel::sql_query(sql)
        .bind::<Text, _>(&open.id)
        .bind::<Integer, _>(lane.number())
        .load(c))?;
    let due = rows.into_iter().filter_map(|row| {
        let since = Timestamp(row.since?);
        (since <= now).then_some(Waiting {
            organization_id: row.organization_id,
            since,
        })
    });
    Ok(due.collect())
}

/// The next ones of an organization at one destination. A webhook waits for earlier ones about the same
/// person, as long as those are being tried; one that is not due yet and was never tried holds up nothing. The
/// earlier ones are looked for among the person's, who has few, and not among all that ever went there.
fn next(
    conn: &mut Conn,
    open: &Open,
    organization: &str,
    lane: Lane,
    now: Timestamp,
    count: usize,
) -> QueryResult<Vec<String>> {
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
        "SELECT w.id FROM deliveries w WHERE w.state = 'due' AND w.due_at <= $1 AND w.destination = $2 \
           AND w.lane = $3 AND w.organization_id = $4{in_order} \
         ORDER BY w.due_at, w.id LIMIT $5{lock}"
    );
    let ids: Vec<Id> = on_backend!(conn, c => diesel::sql_query(sql)
        .bind::<BigInt, _>(now.micros())
        .bind::<Text, _>(&open.id)
        .bind::<Integer, _>(lane.number())
        .bind::<Text, _>(organization)
        .bind::<BigInt, _>(i64::try_from(count).unwrap_or(i64::MAX))
        .load(c))?;
    Ok(ids.into_iter().map(|row| row.id).collect())
}
