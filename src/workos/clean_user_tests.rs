//! What the clean step makes of a whole user.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::workos::{Data, read_event};

fn with(mut data: Value) -> DirectoryUser {
    data["id"] = json!("u1");
    data["directory_id"] = json!("d1");
    let body = json!({"id": "event_1", "event": "dsync.user.updated", "data": data}).to_string();
    match read_event(&body).unwrap().data {
        Data::UserUpdated(user) => user,
        other => panic!("{other:?}"),
    }
}

/// Any JSON, in the shapes that a directory might send.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        prop::sample::select(vec![
            "",
            " ",
            "n/a",
            "a@x.example",
            "Zoe\u{308}\u{200b} ",
            "\u{212a}"
        ])
        .prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-c \u{200b}]{0,3}|value|primary|emails", inner, 0..4)
                .prop_map(|all| Value::Object(all.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn r51_any_json_in_any_field_is_read_and_clean_at_once(
        values in prop::collection::vec(any_json(), 12),
    ) {
        let fields = ["idp_id", "email", "first_name", "last_name", "name", "state", "role", "roles",
            "emails", "custom_attributes", "raw_attributes", "username"];
        let user = with(fields.iter().zip(values).map(|(name, value)| ((*name).to_owned(), value)).collect());
        prop_assert_eq!(user.clone().cleaned(), user.clone());
        for said in [&user.email, &user.first_name, &user.last_name, &user.name] {
            prop_assert!(said.text().is_none_or(|text| !text.is_empty() && clean::text(text) == text));
        }
        let stored = serde_json::to_string(&user).unwrap();
        prop_assert_eq!(serde_json::from_str::<DirectoryUser>(&stored).unwrap(), user);
    }
}

#[test]
fn r87_every_text_of_a_user_and_every_attribute_and_its_name_are_cleaned() {
    let user = with(json!({
        "idp_id": " 00u\u{200b}1 ", "email": "\u{feff}Ada@X.example\u{ad}", "first_name": " Zoe\u{308} \u{200e}",
        "state": "Active\u{200b}", "role": {"slug": " lead "},
        "custom_attributes": {
            " department\u{200b}": "Field\u{a0} Sales ", "offices": [{" city ": " Zu\u{308}rich "}], "floor": 7
        }
    }));
    assert_eq!(user.idp_id.as_deref(), Some("00u1"));
    assert_eq!(user.email.text(), Some("Ada@X.example"));
    assert_eq!(user.first_name.text(), Some("Zoë"));
    assert_eq!(
        user.state.as_ref().map(|state| state.word()),
        Some("active")
    );
    assert_eq!(user.role.as_deref(), Some("lead"));
    let expected =
        json!({"department": "Field Sales", "offices": [{"city": "Zürich"}], "floor": 7});
    assert_eq!(Value::Object(user.custom.unwrap()), expected);
}

#[test]
fn r87_of_two_attributes_that_become_one_the_one_written_clean_counts() {
    for (given, wanted) in [
        (json!({" level": "1", "level": "2", "level ": "3"}), "2"),
        (json!({" level": "1", "level": null}), "1"),
    ] {
        let user = with(json!({"custom_attributes": given}));
        assert_eq!(
            Value::Object(user.custom.unwrap()),
            json!({"level": wanted})
        );
    }
}

#[test]
fn r86_a_placeholder_is_kept_for_show_with_a_warning() {
    let user = with(json!({"idp_id": "N/A", "email": "none"}));
    assert_eq!(user.idp_id.as_deref(), Some("N/A"));
    assert_eq!(user.email.text(), Some("none"));
    assert_eq!(
        user.warnings,
        ["`idp_id` is a placeholder, so nobody is matched by it."]
    );
}

#[test]
fn more_than_five_hundred_attributes_or_64_kilobytes_are_cut_and_what_is_mapped_stays() {
    let mut many: Map<String, Value> = (0..2_000).map(|n| (format!("a{n:04}"), json!(n))).collect();
    many.insert("job_title".to_owned(), json!("Lead"));
    many.insert("empty".to_owned(), Value::Null);
    let user = with(json!({"custom_attributes": many}));
    let kept = user.custom.unwrap();
    assert_eq!(kept.len(), MOST_ATTRIBUTES);
    assert!(
        kept.contains_key("job_title") && kept.contains_key("a0498") && !kept.contains_key("a0499")
    );
    assert_eq!(user.warnings.len(), 1);

    let large =
        json!({"a": "x".repeat(60_000), "b": "y".repeat(60_000), "c": 1, "job_title": "Lead"});
    let user = with(json!({"custom_attributes": large}));
    let kept = user.custom.unwrap();
    assert_eq!(kept.keys().collect::<Vec<_>>(), ["a", "c", "job_title"]);
    assert_eq!(user.warnings.len(), 1);

    let nothing: Map<String, Value> = (0..2_000).map(|n| (format!("a{n}"), Value::Null)).collect();
    let user = with(json!({"custom_attributes": nothing}));
    assert!(user.warnings.is_empty() && user.custom.unwrap().len() <= MOST_ATTRIBUTES);
}
