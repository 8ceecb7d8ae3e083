//! What is refused at the door, what is let through, and what the outbox gets to know.

use super::*;

fn read(json: &str) -> Envelope {
    read_envelope(json.as_bytes()).unwrap()
}

fn code(body: &[u8]) -> &'static str {
    read_envelope(body).unwrap_err().code()
}

fn user_event(kind: &str, state: &str) -> Envelope {
    read(&format!(
        r#"{{"id":"e1","event":"{kind}","data":{{"id":"u1","directory_id":"d1","organization_id":"o1"{state}}}}}"#
    ))
}

fn nested(levels: usize) -> String {
    let inner = levels - 1;
    format!(
        r#"{{"id":"e1","event":"x","data":{}{}}}"#,
        "[".repeat(inner),
        "]".repeat(inner)
    )
}

#[test]
fn c7_bodies_that_are_no_envelope_are_told_apart() {
    for (body, expected) in [
        ("", "not_json"),
        ("not json", "not_json"),
        (r#"{"id":"e1","event":"x""#, "not_json"),
        (r#"{"id":"e1","event":"x"} {}"#, "not_json"),
        (r#"{"id":"e1","event":"x","data":{"n":NaN}}"#, "not_json"),
        (
            r#"{"id":"e1","event":"x","data":{"n":Infinity}}"#,
            "not_json",
        ),
        (r#"{"id":"e1","event":"x","data":{"n":01}}"#, "not_json"),
        (r#"{"id":"e1","event":"x",}"#, "not_json"),
        (r#"{id:"e1",event:"x"}"#, "not_json"),
        (
            "{\"id\":\"e1\",\"event\":\"x\",\"data\":\"a\nb\"}",
            "not_json",
        ),
        (
            "{\"id\":\"e1\",\"event\":\"x\",\"data\":\"a\0b\"}",
            "not_json",
        ),
        (r#"{"id":"e1","event":"x","data":"\x"}"#, "not_json"),
        ("\u{feff}{\"id\":\"e1\",\"event\":\"x\"}", "byte_order_mark"),
        ("[]", "not_an_object"),
        ("null", "not_an_object"),
        ("7", "not_an_object"),
        (r#""text""#, "not_an_object"),
        ("{}", "bad_id"),
        (r#"{"event":"x"}"#, "bad_id"),
        (r#"{"id":"","event":"x"}"#, "bad_id"),
        (r#"{"id":7,"event":"x"}"#, "bad_id"),
        (r#"{"id":null,"event":"x"}"#, "bad_id"),
        (r#"{"id":"e1"}"#, "bad_event"),
        (r#"{"id":"e1","event":""}"#, "bad_event"),
        (r#"{"id":"e1","event":["x"]}"#, "bad_event"),
    ] {
        assert_eq!(code(body.as_bytes()), expected, "{body}");
    }
    assert_eq!(code(b"{\"id\":\"e\xff\",\"event\":\"x\"}"), "not_utf8");
    let utf16: Vec<u8> = "{}".encode_utf16().flat_map(u16::to_be_bytes).collect();
    assert_eq!(code(&utf16), "not_json");
    assert_eq!(code(b"\xFE\xFF\0{\0}"), "not_utf8");
}

#[test]
fn c7_ids_end_at_255_characters() {
    let with_id = |id: &str| format!(r#"{{"id":"{id}","event":"x"}}"#);
    assert_eq!(read(&with_id(&"é".repeat(255))).id.chars().count(), 255);
    assert_eq!(code(with_id(&"x".repeat(256)).as_bytes()), "bad_id");
    let long_kind = format!(r#"{{"id":"e1","event":"{}"}}"#, "x".repeat(256));
    assert_eq!(code(long_kind.as_bytes()), "bad_event");
}

#[test]
fn c7_exactly_128_levels_pass_and_129_do_not() {
    assert_eq!(read(&nested(128)).id, "e1");
    assert_eq!(code(nested(129).as_bytes()), "too_deep");
    let bomb = "[".repeat(1_000_000);
    assert_eq!(code(bomb.as_bytes()), "too_deep");
}

#[test]
fn c8_nul_and_lone_surrogates_anywhere_do_not_refuse_a_body() {
    let envelope = read(
        r#"{"id":"e\u0000","event":"dsync.user.created","\ud800":1,"data":{"id":"u\udfff","directory_id":"d1","first_name":"\u0000"}}"#,
    );
    assert_eq!(envelope.id, "e\u{fffd}");
    assert_eq!(envelope.subject.as_deref(), Some("u\u{fffd}"));
}

#[test]
fn r66_the_time_is_created_at_else_the_ulid_else_unknown() {
    let with =
        |id: &str, rest: &str| read(&format!(r#"{{"id":"{id}","event":"x"{rest}}}"#)).occurred_at;
    let ulid = "event_01ARZ3NDEKTSV4RRFFQ69G5FAV";
    let in_ulid = Some(Timestamp::from_millis(1_469_922_850_259));
    let written = Some(Timestamp(1_682_712_331_093_000));
    assert_eq!(
        with(ulid, r#","created_at":"2023-04-28 20:05:31.093""#),
        written
    );
    assert_eq!(
        with(ulid, r#","created_at":"2023-04-28T20:05:31.093Z""#),
        written
    );
    for unusable in [
        "",
        r#","created_at":"soon""#,
        r#","created_at":1682712331093"#,
        r#","created_at":null"#,
    ] {
        assert_eq!(with(ulid, unusable), in_ulid, "{unusable}");
        assert_eq!(with("evt_1", unusable), None, "{unusable}");
    }
}

#[test]
fn r84_a_deleted_organization_is_its_own_organization_and_subject() {
    let body = r#"{"id":"event_1","event":"organization.deleted","data":{"object":"organization","id":"org_1"}}"#;
    let read = read_envelope(body.as_bytes()).unwrap();
    assert_eq!(read.organization_id.as_deref(), Some("org_1"));
    assert_eq!(read.subject.as_deref(), Some("org_1"));
    assert_eq!(read.directory_id, None);
}

#[test]
fn r67_only_what_takes_away_is_a_removal() {
    for (kind, state, removal) in [
        ("dsync.user.deleted", "", true),
        ("dsync.user.deleted", r#","state":"active""#, true),
        ("dsync.user.updated", r#","state":"inactive""#, true),
        ("dsync.user.updated", r#","state":"suspended""#, true),
        ("dsync.user.updated", r#","state":"something new""#, true),
        ("dsync.user.created", r#","state":"inactive""#, true),
        ("dsync.user.updated", r#","state":"active""#, false),
        ("dsync.user.updated", r#","state":"ACTIVE""#, false),
        ("dsync.user.updated", r#","state":"""#, false),
        ("dsync.user.updated", r#","state":null"#, false),
        ("dsync.user.updated", r#","state":false"#, false),
        ("dsync.user.updated", "", false),
        ("dsync.group.deleted", "", true),
        ("dsync.group.user_removed", "", true),
        ("dsync.group.user_added", r#","state":"inactive""#, false),
        ("dsync.deleted", r#","state":"deleting""#, false),
        ("dsync.deactivated", r#","state":"inactive""#, false),
        ("dsync.user.frobbed", r#","state":"inactive""#, false),
        ("organization.deleted", "", true),
        ("organization.updated", "", false),
    ] {
        assert_eq!(user_event(kind, state).removal, removal, "{kind}{state}");
    }
}

#[test]
fn ids_are_found_where_each_kind_keeps_them() {
    let user = user_event("dsync.user.created", "");
    assert_eq!(user.subject.as_deref(), Some("u1"));
    assert_eq!(user.directory_id.as_deref(), Some("d1"));
    assert_eq!(user.organization_id.as_deref(), Some("o1"));
    let directory = user_event("dsync.activated", "");
    assert_eq!(directory.directory_id.as_deref(), Some("u1"));
    assert_eq!(directory.subject.as_deref(), Some("u1"));
    assert_eq!(
        user_event("dsync.group.updated", "").subject.as_deref(),
        Some("u1")
    );
    assert_eq!(user_event("connection.activated", "").subject, None);

    let membership = |directory: &str| {
        read(&format!(
            r#"{{"id":"e1","event":"dsync.group.user_added","data":{{{directory}"user":{{"id":"u1"}},"group":{{"id":"g1","directory_id":"d2","organization_id":"o1"}}}}}}"#
        ))
    };
    let named = membership(r#""directory_id":"d1","#);
    assert_eq!(named.subject.as_deref(), Some("u1"));
    assert_eq!(named.directory_id.as_deref(), Some("d1"));
    assert_eq!(named.organization_id.as_deref(), Some("o1"));
    assert_eq!(membership("").directory_id.as_deref(), Some("d2"));
}

#[test]
fn r6_ids_of_a_wrong_type_and_data_that_is_no_object_count_as_absent() {
    let odd = read(
        r#"{"id":"e1","event":"dsync.user.created","data":{"id":7,"directory_id":["d"],"organization_id":""},"x":{}}"#,
    );
    assert_eq!(
        (odd.subject, odd.directory_id, odd.organization_id),
        (None, None, None)
    );
    for data in ["null", "[]", "\"text\"", "7"] {
        let json = format!(r#"{{"id":"e1","event":"dsync.user.created","data":{data}}}"#);
        assert_eq!(read(&json).subject, None, "{data}");
    }
}

#[test]
fn what_is_shown_of_a_bad_body_quotes_nothing_of_it() {
    let shown = read_envelope(br#"{"id":"e1","event":"x","name":"Ada"#).unwrap_err();
    assert!(shown.to_string().contains("line 1") && !shown.to_string().contains("Ada"));
}

proptest::proptest! {
    #[test]
    fn no_body_panics_and_no_text_in_it_refuses_an_envelope(
        noise: Vec<u8>,
        // Any text between two quotes, rich in escapes and halves of surrogate pairs.
        text in r#"(\\u(0000|d83d|DE00|00e9|fffd)|\\\\|\\"|\\n|[^\\"\p{Cc}])*"#,
    ) {
        let _ = read_envelope(&noise);
        let body = format!(r#"{{"id":"e1","_{text}":"{text}","event":"x","data":{{"id":"{text}"}}}}"#);
        assert_eq!(read(&body).id, "e1");
        assert_eq!(sanitise(&body).len(), body.len());
        assert_eq!(sanitise(&sanitise(&body)), sanitise(&body));
        serde_json::from_str::<serde_json::Value>(&sanitise(&body)).unwrap();
    }
}
