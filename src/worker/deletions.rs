//! An organization that WorkOS deleted (R84): nobody is removed by that alone. Access of its people is refused
//! until an operator decides whether all of them are removed, in steps, or kept; people who come in late with
//! older events wait like everybody else.

use std::collections::{BTreeMap, BTreeSet};

use crate::clock::Timestamp;
use crate::db::{Conn, DbError};
use crate::outbox;
use crate::store::holds::{self, HoldItem};
use crate::store::jobs::{self, JobRow, NewJob};
use crate::store::organizations::{KEEP, REMOVE};
use crate::store::{cluster, directories, organizations, suspensions};
use diesel::QueryResult;

use super::decide::{self, By};
use super::directories::{learn_end, restore_directory};
use super::jobs::{at_once, walk_people};
use super::suspensions::follow_access;
use super::working_set::WorkingSet;
use super::write::{Cause, Moved};

/// The kind of jobs that remove the people of a deleted organization.
pub const REMOVE_KIND: &str = "organization.remove";
/// The kind of jobs that tell host applications whose access in an organization was suspended or is back.
pub const ACCESS_KIND: &str = "organization.access";
/// Why the hold opens.
const REASON: &str = "the organization was deleted in WorkOS; access of its people is suspended, and nobody was removed by that";

/// An organization that a batch heard was deleted.
#[derive(Debug)]
pub(super) struct DeletedOrganization {
    pub organization_id: String,
    pub event_id: String,
    pub at: Timestamp,
}

/// Writes deletions that this batch heard of, and puts whoever comes into a deleted organization into its hold.
/// A hold over nobody is not opened: it opens with the first who comes.
pub(super) fn write(
    conn: &mut Conn,
    world: &WorkingSet,
    moved: &[Moved],
    causes: &BTreeMap<String, Cause>,
) -> QueryResult<()> {
    for one in &world.deleted_organizations {
        organizations::set_deleted(conn, &one.organization_id, one.at)?;
        if holds::headcount(conn, &one.organization_id)? > 0 {
            let hold = open(conn, &one.organization_id, world.now)?;
            let people = holds::add_organization(
                conn,
                &hold,
                &one.event_id,
                &one.organization_id,
                world.now,
            )?;
            ask_access(conn, &one.organization_id, "rollcall", world.now)?;
            tracing::warn!(
                hold_id = hold,
                people,
                "an organization was deleted; an operator decides about its people"
            );
        }
    }
    for (id, organization) in &world.organizations {
        let heard = world
            .deleted_organizations
            .iter()
            .any(|one| one.organization_id == *id);
        let decided = organization.deletion_decision.is_some();
        if organization.deleted_at.is_none() || decided || heard {
            continue;
        }
        let came = moved.iter().filter(|one| {
            let had = one
                .before
                .as_ref()
                .is_some_and(|was| was.status.has_access());
            one.organization_id == *id && one.after.status.has_access() && !had
        });
        let people: BTreeSet<String> = came.map(|one| one.after.id.clone()).collect();
        if people.is_empty() {
            continue;
        }
        let hold = open(conn, id, world.now)?;
        let items: Vec<HoldItem> = people
            .iter()
            .map(|profile| {
                let event = causes.get(profile).map(|(key, _)| key.event_id.as_str());
                HoldItem::new(&hold, event.unwrap_or_default(), profile, false, world.now)
            })
            .collect();
        holds::add_items(conn, &items)?;
        let people: Vec<String> = people.into_iter().collect();
        follow_access(conn, &people, world.now)?;
    }
    Ok(())
}

fn open(conn: &mut Conn, organization: &str, now: Timestamp) -> QueryResult<String> {
    holds::open_or_known(conn, organization, holds::ORGANIZATION_DELETED, REASON, now)
}

/// Asks for host applications to be told, everybody's turn in a job: an organization may be large.
fn ask_access(
    conn: &mut Conn,
    organization: &str,
    actor: &str,
    now: Timestamp,
) -> QueryResult<JobRow> {
    let new = NewJob {
        kind: ACCESS_KIND,
        organization_id: Some(organization),
        payload: &(),
        total: i64::try_from(holds::headcount(conn, organization)?).unwrap_or(i64::MAX),
        created_by: actor,
    };
    jobs::add(conn, &new, now)
}

/// Tells host applications whose access differs from what they were told last, after what decides about
/// it has changed for an organization.
pub fn follow_organization(
    conn: &mut Conn,
    organization: &str,
    actor: &str,
    now: Timestamp,
) -> Result<(), DbError> {
    let job = ask_access(conn, organization, actor, now)?;
    at_once(conn, job, now)?;
    Ok(())
}

/// Keeps the people of a deleted organization: they may come in again. Messaging stays off.
pub fn keep_people(
    conn: &mut Conn,
    organization: &str,
    actor: &str,
    now: Timestamp,
) -> Result<(), DbError> {
    organizations::decide_deletion(conn, organization, KEEP)?;
    ask_access(conn, organization, actor, now)?;
    Ok(())
}

/// Removes everybody of a deleted organization: what decides is written at once, and the people follow in the
/// steps of a job. Access stays refused meanwhile.
pub fn remove_people(
    conn: &mut Conn,
    organization: &str,
    actor: &str,
    now: Timestamp,
) -> Result<(), DbError> {
    organizations::decide_deletion(conn, organization, REMOVE)?;
    let all = directories::of_organizations(conn, &[organization.to_owned()])?;
    for mut directory in all.into_values() {
        learn_end(&mut directory, now);
        directories::save(conn, &[&directory])?;
    }
    let new = NewJob {
        kind: REMOVE_KIND,
        organization_id: Some(organization),
        payload: &(),
        total: cluster::count_of_organization(conn, organization)?,
        created_by: actor,
    };
    jobs::add(conn, &new, now)?;
    Ok(())
}

/// Takes back that the people of a deleted organization were removed: they are kept.
pub fn restore_people(
    conn: &mut Conn,
    organization: &str,
    actor: &str,
    since: Timestamp,
    now: Timestamp,
) -> Result<(), DbError> {
    for job in jobs::unfinished_of(conn, REMOVE_KIND, organization)? {
        let reason = "an operator took the decision back";
        jobs::cancel(conn, &job.id, Some(reason), actor, now)?;
    }
    organizations::decide_deletion(conn, organization, KEEP)?;
    let all = directories::of_organizations(conn, &[organization.to_owned()])?;
    for directory in all.keys() {
        restore_directory(conn, directory, actor, since, now)?;
    }
    ask_access(conn, organization, actor, now)?;
    Ok(())
}

/// One step of a removal: the next directory users, folded again under what was decided.
pub(super) fn remove_step(conn: &mut Conn, job: &JobRow, now: Timestamp) -> Result<(), DbError> {
    let organization = held(conn, job)?;
    let by = By::Operator(job.created_by.clone());
    walk_people(conn, job, now, |conn, after, some| {
        let users = cluster::of_organization(conn, &organization, after, some)?;
        decide::fold_again(
            conn,
            &organization,
            &users.iter().cloned().collect(),
            &by,
            now,
        )?;
        Ok(users)
    })
}

/// One step of telling: the next people.
pub(super) fn access_step(conn: &mut Conn, job: &JobRow, now: Timestamp) -> Result<(), DbError> {
    let organization = held(conn, job)?;
    walk_people(conn, job, now, |conn, after, some| {
        let people = suspensions::next_people(conn, &organization, after, some)?;
        follow_access(conn, &people, now)?;
        Ok(people)
    })
}

/// The organization of a job, its people to ourselves until the transaction ends.
pub(super) fn held(conn: &mut Conn, job: &JobRow) -> QueryResult<String> {
    let organization = job.organization_id.clone().unwrap_or_default();
    outbox::lock_part(conn, outbox::part_of(&organization))?;
    Ok(organization)
}
