//! Every kind of event, what is ignored, and what fails.

use super::*;

fn read(kind: &str, data: &str) -> Result<Data, Unusable> {
    let body = format!(r#"{{"id":"e1","event":"{kind}","data":{data}}}"#);
    let event = read_event(&body)?;
    assert_eq!((event.id.as_str(), event.kind.as_str()), ("e1", kind));
    Ok(event.data)
}

const USER: &str = r#"{"id":"u1","directory_id":"d1","state":"active"}"#;
const GROUP: &str = r#"{"id":"g1","directory_id":"d1","idp_id":"Research","name":"Research"}"#;
const DIRECTORY: &str =
    r#"{"id":"d1","organization_id":"o1","type":"okta scim v2.0","state":"active"}"#;

fn edge() -> String {
    format!(r#"{{"directory_id":"d1","user":{USER},"group":{GROUP}}}"#)
}

#[test]
fn each_kind_becomes_its_own_variant() {
    type Case<'a> = (&'a str, &'a str, fn(&Data) -> bool);
    let kinds: [Case<'_>; 11] = [
        ("dsync.activated", DIRECTORY, |d| {
            matches!(d, Data::DirectoryActivated(_))
        }),
        ("dsync.deleted", DIRECTORY, |d| {
            matches!(d, Data::DirectoryDeleted(_))
        }),
        ("dsync.deactivated", DIRECTORY, |d| {
            matches!(d, Data::DirectoryDeactivated(_))
        }),
        ("dsync.user.created", USER, |d| {
            matches!(d, Data::UserCreated(_))
        }),
        ("dsync.user.updated", USER, |d| {
            matches!(d, Data::UserUpdated(_))
        }),
        ("dsync.user.deleted", USER, |d| {
            matches!(d, Data::UserDeleted(_))
        }),
        ("dsync.group.created", GROUP, |d| {
            matches!(d, Data::GroupCreated(_))
        }),
        ("dsync.group.updated", GROUP, |d| {
            matches!(d, Data::GroupUpdated(_))
        }),
        ("dsync.group.deleted", GROUP, |d| {
            matches!(d, Data::GroupDeleted(_))
        }),
        ("dsync.group.user_added", &edge(), |d| {
            matches!(d, Data::UserAdded(_))
        }),
        ("dsync.group.user_removed", &edge(), |d| {
            matches!(d, Data::UserRemoved(_))
        }),
    ];
    for (kind, data, expected) in kinds {
        assert!(expected(&read(kind, data).unwrap()), "{kind}");
    }
}

#[test]
fn r5_other_kinds_are_ignored_with_a_reason_whatever_their_data() {
    for (kind, reason) in [
        ("connection.activated", "not a Directory Sync event"),
        ("dsync.token.created", "access token"),
        ("dsync.token.revoked", "access token"),
        ("dsync.user.promoted", "does not know"),
    ] {
        for data in ["{}", "null", "[1]", r#""text""#] {
            let Ok(Data::Ignored { reason: why }) = read(kind, data) else {
                panic!("{kind} with {data} was not ignored");
            };
            assert!(why.contains(kind) && why.contains(reason), "{why}");
        }
    }
}

#[test]
fn c7_known_kinds_without_their_ids_are_unusable_and_the_reason_says_which() {
    for (kind, data, missing) in [
        ("dsync.activated", r#"{"name":"x"}"#, "`data.id`"),
        (
            "dsync.user.deleted",
            r#"{"id":"u1"}"#,
            "`data.directory_id`",
        ),
        (
            "dsync.group.created",
            r#"{"directory_id":"d1"}"#,
            "`data.id`",
        ),
        (
            "dsync.group.created",
            r#"{"id":"g1"}"#,
            "`data.directory_id`",
        ),
        (
            "dsync.group.user_added",
            r#"{"directory_id":"d1"}"#,
            "`data.user`",
        ),
        (
            "dsync.group.user_added",
            r#"{"user":{"id":"u1"}}"#,
            "`data.group`",
        ),
        (
            "dsync.group.user_added",
            r#"{"user":{"id":"u1"},"group":{"id":"g1"}}"#,
            "`data.directory_id`",
        ),
        (
            "dsync.group.user_added",
            r#"{"directory_id":"d1","user":{},"group":{"id":"g1"}}"#,
            "`data.user.id`",
        ),
        (
            "dsync.group.user_removed",
            r#"{"directory_id":"d1","user":{"id":"u1"},"group":{}}"#,
            "`data.group.id`",
        ),
        ("dsync.user.created", "null", "`data`"),
        ("dsync.user.created", "[]", "`data`"),
    ] {
        let reason = read(kind, data).unwrap_err().to_string();
        assert!(
            reason.contains(missing) && reason.starts_with(kind),
            "{reason}"
        );
    }
    assert!(read_event("[]").is_err() && read_event("{").is_err());
}

#[test]
fn r76_a_membership_needs_only_ids_and_finds_its_directory_at_either_end() {
    for data in [
        r#"{"directory_id":"d1","user":{"id":"u1"},"group":{"id":"g1"}}"#,
        r#"{"user":{"id":"u1","directory_id":"d1"},"group":{"id":"g1"}}"#,
        r#"{"user":{"id":"u1"},"group":{"id":"g1","directory_id":"d1"}}"#,
    ] {
        let Ok(Data::UserAdded(edge)) = read("dsync.group.user_added", data) else {
            panic!("{data} was not read");
        };
        assert_eq!(
            (edge.directory_id.as_str(), edge.user_id.as_str()),
            ("d1", "u1")
        );
        assert_eq!(
            (edge.group.id.as_str(), edge.group.directory_id.as_str()),
            ("g1", "d1")
        );
    }
}

#[test]
fn r9_nul_and_lone_surrogates_become_replacement_characters_in_fields() {
    let data = r#"{"id":"u1","directory_id":"d1","first_name":"A\u0000da","last_name":"\ud800","custom_attributes":{"a\u0000":"\udfff"}}"#;
    let Ok(Data::UserUpdated(user)) = read("dsync.user.updated", data) else {
        panic!("not read");
    };
    assert_eq!(user.first_name, Said::Text("A\u{fffd}da".to_owned()));
    assert_eq!(user.last_name, Said::Text("\u{fffd}".to_owned()));
    assert_eq!(user.custom.unwrap()["a\u{fffd}"], "\u{fffd}");
}

#[test]
fn r8_a_user_with_five_thousand_groups_is_read() {
    let group = format!(
        r#"{{"object":"directory_group","name":"{}"}}"#,
        "g".repeat(120)
    );
    let groups = vec![group; 5_000].join(",");
    let data = format!(
        r#"{{"id":"u1","directory_id":"d1","groups":[{groups}],"custom_attributes":{{"groups":[{groups}]}}}}"#
    );
    assert!(data.len() > 2 * 750 * 1_024);
    let Ok(Data::UserCreated(user)) = read("dsync.user.created", &data) else {
        panic!("not read");
    };
    // As an attribute it is more than one person may hold, which is a warning and no more.
    assert!(user.custom.unwrap().is_empty() && user.warnings.len() == 1);
}

#[test]
fn c7_custom_attributes_may_nest_as_deep_as_a_body_may() {
    let deep = format!("{}{}", "[".repeat(125), "]".repeat(125));
    let data =
        format!(r#"{{"id":"u1","directory_id":"d1","custom_attributes":{{"deep":{deep}}}}}"#);
    let Ok(Data::UserCreated(user)) = read("dsync.user.created", &data) else {
        panic!("not read");
    };
    assert!(user.custom.unwrap()["deep"].is_array());
}
