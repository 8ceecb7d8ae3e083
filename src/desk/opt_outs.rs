//! The opt-out list at the desk (R64): addresses that want no messages. It is asked again whenever a
//! message is about to leave, so that adding one stops what is due already.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::db::Conn;
use crate::people::opt_outs::{self, OptOut};
use crate::triggers::definition::address;
use crate::workos::clean;

use super::{Actor, Cursor, DeskError, Page, Role, audit, limit_of};

/// Which addresses.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the parameters of the API")]
pub struct OptOutQuery {
    pub organization_id: Option<String>,
    pub limit: Option<i64>,
    pub cursor: Option<String>,
}

/// An address to be added or taken off.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the fields of the API")]
pub struct NewOptOut {
    pub organization_id: String,
    #[schemars(email)]
    pub email: String,
    #[serde(default)]
    pub reason: Option<String>,
}

/// Whose address is to be taken off.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the parameters of the API")]
pub struct WhichOptOut {
    pub organization_id: String,
    pub email: String,
}

/// An address as shown.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[allow(missing_docs, reason = "the fields of the API")]
pub struct OptOutView {
    pub organization_id: String,
    pub email: String,
    pub reason: Option<String>,
    pub created_at: Timestamp,
    pub created_by: String,
}

impl From<OptOut> for OptOutView {
    fn from(row: OptOut) -> Self {
        Self {
            organization_id: row.organization_id,
            email: row.address,
            reason: row.reason,
            created_at: row.created_at,
            created_by: row.created_by,
        }
    }
}

/// A page of the list, newest first.
pub fn list(
    conn: &mut Conn,
    actor: &Actor,
    query: &OptOutQuery,
) -> Result<Page<OptOutView>, DeskError> {
    actor.require(Role::Viewer)?;
    let limit = limit_of(query.limit)?;
    let organization = actor.scope(query.organization_id.as_deref())?;
    let cursor = query.cursor.as_deref().map(Cursor::parse).transpose()?;
    let before = cursor.map(|cursor| (cursor.at, cursor.id));
    let rows = opt_outs::list(conn, organization.as_deref(), before, limit + 1)?;
    let page = Page::cut(rows, limit, |row| Cursor {
        at: row.created_at,
        id: row.address.clone(),
    });
    Ok(page.map(OptOutView::from))
}

/// Whether an address wants no messages.
pub fn has(
    conn: &mut Conn,
    actor: &Actor,
    organization: &str,
    email: &str,
) -> Result<bool, DeskError> {
    actor.require(Role::Viewer)?;
    actor.scope(Some(organization))?;
    Ok(opt_outs::has(conn, organization, email)?)
}

/// Adds an address; one that is there stays as it is.
pub fn add(
    conn: &mut Conn,
    actor: &Actor,
    new: &NewOptOut,
    now: Timestamp,
) -> Result<OptOutView, DeskError> {
    actor.require(Role::Operator)?;
    actor.scope(Some(&new.organization_id))?;
    if address(&clean::bare(&new.email)).is_none() {
        return Err(DeskError::Invalid(
            "email is no plain e-mail address (one address, without a name, quotes or spaces)"
                .to_owned(),
        ));
    }
    let row = OptOut {
        organization_id: new.organization_id.clone(),
        address: opt_outs::key(&new.email),
        reason: new.reason.clone(),
        created_at: now,
        created_by: actor.name.clone(),
    };
    if opt_outs::add(conn, &row)? {
        note(conn, actor, "opt_out.added", &row.organization_id, now)?;
    }
    Ok(row.into())
}

/// Takes an address off the list.
pub fn remove(
    conn: &mut Conn,
    actor: &Actor,
    which: &WhichOptOut,
    now: Timestamp,
) -> Result<(), DeskError> {
    actor.require(Role::Operator)?;
    actor.scope(Some(&which.organization_id))?;
    if !opt_outs::remove(conn, &which.organization_id, &which.email)? {
        return Err(DeskError::not_found("opt-out of", &which.email));
    }
    note(conn, actor, "opt_out.removed", &which.organization_id, now)
}

/// The audit says who did it and where; the address itself stands in the list only.
fn note(
    conn: &mut Conn,
    actor: &Actor,
    act: &str,
    organization: &str,
    now: Timestamp,
) -> Result<(), DeskError> {
    let of = Some(organization);
    Ok(audit(conn, actor, act, organization, of, None, now)?)
}
