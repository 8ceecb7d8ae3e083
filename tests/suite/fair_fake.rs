//! The stand-in for WorkOS is fair: WorkOS's own Python SDK talks to it unchanged. The SDK comes from
//! PyPI into a folder of its own under `target/`; where pip cannot fetch it, the test says so.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::support::events::{DIRECTORY, ORGANIZATION, employee, group, minute};
use crate::support::workos::FakeWorkOs;

const SDK: &str = "workos==10.8.0";

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

#[test]
fn workos_own_sdk_talks_to_the_stand_in_unchanged() {
    let python = match python() {
        Ok(python) => python,
        Err(why) => {
            eprintln!("{SDK} could not be installed, so nothing was shown here: {why}");
            return;
        }
    };
    let fake = FakeWorkOs::start();
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
