//! The opt-out list (R64, R82): who wants no messages. It is asked again whenever a
//! message is about to leave, so that adding somebody stops what is due already.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::db::{Conn, new_id};
use crate::outbox::{lock_part, part_of};
use crate::store::opt_outs::{self, OptOut};
use crate::triggers::definition::address;
use crate::workos::clean;

use super::{Actor, Cursor, Listing, OperationError, Page, Role, audit, limit_of};

/// Which addresses.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
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
    /// Whose opt-out it is; nobody's while nobody has the address.
    pub profile_id: Option<String>,
    pub reason: Option<String>,
    pub created_at: Timestamp,
    pub created_by: String,
}

impl From<OptOut> for OptOutView {
    fn from(row: OptOut) -> Self {
        Self {
            organization_id: row.organization_id,
            email: row.address,
            profile_id: row.profile_id,
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
) -> Result<Page<OptOutView>, OperationError> {
    actor.require(Role::Viewer)?;
    let limit = limit_of(query.limit)?;
    let organization = actor.scope(query.organization_id.as_deref())?;
    let listing = Listing::of(actor, "opt_outs", query)?;
    let cursor = listing.cursor(conn, query.cursor.as_deref())?;
    let before = cursor.map(|cursor| (cursor.at, cursor.id));
    let rows = opt_outs::list(conn, organization.as_deref(), before, limit + 1)?;
    let page = listing.cut(conn, rows, limit, |row| Cursor {
        at: row.created_at,
        id: row.id.clone(),
    })?;
    Ok(page.map(OptOutView::from))
}

/// Whether a person wants no messages.
pub fn has(conn: &mut Conn, actor: &Actor, profile_id: &str) -> Result<bool, OperationError> {
    actor.require(Role::Viewer)?;
    super::profiles::seen(conn, actor, profile_id)?;
    Ok(opt_outs::of_person(conn, profile_id)?.is_some())
}

/// Adds an address, which stands for the person who has it or for whoever comes with it; an opt-out
/// that is there stays as it is.
pub fn add(
    conn: &mut Conn,
    actor: &Actor,
    new: &NewOptOut,
    now: Timestamp,
) -> Result<OptOutView, OperationError> {
    actor.require(Role::Operator)?;
    actor.scope(Some(&new.organization_id))?;
    if address(&clean::bare(&new.email)).is_none() {
        return Err(OperationError::Invalid(
            "email is no plain e-mail address (one address, without a name, quotes or spaces)"
                .to_owned(),
        ));
    }
    lock_part(conn, part_of(&new.organization_id))?;
    if let Some(row) = opt_outs::find(conn, &new.organization_id, &new.email)? {
        return Ok(row.into());
    }
    let row = OptOut {
        id: new_id("optout"),
        organization_id: new.organization_id.clone(),
        address: opt_outs::key(&new.email),
        profile_id: opt_outs::holder_of(conn, &new.organization_id, &new.email)?,
        reason: new.reason.clone(),
        created_at: now,
        created_by: actor.name.clone(),
    };
    if opt_outs::add(conn, &row)? {
        note(conn, actor, "opt_out.added", &row.organization_id, now)?;
    }
    Ok(row.into())
}

/// What the person of a page asked for themselves: no messages, or messages again.
pub fn wish(
    conn: &mut Conn,
    actor: &Actor,
    profile_id: &str,
    wanted: bool,
    now: Timestamp,
) -> Result<(), OperationError> {
    actor.require(Role::Operator)?;
    let person = super::profiles::seen(conn, actor, profile_id)?;
    lock_part(conn, part_of(&person.organization_id))?;
    let organization = person.organization_id.as_str();
    let known = opt_outs::of_person(conn, profile_id)?;
    let act = match (known, wanted) {
        (Some(row), true) => {
            opt_outs::remove(conn, &row.id)?;
            "opt_out.removed"
        }
        (None, false) => {
            let row = OptOut {
                id: new_id("optout"),
                organization_id: organization.to_owned(),
                address: person.email.as_deref().map(opt_outs::key).ok_or_else(|| {
                    OperationError::Conflict(
                        "they have no address that could be on the list".to_owned(),
                    )
                })?,
                profile_id: Some(profile_id.to_owned()),
                reason: None,
                created_at: now,
                created_by: actor.name.clone(),
            };
            opt_outs::add(conn, &row)?;
            "opt_out.added"
        }
        (Some(_), false) | (None, true) => return Ok(()),
    };
    note(conn, actor, act, organization, now)
}

/// Takes an address off the list.
pub fn remove(
    conn: &mut Conn,
    actor: &Actor,
    which: &WhichOptOut,
    now: Timestamp,
) -> Result<(), OperationError> {
    actor.require(Role::Operator)?;
    actor.scope(Some(&which.organization_id))?;
    lock_part(conn, part_of(&which.organization_id))?;
    let row = match opt_outs::find(conn, &which.organization_id, &which.email)? {
        Some(row) => Some(row),
        None => opt_outs::of_former(conn, &which.organization_id, &which.email)?,
    };
    let row = row.ok_or_else(|| OperationError::not_found("opt-out of", &which.email))?;
    opt_outs::remove(conn, &row.id)?;
    note(conn, actor, "opt_out.removed", &which.organization_id, now)
}

/// The audit says who did it and where; the address itself stands in the list only.
fn note(
    conn: &mut Conn,
    actor: &Actor,
    act: &str,
    organization: &str,
    now: Timestamp,
) -> Result<(), OperationError> {
    let of = Some(organization);
    Ok(audit(conn, actor, act, organization, of, None, now)?)
}
