//! One message for many: when a step has a digest and enough of its messages are due at once, the
//! first of them speaks for all, and the others are settled as told in it. Which ones those are is
//! decided under a lock, in the transaction that commits the attempt.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Integer, Text};

use crate::clock::Timestamp;
use crate::db::schema::deliveries;
use crate::db::{Conn, ROWS_PER_STATEMENT, on_backend};

use super::{DeliveryState, Leased};

/// The most people one digest names.
const MOST: i64 = 1_000;

/// One message that a digest may take in.
#[derive(Debug, Clone, QueryableByName)]
pub struct Gathered {
    /// The delivery.
    #[diesel(sql_type = Text)]
    pub id: String,
    /// About whom.
    #[diesel(sql_type = Text)]
    pub profile_id: String,
}

/// The messages of the same step that are due now and not begun, the given one among them unless
/// another sender has just taken it in.
pub fn due_together(conn: &mut Conn, one: &Leased, now: Timestamp) -> QueryResult<Vec<Gathered>> {
    // In order of id: two senders who gather the same ones wait for each other, and never in a ring.
    let lock = match conn {
        Conn::Sqlite(_) => "",
        Conn::Postgres(_) => " FOR UPDATE",
    };
    let sql = format!(
        "SELECT id, profile_id FROM deliveries WHERE trigger_id = $1 AND trigger_version = $2 AND step = $3 \
         AND state IN ('due', 'claimed') AND due_at <= $4 AND attempts = 0 \
         AND coalesce(community_id, '') = $5 ORDER BY id LIMIT $6{lock}"
    );
    on_backend!(conn, c => diesel::sql_query(sql)
        .bind::<Text, _>(&one.trigger_id)
        .bind::<Integer, _>(one.trigger_version)
        .bind::<Integer, _>(one.step)
        .bind::<BigInt, _>(now.micros())
        .bind::<Text, _>(one.community_id.as_deref().unwrap_or_default())
        .bind::<BigInt, _>(MOST)
        .load(c))
}

/// Whom an earlier attempt at this digest spoke for.
pub fn told_in(conn: &mut Conn, digest: &str) -> QueryResult<Vec<String>> {
    on_backend!(conn, c => deliveries::table
        .filter(deliveries::digest_id.eq(digest))
        .order(deliveries::id)
        .select(deliveries::profile_id)
        .load(c))
}

/// Settles messages as told in a digest.
pub fn take_in(conn: &mut Conn, digest: &str, ids: &[String], now: Timestamp) -> QueryResult<()> {
    for chunk in ids.chunks(ROWS_PER_STATEMENT) {
        on_backend!(conn, c => diesel::update(deliveries::table.filter(deliveries::id.eq_any(chunk)))
            .set((
                deliveries::state.eq(DeliveryState::Cancelled.as_str()),
                deliveries::reason.eq(format!("told in the digest {digest}")),
                deliveries::digest_id.eq(digest),
                deliveries::settled_at.eq(now),
                deliveries::lease_until.eq(None::<Timestamp>),
            ))
            .execute(c))?;
    }
    Ok(())
}

/// Whether a later step of the same trigger for the same person is due as well.
pub fn later_step_due(conn: &mut Conn, one: &Leased, now: Timestamp) -> QueryResult<bool> {
    let open = [DeliveryState::Due.as_str(), DeliveryState::Claimed.as_str()];
    on_backend!(conn, c => diesel::select(diesel::dsl::exists(deliveries::table
        .filter(deliveries::profile_id.eq(&one.profile_id))
        .filter(deliveries::trigger_id.eq(&one.trigger_id))
        .filter(deliveries::state.eq_any(open))
        .filter(deliveries::due_at.le(now))
        .filter(deliveries::due_at.gt(one.due_at))))
        .get_result(c))
}
