//! `rollcall doctor` finds each thing that can be wrong with an installation, and says the next step.

use std::time::Duration;

use rollcall::clock::Clock;
use rollcall::db::Backend;
use serde_json::Value;
use tokio::task::block_in_place;

use crate::support::app::TestApp;
use crate::support::binary::rollcall;
use crate::support::events::{ORGANIZATION, ada, directory, minute};
use crate::support::http::SECRET;
use crate::support::macros::on_both;
use crate::support::place::Place;
use crate::support::smtp::SmtpSink;

on_both!(
    the_secret_the_tolerance_and_the_servers_it_needs_are_looked_at,
    a_clock_that_is_off_is_told_by_what_workos_sends,
    a_database_that_is_not_durable_or_not_migrated_is_told,
    a_queue_that_stands_holds_past_their_limit_and_stopped_places_are_told,
    a_silent_directory_and_a_secret_that_matches_no_more_are_told,
    a_sound_installation_passes_and_the_exit_code_says_so,
);

/// What the doctor says, by part, and how it ended.
struct Told {
    checks: Vec<Value>,
    exit: i32,
}

impl Told {
    fn of(&self, part: &str) -> &Value {
        let found = self.checks.iter().find(|check| check["name"] == part);
        found.unwrap_or_else(|| panic!("{part}: {:#?}", self.checks))
    }

    /// The part is so, its finding says that, and there is a next step in these words.
    fn finds(&self, part: &str, result: &str, finding: &str, advice: &str) {
        let check = self.of(part);
        assert_eq!(check["result"], result, "{check}");
        assert!(
            check["finding"].as_str().unwrap().contains(finding),
            "{check}"
        );
        assert!(
            check["advice"].as_str().unwrap().contains(advice),
            "{check}"
        );
        assert_eq!(
            self.exit,
            i32::from(self.checks.iter().any(|one| one["result"] == "fail"))
        );
    }
}

/// Asks the doctor about that database, under these settings.
fn doctor(url: &str, settings: &[(&str, &str)]) -> Told {
    let folder = tempfile::tempdir().unwrap();
    let output = block_in_place(|| {
        let mut command = rollcall(url, folder.path());
        command.env("WORKOS_WEBHOOK_SECRET", SECRET);
        for (name, value) in settings {
            match *value {
                "" => command.env_remove(name),
                value => command.env(name, value),
            };
        }
        command.args(["doctor", "--json"]).output().unwrap()
    });
    let text = String::from_utf8(output.stdout).unwrap();
    let checks = serde_json::from_str(&text)
        .unwrap_or_else(|_| panic!("{text}{}", String::from_utf8_lossy(&output.stderr)));
    Told {
        checks,
        exit: output.status.code().unwrap(),
    }
}

async fn the_secret_the_tolerance_and_the_servers_it_needs_are_looked_at(app: TestApp) {
    let url = app.place.url();
    let told = doctor(&url, &[("WORKOS_WEBHOOK_SECRET", "")]);
    told.finds("webhook secret", "fail", "not set", "dashboard");
    for (secret, why) in [
        ("sk_test_a2V5XzAxSDU2Nzg5MDEyMzQ1Njc4OTA", "API key"),
        ("1790000000", "number"),
        ("\"2sAZJlbjP8Ce3rwkKEv2GfKef\"", "quotes"),
        ("abc123def", "short"),
    ] {
        let told = doctor(&url, &[("WORKOS_WEBHOOK_SECRET", secret)]);
        told.finds("webhook secret", "fail", why, "dashboard");
        assert!(
            !told.of("webhook secret").to_string().contains(secret),
            "never the secret itself"
        );
    }
    let told = doctor(&url, &[("ROLLCALL_SIGNATURE_TOLERANCE", "300000")]);
    told.finds("signature tolerance", "warn", "300000 s", "milliseconds");
    let told = doctor(&url, &[("ROLLCALL_SIGNATURE_TOLERANCE", "3")]);
    told.finds("signature tolerance", "warn", "3 s", "seconds");

    let mail = ("ROLLCALL_MAIL_FROM", "Rollcall <rollcall@test.example>");
    let private = ("ROLLCALL_ALLOW_PRIVATE_TARGETS", "true");
    let nobody = [("ROLLCALL_SMTP_URL", "smtp://127.0.0.1:9"), mail, private];
    doctor(&url, &nobody).finds("mail server", "fail", "not reached", "ROLLCALL_SMTP_URL");
    let server = SmtpSink::start();
    let there = server.url();
    let told = doctor(&url, &[("ROLLCALL_SMTP_URL", &there), mail, private]);
    assert_eq!(
        told.of("mail server")["result"],
        "ok",
        "{}",
        told.of("mail server")
    );
    let slack = [
        ("ROLLCALL_SLACK_BOT_TOKEN", "xoxb-1"),
        ("ROLLCALL_SLACK_API_URL", "http://127.0.0.1:9/api"),
        private,
    ];
    doctor(&url, &slack).finds("Slack", "fail", "not reached", "ROLLCALL_SLACK");
}

async fn a_clock_that_is_off_is_told_by_what_workos_sends(backend: Backend) {
    let app = TestApp::start(backend).await;
    let now = Clock::System.now();
    app.advance(now.since(app.clock.now()));
    app.apply(&ada().created(app.clock.now())).await;
    assert_eq!(
        doctor(&app.place.url(), &[]).of("clock against WorkOS")["result"],
        "ok"
    );
    // It happens after it comes: our clock is behind.
    let ahead = app.clock.now().plus(Duration::from_secs(60));
    app.sql("DELETE FROM outbox");
    app.apply(&ada().updated(ahead)).await;
    doctor(&app.place.url(), &[]).finds("clock against WorkOS", "warn", "behind", "NTP");
    let tight = [("ROLLCALL_SIGNATURE_TOLERANCE", "60")];
    doctor(&app.place.url(), &tight).finds("clock against WorkOS", "fail", "behind", "NTP");

    // So far off that nothing gets in: the last refusal is kept.
    let body = ada().updated(ahead).body();
    let late = app.clock.now().minus(Duration::from_secs(900));
    let refused = app.http.deliver_signed(body.clone(), late).await.unwrap();
    assert_eq!(refused.status, 401);
    eventually_kept(&app).await;
    doctor(&app.place.url(), &[]).finds("clock against WorkOS", "fail", "900 s older", "NTP");
    app.advance(Duration::from_secs(61));
    let seconds = rollcall::clock::Timestamp::from_millis(app.clock.now().seconds());
    app.sql("DELETE FROM chores");
    assert_eq!(
        app.http.deliver_signed(body, seconds).await.unwrap().status,
        401
    );
    eventually_kept(&app).await;
    doctor(&app.place.url(), &[]).finds(
        "clock against WorkOS",
        "fail",
        "in seconds",
        "milliseconds",
    );
}

async fn eventually_kept(app: &TestApp) {
    crate::support::wait::eventually("the refusal is kept", async || {
        (app.count("chores WHERE name = 'webhook.stale'") > 0).then_some(())
    })
    .await;
}

async fn a_database_that_is_not_durable_or_not_migrated_is_told(backend: Backend) {
    let place = Place::empty(backend);
    if backend == Backend::Sqlite {
        // There is no file yet.
        doctor(&place.url(), &[]).finds("database", "fail", "no database", "rollcall migrate");
        place.stranger().run("CREATE TABLE something (id INTEGER)");
    }
    let told = doctor(&place.url(), &[]);
    told.finds("migrations", "fail", "not run yet", "rollcall migrate");
    if let Backend::Postgres = backend {
        // The tests' own server runs without fsync, for speed: the doctor sees that.
        let app = TestApp::start(backend).await;
        let told = doctor(&app.place.url(), &[]);
        told.finds("durability", "fail", "off", "postgresql.conf");
    } else {
        let app = TestApp::start(backend).await;
        let told = doctor(&app.place.url(), &[]);
        let check = told.of("durability");
        assert_eq!(check["result"], "ok", "{check}");
        assert!(check["finding"].as_str().unwrap().contains("synchronous=2"));
    }
}

async fn a_queue_that_stands_holds_past_their_limit_and_stopped_places_are_told(app: TestApp) {
    let long_ago = Clock::System.now().minus(Duration::from_secs(3_600));
    app.deliver(&ada().created(minute(0))).await;
    app.sql(&format!(
        "UPDATE outbox SET received_at = {}, available_at = 1",
        long_ago.micros()
    ));
    let url = app.place.url();
    doctor(&url, &[]).finds("queue", "fail", "1 waiting", "rollcall work");
    app.drain();
    app.sql(&format!(
        "INSERT INTO holds (id, organization_id, kind, state, reason, opened_at, last_at, due_at) \
         VALUES ('hold_1', '{ORGANIZATION}', 'removals', 'open', 'many', {0}, {0}, {0})",
        long_ago.micros()
    ));
    doctor(&url, &[]).finds("holds", "fail", "1 of 1", "rollcall holds approve");
    let soon = Clock::System
        .now()
        .plus(Duration::from_secs(3_600))
        .micros();
    app.sql(&format!("UPDATE holds SET due_at = {soon}"));
    doctor(&url, &[]).finds("holds", "warn", "for a decision", "rollcall holds list");
    app.sql(
        "INSERT INTO destinations (id, channel, shown, stopped_at, reason, created_at) \
         VALUES ('webhook_1', 'webhook', 'example.com', 1, '410', 1)",
    );
    doctor(&url, &[]).finds(
        "destinations",
        "fail",
        "refuse and were stopped",
        "rollcall destinations resume",
    );
}

async fn a_silent_directory_and_a_secret_that_matches_no_more_are_told(app: TestApp) {
    app.apply(&directory("dsync.activated", minute(0))).await;
    let url = app.place.url();
    let at = |hours: u64| {
        Clock::System
            .now()
            .minus(Duration::from_secs(3_600 * hours))
            .micros()
    };
    app.sql(&format!(
        "UPDATE directories SET last_event_at = {}",
        at(30)
    ));
    doctor(&url, &[]).finds("directories", "warn", "silent", "reconcile");
    app.sql(&format!("UPDATE directories SET last_event_at = {}", at(1)));
    assert_eq!(doctor(&url, &[]).of("directories")["result"], "ok");

    let both = format!("new:{SECRET},old:another-secret-of-the-tests");
    let secrets = [("WORKOS_WEBHOOK_SECRET", both.as_str())];
    let uses = |label: &str, last: i64| {
        app.sql(&format!(
            "INSERT INTO webhook_secret_uses (label, matched, last_matched_at) VALUES ('{label}', 5, {last})"
        ));
    };
    uses("new", at(0));
    doctor(&url, &secrets).finds(
        "secret in use",
        "warn",
        "old has never matched",
        "take it out",
    );
    uses("old", at(24 * 30));
    doctor(&url, &secrets).finds("secret in use", "warn", "old last matched", "take it out");
    app.sql(&format!(
        "UPDATE webhook_secret_uses SET last_matched_at = {}",
        at(1)
    ));
    assert_eq!(doctor(&url, &secrets).of("secret in use")["result"], "ok");
}

async fn a_sound_installation_passes_and_the_exit_code_says_so(backend: Backend) {
    let app = TestApp::start(backend).await;
    let told = doctor(&app.place.url(), &[]);
    let broken: Vec<&Value> = told
        .checks
        .iter()
        .filter(|check| check["result"] == "fail")
        .collect();
    match backend {
        Backend::Sqlite => assert_eq!((broken.len(), told.exit), (0, 0), "{broken:#?}"),
        // The tests' server keeps nothing.
        Backend::Postgres => assert!(broken.iter().all(|check| check["name"] == "durability")),
    }
    for check in &told.checks {
        assert_eq!(
            check["advice"].is_null(),
            check["result"] == "ok",
            "{check}"
        );
    }
}
