//! `fixtures/` is what people try Rollcall with: every body in it is readable, dated by its own id,
//! and about nobody.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Data, UserState, event_time, read_envelope, read_event};
use crate::clock::Timestamp;

/// Every body under `fixtures/`, a line of a scenario being a body, with the file it is in.
fn fixtures() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let folders = fs::read_dir(root)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut bodies = Vec::new();
    for folder in folders.filter(|path| path.is_dir()) {
        for file in fs::read_dir(folder).unwrap() {
            let file = file.unwrap().path();
            // Beside the bodies lie triggers to apply, in TOML.
            if file.extension().is_some_and(|kind| kind == "toml") {
                continue;
            }
            let text = fs::read_to_string(&file).unwrap();
            if file
                .extension()
                .is_some_and(|extension| extension == "jsonl")
            {
                bodies.extend(text.lines().map(|line| (file.clone(), line.to_owned())));
            } else if file
                .extension()
                .is_some_and(|extension| extension == "json")
            {
                bodies.push((file, text));
            }
        }
    }
    assert!(bodies.len() > 250, "only {} bodies", bodies.len());
    bodies
}

fn name(path: &Path) -> &str {
    path.file_name().unwrap().to_str().unwrap()
}

#[test]
fn every_fixture_is_read_and_only_those_named_unusable_are_not_applicable() {
    for (file, body) in fixtures() {
        let shown = file.display();
        let envelope = read_envelope(body.as_bytes()).unwrap_or_else(|e| panic!("{shown}: {e}"));
        let event = read_event(&body);
        let told = name(&file).starts_with("unusable-");
        assert_eq!(event.is_err(), told, "{shown}: {event:?}");
        let folder = name(file.parent().unwrap());
        if folder != "scenarios" {
            assert_eq!(folder, envelope.event, "{shown}");
        }
    }
}

#[test]
fn r66_the_id_of_every_fixture_holds_the_time_that_its_envelope_states() {
    for (file, body) in fixtures() {
        let envelope = read_envelope(body.as_bytes()).unwrap();
        let in_id = event_time(&envelope.id).map(Timestamp::millis);
        assert!(in_id.is_some(), "{}", file.display());
        let stated = envelope.occurred_at.map(Timestamp::millis);
        assert_eq!(in_id, stated, "{}: {}", file.display(), envelope.id);
    }
}

#[test]
fn r67_the_envelope_and_the_event_agree_on_what_is_a_removal() {
    for (file, body) in fixtures() {
        let Ok(event) = read_event(&body) else {
            continue;
        };
        let removes = match &event.data {
            Data::UserCreated(user) | Data::UserUpdated(user) => {
                matches!(user.state, Some(UserState::Inactive(_)))
            }
            Data::UserDeleted(_) | Data::GroupDeleted(_) | Data::UserRemoved(_) => true,
            _ => false,
        };
        let envelope = read_envelope(body.as_bytes()).unwrap();
        assert_eq!(
            envelope.removal,
            removes,
            "{}: {}",
            file.display(),
            event.id
        );
    }
}

#[test]
fn every_address_in_a_fixture_ends_in_a_domain_that_nobody_can_own() {
    for (file, body) in fixtures() {
        for (at, _) in body.match_indices('@') {
            let domain = body[at..].split(['"', ' ', '\\']).next().unwrap();
            assert!(domain.ends_with(".example"), "{}: {domain}", file.display());
        }
    }
}
