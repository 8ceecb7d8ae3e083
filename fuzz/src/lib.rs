//! What is fuzzed: one function for each text that comes from outside. It takes any bytes and panics where a
//! promise is broken: never a panic of ours, never an end of the stack, and what was understood is the
//! same when it is written and read again.
//!
//! libFuzzer calls these functions (`fuzz_targets/`), and so does the suite, with the kept corpus and random changes of
//! it (`tests/suite/fuzzing.rs`), because libFuzzer wants nightly Rust and CI has none.

use std::time::Duration;

use rollcall::clock::{DateOrder, Timestamp};
use rollcall::conditions::{Condition, Facts};
use rollcall::config::{self, Flags, Shown};
use rollcall::domain::Mapping;
use rollcall::operations::{Actor, CursorKey, Listing};
use rollcall::triggers::template::{self, Escape, MAX_RENDERED, TemplateError};
use rollcall::workos::signature::{Rejection, Secrets, sign, verify, well_formed};
use rollcall::workos::{read_envelope, read_event};
use serde_json::{Value, json};

/// A target by its name.
pub type Target = (&'static str, fn(&[u8]));

/// All of them. Each has a folder of its name in `fuzz/corpus`.
pub const TARGETS: [Target; 8] = [
    ("signature", signature),
    ("envelope", envelope),
    ("payload", payload),
    ("template", template),
    ("condition", condition),
    ("cursor", cursor),
    ("configuration", configuration),
    ("mapping", mapping),
];

/// The `WorkOS-Signature` header, before the body is read and with it.
pub fn signature(data: &[u8]) {
    let secrets = Secrets::parse("a:one,b:two").unwrap_or_default();
    let (now, tolerance) = (Timestamp(1_700_000_000_000_000), Duration::from_secs(300));
    let body = b"{}";
    let verdict = verify(&[data], body, &secrets, tolerance, now);
    match (&verdict, well_formed(&[data])) {
        (Err(Rejection::Malformed), _) | (Err(_), Ok(())) => {}
        (verdict, form) => panic!("{verdict:?} of a header whose form is {form:?}"),
    }
    let twice = verify(&[data, data], body, &secrets, tolerance, now);
    assert!(matches!(twice, Err(Rejection::Repeated)), "{twice:?}");
    // What is really signed holds, whatever the body.
    let signed = sign("two", now, data);
    let held = verify(&[signed.as_bytes()], data, &secrets, tolerance, now);
    assert!(held.is_ok_and(|held| held.label == "b"));
}

/// The envelope of a body whose signature held.
pub fn envelope(data: &[u8]) {
    let Ok(envelope) = read_envelope(data) else {
        return;
    };
    assert!(!envelope.id.is_empty() && !envelope.event.is_empty());
    let text = std::str::from_utf8(data).unwrap_or_else(|_| panic!("it is not UTF-8 and was read"));
    match read_event(text) {
        Ok(event) => {
            assert_eq!(event.id, envelope.id);
            assert_eq!(event.kind, envelope.event);
        }
        Err(unusable) => assert!(!unusable.to_string().is_empty()),
    }
}

/// What an event says. Bodies that are no event are wrapped into one, so that most of what is tried is about
/// `data`.
pub fn payload(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let _ = read_event(text);
    for kind in [
        "dsync.user.created",
        "dsync.user.updated",
        "dsync.group.user_added",
        "dsync.group.created",
        "dsync.deleted",
    ] {
        let body = format!(r#"{{"id":"event_1","event":"{kind}","data":{text}}}"#);
        let once = read_event(&body);
        assert_eq!(once, read_event(&body), "the same text says the same");
        if let Ok(event) = once {
            let said = format!("{:?}", event.data);
            assert!(!said.contains('\0'), "U+0000 is never kept: {said}");
        }
    }
}

/// A message's text.
pub fn template(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let checked = template::check(text);
    let vars = json!({
        "first_name": "Zoë\r\nBcc: x@y.example", "display_name": "<!channel> & <b>", "title": null,
        "attributes": {"cost center": "7", "a": "{{ title }}"}, "communities": ["Chess", "Go"],
    });
    for escape in [
        Escape::PlainText,
        Escape::Header,
        Escape::Html,
        Escape::Slack,
    ] {
        match template::render(text, &vars, escape) {
            Ok(_) if checked.is_err() => panic!("it was refused and is filled in: {checked:?}"),
            Ok(filled) => {
                assert!(filled.len() <= MAX_RENDERED);
                // What the author writes stands; what is filled in breaks no line.
                let author_breaks = text.contains(['\r', '\n']);
                let breaks = filled.contains(['\r', '\n']) && !author_breaks;
                assert!(!(escape == Escape::Header && breaks), "{filled:?}");
            }
            Err(TemplateError::NoThread) => {}
            Err(error) => assert!(error.to_string().len() < 10_000),
        }
    }
    let names = ["Zoë".to_owned(), "Al".to_owned()];
    let digest = template::render_digest(text, &names, Escape::Html);
    assert!(digest.is_err() || template::check_digest(text).is_ok());
}

/// A condition of a rule or a trigger.
pub fn condition(data: &[u8]) {
    let Some(value) = json_of(data) else { return };
    let Ok(condition) = Condition::parse(&value, "when") else {
        return;
    };
    let written = Value::from(condition.clone());
    let again = Condition::parse(&written, "when");
    assert_eq!(again.map(Value::from), Ok(written));
    let profile = json!({
        "email": "Ada@X.example", "status": "active", "start_date": "2026-01-02", "roles": ["admin"],
        "attributes": {"cost center": "7"},
    });
    let facts = Facts {
        profile: &profile,
        groups: &[("g1".to_owned(), "Staff".to_owned())],
        communities: &[],
        directories: &["d1".to_owned()],
        date_order: DateOrder::Ymd,
    };
    let fits = condition.matches(&facts);
    let opposite = Condition::parse(&json!({"not": Value::from(condition)}), "when");
    if let Ok(opposite) = opposite {
        assert_ne!(opposite.matches(&facts), fits);
    }
}

/// A cursor of a list.
pub fn cursor(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let key = CursorKey::from_kept("a key").unwrap_or_else(|error| panic!("{error}"));
    let list = |name: &str| {
        Listing::of(&Actor::cli(), name, &text).unwrap_or_else(|error| panic!("{error}"))
    };
    let (own, other) = (list("events"), list("jobs"));
    // Nobody makes one up.
    assert_eq!(own.open::<2>(&key, text), None);
    let place = [text.to_owned(), String::new()];
    let given = own
        .seal(&key, &place)
        .unwrap_or_else(|error| panic!("{error}"));
    if given.len() <= 16_384 {
        assert_eq!(own.open(&key, &given), Some(place));
    }
    assert_eq!(other.open::<2>(&key, &given), None);
}

/// A configuration file, and the text as the value of every setting.
pub fn configuration(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let file = tempfile::NamedTempFile::new().unwrap_or_else(|error| panic!("{error}"));
    std::fs::write(file.path(), text).unwrap_or_else(|error| panic!("{error}"));
    // `NAME_FILE` would read whatever file the text names.
    let none = |_: &str| None;
    let names_files = text.contains("_file");
    if !names_files {
        let _ = config::load(&Flags::new(), &none, Some(file.path()));
    }
    let secrets: Vec<&str> = config::settings()
        .iter()
        .filter(|setting| setting.shown == Shown::Secret)
        .map(|setting| setting.env)
        .collect();
    let marked = format!("{text}-5ec2e7-marker");
    let env = |name: &str| match name {
        name if name.ends_with("_FILE") => None,
        name if secrets.contains(&name) => Some(marked.clone()),
        _ => Some(text.to_owned()),
    };
    let said = match config::load(&Flags::new(), &env, None) {
        Ok(loaded) => format!("{:?} {:?}", loaded.config, loaded.rows),
        Err(problems) => problems.to_string(),
    };
    assert!(!said.contains("5ec2e7-marker"), "a secret is shown: {said}");
}

/// A mapping of fields as somebody imports it.
pub fn mapping(data: &[u8]) {
    let Some(value) = json_of(data) else { return };
    let Ok(mapping) = Mapping::parse(&value) else {
        return;
    };
    let written = serde_json::to_value(&mapping).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(Mapping::parse(&written), Ok(mapping));
}

fn json_of(data: &[u8]) -> Option<Value> {
    serde_json::from_slice(data).ok()
}
