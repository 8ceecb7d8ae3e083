//! Fields that WorkOS has deprecated: top-level `job_title`, `username` and `emails`, null or empty
//! since 2026-04-15, and `raw_attributes`, `{}` since then. Older payloads and older environments
//! still carry them; they are brought under the predefined names of `custom_attributes` (contract
//! section 4), or keep their own where they have no such name, and only where they say something, so
//! that they can never clear a field (R47).

use serde_json::{Map, Value};

use super::clean;
use super::email::is_address;
use super::json::Object;

/// The enterprise extension's key in SCIM 2.0 (RFC 7643, section 4.3) and in SCIM 1.1.
const ENTERPRISE: [&str; 2] = [
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
    "urn:scim:schemas:extension:enterprise:1.0",
];
/// SCIM core attributes and the predefined names they have at WorkOS.
const CORE: [(&str, &str); 5] = [
    ("title", "job_title"),
    ("userName", "username"),
    ("displayName", "display_name"),
    ("userType", "employee_type"),
    ("emails", "emails"),
];
const EXTENSION: [(&str, &str); 5] = [
    ("department", "department_name"),
    ("division", "division_name"),
    ("employeeNumber", "employee_number"),
    ("costCenter", "cost_center_name"),
    ("organization", "organization"),
];

/// Members of a SCIM body that are the protocol's or stand elsewhere in the payload, and secrets.
const NOT_ATTRIBUTES: [&str; 9] = [
    "active",
    "externalId",
    "groups",
    "id",
    "meta",
    "name",
    "password",
    "primaryEmail",
    "schemas",
];

/// What the deprecated fields of a user say, under today's names; the top level wins over
/// `raw_attributes`, and in there what SCIM names over what has a name of its own.
pub(super) fn collect(user: &Object<'_>) -> Map<String, Value> {
    let mut said = Map::new();
    for key in ["job_title", "username", "emails"] {
        keep(&mut said, key, user.value(key));
    }
    let Some(Value::Object(raw)) = user.value("raw_attributes") else {
        return said;
    };
    for (theirs, ours) in CORE {
        keep(&mut said, ours, raw.get(theirs).cloned());
    }
    for extension in ENTERPRISE.iter().filter_map(|key| raw.get(*key)) {
        for (theirs, ours) in EXTENSION {
            keep(&mut said, ours, extension.get(theirs).cloned());
        }
        keep_manager(&mut said, extension.get("manager"));
    }
    for (name, value) in &raw {
        let is_named = CORE.iter().any(|(theirs, _)| theirs == name);
        if !is_named && !NOT_ATTRIBUTES.contains(&name.as_str()) {
            keep_own(&mut said, name, value);
        }
    }
    said
}

/// Keeps a value of `raw_attributes` under its own name: texts, numbers, truth values, and lists of
/// them. Objects are the provider's own structures; mappings of them were never possible here.
fn keep_own(said: &mut Map<String, Value>, name: &str, value: &Value) {
    let is_plain = |value: &Value| value.is_string() || value.is_number() || value.is_boolean();
    let usable = match value {
        Value::String(text) => !clean::text(text).is_empty(),
        Value::Array(items) => !items.is_empty() && items.iter().all(is_plain),
        plain => is_plain(plain),
    };
    if usable {
        said.entry(clean::text(name))
            .or_insert_with(|| value.clone());
    }
}

/// SCIM's manager is `{value, displayName}`, in 1.1 `{managerId, displayName}`; some providers
/// send the bare id, some an address as the id.
fn keep_manager(said: &mut Map<String, Value>, manager: Option<&Value>) {
    let Some(manager) = manager else { return };
    let id = match manager {
        Value::Object(parts) => parts.get("value").or_else(|| parts.get("managerId")),
        bare => Some(bare),
    };
    let id = id.filter(|id| id.is_string()).cloned();
    if id.as_ref().and_then(Value::as_str).is_some_and(is_address) {
        keep(said, "manager_email", id.clone());
    }
    keep(said, "manager_id", id);
    keep(said, "manager_name", manager.get("displayName").cloned());
}

/// Keeps a value unless it says nothing, has a type the name does not, or the name is taken.
fn keep(said: &mut Map<String, Value>, name: &str, value: Option<Value>) {
    let usable = value.filter(|value| match value {
        Value::Array(list) => name == "emails" && !list.is_empty(),
        Value::String(text) => name != "emails" && !clean::text(text).is_empty(),
        Value::Number(_) => name != "emails",
        Value::Null | Value::Bool(_) | Value::Object(_) => false,
    });
    if let Some(value) = usable {
        said.entry(name).or_insert(value);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn collected(user: Value) -> Value {
        let text = user.to_string();
        Value::Object(collect(&Object::read(&text).unwrap()))
    }

    #[test]
    fn r47_null_and_empty_deprecated_fields_say_nothing() {
        let today = json!({"job_title": null, "username": "", "emails": [], "raw_attributes": {}});
        assert_eq!(collected(today), json!({}));
        assert_eq!(collected(json!({"raw_attributes": null})), json!({}));
        let odd = json!({"job_title": ["x"], "username": {}, "emails": "x", "raw_attributes": [7]});
        assert_eq!(collected(odd), json!({}));
    }

    #[test]
    fn c3_scim_bodies_come_under_the_predefined_names_and_the_top_level_wins() {
        let user = json!({
            "job_title": "Engineer",
            "raw_attributes": {
                "title": "Engineer II", "userName": "b.lunn", "displayName": "B Lunn",
                "userType": " ", "active": true, "emails": [{"value": "b@old.example"}],
                "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {
                    "department": "Support", "division": "EMEA", "employeeNumber": 1042,
                    "costCenter": "CC-9", "organization": "Old Ltd",
                    "manager": {"value": "00u77", "displayName": "Li Wen"}
                }
            }
        });
        let expected = json!({
            "job_title": "Engineer", "username": "b.lunn", "display_name": "B Lunn",
            "emails": [{"value": "b@old.example"}], "department_name": "Support",
            "division_name": "EMEA", "employee_number": 1042, "cost_center_name": "CC-9",
            "organization": "Old Ltd", "manager_id": "00u77", "manager_name": "Li Wen"
        });
        assert_eq!(collected(user), expected);
    }

    #[test]
    fn a_manager_is_read_as_an_id_and_as_an_address_where_it_is_one() {
        let with = |manager: Value| {
            let extension = json!({"manager": manager, "department": ""});
            collected(
                json!({"raw_attributes": {"urn:scim:schemas:extension:enterprise:1.0": extension}}),
            )
        };
        assert_eq!(
            with(json!({"managerId": "m1"})),
            json!({"manager_id": "m1"})
        );
        assert_eq!(
            with(json!("li@x.example")),
            json!({"manager_id": "li@x.example", "manager_email": "li@x.example"})
        );
        assert_eq!(with(json!({"value": {}})), json!({}));
    }
    #[test]
    fn what_scim_does_not_name_keeps_its_own_name() {
        let user = json!({"raw_attributes": {
            "department": "Sales", "level": 7, "remote": true, "skills": ["rust", "sql"], " ": " ",
            "title": "Lead", "name": {"givenName": "Ada"}, "password": "hunter2", "schemas": ["urn:x"],
            "customSchemas": {"pay": 1}, "groups": ["g"], "active": true, "id": "1", "none": null, "empty": []
        }});
        let expected = json!({
            "job_title": "Lead", "department": "Sales", "level": 7, "remote": true, "skills": ["rust", "sql"]
        });
        assert_eq!(collected(user), expected);
    }
}
