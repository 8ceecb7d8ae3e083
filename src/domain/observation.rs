//! A observation is what one event said of one directory user, kept small and typed. A person is the
//! fold of the observations about them by order key; the directory's own turns (linked, deleted) are
//! steps of the same fold, because they decide who may be matched with whom (R36, R37).

use serde::{Deserialize, Serialize};

use crate::workos::{DirectoryUser, OrderKey, UserState};

use super::directory::DirectoryTurn;

/// What one event said of one directory user.
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    /// Where it belongs in the order of events (R66).
    pub key: OrderKey,
    /// What was said.
    pub said: Said,
}

/// The words of a observation, as they are stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Said {
    /// The event was `dsync.user.deleted`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deleted: bool,
    /// The payload's directory user.
    pub user: DirectoryUser,
}

/// What a observation says of the life of its directory user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// Nothing: an update without a state must not bring anybody back (R13).
    Silent,
    /// `state: active`.
    Active,
    /// Any other state: `inactive`, legacy `suspended`, whatever comes.
    Inactive,
    /// `dsync.user.deleted`.
    Deleted,
}

impl Observation {
    /// What is said of the user's life. A deletion is one whatever state its payload shows.
    pub fn life(&self) -> Life {
        match (&self.said.user.state, self.said.deleted) {
            (_, true) => Life::Deleted,
            (Some(UserState::Active), _) => Life::Active,
            (Some(UserState::Inactive(_)), _) => Life::Inactive,
            (None, _) => Life::Silent,
        }
    }

    /// Whether it may end something: of two observations of one instant this one comes last (R66).
    pub fn is_removal(&self) -> bool {
        matches!(self.life(), Life::Inactive | Life::Deleted)
    }

    /// The directory user spoken of.
    pub fn directory_user_id(&self) -> &str {
        &self.said.user.id
    }
}

/// One step of the fold.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Something was said of a directory user.
    Said(Box<Observation>),
    /// A directory was linked or went away.
    Turned(DirectoryTurn),
}

impl Step {
    /// Where the step belongs.
    pub fn key(&self) -> &OrderKey {
        match self {
            Self::Said(observation) => &observation.key,
            Self::Turned(turn) => &turn.key,
        }
    }
}
