//! The identity-swap guard (R42): when more people than a share of the organization get another
//! provider's id or an address in another domain within an hour, somebody may have mixed up a
//! mapping, and one person's account may pass to another. Pure; the worker counts.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::workos::clean;

use super::claims::idp_key_of;
use super::cluster::{IdentityCluster, Link};
use super::compose::compose;
use super::context::Context;
use super::guard::WINDOW;

/// How many people may change identity within an hour.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SwapGuard {
    /// Always this many.
    pub floor: u32,
    /// Or this share of the people with access, in percent.
    pub percent: u32,
}

impl Default for SwapGuard {
    fn default() -> Self {
        Self {
            floor: 2,
            percent: 5,
        }
    }
}

impl SwapGuard {
    /// How many people may change within the window, of so many.
    pub fn limit(&self, headcount: usize) -> usize {
        let share = headcount.saturating_mul(self.percent as usize) / 100;
        share.max(self.floor as usize)
    }

    /// Whether these people, changed by an event received at `at`, are too many. `recent` are the
    /// earlier ones, held ones included; one person counts once.
    pub fn trips(
        &self,
        recent: &[(String, Timestamp)],
        people: &[String],
        at: Timestamp,
        headcount: usize,
    ) -> bool {
        let begin = at.minus(WINDOW);
        let within = recent
            .iter()
            .filter(|(_, earlier)| *earlier > begin && *earlier <= at)
            .map(|(person, _)| person.as_str());
        let all: BTreeSet<&str> = within.chain(people.iter().map(String::as_str)).collect();
        all.len() > self.limit(headcount)
    }
}

/// Who has access before and after, and has changed identity between two states of a cluster.
pub fn swapped(
    before: &IdentityCluster,
    after: &IdentityCluster,
    known: &Context<'_>,
) -> Vec<String> {
    let stays = after.people.values().filter(|person| {
        person.status.has_access()
            && before
                .people
                .get(&person.id)
                .is_some_and(|was| was.status.has_access())
    });
    stays
        .filter(|person| {
            after
                .links_of(&person.id)
                .any(|link| has_other_id(before, link))
                || has_other_domain(before, after, &person.id, known)
        })
        .map(|person| person.id.clone())
        .collect()
}

fn has_other_id(before: &IdentityCluster, link: &Link) -> bool {
    let was = before.links.get(&link.id).filter(|was| was.counts());
    was.is_some_and(|was| {
        let former = idp_key_of(was);
        former.is_some() && link.counts() && former != idp_key_of(link)
    })
}

fn has_other_domain(
    before: &IdentityCluster,
    after: &IdentityCluster,
    person: &str,
    known: &Context<'_>,
) -> bool {
    let domain = |cluster: &IdentityCluster| {
        let profile = compose(cluster, cluster.people.get(person)?, known);
        let (_, domain) = profile.field("email")?.rsplit_once('@')?;
        Some(clean::fold(domain))
    };
    match (domain(before), domain(after)) {
        (Some(was), Some(is)) => was != is,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn people(count: usize) -> Vec<(String, Timestamp)> {
        (0..count)
            .map(|n| (format!("p{n}"), Timestamp(60_000_000)))
            .collect()
    }

    fn trips(earlier: usize, who: &str, headcount: usize) -> bool {
        let at = Timestamp(120_000_000);
        SwapGuard::default().trips(&people(earlier), &[who.to_owned()], at, headcount)
    }

    #[test]
    fn r42_more_than_five_in_a_hundred_are_too_many() {
        assert!(!trips(4, "new", 100));
        assert!(trips(5, "new", 100));
        assert!(!trips(1, "new", 3), "two people are no swap");
        assert!(trips(2, "new", 3));
    }

    #[test]
    fn r42_one_person_counts_once_and_an_hour_only() {
        assert!(!trips(5, "p1", 100));
        let late = Timestamp(3_700_000_000);
        let guard = SwapGuard::default();
        assert!(!guard.trips(&people(50), &["new".to_owned()], late, 100));
    }
}
