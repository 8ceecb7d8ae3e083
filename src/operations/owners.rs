//! Whose a field is (R50, R54, R55): the directory's, where one that is linked speaks of the person
//! and the mapping locks the field; the person's own otherwise.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::db::Conn;
use crate::domain::{Mapping, is_of_logins};
use crate::store::profiles::{LinkRow, ProfileRow};
use crate::store::{directories, organizations, unreadable};

use super::OperationError;

/// The mappings of some organizations, and their directories that are linked.
#[derive(Debug)]
pub(super) struct Owners {
    mappings: BTreeMap<String, Mapping>,
    linked: BTreeSet<String>,
}

impl Owners {
    /// Of the given organizations, in two queries.
    pub(super) fn of(conn: &mut Conn, homes: &[String]) -> Result<Self, OperationError> {
        let found = organizations::load(conn, homes)?.into_iter();
        let directories = directories::of_organizations(conn, homes)?.into_iter();
        Ok(Self {
            mappings: found.map(|(id, one)| (id, one.settings.mapping)).collect(),
            linked: directories
                // What a log-in says stays theirs (R54).
                .filter(|(id, one)| one.life.live() && !is_of_logins(id))
                .map(|(id, _)| id)
                .collect(),
        })
    }

    /// The fields of a person that are the directory's.
    pub(super) fn locked(
        &self,
        row: &ProfileRow,
        links: &[LinkRow],
    ) -> Result<Vec<String>, OperationError> {
        let spoken_for = links
            .iter()
            .any(|link| link.state == "active" && self.linked.contains(&link.directory_id));
        let Some(mapping) = self
            .mappings
            .get(&row.organization_id)
            .filter(|_| spoken_for)
        else {
            return Ok(Vec::new());
        };
        let attributes: Map<String, Value> = serde_json::from_str(&row.attributes)
            .map_err(|error| unreadable("attributes", &row.id, &error))?;
        Ok(mapping.locked(attributes.keys()))
    }
}
