//! Groups: what directories call them now and called them before, and the places in them
//! that have waited for their user or group for over a day (R16).

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::db::Conn;
use crate::store::groups::{self, WaitingEdge};

use super::{Actor, Listing, OperationError, Page, Role, limit_of};

/// A place that waits longer is reported (R16).
pub const WAITS_LONG: Duration = Duration::from_secs(24 * 3_600);

/// Which groups, or which places.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the parameters of the API")]
pub struct GroupQuery {
    pub organization_id: Option<String>,
    pub limit: Option<i64>,
    pub cursor: Option<String>,
}

/// A group as shown.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[allow(missing_docs, reason = "the fields of the API")]
pub struct GroupView {
    pub id: String,
    pub organization_id: String,
    pub directory_id: String,
    pub idp_id: Option<String>,
    pub name: String,
    /// `active` or `deleted`.
    pub state: &'static str,
    /// What it was called before: rules written for these names go on.
    pub former_names: Vec<String>,
    /// Deleted groups whose place it took.
    pub took_over: Vec<String>,
    /// Directory users in it.
    pub members: usize,
}

/// A place in a group that nobody can take yet.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[allow(missing_docs, reason = "the fields of the API")]
pub struct WaitingView {
    pub organization_id: String,
    pub group_id: String,
    pub group_name: Option<String>,
    pub directory_user_id: String,
    /// The provider's id, where no event gave the user an id of WorkOS's.
    pub idp_id: Option<String>,
    /// `user`, `group` or `user and group`.
    pub waits_for: &'static str,
    pub since: Timestamp,
}

/// A page of groups, by name.
pub fn list(
    conn: &mut Conn,
    actor: &Actor,
    query: &GroupQuery,
) -> Result<Page<GroupView>, OperationError> {
    actor.require(Role::Viewer)?;
    let limit = limit_of(query.limit)?;
    let organization = actor.scope(query.organization_id.as_deref())?;
    let listing = Listing::of(actor, "groups", query)?;
    let after = listing.place(conn, query.cursor.as_deref())?;
    let after = after.map(|[name, id]| (name, id));
    let rows = groups::list(conn, organization.as_deref(), after, limit + 1)?;
    let page = listing.cut_at(conn, rows, limit, |(_, group)| {
        [group.name.clone(), group.id.clone()]
    })?;
    let next_cursor = page.next_cursor;
    let mut data = Vec::new();
    for (organization_id, group) in page.data {
        let state = if group.exists() { "active" } else { "deleted" };
        let members = match group.exists() {
            true => groups::joined(conn, &group.id)?.len(),
            false => 0,
        };
        data.push(GroupView {
            organization_id,
            state,
            members,
            former_names: group.former_names().cloned().collect(),
            took_over: group.took_over.into_iter().collect(),
            id: group.id,
            directory_id: group.directory_id,
            idp_id: group.idp_id,
            name: group.name,
        });
    }
    Ok(Page { data, next_cursor })
}

/// A page of the places that have waited for over a day, the oldest first.
pub fn waiting(
    conn: &mut Conn,
    actor: &Actor,
    query: &GroupQuery,
    now: Timestamp,
) -> Result<Page<WaitingView>, OperationError> {
    actor.require(Role::Viewer)?;
    let limit = limit_of(query.limit)?;
    let organization = actor.scope(query.organization_id.as_deref())?;
    let since = now.minus(WAITS_LONG);
    let listing = Listing::of(actor, "groups/pending-members", query)?;
    let after = listing.place(conn, query.cursor.as_deref())?;
    let after = after.map(waited).transpose()?;
    let rows = groups::waiting(conn, organization.as_deref(), since, after, limit + 1)?;
    let page = listing.cut_at(conn, rows, limit, |row| {
        let at = row.recorded_at.micros().to_string();
        [at, row.group_id.clone(), row.directory_user_id.clone()]
    })?;
    Ok(page.map(WaitingView::from))
}

fn waited([at, group, user]: [String; 3]) -> Result<(Timestamp, String, String), OperationError> {
    let at = at
        .parse()
        .map_err(|_| OperationError::Invalid("the cursor is not one of this list".to_owned()))?;
    Ok((Timestamp(at), group, user))
}

impl From<WaitingEdge> for WaitingView {
    fn from(row: WaitingEdge) -> Self {
        let named = row.group_name.filter(|name| !name.is_empty());
        Self {
            waits_for: match (&row.known_user, &named) {
                (None, Some(_)) => "user",
                (None, None) => "user and group",
                (Some(_), _) => "group",
            },
            organization_id: row.organization_id,
            group_id: row.group_id,
            group_name: named,
            directory_user_id: row.directory_user_id,
            idp_id: row.idp_id,
            since: row.recorded_at,
        }
    }
}
