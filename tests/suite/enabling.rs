//! Turning Directory Sync on from a terminal, with the real binary: the link is said once and written
//! nowhere, the steps are told as they come, and an endpoint that Rollcall registered itself is one
//! whose webhooks it verifies.

use rollcall::clock::Clock;
use rollcall::db::Backend;
use rollcall::workos::client::{ORGANIZATION_DELETED, SUBSCRIBED};
use rollcall::workos::sign;
use serde_json::{Value, json};
use std::process::Command;

use crate::support::app::TestApp;
use crate::support::binary::{Service, rollcall};
use crate::support::events::{DIRECTORY, ORGANIZATION, ada, directory, employee, minute};
use crate::support::http::{Caller, TOKEN};
use crate::support::macros::on_both;
use crate::support::wait::eventually;
use crate::support::workos::{API_KEY, FakeWorkOs};

on_both!(
    enabling_is_followed_in_a_terminal_until_people_are_here,
    the_link_is_for_admins_and_stands_in_no_log,
    an_endpoint_is_registered_with_its_events_and_its_webhooks_are_verified,
    r84_an_endpoint_is_registered_without_a_deleted_organization_where_workos_refuses_it,
    a_command_that_asks_workos_says_what_is_missing,
);

const LINK: &str = "https://setup.workos.example";
/// What the fake gives every endpoint.
const ENDPOINT_SECRET: &str = "whsec_2sAZJlbjP8Ce3rwkKEv2GfKef";
const URL: &str = "https://roll.example.com/webhooks/workos";

/// A command that speaks to the fake, logging all there is to log.
fn command(app: &TestApp, fake: &FakeWorkOs, folder: &std::path::Path) -> Command {
    let mut command = rollcall(&app.place.url(), folder);
    command
        .env("WORKOS_API_KEY", API_KEY)
        .env("WORKOS_API_URL", fake.url())
        .env("ROLLCALL_CATCH_UP", "off")
        .env("ROLLCALL_RECONCILE", "off")
        .env("ROLLCALL_LOG", "trace");
    command
}

async fn says(service: &Service, what: &str) {
    eventually(what, async || service.words().contains(what).then_some(())).await;
}

fn kept(app: &TestApp, text: &str) -> usize {
    let all: Vec<String> = app.dump().into_values().flatten().collect();
    all.iter().filter(|row| row.contains(text)).count()
}

async fn enabling_is_followed_in_a_terminal_until_people_are_here(backend: Backend) {
    let (app, fake) = (TestApp::start(backend).await, FakeWorkOs::start());
    let folder = tempfile::tempdir().unwrap();
    let mut enable = command(&app, &fake, folder.path());
    enable.args(["directories", "enable", ORGANIZATION, "--follow"]);
    let mut following = Service::start(enable);
    says(&following, "link_opened: ").await;
    app.apply(&directory("dsync.activated", minute(1))).await;
    says(&following, "linked: the directory is linked").await;
    fake.directory(DIRECTORY, ORGANIZATION, "linked");
    for name in ["ada", "bob"] {
        fake.user(&employee(name).created(minute(2)));
    }
    app.apply(&ada().created(minute(2))).await;
    says(&following, "arriving: ").await;
    says(&following, &format!("{DIRECTORY}: 1 of 2 people")).await;
    app.apply(&employee("bob").created(minute(2))).await;
    let (status, said) = following.ended().await;
    assert!(status.success(), "{said}");
    assert!(said.contains("ready: people are here"), "{said}");
    assert_eq!(said.matches(LINK).count(), 1, "said once: {said}");
    assert_eq!(kept(&app, LINK), 0);
    assert_eq!(
        app.count("operator_acts WHERE act = 'organization.setup_link_opened'"),
        1
    );
}

async fn the_link_is_for_admins_and_stands_in_no_log(backend: Backend) {
    let (app, fake) = (TestApp::start(backend).await, FakeWorkOs::start());
    let folder = tempfile::tempdir().unwrap();
    let (service, http) = Service::serve(command(&app, &fake, folder.path()), &[]).await;
    let operator = app.token("operator", "operator", None);
    let stranger = app.token("stranger", "admin", Some("org_other"));
    let path = format!("/v1/organizations/{ORGANIZATION}/directory-sync/link");
    for token in [&operator, &stranger] {
        let refused = http.api_as(Some(token), "POST", &path, None).await;
        assert!([403, 404].contains(&refused.status), "{}", refused.text);
    }
    assert!(fake.environment().links.is_empty());
    let opened = http.api_as(Some(TOKEN), "POST", &path, None).await;
    assert!(opened.body["link"].as_str().unwrap().starts_with(LINK));
    eventually("the request is logged", async || {
        service
            .words()
            .contains("/directory-sync/link")
            .then_some(())
    })
    .await;
    // The fake's log of requests apart, nobody wrote down link, key or token.
    for secret in [LINK, "secret_0", API_KEY, TOKEN] {
        assert!(!service.words().contains(secret), "{}", service.words());
    }
    assert_eq!(kept(&app, LINK), 0);
}

async fn an_endpoint_is_registered_with_its_events_and_its_webhooks_are_verified(backend: Backend) {
    let (app, fake) = (TestApp::start(backend).await, FakeWorkOs::start());
    let folder = tempfile::tempdir().unwrap();
    let register = async |more: &[&str]| {
        let mut command = command(&app, &fake, folder.path());
        command
            .args(["webhooks", "register", "--url", URL])
            .args(more);
        let (status, said) = Service::start(command).ended().await;
        assert!(status.success(), "{said}");
        said
    };
    let said = register(&[]).await;
    assert!(
        said.contains("created: 11 events") && !said.contains("whsec_"),
        "{said}"
    );
    let events = || -> Vec<Value> {
        let all = fake.environment();
        assert_eq!(all.endpoints.len(), 1);
        all.endpoints[0]["events"].as_array().unwrap().clone()
    };
    assert!(
        SUBSCRIBED
            .iter()
            .all(|name| events().contains(&json!(name)))
    );
    assert!(events().contains(&json!(ORGANIZATION_DELETED)));
    // `serve` knows nothing but that secret.
    let (service, http) = serve_without_secret(&app, &fake, folder.path()).await;
    assert_eq!(deliver(&http, ENDPOINT_SECRET).await, 200);
    assert_eq!(deliver(&http, "whsec_another").await, 401);
    assert!(!service.words().contains(ENDPOINT_SECRET));
    drop(service);
    // Somebody takes an event away and disables it; what else it subscribes to stays.
    {
        let mut all = fake.environment();
        all.endpoints[0]["events"] = json!(["dsync.user.created", "user.created"]);
        all.endpoints[0]["status"] = json!("disabled");
    }
    let said = register(&["--show-secret"]).await;
    assert!(
        said.contains("updated: 12 events") && said.contains(ENDPOINT_SECRET),
        "{said}"
    );
    assert_eq!(fake.environment().endpoints[0]["status"], "enabled");
    assert!(events().contains(&json!("user.created")));
    assert_eq!(
        app.count("operator_acts WHERE act = 'webhook_endpoint.registered'"),
        2
    );
    app.leave_work();
}

async fn r84_an_endpoint_is_registered_without_a_deleted_organization_where_workos_refuses_it(
    backend: Backend,
) {
    let app = TestApp::start(backend).await;
    let folder = tempfile::tempdir().unwrap();
    for status in [400, 422] {
        let fake = FakeWorkOs::start();
        fake.environment().variant.refused_event = Some((status, ORGANIZATION_DELETED));
        // Made, and then changed.
        for what in ["created", "updated"] {
            let mut command = command(&app, &fake, folder.path());
            command.args(["webhooks", "register", "--url", URL]);
            let (ended, said) = Service::start(command).ended().await;
            assert!(ended.success(), "{said}");
            assert!(said.contains(&format!("{what}: 10 events")), "{said}");
            assert!(
                said.contains("does not offer organization.deleted"),
                "{said}"
            );
        }
        // What is refused for another name is an error.
        fake.environment().variant.refused_event = Some((status, "dsync.activated"));
        let mut command = command(&app, &fake, folder.path());
        command.args(["webhooks", "register", "--url", URL]);
        let (ended, said) = Service::start(command).ended().await;
        assert!(!ended.success() && said.contains("refused"), "{said}");
    }
    app.leave_work();
}

async fn serve_without_secret(
    app: &TestApp,
    fake: &FakeWorkOs,
    folder: &std::path::Path,
) -> (Service, Caller) {
    let mut command = command(app, fake, folder);
    command.env_remove("WORKOS_WEBHOOK_SECRET");
    Service::serve(command, &["--no-worker"]).await
}

async fn deliver(http: &Caller, secret: &str) -> u16 {
    let now = Clock::System.now();
    let body = ada().created(now).body();
    let signature = sign(secret, now, &body);
    let answer = http
        .deliver_raw(body, &[("WorkOS-Signature", &signature)])
        .await;
    answer.unwrap().status
}

async fn a_command_that_asks_workos_says_what_is_missing(backend: Backend) {
    let (app, fake) = (TestApp::start(backend).await, FakeWorkOs::start());
    let folder = tempfile::tempdir().unwrap();
    let mut without = command(&app, &fake, folder.path());
    without.env_remove("WORKOS_API_KEY").args(["catch-up"]);
    let (status, said) = Service::start(without).ended().await;
    assert_eq!(status.code(), Some(78), "{said}");
    assert!(said.contains("WORKOS_API_KEY is not set"), "{said}");
    let mut wrong = command(&app, &fake, folder.path());
    wrong.env("WORKOS_API_KEY", "sk_wrong");
    wrong.args(["directories", "enable", ORGANIZATION]);
    let (status, said) = Service::start(wrong).ended().await;
    assert_eq!(status.code(), Some(78), "{said}");
    assert!(said.contains("401") && !said.contains("sk_wrong"), "{said}");
}
