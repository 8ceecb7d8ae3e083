//! Adding deliveries: what happened to people, asked against the published triggers of their
//! organizations, written in the transaction that changed the people. A burst is held (R59, R80), what
//! greets somebody whose start date cannot be read is, too (R79), and a moved start date moves what
//! waits for it (R60).

use std::collections::{BTreeMap, BTreeSet};

use diesel::prelude::*;
use serde_json::json;

use crate::clock::Timestamp;
use crate::conditions::Facts;
use crate::db::schema::deliveries;
use crate::db::{Conn, ROWS_PER_STATEMENT, new_id, on_backend};
use crate::store::changes::Caused;
use crate::store::organizations::{self, Organization};
use crate::store::surroundings::Surroundings;
use crate::store::{communities, profiles};
use crate::triggers::definition::{Channel, Event};
use crate::triggers::destinations::{self, Destination};
use crate::triggers::plan::{Due, Happening, Terms, due, facts_of};
use crate::triggers::store;

use super::burst::{self, Touched};
use super::{DeliveryState, Lane, flap, lane, moved, restored, starts};

#[derive(Insertable)]
#[diesel(table_name = deliveries, treat_none_as_default_value = false)]
struct NewRow<'a> {
    id: String,
    key: &'a str,
    organization_id: &'a str,
    profile_id: &'a str,
    trigger_id: &'a str,
    trigger_version: i32,
    step: i32,
    period: &'a str,
    on_event: &'static str,
    channel: &'static str,
    event_id: Option<&'a str>,
    state: &'static str,
    due_at: Timestamp,
    created_at: Timestamp,
    welcome: bool,
    community_id: Option<&'a str>,
    destination: &'a str,
    planned_at: Timestamp,
    detail: Option<String>,
    lane: i32,
}

/// Plans and adds what the happenings make due. Those whose key exists already are left alone.
pub fn plan_and_add(
    conn: &mut Conn,
    happenings: &[Happening],
    organizations: &BTreeMap<String, Organization>,
    now: Timestamp,
) -> QueryResult<()> {
    let (happenings, mut touched) = flap::greet_who_flapped(conn, happenings, organizations, now)?;
    touched.extend(follow_starts(conn, &happenings, organizations, now)?);
    touched.extend(add_due(conn, &happenings, organizations, now)?);
    starts::hold_unreadable(conn, &happenings, organizations, now)?;
    restored::hold_planned(conn, &happenings, now)?;
    burst::hold(conn, &touched, organizations, now)
}

/// Only what is planned already follows start dates: nothing new falls due, as when a mapping changed.
pub fn move_with_starts(
    conn: &mut Conn,
    happenings: &[Happening],
    organizations: &BTreeMap<String, Organization>,
    now: Timestamp,
) -> QueryResult<()> {
    let touched = follow_starts(conn, happenings, organizations, now)?;
    starts::hold_unreadable(conn, happenings, organizations, now)?;
    burst::hold(conn, &touched, organizations, now)
}

fn follow_starts(
    conn: &mut Conn,
    happenings: &[Happening],
    organizations: &BTreeMap<String, Organization>,
    now: Timestamp,
) -> QueryResult<Vec<Touched>> {
    let mut touched = starts::release_readable(conn, happenings, organizations, now)?;
    touched.extend(moved::follow_start(conn, happenings, organizations, now)?);
    Ok(touched)
}

/// Adds what the happenings make due; answers the messages to people among it.
fn add_due(
    conn: &mut Conn,
    happenings: &[Happening],
    organizations: &BTreeMap<String, Organization>,
    now: Timestamp,
) -> QueryResult<Vec<Touched>> {
    let terms = terms_of(organizations);
    let all: Vec<&Happening> = happenings
        .iter()
        .filter(|one| terms.contains_key(&one.organization_id) && one.matters())
        .collect();
    if all.is_empty() {
        return Ok(Vec::new());
    }
    let ids: BTreeSet<String> = all.iter().map(|one| one.organization_id.clone()).collect();
    let triggers = store::published(conn, &ids.into_iter().collect::<Vec<_>>())?;
    if triggers.is_empty() {
        return Ok(Vec::new());
    }
    let around = Around::of(conn, &all)?;
    let mut planned: Vec<(&Happening, Due)> = Vec::new();
    let mut places: Vec<Destination> = Vec::new();
    for happening in all {
        let (Some(terms), Some(triggers)) = (
            terms.get(&happening.organization_id),
            triggers.get(&happening.organization_id),
        ) else {
            continue;
        };
        let profile = facts_of(&happening.organization_id, &happening.after);
        let facts = around.facts(&happening.after.id, &profile);
        for trigger in triggers {
            let some = due(happening, trigger, &facts, &around.names, terms, now);
            for due in some {
                let place = usize::try_from(due.step).unwrap_or(usize::MAX);
                if let Some(step) = trigger.definition.steps.get(place) {
                    places.push(Destination::of(step));
                    planned.push((happening, due));
                }
            }
        }
    }
    destinations::ensure(conn, &places, now)?;
    let placed: Vec<_> = planned.iter().zip(&places).collect();
    add(conn, &placed, now)?;
    let to_people = planned
        .iter()
        .filter(|(_, due)| due.channel != Channel::Webhook.name());
    Ok(to_people
        .map(|(happening, due)| Touched {
            organization_id: happening.organization_id.clone(),
            trigger_id: due.trigger_id.clone(),
            step: due.step,
            welcome: due.welcome,
            due_at: due.due_at,
        })
        .collect())
}

/// What falls due because an operator, or a rule they changed, put people into communities or took
/// them out.
pub fn after_hands(conn: &mut Conn, turned: &[Caused], now: Timestamp) -> QueryResult<()> {
    let ids: BTreeSet<String> = turned
        .iter()
        .map(|one| one.change.profile_id.clone())
        .collect();
    let ids: Vec<String> = ids.into_iter().collect();
    let mut happenings = Vec::new();
    for (id, row) in profiles::load(conn, &ids)? {
        let Some(mut profile) = row.profile() else {
            continue;
        };
        // The occasion is this act, and no earlier one of the same person.
        profile.updated = now;
        let communities = |began: bool| {
            let theirs = turned.iter().map(|one| &one.change).filter(|change| {
                change.profile_id == id
                    && change.new.is_some() == began
                    && change.old.is_none() == began
            });
            theirs.map(|change| change.name.clone()).collect()
        };
        happenings.push(Happening {
            organization_id: row.organization_id,
            before: Some(profile.clone()),
            after: profile,
            known_since: row.recorded_at,
            changed_fields: Vec::new(),
            began_communities: communities(true),
            ended_communities: communities(false),
            turn: None,
            event_id: None,
        });
    }
    let of: BTreeSet<String> = happenings
        .iter()
        .map(|one| one.organization_id.clone())
        .collect();
    let organizations = organizations::load(conn, &of.into_iter().collect::<Vec<_>>())?;
    plan_and_add(conn, &happenings, &organizations, now)
}

fn terms_of(organizations: &BTreeMap<String, Organization>) -> BTreeMap<String, Terms> {
    let terms = organizations.iter().map(|(id, one)| {
        let terms = Terms {
            messaging_enabled_at: one.messaging_enabled_at,
            settings: one.settings.messages.clone(),
        };
        (id.clone(), terms)
    });
    terms.collect()
}

/// What conditions ask about, and the names of the communities that were joined or left.
struct Around {
    surroundings: Surroundings,
    names: Vec<(String, String)>,
}

impl Around {
    fn of(conn: &mut Conn, all: &[&Happening]) -> QueryResult<Self> {
        let people: Vec<String> = all.iter().map(|one| one.after.id.clone()).collect();
        let turned: BTreeSet<String> = all
            .iter()
            .flat_map(|one| one.began_communities.iter().chain(&one.ended_communities))
            .cloned()
            .collect();
        let names = communities::names(conn, &turned.into_iter().collect::<Vec<_>>())?;
        Ok(Self {
            surroundings: Surroundings::of(conn, &people)?,
            names: names.into_iter().collect(),
        })
    }

    fn facts<'a>(&'a self, id: &str, profile: &'a serde_json::Value) -> Facts<'a> {
        self.surroundings.facts(id, profile)
    }
}

fn add(
    conn: &mut Conn,
    all: &[(&(&Happening, Due), &Destination)],
    now: Timestamp,
) -> QueryResult<()> {
    for chunk in all.chunks(ROWS_PER_STATEMENT) {
        let rows: Vec<NewRow<'_>> = chunk
            .iter()
            .map(|((happening, due), place)| NewRow {
                id: new_id("delivery"),
                key: &due.key,
                organization_id: &happening.organization_id,
                profile_id: &happening.after.id,
                trigger_id: &due.trigger_id,
                trigger_version: due.version,
                step: due.step,
                period: &happening.after.period,
                on_event: due.on.name(),
                channel: due.channel,
                event_id: happening.event_id.as_deref(),
                state: DeliveryState::Due.as_str(),
                due_at: due.due_at,
                created_at: now,
                welcome: due.welcome,
                community_id: due.community_id.as_deref(),
                destination: &place.id,
                planned_at: due.due_at,
                detail: detail_of(happening, due),
                lane: Lane::of(due.on).number(),
            })
            .collect();
        on_backend!(conn, c => diesel::insert_into(deliveries::table).values(&rows).on_conflict_do_nothing().execute(c))?;
    }
    let leaving: BTreeSet<&str> = all
        .iter()
        .filter(|((_, due), _)| Lane::of(due.on) == Lane::Removals)
        .map(|((happening, _), _)| happening.after.id.as_str())
        .collect();
    lane::bring_along(conn, &leaving.into_iter().collect::<Vec<_>>(), now)
}

/// What a webhook tells beside the person: which fields changed, which community began or ended.
fn detail_of(happening: &Happening, due: &Due) -> Option<String> {
    if due.channel != Channel::Webhook.name() {
        return None;
    }
    let communities = |all: &[String]| match &due.community_id {
        Some(one) => json!({ "communities": [one] }),
        None => json!({ "communities": all }),
    };
    let detail = match due.on {
        Event::ProfileUpdated | Event::FieldChanged => {
            json!({ "changed_fields": happening.changed_fields })
        }
        Event::MembershipBegan => communities(&happening.began_communities),
        Event::MembershipEnded => communities(&happening.ended_communities),
        Event::ProfileActivated
        | Event::ProfileRemoved
        | Event::ProfileSuspended
        | Event::ProfileResumed => return None,
    };
    Some(detail.to_string())
}
