//! Admin seats that a return did not give back by itself (C5): listed as to-dos, given back or
//! dismissed by an operator.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::db::Conn;
use crate::people::communities::{self, Community, OpenSeat};
use crate::people::profiles;
use crate::roll::{Membership, Role as Seat};
use crate::worker;

use super::communities::{held, note};
use super::members::{manual_row, turned};
use super::profiles::has_access;
use super::{Actor, DeskError, Listing, Page, Role, limit_of};

/// Which seats.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the parameters of the API")]
pub struct SeatQuery {
    pub organization_id: Option<String>,
    pub limit: Option<i64>,
    pub cursor: Option<String>,
}

/// A seat that waits for an operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[allow(missing_docs, reason = "the fields of the API")]
pub struct SeatView {
    pub organization_id: String,
    pub community_id: String,
    pub community_name: String,
    pub profile_id: String,
    pub display_name: String,
    /// What they were before they left.
    pub former_role: &'static str,
    pub granted_at: Timestamp,
}

impl From<OpenSeat> for SeatView {
    fn from(row: OpenSeat) -> Self {
        Self {
            organization_id: row.organization_id,
            community_id: row.community_id,
            community_name: row.community_name,
            profile_id: row.profile_id,
            display_name: row.display_name,
            former_role: Seat::Admin.as_str(),
            granted_at: row.granted_at,
        }
    }
}

/// A page of the seats that wait for an operator, by community and name.
pub fn list(
    conn: &mut Conn,
    actor: &Actor,
    query: &SeatQuery,
) -> Result<Page<SeatView>, DeskError> {
    actor.require(Role::Viewer)?;
    let limit = limit_of(query.limit)?;
    let organization = actor.scope(query.organization_id.as_deref())?;
    let listing = Listing::of(actor, "seats", query)?;
    let after = listing.place(conn, query.cursor.as_deref())?;
    let rows = communities::open_seats(conn, organization.as_deref(), after, limit + 1)?;
    let page = listing.cut_at(conn, rows, limit, |row| {
        let (community, person) = (&row.community_name, &row.display_name);
        [community, &row.community_id, person, &row.profile_id].map(Clone::clone)
    })?;
    Ok(page.map(SeatView::from))
}

/// Gives a former admin the seat back.
pub fn grant(
    conn: &mut Conn,
    actor: &Actor,
    id: &str,
    profile_id: &str,
    now: Timestamp,
) -> Result<SeatView, DeskError> {
    let (community, mut row, view) = waiting(conn, actor, id, profile_id)?;
    let was = row.role;
    row.role = Seat::Admin;
    row.former_role = None;
    row.granted_at = now;
    communities::save_memberships(conn, &[(community.organization_id.clone(), row)])?;
    let roles = (Some(was), Some(Seat::Admin));
    turned(conn, actor, &community, profile_id, roles, now)?;
    let act = "community.seat_granted";
    note(conn, actor, act, &community, Some(profile_id), now)?;
    worker::look_at_admins(conn, &community, &actor.name, now)?;
    Ok(view)
}

/// Strikes a seat off the list: they stay what they are.
pub fn dismiss(
    conn: &mut Conn,
    actor: &Actor,
    id: &str,
    profile_id: &str,
    now: Timestamp,
) -> Result<SeatView, DeskError> {
    let (community, mut row, view) = waiting(conn, actor, id, profile_id)?;
    row.former_role = None;
    communities::save_memberships(conn, &[(community.organization_id.clone(), row)])?;
    let act = "community.seat_dismissed";
    note(conn, actor, act, &community, Some(profile_id), now)?;
    Ok(view)
}

fn waiting(
    conn: &mut Conn,
    actor: &Actor,
    id: &str,
    profile_id: &str,
) -> Result<(Community, Membership, SeatView), DeskError> {
    let community = held(conn, actor, id)?;
    let row = manual_row(conn, id, profile_id)?
        .filter(|row| row.ended_at.is_none() && row.former_role == Some(Seat::Admin))
        .ok_or_else(|| {
            DeskError::Conflict(format!(
                "no admin seat of {profile_id} waits in community {id}; `rollcall communities seats` lists those that do"
            ))
        })?;
    let person = profiles::find(conn, profile_id)?
        .filter(|one| has_access(&one.status))
        .ok_or_else(|| DeskError::not_found("profile", profile_id))?;
    let view = SeatView {
        organization_id: community.organization_id.clone(),
        community_id: community.id.clone(),
        community_name: community.name.clone(),
        profile_id: profile_id.to_owned(),
        display_name: person.display_name,
        former_role: Seat::Admin.as_str(),
        granted_at: row.granted_at,
    };
    Ok((community, row, view))
}
