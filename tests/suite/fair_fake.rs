//! The stand-in for WorkOS is fair: WorkOS's own Python and Node SDKs talk to it unchanged. They come
//! from PyPI and the npm registry into folders of their own under `target/`, pinned; `.ci/test` fetches
//! them beforehand, and where they cannot be fetched the test fails.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::support::events::{DIRECTORY, ORGANIZATION, employee, group, minute};
use crate::support::workos::FakeWorkOs;

const SDK: &str = "workos==10.8.0";
const NODE_SDK: &str = "8.13.0";

/// A Python that has the SDK, or why there is none.
fn python() -> Result<PathBuf, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/workos-sdk");
    let python = folder.join("bin/python");
    let run = |program: &Path, words: &[&str]| {
        let done = Command::new(program).args(words).output();
        match done {
            Ok(done) if done.status.success() => Ok(()),
            Ok(done) => Err(String::from_utf8_lossy(&done.stderr).into_owned()),
            Err(why) => Err(why.to_string()),
        }
    };
    if run(&python, &["-c", "import workos"]).is_ok() {
        return Ok(python);
    }
    let at = folder.to_str().unwrap();
    run(Path::new("python3"), &["-m", "venv", at])?;
    run(
        &python,
        &[
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            SDK,
        ],
    )?;
    Ok(python)
}

/// Where the Node SDK lies, or why it does not.
fn node() -> Result<PathBuf, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/workos-node");
    let there = folder.join("node_modules/@workos-inc/node/package.json");
    let pinned = |text: &String| text.contains(&format!("\"version\": \"{NODE_SDK}\""));
    if std::fs::read_to_string(&there).is_ok_and(|text| pinned(&text)) {
        return Ok(folder);
    }
    let done = Command::new("npm")
        .args(["install", "--silent", "--no-audit", "--no-fund"])
        .args(["--ignore-scripts", "--prefix"])
        .arg(&folder)
        .arg(format!("@workos-inc/node@{NODE_SDK}"))
        .output();
    match done {
        Ok(done) if done.status.success() => Ok(folder),
        Ok(done) => Err(String::from_utf8_lossy(&done.stderr).into_owned()),
        Err(why) => Err(why.to_string()),
    }
}

/// A directory of 120 people, one of them in the one group. Answers the ids of the events.
fn filled(fake: &FakeWorkOs) -> Vec<String> {
    fake.directory(DIRECTORY, ORGANIZATION, "linked");
    let crew = group("dsync.group.created", "crew", minute(0))
        .set("data.created_at", "2026-05-04T09:00:02.000Z")
        .set("data.updated_at", "2026-05-04T09:00:02.000Z");
    fake.group(&crew);
    let mut ids = Vec::new();
    for number in 0..120 {
        let one = employee(&format!("p{number:03}"));
        let event = one.created(minute(number));
        ids.push(event.id());
        fake.happened(&event);
        fake.user(&event);
    }
    fake.edge("directory_group_crew", &employee("p000").id());
    ids
}

#[test]
fn workos_own_node_sdk_talks_to_the_stand_in_unchanged() {
    let sdk = node().unwrap_or_else(|why| {
        panic!("this needs @workos-inc/node {NODE_SDK} from the npm registry: {why}")
    });
    let fake = FakeWorkOs::start();
    let ids = filled(&fake);
    let profile = json!({
        "object": "profile", "id": "prof_1", "organization_id": ORGANIZATION, "connection_id": "conn_1",
        "connection_type": "OktaSAML", "idp_id": "idp_1", "email": "ada@test.example",
        "first_name": "Ada", "last_name": null, "role": null, "raw_attributes": {},
    });
    fake.environment()
        .codes
        .insert("code_1".to_owned(), profile);
    let script = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/suite/support/official_sdk.mjs"
    );
    let done = Command::new("node")
        .arg(script)
        .arg(&sdk)
        .args([&fake.url(), DIRECTORY, ORGANIZATION])
        .output()
        .unwrap();
    let complaint = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{complaint}");
    let said: Value = serde_json::from_slice(&done.stdout).unwrap();
    let first = json!([employee("p000").email(), "Research", []]);
    for (key, value) in [
        ("events", json!(ids)),
        ("directories", json!([DIRECTORY])),
        ("users", json!(120)),
        ("first", first),
        ("groups", json!(["crew"])),
        ("in_group", json!(["directory_user_p000"])),
        ("of_user", json!(["directory_group_crew"])),
        ("one", json!("directory_user_p000")),
        ("log_in", json!("ada@test.example")),
    ] {
        assert_eq!(said[key], value, "{key}");
    }
    assert_eq!(said["nobody"][1], 404, "{said}");
    assert_eq!(said["unknown_name"][1], 400, "{said}");
    assert_eq!(said["wrong_key"][1], 401, "{said}");
    assert_eq!(said["bad_code"][1], 400, "{said}");
    let state = said["state"].as_str().unwrap();
    assert!(["active", "linked"].contains(&state), "{state}");
    assert!(said["link"].as_str().unwrap().starts_with("https://"));
}

#[test]
fn workos_own_python_sdk_talks_to_the_stand_in_unchanged() {
    let python = python()
        .unwrap_or_else(|why| panic!("this needs {SDK} from PyPI, and python3 with venv: {why}"));
    let fake = FakeWorkOs::start();
    let ids = filled(&fake);
    let script = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/suite/support/official_sdk.py"
    );
    let done = Command::new(python)
        .args([script, &fake.url(), DIRECTORY, ORGANIZATION])
        .env("NO_PROXY", "*")
        .output()
        .unwrap();
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    let said: Value = serde_json::from_slice(&done.stdout).unwrap();
    // Asked for newest first, by the SDK's default, they come oldest first all the same.
    assert_eq!(said["events"], json!(ids));
    assert_eq!(said["users"].as_array().unwrap().len(), 120);
    assert_eq!(
        (&said["groups"], &said["groups_of_first"]),
        (&json!(["crew"]), &json!([]))
    );
    assert_eq!(
        (&said["in_group"], &said["of_user"]),
        (
            &json!(["directory_user_p000"]),
            &json!(["directory_group_crew"])
        )
    );
    let state = said["state"].as_str().unwrap().to_lowercase();
    assert!(state.contains("linked"), "{said}");
    assert_eq!(
        (&said["unknown_name"], &said["nobody"]),
        (&json!("BadRequestError"), &json!("NotFoundError"))
    );
    assert!(
        said["link"].as_str().unwrap().starts_with("https://"),
        "{said}"
    );
    assert_eq!(said["endpoints"], json!(["https://x.example/hook"]));
    assert!(said["secret"].as_str().unwrap().starts_with("whsec_"));
}
