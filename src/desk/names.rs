//! What pages show in place of ids: names of people, communities and organizations. Ids of what the
//! actor may not see have no name.

use std::collections::BTreeMap;

use crate::db::Conn;
use crate::people::{communities, organizations, profiles};

use super::{Actor, DeskError, MAX_LIMIT, Role};

/// Display names of profiles.
pub fn of_people(
    conn: &mut Conn,
    actor: &Actor,
    ids: &[String],
) -> Result<BTreeMap<String, String>, DeskError> {
    actor.require(Role::Viewer)?;
    let rows = profiles::load(conn, ids)?;
    Ok(rows
        .into_iter()
        .filter(|(_, row)| actor.may_see(Some(&row.organization_id)))
        .map(|(id, row)| (id, row.display_name))
        .collect())
}

/// Names of communities; those named are taken from what the actor was shown already.
pub fn of_communities(
    conn: &mut Conn,
    actor: &Actor,
    ids: &[String],
) -> Result<BTreeMap<String, String>, DeskError> {
    actor.require(Role::Viewer)?;
    Ok(communities::names(conn, ids)?)
}

/// Organizations, newest first, at most 200: id and name, the id where it has none.
pub fn of_organizations(
    conn: &mut Conn,
    actor: &Actor,
) -> Result<Vec<(String, String)>, DeskError> {
    actor.require(Role::Viewer)?;
    let only = actor.organization_id.as_deref();
    let rows = organizations::list(conn, only, None, MAX_LIMIT)?;
    Ok(rows
        .into_iter()
        .map(|row| (row.id.clone(), row.name.unwrap_or(row.id)))
        .collect())
}
