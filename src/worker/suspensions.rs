//! Telling host applications whose access is suspended and whose is back (R40, R84, R91). Access itself is
//! decided whenever it is asked for; what is told is what differs from what was told last, in the
//! transaction that made it differ, so that nothing is told twice and nothing is left out.

use std::collections::BTreeSet;

use diesel::QueryResult;

use crate::clock::Timestamp;
use crate::db::Conn;
use crate::outbox;
use crate::store::suspensions::{self, Suspension};
use crate::store::{organizations, profiles, standings};
use crate::telemetry;
use crate::triggers::deliveries;
use crate::triggers::plan::{AccessTurn, Happening};

/// Tells what became of the access of the given people.
pub fn follow_access(conn: &mut Conn, people: &[String], now: Timestamp) -> QueryResult<()> {
    if people.is_empty() {
        return Ok(());
    }
    let judged = standings::of_profiles(conn, people)?;
    let told = suspensions::among(conn, people)?;
    let (mut begun, mut turns) = (Vec::new(), Vec::new());
    let (mut over, mut back) = (Vec::new(), Vec::new());
    for one in judged.values() {
        match told.get(&one.profile_id) {
            None if one.access.suspended() => {
                begun.push(Suspension {
                    profile_id: one.profile_id.clone(),
                    organization_id: one.organization_id.clone(),
                    event_id: one.event_id.clone(),
                    suspended_at: now,
                });
                let turn = AccessTurn::Suspended(now);
                turns.push((one.profile_id.clone(), turn, one.event_id.clone()));
            }
            Some(row) if one.access.allowed() => {
                over.push(one.profile_id.clone());
                back.push(one.profile_id.clone());
                let turn = AccessTurn::Resumed(row.suspended_at);
                turns.push((one.profile_id.clone(), turn, row.event_id.clone()));
            }
            // Approved and not yet applied: the removal follows at once.
            Some(_) if !one.access.suspended() && !one.access.waits() => {
                over.push(one.profile_id.clone());
            }
            _ => {}
        }
    }
    over.extend(told.into_keys().filter(|id| !judged.contains_key(id)));
    suspensions::add(conn, &begun)?;
    suspensions::delete(conn, &over)?;
    deliveries::go_on(conn, &back, now)?;
    tell(conn, turns, now)
}

fn tell(
    conn: &mut Conn,
    turns: Vec<(String, AccessTurn, Option<String>)>,
    now: Timestamp,
) -> QueryResult<()> {
    if turns.is_empty() {
        return Ok(());
    }
    let ids: Vec<String> = turns.iter().map(|(id, ..)| id.clone()).collect();
    let rows = profiles::load(conn, &ids)?;
    let mut happenings = Vec::new();
    let mut homes = BTreeSet::new();
    for (id, turn, event_id) in turns {
        let Some((row, profile)) = rows.get(&id).and_then(|row| Some((row, row.profile()?))) else {
            continue;
        };
        homes.insert(row.organization_id.clone());
        happenings.push(Happening {
            organization_id: row.organization_id.clone(),
            before: Some(profile.clone()),
            after: profile,
            known_since: row.recorded_at,
            changed_fields: Vec::new(),
            began_communities: Vec::new(),
            ended_communities: Vec::new(),
            turn: Some(turn),
            event_id,
        });
    }
    let homes: Vec<String> = homes.into_iter().collect();
    let organizations = organizations::load(conn, &homes)?;
    deliveries::plan_and_add(conn, &happenings, &organizations, now)
}

/// As [`follow_access`], for those of the given people whose suspension was told before.
pub(super) fn follow_told(
    conn: &mut Conn,
    people: &BTreeSet<String>,
    now: Timestamp,
) -> QueryResult<()> {
    let people: Vec<String> = people.iter().cloned().collect();
    let told: Vec<String> = suspensions::among(conn, &people)?.into_keys().collect();
    follow_access(conn, &told, now)
}

/// As [`follow_access`], for the people of the directory users that the given events speak of.
pub fn follow_events(conn: &mut Conn, events: &[String], now: Timestamp) -> QueryResult<()> {
    let mut users = Vec::new();
    for event in events {
        users.extend(outbox::find(conn, event)?.and_then(|row| row.subject));
    }
    let people: BTreeSet<String> = profiles::profile_of_links(conn, &users)?
        .into_values()
        .collect();
    follow_access(conn, &people.into_iter().collect::<Vec<_>>(), now)
}

/// Removals that were given up: access stays refused, host applications are told, and somebody has to look
/// (R91, R92).
pub(super) fn given_up(conn: &mut Conn, events: &[String], now: Timestamp) -> QueryResult<()> {
    for event in events {
        metrics::counter!(telemetry::REMOVALS_GIVEN_UP).increment(1);
        tracing::error!(
            event_id = event,
            "a removal could not be applied and was given up; access stays refused until an operator replays or discards it"
        );
    }
    follow_events(conn, events, now)
}
