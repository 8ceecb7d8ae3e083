//! A community's rules brought to everybody of its organization, as a job (R52, R53): what somebody newly is
//! or is no longer by them is written, recorded and messaged like every other membership. What is done by
//! hand asks for one person at a time, by the same function.

use std::collections::BTreeSet;

use diesel::QueryResult;
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::db::{Conn, DbError};
use crate::domain::{Change, Membership, Role};
use crate::store::changes::{self, Caused};
use crate::store::communities::{self, Community};
use crate::store::jobs::{self, JobRow, NewJob};
use crate::store::{holds, organizations, rules, seated, succession};
use crate::triggers::deliveries;

use super::deletions::held;
use super::jobs::{at_once, walk_people};

/// The kind of these jobs.
pub const KIND: &str = "rules.apply";

#[derive(Debug, Serialize, Deserialize)]
struct Payload {
    community_id: String,
}

/// Asks for a community's rules to be applied to everybody, in place of an earlier job that does so.
pub fn ask(
    conn: &mut Conn,
    community: &Community,
    actor: &str,
    now: Timestamp,
) -> Result<JobRow, DbError> {
    for job in jobs::unfinished_of(conn, KIND, &community.organization_id)? {
        if concerns(&job)? == community.id {
            let reason = "newer rules are applied instead";
            jobs::cancel(conn, &job.id, Some(reason), actor, now)?;
        }
    }
    let people = holds::headcount(conn, &community.organization_id)?;
    let new = NewJob {
        kind: KIND,
        organization_id: Some(&community.organization_id),
        payload: &Payload {
            community_id: community.id.clone(),
        },
        total: i64::try_from(people).unwrap_or(i64::MAX),
        created_by: actor,
    };
    let job = jobs::add(conn, &new, now)?;
    at_once(conn, job, now)
}

/// The jobs of an organization that still apply rules.
pub fn open(conn: &mut Conn, organization: &str) -> QueryResult<Vec<JobRow>> {
    jobs::open_of(conn, KIND, organization)
}

/// The community whose rules a job applies.
pub fn concerns(job: &JobRow) -> QueryResult<String> {
    Ok(job.read_payload::<Payload>()?.community_id)
}

/// One step: the next people who have access or are in the community.
pub(super) fn step(conn: &mut Conn, job: &JobRow, now: Timestamp) -> Result<(), DbError> {
    let organization = held(conn, job)?;
    let community = communities::find(conn, &concerns(job)?)?;
    walk_people(conn, job, now, |conn, after, some| {
        // Deleted meanwhile: nobody is left to look at.
        let Some(community) = &community else {
            return Ok(Vec::new());
        };
        let ids = seated::eligible(conn, &organization, &community.id, after, some)?;
        if ids.is_empty() {
            look_at_admins(conn, community, &job.created_by, now)?;
        } else {
            follow_rules(conn, community, &ids, &job.created_by, now)?;
        }
        Ok(ids)
    })
}

/// Brings the rule rows of the given people up to date in a community, and in those whose rules ask who is in
/// another one.
pub fn follow_rules(
    conn: &mut Conn,
    community: &Community,
    ids: &[String],
    actor: &str,
    now: Timestamp,
) -> QueryResult<()> {
    let mut caused = Vec::new();
    let mut admins = BTreeSet::new();
    for turned in rules::apply_in(conn, community, ids, now)? {
        let (old, new) = (
            turned.before.as_ref().and_then(open_role),
            open_role(&turned.after),
        );
        if old == new {
            continue;
        }
        if [old, new].contains(&Some(Role::Admin)) {
            admins.insert(turned.after.community_id.clone());
        }
        let place = (&*community.organization_id, &*turned.after.community_id);
        let change = membership_change(place, &turned.after.profile_id, (old, new), actor, now);
        caused.push(change);
    }
    record_memberships(conn, &caused, now)?;
    for id in admins {
        if let Some(other) = communities::find(conn, &id)? {
            look_at_admins(conn, &other, actor, now)?;
        }
    }
    Ok(())
}

/// Looks at a community's admins again: kept seats go back to an admin who is there again, and it is an
/// orphan no more, or now (R39).
pub fn look_at_admins(
    conn: &mut Conn,
    community: &Community,
    actor: &str,
    now: Timestamp,
) -> QueryResult<()> {
    let organization = &community.organization_id;
    let policy = organizations::find(conn, organization)?
        .map(|one| one.settings.succession)
        .unwrap_or_default();
    let concerned = BTreeSet::from([community.id.clone()]);
    let turned = succession::follow(conn, organization, &policy, &concerned, &[], now)?;
    let caused: Vec<Caused> = turned
        .iter()
        .map(|(one, _)| {
            let roles = (
                one.before.as_ref().and_then(open_role),
                open_role(&one.after),
            );
            let place = (&**organization, &*community.id);
            membership_change(place, &one.after.profile_id, roles, actor, now)
        })
        .collect();
    record_memberships(conn, &caused, now)
}

/// Writes membership changes made by an operator down, and plans the messages they make due.
pub fn record_memberships(conn: &mut Conn, caused: &[Caused], now: Timestamp) -> QueryResult<()> {
    changes::add(conn, caused, now)?;
    deliveries::after_hands(conn, caused, now)
}

/// What somebody is in a community (organization, community), before and after, by an operator.
pub fn membership_change(
    (organization, community): (&str, &str),
    profile: &str,
    (old, new): (Option<Role>, Option<Role>),
    actor: &str,
    now: Timestamp,
) -> Caused {
    let word = |role: Role| role.as_str().to_owned();
    let change = Change {
        profile_id: profile.to_owned(),
        what: "membership",
        name: community.to_owned(),
        old: old.map(word),
        new: new.map(word),
    };
    Caused::by_operator(organization, change, actor, now)
}

fn open_role(row: &Membership) -> Option<Role> {
    row.ended_at.is_none().then_some(row.role)
}
