//! Community rules, decided (R52, R53): what the rules of an organization's communities make of one
//! person, and which rows of theirs begin, change or end by it. Whatever was before, the open rows
//! are a function of the facts: a rule about being in another community is followed from what
//! operators gave by hand until nothing new comes.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::clock::{DateOrder, Timestamp};
use crate::conditions::{Condition, Facts};

use super::memberships::{LEFT, Membership, Role, Source};

/// The reason that a rule's end writes.
pub const RULE_ENDED: &str = "the rule does not apply any more";

/// A community and its rules.
#[derive(Debug, Clone, PartialEq)]
pub struct Ruled {
    /// The community.
    pub community_id: String,
    /// Its name.
    pub name: String,
    /// For whom, and what they become.
    pub rules: Vec<(Condition, Role)>,
}

/// What is known of somebody whom rules are asked about.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// Their profile id.
    pub profile_id: &'a str,
    /// Whether they may come in: who has no access is in nothing.
    pub has_access: bool,
    /// Their profile as conditions see it.
    pub profile: &'a Value,
    /// The groups they are in: id and name.
    pub groups: &'a [(String, String)],
    /// The directories that speak for them.
    pub directories: &'a [String],
    /// The communities they are in: id and name.
    pub communities: &'a [(String, String)],
    /// How the organization's directories write dates (R79).
    pub date_order: DateOrder,
    /// All their rows, open and ended.
    pub rows: &'a [Membership],
    /// Communities in which a rule's row of theirs waits in a hold, or was kept there.
    pub staged: &'a BTreeSet<String>,
}

/// A row before and after: one that a rule began, changed or ended.
pub type Turn = (Option<Membership>, Membership);

/// What the rules turn for one person.
pub fn judge(ruled: &[Ruled], candidate: &Candidate<'_>, now: Timestamp) -> Vec<Turn> {
    let wanted = match candidate.has_access {
        true => wanted(ruled, candidate),
        false => BTreeMap::new(),
    };
    let turns = ruled.iter().filter_map(|community| {
        let id = community.community_id.as_str();
        let rows = candidate.rows.iter();
        let row = rows
            .filter(|row| row.source == Source::Rule)
            .find(|row| row.community_id == id);
        turn(id, candidate, row, wanted.get(id).copied(), now)
    });
    turns.collect()
}

/// The role that rules give in each community.
fn wanted<'a>(ruled: &'a [Ruled], candidate: &Candidate<'_>) -> BTreeMap<&'a str, Role> {
    let stands = |id: &str| {
        let rows = candidate.rows.iter();
        let mut open = rows.filter(|row| row.community_id == id && row.ended_at.is_none());
        open.any(|row| row.source == Source::Manual) || candidate.staged.contains(id)
    };
    let is_ruled = |id: &str| ruled.iter().any(|community| community.community_id == id);
    // A row that a rule gave is no reason for itself, nor for one it would follow from.
    let base: Vec<(String, String)> = candidate
        .communities
        .iter()
        .filter(|(id, _)| !is_ruled(id) || stands(id))
        .cloned()
        .collect();
    let mut roles: BTreeMap<&str, Role> = BTreeMap::new();
    // Rules that contradict each other ("in A who is not in B", and the contrary) never come to rest.
    for _ in 0..=ruled.len() {
        let given = ruled
            .iter()
            .filter(|community| roles.contains_key(community.community_id.as_str()))
            .map(|community| (community.community_id.clone(), community.name.clone()));
        let communities: Vec<(String, String)> = base.iter().cloned().chain(given).collect();
        let facts = Facts {
            profile: candidate.profile,
            groups: candidate.groups,
            communities: &communities,
            directories: candidate.directories,
            date_order: candidate.date_order,
        };
        let next = ruled.iter().filter_map(|community| {
            let fitting = community
                .rules
                .iter()
                .filter(|(when, _)| when.matches(&facts));
            let role = strongest(fitting.map(|(_, role)| *role))?;
            Some((community.community_id.as_str(), role))
        });
        let next: BTreeMap<&str, Role> = next.collect();
        if next == roles {
            break;
        }
        roles = next;
    }
    roles
}

fn strongest(roles: impl Iterator<Item = Role>) -> Option<Role> {
    roles.fold(None, |best, role| match best {
        Some(Role::Admin) => best,
        _ => Some(role),
    })
}

fn turn(
    community_id: &str,
    candidate: &Candidate<'_>,
    row: Option<&Membership>,
    wanted: Option<Role>,
    now: Timestamp,
) -> Option<Turn> {
    let after = match (row, wanted) {
        (None, None) => return None,
        (None, Some(role)) => Membership {
            community_id: community_id.to_owned(),
            profile_id: candidate.profile_id.to_owned(),
            source: Source::Rule,
            role,
            given_for: None,
            former_role: None,
            stand_in: None,
            granted_at: now,
            ended_at: None,
            ended_reason: None,
        },
        (Some(row), Some(role)) => Membership {
            role,
            granted_at: if row.ended_at.is_some() {
                now
            } else {
                row.granted_at
            },
            ended_at: None,
            ended_reason: None,
            ..row.clone()
        },
        // Who left keeps the snapshot's reason: it is what a return restores from.
        (Some(row), None) if row.ended_at.is_some() => return None,
        (Some(row), None) => Membership {
            ended_at: Some(now),
            ended_reason: Some(
                if candidate.has_access {
                    RULE_ENDED
                } else {
                    LEFT
                }
                .to_owned(),
            ),
            ..row.clone()
        },
    };
    (row != Some(&after)).then(|| (row.cloned(), after))
}
