//! A sender's right to a delivery: claimed for a time, under a token that grows with each claim.
//! Every later word names the token, so that a sender who wakes up late changes nothing (R73).
//! `attempting` is on disk before the call: what a crash leaves behind is told apart into "nothing
//! left yet" and "it may have been taken" (R63).

use std::time::Duration;

use diesel::prelude::*;

use crate::clock::Timestamp;
use crate::db::schema::{deliveries, delivery_attempts};
use crate::db::{Conn, on_backend};
use crate::triggers::destinations::{self, Destination};

use super::DeliveryState;

/// A delivery in a sender's hand.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = deliveries)]
#[allow(missing_docs, reason = "the columns are described in the migrations")]
pub struct Leased {
    pub id: String,
    pub key: String,
    pub organization_id: String,
    pub profile_id: String,
    pub trigger_id: String,
    pub step: i32,
    pub on_event: String,
    pub channel: String,
    pub event_id: Option<String>,
    pub attempts: i32,
    pub lease_token: i64,
    pub created_at: Timestamp,
    pub destination: String,
    pub detail: Option<String>,
    pub due_at: Timestamp,
    pub trigger_version: i32,
    pub community_id: Option<String>,
    pub lane: i32,
}

/// The states of what is in a sender's hand.
const HELD: [&str; 2] = [
    DeliveryState::Claimed.as_str(),
    DeliveryState::Attempting.as_str(),
];

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settled {
    /// Taken.
    Sent(String),
    /// Certainly not taken: again at that time.
    Again(Timestamp, String),
    /// Certainly not taken, and not to be tried again.
    Failed(String),
    /// Not to be sent any more.
    Cancelled(String),
    /// It may have been taken.
    Unknown(String),
}

/// What is about to leave.
#[derive(Debug, Clone, Copy)]
pub struct Rendered<'a> {
    /// To whom or where, as shown to operators.
    pub recipient: &'a str,
    /// The subject.
    pub subject: Option<&'a str>,
    /// The text.
    pub body: &'a str,
    /// The HTML part.
    pub html: Option<&'a str>,
}

/// Commits that the call is about to be made; false when the lease is not ours any more.
pub fn begin_attempt(
    conn: &mut Conn,
    one: &Leased,
    rendered: Rendered<'_>,
    now: Timestamp,
    lease: Duration,
) -> QueryResult<bool> {
    let begun = on_backend!(conn, c => diesel::update(deliveries::table
        .filter(deliveries::id.eq(&one.id))
        .filter(deliveries::lease_token.eq(one.lease_token))
        .filter(deliveries::state.eq(DeliveryState::Claimed.as_str())))
        .set((
            deliveries::state.eq(DeliveryState::Attempting.as_str()),
            deliveries::attempts.eq(deliveries::attempts + 1),
            deliveries::lease_until.eq(now.plus(lease)),
            deliveries::recipient.eq(rendered.recipient),
            deliveries::subject.eq(rendered.subject),
            deliveries::body.eq(rendered.body),
            deliveries::html.eq(rendered.html),
        ))
        .execute(c))?;
    Ok(begun > 0)
}

/// Writes how it ended; false when the lease is not ours any more, and then nothing changed.
pub fn settle(
    conn: &mut Conn,
    id: &str,
    token: i64,
    settled: &Settled,
    now: Timestamp,
) -> QueryResult<bool> {
    let (state, reason, due_at) = match settled {
        Settled::Sent(detail) => (DeliveryState::Sent, detail, None),
        Settled::Again(at, why) => (DeliveryState::Due, why, Some(*at)),
        Settled::Failed(why) => (DeliveryState::Failed, why, None),
        Settled::Cancelled(why) => (DeliveryState::Cancelled, why, None),
        Settled::Unknown(why) => (DeliveryState::Unknown, why, None),
    };
    let changed = on_backend!(conn, c => diesel::update(deliveries::table
        .filter(deliveries::id.eq(id))
        .filter(deliveries::lease_token.eq(token))
        .filter(deliveries::state.eq_any(HELD)))
        .set((
            deliveries::state.eq(state.as_str()),
            deliveries::reason.eq(reason),
            deliveries::lease_owner.eq(None::<String>),
            deliveries::lease_until.eq(None::<Timestamp>),
            deliveries::settled_at.eq(due_at.is_none().then_some(now)),
        ))
        .execute(c))?;
    if changed == 0 {
        return Ok(false);
    }
    if let Some(at) = due_at {
        on_backend!(conn, c => diesel::update(deliveries::table.find(id)).set(deliveries::due_at.eq(at)).execute(c))?;
    }
    let outcome = if due_at.is_some() {
        "later"
    } else {
        state.as_str()
    };
    note_attempt(conn, id, outcome, reason, now)?;
    Ok(true)
}

/// Gives a claimed delivery back to be sent elsewhere: its trigger was changed meanwhile.
pub fn redirect(
    conn: &mut Conn,
    one: &Leased,
    destination: &Destination,
    now: Timestamp,
) -> QueryResult<()> {
    destinations::ensure(conn, std::slice::from_ref(destination), now)?;
    on_backend!(conn, c => diesel::update(deliveries::table
        .filter(deliveries::id.eq(&one.id))
        .filter(deliveries::lease_token.eq(one.lease_token))
        .filter(deliveries::state.eq(DeliveryState::Claimed.as_str())))
        .set((
            deliveries::state.eq(DeliveryState::Due.as_str()),
            deliveries::destination.eq(&destination.id),
            deliveries::channel.eq(destination.channel.name()),
            deliveries::lease_owner.eq(None::<String>),
            deliveries::lease_until.eq(None::<Timestamp>),
        ))
        .execute(c))?;
    Ok(())
}

/// Keeps a delivery in hand; false when it is not in hand any more.
pub fn renew(conn: &mut Conn, leased: &Leased, until: Timestamp) -> QueryResult<bool> {
    let changed = on_backend!(conn, c => diesel::update(deliveries::table
        .filter(deliveries::id.eq(&leased.id))
        .filter(deliveries::lease_token.eq(leased.lease_token))
        .filter(deliveries::state.eq_any(HELD)))
        .set(deliveries::lease_until.eq(until))
        .execute(c))?;
    Ok(changed > 0)
}

/// Gives a delivery back for which no call was made (its recipient is not known yet, R26, or the database was
/// away), to be taken again at `due_at` at the earliest; false when it is not in hand any more. It
/// may be `attempting`: the commit that said so came through, and its answer did not.
pub fn hand_back(
    conn: &mut Conn,
    leased: &Leased,
    due_at: Timestamp,
    why: &str,
) -> QueryResult<bool> {
    let changed = on_backend!(conn, c => diesel::update(deliveries::table
        .filter(deliveries::id.eq(&leased.id))
        .filter(deliveries::lease_token.eq(leased.lease_token))
        .filter(deliveries::state.eq_any(HELD)))
        .set((
            deliveries::state.eq(DeliveryState::Due.as_str()),
            deliveries::due_at.eq(due_at),
            deliveries::reason.eq(why),
            deliveries::lease_owner.eq(None::<String>),
            deliveries::lease_until.eq(None::<Timestamp>),
        ))
        .execute(c))?;
    Ok(changed > 0)
}

/// Gives back what a sender holds and has not begun.
pub fn give_back(conn: &mut Conn, owner: &str) -> QueryResult<usize> {
    on_backend!(conn, c => diesel::update(deliveries::table
        .filter(deliveries::lease_owner.eq(owner))
        .filter(deliveries::state.eq(DeliveryState::Claimed.as_str())))
        .set((
            deliveries::state.eq(DeliveryState::Due.as_str()),
            deliveries::lease_owner.eq(None::<String>),
            deliveries::lease_until.eq(None::<Timestamp>),
        ))
        .execute(c))
}

pub(super) fn note_attempt(
    conn: &mut Conn,
    id: &str,
    outcome: &str,
    detail: &str,
    now: Timestamp,
) -> QueryResult<()> {
    note_attempts(conn, &[id.to_owned()], outcome, detail, now)
}

/// The same of several deliveries, at most as many as one statement takes.
pub(super) fn note_attempts(
    conn: &mut Conn,
    ids: &[String],
    outcome: &str,
    detail: &str,
    now: Timestamp,
) -> QueryResult<()> {
    let lines: Vec<_> = ids
        .iter()
        .map(|id| {
            (
                delivery_attempts::delivery_id.eq(id),
                delivery_attempts::at.eq(now),
                delivery_attempts::outcome.eq(outcome),
                delivery_attempts::detail.eq(detail),
            )
        })
        .collect();
    on_backend!(conn, c => diesel::insert_into(delivery_attempts::table).values(&lines).execute(c))?;
    Ok(())
}
