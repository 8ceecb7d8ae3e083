//! Groups and places in them, as a batch has them in hand: loaded with the batch, ended with their
//! directory (R85), and compared with what they were, so that rules are asked again for everybody
//! whom it may concern and for nobody else.

use std::collections::{BTreeMap, BTreeSet};

use diesel::QueryResult;

use crate::db::Conn;
use crate::domain::Group;
use crate::store::groups;
use crate::workos::{Data, provider_user};

use super::incoming::IncomingEvent;
use super::working_set::WorkingSet;

impl WorkingSet {
    /// Loads the groups that the items speak of, and what is known of the users of their edges.
    pub(super) fn load_groups(
        &mut self,
        conn: &mut Conn,
        items: &[IncomingEvent],
    ) -> QueryResult<()> {
        let mut ids = BTreeSet::new();
        let mut users = BTreeSet::new();
        for item in items {
            match item.data() {
                Some(
                    Data::GroupCreated(group)
                    | Data::GroupUpdated(group)
                    | Data::GroupDeleted(group),
                ) => {
                    ids.insert(group.id.clone());
                }
                Some(Data::UserAdded(edge) | Data::UserRemoved(edge)) => {
                    ids.insert(edge.group.id.clone());
                    users.insert(edge.user_id.clone());
                }
                _ => {}
            }
        }
        self.groups = groups::load(conn, &ids.into_iter().collect::<Vec<_>>())?;
        self.groups_before = self.groups.clone();
        let users: Vec<String> = users.into_iter().collect();
        for edge in groups::edges_of_links(conn, &users)? {
            self.edges.insert(
                (edge.group_id.clone(), edge.directory_user_id.clone()),
                edge,
            );
        }
        let known = groups::people_of(conn, &users)?;
        self.users_known
            .extend(known.into_iter().map(|(user, _)| user));
        Ok(())
    }

    /// The group, begun where nobody spoke of it yet, and ended where its directory was deleted.
    pub(super) fn group_in_hand(&mut self, id: &str, directory: &str) -> &mut Group {
        let group = self.groups.entry(id.to_owned()).or_insert_with(|| {
            self.changed_groups.insert(id.to_owned());
            Group::unnamed(id, directory)
        });
        if let Some(life) = self.lives.get(&group.directory_id) {
            group.end_with(life);
        }
        group
    }

    /// Whether the user of an edge was announced, as far as this batch was folded.
    pub(super) fn is_announced(&self, user: &str, by_provider: bool) -> bool {
        let in_hand = || {
            let links = self
                .relatives
                .iter()
                .flat_map(|one| one.cluster.links.values());
            let mut named = links.filter_map(|link| {
                let idp_id = link.idp_id.as_deref()?;
                Some(provider_user(&link.directory_id, idp_id))
            });
            named.any(|name| name == user)
        };
        let place = self.place.get(user);
        let relatives = place.and_then(|place| self.relatives.get(*place));
        self.users_known.contains(user)
            || relatives.is_some_and(|one| one.cluster.links.contains_key(user))
            || (by_provider && in_hand())
    }

    /// Ends every group of a deleted directory (R85).
    pub(super) fn end_groups_of(&mut self, conn: &mut Conn, directory: &str) -> QueryResult<()> {
        for group in groups::ever_of_directory(conn, directory)? {
            self.groups_before
                .entry(group.id.clone())
                .or_insert_with(|| group.clone());
            self.groups.entry(group.id.clone()).or_insert(group);
        }
        let Some(life) = self.lives.get(directory) else {
            return Ok(());
        };
        for (id, group) in &mut self.groups {
            if group.directory_id != directory {
                continue;
            }
            let before = group.deleted.clone();
            group.end_with(life);
            if group.deleted != before {
                self.changed_groups.insert(id.clone());
            }
        }
        Ok(())
    }

    /// Groups that rules read otherwise than before this batch, and groups whose former name another
    /// one took or gave back by it (R52).
    pub(super) fn groups_turned(&self, conn: &mut Conn) -> QueryResult<Vec<String>> {
        let mut turned = BTreeSet::new();
        let mut names: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        let changed = self.changed_groups.iter();
        for group in changed.filter_map(|id| self.groups.get(id)) {
            let before = self.groups_before.get(&group.id);
            if before.is_some_and(|before| group.reads_as(before)) {
                continue;
            }
            turned.insert(group.id.clone());
            let named = names.entry(group.directory_id.as_str()).or_default();
            named.extend(group.names_turned(before));
        }
        names.retain(|_, names| !names.is_empty());
        for other in groups::renamed(conn, &names.keys().copied().collect())? {
            let named = names.get(other.directory_id.as_str());
            let mut former = other.former_names();
            if named.is_some_and(|named| former.any(|name| named.contains(name.as_str()))) {
                turned.insert(other.id.clone());
            }
        }
        Ok(turned.into_iter().collect())
    }
}
