//! Where catching up stands: the cursor of each environment, which webhooks never move, and the lease
//! that lets one process pull at a time. Every word after the claim names the lease's token, so that
//! a puller who wakes up late moves nothing.

use std::time::Duration;

use diesel::prelude::*;

use crate::clock::Timestamp;
use crate::db::schema::catch_ups;
use crate::db::{Conn, on_backend};

/// The cursor of one environment.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = catch_ups)]
#[allow(missing_docs, reason = "the columns are described in the migrations")]
pub struct CatchUpRow {
    pub environment: String,
    pub cursor: Option<String>,
    pub cursor_at: Option<Timestamp>,
    pub drained: bool,
    pub polled_at: Option<Timestamp>,
    pub caught_up_at: Option<Timestamp>,
    pub last_error: Option<String>,
    pub lease_token: i64,
    pub lease_until: Option<Timestamp>,
    pub failures: i64,
    pub failing_since: Option<Timestamp>,
}

/// All environments that were ever pulled from.
pub fn all(conn: &mut Conn) -> QueryResult<Vec<CatchUpRow>> {
    on_backend!(conn, c => catch_ups::table
        .select(CatchUpRow::as_select())
        .order(catch_ups::environment)
        .load(c))
}

/// Takes the lease, where nobody holds one; answers where the puller must go on.
pub fn claim(
    conn: &mut Conn,
    environment: &str,
    owner: &str,
    now: Timestamp,
    lease: Duration,
) -> QueryResult<Option<CatchUpRow>> {
    on_backend!(conn, c => diesel::insert_into(catch_ups::table)
        .values((
            catch_ups::environment.eq(environment),
            catch_ups::drained.eq(false),
            catch_ups::lease_token.eq(0_i64),
        ))
        .on_conflict_do_nothing()
        .execute(c))?;
    let taken = on_backend!(conn, c => diesel::update(catch_ups::table
        .filter(catch_ups::environment.eq(environment))
        .filter(catch_ups::lease_until.is_null().or(catch_ups::lease_until.le(now))))
        .set((
            catch_ups::lease_owner.eq(owner),
            catch_ups::lease_token.eq(catch_ups::lease_token + 1),
            catch_ups::lease_until.eq(now.plus(lease)),
            catch_ups::polled_at.eq(now),
        ))
        .execute(c))?;
    if taken == 0 {
        return Ok(None);
    }
    on_backend!(conn, c => catch_ups::table
        .find(environment)
        .select(CatchUpRow::as_select())
        .first(c)
        .optional())
}

/// Renews the lease, where it is still this one.
pub fn renew(conn: &mut Conn, held: &CatchUpRow, until: Timestamp) -> QueryResult<()> {
    on_backend!(conn, c => diesel::update(catch_ups::table
        .filter(catch_ups::environment.eq(&held.environment))
        .filter(catch_ups::lease_token.eq(held.lease_token))
        .filter(catch_ups::lease_until.is_not_null()))
        .set(catch_ups::lease_until.eq(until))
        .execute(c))?;
    Ok(())
}

/// Moves the cursor and renews the lease; false when the lease is somebody else's by now. `drained`
/// says whether whoever goes on must begin before the cursor.
pub fn advance(
    conn: &mut Conn,
    held: &CatchUpRow,
    cursor: Option<(&str, Timestamp)>,
    drained: bool,
    until: Timestamp,
) -> QueryResult<bool> {
    let (id, at) = cursor.unzip();
    let moved = on_backend!(conn, c => diesel::update(catch_ups::table
        .filter(catch_ups::environment.eq(&held.environment))
        .filter(catch_ups::lease_token.eq(held.lease_token)))
        .set((
            catch_ups::cursor.eq(id),
            catch_ups::cursor_at.eq(at),
            catch_ups::drained.eq(drained),
            catch_ups::lease_until.eq(until),
        ))
        .execute(c))?;
    Ok(moved == 1)
}

/// Gives back what this owner holds, without a word on how it went. What it still has on the way changes
/// nothing any more.
pub fn let_go(conn: &mut Conn, owner: &str) -> QueryResult<()> {
    on_backend!(conn, c => diesel::update(catch_ups::table
        .filter(catch_ups::lease_owner.eq(owner))
        .filter(catch_ups::lease_until.is_not_null()))
        .set((
            catch_ups::lease_token.eq(catch_ups::lease_token + 1),
            catch_ups::lease_until.eq(None::<Timestamp>),
        ))
        .execute(c))?;
    Ok(())
}

/// Gives the lease back. `error` is why it ended early; without one everything was read.
pub fn finish(
    conn: &mut Conn,
    held: &CatchUpRow,
    error: Option<&str>,
    now: Timestamp,
) -> QueryResult<()> {
    // Only the holder of the lease comes here, so what it read at the claim still stands.
    let (failures, since) = match error {
        Some(_) => (held.failures + 1, held.failing_since.or(Some(now))),
        None => (0, None),
    };
    on_backend!(conn, c => diesel::update(catch_ups::table
        .filter(catch_ups::environment.eq(&held.environment))
        .filter(catch_ups::lease_token.eq(held.lease_token)))
        .set((
            catch_ups::last_error.eq(error),
            catch_ups::failures.eq(failures),
            catch_ups::failing_since.eq(since),
            catch_ups::lease_until.eq(None::<Timestamp>),
        ))
        .execute(c))?;
    if error.is_none() {
        on_backend!(conn, c => diesel::update(catch_ups::table
            .filter(catch_ups::environment.eq(&held.environment))
            .filter(catch_ups::lease_token.eq(held.lease_token)))
            .set((catch_ups::caught_up_at.eq(now), catch_ups::drained.eq(true)))
            .execute(c))?;
    }
    Ok(())
}
