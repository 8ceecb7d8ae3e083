//! A changed mapping, or changed settings, applied to everybody of an organization, as a job: first who may
//! meet whom under a mapping is widened, then everybody is folded again from what was said of them, then who
//! can no longer meet is parted. Nobody is messaged because a mapping changed. A preview does the fold for
//! what is not saved, and writes nothing.

use std::collections::BTreeSet;

use diesel::QueryResult;
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::db::{Conn, DbError};
use crate::domain::{
    Change, Context, Mapping, Profile, Settings, compose, diff_profiles, let_go, refold,
};
use crate::store::jobs::{self, JobRow, NewJob, Stepped};
use crate::store::{cluster, organizations};
use crate::workos::OrderKey;

use super::decide::{By, fold_users, world_of};
use super::deletions::held;
use super::jobs::{at_once, walk};
use super::rekey;

/// The kind of these jobs.
pub const KIND: &str = "fields.reapply";
/// The kind of jobs that apply changed settings.
pub const SETTINGS_KIND: &str = "settings.reapply";
/// Directory users that a preview looks at in one go.
const AT_ONCE: i64 = 200;

/// What is to be done: the mapping is the organization's own; this is the one before it. `None` where
/// the mapping is as it was, and Rollcall itself reads what was said in another way: a migration asks
/// for that.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Payload {
    former: Option<Mapping>,
    /// The same where settings changed that say how values are read.
    former_settings: Option<Settings>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Phase {
    /// New keys are added.
    #[default]
    Widen,
    /// Everybody is folded again.
    People,
    /// Old keys go.
    Narrow,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Cursor {
    phase: Phase,
    after: String,
}

/// What came of it.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Told {
    people_changed: usize,
}

/// Asks for the present mapping of an organization to be applied to everybody. What an earlier such
/// job had left to do, this one does.
pub fn ask(
    conn: &mut Conn,
    organization: &str,
    former: Mapping,
    actor: &str,
    now: Timestamp,
) -> QueryResult<JobRow> {
    for earlier in jobs::unfinished_of(conn, KIND, organization)? {
        let reason = "a newer mapping is applied instead";
        jobs::cancel(conn, &earlier.id, Some(reason), actor, now)?;
    }
    let new = NewJob {
        kind: KIND,
        organization_id: Some(organization),
        payload: &Payload {
            former: Some(former),
            ..Payload::default()
        },
        total: cluster::count_of_organization(conn, organization)?,
        created_by: actor,
    };
    jobs::add(conn, &new, now)
}

/// Asks for an organization's new settings to be applied to everybody; where it is small that is done when this
/// returns. `former` are the settings before, where the new ones say how values are read: then nothing falls due
/// by it, as with a mapping.
pub fn ask_settings(
    conn: &mut Conn,
    organization: &str,
    former: Option<Settings>,
    actor: &str,
    now: Timestamp,
) -> Result<JobRow, DbError> {
    // What an earlier such job has not done yet is read as anew as what it has.
    let mut former = former;
    for earlier in jobs::unfinished_of(conn, SETTINGS_KIND, organization)? {
        let left: Payload = earlier.read_payload()?;
        former = left.former_settings.or(former);
        let reason = "newer settings are applied instead";
        jobs::cancel(conn, &earlier.id, Some(reason), actor, now)?;
    }
    let new = NewJob {
        kind: SETTINGS_KIND,
        organization_id: Some(organization),
        payload: &Payload {
            former_settings: former,
            ..Payload::default()
        },
        total: cluster::count_of_organization(conn, organization)?,
        created_by: actor,
    };
    let job = jobs::add(conn, &new, now)?;
    at_once(conn, job, now)
}

/// One step.
pub(super) fn step(conn: &mut Conn, job: &JobRow, now: Timestamp) -> Result<(), DbError> {
    let organization = held(conn, job)?;
    let mut cursor: Cursor = job.read_cursor()?;
    let mut result: Told = job.read_result()?;
    if job.kind == SETTINGS_KIND {
        // Settings change no keys.
        cursor.phase = Phase::People;
    } else if cursor.phase == Phase::Widen && cursor.after.is_empty() {
        rekey::opt_outs(conn, &organization)?;
    }
    let phase = cursor.phase;
    let walked = walk(conn, &mut cursor.after, |conn, after, some| {
        let users = cluster::of_organization(conn, &organization, after, some)?;
        match phase {
            _ if users.is_empty() => {}
            Phase::Widen => {
                let settings = settings_of(conn, &organization)?;
                rekey::widen(conn, &organization, &users, &settings)?;
            }
            Phase::People => {
                result.people_changed += fold_some(conn, job, &organization, &users, now)?;
            }
            Phase::Narrow => {
                let settings = settings_of(conn, &organization)?;
                rekey::narrow(conn, &organization, &users, &settings)?;
            }
        }
        Ok(users)
    })?;
    let next = match phase {
        Phase::Widen => Some(Phase::People),
        Phase::People if job.kind == KIND => Some(Phase::Narrow),
        Phase::People | Phase::Narrow => None,
    };
    if walked.finished
        && let Some(next) = next
    {
        cursor = Cursor {
            phase: next,
            after: String::new(),
        };
    }
    let done = match phase {
        Phase::People => i64::try_from(walked.done).unwrap_or(0),
        Phase::Widen | Phase::Narrow => 0,
    };
    let stepped = Stepped {
        cursor,
        result,
        done,
        finished: walked.finished && next.is_none(),
    };
    jobs::save(conn, job, &stepped, now)?;
    Ok(())
}

fn fold_some(
    conn: &mut Conn,
    job: &JobRow,
    organization: &str,
    users: &[String],
    now: Timestamp,
) -> Result<usize, DbError> {
    let payload: Payload = job.read_payload()?;
    let by = By::Operator(job.created_by.clone());
    let mut world = world_of(conn, organization, &by, now)?;
    let present = world.settings(organization).clone();
    world.former = match (payload.former_settings, payload.former) {
        (Some(settings), _) => Some(settings),
        (None, Some(mapping)) => Some(Settings { mapping, ..present }),
        (None, None) if job.kind == SETTINGS_KIND => None,
        (None, None) => Some(present),
    };
    let users = users.iter().cloned().collect();
    let changed = fold_users(conn, world, organization, &users, &by, now)?;
    Ok(changed.len())
}

fn settings_of(conn: &mut Conn, organization: &str) -> QueryResult<Settings> {
    let found = organizations::find(conn, organization)?;
    Ok(found.map(|one| one.settings).unwrap_or_default())
}

/// Somebody before and after a mapping that is not saved yet.
#[derive(Debug, Clone)]
pub struct Rehearsed {
    /// As shown now; nobody when the mapping makes two people of one.
    pub before: Option<Profile>,
    /// As it would be shown.
    pub after: Profile,
    /// What differs.
    pub changes: Vec<Change>,
}

/// Tells of everybody of an organization what other settings or another mapping would change, and writes
/// nothing. Whom an employee number from another source would bring together is only found when it is
/// applied. Not more than `most` directory users are looked at; false where some were not.
pub fn rehearse(
    conn: &mut Conn,
    organization: &str,
    settings: &Settings,
    most: i64,
    now: Timestamp,
    tell: &mut dyn FnMut(Rehearsed),
) -> Result<bool, DbError> {
    let (mut after, mut left) = (String::new(), most);
    let mut told = BTreeSet::new();
    loop {
        // One more than is looked at tells whether there are more.
        let mut users =
            cluster::of_organization(conn, organization, &after, AT_ONCE.min(left + 1))?;
        if left == 0 || users.is_empty() {
            return Ok(users.is_empty());
        }
        users.truncate(usize::try_from(left).unwrap_or(usize::MAX));
        left -= i64::try_from(users.len()).unwrap_or(left);
        if let Some(last) = users.last() {
            after.clone_from(last);
        }
        let mut world = world_of(conn, organization, &By::Operator("preview".to_owned()), now)?;
        let key = OrderKey {
            at: now,
            removal: false,
            event_id: String::new(),
        };
        let places = world.load_more(conn, &users.into_iter().collect())?;
        world.load_steps(conn, &places)?;
        let known = world.known(organization);
        let new = Context { settings, ..known };
        for one in places
            .iter()
            .filter_map(|&place| world.relatives.get(place))
        {
            let steps = one.steps.as_deref().unwrap_or_default();
            let mut folded = refold(&one.cluster, steps, &new);
            let_go(&one.cluster, &mut folded, &key);
            for person in folded
                .people
                .values()
                .filter(|person| told.insert(person.id.clone()))
            {
                let before = one.cluster.people.get(&person.id);
                let before = before.map(|was| compose(&one.cluster, was, &known));
                let shown = compose(&folded, person, &new);
                let changes = diff_profiles(before.as_ref(), &shown);
                tell(Rehearsed {
                    before,
                    after: shown,
                    changes,
                });
            }
        }
    }
}
