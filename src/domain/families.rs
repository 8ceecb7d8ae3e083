//! Which links belong to one cluster: those that share a key, over any number of others.

use std::collections::{BTreeMap, BTreeSet};

/// Sets that grow together: which links belong to one cluster.
#[derive(Debug)]
pub struct Families<K> {
    of_link: BTreeMap<String, usize>,
    of_key: BTreeMap<K, usize>,
    parent: Vec<usize>,
}

impl<K> Default for Families<K> {
    fn default() -> Self {
        Self {
            of_link: BTreeMap::new(),
            of_key: BTreeMap::new(),
            parent: Vec::new(),
        }
    }
}

impl<K: Ord + Clone> Families<K> {
    /// Takes in a link with keys of its own.
    pub fn join(&mut self, link: &str, keys: &BTreeSet<K>) {
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

    /// The directory user ids of each cluster.
    pub fn groups(&self) -> Vec<Vec<String>> {
        let mut groups: BTreeMap<usize, Vec<String>> = BTreeMap::new();
        for (link, &own) in &self.of_link {
            groups.entry(self.root(own)).or_default().push(link.clone());
        }
        groups.into_values().collect()
    }
}
