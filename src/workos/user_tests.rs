//! What one payload says about a directory user, and what it leaves unsaid.

use serde_json::json;

use super::*;

fn read(data: Value) -> DirectoryUser {
    read_text(&data.to_string()).unwrap()
}

fn read_text(data: &str) -> Result<DirectoryUser, Unusable> {
    DirectoryUser::read("dsync.user.updated", &Object::read(data).unwrap())
}

fn with(mut extra: Value) -> DirectoryUser {
    extra["id"] = json!("u1");
    extra["directory_id"] = json!("d1");
    read(extra)
}

fn text(value: &str) -> Said {
    Said::Text(value.to_owned())
}

#[test]
fn todays_payload_is_read_in_full() {
    let user = read(json!({
        "object": "directory_user", "id": "directory_user_1", "directory_id": "directory_1",
        "organization_id": "org_1", "idp_id": "00u1q7kdx", "email": "ada.oster@northwind.example",
        "first_name": "Ada", "last_name": "Øster", "name": "Ada Øster", "emails": [],
        "job_title": null, "username": null, "state": "active", "raw_attributes": {},
        "custom_attributes": {"job_title": "Analyst", "cost_center_name": null},
        "role": {"slug": "member"}, "roles": [{"slug": "member"}]
    }));
    assert_eq!(user.id, "directory_user_1");
    assert_eq!(user.organization_id.as_deref(), Some("org_1"));
    assert_eq!(user.idp_id.as_deref(), Some("00u1q7kdx"));
    assert_eq!(user.state, Some(UserState::Active));
    assert_eq!(user.email, text("ada.oster@northwind.example"));
    assert_eq!(user.last_name, text("Øster"));
    assert_eq!(user.role.as_deref(), Some("member"));
    assert_eq!(user.custom.unwrap()["cost_center_name"], Value::Null);
    assert!(user.legacy.is_empty() && user.warnings.is_empty());
}

#[test]
fn the_legacy_payload_of_2021_gives_address_state_and_attributes() {
    let user = with(json!({
        "state": "suspended", "username": "b.lunn@old.example", "job_title": "Engineer",
        "emails": [{"type": "work", "value": "b.lunn@old.example", "primary": true}],
        "raw_attributes": {
            "active": false,
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"department": "Support"}
        }
    }));
    assert_eq!(
        user.state,
        Some(UserState::Inactive("suspended".to_owned()))
    );
    assert_eq!(user.email, text("b.lunn@old.example"));
    assert_eq!(user.legacy["job_title"], "Engineer");
    assert_eq!(user.legacy["department_name"], "Support");
    assert_eq!(user.custom, None);
}

#[test]
fn r6_two_ids_are_enough_and_without_them_the_reason_names_the_path() {
    let bare = with(json!({}));
    assert_eq!((bare.state, bare.custom), (None, None));
    assert!(bare.email.is_absent() && bare.first_name.is_absent());
    for (data, path) in [
        (r#"{"directory_id":"d1"}"#, "`data.id`"),
        (r#"{"id":7,"directory_id":"d1"}"#, "`data.id`"),
        (r#"{"id":"u1"}"#, "`data.directory_id`"),
        (r#"{"id":"u1","directory_id":""}"#, "`data.directory_id`"),
    ] {
        let reason = read_text(data).unwrap_err().to_string();
        assert!(reason.contains(path), "{reason}");
    }
}

#[test]
fn absent_null_and_said_stay_apart_also_when_stored() {
    let user = with(json!({"first_name": null, "last_name": "  ", "name": "Ada", "email": ""}));
    assert_eq!(user.first_name, Said::Null);
    assert_eq!(user.last_name, Said::Null);
    assert_eq!(user.email, Said::Null);
    let stored = serde_json::to_value(&user).unwrap();
    let expected = json!({
        "id": "u1", "directory_id": "d1", "email": null,
        "first_name": null, "last_name": null, "name": "Ada"
    });
    assert_eq!(stored, expected);
    assert_eq!(
        serde_json::from_value::<DirectoryUser>(stored).unwrap(),
        user
    );
}

#[test]
fn a_full_user_survives_being_stored() {
    let user = with(json!({
        "organization_id": "o1", "idp_id": "i1", "state": "on vacation", "role": {"slug": "lead"},
        "custom_attributes": {}, "job_title": "Engineer", "first_name": 7
    }));
    let stored = serde_json::to_string(&user).unwrap();
    assert_eq!(
        serde_json::from_str::<DirectoryUser>(&stored).unwrap(),
        user
    );
    assert_eq!(user.custom, Some(Map::new()));
    assert!(!user.legacy.is_empty() && !user.warnings.is_empty());
}

#[test]
fn r51_wrong_types_and_over_long_texts_cost_their_own_field_and_warn_without_values() {
    let user = with(json!({
        "first_name": 7, "last_name": "y".repeat(4_097), "name": "z".repeat(4_096),
        "email": {"hunter2": 1}, "state": ["hunter2"], "idp_id": "x".repeat(256),
        "custom_attributes": "hunter2", "role": "hunter2"
    }));
    assert!(user.first_name.is_absent() && user.last_name.is_absent());
    assert!(user.email.is_absent() && user.name.text().is_some());
    assert_eq!(
        (user.state, user.idp_id, user.custom, user.role),
        (None, None, None, None)
    );
    let warnings = user.warnings.join("\n");
    for field in [
        "first_name",
        "last_name",
        "email",
        "state",
        "idp_id",
        "custom_attributes",
    ] {
        assert!(
            warnings.contains(&format!("`{field}`")),
            "{field} in {warnings}"
        );
    }
    assert_eq!(user.warnings.len(), 6);
    assert!(!warnings.contains("hunter2") && !warnings.contains("yyy"));
}

#[test]
fn c8_custom_attributes_that_are_no_object_count_as_absent_and_an_empty_idp_id_too() {
    let user = with(json!({"custom_attributes": null, "idp_id": ""}));
    assert_eq!((user.custom, user.idp_id), (None, None));
    assert_eq!(user.warnings.len(), 1);
}

#[test]
fn a_blank_state_says_nothing_and_every_other_word_than_active_is_inactive() {
    assert_eq!(UserState::read(" "), None);
    assert_eq!(UserState::read("Active"), Some(UserState::Active));
    for word in ["inactive", "suspended", "deactivated"] {
        assert_eq!(
            UserState::read(word),
            Some(UserState::Inactive(word.to_owned()))
        );
    }
}

#[test]
fn the_role_is_the_one_slug_or_the_first_of_several() {
    assert_eq!(
        with(json!({"roles": [{"slug": "b"}, {"slug": "a"}]}))
            .role
            .as_deref(),
        Some("b")
    );
    let both = with(json!({"role": {"slug": "a"}, "roles": [{"slug": "b"}]}));
    assert_eq!(both.role.as_deref(), Some("a"));
    assert_eq!(with(json!({"role": {"slug": ""}, "roles": []})).role, None);
}
