//! What a sender left behind that has crashed, or whose task ended without a word: what had not begun is
//! due again. What had begun may have been taken: a webhook is sent again under its id, which its receiver
//! drops if it had it (R63); a message to people is `unknown`.

use diesel::prelude::*;

use crate::clock::Timestamp;
use crate::db::schema::deliveries;
use crate::db::{Conn, ROWS_PER_STATEMENT, on_backend};
use crate::triggers::definition::Channel;

use super::DeliveryState;
use super::lease::note_attempts;

const STOPPED: &str = "the process stopped while it was being sent: it may have been taken";

/// What to look through.
#[derive(Debug, Clone, Copy)]
pub struct Left<'a> {
    /// Who asks.
    pub owner: &'a str,
    /// What tasks of theirs hold at this moment. All else under their name is held by nobody, whatever its
    /// lease says: the claim or the result was lost with a connection.
    pub held: &'a [String],
    /// Whether leases of others that ran out are looked at, too.
    pub of_others: bool,
}

/// Frees what is held by nobody; answers how many had not begun, are sent again, and are unknown.
pub fn recover(
    conn: &mut Conn,
    left: Left<'_>,
    now: Timestamp,
) -> QueryResult<(usize, usize, usize)> {
    let rows = abandoned(conn, left, now)?;
    let in_state = |state: DeliveryState, webhook: Option<bool>| -> Vec<String> {
        let these = rows.iter().filter(|(_, of, channel)| {
            *of == state.as_str()
                && webhook.is_none_or(|webhook| webhook == (channel == Channel::Webhook.name()))
        });
        these.map(|(id, ..)| id.clone()).collect()
    };
    let unbegun = in_state(DeliveryState::Claimed, None);
    let again = in_state(DeliveryState::Attempting, Some(true));
    let unknown = in_state(DeliveryState::Attempting, Some(false));
    make_due(conn, &unbegun)?;
    make_due(conn, &again)?;
    let why = format!("{STOPPED}; a webhook is sent again under the same id");
    for chunk in again.chunks(ROWS_PER_STATEMENT) {
        on_backend!(conn, c => diesel::update(deliveries::table.filter(deliveries::id.eq_any(chunk)))
            .set(deliveries::reason.eq(&why))
            .execute(c))?;
        note_attempts(conn, chunk, DeliveryState::Unknown.as_str(), &why, now)?;
    }
    let why = format!("{STOPPED}; look there before sending it again");
    for chunk in unknown.chunks(ROWS_PER_STATEMENT) {
        on_backend!(conn, c => diesel::update(deliveries::table.filter(deliveries::id.eq_any(chunk)))
            .set((
                deliveries::state.eq(DeliveryState::Unknown.as_str()),
                deliveries::reason.eq(&why),
                deliveries::lease_owner.eq(None::<String>),
                deliveries::lease_until.eq(None::<Timestamp>),
                deliveries::settled_at.eq(now),
            ))
            .execute(c))?;
        note_attempts(conn, chunk, DeliveryState::Unknown.as_str(), &why, now)?;
    }
    Ok((unbegun.len(), again.len(), unknown.len()))
}

/// Id, state and channel, locked where somebody else might settle it meanwhile.
fn abandoned(
    conn: &mut Conn,
    left: Left<'_>,
    now: Timestamp,
) -> QueryResult<Vec<(String, String, String)>> {
    let states = [
        DeliveryState::Claimed.as_str(),
        DeliveryState::Attempting.as_str(),
    ];
    macro_rules! query {
        () => {{
            let ran_out = deliveries::lease_until.lt(now);
            let own = deliveries::lease_owner.eq(left.owner);
            let mut query = deliveries::table
                .filter(deliveries::state.eq_any(states))
                .filter(deliveries::id.ne_all(left.held))
                .select((deliveries::id, deliveries::state, deliveries::channel))
                .order(deliveries::id)
                .into_boxed();
            query = match left.of_others {
                true => query.filter(ran_out.or(own)),
                false => query.filter(own),
            };
            query
        }};
    }
    let rows: Vec<(String, String, String)> = on_backend!(conn, c => query!().load(c))?;
    match conn {
        Conn::Sqlite(_) => Ok(rows),
        Conn::Postgres(_) if rows.is_empty() => Ok(rows),
        Conn::Postgres(c) => {
            let ids: Vec<&String> = rows.iter().map(|(id, ..)| id).collect();
            deliveries::table
                .filter(deliveries::id.eq_any(ids))
                .filter(deliveries::state.eq_any(states))
                .filter(
                    deliveries::lease_until
                        .lt(now)
                        .or(deliveries::lease_owner.eq(left.owner)),
                )
                .select((deliveries::id, deliveries::state, deliveries::channel))
                .order(deliveries::id)
                .for_update()
                .skip_locked()
                .load(c)
        }
    }
}

fn make_due(conn: &mut Conn, ids: &[String]) -> QueryResult<()> {
    for chunk in ids.chunks(ROWS_PER_STATEMENT) {
        on_backend!(conn, c => diesel::update(deliveries::table.filter(deliveries::id.eq_any(chunk)))
            .set((
                deliveries::state.eq(DeliveryState::Due.as_str()),
                deliveries::lease_owner.eq(None::<String>),
                deliveries::lease_until.eq(None::<Timestamp>),
            ))
            .execute(c))?;
    }
    Ok(())
}
