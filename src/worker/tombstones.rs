//! Words about people who were erased (R65): found by keyed hashes before anything is loaded, dropped
//! before anything is kept. An event that is dropped leaves its queue row and nothing that names anybody.

use std::collections::{BTreeMap, BTreeSet};

use diesel::QueryResult;

use crate::clock::Timestamp;
use crate::db::Conn;
use crate::domain::Life;
use crate::domain::erasure::{Ruling, Tombstone, Word};
use crate::outbox;
use crate::store::cluster::Found;
use crate::store::erasures::{self, ErasureKey};
use crate::workos::Data;

use super::incoming::IncomingEvent;

/// Who was erased, as far as a batch touches them.
#[derive(Debug)]
pub(super) struct Tombstones {
    key: ErasureKey,
    /// Erased profiles that the directory was found to have let go, and when.
    ended: BTreeMap<String, Timestamp>,
    /// Profiles that somebody of this batch might otherwise be taken for.
    near: BTreeSet<String>,
}

impl Tombstones {
    /// `None` while nobody was ever erased.
    pub(super) fn open(conn: &mut Conn) -> QueryResult<Option<Self>> {
        Ok(erasures::key(conn)?.map(|key| Self {
            key,
            ended: BTreeMap::new(),
            near: BTreeSet::new(),
        }))
    }

    /// Marks the items that are not to be heard. They come in the order of their keys.
    pub(super) fn judge(
        &mut self,
        conn: &mut Conn,
        items: &mut [IncomingEvent],
    ) -> QueryResult<()> {
        let keys: BTreeSet<String> = items
            .iter()
            .filter_map(|item| self.keys_of(item))
            .flatten()
            .collect();
        let mut stones = erasures::load(conn, &keys)?;
        if stones.is_empty() {
            return Ok(());
        }
        let mut returned = self.returned(conn, items, &stones)?;
        for item in items {
            let Some(word) = word_of(item) else {
                continue;
            };
            let keys = self.keys_of(item).unwrap_or_default();
            let came = keys.iter().any(|key| returned.contains(key));
            let mut heard = true;
            for key in &keys {
                for stone in stones.get_mut(key).into_iter().flatten() {
                    heard &= self.ask(stone, item.key.at, word, came) == Ruling::Heard;
                }
            }
            if !heard {
                item.erased = true;
            } else if item.observation().is_some() {
                returned.extend(keys);
            }
        }
        Ok(())
    }

    fn ask(&mut self, stone: &mut Tombstone, at: Timestamp, word: Word, came: bool) -> Ruling {
        self.near.insert(stone.profile_id.clone());
        let ruling = stone.rule(at, word, came);
        if ruling == Ruling::Ends {
            stone.ended_at = stone.ended_at.max(Some(at));
            self.ended.insert(stone.profile_id.clone(), at);
        }
        ruling
    }

    /// The hashes under which people who are known now could have been erased earlier.
    fn returned(
        &self,
        conn: &mut Conn,
        items: &[IncomingEvent],
        stones: &BTreeMap<String, Vec<Tombstone>>,
    ) -> QueryResult<BTreeSet<String>> {
        let meant = items.iter().filter(|item| {
            let keys = self.keys_of(item).unwrap_or_default();
            keys.iter().any(|key| stones.contains_key(key))
        });
        let (mut users, mut idp_ids) = (Vec::new(), BTreeSet::new());
        for item in meant {
            if let Some((user, _, idp_id)) = ids_of(item) {
                users.push(user);
                let organization = item.organization_id.clone().unwrap_or_default();
                idp_ids.extend(idp_id.map(|idp_id| (organization, idp_id)));
            }
        }
        let known = erasures::present(conn, &users, &idp_ids)?;
        let hashes = known
            .iter()
            .flat_map(|(user, directory, idp_id)| self.key.of(user, directory, idp_id.as_deref()));
        Ok(hashes.collect())
    }

    fn keys_of(&self, item: &IncomingEvent) -> Option<Vec<String>> {
        let (user, directory, idp_id) = ids_of(item)?;
        Some(self.key.of(&user, &directory, idp_id.as_deref()))
    }

    /// The erased profiles whose ids the cluster in hand could come by, and those of this batch: whoever
    /// of them returns gets a profile of their own.
    pub(super) fn near(
        tombstones: &mut Option<Self>,
        conn: &mut Conn,
        found: &Found,
    ) -> QueryResult<BTreeSet<String>> {
        if tombstones.is_none() {
            *tombstones = Self::open(conn)?;
        }
        let Some(tombstones) = tombstones else {
            return Ok(BTreeSet::new());
        };
        let keys = found.links.values().flat_map(|link| {
            tombstones
                .key
                .of(&link.id, &link.directory_id, link.idp_id.as_deref())
        });
        let stones = erasures::load(conn, &keys.collect())?;
        let profiles = stones.into_values().flatten().map(|stone| stone.profile_id);
        Ok(profiles.chain(tombstones.near.iter().cloned()).collect())
    }

    /// Takes away what the dropped events said, and notes whom the directory has let go.
    pub(super) fn close(&self, conn: &mut Conn, items: &[IncomingEvent]) -> QueryResult<()> {
        for (profile, at) in &self.ended {
            erasures::end(conn, profile, *at)?;
        }
        for item in items.iter().filter(|item| item.erased) {
            if let Some((user, ..)) = ids_of(item) {
                let subject = self.key.of_user(&user);
                outbox::forget(conn, &item.claimed.event_id, &subject)?;
            }
        }
        Ok(())
    }
}

/// Directory user, directory and, where it can be relied upon, the provider's id.
fn ids_of(item: &IncomingEvent) -> Option<(String, String, Option<String>)> {
    match &item.event.as_ref().ok()?.data {
        Data::UserCreated(user) | Data::UserUpdated(user) | Data::UserDeleted(user) => Some((
            user.id.clone(),
            user.directory_id.clone(),
            user.idp_id.clone(),
        )),
        Data::UserAdded(edge) | Data::UserRemoved(edge) => Some((
            edge.user_id.clone(),
            edge.directory_id.clone(),
            edge.user_idp_id.clone(),
        )),
        _ => None,
    }
}

/// What it says, in the terms of an erasure; a group's word never speaks of somebody's going.
fn word_of(item: &IncomingEvent) -> Option<Word> {
    if let Some((_, observation)) = item.observation() {
        return Some(match observation.life() {
            Life::Active => Word::Comes,
            Life::Inactive | Life::Deleted => Word::Goes,
            Life::Silent => Word::Speaks,
        });
    }
    match item.data()? {
        Data::UserAdded(_) => Some(Word::Comes),
        Data::UserRemoved(_) => Some(Word::Speaks),
        Data::UserCreated(_) | Data::UserUpdated(_) | Data::UserDeleted(_) => Some(Word::Speaks),
        _ => None,
    }
}
