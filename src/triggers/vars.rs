//! What a template can say of a person: the profile's fields by name, the communities they are in,
//! and the one that a membership trigger speaks of.

use diesel::QueryResult;
use serde_json::{Value, json};

use crate::db::Conn;
use crate::store::{communities, profiles, seated};

/// The profile's fields by name, as templates and webhook bodies have them.
pub(crate) fn variables(row: &profiles::ProfileRow) -> Value {
    let attributes: Value = serde_json::from_str(&row.attributes).unwrap_or_else(|_| json!({}));
    let roles: Vec<String> = serde_json::from_str(&row.roles).unwrap_or_default();
    json!({
        "id": row.id, "organization_id": row.organization_id, "status": row.status,
        "first_name": row.first_name, "last_name": row.last_name, "display_name": row.display_name,
        "email": row.email, "title": row.title, "department": row.department, "pronouns": row.pronouns,
        "start_date": row.start_date, "manager_email": row.manager_email, "employee_number": row.employee_number,
        "role": row.role, "roles": roles,
        "attributes": attributes, "removed_at": row.removed_at, "removed_reason": row.removed_reason,
    })
}

/// The same with the communities, by name.
pub(crate) fn variables_of(
    conn: &mut Conn,
    row: &profiles::ProfileRow,
    community: Option<&str>,
) -> QueryResult<Value> {
    let mut vars = variables(row);
    let mut theirs = seated::of_profiles(conn, std::slice::from_ref(&row.id))?;
    let names: Vec<String> = theirs
        .remove(&row.id)
        .unwrap_or_default()
        .into_iter()
        .map(|(_, name, _)| name)
        .collect();
    vars["communities"] = json!(names);
    if let Some(id) = community {
        let name = communities::names(conn, &[id.to_owned()])?.remove(id);
        vars["community"] = json!(name);
        vars["community_id"] = json!(id);
    }
    Ok(vars)
}
