//! One page against what is kept: who is missing here, whose fields differ, which groups and edges.
//! What a newer event has spoken of since the page was true is left alone (R44).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::ReconcileError;
use super::event::{Event, time_in};
use crate::clock::Timestamp;
use crate::db::Conn;
use crate::domain::{Group, Link, Settings, differences};
use crate::store::reconciles::{self, Drift, Reconcile};
use crate::store::{cluster, groups, organizations};
use crate::workos::{Data, DirectoryUser, read_event};

/// Compares one page in one transaction.
pub(crate) struct Differ<'a> {
    conn: &'a mut Conn,
    one: &'a Reconcile,
    settings: Settings,
    /// What was not compared, because something newer was heard of it.
    pub(crate) left: Vec<LeftOut>,
}

/// What was not compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LeftOut {
    /// One of [`crate::store::left_out::LEFT_OUT`].
    pub(crate) kind: &'static str,
    pub(crate) subject: String,
    /// When what is newer happened.
    pub(crate) heard: Timestamp,
}

/// When something was last heard of a group.
pub(crate) fn heard_of_group(group: &Group) -> Option<Timestamp> {
    let keys = [&group.named, &group.deleted, &group.seen];
    keys.into_iter().flatten().map(|key| key.at).max()
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
            left: Vec::new(),
        })
    }

    pub(crate) fn users(
        &mut self,
        listed: &[Value],
        at: Timestamp,
    ) -> Result<Vec<Drift>, ReconcileError> {
        let ids: BTreeSet<String> = listed.iter().filter_map(id_of).collect();
        let links = cluster::links_by_id(self.conn, &ids)?;
        let found = listed.iter().map(|user| self.user(user, &links, at));
        Ok(found.collect::<Vec<_>>().into_iter().flatten().collect())
    }

    fn leave_out(&mut self, kind: &'static str, subject: &str, heard: Timestamp) {
        self.left.push(LeftOut {
            kind,
            subject: subject.to_owned(),
            heard,
        });
    }

    fn user(
        &mut self,
        listed: &Value,
        links: &BTreeMap<String, Link>,
        at: Timestamp,
    ) -> Option<Drift> {
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
            Some(link) if link.last.at > at => {
                self.leave_out("left_user", &id, link.last.at);
                None
            }
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
            let heard = known.get(&id).and_then(heard_of_group);
            if let Some(heard) = heard.filter(|heard| *heard > at) {
                self.leave_out("left_group", &id, heard);
                continue;
            }
            match known.get(&id) {
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
        let mut missing = Vec::new();
        for id in &ids {
            match known.get(id.as_str()) {
                Some((true, _)) => {}
                Some((false, said)) if *said > at => {
                    self.leave_out("left_edge", &format!("{group} {id}"), *said);
                }
                _ => missing.push(id),
            }
        }
        Ok(missing
            .into_iter()
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
        let (gone, newer): (Vec<_>, Vec<_>) = gone.into_iter().partition(|(_, said)| *said <= at);
        for (user, said) in newer {
            self.leave_out("left_edge", &format!("{group} {user}"), said);
        }
        Ok(gone
            .iter()
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
