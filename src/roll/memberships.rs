//! What becomes of community memberships when a person leaves or returns: a removal ends all of
//! them, member and admin, in every community (R29); the ended rows are the snapshot a return opens
//! again (R31, R77), admin seats by the organization's policy (C5).

use crate::clock::Timestamp;
use crate::workos::OrderKey;

use super::lifecycle::Status;
use super::settings::RestoreAdmin;

/// What somebody is in a community.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Belongs to it.
    Member,
    /// Runs it.
    Admin,
}

/// Why a membership exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// An operator gave it.
    Manual,
    /// A rule of the community did.
    Rule,
}

/// One row of a community's roll.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// The community.
    pub community_id: String,
    /// The person.
    pub profile_id: String,
    /// Why it exists.
    pub source: Source,
    /// What it gives.
    pub role: Role,
    /// The role before a return lowered it: a seat an operator may give back.
    pub former_role: Option<Role>,
    /// The admin who left and whose seat is kept by this one (R39).
    pub stand_in: Option<StandIn>,
    /// When it was given.
    pub granted_at: Timestamp,
    /// When it ended, if it did.
    pub ended_at: Option<Timestamp>,
    /// Why it ended: [`LEFT`] is what a return opens again.
    pub ended_reason: Option<String>,
}

/// An admin seat kept for somebody who left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StandIn {
    /// The profile id of the admin who left.
    pub of: String,
    /// What the one who keeps it was there before; nothing when they were not in the community.
    pub was: Option<Role>,
}

/// The reason that a removal writes.
pub const LEFT: &str = "removed";

impl Membership {
    /// Gives the kept seat back: the admin it was kept for is there again.
    pub fn step_down(&mut self, now: Timestamp) {
        let Some(stand_in) = self.stand_in.take() else {
            return;
        };
        match stand_in.was {
            Some(role) => self.role = role,
            None => {
                self.ended_at = Some(now);
                self.ended_reason = Some("the admin is back".to_owned());
            }
        }
    }
}

impl Role {
    /// As shown and stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Admin => "admin",
        }
    }

    /// Reads the stored form.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Member, Self::Admin]
            .into_iter()
            .find(|role| role.as_str() == text)
    }
}

impl Source {
    /// As shown and stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Manual => "manual",
            Self::Rule => "rule",
        }
    }

    /// Reads the stored form.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Manual, Self::Rule]
            .into_iter()
            .find(|source| source.as_str() == text)
    }
}

/// Makes a person's memberships follow their status. `left` is when they last left, also if that
/// was learned only now: a seat given before it does not survive unasked, whatever the order of
/// arrival (R14).
pub fn follow_status(
    rows: &mut [Membership],
    status: Status,
    left: Option<&OrderKey>,
    policy: RestoreAdmin,
    now: Timestamp,
) {
    for row in rows {
        if status.has_access() {
            if row.ended_reason.as_deref() == Some(LEFT) {
                row.ended_at = None;
                row.ended_reason = None;
            }
            let had_left = left.is_some_and(|left| row.granted_at <= left.at);
            if row.former_role == Some(Role::Admin) && !had_left {
                // An older event that came late told that they never left.
                row.role = Role::Admin;
                row.former_role = None;
            }
            let lowered = policy != RestoreAdmin::Always
                && row.role == Role::Admin
                && row.source == Source::Manual
                && had_left;
            if lowered {
                row.role = Role::Member;
                row.former_role = (policy == RestoreAdmin::Ask).then_some(Role::Admin);
            }
        } else if row.ended_at.is_none() {
            // Pending after having been in: a late event told that a person has to decide first.
            row.ended_at = Some(now);
            row.ended_reason = Some(LEFT.to_owned());
        }
    }
}
