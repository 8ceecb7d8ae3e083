//! Groups and who is in them. Both are registers: the event with the newest order key that spoke of
//! a group, or of a (group, user) pair, wins (R15); at the same instant the ending one does (C4).
//! A deleted group ends all its edges without one event for each, and an older late `user_added`
//! does not reopen them (R17).

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::workos::OrderKey;

/// A directory's group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// WorkOS's id.
    pub id: String,
    /// Its directory.
    pub directory_id: String,
    /// The provider's id; Okta's is the display name (contract section 5).
    pub idp_id: Option<String>,
    /// Its name as last said.
    pub name: String,
    /// The event that last spoke of its name.
    pub named: Option<OrderKey>,
    /// The event that last spoke of its provider's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identified: Option<OrderKey>,
    /// The event that deleted it last, kept: older edges stay closed.
    pub deleted: Option<OrderKey>,
    /// The event that last said it exists.
    pub seen: Option<OrderKey>,
    /// The first event that said it exists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub born: Option<OrderKey>,
    /// Every name it was ever given: a rule written for an earlier one goes on (R52).
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub names: BTreeSet<String>,
    /// Deleted groups whose place it took, as an operator decided (R52).
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub took_over: BTreeSet<String>,
}

/// A smaller group says nothing about who its members are.
const FEWEST_ALIKE: usize = 3;

/// Whether one group may be another one under a new id: over 80 of 100 members are the same (R52).
pub fn probably_renamed(old: &BTreeSet<String>, new: &BTreeSet<String>) -> bool {
    let same = old.intersection(new).count();
    let larger = old.len().max(new.len());
    larger >= FEWEST_ALIKE && same * 100 > larger * 80
}

impl Group {
    /// A group nobody has told us about yet.
    pub fn unnamed(id: &str, directory_id: &str) -> Self {
        Self {
            id: id.to_owned(),
            directory_id: directory_id.to_owned(),
            idp_id: None,
            name: String::new(),
            named: None,
            identified: None,
            deleted: None,
            seen: None,
            born: None,
            names: BTreeSet::new(),
            took_over: BTreeSet::new(),
        }
    }

    /// Whether it exists: said to, and not deleted since.
    pub fn exists(&self) -> bool {
        match (&self.seen, &self.deleted) {
            (Some(seen), Some(deleted)) => seen > deleted,
            (_, deleted) => deleted.is_none(),
        }
    }

    /// Takes over a created or updated event.
    pub fn learn(&mut self, key: &OrderKey, name: Option<&str>, idp_id: Option<&str>) {
        let newer = |known: &Option<OrderKey>| known.as_ref().is_none_or(|known| key > known);
        self.names.extend(name.map(str::to_owned));
        if let Some(name) = name.filter(|_| newer(&self.named)) {
            let former = std::mem::take(&mut self.name);
            self.names
                .extend(Some(former).filter(|name| !name.is_empty()));
            name.clone_into(&mut self.name);
            self.named = Some(key.clone());
        }
        if let Some(idp_id) = idp_id.filter(|_| newer(&self.identified)) {
            self.idp_id = Some(idp_id.to_owned());
            self.identified = Some(key.clone());
        }
        self.seen = self.seen.take().max(Some(key.clone()));
        self.born = match self.born.take() {
            Some(born) if born < *key => Some(born),
            _ => Some(key.clone()),
        };
    }

    /// The names it had before.
    pub fn former_names(&self) -> impl Iterator<Item = &String> {
        self.names.iter().filter(|name| **name != self.name)
    }

    /// Whether the provider knows it by its name only, so that a new name makes it another group.
    pub fn goes_by_name(&self) -> bool {
        self.idp_id.as_deref() == Some(&*self.name)
    }

    /// Takes over a deletion.
    pub fn end(&mut self, key: &OrderKey) {
        self.deleted = self.deleted.take().max(Some(key.clone()));
    }
}

/// A (group, user) pair and the event that last spoke of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edge {
    /// The group.
    pub group_id: String,
    /// The directory user, known yet or not (R16).
    pub directory_user_id: String,
    /// Added, or removed.
    pub present: bool,
    /// The event that said so.
    pub key: OrderKey,
}

impl Edge {
    /// Takes over a newer word; false when an equal or newer one is known.
    pub fn learn(&mut self, key: &OrderKey, present: bool) -> bool {
        if *key <= self.key {
            return false;
        }
        self.present = present;
        self.key = key.clone();
        true
    }

    /// Whether the user is in the group, given the group's own life.
    pub fn holds(&self, group: Option<&Group>) -> bool {
        self.present
            && group.is_none_or(|group| {
                group
                    .deleted
                    .as_ref()
                    .is_none_or(|deleted| self.key > *deleted)
            })
    }
}
