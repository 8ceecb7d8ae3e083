//! Community rules in the desk: whose rules are asked again is found as the worker finds it, and what
//! they say is judged by the very function of the worker. Whoever is not asked keeps what they had.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use serde_json::{Map, Value, json};

use crate::clock::{DateOrder, Timestamp};
use crate::conditions::Condition;
use crate::domain::{
    Candidate, Edge, FIELDS, Group, Holder, Left, Membership, Profile, Role, Ruled, displaced,
    follow_status, groups_of, judge,
};
use crate::workos::{self, OrderKey};

use super::desk::Desk;
use super::story::communities;

/// The rows that rules gave, by profile id.
pub type Places = BTreeMap<String, Vec<Membership>>;

/// The communities of the stories.
fn ruled() -> &'static [Ruled] {
    static ALL: LazyLock<Vec<Ruled>> = LazyLock::new(read);
    &ALL
}

fn read() -> Vec<Ruled> {
    let rule = |(when, role): (Value, &str)| {
        (
            Condition::parse(&when, "when").unwrap(),
            Role::parse(role).unwrap(),
        )
    };
    let all = communities(0).into_iter().map(|(name, rules)| Ruled {
        community_id: format!("community {name}"),
        name: name.to_owned(),
        rules: rules.into_iter().map(rule).collect(),
    });
    all.collect()
}

impl Desk {
    pub fn change_group(&mut self, id: &str, directory: &str, change: impl FnOnce(&mut Group)) {
        let group = self.groups.entry(id.to_owned());
        let group = group.or_insert_with(|| Group::unnamed(id, directory));
        change(group);
        if let Some(life) = self.lives.get(directory) {
            group.end_with(life);
        }
    }

    pub fn connect(&mut self, key: &OrderKey, said: &workos::Membership, present: bool) {
        let (id, directory) = (&said.group.id, &said.directory_id);
        self.change_group(id, directory, |group| {
            group.mention(
                key,
                said.group.name.as_deref(),
                said.group.idp_id.as_deref(),
            );
        });
        let fresh = Edge {
            group_id: id.clone(),
            directory_user_id: said.user_id.clone(),
            idp_id: said.user_idp_id.clone(),
            present,
            key: key.clone(),
        };
        let place = (id.clone(), said.user_id.clone());
        let edge = self.edges.entry(place).or_insert(fresh);
        edge.learn(key, present);
    }

    /// What hung on somebody who turned out to be somebody else moves to that one.
    pub fn move_places(&mut self, gone: &str, heir: Option<&str>) {
        let rows = self.places.remove(gone).unwrap_or_default();
        let Some(heir) = heir else { return };
        let theirs = self.places.entry(heir.to_owned()).or_default();
        for row in rows {
            if theirs
                .iter()
                .all(|own| own.community_id != row.community_id)
            {
                theirs.push(Membership {
                    profile_id: heir.to_owned(),
                    ..row
                });
            }
        }
    }

    /// Asks the rules about everybody whom what was taken in may concern.
    pub fn follow_rules(&mut self, before: &Self) {
        let (was, is) = (before.profiles(), self.profiles());
        let mut concerned: BTreeSet<String> = is
            .iter()
            .filter(|(id, profile)| was.get(*id) != Some(profile))
            .map(|(id, _)| id.clone())
            .collect();
        for (before, after) in before.cluster.iter().zip(&self.cluster) {
            concerned.extend(displaced(before, after));
        }
        let moved: BTreeSet<&(String, String)> = self
            .edges
            .iter()
            .filter(|(place, edge)| before.edges.get(*place) != Some(edge))
            .map(|(place, _)| place)
            .collect();
        let turned = self.groups_turned(before);
        let names = self
            .edges
            .keys()
            .filter(|place| moved.contains(place) || turned.contains(&place.0));
        let names: BTreeSet<&str> = names.map(|(_, user)| user.as_str()).collect();
        for link in self
            .cluster
            .iter()
            .flat_map(|cluster| cluster.links.values())
        {
            if Holder::of(link)
                .names()
                .iter()
                .any(|name| names.contains(name.as_str()))
            {
                concerned.insert(link.person.clone());
            }
        }
        let ruled = ruled();
        for (id, profile) in is.iter().filter(|(id, _)| concerned.contains(*id)) {
            let left = self
                .cluster
                .iter()
                .find_map(|cluster| cluster.people.get(id)?.left.clone());
            let rows = self.places.entry(id.clone()).or_default();
            let policy = self.settings.restore_admin;
            let left = Left {
                before: left.as_ref(),
                now: left.as_ref(),
            };
            follow_status(rows, profile.status, left, policy, Timestamp(1));
            self.judge(ruled, profile);
        }
    }

    fn groups_turned(&self, before: &Self) -> BTreeSet<&String> {
        let mut turned = BTreeSet::new();
        for group in self.groups.values() {
            let was = before.groups.get(&group.id);
            if was.is_some_and(|was| group.reads_as(was)) {
                continue;
            }
            turned.insert(&group.id);
            let names = group.names_turned(was);
            let others = self.groups.values();
            let had = others.filter(|other| {
                let mut former = other.former_names();
                other.directory_id == group.directory_id
                    && former.any(|name| names.contains(name.as_str()))
            });
            turned.extend(had.map(|other| &other.id));
        }
        turned
    }

    fn judge(&mut self, ruled: &[Ruled], profile: &Profile) {
        let links = self
            .cluster
            .iter()
            .flat_map(|cluster| cluster.links_of(&profile.id));
        let holders: Vec<Holder<'_>> = links.map(Holder::of).collect();
        let mut edges: BTreeMap<String, Vec<Edge>> = BTreeMap::new();
        for edge in self.edges.values() {
            let known = edges.entry(edge.directory_user_id.clone()).or_default();
            known.push(edge.clone());
        }
        let living = self.groups.values().filter(|group| group.exists());
        let in_use: BTreeSet<(String, String)> = living
            .map(|group| (group.directory_id.clone(), group.name.clone()))
            .collect();
        let groups = groups_of(&holders, &edges, &self.groups, &in_use);
        let active = holders.iter().filter(|holder| holder.active);
        let directories: Vec<String> = active
            .map(|holder| holder.directory_id.to_owned())
            .collect();
        let rows = self.places.get(&profile.id).cloned().unwrap_or_default();
        let named = |row: &Membership| {
            let id = row.community_id.clone();
            (id.clone(), id.trim_start_matches("community ").to_owned())
        };
        let open = rows.iter().filter(|row| row.ended_at.is_none());
        let communities: Vec<(String, String)> = open.map(named).collect();
        let facts = facts_of(profile);
        let candidate = Candidate {
            profile_id: &profile.id,
            has_access: profile.status.has_access(),
            profile: &facts,
            groups: &groups,
            directories: &directories,
            communities: &communities,
            date_order: DateOrder::default(),
            rows: &rows,
            staged: &BTreeSet::new(),
        };
        let turned = judge(ruled, &candidate, Timestamp(2));
        let rows = self.places.entry(profile.id.clone()).or_default();
        for (_, after) in turned {
            rows.retain(|row| row.community_id != after.community_id);
            rows.push(after);
        }
    }

    /// Where somebody is, and as what.
    pub fn communities_of(&self, profile: &str) -> Vec<String> {
        let rows = self.places.get(profile).into_iter().flatten();
        let open = rows.filter(|row| row.ended_at.is_none());
        let mut all: Vec<String> = open
            .map(|row| {
                let name = row.community_id.trim_start_matches("community ");
                format!("{} {name}", row.role.as_str())
            })
            .collect();
        all.sort();
        all
    }
}

fn facts_of(profile: &Profile) -> Value {
    let mut facts = Map::new();
    for name in FIELDS {
        facts.insert(name.into(), json!(profile.field(name)));
    }
    facts.insert(
        "attributes".into(),
        Value::Object(profile.attributes.clone()),
    );
    Value::Object(facts)
}
