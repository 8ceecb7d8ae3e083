//! An organization's attribute mapping (R46-R51): checked, kept, and applied to everybody at once by
//! folding them again, so that what is shown never mixes two mappings.

use serde::Serialize;

use crate::clock::Timestamp;
use crate::conditions::Problem;
use crate::db::Conn;
use crate::people::organizations;
use crate::roll::Mapping;
use crate::worker;

use super::{Actor, DeskError, Role, audit};

/// The targets that are profile fields; every other one is `attributes.<name>`.
const STANDARD_TARGETS: [&str; 6] = [
    "title",
    "department",
    "pronouns",
    "start_date",
    "manager_email",
    "employee_number",
];

/// The mapping as shown, and how many people it reached.
#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs, reason = "the fields of the API")]
pub struct FieldsView {
    pub organization_id: String,
    pub mapping: Mapping,
    /// Directory users folded again.
    pub reapplied: usize,
}

/// Replaces the mapping and applies it to everybody.
pub fn put_fields(
    conn: &mut Conn,
    actor: &Actor,
    id: &str,
    mapping: Mapping,
    now: Timestamp,
) -> Result<FieldsView, DeskError> {
    actor.require(Role::Operator)?;
    let mut organization = organizations::find(conn, id)?
        .filter(|one| actor.may_see(Some(&one.id)))
        .ok_or_else(|| DeskError::not_found("organization", id))?;
    let problems = problems_of(&mapping);
    if !problems.is_empty() {
        return Err(DeskError::Problems(problems));
    }
    organization.settings.mapping = mapping.clone();
    organizations::save_settings(conn, id, &organization.settings)?;
    let detail = format!("{} rules", mapping.rules.len());
    audit(
        conn,
        actor,
        "organization.fields_put",
        id,
        Some(id),
        Some(&detail),
        now,
    )?;
    let reapplied = worker::refold_organization(conn, id, &actor.name, now)?;
    Ok(FieldsView {
        organization_id: id.to_owned(),
        mapping,
        reapplied,
    })
}

fn problems_of(mapping: &Mapping) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut seen = std::collections::BTreeSet::new();
    for (place, rule) in mapping.rules.iter().enumerate() {
        let path = format!("rules[{place}]");
        let custom = rule
            .target
            .strip_prefix("attributes.")
            .is_some_and(|name| !name.is_empty());
        if !custom && !STANDARD_TARGETS.contains(&rule.target.as_str()) {
            let known = STANDARD_TARGETS.join(", ");
            problems.push(Problem::new(
                format!("{path}.target"),
                format!("it may be {known} or attributes.<name>"),
            ));
        }
        if !seen.insert(rule.target.as_str()) {
            problems.push(Problem::new(
                format!("{path}.target"),
                "another rule has this target already",
            ));
        }
        if rule.from.is_empty() || rule.from.iter().any(String::is_empty) {
            problems.push(Problem::new(
                format!("{path}.from"),
                "name at least one key of custom_attributes, or a JSON pointer into it",
            ));
        }
    }
    problems
}
