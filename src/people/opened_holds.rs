//! How a hold begins: one of a kind is open at a time, whatever extends it, and each that opens is counted.

use diesel::prelude::*;

use crate::clock::Timestamp;
use crate::db::schema::holds;
use crate::db::{Conn, new_id, on_backend};
use crate::telemetry;

use super::holds::{Hold, HoldItem, OPEN, open_of};

impl Hold {
    /// A hold that nobody has decided yet.
    pub fn new(organization: &str, kind: &str, reason: &str, now: Timestamp) -> Self {
        Self {
            id: new_id("hold"),
            organization_id: organization.to_owned(),
            kind: kind.to_owned(),
            directory_id: None,
            state: OPEN.to_owned(),
            reason: reason.to_owned(),
            opened_at: now,
            last_at: now,
            decided_at: None,
            decided_by: None,
            group_id: None,
            due_at: None,
        }
    }
}

impl HoldItem {
    /// Somebody in a hold, and the event that put them there.
    pub fn new(hold: &str, event: &str, profile: &str, applied: bool, now: Timestamp) -> Self {
        Self {
            hold_id: hold.to_owned(),
            event_id: event.to_owned(),
            profile_id: profile.to_owned(),
            applied,
            held_at: now,
        }
    }
}

/// Opens a hold.
pub fn open(conn: &mut Conn, hold: &Hold) -> QueryResult<()> {
    metrics::counter!(telemetry::HOLDS_OPENED, "kind" => hold.kind.clone()).increment(1);
    on_backend!(conn, c => diesel::insert_into(holds::table).values(hold).execute(c))?;
    Ok(())
}

/// The open hold of that kind, which begins here where there is none; answers its id.
pub fn open_or_known(
    conn: &mut Conn,
    organization: &str,
    kind: &str,
    reason: &str,
    now: Timestamp,
) -> QueryResult<String> {
    if let Some(known) = open_of(conn, organization, kind, None)? {
        return Ok(known.id);
    }
    let hold = Hold::new(organization, kind, reason, now);
    open(conn, &hold)?;
    Ok(hold.id)
}
