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
    /// The directory user it was given for, where the profile has become another one's or two were taken
    /// for one; otherwise it is for whom the profile was made.
    pub given_for: Option<String>,
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

/// When a person last left, as it was known before a batch and as it is known now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Left<'a> {
    /// Before.
    pub before: Option<&'a OrderKey>,
    /// Now.
    pub now: Option<&'a OrderKey>,
}

impl Left<'_> {
    /// A removal is known that was not before: whatever its date, every role given until now ends with it.
    fn is_news(self) -> bool {
        self.now > self.before
    }

    /// A removal that was known is not one any more: an older event that came late, or an operator
    /// who took it back, says so.
    fn is_undone(self) -> bool {
        self.now < self.before
    }
}

/// Makes a person's memberships follow their status. An admin role does not survive a removal unasked
/// (R31): neither one that was dated before the removal, nor one that was given before the removal
/// was known, whatever the order and the batches in which they were (R14).
pub fn follow_status(
    rows: &mut [Membership],
    status: Status,
    left: Left<'_>,
    policy: RestoreAdmin,
    now: Timestamp,
) {
    for row in rows {
        let dated_before = left.now.is_some_and(|left| row.granted_at <= left.at);
        // Also of whom a person must decide about first: on their return nothing tells of it any more.
        if left.is_undone() && row.former_role == Some(Role::Admin) && !dated_before {
            row.role = Role::Admin;
            row.former_role = None;
        }
        if status.has_access() {
            let returns = row.ended_reason.as_deref() == Some(LEFT);
            if returns {
                row.ended_at = None;
                row.ended_reason = None;
            }
            let ended = dated_before
                || left.is_news()
                || (returns && left.now.is_some() && !left.is_undone());
            let lowered = policy != RestoreAdmin::Always
                && row.role == Role::Admin
                && row.source == Source::Manual
                && ended;
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
