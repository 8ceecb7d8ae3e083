//! Which of the links that were found belong to one kin: those that share a key, over any number of
//! steps. Plain union and find.

use std::collections::{BTreeMap, BTreeSet};

use crate::people::kin::Key;

/// Sets that grow together: which links belong to one kin.
#[derive(Default)]
pub(super) struct Families {
    of_link: BTreeMap<String, usize>,
    of_key: BTreeMap<Key, usize>,
    parent: Vec<usize>,
}

impl Families {
    pub(super) fn join(&mut self, link: &str, keys: &BTreeSet<Key>) {
        let own = match self.of_link.get(link) {
            Some(&own) => own,
            None => self.begin(link),
        };
        for key in keys {
            match self.of_key.get(key).copied() {
                Some(other) => self.unite(own, other),
                None => {
                    self.of_key.insert(key.clone(), own);
                }
            }
        }
    }

    fn begin(&mut self, link: &str) -> usize {
        let own = self.parent.len();
        self.parent.push(own);
        self.of_link.insert(link.to_owned(), own);
        own
    }

    fn root(&self, mut at: usize) -> usize {
        while let Some(&parent) = self.parent.get(at).filter(|&&parent| parent != at) {
            at = parent;
        }
        at
    }

    fn unite(&mut self, one: usize, other: usize) {
        let (one, other) = (self.root(one), self.root(other));
        if let Some(parent) = self.parent.get_mut(one.max(other)) {
            *parent = one.min(other);
        }
    }

    pub(super) fn groups(&self) -> Vec<Vec<String>> {
        let mut groups: BTreeMap<usize, Vec<String>> = BTreeMap::new();
        for (link, &own) in &self.of_link {
            groups.entry(self.root(own)).or_default().push(link.clone());
        }
        groups.into_values().collect()
    }
}
