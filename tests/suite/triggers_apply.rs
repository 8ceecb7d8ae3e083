//! Triggers from a reviewed file: the example of the README, applied by the command line and by the
//! API, told as a diff, kept in versions; and what an operator may set beside them.

use rollcall::db::Backend;
use rollcall::triggers::deliveries::{self, DeliveryFilter, DeliveryRow};
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::binary::rollcall;
use crate::support::events::{ORGANIZATION, ada, directory, employee, minute};
use crate::support::http_sink::HttpSink;
use crate::support::macros::{Given, on_both};
use crate::support::smtp::SmtpSink;

const EXAMPLE: &str = include_str!("../../fixtures/triggers/first-days.toml");

on_both!(
    the_readmes_example_is_applied_and_its_mail_post_and_webhook_arrive,
    applying_a_file_twice_changes_nothing_and_a_dry_run_changes_nothing_at_all,
    everything_wrong_with_a_file_is_told_at_once_and_nothing_of_it_is_kept,
    a_delivery_is_sent_by_the_version_that_planned_it,
    a_message_of_a_trigger_that_became_a_draft_is_cancelled,
    a_preview_shows_a_real_person_what_they_would_get_and_when,
    settings_for_messages_are_checked_in_full,
);

/// An app with real servers for mail, Slack and webhooks.
pub struct Town {
    app: TestApp,
    mail: SmtpSink,
    web: HttpSink,
}

impl Given for Town {
    async fn given(backend: Backend) -> Self {
        let (mail, web) = (SmtpSink::start(), HttpSink::start());
        let app = TestApp::start_with(backend, |setup| {
            setup.config.mail.smtp_url = Some(mail.url().into());
            setup.config.mail.from = Some("Rollcall <rollcall@test.example>".to_owned());
            setup.config.triggers.webhook_secret =
                Some("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD8vZw2kRBnJo=".into());
        })
        .await;
        app.apply(&directory("dsync.activated", minute(0))).await;
        Self { app, mail, web }
    }
}

impl Town {
    async fn enable_messaging(&self) -> Value {
        let path = format!("/v1/organizations/{ORGANIZATION}/messaging/enable");
        self.app.call("POST", &path, Value::Null).await.ok()
    }

    async fn apply(&self, triggers: Value) -> Value {
        let body = json!({ "organization_id": ORGANIZATION, "triggers": triggers });
        self.app.call("POST", "/v1/triggers/apply", body).await.ok()
    }

    fn all(&self) -> Vec<DeliveryRow> {
        let filter = DeliveryFilter::default();
        let mut all = self.app.read(|conn| deliveries::list(conn, &filter, 500));
        all.sort_by_key(|row| row.step);
        all
    }

    /// The example with its outside addresses played by this test's servers.
    fn example(&self, folder: &std::path::Path) -> std::path::PathBuf {
        let text = EXAMPLE
            .replace(
                "https://hooks.slack.com/services/T000/B000/first-days",
                &self.web.url("/slack"),
            )
            .replace(
                "https://intranet.fernwood.example/hooks/people",
                &self.web.url("/hook"),
            );
        let file = folder.join("triggers.toml");
        std::fs::write(&file, text).unwrap();
        file
    }

    fn run(&self, folder: &std::path::Path, args: &[&str]) -> (i32, String) {
        let mut command = rollcall(&self.app.place.url(), folder);
        command.env("ROLLCALL_ALLOW_PRIVATE_TARGETS", "true");
        let done = command.args(args).output().unwrap();
        let words = format!(
            "{}{}",
            String::from_utf8_lossy(&done.stdout),
            String::from_utf8_lossy(&done.stderr)
        );
        (done.status.code().unwrap(), words)
    }
}

fn welcome(text: &str) -> Value {
    json!([{
        "name": "welcome", "on": "profile.activated", "status": "published",
        "steps": [{"channel": "email", "to": "person", "subject": "Hello", "text": text}],
    }])
}

async fn the_readmes_example_is_applied_and_its_mail_post_and_webhook_arrive(town: Town) {
    let folder = tempfile::tempdir().unwrap();
    let file = town.example(folder.path());
    let apply = ["triggers", "apply", file.to_str().unwrap()];
    let apply = [&apply[..], &["--organization", ORGANIZATION]].concat();

    let rehearsed = [&apply[..], &["--dry-run"]].concat();
    let (code, words) = town.run(folder.path(), &rehearsed);
    assert_eq!(code, 0, "{words}");
    assert!(words.contains("+ First days (created"), "{words}");
    assert!(words.contains("+ steps[0].at: 09:00"), "{words}");
    assert!(
        !words.contains("/slack"),
        "an address may be a secret: {words}"
    );
    assert_eq!(town.app.count("triggers"), 0);
    let (code, words) = town.run(folder.path(), &apply);
    assert_eq!(code, 0, "{words}");
    assert_eq!(town.app.count("triggers"), 2);
    let (_, words) = town.run(folder.path(), &apply);
    assert!(
        words.contains("0 created, 0 changed, 2 unchanged"),
        "{words}"
    );

    // A manager is somebody who works there (R81).
    town.app.apply(&employee("grace").created(minute(0))).await;
    town.enable_messaging().await;
    let newcomer = ada()
        .created(minute(1))
        .set("data.custom_attributes.manager_email", "grace@test.example");
    town.app.apply(&newcomer).await;
    town.app.send_due().await;
    let mails = town.mail.mails();
    let to: Vec<&str> = mails
        .iter()
        .flat_map(|mail| mail.to.iter().map(String::as_str))
        .collect();
    assert_eq!(to.len(), 2, "the drip waits: {to:?}");
    assert!(to.contains(&"ada@test.example") && to.contains(&"grace@test.example"));
    let posts = town.web.requests();
    assert_eq!(posts.len(), 1);
    assert_eq!(posts[0].json()["text"], ":wave: ada Tester joins Research");

    town.app.apply(&ada().deactivated(minute(2))).await;
    town.app.send_due().await;
    let hook = town.web.requests();
    assert_eq!(hook.len(), 2);
    assert_eq!(hook[1].json()["type"], "profile.removed");
    let drip = town.all().into_iter().find(|row| row.step == 3).unwrap();
    assert_eq!(drip.state, "cancelled", "who left hears nothing more");
}

async fn applying_a_file_twice_changes_nothing_and_a_dry_run_changes_nothing_at_all(town: Town) {
    let first = town.apply(welcome("one")).await;
    assert_eq!(first["created"], 1);
    let before = town.app.dump();
    let again = town.apply(welcome("one")).await;
    assert_eq!(again["unchanged"], 1);
    assert_eq!(again["triggers"][0]["differences"], json!([]));
    let dry = json!({
        "organization_id": ORGANIZATION, "triggers": welcome("two"), "dry_run": true,
    });
    let dry = town.app.call("POST", "/v1/triggers/apply", dry).await.ok();
    assert_eq!(dry["changed"], 1);
    assert_eq!(
        dry["triggers"][0]["differences"],
        json!(["~ steps[0].text: one -> two"])
    );
    assert_eq!(town.app.dump(), before);

    let changed = town.apply(welcome("two")).await;
    assert_eq!(changed["triggers"][0]["version"], 2);
    let id = changed["triggers"][0]["id"].as_str().unwrap().to_owned();
    let versions = town.app.get(&format!("/v1/triggers/{id}/versions")).await;
    let texts: Vec<&Value> = (0..2)
        .map(|place| &versions["data"][place]["steps"][0]["text"])
        .collect();
    assert_eq!(texts, ["two", "one"]);

    let other = json!([{
        "name": "other", "on": "profile.removed",
        "steps": [{"channel": "webhook", "to": "http://127.0.0.1:9/hook"}],
    }]);
    let left = town.apply(other.clone()).await;
    assert_eq!(left["left_alone"], json!(["welcome"]));
    let body = json!({ "organization_id": ORGANIZATION, "triggers": other, "prune": true });
    let pruned = town.app.call("POST", "/v1/triggers/apply", body).await.ok();
    assert_eq!(
        (&pruned["unchanged"], &pruned["deleted"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(town.app.count("triggers"), 1);
}

async fn everything_wrong_with_a_file_is_told_at_once_and_nothing_of_it_is_kept(town: Town) {
    let body = json!({ "organization_id": ORGANIZATION, "triggers": [
        welcome("fine")[0],
        {"name": "a", "on": "profile.activated", "steps": [
            {"channel": "email", "to": "person", "subject": "x", "text": "{{ salary }}"},
            {"channel": "pigeon", "to": "person", "text": "x", "at": "25:00"},
        ]},
        {"name": "b", "on": "profile.removed", "field": "title", "steps": [
            {"channel": "email", "to": "person", "subject": "x", "text": "y",
             "digest": {"at_least": 3, "text": "{{ count }}"}},
        ]},
        {"name": "c", "on": "field.changed", "changed_to": "Sales", "steps": [
            {"channel": "email", "to": "a@b.example", "subject": "x", "text": "y",
             "digest": {"text": "{{ first_name }}", "subject": "z"}},
        ]},
    ]});
    let answer = town.app.call("POST", "/v1/triggers/apply", body).await;
    assert_eq!(answer.status, 422, "{answer:?}");
    let told = answer.body.to_string();
    for place in [
        "triggers[1].steps[0].text",
        "unknown variable salary",
        "triggers[1].steps[1].channel",
        "triggers[1].steps[1].at",
        "triggers[2].field",
        "triggers[2].steps[0].digest",
        "triggers[3].field",
        "triggers[3].steps[0].digest.text",
        "a digest knows count, names",
    ] {
        assert!(told.contains(place), "{place} is not in {told}");
    }
    assert_eq!(town.app.count("triggers"), 0);
}

async fn a_delivery_is_sent_by_the_version_that_planned_it(town: Town) {
    town.enable_messaging().await;
    let id = town.apply(welcome("the old words")).await["triggers"][0]["id"].clone();
    town.app.apply(&ada().created(minute(1))).await;
    town.apply(welcome("the new words")).await;
    town.app.apply(&employee("ben").created(minute(2))).await;
    assert_eq!(town.app.send_due().await, 2);
    let said: Vec<(String, bool)> = town
        .mail
        .mails()
        .iter()
        .map(|mail| (mail.to[0].clone(), mail.body().contains("the old words")))
        .collect();
    assert!(
        said.contains(&("ada@test.example".to_owned(), true)),
        "{said:?}"
    );
    assert!(
        said.contains(&("ben@test.example".to_owned(), false)),
        "{said:?}"
    );
    let page = town.app.get("/v1/deliveries").await;
    let mut versions: Vec<i64> = page["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["trigger_version"].as_i64().unwrap())
        .collect();
    versions.sort_unstable();
    assert_eq!(versions, [1, 2]);
    // What was sent keeps its version's words, also when the trigger is gone.
    let path = format!("/v1/triggers/{}", id.as_str().unwrap());
    town.app.call("DELETE", &path, Value::Null).await;
    assert_eq!(town.app.count("trigger_versions"), 2);
}

async fn a_message_of_a_trigger_that_became_a_draft_is_cancelled(town: Town) {
    town.enable_messaging().await;
    town.apply(welcome("hello")).await;
    town.app.apply(&ada().created(minute(1))).await;
    let mut draft = welcome("hello");
    draft[0]["status"] = json!("draft");
    town.apply(draft).await;
    town.app.send_due().await;
    assert!(town.mail.mails().is_empty());
    assert_eq!(town.all()[0].state, "cancelled");
}

async fn a_preview_shows_a_real_person_what_they_would_get_and_when(town: Town) {
    let trigger = json!([{
        "name": "start", "on": "profile.activated",
        "steps": [
            {"channel": "email", "to": "person", "at": "09:00", "subject": "{{ first_name }}",
             "text": "in {{ title | default(\"no role\") }}", "html": "<b>{{ first_name }}</b>"},
            {"channel": "email", "to": "person", "after": "P3D", "subject": "x", "text": "y"},
        ],
    }]);
    let id = town.apply(trigger).await["triggers"][0]["id"].clone();
    let event = ada()
        .created(minute(1))
        .set("data.first_name", "A<d>a")
        .set("data.custom_attributes.job_title", Value::Null)
        .set("data.custom_attributes.employment_start_date", "2026-12-01")
        .set("data.custom_attributes.timezone", "America/New_York");
    town.app.apply(&event).await;
    let profile = town.app.profile(&ada()).id;
    let path = format!("/v1/triggers/{}/preview", id.as_str().unwrap());
    let body = json!({ "profile_id": profile });
    let shown = town.app.call("POST", &path, body).await.ok();
    assert_eq!(shown["timezone"], "America/New_York");
    let first = &shown["steps"][0];
    assert_eq!(first["subject"], "A<d>a");
    assert_eq!(first["text"], "in no role");
    assert_eq!(first["html"], "<b>A&lt;d&gt;a</b>");
    assert_eq!(first["recipient"], "ada@test.example");
    assert_eq!(first["due_at"], "2026-12-01T14:00:00.000Z");
    assert_eq!(shown["steps"][1]["due_at"], "2026-12-04T14:00:00.000Z");
    let folder = tempfile::tempdir().unwrap();
    let args = ["triggers", "preview", id.as_str().unwrap(), &profile];
    let (code, words) = town.run(folder.path(), &args);
    assert_eq!(code, 0, "{words}");
    assert!(
        words.contains("in no role") && words.contains("America/New_York"),
        "{words}"
    );
    assert!(town.all().is_empty() && town.mail.mails().is_empty());
}

async fn settings_for_messages_are_checked_in_full(town: Town) {
    let path = format!("/v1/organizations/{ORGANIZATION}/messages");
    let wrong = json!({
        "timezone": "Middle/Earth", "send_time": "9", "late_hours": 0,
        "quiet_hours": {"from": "20:00", "to": "25:00"}, "burst_guard": {"percent": 101},
    });
    let answer = town.app.call("PUT", &path, wrong).await;
    assert_eq!(answer.status, 422, "{answer:?}");
    let told = answer.body.to_string();
    for place in [
        "timezone",
        "send_time",
        "late_hours",
        "quiet_hours.to",
        "burst_guard.percent",
    ] {
        assert!(told.contains(place), "{place} is not in {told}");
    }
    let right = json!({ "timezone": "Europe/Berlin", "grace_days": 3 });
    town.app.call("PUT", &path, right).await.ok();
    let shown = town.app.get(&path).await;
    assert_eq!(shown["messages"]["timezone"], "Europe/Berlin");
    assert_eq!(shown["messages"]["send_time"], "09:00");
    let folder = tempfile::tempdir().unwrap();
    let args = [
        "triggers",
        "settings",
        ORGANIZATION,
        "send_time=08:30",
        "grace_days=null",
    ];
    let (code, words) = town.run(folder.path(), &args);
    assert_eq!(code, 0, "{words}");
    let shown = town.app.get(&path).await;
    assert_eq!(shown["messages"]["send_time"], "08:30");
    assert_eq!(shown["messages"]["grace_days"], 7);
    assert_eq!(shown["messages"]["timezone"], "Europe/Berlin");
}
