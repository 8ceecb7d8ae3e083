//! What an operator's decision does to the roll, through the same fold and the same writing as an
//! event: taking removals back (R41), and ending a directory's people (R36).

use std::collections::{BTreeMap, BTreeSet};

use diesel::QueryResult;

use crate::clock::Timestamp;
use crate::db::{Conn, DbError};
use crate::domain::{let_go, refold};
use crate::outbox;
use crate::store::changes::{self, Caused};
use crate::store::decisions::Decision;
use crate::store::{cluster, decisions, directories, observations, organizations};
use crate::triggers::deliveries;
use crate::workos::OrderKey;

use super::batch::{self, BatchSettings, Cut};
use super::compare::compare_under;
use super::suspensions;
use super::working_set::WorkingSet;
use super::write::write_world;

/// Whose decision it was.
#[derive(Debug, Clone)]
pub(super) enum By {
    /// An operator's, by name.
    Operator(String),
    /// The organization's own settings, carried out by an event.
    Event(OrderKey, String),
}

/// Links folded again in one go.
const AT_ONCE: i64 = 500;

/// Takes back what the given events said, as if they had never come: people, memberships, admin
/// seats and cancelled messages are as before. Answers all events taken back: where `and_removals`,
/// removals of the same people that followed are among them.
pub fn take_back(
    conn: &mut Conn,
    organization: &str,
    events: &[String],
    and_removals: bool,
    actor: &str,
    now: Timestamp,
) -> Result<Vec<String>, DbError> {
    outbox::lock_part(conn, outbox::part_of(organization))?;
    let since = changes::earliest(conn, events)?;
    let taken = observations::take_back(conn, events, and_removals)?;
    let by = By::Operator(actor.to_owned());
    let restored = fold_again(conn, organization, &taken.users, &by, now)?;
    if let Some(since) = since {
        deliveries::revive_for(conn, &restored, deliveries::PERSON_LEFT, since)?;
    }
    Ok(taken.events.into_iter().collect())
}

/// Keeps what was decided about who a directory user is, in place of what was decided before, and
/// folds everybody concerned again: what comes later finds it too.
pub fn decide_identity(
    conn: &mut Conn,
    organization: &str,
    user: &str,
    new: &[Decision],
    actor: &str,
    now: Timestamp,
) -> Result<(), DbError> {
    let former = decisions::of_user(conn, user)?;
    decisions::replace(conn, user, new)?;
    let key = (organization.to_owned(), cluster::decided_key(user));
    let same = new.iter().filter(|one| one.same);
    let mut keyed: Vec<_> = same
        .map(|one| (key.clone(), one.other_id.clone()))
        .collect();
    if !keyed.is_empty() {
        keyed.push((key, user.to_owned()));
    }
    cluster::save_keys(conn, &keyed)?;
    let concerned = former.iter().chain(new).map(|one| one.other_id.clone());
    let users: BTreeSet<String> = concerned.chain([user.to_owned()]).collect();
    let by = By::Operator(actor.to_owned());
    let world = WorkingSet {
        decided: true,
        ..world_of(conn, organization, &by, now)?
    };
    fold_users(conn, world, organization, &users, &by, now)?;
    Ok(())
}

/// Works off the given events in the caller's transaction, whatever else is due: for a rehearsal
/// that is taken back.
pub fn work_off(
    conn: &mut Conn,
    settings: BatchSettings,
    ids: &[i64],
    now: Timestamp,
) -> Result<(), DbError> {
    for some in ids.chunks(usize::try_from(AT_ONCE).unwrap_or(500)) {
        let claimed = outbox::load_claimed(conn, some)?;
        let mut cut = Cut {
            never: true,
            ..Cut::default()
        };
        batch::run(conn, settings, claimed, now, &mut cut)?;
    }
    Ok(())
}

/// Folds the cluster of the given directory users again from what is known now; answers whose profile
/// changed.
pub(super) fn fold_again(
    conn: &mut Conn,
    organization: &str,
    users: &BTreeSet<String>,
    by: &By,
    now: Timestamp,
) -> Result<Vec<String>, DbError> {
    let world = world_of(conn, organization, by, now)?;
    fold_users(conn, world, organization, users, by, now)
}

/// A world with one organization in it and nobody yet.
pub(super) fn world_of(
    conn: &mut Conn,
    organization: &str,
    by: &By,
    now: Timestamp,
) -> QueryResult<WorkingSet> {
    let id = organization.to_owned();
    let mut world = WorkingSet {
        now,
        operator: match by {
            By::Operator(name) => Some(name.clone()),
            By::Event(..) => None,
        },
        organizations: organizations::load(conn, std::slice::from_ref(&id))?,
        directories: directories::of_organizations(conn, std::slice::from_ref(&id))?,
        decisions: decisions::load(conn, &[id])?,
        ..WorkingSet::default()
    };
    world.lives = world
        .directories
        .iter()
        .map(|(id, one)| (id.clone(), one.life.clone()))
        .collect();
    Ok(world)
}

/// As [`fold_again`], in a world of the caller's.
pub(super) fn fold_users(
    conn: &mut Conn,
    mut world: WorkingSet,
    organization: &str,
    users: &BTreeSet<String>,
    by: &By,
    now: Timestamp,
) -> Result<Vec<String>, DbError> {
    let places = world.load_more(conn, users)?;
    world.load_steps(conn, &places)?;
    let mut caused = Vec::new();
    for place in places {
        caused.extend(fold_place(&mut world, organization, place, by, now));
    }
    let changed: BTreeSet<String> = caused
        .iter()
        .map(|one| one.change.profile_id.clone())
        .collect();
    let causes = match by {
        By::Operator(_) => BTreeMap::new(),
        By::Event(key, directory) => changed
            .iter()
            .map(|id| (id.clone(), (key.clone(), directory.clone())))
            .collect(),
    };
    write_world(conn, &mut world, caused, &causes)?;
    suspensions::follow_told(conn, &world.people_in_hand(), now)?;
    Ok(changed.into_iter().collect())
}

fn fold_place(
    world: &mut WorkingSet,
    organization: &str,
    place: usize,
    by: &By,
    now: Timestamp,
) -> Vec<Caused> {
    let Some((before, mut after)) = world.relatives.get(place).and_then(|relatives| {
        let steps = relatives.steps.as_ref()?;
        let after = refold(&relatives.cluster, steps, &world.known(organization));
        Some((relatives.cluster.clone(), after))
    }) else {
        return Vec::new();
    };
    let (key, directory) = match by {
        By::Operator(_) => {
            let key = OrderKey {
                at: now,
                removal: false,
                event_id: String::new(),
            };
            (key, String::new())
        }
        By::Event(key, directory) => (key.clone(), directory.clone()),
    };
    if matches!(by, By::Operator(_)) {
        let_go(&before, &mut after, &key);
    }
    let effect = compare_under(
        (&before, &world.known_before(organization)),
        (&after, &world.known(organization)),
        organization,
        &key,
        &directory,
    );
    if let Some(relatives) = world.relatives.get_mut(place) {
        relatives.cluster = after;
        relatives.touched = true;
    }
    let changes = effect.changes.into_iter();
    match by {
        By::Operator(actor) => changes
            .map(|one| Caused::by_operator(organization, one.change, actor, now))
            .collect(),
        By::Event(..) => changes.collect(),
    }
}
