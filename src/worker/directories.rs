//! Everybody of a directory removed or brought back, as a job (R36, R41): the decision is kept at once, the
//! people follow in steps. A directory has tens of thousands of people, and one transaction over all of them
//! would keep every webhook waiting on SQLite.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::db::{Conn, DbError};
use crate::domain::DirectoryTurn;
use crate::outbox;
use crate::store::jobs::{self, JobRow, NewJob};
use crate::store::{cluster, directories};
use crate::triggers::deliveries;
use crate::workos::OrderKey;

use super::decide::{By, fold_again};
use super::deletions::held;
use super::jobs::{at_once, walk_people};

/// The kind of jobs that remove everybody whose last active link is in a directory.
pub const REMOVE_KIND: &str = "directory.remove";
/// The kind of jobs that take such a removal back.
pub const RESTORE_KIND: &str = "directory.restore";

#[derive(Debug, Serialize, Deserialize)]
struct Payload {
    directory_id: String,
    /// The event that removes them, where no operator decided it.
    #[serde(default)]
    event: Option<OrderKey>,
    /// For a restoration: messages cancelled since then are due again.
    #[serde(default)]
    since: Option<Timestamp>,
}

/// An operator decides that everybody goes whose last active link is in the directory.
pub fn end_directory(
    conn: &mut Conn,
    directory_id: &str,
    actor: &str,
    now: Timestamp,
) -> Result<(), DbError> {
    let id = directory_id.to_owned();
    let Some(mut directory) = directories::load(conn, &[id])?.remove(directory_id) else {
        return Ok(());
    };
    outbox::lock_part(conn, outbox::part_of(&directory.organization_id))?;
    learn_end(&mut directory, now);
    directories::save(conn, &[&directory])?;
    remove(conn, &directory, None, actor, now)
}

/// A directory that an event ended: its people go, because the organization's settings say so.
pub(super) fn end_people(
    conn: &mut Conn,
    directory_id: &str,
    event: &OrderKey,
    now: Timestamp,
) -> Result<(), DbError> {
    let id = directory_id.to_owned();
    match directories::load(conn, &[id])?.remove(directory_id) {
        Some(directory) => remove(conn, &directory, Some(event), "rollcall", now),
        None => Ok(()),
    }
}

fn remove(
    conn: &mut Conn,
    directory: &directories::Directory,
    event: Option<&OrderKey>,
    actor: &str,
    now: Timestamp,
) -> Result<(), DbError> {
    let payload = Payload {
        directory_id: directory.id.clone(),
        event: event.cloned(),
        since: None,
    };
    ask(conn, REMOVE_KIND, directory, &payload, actor, now)
}

/// An operator decided that a directory's people go: a turn of its life like those that events tell.
pub(super) fn learn_end(directory: &mut directories::Directory, now: Timestamp) {
    let event_id = format!("decision_{}", uuid::Uuid::now_v7().simple());
    let key = OrderKey {
        at: now,
        removal: true,
        event_id,
    };
    directory.life.learn(DirectoryTurn {
        key,
        directory_id: directory.id.clone(),
        linked: false,
        kind: None,
        deleted: false,
        removes: true,
    });
}

/// Takes back that a directory's people were removed: they are as they were before `since`, cancelled
/// messages included.
pub fn restore_directory(
    conn: &mut Conn,
    directory_id: &str,
    actor: &str,
    since: Timestamp,
    now: Timestamp,
) -> Result<(), DbError> {
    let id = directory_id.to_owned();
    let Some(mut directory) = directories::load(conn, &[id])?.remove(directory_id) else {
        return Ok(());
    };
    outbox::lock_part(conn, outbox::part_of(&directory.organization_id))?;
    directory.life.take_back_removal();
    directories::save(conn, &[&directory])?;
    let payload = Payload {
        directory_id: directory_id.to_owned(),
        event: None,
        since: Some(since),
    };
    ask(conn, RESTORE_KIND, &directory, &payload, actor, now)
}

/// Adds a job in place of those that are open about the same directory.
fn ask(
    conn: &mut Conn,
    kind: &str,
    directory: &directories::Directory,
    payload: &Payload,
    actor: &str,
    now: Timestamp,
) -> Result<(), DbError> {
    for open in [REMOVE_KIND, RESTORE_KIND] {
        for job in jobs::unfinished_of(conn, open, &directory.organization_id)? {
            let other: Payload = job.read_payload()?;
            if other.directory_id == directory.id {
                let reason = "decided anew";
                jobs::cancel(conn, &job.id, Some(reason), actor, now)?;
            }
        }
    }
    let new = NewJob {
        kind,
        organization_id: Some(&directory.organization_id),
        payload,
        total: cluster::count_in_directory(conn, &directory.id, kind == REMOVE_KIND)?,
        created_by: actor,
    };
    let job = jobs::add(conn, &new, now)?;
    at_once(conn, job, now)?;
    Ok(())
}

/// One step of a removal.
pub(super) fn remove_step(conn: &mut Conn, job: &JobRow, now: Timestamp) -> Result<(), DbError> {
    step(conn, job, true, now)
}

/// One step of a restoration.
pub(super) fn restore_step(conn: &mut Conn, job: &JobRow, now: Timestamp) -> Result<(), DbError> {
    step(conn, job, false, now)
}

/// The next directory users, folded again under the directory's life as it is now.
fn step(conn: &mut Conn, job: &JobRow, active: bool, now: Timestamp) -> Result<(), DbError> {
    let organization = held(conn, job)?;
    let payload: Payload = job.read_payload()?;
    let directory = payload.directory_id;
    let by = match payload.event {
        Some(key) => By::Event(key, directory.clone()),
        None => By::Operator(job.created_by.clone()),
    };
    walk_people(conn, job, now, |conn, after, some| {
        let users = cluster::in_directory(conn, &directory, active, after, some)?;
        let concerned = users.iter().cloned().collect();
        let changed = fold_again(conn, &organization, &concerned, &by, now)?;
        if let Some(since) = payload.since {
            deliveries::revive_for(conn, &changed, deliveries::PERSON_LEFT, since)?;
        }
        Ok(users)
    })
}
