//! What was written to people goes: with the person (R65), or when its time has passed (R72). The
//! rows stay, under their keys, so that nothing is ever sent twice.

use diesel::prelude::*;

use crate::clock::Timestamp;
use crate::db::schema::{deliveries, delivery_attempts};
use crate::db::{Conn, ROWS_PER_STATEMENT, on_backend};

use super::DeliveryState;

/// Why an erasure cancels.
const ERASED: &str = "the person was erased";

/// Cancels everything that would be written about somebody, and takes away what was: texts,
/// addresses, what the other side answered, and their addresses in what was written about others.
/// Answers how many messages there were.
pub fn forget(
    conn: &mut Conn,
    profile: &str,
    organization: &str,
    addresses: &[String],
    now: Timestamp,
) -> QueryResult<usize> {
    let waiting = [DeliveryState::Due.as_str(), DeliveryState::Claimed.as_str()];
    on_backend!(conn, c => diesel::update(deliveries::table
        .filter(deliveries::profile_id.eq(profile))
        .filter(deliveries::state.eq_any(waiting)))
        .set((
            deliveries::state.eq(DeliveryState::Cancelled.as_str()),
            deliveries::settled_at.eq(now),
            deliveries::lease_until.eq(None::<Timestamp>),
        ))
        .execute(c))?;
    on_backend!(conn, c => diesel::update(deliveries::table
        .filter(deliveries::organization_id.eq(organization))
        .filter(deliveries::recipient.eq_any(addresses)))
        .set(deliveries::recipient.eq(None::<String>))
        .execute(c))?;
    let all: Vec<String> = on_backend!(conn, c => deliveries::table
        .filter(deliveries::profile_id.eq(profile))
        .select(deliveries::id)
        .load(c))?;
    // The key may hold a start date; nobody will ever be planned for under this profile again.
    on_backend!(conn, c => diesel::update(deliveries::table.filter(deliveries::profile_id.eq(profile)))
        .set((
            deliveries::key.eq(deliveries::id),
            deliveries::period.eq("erased"),
            deliveries::reason.eq(ERASED),
            deliveries::detail.eq(None::<String>),
        ))
        .execute(c))?;
    take_texts(conn, &all)?;
    take_answers(conn, &all)?;
    forget_digests(conn, profile)?;
    Ok(all.len())
}

/// Takes away the texts that named somebody among others; one still to go is written anew, without them.
fn forget_digests(conn: &mut Conn, profile: &str) -> QueryResult<()> {
    let told_in: Vec<String> = on_backend!(conn, c => deliveries::table
        .filter(deliveries::profile_id.eq(profile))
        .select(deliveries::digest_id)
        .distinct()
        .load::<Option<String>>(c))?
    .into_iter()
    .flatten()
    .collect();
    for chunk in told_in.chunks(ROWS_PER_STATEMENT) {
        on_backend!(conn, c => diesel::update(deliveries::table.filter(deliveries::id.eq_any(chunk)))
            .set((
                deliveries::subject.eq(None::<String>),
                deliveries::body.eq(None::<String>),
                deliveries::html.eq(None::<String>),
            ))
            .execute(c))?;
    }
    take_answers(conn, &told_in)
}

fn take_answers(conn: &mut Conn, deliveries: &[String]) -> QueryResult<()> {
    for chunk in deliveries.chunks(ROWS_PER_STATEMENT) {
        on_backend!(conn, c => diesel::update(delivery_attempts::table.filter(delivery_attempts::delivery_id.eq_any(chunk)))
            .set(delivery_attempts::detail.eq(None::<String>))
            .execute(c))?;
    }
    Ok(())
}

/// Up to `limit` messages settled before `horizon` that still have a text, but not about those in `spare`.
pub fn old_texts(
    conn: &mut Conn,
    horizon: Timestamp,
    spare: &[String],
    limit: i64,
) -> QueryResult<Vec<String>> {
    on_backend!(conn, c => deliveries::table
        .filter(deliveries::settled_at.lt(horizon))
        .filter(deliveries::settled_at.is_not_null())
        .filter(deliveries::body.is_not_null())
        .filter(deliveries::profile_id.ne_all(spare))
        .order(deliveries::settled_at)
        .limit(limit)
        .select(deliveries::id)
        .load(c))
}

/// Up to `limit` lines about attempts before `horizon` at messages that are settled, but not about
/// those in `spare`.
pub fn old_attempts(
    conn: &mut Conn,
    horizon: Timestamp,
    spare: &[String],
    limit: i64,
) -> QueryResult<Vec<i64>> {
    on_backend!(conn, c => delivery_attempts::table
        .inner_join(deliveries::table.on(deliveries::id.eq(delivery_attempts::delivery_id)))
        .filter(delivery_attempts::at.lt(horizon))
        .filter(deliveries::settled_at.is_not_null())
        .filter(deliveries::profile_id.ne_all(spare))
        .order(delivery_attempts::id)
        .limit(limit)
        .select(delivery_attempts::id)
        .load(c))
}

/// Deletes the given lines.
pub fn prune_attempts(conn: &mut Conn, lines: &[i64]) -> QueryResult<usize> {
    on_backend!(conn, c => diesel::delete(delivery_attempts::table.filter(delivery_attempts::id.eq_any(lines))).execute(c))
}

/// Takes texts and addresses from the given messages.
pub fn take_texts(conn: &mut Conn, ids: &[String]) -> QueryResult<()> {
    for chunk in ids.chunks(ROWS_PER_STATEMENT) {
        on_backend!(conn, c => diesel::update(deliveries::table.filter(deliveries::id.eq_any(chunk)))
            .set((
                deliveries::recipient.eq(None::<String>),
                deliveries::subject.eq(None::<String>),
                deliveries::body.eq(None::<String>),
                deliveries::html.eq(None::<String>),
            ))
            .execute(c))?;
    }
    Ok(())
}
