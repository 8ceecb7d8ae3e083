//! What conditions may ask about people beside their profile: groups, communities, directories.
//! Groups follow the person: on a return under a new directory user id the edges of the old one
//! carry over unless a newer event says otherwise (C5).

use std::collections::{BTreeMap, BTreeSet};

use diesel::QueryResult;

use crate::clock::DateOrder;
use crate::conditions::Facts;
use crate::db::Conn;
use crate::roll::{Edge, Group, idp_key};

use super::profiles::LinkRow;
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
        let users: Vec<String> = links
            .values()
            .flatten()
            .map(|link| link.directory_user_id.clone())
            .collect();
        let mut edges: BTreeMap<String, Vec<Edge>> = BTreeMap::new();
        for edge in groups::edges_of_links(conn, &users)? {
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
            let held = edges_that_count(links, &edges, &known)
                .into_values()
                .filter(|edge| edge.holds(known.get(&edge.group_id)))
                .flat_map(|edge| match known.get(&edge.group_id) {
                    Some(group) => called(group, &in_use),
                    None => vec![(edge.group_id.clone(), String::new())],
                })
                .collect();
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

/// All that a rule may call a group: its id and name, the names it had before (unless another group
/// of the directory has one of them now), and the ids of those whose place it took (R52).
fn called(group: &Group, in_use: &BTreeSet<(String, String)>) -> Vec<(String, String)> {
    let former = group
        .former_names()
        .filter(|name| !in_use.contains(&(group.directory_id.clone(), (*name).clone())))
        .map(|name| (group.id.clone(), name.clone()));
    let taken = group
        .took_over
        .iter()
        .map(|id| (id.clone(), group.name.clone()));
    std::iter::once((group.id.clone(), group.name.clone()))
        .chain(former)
        .chain(taken)
        .collect()
}

/// The edges that count for a person: a place is theirs while any record that lives has it, whatever
/// is said of another record. Where none has, the newest edge to the group decides, over all
/// records of the same provider's id: on a return under a new directory user id the places of the old
/// one carry over (C5). Records of whom none is active do not count.
fn edges_that_count<'a>(
    links: &[LinkRow],
    edges: &'a BTreeMap<String, Vec<Edge>>,
    known: &BTreeMap<String, Group>,
) -> BTreeMap<(&'a str, String), &'a Edge> {
    let identity = |link: &LinkRow| {
        let own = link.idp_id.as_deref().and_then(idp_key);
        let own = own.unwrap_or_else(|| link.directory_user_id.clone());
        format!("{}\0{own}", link.directory_id)
    };
    let lives = |link: &LinkRow| link.state == "active";
    let active: Vec<String> = links
        .iter()
        .filter(|link| lives(link))
        .map(identity)
        .collect();
    let mut counting: BTreeMap<(&str, String), (bool, &Edge)> = BTreeMap::new();
    for link in links.iter().filter(|link| active.contains(&identity(link))) {
        for edge in edges.get(&link.directory_user_id).into_iter().flatten() {
            let holds = lives(link) && edge.holds(known.get(&edge.group_id));
            let place = (edge.group_id.as_str(), identity(link));
            match counting.get(&place) {
                Some((held, other)) if (*held, &other.key) >= (holds, &edge.key) => {}
                _ => {
                    counting.insert(place, (holds, edge));
                }
            }
        }
    }
    let edges = counting.into_iter();
    edges.map(|(place, (_, edge))| (place, edge)).collect()
}
