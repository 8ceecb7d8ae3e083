//! The life of a directory as its events tell it: linked, deactivated, deleted, linked again. The
//! whole list is kept, because who could be matched with whom depends on what was true at the time.
//! Nobody's status changes by a turn of their directory alone (R36, R38, C10).

use serde::{Deserialize, Serialize};

use crate::workos::OrderKey;

/// What the directory of an organization's log-ins is called before the organization's id.
const LOGINS: &str = "logins_of_";

/// The directory that log-ins of an organization speak for: they are observations like any other, of a
/// directory that counts only while no real one is linked (R50, R54, R55).
pub fn directory_of_logins(organization: &str) -> String {
    format!("{LOGINS}{organization}")
}

/// Whether a directory is one of log-ins.
pub fn is_of_logins(directory: &str) -> bool {
    directory.starts_with(LOGINS)
}

/// One event about a directory.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DirectoryTurn {
    /// When, in the order of events.
    pub key: OrderKey,
    /// The directory.
    pub directory_id: String,
    /// Whether it was linked (true), or deleted or deactivated (false).
    pub linked: bool,
    /// An operator decided that its people are removed (R36).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub removes: bool,
    /// `dsync.deleted`: its groups ended with it (R85). A directory that was only deactivated keeps
    /// them, because nobody announces them again when it goes on.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deleted: bool,
    /// WorkOS's `type`, where the event said it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
}

/// What is known of a directory.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DirectoryLife {
    /// WorkOS's `type`, an open string (contract section 5).
    pub kind: Option<String>,
    /// Its turns, sorted by order key.
    pub turns: Vec<DirectoryTurn>,
}

impl DirectoryLife {
    /// Adds a turn at its place; false when it is known already.
    pub fn learn(&mut self, turn: DirectoryTurn) -> bool {
        let place = self
            .turns
            .binary_search_by(|known| known.key.cmp(&turn.key));
        let Err(place) = place else { return false };
        self.turns.insert(place, turn);
        let said = self.turns.iter().rev().find_map(|turn| turn.kind.clone());
        self.kind = said.or(self.kind.take());
        true
    }

    /// Its type as said up to that point of the order.
    pub fn kind_at(&self, key: &OrderKey) -> Option<&str> {
        self.turns
            .iter()
            .rev()
            .filter(|turn| turn.key <= *key)
            .find_map(|turn| turn.kind.as_deref())
    }

    /// Whether the directory was linked at that point of the order. Never announced counts as linked (C9).
    pub fn live_at(&self, key: &OrderKey) -> bool {
        self.turns
            .iter()
            .take_while(|turn| turn.key <= *key)
            .last()
            .is_none_or(|turn| turn.linked)
    }

    /// Whether it speaks for its organization at that point of the order, so that log-ins do not. One
    /// that will be announced does not speak before that.
    pub(super) fn speaks_at(&self, key: &OrderKey) -> bool {
        let before = self.turns.iter().take_while(|turn| turn.key <= *key);
        self.turns.is_empty() || before.last().is_some_and(|turn| turn.linked)
    }

    /// When its groups ended last (R85): what was said of them and of who is in them before that
    /// counts no more, also where it comes later.
    pub fn groups_ended(&self) -> Option<&OrderKey> {
        let deleted = self.turns.iter().filter(|turn| turn.deleted);
        deleted.map(|turn| &turn.key).max()
    }

    /// Takes back that its people were removed with it. What WorkOS said stays: the directory is
    /// gone, and its people are held.
    pub fn take_back_removal(&mut self) {
        self.turns.retain(|turn| !turn.removes || turn.deleted);
        for turn in &mut self.turns {
            turn.removes = false;
        }
    }

    /// Whether it is linked now.
    pub fn live(&self) -> bool {
        self.turns.last().is_none_or(|turn| turn.linked)
    }
}
