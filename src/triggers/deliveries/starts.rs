//! Start dates that cannot be read (R79): what greets such a newcomer waits in a hold, and goes on by
//! itself once the directory, or the organization's setting, makes the date readable.

use std::collections::{BTreeMap, BTreeSet};

use diesel::prelude::*;

use crate::clock::Timestamp;
use crate::db::schema::{deliveries, holds as hold_rows};
use crate::db::{Conn, on_backend};
use crate::store::holds;
use crate::store::organizations::Organization;
use crate::store::surroundings::Surroundings;
use crate::triggers::definition::Event;
use crate::triggers::plan::{Base, Happening, Terms, due_at, facts_of};
use crate::triggers::{store, zone};

use super::DeliveryState;
use super::burst::{Stop, Touched, stop};

/// Why such a hold opens.
const UNREADABLE: &str =
    "people came with a start date that cannot be read; the messages that greet them wait";
/// Who closes a hold in which nobody waits any more.
const DIRECTORY: &str = "the directory, which wrote the dates again";

/// Holds what would greet people whose start date cannot be read.
pub(super) fn hold_unreadable(
    conn: &mut Conn,
    happenings: &[Happening],
    organizations: &BTreeMap<String, Organization>,
    now: Timestamp,
) -> QueryResult<()> {
    for happening in happenings {
        let (Some(words), true) = (
            &happening.after.start_unreadable,
            organizations.contains_key(&happening.organization_id),
        ) else {
            continue;
        };
        let events: &[Event] = match happening.activates() {
            true => &[Event::ProfileActivated, Event::MembershipBegan],
            false => &[Event::ProfileActivated],
        };
        let people = BTreeSet::from([happening.after.id.clone()]);
        let why = Stop {
            kind: holds::START_DATES,
            opens: UNREADABLE,
            reason: &format!("the start date cannot be read ({words}): an operator decides"),
            events,
        };
        stop(conn, &happening.organization_id, &people, &why, now)?;
    }
    Ok(())
}

#[derive(Queryable)]
struct Waiting {
    id: String,
    hold_id: String,
    trigger_id: String,
    version: i32,
    step: i32,
}

/// Lets go what waited for a readable date: at the time the date gives, or never where the person
/// started long before messages were on (R57). Answers what is due by it.
pub(super) fn release_readable(
    conn: &mut Conn,
    happenings: &[Happening],
    organizations: &BTreeMap<String, Organization>,
    now: Timestamp,
) -> QueryResult<Vec<Touched>> {
    let mut touched = Vec::new();
    for happening in happenings {
        if let (true, Some(organization)) = (
            happening.became_readable(),
            organizations.get(&happening.organization_id),
        ) {
            touched.extend(release(conn, happening, organization, now)?);
        }
    }
    Ok(touched)
}

fn release(
    conn: &mut Conn,
    happening: &Happening,
    organization: &Organization,
    now: Timestamp,
) -> QueryResult<Vec<Touched>> {
    let id = &happening.after.id;
    let waiting: Vec<Waiting> = on_backend!(conn, c => deliveries::table
        .inner_join(hold_rows::table.on(hold_rows::id.nullable().eq(deliveries::hold_id)))
        .filter(deliveries::profile_id.eq(id))
        .filter(deliveries::state.eq(DeliveryState::Held.as_str()))
        .filter(hold_rows::kind.eq(holds::START_DATES))
        .filter(hold_rows::state.eq(holds::OPEN))
        .select((
            deliveries::id,
            deliveries::hold_id.assume_not_null(),
            deliveries::trigger_id,
            deliveries::trigger_version,
            deliveries::step,
        ))
        .load(c))?;
    if waiting.is_empty() {
        return Ok(Vec::new());
    }
    let profile = facts_of(&happening.organization_id, &happening.after);
    let surroundings = Surroundings::of(conn, std::slice::from_ref(id))?;
    let communities: Vec<String> = surroundings
        .facts(id, &profile)
        .communities
        .iter()
        .map(|(id, _)| id.clone())
        .collect();
    let terms = Terms {
        messaging_enabled_at: organization.messaging_enabled_at,
        settings: organization.settings.messages.clone(),
    };
    let zone = zone::of_person(&terms.settings, &profile, &communities);
    let base = happening.start().map_or(Base::Now, Base::Start);
    let greeted = happening.is_new(&terms, zone);
    let mut touched = Vec::new();
    let mut left = BTreeSet::new();
    for row in waiting {
        let place = usize::try_from(row.step).unwrap_or(usize::MAX);
        let definition = store::version(conn, &row.trigger_id, row.version)?;
        let step = definition.as_ref().and_then(|one| one.steps.get(place));
        match step.filter(|_| greeted) {
            Some(step) => {
                let due_at = due_at(step, base, zone, &terms.settings, now);
                on_backend!(conn, c => diesel::update(deliveries::table.find(&row.id))
                    .set((
                        deliveries::state.eq(DeliveryState::Due.as_str()),
                        deliveries::hold_id.eq(None::<String>),
                        deliveries::reason.eq(None::<String>),
                        deliveries::due_at.eq(due_at),
                    ))
                    .execute(c))?;
                touched.push(Touched {
                    organization_id: happening.organization_id.clone(),
                    trigger_id: row.trigger_id,
                    step: row.step,
                    welcome: step.is_of_first_day(),
                    due_at,
                });
            }
            None => {
                on_backend!(conn, c => diesel::update(deliveries::table.find(&row.id))
                    .set((
                        deliveries::state.eq(DeliveryState::Cancelled.as_str()),
                        deliveries::reason.eq("the start date lies before messages were turned on"),
                        deliveries::settled_at.eq(now),
                    ))
                    .execute(c))?;
            }
        }
        left.insert(row.hold_id);
    }
    for hold in left {
        holds::take_out(conn, &hold, id)?;
        if holds::items(conn, &hold)?.is_empty() {
            holds::decide(conn, &hold, holds::APPROVED, DIRECTORY, now)?;
        }
    }
    Ok(touched)
}
