//! A newcomer who is removed and back within a day, before anything greeted them, is greeted once after
//! all (R33). Whoever had any of it, or stays away longer, is not greeted again without a new start.

use std::collections::BTreeMap;
use std::time::Duration;

use diesel::prelude::*;

use crate::clock::Timestamp;
use crate::db::schema::deliveries;
use crate::db::{Conn, in_parts, on_backend};
use crate::domain::Status;
use crate::store::organizations::Organization;
use crate::triggers::definition::{Channel, Event};
use crate::triggers::plan::Happening;

use super::burst::Touched;
use super::{DeliveryState, PERSON_LEFT};

/// Whoever stays away no longer was not away.
const FLAP: Duration = Duration::from_secs(24 * 3_600);

#[derive(Queryable)]
struct First {
    id: String,
    organization_id: String,
    profile_id: String,
    period: String,
    state: String,
    reason: Option<String>,
    digest_id: Option<String>,
    settled_at: Option<Timestamp>,
    trigger_id: String,
    step: i32,
    welcome: bool,
    due_at: Timestamp,
}

impl First {
    fn may_have_gone(&self) -> bool {
        let gone = [
            DeliveryState::Sent.as_str(),
            DeliveryState::Unknown.as_str(),
            DeliveryState::Attempting.as_str(),
        ];
        gone.contains(&self.state.as_str()) || self.digest_id.is_some()
    }

    /// Cancelled by the removal they are back from: an older one's stays cancelled. By our own clock,
    /// since the directory's may be ahead of it.
    fn was_taken_off(&self, now: Timestamp) -> bool {
        self.state == DeliveryState::Cancelled.as_str()
            && self.reason.as_deref() == Some(PERSON_LEFT)
            && self.settled_at.is_some_and(|at| now.since(at) <= FLAP)
    }
}

/// The happenings, with those who only flapped as the newcomers they are where nothing had been planned
/// for them; of the others the first welcome is due again, which is answered as well.
pub(super) fn greet_who_flapped(
    conn: &mut Conn,
    happenings: &[Happening],
    organizations: &BTreeMap<String, Organization>,
    now: Timestamp,
) -> QueryResult<(Vec<Happening>, Vec<Touched>)> {
    let mut all = happenings.to_vec();
    let back: BTreeMap<String, Timestamp> = all
        .iter()
        .filter(|one| {
            let home = organizations.get(&one.organization_id);
            home.is_some_and(|home| home.messaging_enabled_at.is_some())
        })
        .filter_map(|one| Some((one.after.id.clone(), left_at(one)?)))
        .collect();
    if back.is_empty() {
        return Ok((all, Vec::new()));
    }
    let ids: Vec<String> = back.keys().cloned().collect();
    let rows: Vec<First> = in_parts(&ids, |some| {
        on_backend!(conn, c => deliveries::table
            .filter(deliveries::profile_id.eq_any(some))
            .filter(deliveries::on_event.eq(Event::ProfileActivated.name()))
            .filter(deliveries::channel.ne(Channel::Webhook.name()))
            .select((
                deliveries::id,
                deliveries::organization_id,
                deliveries::profile_id,
                deliveries::period,
                deliveries::state,
                deliveries::reason,
                deliveries::digest_id,
                deliveries::settled_at,
                deliveries::trigger_id,
                deliveries::step,
                deliveries::welcome,
                deliveries::due_at,
            ))
            .load(c))
    })?;
    let mut touched = Vec::new();
    for happening in &mut all {
        let Some(left) = back.get(&happening.after.id) else {
            continue;
        };
        let theirs: Vec<&First> = rows
            .iter()
            .filter(|row| {
                row.profile_id == happening.after.id && row.period == happening.after.period
            })
            .collect();
        if theirs.iter().any(|row| row.may_have_gone()) {
            continue;
        }
        if theirs.is_empty() && left.since(happening.after.first_seen) <= FLAP {
            // They came and went before anybody looked: they are as new as on the first day.
            happening.before = None;
            continue;
        }
        for row in theirs.into_iter().filter(|row| row.was_taken_off(now)) {
            touched.push(revive(conn, row, now)?);
        }
    }
    super::hold_again(conn, &ids)?;
    Ok((all, touched))
}

fn revive(conn: &mut Conn, row: &First, now: Timestamp) -> QueryResult<Touched> {
    // A later step whose time has passed is left to be skipped (R62).
    let due_at = match row.welcome {
        true => row.due_at.max(now),
        false => row.due_at,
    };
    on_backend!(conn, c => diesel::update(deliveries::table.find(&row.id))
        .set((
            deliveries::state.eq(DeliveryState::Due.as_str()),
            deliveries::reason.eq(None::<String>),
            deliveries::settled_at.eq(None::<Timestamp>),
            deliveries::due_at.eq(due_at),
        ))
        .execute(c))?;
    Ok(Touched {
        organization_id: row.organization_id.clone(),
        trigger_id: row.trigger_id.clone(),
        step: row.step,
        welcome: row.welcome,
        due_at,
    })
}

/// When somebody left who is back in the same employment within a day.
fn left_at(happening: &Happening) -> Option<Timestamp> {
    let before = happening.before.as_ref()?;
    let same = before.status == Status::Removed
        && happening.after.status.has_access()
        && before.period == happening.after.period;
    let left = before.removed_at.filter(|_| same)?;
    (happening.after.updated.since(left) <= FLAP).then_some(left)
}
