//! Profiles: lists and single people, exactly as `/v1/profiles` shows them (design
//! section 6). Links and communities of a page are loaded as sets. The whole chain of what happened
//! to a person is told by `history`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::clock::Timestamp;
use crate::db::Conn;
use crate::domain::Status;
use crate::domain::access::Access;
use crate::store::managers::{self, Manager};
use crate::store::profiles::{self, LinkRow, ProfileFilter, ProfileRow};
use crate::store::standings;
use crate::store::{legal_holds, seated, unreadable};

use super::events::one_of;
use super::owners::Owners;
use super::page::sought;
use super::visibility::Redaction;
use super::{Actor, Cursor, Listing, OperationError, Page, Role, limit_of};

pub use super::history::{
    ActView, DeliveryEntry, Entry, EntryKind, HistoryQuery, HistoryView, history,
};

const STATUSES: [&str; 6] = ["active", "on_leave", "pending", "removed", "erased", "all"];

/// Which people; the query of `GET /v1/profiles` and the flags of `rollcall profiles list`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the parameters of the API")]
pub struct ProfileQuery {
    pub organization_id: Option<String>,
    /// `active` when nothing is said; `all` for everybody.
    #[schemars(extend("enum" = STATUSES))]
    pub status: Option<String>,
    pub q: Option<String>,
    pub department: Option<String>,
    /// Whoever is in that community.
    pub community_id: Option<String>,
    pub limit: Option<i64>,
    pub cursor: Option<String>,
}

/// A person as shown.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[allow(missing_docs, reason = "the fields of the API")]
pub struct ProfileView {
    pub id: String,
    pub organization_id: String,
    pub status: String,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub display_name: String,
    pub email: Option<String>,
    pub title: Option<String>,
    pub department: Option<String>,
    pub pronouns: Option<String>,
    pub start_date: Option<String>,
    pub manager_email: Option<String>,
    /// The profile id and name of who is their manager now; nobody where it is not known, has left, or
    /// would be the person themselves (`warnings` says so).
    pub manager_id: Option<String>,
    pub manager_name: Option<String>,
    pub employee_number: Option<String>,
    /// The role that counts first, by the directory's group-to-role mapping, and all of them.
    pub role: Option<String>,
    pub roles: Vec<String>,
    pub attributes: Map<String, Value>,
    pub links: Vec<LinkView>,
    pub communities: Vec<InCommunity>,
    /// Whether they may come in, and why: as `/v1/access` answers.
    pub access: bool,
    pub access_reason: String,
    /// Sentences about values that could not be taken.
    pub warnings: Vec<String>,
    /// Fields that the directory owns: nobody edits them here, no log-in overwrites them (R50).
    pub locked: Vec<String>,
    /// Fields that have a value this token may not see.
    pub hidden: Vec<String>,
    /// The employment period (R33).
    pub period: String,
    /// Whether their data must be kept: neither erased nor purged.
    pub legal_hold: bool,
    pub first_seen_at: Timestamp,
    pub updated_at: Timestamp,
    pub removed_at: Option<Timestamp>,
    pub removed_reason: Option<String>,
}

/// A directory user attached to a person (C9).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[allow(missing_docs, reason = "the fields of the API")]
pub struct LinkView {
    pub directory_id: String,
    pub idp_id: Option<String>,
    pub directory_user_id: String,
    /// `pending`, `active`, `inactive`, `deleted`, `moved` or `conflict`.
    pub state: String,
}

/// A community somebody is in now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[allow(missing_docs, reason = "the fields of the API")]
pub struct InCommunity {
    pub id: String,
    pub name: String,
    pub role: String,
}

impl From<LinkRow> for LinkView {
    fn from(row: LinkRow) -> Self {
        Self {
            directory_id: row.directory_id,
            idp_id: row.idp_id,
            directory_user_id: row.directory_user_id,
            state: row.state,
        }
    }
}

/// A page of people, those first seen last on top.
pub fn list(
    conn: &mut Conn,
    actor: &Actor,
    query: &ProfileQuery,
) -> Result<Page<ProfileView>, OperationError> {
    actor.require(Role::Viewer)?;
    let limit = limit_of(query.limit)?;
    let listing = Listing::of(actor, "profiles", query)?;
    let after = listing.cursor(conn, query.cursor.as_deref())?;
    let filter = filter_of(conn, actor, query, after)?;
    let rows = profiles::list(conn, &filter, limit + 1)?;
    let page = listing.cut(conn, rows, limit, |row| Cursor {
        at: row.first_seen_at,
        id: row.id.clone(),
    })?;
    let next_cursor = page.next_cursor;
    let data = views(conn, actor, page.data)?;
    Ok(Page { data, next_cursor })
}

fn filter_of(
    conn: &mut Conn,
    actor: &Actor,
    query: &ProfileQuery,
    after: Option<Cursor>,
) -> Result<ProfileFilter, OperationError> {
    let status = query.status.as_deref().unwrap_or("active");
    one_of("status", status, &STATUSES)?;
    let organization_id = actor.scope(query.organization_id.as_deref())?;
    let redaction = Redaction::over_scope(conn, actor, organization_id.as_deref())?;
    if query.department.is_some() && redaction.covers("department") {
        redaction.refuse("looking for a department")?;
    }
    Ok(ProfileFilter {
        organization_id,
        q_names_only: redaction.covers("title") || redaction.covers("department"),
        status: (status != "all").then(|| status.to_owned()),
        q: sought(query.q.as_deref())?,
        department: query.department.clone(),
        community_id: query.community_id.clone(),
        after: after.map(|cursor| (cursor.at, cursor.id)),
    })
}

/// One person.
pub fn show(conn: &mut Conn, actor: &Actor, id: &str) -> Result<ProfileView, OperationError> {
    actor.require(Role::Viewer)?;
    let row = seen(conn, actor, id)?;
    views(conn, actor, vec![row])?
        .pop()
        .ok_or_else(|| OperationError::not_found("profile", id))
}

/// A row this actor may see.
pub(super) fn seen(conn: &mut Conn, actor: &Actor, id: &str) -> Result<ProfileRow, OperationError> {
    profiles::find(conn, id)?
        .filter(|row| actor.may_see(Some(&row.organization_id)))
        .ok_or_else(|| OperationError::not_found("profile", id))
}

/// Rows as this actor sees them, with their links, communities and suspensions: a few queries, however
/// many rows.
pub(super) fn views(
    conn: &mut Conn,
    actor: &Actor,
    rows: Vec<ProfileRow>,
) -> Result<Vec<ProfileView>, OperationError> {
    let mut homes: Vec<String> = rows.iter().map(|row| row.organization_id.clone()).collect();
    homes.sort();
    homes.dedup();
    let redaction = Redaction::over(conn, actor, &homes)?;
    let ids: Vec<String> = rows.iter().map(|row| row.id.clone()).collect();
    let mut links = profiles::links_of(conn, &ids)?;
    let mut seats = seated::of_profiles(conn, &ids)?;
    let held = legal_holds::among(conn, &ids)?;
    let mut judged = standings::of_profiles(conn, &ids)?;
    let owners = Owners::of(conn, &homes)?;
    let managers = managers::of(conn, &rows)?;
    rows.into_iter()
        .map(|mut row| {
            let (theirs, seats) = taken(&mut links, &mut seats, &row.id);
            let access = judged.remove(&row.id).map(|one| one.access);
            let locked = owners.locked(&row, &theirs)?;
            let hidden = redaction.profile(&mut row)?;
            let mut view = view(row, theirs, seats, access)?;
            (view.locked, view.hidden) = (locked, hidden);
            view.legal_hold = held.contains(&view.id);
            if let Some(manager) = managers.get(&view.id) {
                show_manager(&mut view, manager);
            }
            Ok(view)
        })
        .collect()
}

/// Fields that say who a manager is: where one of them is sensitive, so is what it leads to.
const NAMING_MANAGERS: [&str; 3] = [
    "manager_email",
    "attributes.manager_id",
    "attributes.manager_employee_number",
];

fn show_manager(view: &mut ProfileView, manager: &Manager) {
    let hidden = |field: &String| NAMING_MANAGERS.contains(&field.as_str());
    if view.hidden.iter().any(hidden) {
        return;
    }
    if let Some(row) = manager.row() {
        view.manager_id = Some(row.id.clone());
        view.manager_name = Some(row.display_name.clone());
    } else if let (Some(why), false) = (
        manager.problem(),
        matches!(manager, Manager::Unnamed | Manager::Unknown),
    ) {
        view.warnings.push(format!("manager: {why}"));
    }
}

type Seats = Vec<(String, String, String)>;

fn taken(
    links: &mut BTreeMap<String, Vec<LinkRow>>,
    seats: &mut BTreeMap<String, Seats>,
    id: &str,
) -> (Vec<LinkRow>, Seats) {
    (
        links.remove(id).unwrap_or_default(),
        seats.remove(id).unwrap_or_default(),
    )
}

fn view(
    row: ProfileRow,
    links: Vec<LinkRow>,
    seats: Seats,
    access: Option<Access>,
) -> Result<ProfileView, OperationError> {
    let attributes = serde_json::from_str(&row.attributes)
        .map_err(|error| unreadable("attributes", &row.id, &error))?;
    let warnings = serde_json::from_str(&row.warnings)
        .map_err(|error| unreadable("warnings", &row.id, &error))?;
    let roles =
        serde_json::from_str(&row.roles).map_err(|error| unreadable("roles", &row.id, &error))?;
    Ok(ProfileView {
        access: access.as_ref().is_some_and(Access::allowed),
        access_reason: access.map_or_else(|| row.status.clone(), |access| access.reason()),
        attributes,
        warnings,
        locked: Vec::new(),
        hidden: Vec::new(),
        links: links.into_iter().map(LinkView::from).collect(),
        communities: seats
            .into_iter()
            .map(|(id, name, role)| InCommunity { id, name, role })
            .collect(),
        id: row.id,
        organization_id: row.organization_id,
        status: row.status,
        first_name: row.first_name,
        last_name: row.last_name,
        display_name: row.display_name,
        email: row.email,
        title: row.title,
        department: row.department,
        pronouns: row.pronouns,
        start_date: row.start_date,
        manager_email: row.manager_email,
        manager_id: None,
        manager_name: None,
        employee_number: row.employee_number,
        role: row.role,
        roles,
        period: row.period,
        legal_hold: false,
        first_seen_at: row.first_seen_at,
        updated_at: row.updated_at,
        removed_at: row.removed_at,
        removed_reason: row.removed_reason,
    })
}

/// Whether somebody of that stored status may come in.
pub(super) fn has_access(status: &str) -> bool {
    Status::parse(status).is_some_and(Status::has_access)
}
