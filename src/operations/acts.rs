//! The audit: what operators did, to what, when, and under which name; read only, newest
//! first. Those who are limited to one organization see what was done in it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::db::Conn;
use crate::store::acts::{self, ActFilter, ActRow};

use super::{Actor, Cursor, Listing, OperationError, Page, Role, limit_of};

/// Which acts; the query of `GET /v1/audit` and the flags of `rollcall audit list`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the parameters of the API")]
pub struct AuditQuery {
    pub organization_id: Option<String>,
    /// Who: a token's name, `bootstrap` or `cli:<user>`.
    pub actor: Option<String>,
    /// What: one act (`trigger.updated`) or a kind of them (`trigger`).
    pub act: Option<String>,
    /// To what: an id.
    pub target: Option<String>,
    pub since: Option<Timestamp>,
    pub until: Option<Timestamp>,
    pub limit: Option<i64>,
    pub cursor: Option<String>,
}

/// An act as shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[allow(missing_docs, reason = "the fields of the API")]
pub struct AuditView {
    pub id: String,
    pub at: Timestamp,
    pub actor: String,
    pub act: String,
    pub target: String,
    pub organization_id: Option<String>,
    pub detail: Option<String>,
}

impl From<ActRow> for AuditView {
    fn from(row: ActRow) -> Self {
        Self {
            id: row.id.to_string(),
            at: row.at,
            actor: row.actor,
            act: row.act,
            target: row.target,
            organization_id: row.organization_id,
            detail: row.detail,
        }
    }
}

/// A page of acts, newest first.
pub fn list(
    conn: &mut Conn,
    actor: &Actor,
    query: &AuditQuery,
) -> Result<Page<AuditView>, OperationError> {
    actor.require(Role::Viewer)?;
    let limit = limit_of(query.limit)?;
    let listing = Listing::of(actor, "audit", query)?;
    let cursor = listing.cursor(conn, query.cursor.as_deref())?;
    let before = cursor.map(|cursor| cursor.id.parse::<i64>()).transpose();
    let filter = ActFilter {
        organization_id: actor.scope(query.organization_id.as_deref())?,
        actor: query.actor.clone(),
        act: query.act.clone(),
        target: query.target.clone(),
        since: query.since,
        until: query.until,
        before: before.map_err(|_| {
            OperationError::Invalid("the cursor is of another list: leave it out".to_owned())
        })?,
    };
    let rows = acts::browse(conn, &filter, limit + 1)?;
    let page = listing.cut(conn, rows, limit, |row| Cursor {
        at: row.at,
        id: row.id.to_string(),
    })?;
    Ok(page.map(AuditView::from))
}
