//! One page against what is kept: who is missing here, whose fields differ, which groups and edges.
//! What a newer event has spoken of since the page was true is left alone (R44).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::ReconcileError;
use super::event::{Event, time_in};
use crate::clock::Timestamp;
use crate::db::Conn;
use crate::people::reconciles::{self, Drift, Reconcile};
use crate::people::{groups, kin, organizations};
use crate::roll::{Link, Settings, differences};
use crate::workos::{Data, DirectoryUser, read_event};

/// Compares one page in one transaction.
pub(crate) struct Differ<'a> {
    conn: &'a mut Conn,
    one: &'a Reconcile,
    settings: Settings,
}

pub(crate) fn id_of(one: &Value) -> Option<String> {
    one.get("id").and_then(Value::as_str).map(str::to_owned)
}

impl<'a> Differ<'a> {
    pub(crate) fn new(conn: &'a mut Conn, one: &'a Reconcile) -> Result<Self, ReconcileError> {
        let organization = organizations::find(conn, &one.organization_id)?;
        let settings = organization.map(|known| known.settings).unwrap_or_default();
        Ok(Self {
            conn,
            one,
            settings,
        })
    }

    pub(crate) fn users(
        &mut self,
        listed: &[Value],
        at: Timestamp,
    ) -> Result<Vec<Drift>, ReconcileError> {
        let ids: BTreeSet<String> = listed.iter().filter_map(id_of).collect();
        let links = kin::links_by_id(self.conn, &ids)?;
        Ok(listed
            .iter()
            .filter_map(|user| self.user(user, &links, at))
            .collect())
    }

    fn user(&self, listed: &Value, links: &BTreeMap<String, Link>, at: Timestamp) -> Option<Drift> {
        let id = id_of(listed)?;
        let mut data = listed.clone();
        data["directory_id"] = json!(self.one.directory_id);
        data["organization_id"] = json!(self.one.organization_id);
        match links.get(&id) {
            None => {
                // Dated by WorkOS's own last word, so that nobody looks newer than they are (R58).
                let said = time_in(&data, "updated_at").unwrap_or(at).min(at);
                Some(Event::of(self.one, "user_missing_here", &id).saying(
                    "dsync.user.created",
                    data,
                    said,
                ))
            }
            Some(link) if link.last.at > at => None,
            Some(link) => {
                let event = Event::of(self.one, "user_differs", &id);
                let fields = differences(link, &read_user(&data)?, &self.settings);
                (!fields.is_empty())
                    .then(|| event.fields(fields).saying("dsync.user.updated", data, at))
            }
        }
    }

    pub(crate) fn groups(
        &mut self,
        listed: &[Value],
        at: Timestamp,
    ) -> Result<Vec<Drift>, ReconcileError> {
        let ids: Vec<String> = listed.iter().filter_map(id_of).collect();
        let known = groups::load(self.conn, &ids)?;
        let mut found = Vec::new();
        for group in listed {
            let Some(id) = id_of(group) else { continue };
            let mut data = group.clone();
            data["directory_id"] = json!(self.one.directory_id);
            data["organization_id"] = json!(self.one.organization_id);
            let name = group
                .get("name")
                .and_then(Value::as_str)
                .unwrap_or_default();
            let newest = |group: &crate::roll::Group| {
                let keys = [&group.named, &group.deleted, &group.seen];
                keys.into_iter().flatten().map(|key| key.at).max()
            };
            match known.get(&id) {
                Some(group) if newest(group).is_some_and(|last| last > at) => {}
                Some(group) if group.exists() && group.seen.is_some() => {
                    if group.name != name {
                        let event = Event::of(self.one, "group_differs", &id)
                            .fields(vec!["name".to_owned()]);
                        found.push(event.saying("dsync.group.updated", data, at));
                    }
                }
                _ => found.push(Event::of(self.one, "group_missing_here", &id).saying(
                    "dsync.group.created",
                    data,
                    at,
                )),
            }
        }
        Ok(found)
    }

    /// Users that a group's page names and that are not in it here.
    pub(crate) fn edges(
        &mut self,
        group: &str,
        listed: &[Value],
        at: Timestamp,
    ) -> Result<Vec<Drift>, ReconcileError> {
        let ids: Vec<String> = listed.iter().filter_map(id_of).collect();
        let edges = groups::edges_of_links(self.conn, &ids)?;
        let known: BTreeMap<&str, (bool, Timestamp)> = edges
            .iter()
            .filter(|edge| edge.group_id == group)
            .map(|edge| (edge.directory_user_id.as_str(), (edge.present, edge.key.at)))
            .collect();
        let missing = ids.iter().filter(|id| match known.get(id.as_str()) {
            Some((present, said)) => !present && *said <= at,
            None => true,
        });
        Ok(missing
            .map(|user| {
                self.edge(
                    "edge_missing_here",
                    "dsync.group.user_added",
                    group,
                    user,
                    at,
                )
            })
            .collect())
    }

    /// Users that are in a group here and that its whole listing did not name.
    pub(crate) fn edges_gone(
        &mut self,
        group: &str,
        at: Timestamp,
    ) -> Result<Vec<Drift>, ReconcileError> {
        let gone = reconciles::unseen_edges(self.conn, self.one, group)?;
        let gone = gone.iter().filter(|(_, said)| *said <= at);
        Ok(gone
            .map(|(user, _)| {
                self.edge(
                    "edge_missing_there",
                    "dsync.group.user_removed",
                    group,
                    user,
                    at,
                )
            })
            .collect())
    }

    pub(crate) fn edge(
        &self,
        kind: &'static str,
        event_type: &str,
        group: &str,
        user: &str,
        at: Timestamp,
    ) -> Drift {
        let within = |id: &str| {
            json!({
                "id": id, "directory_id": self.one.directory_id, "organization_id": self.one.organization_id,
            })
        };
        let data = json!({"directory_id": self.one.directory_id, "user": within(user), "group": within(group)});
        Event::of(self.one, kind, &format!("{group} {user}")).saying(event_type, data, at)
    }
}

/// A listed user as an event would say them.
pub(crate) fn read_user(data: &Value) -> Option<DirectoryUser> {
    let body = json!({"id": "listed", "event": "dsync.user.updated", "data": data});
    match read_event(&body.to_string()).ok()?.data {
        Data::UserUpdated(user) => Some(user),
        _ => None,
    }
}
