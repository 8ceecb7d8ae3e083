//! How a hold begins: one of a kind is open at a time, whatever extends it, and each that opens is counted.

use diesel::prelude::*;

use crate::clock::Timestamp;
use crate::db::schema::{holds, links, profiles};
use crate::db::{Conn, new_id, on_backend};
use crate::telemetry;

use super::holds::{DIRECTORY_DELETED, Hold, HoldItem, OPEN, open_of};

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

/// Whether a directory speaks for somebody whom no other one does.
pub fn speaks_for_somebody(conn: &mut Conn, directory: &str) -> QueryResult<bool> {
    let found: Option<String> = on_backend!(conn, c => links::table
        .inner_join(profiles::table.on(profiles::id.nullable().eq(links::profile_id)))
        .filter(links::directory_id.eq(directory))
        .filter(links::state.eq("active"))
        .filter(profiles::status.eq_any(["active", "on_leave"]))
        .select(links::directory_user_id)
        .first(c)
        .optional())?;
    Ok(found.is_some())
}

/// The holds of a deleted directory, decided or not.
pub fn of_directory(
    conn: &mut Conn,
    organization: &str,
    directory: &str,
) -> QueryResult<Vec<Hold>> {
    on_backend!(conn, c => holds::table
        .filter(holds::organization_id.eq(organization))
        .filter(holds::directory_id.eq(directory))
        .filter(holds::kind.eq(DIRECTORY_DELETED))
        .load(c))
}
