//! What leaves by the command line and what lies on the disk: no name reaches a terminal as an order, no secret is
//! shown or short, no file is another user's to read, no cursor names another organization's rows.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::support::app::TestApp;
use crate::support::binary::{Service, rollcall};
use crate::support::events::{ORGANIZATION, ada, minute};
use crate::support::macros::on_both;
use crate::support::post::Post;

on_both!(
    no_name_reaches_the_terminal_as_an_order,
    cursors_of_destinations_name_none_of_another_organization,
);

fn run(mut command: Command) -> (i32, String) {
    let done = command.output().unwrap();
    let said = [done.stdout, done.stderr].concat();
    (
        done.status.code().unwrap_or(-1),
        String::from_utf8_lossy(&said).into_owned(),
    )
}

async fn no_name_reaches_the_terminal_as_an_order(app: TestApp) {
    let evil = "Eve\u{1b}[2J\u{1b}]0;pwned\u{7}\u{9b}31m\u{202e}evE";
    let event = ada()
        .created(minute(0))
        .set("data.first_name", evil)
        .set("data.custom_attributes.job_title", evil)
        .set("data.custom_attributes.other", evil);
    app.apply(&event).await;
    let step = json!({"channel": "email", "to": "person", "subject": "{{ first_name }}",
        "text": "{{ first_name }} {{ title }}"});
    let trigger = json!({"organization_id": ORGANIZATION, "name": "t", "on": "profile.updated", "steps": [step]});
    let trigger = app.call("POST", "/v1/triggers", trigger).await.ok();
    let trigger = trigger["id"].as_str().unwrap();
    let profile = app.profile(&ada()).id;
    let folder = tempfile::tempdir().unwrap();
    let mapping = folder.path().join("mapping.json");
    let rules = json!({"rules": [{"target": "department", "from": ["other"]}]});
    std::fs::write(&mapping, rules.to_string()).unwrap();
    let mapping = mapping.to_str().unwrap();
    let commands: [&[&str]; 8] = [
        &["profiles", "list"],
        &["profiles", "show", &profile],
        &["profiles", "history", &profile],
        &["why", &profile],
        &["triggers", "preview", trigger, &profile],
        &["organizations", "fields", "preview", ORGANIZATION, mapping],
        &["events", "list"],
        &["events", "show", &event.id()],
    ];
    for words in commands {
        for more in [&[][..], &["--json"]] {
            let mut command = rollcall(&app.place.url(), folder.path());
            command.args(words).args(more);
            let (code, said) = tokio::task::block_in_place(|| run(command));
            assert_eq!(code, 0, "{words:?}: {said}");
            let order = said.chars().find(|letter| {
                (letter.is_control() && !matches!(letter, '\n' | '\t'))
                    || matches!(letter, '\u{202a}'..='\u{202e}')
            });
            assert_eq!(order, None, "{words:?} {more:?}: {said:?}");
        }
    }
}

async fn cursors_of_destinations_name_none_of_another_organization(post: Post) {
    post.enable_messaging();
    for number in 0..3 {
        let step = json!({"channel": "webhook", "to": post.web.url(&format!("/hook{number}"))});
        post.trigger(json!([step]));
    }
    post.app.apply(&ada().created(minute(0))).await;
    let other = post.app.token("other", "viewer", Some("org_of_others"));
    let own = post.app.token("own", "viewer", Some(ORGANIZATION));
    let ask = async |token: &str| {
        let answer = post
            .app
            .http
            .api_as(Some(token), "GET", "/v1/destinations?limit=1", None);
        answer.await.ok()
    };
    let theirs = ask(&other).await;
    assert_eq!(theirs["data"], json!([]));
    assert!(theirs["next_cursor"].is_null(), "{theirs}");
    let ours = ask(&own).await;
    assert!(ours["next_cursor"].is_string(), "{ours}");
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test(flavor = "multi_thread")]
async fn the_databases_files_are_their_owners_whatever_the_umask() {
    let folder = tempfile::tempdir().unwrap();
    let made = rollcall("sqlite://rollcall.db", folder.path());
    let mut command = Command::new("sh");
    command
        .args(["-c", "umask 000; exec \"$0\" serve --dev"])
        .arg(made.get_program())
        .env_clear()
        .env("ROLLCALL_LISTEN", "127.0.0.1:0")
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .current_dir(folder.path())
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    let service = Service::start(command);
    crate::support::wait::eventually("it listens", async || {
        service.words().contains("listens on").then_some(())
    })
    .await;
    let here = folder.path().join(".rollcall");
    assert_eq!(mode(&here), 0o700);
    for file in std::fs::read_dir(&here).unwrap() {
        let file = file.unwrap();
        let name = file.file_name().into_string().unwrap();
        if !name.ends_with(".serving") {
            assert_eq!(mode(&file.path()), 0o600, "{name}");
        }
    }
}

#[test]
fn a_short_admin_token_is_refused_at_the_start_and_not_repeated() {
    let folder = tempfile::tempdir().unwrap();
    for short in ["x", "hunter2-hunter2-hunter2-hunter2"] {
        let mut command = rollcall("sqlite://rollcall.db", folder.path());
        command.env("ROLLCALL_ADMIN_TOKEN", short).arg("serve");
        let (code, said) = run(command);
        assert_eq!(code, 78, "{said}");
        assert!(
            said.contains("ROLLCALL_ADMIN_TOKEN") && said.contains("at least 32"),
            "{said}"
        );
        assert!(!said.contains("hunter2"), "{said}");
    }
}

#[test]
fn no_password_in_any_url_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    for more in [&[][..], &["--json"]] {
        let mut command = rollcall("postgres://ann:hunter2@db/roll", folder.path());
        command
            .env("ROLLCALL_SMTP_URL", "smtps://ann:hunter2@mail.example")
            .env("WORKOS_API_URL", "https://ann:hunter2@api.example")
            .env(
                "ROLLCALL_SLACK_API_URL",
                "https://hunter2@slack.example/?token=hunter2",
            )
            .env(
                "OTEL_EXPORTER_OTLP_ENDPOINT",
                "https://otel.example/?api_key=hunter2",
            )
            .env(
                "ROLLCALL_PUBLIC_URL",
                "https://ann:hunter2@rollcall.example",
            )
            .args(["config", "show"])
            .args(more);
        let (code, said) = run(command);
        assert_eq!(code, 0, "{said}");
        assert!(said.contains("***") && !said.contains("hunter2"), "{said}");
    }
}
