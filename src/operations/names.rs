//! What pages show in place of ids: names of people, communities and organizations. Ids of what the
//! actor may not see have no name.

use std::collections::BTreeMap;

use crate::db::Conn;
use crate::store::{cluster, communities, directories, groups, organizations, profiles};

use super::{Actor, MAX_LIMIT, OperationError, Role};

/// Display names of profiles.
pub fn of_people(
    conn: &mut Conn,
    actor: &Actor,
    ids: &[String],
) -> Result<BTreeMap<String, String>, OperationError> {
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
) -> Result<BTreeMap<String, String>, OperationError> {
    actor.require(Role::Viewer)?;
    Ok(communities::names(conn, ids)?)
}

/// What a directory user or a group is called here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Called {
    /// A person's or group's name.
    pub name: String,
    /// The person's profile; of a group none.
    pub profile_id: Option<String>,
}

/// Names of directory users and groups of a directory that the actor was shown, by WorkOS's ids.
pub fn of_directory_things(
    conn: &mut Conn,
    actor: &Actor,
    directory: &str,
    ids: &[String],
) -> Result<BTreeMap<String, Called>, OperationError> {
    actor.require(Role::Viewer)?;
    let groups = groups::load(conn, ids)?.into_iter();
    let mut all: BTreeMap<String, Called> = groups
        .filter(|(_, one)| one.directory_id == directory)
        .map(|(id, one)| {
            let called = Called {
                name: one.name,
                profile_id: None,
            };
            (id, called)
        })
        .collect();
    let links = cluster::links_by_id(conn, &ids.iter().cloned().collect())?;
    let profiles: Vec<String> = links.values().map(|link| link.person.clone()).collect();
    let people = of_people(conn, actor, &profiles)?;
    for (id, link) in links {
        if let Some(name) = people.get(&link.person) {
            let called = Called {
                name: name.clone(),
                profile_id: Some(link.person),
            };
            all.insert(id, called);
        }
    }
    Ok(all)
}

/// Communities by name, at most 200 of the newest: for choosing one.
pub fn all_communities(
    conn: &mut Conn,
    actor: &Actor,
    organization: Option<&str>,
) -> Result<Vec<(String, String)>, OperationError> {
    actor.require(Role::Viewer)?;
    let organization = actor.scope(organization)?;
    let rows = communities::list(conn, organization.as_deref(), None, None, MAX_LIMIT)?;
    let mut all: Vec<(String, String)> = rows.into_iter().map(|row| (row.id, row.name)).collect();
    all.sort_by(|one, other| one.1.cmp(&other.1));
    Ok(all)
}

/// Organizations, newest first, at most 200: id and name. One without a name goes by a directory's
/// name, or else by the ends of its id.
pub fn of_organizations(
    conn: &mut Conn,
    actor: &Actor,
) -> Result<Vec<(String, String)>, OperationError> {
    actor.require(Role::Viewer)?;
    let only = actor.organization_id.as_deref();
    let rows = organizations::list(conn, only, None, MAX_LIMIT)?;
    let directories = directories::list(conn, only, None, MAX_LIMIT)?;
    let of_directory = |id: &str| {
        let theirs = directories.iter().filter(|one| one.organization_id == id);
        theirs.filter_map(|one| one.name.clone()).next()
    };
    Ok(rows
        .into_iter()
        .map(|row| {
            let name = row.name.or_else(|| of_directory(&row.id));
            let name = name.unwrap_or_else(|| shortened(&row.id));
            (row.id, name)
        })
        .collect())
}

/// What an organization is called; one that nobody has heard of goes by its id.
pub fn of_organization(conn: &mut Conn, actor: &Actor, id: &str) -> Result<String, OperationError> {
    let all = of_organizations(conn, actor)?;
    let found = all.into_iter().find(|(one, _)| one == id);
    Ok(found.map_or_else(|| id.to_owned(), |(_, name)| name))
}

/// WorkOS's ids are told apart by their ends: `org_01M3…E89K78`.
fn shortened(id: &str) -> String {
    let letters: Vec<char> = id.chars().collect();
    match (letters.first_chunk::<8>(), letters.last_chunk::<6>()) {
        (Some(first), Some(last)) if letters.len() > 18 => {
            first.iter().chain(&['…']).chain(last).collect()
        }
        _ => id.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::shortened;

    #[test]
    fn a_long_id_is_shown_by_its_ends() {
        assert_eq!(
            shortened("org_01M36MEP00M7R9W71CAXE89K78"),
            "org_01M3…E89K78"
        );
        assert_eq!(shortened("org_fernwood"), "org_fernwood");
    }
}
