//! Restored back-ups: each sign of life compares what the database says of itself with what is known of it
//! outside: a file beside SQLite's, the memory of a process, the server and timeline of PostgreSQL. A database
//! that says less is an older copy. What was due by then may have been sent, so it waits in holds; an operator
//! who knows of a restore that nothing can show says so by hand.

use serde::Serialize;

use crate::clock::Timestamp;
use crate::db::{Conn, new_id};
use crate::store::installation::{self, Installation, Place, Restore};
use crate::triggers::deliveries;

use super::{Actor, OperationError, Role, audit};

mod judge;

use judge::Judgement;
pub use judge::Known;

/// Who notes what is recognized.
const BY_ITSELF: &str = "rollcall";

/// A sign of life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alive {
    /// What is known from now on.
    pub known: Known,
    /// A restore that it recognized.
    pub restored: Option<RestoreView>,
}

/// A restore, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RestoreView {
    /// Our id.
    pub id: String,
    /// Until when the database that is lost may have worked.
    pub until: Timestamp,
    /// When the back-up was made, where somebody said so.
    pub since: Option<Timestamp>,
    /// How it was recognized.
    pub reason: String,
    /// Messages that wait in holds from now on, of those that stood in the back-up.
    pub messages: usize,
}

/// Shows that somebody works on this database, and looks whether it is what it was.
pub fn note_alive(
    conn: &mut Conn,
    known: Option<&Known>,
    place: Option<&Place>,
    now: Timestamp,
) -> Result<Alive, OperationError> {
    let (row, made) = installation::lock(conn, now)?;
    let used_before = made && known.is_some() && installation::has_events(conn)?;
    let judgement = judge::judge(&row, made, used_before, known, place, now);
    let restored = match judgement {
        Judgement::Same => None,
        Judgement::Restored(reason) => Some(note(conn, reason, None, BY_ITSELF, now)?),
    };
    let seen = known.filter(|known| known.installation == row.id);
    let mark = row.mark.max(seen.map_or(0, |known| known.mark)) + 1;
    let (server, timeline) = match place {
        Some(place) => (Some(place.server.clone()), Some(place.timeline.clone())),
        None => (row.server, row.timeline),
    };
    let row = Installation {
        id: row.id,
        mark,
        marked_at: now,
        server,
        timeline,
    };
    installation::save(conn, &row)?;
    let known = Known {
        installation: row.id,
        mark,
    };
    Ok(Alive { known, restored })
}

/// An operator says that a back-up was restored, made at `since`.
pub fn restored(
    conn: &mut Conn,
    actor: &Actor,
    since: Timestamp,
    now: Timestamp,
) -> Result<RestoreView, OperationError> {
    actor.require(Role::Admin)?;
    actor.require_unlimited()?;
    if since > now {
        return Err(OperationError::Invalid(format!(
            "--since {since} lies in the future: give the time at which the back-up was made"
        )));
    }
    let reason = format!("{} said so: the back-up was made at {since}", actor.name);
    let view = note(conn, reason, Some(since), &actor.name, now)?;
    let detail = format!("back-up of {since}; {} messages held", view.messages);
    audit(
        conn,
        actor,
        "database.restored",
        &view.id,
        None,
        Some(&detail),
        now,
    )?;
    Ok(view)
}

fn note(
    conn: &mut Conn,
    reason: String,
    since: Option<Timestamp>,
    by: &str,
    now: Timestamp,
) -> Result<RestoreView, OperationError> {
    let restore = Restore {
        id: new_id("restore"),
        until: now,
        since,
        reason,
        noted_by: by.to_owned(),
    };
    installation::note_restore(conn, &restore)?;
    let messages = deliveries::hold_due(conn, restore.until, now)?;
    Ok(RestoreView {
        id: restore.id,
        until: restore.until,
        since: restore.since,
        reason: restore.reason,
        messages,
    })
}
