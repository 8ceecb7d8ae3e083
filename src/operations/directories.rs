//! Directories: their state, what they brought, and when they were last heard from.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::db::Conn;
use crate::domain::is_of_logins;
use crate::store::directories::{self, Directory};
use crate::store::profiles;

use super::{Actor, Cursor, Listing, OperationError, Page, Role, audit, limit_of};

/// Which directories.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the parameters of the API")]
pub struct DirectoryQuery {
    pub organization_id: Option<String>,
    pub limit: Option<i64>,
    pub cursor: Option<String>,
}

/// A directory as shown.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[allow(missing_docs, reason = "the fields of the API")]
pub struct DirectoryView {
    pub id: String,
    pub organization_id: String,
    pub name: Option<String>,
    /// WorkOS's type, such as `okta scim v2.0`.
    #[serde(rename = "type")]
    pub directory_type: Option<String>,
    pub state: String,
    /// Whether its users count: linked, or never said not to be.
    pub linked: bool,
    /// How many directory users are in each state.
    pub users: BTreeMap<String, i64>,
    /// Of a detached directory: how many people still hang on it, because no linked one has spoken
    /// for them (R37). Those who were matched are `moved`.
    pub unmatched: i64,
    pub first_seen_at: Timestamp,
    pub last_event_at: Timestamp,
}

/// A directory, and of a detached one the people whom no linked directory has spoken for (R37).
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[allow(missing_docs, reason = "the fields of the API")]
pub struct DirectoryDetail {
    #[serde(flatten)]
    pub directory: DirectoryView,
    /// The first 200 of them, by directory user.
    pub unmatched_people: Vec<Unmatched>,
}

/// Somebody of a detached directory whom no linked one has spoken for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[allow(missing_docs, reason = "the fields of the API")]
pub struct Unmatched {
    pub profile_id: String,
    pub display_name: String,
    pub email: Option<String>,
    pub status: String,
    pub directory_user_id: String,
    pub idp_id: Option<String>,
}

/// A page of directories, newest first.
pub fn list(
    conn: &mut Conn,
    actor: &Actor,
    query: &DirectoryQuery,
) -> Result<Page<DirectoryView>, OperationError> {
    actor.require(Role::Viewer)?;
    let limit = limit_of(query.limit)?;
    let organization = actor.scope(query.organization_id.as_deref())?;
    let listing = Listing::of(actor, "directories", query)?;
    let cursor = listing.cursor(conn, query.cursor.as_deref())?;
    let before = cursor.map(|cursor| (cursor.at, cursor.id));
    let rows = directories::list(conn, organization.as_deref(), before, limit + 1)?;
    let page = listing.cut(conn, rows, limit, |row| Cursor {
        at: row.first_seen_at,
        id: row.id.clone(),
    })?;
    let next_cursor = page.next_cursor;
    let data = views(conn, page.data)?;
    Ok(Page { data, next_cursor })
}

/// One directory.
pub fn show(conn: &mut Conn, actor: &Actor, id: &str) -> Result<DirectoryDetail, OperationError> {
    actor.require(Role::Viewer)?;
    let found = directories::load(conn, &[id.to_owned()])?
        .into_values()
        .filter(|row| actor.may_see(Some(&row.organization_id)))
        .collect();
    let directory = views(conn, found)?
        .pop()
        .ok_or_else(|| OperationError::not_found("directory", id))?;
    let unmatched_people = match directory.linked {
        true => Vec::new(),
        false => unmatched(conn, id)?,
    };
    Ok(DirectoryDetail {
        directory,
        unmatched_people,
    })
}

/// Refuses whoever may not ask for a sync of this directory.
pub fn may_sync(conn: &mut Conn, actor: &Actor, id: &str) -> Result<(), OperationError> {
    synced(conn, actor, id).map(drop)
}

/// Notes that a sync was asked for.
pub fn sync_requested(
    conn: &mut Conn,
    actor: &Actor,
    id: &str,
    now: Timestamp,
) -> Result<(), OperationError> {
    let organization = synced(conn, actor, id)?;
    let act = "directory.sync_requested";
    audit(conn, actor, act, id, Some(&organization), None, now)?;
    Ok(())
}

/// Whose directory it is that is to be synced. WorkOS knows nothing of the one that log-ins make.
fn synced(conn: &mut Conn, actor: &Actor, id: &str) -> Result<String, OperationError> {
    let known = directories::load(conn, &[id.to_owned()])?.remove(id);
    let organization = known
        .filter(|row| !is_of_logins(&row.id))
        .map(|row| row.organization_id)
        .filter(|organization| actor.may_see(Some(organization)))
        .ok_or_else(|| OperationError::not_found("directory", id))?;
    actor.require(Role::Operator)?;
    Ok(organization)
}

fn unmatched(conn: &mut Conn, directory: &str) -> Result<Vec<Unmatched>, OperationError> {
    let rows = profiles::active_of_directory(conn, directory, super::MAX_LIMIT)?;
    let all = rows.into_iter().map(|(link, row)| Unmatched {
        profile_id: row.id,
        display_name: row.display_name,
        email: row.email,
        status: row.status,
        directory_user_id: link.directory_user_id,
        idp_id: link.idp_id,
    });
    Ok(all.collect())
}

fn views(conn: &mut Conn, rows: Vec<Directory>) -> Result<Vec<DirectoryView>, OperationError> {
    let ids: Vec<String> = rows.iter().map(|row| row.id.clone()).collect();
    let mut users = profiles::link_counts_of_directories(conn, &ids)?;
    let views = rows.into_iter().map(|row| DirectoryView {
        unmatched: users
            .get(&row.id)
            .and_then(|states| states.get("active"))
            .filter(|_| !row.life.live())
            .map_or(0, |count| *count),
        users: users.remove(&row.id).unwrap_or_default(),
        linked: row.life.live(),
        name: row.name,
        directory_type: row
            .life
            .kind
            .or_else(|| is_of_logins(&row.id).then(|| "log-ins".to_owned())),
        id: row.id,
        organization_id: row.organization_id,
        state: row.state,
        first_seen_at: row.first_seen_at,
        last_event_at: row.last_event_at,
    });
    Ok(views.collect())
}
