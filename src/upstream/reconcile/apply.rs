//! Removals and applying. Whoever the whole listing did not name is asked for singly, and only a 404
//! makes a removal; applying puts the events of what differs into the outbox, where the guards stand
//! that stand before every webhook (R40), and skips what a newer event has spoken of (R44).

use serde_json::json;

use super::differ::id_of;
use super::event::Event;
use super::{Progress, ReconcileError, Reconciler};
use crate::clock::Timestamp;
use crate::db::Conn;
use crate::outbox::{self, NewEvent};
use crate::store::left_out;
use crate::store::reconciles::{self, Drift, Reconcile};
use crate::store::{cluster, groups};
use crate::upstream::new_event;

/// Singly asked for in one step.
const CHECKS: i64 = 20;
/// Put into the outbox in one transaction.
const APPLIED_AT_ONCE: i64 = 200;

/// What is applied, in this order: a person before their groups, removals last.
const ORDER: [&str; 9] = [
    "directory_missing_here",
    "user_missing_here",
    "user_differs",
    "group_missing_here",
    "group_differs",
    "edge_missing_here",
    "edge_missing_there",
    "group_missing_there",
    "user_missing_there",
];

impl Reconciler {
    /// Edges that a group's listing did not name, asked for by their user: WorkOS counts no edges, so
    /// that a listing that was cut is known by nothing else.
    pub(super) async fn check_edges(
        &self,
        one: &mut Reconcile,
        progress: &mut Progress,
    ) -> Result<bool, ReconcileError> {
        let (row, after) = (one.clone(), progress.at.clone());
        let candidates = self.write(move |conn| {
            Ok(reconciles::subjects_after(
                conn,
                &row.id,
                "edge_missing_there",
                &after,
                CHECKS,
            )?)
        });
        let mut there = Vec::new();
        let candidates = candidates.await?;
        let more = candidates.len() == usize::try_from(CHECKS).unwrap_or(usize::MAX);
        for subject in candidates {
            if let Some((group, user)) = subject.rsplit_once(' ') {
                progress.calls += 1;
                let groups = match self.client.all_groups_of_user(user).await {
                    Err(error) if error.is_not_found() => Vec::new(),
                    done => done?,
                };
                if groups.iter().filter_map(id_of).any(|id| id == group) {
                    there.push(subject.clone());
                }
            }
            progress.at = subject;
        }
        let id = one.id.clone();
        self.write(move |conn| {
            Ok(reconciles::drop_drift(
                conn,
                &id,
                "edge_missing_there",
                &there,
            )?)
        })
        .await?;
        Ok(more)
    }

    pub(super) async fn check_users(
        &self,
        one: &mut Reconcile,
        progress: &mut Progress,
    ) -> Result<bool, ReconcileError> {
        let (row, after) = (one.clone(), progress.at.clone());
        let candidates = self
            .write(move |conn| Ok(reconciles::unseen_users(conn, &row, &after, CHECKS)?))
            .await?;
        let mut gone = Vec::new();
        for id in candidates {
            progress.calls += 1;
            let asked = self.time_of(None, self.clock.now());
            match self.client.user(&one.directory_id, &id).await {
                Err(error) if error.is_not_found() => gone.push((id.clone(), asked)),
                // Who is there after all joined or returned while the listing went on.
                done => drop(done?),
            }
            progress.at = id;
        }
        let (row, last) = (one.clone(), progress.at.clone());
        self.write(move |conn| {
            let users = gone.iter().map(|(id, _)| id.clone()).collect();
            let links = cluster::links_by_id(conn, &users)?;
            let touched = |(id, asked): &&(String, Timestamp)| {
                links.get(id).is_some_and(|link| link.last.at > *asked)
            };
            let (newer, untouched): (Vec<_>, Vec<_>) = gone.iter().partition(touched);
            let newer: Vec<String> = newer.into_iter().map(|(id, _)| id.clone()).collect();
            left_out::leave_out(conn, &row.id, "left_user", &newer)?;
            let found: Vec<Drift> = untouched
                .into_iter()
                .map(|(id, asked)| {
                    removal(&row, "user_missing_there", "dsync.user.deleted", id, *asked)
                })
                .collect();
            reconciles::add_drift(conn, &found)?;
            Ok(!reconciles::unseen_users(conn, &row, &last, 1)?.is_empty())
        })
        .await
    }

    pub(super) async fn check_groups(
        &self,
        one: &mut Reconcile,
        progress: &mut Progress,
    ) -> Result<bool, ReconcileError> {
        let (row, after) = (one.clone(), progress.at.clone());
        let candidates = self
            .write(move |conn| Ok(reconciles::unseen_groups(conn, &row, &after, CHECKS)?))
            .await?;
        let mut gone = Vec::new();
        for id in candidates {
            progress.calls += 1;
            let asked = self.time_of(None, self.clock.now());
            match self.client.group(&one.directory_id, &id).await {
                Err(error) if error.is_not_found() => gone.push((id.clone(), asked)),
                done => drop(done?),
            }
            progress.at = id;
        }
        let (row, last) = (one.clone(), progress.at.clone());
        self.write(move |conn| {
            let found: Vec<Drift> = gone
                .iter()
                .map(|(id, asked)| {
                    removal(
                        &row,
                        "group_missing_there",
                        "dsync.group.deleted",
                        id,
                        *asked,
                    )
                })
                .collect();
            reconciles::add_drift(conn, &found)?;
            Ok(!reconciles::unseen_groups(conn, &row, &last, 1)?.is_empty())
        })
        .await
    }

    /// Applies a handful; false when nothing is left.
    pub(super) async fn apply_some(
        &self,
        one: &Reconcile,
        progress: &mut Progress,
    ) -> Result<bool, ReconcileError> {
        let (row, now) = (one.clone(), self.clock.now());
        let (kind, after) = progress
            .at
            .split_once(' ')
            .unwrap_or(("directory_missing_here", ""));
        let (kind, after) = (kind.to_owned(), after.to_owned());
        let done = self.write(move |conn| apply_some(conn, &row, &kind, &after, now));
        let Some((applied, at)) = done.await? else {
            return Ok(false);
        };
        progress.applied += i64::try_from(applied).unwrap_or(0);
        progress.at = at;
        self.wake.notify_one();
        Ok(true)
    }
}

pub(crate) fn removal(
    one: &Reconcile,
    kind: &'static str,
    event_type: &str,
    id: &str,
    at: Timestamp,
) -> Drift {
    let data =
        json!({"id": id, "directory_id": one.directory_id, "organization_id": one.organization_id});
    Event::of(one, kind, id).saying(event_type, data, at)
}

/// Goes on after the last one of a kind; answers how many and where the next ones begin, `None` when
/// nothing is open any more.
fn apply_some(
    conn: &mut Conn,
    one: &Reconcile,
    from: &str,
    after: &str,
    now: Timestamp,
) -> Result<Option<(usize, String)>, ReconcileError> {
    for kind in ORDER.into_iter().skip_while(|kind| *kind != from) {
        let after = if kind == from { after } else { "" };
        let open = reconciles::open_after(conn, &one.id, kind, after, APPLIED_AT_ONCE)?;
        let Some(last) = open.last().map(|item| format!("{kind} {}", item.subject)) else {
            continue;
        };
        let (touched, untouched) = sorted(conn, kind, open)?;
        let events: Vec<NewEvent> = untouched
            .iter()
            .filter_map(|item| new_event(&item.body, now).ok())
            .collect();
        outbox::enqueue(conn, &events)?;
        let subjects = |items: &[Drift]| {
            items
                .iter()
                .map(|item| item.subject.clone())
                .collect::<Vec<_>>()
        };
        let why = Some("a newer event has spoken of it since it was compared");
        reconciles::settle_drift(conn, &one.id, kind, &subjects(&touched), "skipped", why)?;
        reconciles::settle_drift(conn, &one.id, kind, &subjects(&untouched), "applied", None)?;
        return Ok(Some((events.len(), last)));
    }
    Ok(None)
}

/// Those that a newer event has touched, and the others.
fn sorted(
    conn: &mut Conn,
    kind: &str,
    open: Vec<Drift>,
) -> Result<(Vec<Drift>, Vec<Drift>), ReconcileError> {
    let user_of = |item: &Drift| {
        item.subject
            .rsplit(' ')
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    if kind.starts_with("user") {
        let links = cluster::links_by_id(
            conn,
            &open.iter().map(|item| item.subject.clone()).collect(),
        )?;
        return Ok(open.into_iter().partition(|item| {
            links
                .get(&item.subject)
                .is_some_and(|link| kind == "user_missing_here" || link.last.at > item.occurred_at)
        }));
    }
    if kind.starts_with("edge") {
        let users: Vec<String> = open.iter().map(user_of).collect();
        let edges = groups::edges_of_links(conn, &users)?;
        return Ok(open.into_iter().partition(|item| {
            edges.iter().any(|edge| {
                edge.key.at > item.occurred_at
                    && format!("{} {}", edge.group_id, edge.directory_user_id) == item.subject
            })
        }));
    }
    Ok((Vec::new(), open))
}
