//! What operators decided about who is who (R20, R25, R32): two directory users are the same person,
//! or they are not. A decision has no place in the order of events: it says what was true all along,
//! so every fold knows it from the first step on, and whatever comes late or again finds it (R14).

use std::collections::{BTreeMap, BTreeSet};

use super::cluster::IdentityCluster;

/// All decisions about the people of an organization; each holds in both directions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Decisions {
    pairs: BTreeMap<String, BTreeMap<String, bool>>,
}

impl Decisions {
    /// Nothing was decided.
    pub fn none() -> &'static Self {
        static NONE: std::sync::LazyLock<Decisions> = std::sync::LazyLock::new(Decisions::default);
        &NONE
    }

    /// Takes a decision in; a later one about the same two replaces it.
    pub fn learn(&mut self, one: &str, other: &str, same: bool) {
        for (one, other) in [(one, other), (other, one)] {
            let of = self.pairs.entry(one.to_owned()).or_default();
            of.insert(other.to_owned(), same);
        }
    }

    /// Everybody who was said to be the same as this directory user, over any number of others.
    pub(super) fn same_as<'a>(&'a self, link: &'a str) -> BTreeSet<&'a str> {
        let mut all = BTreeSet::new();
        let mut next = vec![link];
        while let Some(one) = next.pop() {
            let same = self.pairs.get(one).into_iter().flatten();
            for (other, _) in same.filter(|(_, same)| **same) {
                if other != link && all.insert(other.as_str()) {
                    next.push(other);
                }
            }
        }
        all
    }

    /// Whether a directory user was said not to be that person.
    pub(super) fn parts(&self, cluster: &IdentityCluster, link: &str, person: &str) -> bool {
        self.pairs.get(link).is_some_and(|of| {
            cluster
                .links_of(person)
                .any(|other| of.get(&other.id) == Some(&false))
        })
    }

    /// Whether two people were said not to be the same.
    pub(super) fn part_people(&self, cluster: &IdentityCluster, person: &str, other: &str) -> bool {
        !self.pairs.is_empty()
            && cluster
                .links_of(person)
                .any(|link| self.parts(cluster, &link.id, other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r20_a_decision_is_found_from_either_side() {
        let mut decisions = Decisions::default();
        decisions.learn("one", "other", true);
        decisions.learn("other", "third", true);
        assert_eq!(decisions.same_as("one"), BTreeSet::from(["other", "third"]));
        assert_eq!(decisions.same_as("third"), BTreeSet::from(["one", "other"]));
    }
}
