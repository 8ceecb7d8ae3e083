//! A moved start date moves what waits for it (R60): welcomes and drips that no attempt has been
//! made of. What was sent stays sent.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use diesel::prelude::*;

use crate::clock::Timestamp;
use crate::db::schema::deliveries;
use crate::db::{Conn, on_backend};
use crate::store::organizations::Organization;
use crate::store::surroundings::Surroundings;
use crate::triggers::definition::{Channel, Event};
use crate::triggers::plan::{Happening, facts_of, moved_to};
use crate::triggers::{store, zone};

use super::DeliveryState;
use super::burst::Touched;

#[derive(Queryable)]
struct Waiting {
    id: String,
    trigger_id: String,
    version: i32,
    step: i32,
    due_at: Timestamp,
}

/// Moves the open welcomes of whoever starts on another day than was said before; answers what moved.
pub(super) fn follow_start(
    conn: &mut Conn,
    happenings: &[Happening],
    organizations: &BTreeMap<String, Organization>,
    now: Timestamp,
) -> QueryResult<Vec<Touched>> {
    let mut touched = Vec::new();
    for happening in happenings {
        let (Some(start), Some(organization)) = (
            happening.moved_start(),
            organizations.get(&happening.organization_id),
        ) else {
            continue;
        };
        touched.extend(move_one(conn, happening, start, organization, now)?);
    }
    Ok(touched)
}

fn move_one(
    conn: &mut Conn,
    happening: &Happening,
    start: NaiveDate,
    organization: &Organization,
    now: Timestamp,
) -> QueryResult<Vec<Touched>> {
    let id = &happening.after.id;
    let open = [DeliveryState::Due.as_str(), DeliveryState::Held.as_str()];
    let waiting: Vec<Waiting> = on_backend!(conn, c => deliveries::table
        .filter(deliveries::profile_id.eq(id))
        .filter(deliveries::on_event.eq(Event::ProfileActivated.name()))
        .filter(deliveries::period.eq(&happening.after.period))
        .filter(deliveries::state.eq_any(open))
        .filter(deliveries::attempts.eq(0))
        .select((
            deliveries::id,
            deliveries::trigger_id,
            deliveries::trigger_version,
            deliveries::step,
            deliveries::due_at,
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
    let settings = &organization.settings.messages;
    let zone = zone::of_person(settings, &profile, &communities);
    let mut touched = Vec::new();
    for one in waiting {
        let Some(definition) = store::version(conn, &one.trigger_id, one.version)? else {
            continue;
        };
        let place = usize::try_from(one.step).unwrap_or(usize::MAX);
        let Some(step) = definition.steps.get(place) else {
            continue;
        };
        let due_at = moved_to(step, start, zone, settings, now);
        if due_at != one.due_at {
            on_backend!(conn, c => diesel::update(deliveries::table.find(&one.id))
                .set(deliveries::due_at.eq(due_at))
                .execute(c))?;
            touched.push(Touched {
                organization_id: happening.organization_id.clone(),
                trigger_id: one.trigger_id,
                step: one.step,
                welcome: step.is_of_first_day() && step.channel != Channel::Webhook,
                due_at,
            });
        }
    }
    Ok(touched)
}
