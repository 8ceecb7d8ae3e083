//! Comparisons of directories: begun, looked at, applied. What one found is shown by kind
//! and by the names of fields, never by value; applying is an act of its own and audited.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::clock::Timestamp;
use crate::db::{Conn, new_id};
use crate::outbox;
use crate::store::directories;
use crate::store::reconciles::{self, Drift, Reconcile};

use super::{Actor, Cursor, Listing, OperationError, Page, Role, audit, limit_of};

/// Which comparisons.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the parameters of the API")]
pub struct ReconcileQuery {
    pub organization_id: Option<String>,
    pub directory_id: Option<String>,
    pub limit: Option<i64>,
    pub cursor: Option<String>,
}

/// A comparison as shown.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[allow(missing_docs, reason = "the fields of the API")]
pub struct ReconcileView {
    pub id: String,
    pub organization_id: String,
    pub directory_id: String,
    /// Whether what differs is applied.
    pub apply: bool,
    /// `running`, `done` or `incomplete`.
    pub state: String,
    pub phase: String,
    /// Counts: listed, expected by WorkOS, calls made, applied, and `left_out`: not compared, because something newer
    /// was heard of it up to the end.
    pub progress: Value,
    /// Why it is incomplete.
    pub reason: Option<String>,
    pub actor: String,
    pub started_at: Timestamp,
    pub finished_at: Option<Timestamp>,
    /// How much of each kind is open, applied or skipped.
    pub drift: BTreeMap<String, BTreeMap<String, i64>>,
}

/// A comparison and what differs.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[allow(missing_docs, reason = "the fields of the API")]
pub struct ReconcileDetail {
    #[serde(flatten)]
    pub reconcile: ReconcileView,
    /// At most 200 of them.
    pub items: Vec<DriftView>,
}

/// Something that differs.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[allow(missing_docs, reason = "the fields of the API")]
pub struct DriftView {
    /// `user_missing_here`, `user_missing_there`, `user_differs`, `group_…`, `edge_…`.
    pub kind: String,
    /// The directory user or group; group and user of an edge.
    pub subject: String,
    /// What differs, by name.
    pub fields: Vec<String>,
    /// `open`, `applied` or `skipped`.
    pub state: String,
    pub reason: Option<String>,
    /// The event that mends it.
    pub event_id: String,
}

/// Refuses whoever may not begin comparisons; answers whether the directory is known here.
pub fn may_begin(conn: &mut Conn, actor: &Actor, directory: &str) -> Result<bool, OperationError> {
    actor.require(Role::Operator)?;
    let known = directories::load(conn, &[directory.to_owned()])?;
    Ok(known.contains_key(directory))
}

/// Begins a comparison. `organization` is WorkOS's word, for a directory that is not known here.
pub fn begin(
    conn: &mut Conn,
    actor: &Actor,
    directory: &str,
    organization: Option<&str>,
    apply: bool,
    now: Timestamp,
) -> Result<ReconcileView, OperationError> {
    actor.require(Role::Operator)?;
    let known = directories::load(conn, &[directory.to_owned()])?.remove(directory);
    let organization = known
        .map(|one| one.organization_id)
        .or_else(|| organization.map(str::to_owned))
        .filter(|id| actor.may_see(Some(id)))
        .ok_or_else(|| OperationError::not_found("directory", directory))?;
    // Two that begin at once: the second sees the first.
    outbox::lock_part(conn, outbox::part_of(&organization))?;
    if let Some(running) = reconciles::running_of(conn, directory)? {
        return Err(OperationError::Conflict(format!(
            "directory {directory} is being compared already ({}); wait for it",
            running.id
        )));
    }
    let one = Reconcile {
        id: new_id("reconcile"),
        organization_id: organization.clone(),
        directory_id: directory.to_owned(),
        apply,
        state: reconciles::RUNNING.to_owned(),
        phase: "begin".to_owned(),
        progress: "{}".to_owned(),
        reason: None,
        actor: actor.name.clone(),
        started_at: now,
        finished_at: None,
        lease_owner: None,
        lease_token: 0,
        lease_until: None,
    };
    reconciles::add(conn, &one)?;
    let act = if apply {
        "directory.reconcile_and_apply"
    } else {
        "directory.reconciled"
    };
    audit(
        conn,
        actor,
        act,
        directory,
        Some(&organization),
        Some(&one.id),
        now,
    )?;
    view(conn, one)
}

/// The comparison of a directory that is not over, if there is one.
pub fn running(
    conn: &mut Conn,
    actor: &Actor,
    directory: &str,
) -> Result<Option<String>, OperationError> {
    actor.require(Role::Viewer)?;
    let one = reconciles::running_of(conn, directory)?;
    Ok(one
        .filter(|one| actor.may_see(Some(&one.organization_id)))
        .map(|one| one.id))
}

/// Whether a comparison is not over.
pub fn is_running(conn: &mut Conn, actor: &Actor, id: &str) -> Result<bool, OperationError> {
    actor.require(Role::Viewer)?;
    Ok(seen(conn, actor, id)?.state == reconciles::RUNNING)
}

/// A page of comparisons, newest first.
pub fn list(
    conn: &mut Conn,
    actor: &Actor,
    query: &ReconcileQuery,
) -> Result<Page<ReconcileView>, OperationError> {
    actor.require(Role::Viewer)?;
    let organization = actor.scope(query.organization_id.as_deref())?;
    let limit = limit_of(query.limit)?;
    let listing = Listing::of(actor, "reconciles", query)?;
    let cursor = listing.cursor(conn, query.cursor.as_deref())?;
    let rows = reconciles::list(
        conn,
        organization.as_deref(),
        query.directory_id.as_deref(),
        cursor.map(|cursor| (cursor.at, cursor.id)),
        limit + 1,
    )?;
    let page = listing.cut(conn, rows, limit, |row| Cursor {
        at: row.started_at,
        id: row.id.clone(),
    })?;
    let next_cursor = page.next_cursor;
    let data = page.data.into_iter().map(|row| view(conn, row));
    Ok(Page {
        data: data.collect::<Result<_, _>>()?,
        next_cursor,
    })
}

/// One comparison with what it found.
pub fn show(conn: &mut Conn, actor: &Actor, id: &str) -> Result<ReconcileDetail, OperationError> {
    actor.require(Role::Viewer)?;
    let row = seen(conn, actor, id)?;
    let items = reconciles::drift(conn, id, None, None, super::MAX_LIMIT)?;
    Ok(ReconcileDetail {
        reconcile: view(conn, row)?,
        items: items.into_iter().map(DriftView::from).collect(),
    })
}

/// Lets what a whole comparison found be applied, by whoever works on comparisons.
pub fn apply(
    conn: &mut Conn,
    actor: &Actor,
    id: &str,
    now: Timestamp,
) -> Result<ReconcileView, OperationError> {
    actor.require(Role::Operator)?;
    let row = seen(conn, actor, id)?;
    if !reconciles::begin_apply(conn, id)? {
        return Err(OperationError::Conflict(format!(
            "comparison {id} is {}, and only one that is done can be applied; compare again",
            row.state
        )));
    }
    audit(
        conn,
        actor,
        "reconcile.applied",
        id,
        Some(&row.organization_id),
        None,
        now,
    )?;
    let row = seen(conn, actor, id)?;
    view(conn, row)
}

fn seen(conn: &mut Conn, actor: &Actor, id: &str) -> Result<Reconcile, OperationError> {
    reconciles::find(conn, id)?
        .filter(|row| actor.may_see(Some(&row.organization_id)))
        .ok_or_else(|| OperationError::not_found("comparison", id))
}

fn view(conn: &mut Conn, row: Reconcile) -> Result<ReconcileView, OperationError> {
    let mut progress: Value = serde_json::from_str(&row.progress).unwrap_or_default();
    if let Some(inner) = progress.as_object_mut() {
        inner
            .retain(|key, _| !["cursor", "at", "heard", "listed", "drift"].contains(&key.as_str()));
    }
    Ok(ReconcileView {
        drift: reconciles::drift_counts(conn, &row.id)?,
        id: row.id,
        organization_id: row.organization_id,
        directory_id: row.directory_id,
        apply: row.apply,
        state: row.state,
        phase: row.phase,
        progress,
        reason: row.reason,
        actor: row.actor,
        started_at: row.started_at,
        finished_at: row.finished_at,
    })
}

impl From<Drift> for DriftView {
    fn from(item: Drift) -> Self {
        Self {
            kind: item.kind,
            subject: item.subject,
            fields: serde_json::from_str(&item.fields).unwrap_or_default(),
            state: item.state,
            reason: item.reason,
            event_id: item.event_id,
        }
    }
}
