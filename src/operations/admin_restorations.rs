//! Admin roles of people who returned (C5): a return does not restore them by itself, so an operator restores or
//! dismisses each.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::db::Conn;
use crate::domain::{Membership, Role as CommunityRole};
use crate::store::communities::{self, Community, OpenSeat};
use crate::store::profiles;
use crate::worker;

use super::communities::{held, note};
use super::members::{manual_row, turned};
use super::profiles::has_access;
use super::{Actor, Listing, OperationError, Page, Role, limit_of};

/// Which admin roles.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the parameters of the API")]
pub struct AdminRestorationQuery {
    pub organization_id: Option<String>,
    pub limit: Option<i64>,
    pub cursor: Option<String>,
}

/// An admin role that waits for an operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[allow(missing_docs, reason = "the fields of the API")]
pub struct AdminRestorationView {
    /// Community and profile: what `/restore` and `/dismiss` are asked with.
    pub id: String,
    pub organization_id: String,
    pub community_id: String,
    pub community_name: String,
    pub profile_id: String,
    pub display_name: String,
    /// What they were before they left.
    pub former_role: &'static str,
    pub granted_at: Timestamp,
}

impl From<OpenSeat> for AdminRestorationView {
    fn from(row: OpenSeat) -> Self {
        Self {
            id: id_of(&row.community_id, &row.profile_id),
            organization_id: row.organization_id,
            community_id: row.community_id,
            community_name: row.community_name,
            profile_id: row.profile_id,
            display_name: row.display_name,
            former_role: CommunityRole::Admin.as_str(),
            granted_at: row.granted_at,
        }
    }
}

/// A page of the admin roles that wait for an operator, by community and name.
pub fn list(
    conn: &mut Conn,
    actor: &Actor,
    query: &AdminRestorationQuery,
) -> Result<Page<AdminRestorationView>, OperationError> {
    actor.require(Role::Viewer)?;
    let limit = limit_of(query.limit)?;
    let organization = actor.scope(query.organization_id.as_deref())?;
    let listing = Listing::of(actor, "admin-restorations", query)?;
    let after = listing.place(conn, query.cursor.as_deref())?;
    let rows = communities::open_seats(conn, organization.as_deref(), after, limit + 1)?;
    let page = listing.cut_at(conn, rows, limit, |row| {
        let (community, person) = (&row.community_name, &row.display_name);
        [community, &row.community_id, person, &row.profile_id].map(Clone::clone)
    })?;
    Ok(page.map(AdminRestorationView::from))
}

/// Restores the admin role.
pub fn restore(
    conn: &mut Conn,
    actor: &Actor,
    id: &str,
    now: Timestamp,
) -> Result<AdminRestorationView, OperationError> {
    let (community, mut row, view) = waiting(conn, actor, id)?;
    let profile_id = view.profile_id.as_str();
    let was = row.role;
    row.role = CommunityRole::Admin;
    row.former_role = None;
    row.granted_at = now;
    communities::save_memberships(conn, &[(community.organization_id.clone(), row)])?;
    let roles = (Some(was), Some(CommunityRole::Admin));
    turned(conn, actor, &community, profile_id, roles, now)?;
    let act = "community.admin_restored";
    note(conn, actor, act, &community, Some(profile_id), now)?;
    worker::look_at_admins(conn, &community, &actor.name, now)?;
    Ok(view)
}

/// Takes an admin role off the list: its former holder stays a member.
pub fn dismiss(
    conn: &mut Conn,
    actor: &Actor,
    id: &str,
    now: Timestamp,
) -> Result<AdminRestorationView, OperationError> {
    let (community, mut row, view) = waiting(conn, actor, id)?;
    let profile_id = view.profile_id.as_str();
    row.former_role = None;
    communities::save_memberships(conn, &[(community.organization_id.clone(), row)])?;
    let act = "community.admin_restoration_dismissed";
    note(conn, actor, act, &community, Some(profile_id), now)?;
    Ok(view)
}

/// Ids are opaque to callers. Neither of the two has a dot.
fn id_of(community_id: &str, profile_id: &str) -> String {
    format!("{community_id}.{profile_id}")
}

fn waiting(
    conn: &mut Conn,
    actor: &Actor,
    id: &str,
) -> Result<(Community, Membership, AdminRestorationView), OperationError> {
    let (community, profile_id) = id
        .split_once('.')
        .ok_or_else(|| OperationError::not_found("admin restoration", id))?;
    let community = held(conn, actor, community)?;
    let row = manual_row(conn, &community.id, profile_id)?
        .filter(|row| row.ended_at.is_none() && row.former_role == Some(CommunityRole::Admin))
        .ok_or_else(|| {
            OperationError::Conflict(format!(
                "no admin role of {profile_id} waits to be restored in community {}; `rollcall communities admin-restorations` lists those that do", community.id
            ))
        })?;
    let person = profiles::find(conn, profile_id)?
        .filter(|one| has_access(&one.status))
        .ok_or_else(|| OperationError::not_found("profile", profile_id))?;
    let view = AdminRestorationView {
        id: id.to_owned(),
        organization_id: community.organization_id.clone(),
        community_id: community.id.clone(),
        community_name: community.name.clone(),
        profile_id: profile_id.to_owned(),
        display_name: person.display_name,
        former_role: CommunityRole::Admin.as_str(),
        granted_at: row.granted_at,
    };
    Ok((community, row, view))
}
