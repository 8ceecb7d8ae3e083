//! Where a person stands, from what their links say (R27-R39): active while any link is, removed
//! when the last active one has ended, pending while nobody was ever active (C2).

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::clock::Timestamp;
use crate::workos::OrderKey;

use super::cluster::{IdentityCluster, Link, LinkState, Person};
use super::context::Context;
use super::screen::{Screened, screen};

/// The states of a profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Context, not yet active.
    Pending,
    /// Works there.
    Active,
    /// On leave: seats kept.
    OnLeave,
    /// Left; can be restored.
    Removed,
    /// Erased for good.
    Erased,
}

impl Status {
    /// As shown and stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::OnLeave => "on_leave",
            Self::Removed => "removed",
            Self::Erased => "erased",
        }
    }

    /// Reads the stored form.
    pub fn parse(text: &str) -> Option<Self> {
        [
            Self::Pending,
            Self::Active,
            Self::OnLeave,
            Self::Removed,
            Self::Erased,
        ]
        .into_iter()
        .find(|status| status.as_str() == text)
    }

    /// Whether somebody of this status may come in.
    pub fn has_access(self) -> bool {
        matches!(self, Self::Active | Self::OnLeave)
    }
}

/// Where a person stands by what their links say at this moment of a step, before it is settled.
pub(super) fn standing(cluster: &IdentityCluster, person: &Person) -> Status {
    if person.status == Status::Erased {
        return Status::Erased;
    }
    let works = cluster.links_of(&person.id).any(Link::counts);
    let worked = person.ever_active
        || cluster
            .links_of(&person.id)
            .any(|link| link.ever_active && link.contest.is_none());
    let deleted = cluster
        .links_of(&person.id)
        .any(|link| link.state == LinkState::Deleted);
    match (works, worked, deleted) {
        (true, _, _) => Status::Active,
        (false, true, _) | (false, false, true) => Status::Removed,
        (false, false, false) => Status::Pending,
    }
}

/// The employment period of whoever never left.
pub(super) const FIRST: &str = "first";
/// The reason of whom a rule shuts out.
pub const EXCLUDED: &str = "excluded";

/// Brings everybody's status up to date after a step.
pub(super) fn settle(cluster: &mut IdentityCluster, key: &OrderKey, known: &Context<'_>) {
    let ids: Vec<String> = cluster.people.keys().cloned().collect();
    for id in ids {
        let Some(was) = cluster.people.get(&id) else {
            continue;
        };
        let mut next = standing(cluster, was);
        let screened = match next {
            Status::Active => screen(cluster, was, known),
            _ => Screened::Here,
        };
        let worked = cluster
            .links_of(&id)
            .any(|link| link.ever_active && link.contest.is_none());
        let reason = ended_reason(cluster, &id);
        let start = newest_start_date(cluster, &id);
        let Some(person) = cluster.people.get_mut(&id) else {
            continue;
        };
        person.ever_active |= worked || next == Status::Active;
        let mut reason = reason;
        person.excluded = None;
        match screened {
            Screened::Here => person.admitted |= next == Status::Active,
            Screened::OnLeave => {
                person.admitted = true;
                next = Status::OnLeave;
            }
            Screened::Excluded(rule) => {
                person.excluded = Some(known.settings.name_of(rule));
                next = if person.admitted || person.let_go.is_some() {
                    Status::Removed
                } else {
                    Status::Pending
                };
                reason = EXCLUDED;
            }
        }
        if next == Status::Removed && person.status != Status::Removed {
            person.left = Some(key.clone());
            person.left_reason = Some(reason.to_owned());
            person.period_told = false;
        }
        if next.has_access()
            && let Some(begun) = start.filter(|start| begins_a_period(start, person))
        {
            person.period = begun;
            person.period_told = true;
        }
        person.status = next;
    }
}

/// A new rule lets people go who were there before it was made: when that was is no event's, and
/// is kept beside the fold.
pub fn let_go(before: &IdentityCluster, after: &mut IdentityCluster, key: &OrderKey) {
    for person in after.people.values_mut() {
        let was = before.people.get(&person.id);
        if person.excluded.is_some() && was.is_some_and(|was| was.status.has_access()) {
            person.let_go = Some(key.clone());
        }
    }
    remember_let_go(after);
}

/// Takes over whom a rule let go, after a fold from nothing.
pub(super) fn carry_let_go(before: &IdentityCluster, after: &mut IdentityCluster) {
    for person in after.people.values_mut() {
        let Some(was) = before.people.get(&person.id) else {
            continue;
        };
        person.let_go.clone_from(&was.let_go);
        if person.let_go.is_some() && person.period == FIRST {
            person.period.clone_from(&was.period);
        }
    }
    remember_let_go(after);
}

fn remember_let_go(cluster: &mut IdentityCluster) {
    for person in cluster.people.values_mut() {
        let waits = person.excluded.is_some() && person.status == Status::Pending;
        if let Some(key) = person.let_go.clone().filter(|_| waits) {
            person.status = Status::Removed;
            person.left = Some(key);
            person.left_reason = Some(EXCLUDED.to_owned());
        }
    }
}

/// Why the person's newest ended link ended.
fn ended_reason(cluster: &IdentityCluster, person: &str) -> &'static str {
    let newest = cluster
        .links_of(person)
        .filter(|link| matches!(link.state, LinkState::Deleted | LinkState::Inactive))
        .max_by(|one, other| one.life.cmp(&other.life));
    match newest.map(|link| link.state) {
        Some(LinkState::Deleted) => "deleted in the directory",
        _ => "deactivated in the directory",
    }
}

fn newest_start_date(cluster: &IdentityCluster, person: &str) -> Option<String> {
    cluster
        .links_of(person)
        .filter(|link| link.counts())
        .filter_map(|link| link.values.get("start_date").and_then(Value::as_str))
        .max()
        .map(str::to_owned)
}

/// R33: onboarding may run again only where the new start lies after the removal, also where the
/// start is told only later. A start that moves afterwards is still the same employment (R60).
fn begins_a_period(start: &str, person: &Person) -> bool {
    !person.period_told && begins_after(start, person.left.as_ref())
}

fn begins_after(start: &str, left: Option<&OrderKey>) -> bool {
    let Some(left) = left else { return false };
    Timestamp::parse(start).is_some_and(|start| start > left.at)
}
