//! One person on demand, step by step: found at WorkOS, matched, mapped, applied. What differs goes
//! through the outbox and its guards and is worked off at once, so that the answer is what came of it.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::reconcile::apply::removal;
use super::reconcile::differ::Differ;
use super::reconcile::{ReconcileError, passing};
use super::{new_event, read, write};
use crate::clock::{Clock, Timestamp};
use crate::db::{Conn, Db, DbError};
use crate::domain::is_of_logins;
use crate::operations::{Actor, OperationError, Role, audit};
use crate::outbox::{self, NewEvent};
use crate::store::profiles::{self, LinkRow};
use crate::store::reconciles::Drift;
use crate::store::{cluster, directories, groups};
use crate::worker::{self, BatchSettings};
use crate::workos::client::{Client, ClientError};

/// One step, in a sentence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[allow(missing_docs, reason = "the fields of the API")]
pub struct ResyncStep {
    /// `found`, `matched`, `mapped` or `applied`.
    pub step: &'static str,
    pub directory_user_id: String,
    pub ok: bool,
    pub sentence: String,
}

/// What a resync did.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[allow(missing_docs, reason = "the fields of the API")]
pub struct ResyncView {
    pub profile_id: String,
    pub steps: Vec<ResyncStep>,
    pub changed: bool,
}

/// Why a resync did not come about.
#[derive(Debug, thiserror::Error)]
pub enum ResyncError {
    /// The operation was refused.
    #[error(transparent)]
    Desk(#[from] OperationError),
    /// WorkOS.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// What was asked for could not be compared.
    #[error(transparent)]
    Compare(#[from] ReconcileError),
}

impl From<DbError> for ResyncError {
    fn from(error: DbError) -> Self {
        Self::Desk(error.into())
    }
}

impl From<diesel::result::Error> for ResyncError {
    fn from(error: diesel::result::Error) -> Self {
        Self::Desk(error.into())
    }
}

/// What WorkOS says of one directory user.
pub(super) struct Asked {
    id: String,
    /// `None`: it knows nobody of that id.
    user: Option<Value>,
    groups: Vec<Value>,
    at: Timestamp,
}

impl Asked {
    pub(super) async fn whole(
        client: &Client,
        directory: &str,
        id: &str,
        at: Timestamp,
    ) -> Result<Self, ClientError> {
        let user = match client.user(directory, id).await {
            Err(error) if error.is_not_found() => None,
            done => Some(done?),
        };
        match user {
            None => Ok(Self {
                id: id.to_owned(),
                user,
                groups: Vec::new(),
                at,
            }),
            Some(_) => Ok(Self {
                user,
                ..Self::groups_of(client, id, at).await?
            }),
        }
    }

    /// The groups alone.
    pub(super) async fn groups_of(
        client: &Client,
        id: &str,
        at: Timestamp,
    ) -> Result<Self, ClientError> {
        Ok(Self {
            id: id.to_owned(),
            user: None,
            groups: client.all_groups_of_user(id).await?,
            at,
        })
    }

    /// What differs, fields first.
    fn drift(
        &self,
        conn: &mut Conn,
        organization: &str,
        link: &LinkRow,
    ) -> Result<Found, ReconcileError> {
        let one = passing(organization, &link.directory_id, self.at);
        let Some(user) = &self.user else {
            let ids = [self.id.clone()].into();
            let newer = cluster::links_by_id(conn, &ids)?
                .values()
                .any(|link| link.last.at > self.at);
            let gone = removal(
                &one,
                "user_missing_there",
                "dsync.user.deleted",
                &self.id,
                self.at,
            );
            return Ok(Found {
                drift: if newer { Vec::new() } else { vec![gone] },
                newer,
            });
        };
        let mut differ = Differ::new(conn, &one)?;
        let mut drift = differ.users(std::slice::from_ref(user), self.at)?;
        let newer = !differ.left.is_empty();
        drift.extend(self.edges(conn, organization, &link.directory_id)?);
        Ok(Found { drift, newer })
    }

    /// Groups and edges that differ.
    fn edges(
        &self,
        conn: &mut Conn,
        organization: &str,
        directory: &str,
    ) -> Result<Vec<Drift>, ReconcileError> {
        let one = passing(organization, directory, self.at);
        let known = groups::edges_of_links(conn, std::slice::from_ref(&self.id))?;
        let mut differ = Differ::new(conn, &one)?;
        let mut found = differ.groups(&self.groups, self.at)?;
        let listed: Vec<&str> = self
            .groups
            .iter()
            .filter_map(|group| group.get("id")?.as_str())
            .collect();
        for group in &listed {
            let edge = known.iter().find(|edge| edge.group_id == **group);
            if edge.is_none_or(|edge| !edge.present && edge.key.at <= self.at) {
                found.push(differ.edge(
                    "edge_missing_here",
                    "dsync.group.user_added",
                    group,
                    &self.id,
                    self.at,
                ));
            }
        }
        let gone = known.iter().filter(|edge| {
            edge.present && edge.key.at <= self.at && !listed.contains(&edge.group_id.as_str())
        });
        for edge in gone {
            found.push(differ.edge(
                "edge_missing_there",
                "dsync.group.user_removed",
                &edge.group_id,
                &self.id,
                self.at,
            ));
        }
        Ok(found)
    }

    /// Puts everything that differs into the outbox.
    pub(super) fn mend(
        &self,
        conn: &mut Conn,
        organization: &str,
        link: &LinkRow,
        now: Timestamp,
    ) -> Result<(), ReconcileError> {
        let found = self.drift(conn, organization, link)?;
        outbox::enqueue(conn, &events_of(&found.drift, now))?;
        Ok(())
    }

    /// Puts what differs of groups and edges into the outbox.
    pub(super) fn mend_edges(
        &self,
        conn: &mut Conn,
        directory: &str,
        now: Timestamp,
    ) -> Result<(), ReconcileError> {
        let known = directories::load(conn, &[directory.to_owned()])?;
        let Some(known) = known.get(directory) else {
            return Ok(());
        };
        let found = self.edges(conn, &known.organization_id, directory)?;
        outbox::enqueue(conn, &events_of(&found, now))?;
        Ok(())
    }
}

/// What differs of one person.
struct Found {
    drift: Vec<Drift>,
    /// The person was not compared: something newer was heard of them while WorkOS was asked.
    newer: bool,
}

fn events_of(found: &[Drift], now: Timestamp) -> Vec<NewEvent> {
    found
        .iter()
        .filter_map(|item| new_event(&item.body, now).ok())
        .collect()
}

/// Asks WorkOS about everybody a profile stands for, and applies what differs.
pub async fn resync(
    db: &Db,
    clock: &Clock,
    client: &Client,
    actor: Actor,
    id: &str,
) -> Result<ResyncView, ResyncError> {
    let (profile_id, by) = (id.to_owned(), actor.clone());
    let (organization, links) = read(db, move |conn| {
        by.require(Role::Operator)?;
        let known = profiles::find(conn, &profile_id)?;
        let organization = known
            .map(|row| row.organization_id)
            .filter(|id| by.may_see(Some(id)))
            .ok_or_else(|| OperationError::not_found("profile", &profile_id))?;
        let all = profiles::links_of(conn, std::slice::from_ref(&profile_id))?;
        let real = all
            .into_values()
            .flatten()
            .filter(|link| !is_of_logins(&link.directory_id));
        Ok::<_, ResyncError>((organization, real.collect::<Vec<_>>()))
    })
    .await?;
    let mut view = ResyncView {
        profile_id: id.to_owned(),
        steps: Vec::new(),
        changed: false,
    };
    if links.is_empty() {
        view.steps.push(step(
            "found",
            "",
            false,
            "no directory speaks for this person: log-ins keep them up to date",
        ));
    }
    for link in links {
        let asked = Asked::whole(
            client,
            &link.directory_id,
            &link.directory_user_id,
            clock.now(),
        )
        .await?;
        let (now, by, whose) = (
            clock.now(),
            actor.clone(),
            (id.to_owned(), organization.clone()),
        );
        let (steps, changed) = write(db, move |conn| {
            settle(conn, &by, &whose, &link, &asked, now)
        })
        .await?;
        view.steps.extend(steps);
        view.changed |= changed;
    }
    Ok(view)
}

fn step(step: &'static str, user: &str, ok: bool, sentence: impl Into<String>) -> ResyncStep {
    ResyncStep {
        step,
        directory_user_id: user.to_owned(),
        ok,
        sentence: sentence.into(),
    }
}

/// Compares and applies in one transaction.
fn settle(
    conn: &mut Conn,
    actor: &Actor,
    (profile, organization): &(String, String),
    link: &LinkRow,
    asked: &Asked,
    now: Timestamp,
) -> Result<(Vec<ResyncStep>, bool), ResyncError> {
    outbox::lock_part(conn, outbox::part_of(organization))?;
    let user = link.directory_user_id.as_str();
    let found = match &asked.user {
        Some(_) => step(
            "found",
            user,
            true,
            format!("WorkOS knows them, in {} groups", asked.groups.len()),
        ),
        None => step(
            "found",
            user,
            false,
            "WorkOS knows nobody of this id any more",
        ),
    };
    let matched = step(
        "matched",
        user,
        true,
        format!("by the directory user's id; the link is {}", link.state),
    );
    let Found { drift, newer } = asked.drift(conn, organization, link)?;
    let mapped = match newer {
        true => step(
            "mapped",
            user,
            false,
            "not compared: a newer event was heard of them; ask again in a few seconds",
        ),
        false => step("mapped", user, true, differs(&drift)),
    };
    let mut steps = vec![found, matched, mapped];
    audit(
        conn,
        actor,
        "profile.resynced",
        profile,
        Some(organization),
        None,
        now,
    )?;
    let mut changed = false;
    let events = events_of(&drift, now);
    outbox::enqueue(conn, &events)?;
    for event in &events {
        let Some(row) = outbox::find(conn, &event.event_id)? else {
            continue;
        };
        let settings = BatchSettings {
            max_attempts: u32::MAX,
            messaging_for_new: false,
        };
        worker::work_off(conn, settings, &[row.id], now)?;
        let done = outbox::find(conn, &event.event_id)?;
        let outcome = done.as_ref().and_then(|row| row.outcome.clone());
        let reason = done.and_then(|row| row.reason).unwrap_or_default();
        changed |= outcome.as_deref() == Some("applied");
        let word = outcome.unwrap_or_else(|| "held".to_owned());
        steps.push(step(
            "applied",
            user,
            word == "applied",
            format!("{}: {word}: {reason}", event.event_type),
        ));
    }
    Ok((steps, changed))
}

fn differs(drift: &[Drift]) -> String {
    if drift.is_empty() {
        return "nothing differs".to_owned();
    }
    let named = drift.iter().map(|item| {
        let fields: Vec<String> = serde_json::from_str(&item.fields).unwrap_or_default();
        match fields.is_empty() {
            true => item.kind.replace('_', " "),
            false => format!("{} ({})", item.kind.replace('_', " "), fields.join(", ")),
        }
    });
    named.collect::<Vec<_>>().join("; ")
}
