//! Groups and who is in them. Both are registers: the event with the newest order key that spoke of
//! a group, or of a (group, user) pair, wins (R15); at the same instant the ending one does (C4).
//! A deleted group ends all its edges without one event for each, and an older late `user_added`
//! does not reopen them (R17).

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::workos::OrderKey;

use super::directory::DirectoryLife;

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
    /// The membership event that the name was taken from (R95), until an event of the group's own
    /// speaks of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name_mentioned: Option<OrderKey>,
    /// Likewise of its provider's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idp_id_mentioned: Option<OrderKey>,
    /// The event that deleted it last, kept: older edges stay closed. That of its directory, where
    /// the group ended with it (R85).
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
            name_mentioned: None,
            idp_id_mentioned: None,
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
            // A name that was only mentioned was never given, so it is no former one.
            if self.name_mentioned.take().is_none() {
                let former = std::mem::take(&mut self.name);
                self.names
                    .extend(Some(former).filter(|name| !name.is_empty()));
            }
            name.clone_into(&mut self.name);
            self.named = Some(key.clone());
        }
        if let Some(idp_id) = idp_id.filter(|_| newer(&self.identified)) {
            self.idp_id = Some(idp_id.to_owned());
            self.identified = Some(key.clone());
            self.idp_id_mentioned = None;
        }
        self.seen = self.seen.take().max(Some(key.clone()));
        self.born = match self.born.take() {
            Some(born) if born < *key => Some(born),
            _ => Some(key.clone()),
        };
    }

    /// Takes over what a membership event says of it beside its id, as the lowest word (R95): it
    /// stands until an event of the group's own speaks, also an older one, because WorkOS sends with
    /// an edge what it has at hand.
    pub fn mention(&mut self, key: &OrderKey, name: Option<&str>, idp_id: Option<&str>) {
        let newer = |mentioned: &Option<OrderKey>| mentioned.as_ref().is_none_or(|at| key > at);
        let name = name.filter(|_| self.named.is_none() && newer(&self.name_mentioned));
        if let Some(name) = name {
            name.clone_into(&mut self.name);
            self.name_mentioned = Some(key.clone());
        }
        let idp_id = idp_id.filter(|_| self.identified.is_none() && newer(&self.idp_id_mentioned));
        if let Some(idp_id) = idp_id {
            self.idp_id = Some(idp_id.to_owned());
            self.idp_id_mentioned = Some(key.clone());
        }
    }

    /// Ends it where its directory was deleted (R85), whichever was heard of first.
    pub fn end_with(&mut self, directory: &DirectoryLife) {
        if let Some(key) = directory.groups_ended() {
            self.end(key);
        }
    }

    /// Whether rules read both states of it the same, so that nobody in it has to be looked at again.
    pub fn reads_as(&self, before: &Self) -> bool {
        let read = |group: &Self| {
            let living = group.exists();
            (living, group.deleted.clone(), group.took_over.clone())
        };
        read(self) == read(before) && self.name == before.name && self.names == before.names
    }

    /// The names that another group of the directory may have had before, and that began or ceased to
    /// be in use (R52).
    pub fn names_turned<'a>(&'a self, before: Option<&'a Self>) -> BTreeSet<&'a str> {
        let used = |group: Option<&'a Self>| {
            let group = group.filter(|group| group.exists());
            group.map(|group| group.name.as_str())
        };
        let (was, is) = (used(before), used(Some(self)));
        let turned = if was == is { [None, None] } else { [was, is] };
        turned.into_iter().flatten().collect()
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
    /// The provider's id, where the event had no id of WorkOS's: whoever has it is meant (R95).
    pub idp_id: Option<String>,
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
