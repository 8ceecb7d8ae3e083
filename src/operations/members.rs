//! Who is in a community: put in and taken out by hand. Every membership that begins or ends is
//! audited as a change of the person, in the same transaction.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::db::Conn;
use crate::domain::{Membership, Role as Seat, Source};
use crate::store::communities::{self, Community, MemberRow};
use crate::store::{profiles, seated as people};
use crate::worker;

use super::communities::{held, note, seen};
use super::profiles::has_access;
use super::{Actor, Cursor, Listing, MAX_LIMIT, OperationError, Page, Role, limit_of};

/// One membership: somebody with a manual and a rule row has two.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[allow(missing_docs, reason = "the fields of the API")]
pub struct MemberView {
    pub profile_id: String,
    pub display_name: String,
    pub email: Option<String>,
    /// `member` or `admin`.
    pub role: String,
    /// `manual` or `rule`.
    pub source: String,
    pub granted_at: Timestamp,
}

impl From<MemberRow> for MemberView {
    fn from(row: MemberRow) -> Self {
        Self {
            profile_id: row.profile_id,
            display_name: row.display_name,
            email: row.email,
            role: row.role,
            source: row.source,
            granted_at: row.granted_at,
        }
    }
}

/// Somebody who was in a community.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[allow(missing_docs, reason = "what pages show")]
pub struct FormerView {
    pub profile_id: String,
    pub display_name: String,
    pub role: String,
    pub ended_at: Timestamp,
    pub ended_reason: Option<String>,
}

/// A page of those of one role, who came last first: for communities of any size.
pub fn seated(
    conn: &mut Conn,
    actor: &Actor,
    id: &str,
    role: Seat,
    cursor: Option<&str>,
    limit: Option<i64>,
) -> Result<Page<MemberView>, OperationError> {
    actor.require(Role::Viewer)?;
    seen(conn, actor, id)?;
    let limit = limit_of(limit)?;
    let listing = Listing::of(actor, "seated", &(id, role.as_str()))?;
    let cursor = listing.cursor(conn, cursor)?;
    let before = cursor.map(|cursor| (cursor.at, cursor.id));
    let rows = people::open(conn, id, role.as_str(), before, limit + 1)?;
    let page = listing.cut(conn, rows, limit, |row| Cursor {
        at: row.granted_at,
        id: row.profile_id.clone(),
    })?;
    Ok(page.map(MemberView::from))
}

/// Those who left a community last.
pub fn former(
    conn: &mut Conn,
    actor: &Actor,
    id: &str,
    limit: i64,
) -> Result<Vec<FormerView>, OperationError> {
    actor.require(Role::Viewer)?;
    seen(conn, actor, id)?;
    let rows = people::former(conn, id, limit)?.into_iter();
    let rows = rows.map(|row| FormerView {
        profile_id: row.profile_id,
        display_name: row.display_name,
        role: row.role,
        ended_at: row.ended_at,
        ended_reason: row.ended_reason,
    });
    Ok(rows.collect())
}

/// Everybody in a community, by name.
pub fn members(
    conn: &mut Conn,
    actor: &Actor,
    id: &str,
) -> Result<Page<MemberView>, OperationError> {
    actor.require(Role::Viewer)?;
    seen(conn, actor, id)?;
    let data = communities::members(conn, id)?
        .into_iter()
        .map(MemberView::from)
        .collect();
    Ok(Page {
        data,
        next_cursor: None,
    })
}

/// Which members.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the parameters of the API")]
pub struct MemberQuery {
    /// How many rows a page has: 1 to 200, 200 when not said.
    pub limit: Option<i64>,
    pub cursor: Option<String>,
}

/// A page of who is in a community, by name.
pub fn member_page(
    conn: &mut Conn,
    actor: &Actor,
    id: &str,
    query: &MemberQuery,
) -> Result<Page<MemberView>, OperationError> {
    actor.require(Role::Viewer)?;
    seen(conn, actor, id)?;
    let limit = limit_of(query.limit.or(Some(MAX_LIMIT)))?;
    let listing = Listing::of(actor, "members", &id)?;
    let after = listing.place(conn, query.cursor.as_deref())?;
    let rows = communities::members_after(conn, id, after, limit + 1)?;
    let page = listing.cut_at(conn, rows, limit, |row| {
        [&row.display_name, &row.profile_id, &row.source].map(Clone::clone)
    })?;
    Ok(page.map(MemberView::from))
}

/// Reads `member` or `admin`.
pub fn parse_role(text: &str) -> Result<Seat, OperationError> {
    Seat::parse(text).ok_or_else(|| {
        OperationError::Invalid(format!("role is {text:?}; it may be member, admin"))
    })
}

/// Puts somebody in by hand, or changes their role. Doing it twice changes nothing.
pub fn put_member(
    conn: &mut Conn,
    actor: &Actor,
    id: &str,
    profile_id: &str,
    seat: Seat,
    now: Timestamp,
) -> Result<MemberView, OperationError> {
    let community = held(conn, actor, id)?;
    may_join(conn, actor, &community, profile_id)?;
    let known = manual_row(conn, id, profile_id)?;
    let open = known.as_ref().filter(|row| row.ended_at.is_none());
    let was = open.map(|row| row.role);
    let settled = open.is_some_and(|row| row.role == seat && row.former_role.is_none());
    if !settled {
        let row = Membership {
            community_id: id.to_owned(),
            profile_id: profile_id.to_owned(),
            source: Source::Manual,
            role: seat,
            given_for: None,
            former_role: None,
            stand_in: None,
            granted_at: now,
            ended_at: None,
            ended_reason: None,
        };
        communities::save_memberships(conn, &[(community.organization_id.clone(), row)])?;
    }
    if was != Some(seat) {
        turned(conn, actor, &community, profile_id, (was, Some(seat)), now)?;
        let detail = format!("{profile_id} as {}", seat.as_str());
        note(
            conn,
            actor,
            "community.member_put",
            &community,
            Some(&detail),
            now,
        )?;
        follow(conn, actor, &community, profile_id, now)?;
    }
    communities::members(conn, id)?
        .into_iter()
        .find(|row| row.profile_id == profile_id && row.source == Source::Manual.as_str())
        .map(MemberView::from)
        .ok_or_else(|| OperationError::not_found("member", profile_id))
}

/// Takes somebody out who was put in by hand.
pub fn remove_member(
    conn: &mut Conn,
    actor: &Actor,
    id: &str,
    profile_id: &str,
    now: Timestamp,
) -> Result<(), OperationError> {
    let community = held(conn, actor, id)?;
    let Some(mut row) = manual_row(conn, id, profile_id)?.filter(|row| row.ended_at.is_none())
    else {
        return Err(OperationError::not_found("member", profile_id));
    };
    row.ended_at = Some(now);
    row.ended_reason = Some("removed by operator".to_owned());
    let was = Some(row.role);
    communities::save_memberships(conn, &[(community.organization_id.clone(), row)])?;
    turned(conn, actor, &community, profile_id, (was, None), now)?;
    let act = "community.member_removed";
    note(conn, actor, act, &community, Some(profile_id), now)?;
    follow(conn, actor, &community, profile_id, now)
}

/// Writes down what somebody was and is in a community now, and plans what falls due by it.
pub(super) fn turned(
    conn: &mut Conn,
    actor: &Actor,
    community: &Community,
    profile_id: &str,
    roles: (Option<Seat>, Option<Seat>),
    now: Timestamp,
) -> Result<(), OperationError> {
    let place = (&*community.organization_id, &*community.id);
    let caused = worker::membership_change(place, profile_id, roles, &actor.name, now);
    Ok(worker::record_memberships(conn, &[caused], now)?)
}

/// What follows from a membership made or ended by hand: rules that ask for it, and who runs the community.
fn follow(
    conn: &mut Conn,
    actor: &Actor,
    community: &Community,
    profile_id: &str,
    now: Timestamp,
) -> Result<(), OperationError> {
    let ids = [profile_id.to_owned()];
    worker::follow_rules(conn, community, &ids, &actor.name, now)?;
    Ok(worker::look_at_admins(conn, community, &actor.name, now)?)
}

/// Only people of the organization who may come in can be members.
fn may_join(
    conn: &mut Conn,
    actor: &Actor,
    community: &Community,
    profile_id: &str,
) -> Result<(), OperationError> {
    let profile = profiles::find(conn, profile_id)?
        .filter(|row| actor.may_see(Some(&row.organization_id)))
        .ok_or_else(|| OperationError::not_found("profile", profile_id))?;
    if profile.organization_id != community.organization_id {
        return Err(OperationError::Conflict(format!(
            "profile {profile_id} belongs to organization {}, the community to {}: choose somebody of its own organization",
            profile.organization_id, community.organization_id
        )));
    }
    if !has_access(&profile.status) {
        return Err(OperationError::Conflict(format!(
            "profile {profile_id} is {}: only people who are active or on leave can be members; `rollcall profiles history {profile_id}` says what happened",
            profile.status
        )));
    }
    Ok(())
}

pub(super) fn manual_row(
    conn: &mut Conn,
    id: &str,
    profile: &str,
) -> Result<Option<Membership>, OperationError> {
    let mut rows = communities::memberships_of(conn, &[profile.to_owned()])?;
    Ok(rows
        .remove(profile)
        .unwrap_or_default()
        .into_iter()
        .find(|row| row.community_id == id && row.source == Source::Manual))
}
