//! Looking again at what was left out: whoever a newer event spoke of than the listing could know (R44)
//! was not compared, and a report that says nothing of it would claim more than was looked at. Each is
//! asked for singly once the listing's lag is over; what is newer still stays left out, and is counted.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;

use super::apply::removal;
use super::differ::{Differ, heard_of_group};
use super::{LAG, Progress, ReconcileError, Reconciler};
use crate::clock::Timestamp;
use crate::db::Conn;
use crate::domain::LinkState;
use crate::store::left_out::{self, LEFT_OUT};
use crate::store::reconciles::{self, Drift, Reconcile};
use crate::store::{cluster, groups};

/// Singly asked for in one step.
const AT_ONCE: i64 = 20;
/// Waited for at most before looking again; what is newer than that is dated by another clock.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// What WorkOS says of each; `None` where it knows nothing of it.
type Answers = Vec<(String, Option<Value>)>;

impl Reconciler {
    /// Looks at a handful of what was left out; false when nothing is left to look at.
    pub(super) async fn look_again(
        &self,
        one: &mut Reconcile,
        progress: &mut Progress,
    ) -> Result<bool, ReconcileError> {
        let (row, from) = (one.clone(), progress.at.clone());
        let next = self.write(move |conn| Ok(next_of(conn, &row.id, &from)?));
        let Some((kind, subjects)) = next.await? else {
            let id = one.id.clone();
            progress.left_out = self
                .write(move |conn| Ok(left_out::count(conn, &id)?))
                .await?;
            return Ok(false);
        };
        if progress.at.is_empty() {
            self.let_it_settle(progress.heard).await;
        }
        let at = self.time_of(None, self.clock.now());
        if let Some(last) = subjects.last() {
            progress.at = format!("{kind} {last}");
        }
        let answers = self.ask(one, kind, subjects, progress).await?;
        let row = one.clone();
        self.write(move |conn| settle(conn, &row, kind, &answers, at))
            .await?;
        Ok(true)
    }

    /// Waits until a listing surely knows what was heard last.
    async fn let_it_settle(&self, heard: Option<Timestamp>) {
        let known_at = heard.map(|heard| heard.plus(LAG + Duration::from_secs(1)));
        let pause = known_at.map_or(Duration::ZERO, |at| at.since(self.clock.now()));
        if pause <= LONGEST_PAUSE {
            tokio::time::sleep(pause).await;
        }
    }

    async fn ask(
        &self,
        one: &Reconcile,
        kind: &str,
        subjects: Vec<String>,
        progress: &mut Progress,
    ) -> Result<Answers, ReconcileError> {
        let mut answers = Answers::new();
        for subject in subjects {
            progress.calls += 1;
            let answer = match kind {
                "left_user" => self.client.user(&one.directory_id, &subject).await,
                "left_group" => self.client.group(&one.directory_id, &subject).await,
                _ => {
                    let user = subject.rsplit(' ').next().unwrap_or_default();
                    self.client.all_groups_of_user(user).await.map(Value::Array)
                }
            };
            let answer = match answer {
                Err(error) if error.is_not_found() => None,
                done => Some(done?),
            };
            answers.push((subject, answer));
        }
        Ok(answers)
    }
}

/// The next handful after a place (`kind subject`), and its kind.
fn next_of(
    conn: &mut Conn,
    id: &str,
    from: &str,
) -> diesel::QueryResult<Option<(&'static str, Vec<String>)>> {
    let (first, after) = from.split_once(' ').unwrap_or(("left_user", ""));
    for kind in LEFT_OUT.into_iter().skip_while(|kind| *kind != first) {
        let after = if kind == first { after } else { "" };
        let subjects = left_out::after(conn, id, kind, after, AT_ONCE)?;
        if !subjects.is_empty() {
            return Ok(Some((kind, subjects)));
        }
    }
    Ok(None)
}

/// Compares what can be compared by now, and takes it off what was left out.
fn settle(
    conn: &mut Conn,
    one: &Reconcile,
    kind: &'static str,
    answers: &Answers,
    at: Timestamp,
) -> Result<(), ReconcileError> {
    let newer = heard_of(conn, kind, answers, at)?;
    let ready: Vec<&(String, Option<Value>)> = answers
        .iter()
        .filter(|(subject, _)| !newer.contains(subject))
        .collect();
    let found = differences(conn, one, kind, &ready, at)?;
    reconciles::add_drift(conn, &found)?;
    let compared: Vec<String> = ready.iter().map(|(subject, _)| subject.clone()).collect();
    left_out::take_in(conn, &one.id, kind, &compared)?;
    Ok(())
}

/// Of whom something newer was heard still.
fn heard_of(
    conn: &mut Conn,
    kind: &str,
    answers: &Answers,
    at: Timestamp,
) -> Result<BTreeSet<String>, ReconcileError> {
    let subjects = answers.iter().map(|(subject, _)| subject.clone());
    let newer = match kind {
        "left_user" => {
            let links = cluster::links_by_id(conn, &subjects.collect())?.into_iter();
            links
                .filter(|(_, link)| link.last.at > at)
                .map(|(id, _)| id)
                .collect()
        }
        "left_group" => {
            let known = groups::load(conn, &subjects.collect::<Vec<_>>())?.into_iter();
            known
                .filter(|(_, group)| heard_of_group(group).is_some_and(|heard| heard > at))
                .map(|(id, _)| id)
                .collect()
        }
        _ => {
            let users: Vec<String> = subjects.filter_map(|subject| user_of(&subject)).collect();
            let edges = groups::edges_of_links(conn, &users)?.into_iter();
            edges
                .filter(|edge| edge.key.at > at)
                .map(|edge| format!("{} {}", edge.group_id, edge.directory_user_id))
                .collect()
        }
    };
    Ok(newer)
}

fn differences(
    conn: &mut Conn,
    one: &Reconcile,
    kind: &str,
    ready: &[&(String, Option<Value>)],
    at: Timestamp,
) -> Result<Vec<Drift>, ReconcileError> {
    let there: Vec<Value> = ready
        .iter()
        .filter_map(|(_, answer)| answer.clone())
        .collect();
    let gone = ready.iter().filter(|(_, answer)| answer.is_none());
    let gone: BTreeSet<String> = gone.map(|(subject, _)| subject.clone()).collect();
    match kind {
        "left_user" => {
            let links = cluster::links_by_id(conn, &gone)?;
            let mut found = Differ::new(conn, one)?.users(&there, at)?;
            let counts = links
                .into_iter()
                .filter(|(_, link)| matches!(link.state, LinkState::Active | LinkState::Pending));
            found.extend(
                counts.map(|(id, _)| {
                    removal(one, "user_missing_there", "dsync.user.deleted", &id, at)
                }),
            );
            Ok(found)
        }
        "left_group" => {
            let known = groups::load(conn, &gone.into_iter().collect::<Vec<_>>())?;
            let mut found = Differ::new(conn, one)?.groups(&there, at)?;
            let exist = known.into_iter().filter(|(_, group)| group.exists());
            found.extend(exist.map(|(id, _)| {
                removal(one, "group_missing_there", "dsync.group.deleted", &id, at)
            }));
            Ok(found)
        }
        _ => edges(conn, one, ready, at),
    }
}

fn edges(
    conn: &mut Conn,
    one: &Reconcile,
    ready: &[&(String, Option<Value>)],
    at: Timestamp,
) -> Result<Vec<Drift>, ReconcileError> {
    let users: Vec<String> = ready
        .iter()
        .filter_map(|(subject, _)| user_of(subject))
        .collect();
    let known = groups::edges_of_links(conn, &users)?;
    let differ = Differ::new(conn, one)?;
    let mut found = Vec::new();
    for (subject, answer) in ready {
        let Some((group, user)) = subject.rsplit_once(' ') else {
            continue;
        };
        let listed = answer
            .as_ref()
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        if answer.is_none() {
            // Who is gone takes their places along, and brings them back (R31).
            continue;
        }
        let there = listed
            .filter_map(super::differ::id_of)
            .any(|id| id == group);
        let here = known
            .iter()
            .any(|edge| edge.present && edge.group_id == group && edge.directory_user_id == user);
        if there && !here {
            found.push(differ.edge(
                "edge_missing_here",
                "dsync.group.user_added",
                group,
                user,
                at,
            ));
        } else if here && !there {
            found.push(differ.edge(
                "edge_missing_there",
                "dsync.group.user_removed",
                group,
                user,
                at,
            ));
        }
    }
    Ok(found)
}

fn user_of(subject: &str) -> Option<String> {
    subject.rsplit(' ').next().map(str::to_owned)
}
