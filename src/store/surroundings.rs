//! What conditions may ask about people beside their profile: groups, communities, directories.
//! Loaded here; which groups somebody is in is decided by the roll.

use std::collections::{BTreeMap, BTreeSet};

use diesel::QueryResult;

use crate::clock::DateOrder;
use crate::conditions::Facts;
use crate::db::Conn;
use crate::domain::{Candidate, Edge, Holder, Membership, Status, groups_of};

use super::profiles::{LinkRow, ProfileRow};
use super::{groups, organizations, profiles, seated};

/// Groups, communities and directories of people, by profile id.
#[derive(Debug, Default)]
pub struct Surroundings {
    groups: BTreeMap<String, Vec<(String, String)>>,
    communities: BTreeMap<String, Vec<(String, String)>>,
    directories: BTreeMap<String, Vec<String>>,
    /// By organization: how its directories write dates.
    date_orders: BTreeMap<String, DateOrder>,
}

impl Surroundings {
    /// Loads them for the given profiles.
    pub fn of(conn: &mut Conn, ids: &[String]) -> QueryResult<Self> {
        let links = profiles::links_of(conn, ids)?;
        let names: Vec<String> = links
            .values()
            .flatten()
            .flat_map(|link| holder(link).names())
            .collect();
        let mut edges: BTreeMap<String, Vec<Edge>> = BTreeMap::new();
        for edge in groups::edges_of_links(conn, &names)? {
            edges
                .entry(edge.directory_user_id.clone())
                .or_default()
                .push(edge);
        }
        let named: BTreeSet<String> = edges
            .values()
            .flatten()
            .map(|edge| edge.group_id.clone())
            .collect();
        let named: Vec<String> = named.into_iter().collect();
        let known = groups::load(conn, &named)?;
        let former: BTreeSet<String> = known
            .values()
            .flat_map(|group| group.former_names().cloned())
            .collect();
        let of: BTreeSet<String> = known
            .values()
            .map(|group| group.directory_id.clone())
            .collect();
        let in_use = groups::names_in_use(conn, &of, &former)?;
        let mut all = Self::default();
        for (profile, links) in &links {
            let holders: Vec<Holder<'_>> = links.iter().map(holder).collect();
            let held = groups_of(&holders, &edges, &known, &in_use);
            all.groups.insert(profile.clone(), held);
            let active = links
                .iter()
                .filter(|link| link.state == "active")
                .map(|link| link.directory_id.clone());
            all.directories.insert(profile.clone(), active.collect());
        }
        let homes = profiles::organizations_of(conn, ids)?;
        let homes = organizations::load(conn, &homes)?.into_values();
        all.date_orders = homes.map(|one| (one.id, one.settings.date_order)).collect();
        for (profile, theirs) in seated::of_profiles(conn, ids)? {
            all.communities.insert(
                profile,
                theirs.into_iter().map(|(id, name, _)| (id, name)).collect(),
            );
        }
        Ok(all)
    }

    /// What rules are asked about somebody: `profile` is their JSON, `rows` their memberships, and
    /// `staged` the communities where the end of a rule's row waits or was refused.
    pub fn candidate<'a>(
        &'a self,
        row: &'a ProfileRow,
        profile: &'a serde_json::Value,
        rows: &'a [Membership],
        staged: &'a BTreeSet<String>,
    ) -> Candidate<'a> {
        let facts = self.facts(&row.id, profile);
        let status = Status::parse(&row.status);
        Candidate {
            profile_id: &row.id,
            has_access: status.is_some_and(Status::has_access),
            profile,
            groups: facts.groups,
            directories: facts.directories,
            communities: facts.communities,
            date_order: facts.date_order,
            rows,
            staged,
        }
    }

    /// The facts of one person; `profile` is their JSON.
    pub fn facts<'a>(&'a self, id: &str, profile: &'a serde_json::Value) -> Facts<'a> {
        Facts {
            profile,
            groups: self.groups.get(id).map_or(&[], Vec::as_slice),
            communities: self.communities.get(id).map_or(&[], Vec::as_slice),
            directories: self.directories.get(id).map_or(&[], Vec::as_slice),
            date_order: profile
                .get("organization_id")
                .and_then(serde_json::Value::as_str)
                .and_then(|home| self.date_orders.get(home))
                .copied()
                .unwrap_or_default(),
        }
    }
}

fn holder(link: &LinkRow) -> Holder<'_> {
    Holder {
        directory_user_id: &link.directory_user_id,
        directory_id: &link.directory_id,
        idp_id: link.idp_id.as_deref(),
        active: link.state == "active",
    }
}
