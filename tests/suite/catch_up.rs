//! Catching up from the Events API: what no webhook brought comes in by the same intake, once, and
//! the gap report says what was lost, when, and why it may have been.

use std::sync::Arc;
use std::time::Duration;

use rollcall::app::workos_client;
use rollcall::config::Config;
use rollcall::db::Backend;
use rollcall::intake::Intake;
use rollcall::upstream::{CatchUp, CatchUpSettings, Pulled};
use tokio::sync::Notify;

use crate::support::app::TestApp;
use crate::support::events::{ORGANIZATION, ada, directory, employee, group, minute};
use crate::support::http::TOKEN;
use crate::support::macros::on_both;
use crate::support::wait::eventually;
use crate::support::workos::{API_KEY, CLIENT_ID, FakeWorkOs, Fault};

on_both!(
    r19_an_endpoint_down_for_a_day_is_made_good_in_the_order_of_truth_and_once,
    r19_a_lost_removal_shown_late_is_found_by_the_overlap_and_by_nothing_else,
    r3_an_event_by_both_doors_has_one_effect_and_is_told_as_late,
    an_expired_cursor_begins_again_from_a_time,
    r19_events_in_any_order_are_all_read_and_move_the_cursor_at_the_end,
    r19_a_reading_in_any_order_that_breaks_off_skips_nothing,
    r19_a_cursor_refused_in_any_documented_way_begins_again_from_a_time,
    r19_reading_begins_inside_of_the_window_and_nearer_where_it_is_refused,
    the_order_that_is_asked_for_is_obeyed_by_the_official_emulator,
    r93_catching_up_that_fails_again_and_again_is_told_everywhere,
    a_bare_rate_limit_and_a_passing_failure_are_waited_out,
    of_two_pullers_one_pulls,
    the_cause_of_a_gap_is_told_from_what_else_came,
    r19_without_an_overlap_the_lost_removal_stays_lost,
    r19_a_reading_that_broke_off_in_the_overlap_begins_the_overlap_again,
    a_webhook_pokes_and_what_was_lost_beside_it_is_there_in_seconds,
    a_report_counts_what_it_does_not_list,
);

/// A service with a key, a fake to talk to, and catching up by hand.
pub struct Desk {
    pub app: TestApp,
    pub fake: FakeWorkOs,
    pub catch_up: CatchUp,
}

impl Desk {
    pub async fn start(backend: Backend) -> Self {
        let fake = FakeWorkOs::start();
        let url = fake.url();
        let with_key = |config: &mut Config| {
            config.workos.api_key = Some(API_KEY.into());
            config.workos.client_id = Some(CLIENT_ID.to_owned());
            config.workos.api_url = url.clone();
            config.workos.catch_up = rollcall::config::CatchUpMode::Off;
        };
        let app = TestApp::start_with(backend, |setup| with_key(&mut setup.config)).await;
        let mut config = Config::defaults().unwrap();
        with_key(&mut config);
        let (intake, _) = Intake::start(app.db.clone(), Arc::new(Notify::new()), 1_024).unwrap();
        let overlap = Duration::from_secs(600);
        let catch_up = CatchUp::new(
            app.db.clone(),
            app.clock.clone(),
            workos_client(&config).unwrap().unwrap(),
            intake,
            CatchUpSettings { overlap },
        );
        Self {
            app,
            fake,
            catch_up,
        }
    }

    async fn pull(&self) -> Pulled {
        self.catch_up.pull().await.unwrap().unwrap()
    }
}

async fn r19_an_endpoint_down_for_a_day_is_made_good_in_the_order_of_truth_and_once(
    backend: Backend,
) {
    let Desk {
        app,
        fake,
        catch_up,
    } = &Desk::start(backend).await;
    let first = directory("dsync.activated", minute(0));
    app.apply(&first).await;
    fake.happened(&first);
    // A day of which nothing arrives: 250 people, one of them renamed twice and one gone.
    for number in 0..250 {
        fake.happened(&employee(&format!("p{number}")).created(minute(60 + number)));
    }
    fake.happened(
        &employee("p1")
            .updated(minute(400))
            .set("data.last_name", "Second"),
    );
    fake.happened(
        &employee("p1")
            .updated(minute(420))
            .set("data.last_name", "Third"),
    );
    fake.happened(&employee("p2").deleted(minute(500)));
    app.advance(Duration::from_secs(86_400));
    let pulled = catch_up.pull().await.unwrap().unwrap();
    assert_eq!((pulled.new, pulled.known, pulled.pages), (253, 1, 3));
    app.drain();
    assert_eq!(app.people().len(), 249);
    assert_eq!(
        app.profile(&employee("p1")).last_name.as_deref(),
        Some("Third")
    );
    assert_eq!(app.profile(&employee("p2")).status, "removed");
    let before = app.dump();
    let again = catch_up.pull().await.unwrap().unwrap();
    assert_eq!(again.new, 0);
    assert_eq!(app.drain(), 0);
    for table in ["profiles", "changes", "outbox", "event_gaps"] {
        assert_eq!(before[table], app.dump()[table], "{table}");
    }
    let report = app.get("/v1/gaps").await;
    assert_eq!(report["lost"], 253);
    let stretch = &report["stretches"][0];
    assert!(
        stretch["likely_cause"]
            .as_str()
            .unwrap()
            .contains("no webhook at all"),
        "{stretch}"
    );
}

async fn r19_a_lost_removal_shown_late_is_found_by_the_overlap_and_by_nothing_else(
    backend: Backend,
) {
    let desk = Desk::start(backend).await;
    let Desk { app, fake, .. } = &desk;
    let (hired, gone, other) = (
        ada().created(minute(0)),
        ada().deleted(minute(10)),
        employee("bob").created(minute(11)),
    );
    app.apply(&hired).await;
    fake.happened(&hired);
    // The webhook of the removal is lost, and the Events API shows a newer event first.
    fake.happened_hidden(&gone);
    fake.happened(&other);
    app.advance(Duration::from_secs(720));
    assert_eq!(desk.pull().await.new, 1);
    app.drain();
    assert_eq!(app.people().len(), 2, "nobody knows of it yet");
    fake.reveal();
    // Going on after the cursor alone would never see it: it stands before.
    let ids: Vec<String> = fake
        .environment()
        .events
        .iter()
        .map(|one| one["id"].as_str().unwrap().to_owned())
        .collect();
    assert!(
        ids.iter().position(|id| *id == gone.id()) < ids.iter().position(|id| *id == other.id())
    );
    assert_eq!(desk.pull().await.new, 1);
    app.drain();
    assert_eq!(app.people(), ["bob@test.example"]);
}

async fn r3_an_event_by_both_doors_has_one_effect_and_is_told_as_late(backend: Backend) {
    let desk = Desk::start(backend).await;
    let Desk { app, fake, .. } = &desk;
    let hired = ada().created(minute(0));
    fake.happened(&hired);
    assert_eq!(desk.pull().await.new, 1);
    app.drain();
    let history = app.history(&app.profile(&ada()).id);
    assert_eq!(app.get("/v1/gaps").await["lost"], 1);
    app.advance(Duration::from_secs(60));
    assert_eq!(app.deliver(&hired).await.body["status"], "duplicate");
    assert_eq!(app.drain(), 0);
    assert_eq!(app.history(&app.profile(&ada()).id).len(), history.len());
    let report = app.get("/v1/gaps").await;
    assert_eq!((&report["lost"], &report["late"]), (&0.into(), &1.into()));
    assert_eq!(report["events"][0]["webhook_at"], minute(1).to_string());
    assert!(
        app.http
            .metric("rollcall_event_gaps{webhook=\"late\"}")
            .await
            >= 1.0
    );
}

async fn an_expired_cursor_begins_again_from_a_time(backend: Backend) {
    let desk = Desk::start(backend).await;
    let Desk { app, fake, .. } = &desk;
    for number in 0..150 {
        fake.happened(&employee(&format!("p{number}")).created(minute(number)));
    }
    app.advance(Duration::from_secs(86_400));
    // The first reading breaks off in the middle, so that the next one goes on after its cursor.
    fake.fault(
        "/events",
        Fault::Answer(
            200,
            r#"{"object":"list","data":[],"list_metadata":{"after":"event_nowhere"}}"#,
            None,
        ),
    );
    assert!(desk.pull().await.restarted);
    app.drain();
    assert_eq!(app.people().len(), 150);
}

/// 250 people hired over some hours, and one who left.
fn hours_of_events(fake: &FakeWorkOs) {
    for number in 0..250 {
        fake.happened(&employee(&format!("p{number}")).created(minute(number)));
    }
    fake.happened(&employee("p7").deleted(minute(300)));
}

async fn r19_events_in_any_order_are_all_read_and_move_the_cursor_at_the_end(backend: Backend) {
    for fault in [Fault::NewestFirst, Fault::Unsorted] {
        let desk = Desk::start(backend).await;
        let Desk { app, fake, .. } = &desk;
        hours_of_events(fake);
        app.advance(Duration::from_secs(86_400));
        fake.fault("/events", fault.clone());
        let pulled = desk.pull().await;
        assert_eq!((pulled.new, pulled.disordered), (251, true), "{fault:?}");
        app.drain();
        assert_eq!(app.people().len(), 249);
        let newest = minute(300).micros();
        assert_eq!(
            app.count(&format!(
                "catch_ups WHERE cursor_at = {newest} AND last_error IS NULL"
            )),
            1,
            "the cursor is the newest of all"
        );
    }
}

async fn r19_a_reading_in_any_order_that_breaks_off_skips_nothing(backend: Backend) {
    let desk = Desk::start(backend).await;
    let Desk { app, fake, .. } = &desk;
    hours_of_events(fake);
    app.advance(Duration::from_secs(86_400));
    // The first page comes newest first, the second not at all.
    let newest_first = {
        let environment = fake.environment();
        let page: Vec<_> = environment.events.iter().rev().take(100).collect();
        serde_json::json!({
            "object": "list", "data": page, "list_metadata": {"after": page[99]["id"]},
        })
    };
    fake.fault(
        "/events",
        Fault::Answer(200, newest_first.to_string().leak(), None),
    );
    fake.fault(
        "/events",
        Fault::Answer(401, r#"{"message":"Unauthorized"}"#, None),
    );
    desk.catch_up.pull().await.unwrap_err();
    assert_eq!(
        app.count("catch_ups WHERE cursor IS NULL AND last_error IS NOT NULL"),
        1
    );
    let pulled = desk.pull().await;
    assert_eq!(
        (pulled.new, pulled.known, pulled.disordered),
        (151, 100, false)
    );
    app.drain();
    assert_eq!(app.people().len(), 249);
}

/// What the Events API may answer to a cursor that it does not know (any more).
const LOST: [(u16, &str); 6] = [
    (
        400,
        r#"{"message":"Invalid cursor","code":"invalid_cursor"}"#,
    ),
    (400, r#"{"error":"Bad Request","message":"Bad Request"}"#),
    (404, r#"{"message":"Event not found"}"#),
    (410, r#""Gone""#),
    (
        422,
        r#"{"message":"Validation failed","code":"invalid_request_parameters","errors":[{"code":"invalid","field":"after"}]}"#,
    ),
    (
        422,
        r#"{"error":"expired_cursor","error_description":"It is too old."}"#,
    ),
];

async fn r19_a_cursor_refused_in_any_documented_way_begins_again_from_a_time(backend: Backend) {
    let desk = Desk::start(backend).await;
    let Desk { app, fake, .. } = &desk;
    app.advance(Duration::from_secs(86_400));
    for (number, (status, body)) in LOST.into_iter().enumerate() {
        let who = employee(&format!("p{number}"));
        fake.happened(&who.created(minute(number as u64)));
        fake.environment().variant.lost_cursor = Some((status, body));
        let page = r#"{"object":"list","data":[],"list_metadata":{"after":"event_nowhere"}}"#;
        fake.fault("/events", Fault::Answer(200, page, None));
        let pulled = desk.pull().await;
        assert!(
            pulled.restarted && pulled.new == 1,
            "{status} {body}: {pulled:?}"
        );
    }
    // A refusal of something else is no reason to read everything again.
    fake.environment().variant.lost_cursor = Some((
        400,
        r#"{"code":"invalid_events_request","message":"Invalid name parameter"}"#,
    ));
    let page = r#"{"object":"list","data":[],"list_metadata":{"after":"event_nowhere"}}"#;
    fake.fault("/events", Fault::Answer(200, page, None));
    let refused = desk.catch_up.pull().await.unwrap_err().to_string();
    assert!(refused.contains("invalid_events_request"), "{refused}");
    app.drain();
    assert_eq!(app.people().len(), LOST.len());
}

async fn r19_reading_begins_inside_of_the_window_and_nearer_where_it_is_refused(backend: Backend) {
    let days = |days: u64| Duration::from_secs(days * 86_400);
    let desk = Desk::start(backend).await;
    let Desk { app, fake, .. } = &desk;
    app.advance(days(40));
    let now = app.clock.now();
    fake.happened(&employee("old").created(now.minus(days(29))));
    fake.happened(&employee("new").created(now.minus(days(2))));
    fake.environment().variant.window = Some((now, days(30)));
    let pulled = desk.pull().await;
    assert_eq!(
        (pulled.new, pulled.restarted),
        (2, false),
        "not at the very edge"
    );
    let first = &fake.requests()[0];
    assert!(first.contains("order=asc"), "{first}");
    let began = now
        .minus(days(30))
        .plus(Duration::from_secs(3_600))
        .to_string();
    assert!(
        began.ends_with('Z') && first.contains(&began.replace(':', "%3A")),
        "{first}"
    );
    // Where less is kept than is documented, what is kept is read.
    fake.environment().variant.window = Some((now, days(5)));
    app.sql("UPDATE catch_ups SET cursor = NULL, cursor_at = NULL");
    app.sql("DELETE FROM outbox");
    let pulled = desk.pull().await;
    assert_eq!((pulled.new, pulled.restarted), (1, true));
    app.drain();
}

async fn the_order_that_is_asked_for_is_obeyed_by_the_official_emulator(backend: Backend) {
    let desk = Desk::start(backend).await;
    desk.fake.environment().variant.obeys_order = true;
    hours_of_events(&desk.fake);
    desk.app.advance(Duration::from_secs(86_400));
    let pulled = desk.pull().await;
    assert_eq!((pulled.new, pulled.disordered), (251, false));
    desk.app.drain();
}

async fn r93_catching_up_that_fails_again_and_again_is_told_everywhere(backend: Backend) {
    let desk = Desk::start(backend).await;
    let Desk { app, fake, .. } = &desk;
    app.apply(&ada().created(minute(0))).await;
    let fail = async || {
        fake.fault(
            "/events",
            Fault::Answer(401, r#"{"message":"Unauthorized"}"#, None),
        );
        desk.catch_up.pull().await.unwrap_err();
    };
    let told = async || {
        let rows = app.get("/v1/failures").await["data"].clone();
        rows.as_array()
            .unwrap()
            .iter()
            .find(|row| row["kind"] == "catch_up")
            .cloned()
    };
    fail().await;
    app.advance(Duration::from_secs(150));
    fail().await;
    assert_eq!(told().await, None, "twice is not again and again");
    fail().await;
    let row = told().await.unwrap();
    assert_eq!(
        (&row["about"], &row["count"]),
        (&"workos".into(), &3.into()),
        "{row}"
    );
    assert!(
        row["cause"].as_str().unwrap().contains("WORKOS_API_KEY"),
        "{row}"
    );
    assert!(app.http.metric("rollcall_catch_up_failures").await >= 3.0);
    let (now, email) = (app.clock.now(), ada().email());
    let found = app.read(|conn| {
        let actor = rollcall::operations::Actor::cli();
        let setup = rollcall::operations::doctor::Setup::default();
        let checks = rollcall::operations::doctor::of_database(conn, &setup, now).unwrap();
        let why = rollcall::operations::why::why(conn, &actor, &email, None, now).unwrap();
        let overview = rollcall::operations::overview::overview(conn, &actor, now).unwrap();
        assert!(overview.catch_up_fails);
        assert!(
            why.waiting
                .iter()
                .any(|line| line.contains("has failed since")),
            "{why:?}"
        );
        Ok(checks)
    });
    let check = found
        .iter()
        .find(|check| check.name == "catching up")
        .unwrap();
    assert!(check.finding.contains("3 times"), "{check:?}");
    assert_eq!(check.result, rollcall::operations::doctor::Verdict::Warn);
    // Only who sees all organizations is told: the reading is of all of them.
    let limited = app.token("limited", "viewer", Some(ORGANIZATION));
    let answer = app
        .http
        .api_as(Some(&limited), "GET", "/v1/failures", None)
        .await;
    assert_eq!(answer.ok()["data"], serde_json::json!([]));
    desk.pull().await;
    assert_eq!(told().await, None, "it works again");
    app.drain();
}

async fn a_bare_rate_limit_and_a_passing_failure_are_waited_out(backend: Backend) {
    let desk = Desk::start(backend).await;
    let Desk { app, fake, .. } = &desk;
    fake.happened(&ada().created(minute(0)));
    fake.fault("/events", Fault::Answer(429, "\"Ratelimited\"", Some(1)));
    fake.fault("/events", Fault::Answer(503, "", None));
    let began = std::time::Instant::now();
    assert_eq!(desk.pull().await.new, 1);
    assert!(
        began.elapsed() >= Duration::from_secs(1),
        "Retry-After was not kept"
    );
    fake.fault(
        "/events",
        Fault::Answer(401, r#"{"message":"Unauthorized"}"#, None),
    );
    let refused = desk.catch_up.pull().await.unwrap_err().to_string();
    assert!(
        refused.contains("WORKOS_API_KEY") && !refused.contains(API_KEY),
        "{refused}"
    );
    app.drain();
}

async fn of_two_pullers_one_pulls(backend: Backend) {
    let desk = Desk::start(backend).await;
    desk.app.sql("INSERT INTO catch_ups (environment, drained, lease_token, lease_owner, lease_until) VALUES ('client_fake', FALSE, 7, 'somebody', 9000000000000000)");
    assert_eq!(desk.catch_up.pull().await.unwrap(), None);
    desk.app.sql("UPDATE catch_ups SET lease_until = 1");
    assert!(desk.catch_up.pull().await.unwrap().is_some());
    assert_eq!(
        desk.app
            .count("catch_ups WHERE lease_token = 8 AND lease_until IS NULL"),
        1
    );
}

async fn the_cause_of_a_gap_is_told_from_what_else_came(backend: Backend) {
    let desk = Desk::start(backend).await;
    let Desk { app, fake, .. } = &desk;
    for at in 0..3 {
        app.apply(&employee(&format!("p{at}")).created(minute(at)))
            .await;
    }
    fake.happened(&group("dsync.group.created", "crew", minute(1)));
    app.advance(Duration::from_secs(3_600));
    desk.pull().await;
    app.drain();
    let report = app.get("/v1/gaps").await;
    let cause = report["stretches"][0]["likely_cause"].as_str().unwrap();
    assert!(
        cause.contains("does not subscribe") && cause.contains("dsync.group.created"),
        "{cause}"
    );
}

/// What get-convex/workos-authkit met (issue 73): the webhook of a removal is lost, and the Events API
/// shows it after a newer event. Who goes on behind the newest event alone never hears of it.
async fn r19_without_an_overlap_the_lost_removal_stays_lost(backend: Backend) {
    let Desk { app, fake, .. } = &Desk::start(backend).await;
    let mut config = Config::defaults().unwrap();
    config.workos.api_key = Some(API_KEY.into());
    config.workos.api_url = fake.url();
    let (intake, _) = Intake::start(app.db.clone(), Arc::new(Notify::new()), 1_024).unwrap();
    let with_overlap = |seconds| {
        CatchUp::new(
            app.db.clone(),
            app.clock.clone(),
            workos_client(&config).unwrap().unwrap(),
            intake.clone(),
            CatchUpSettings {
                overlap: Duration::from_secs(seconds),
            },
        )
    };
    let (hired, gone, other) = (
        ada().created(minute(0)),
        ada().deleted(minute(10)),
        employee("bob").created(minute(11)),
    );
    app.apply(&hired).await;
    fake.happened(&hired);
    fake.happened_hidden(&gone);
    fake.happened(&other);
    app.advance(Duration::from_secs(720));
    with_overlap(0).pull().await.unwrap();
    fake.reveal();
    for _ in 0..3 {
        assert_eq!(with_overlap(0).pull().await.unwrap().unwrap().new, 0);
    }
    app.drain();
    assert_eq!(app.people().len(), 2, "the one who left is still there");
    assert_eq!(with_overlap(600).pull().await.unwrap().unwrap().new, 1);
    app.drain();
    assert_eq!(app.people(), ["bob@test.example"]);
}

async fn r19_a_reading_that_broke_off_in_the_overlap_begins_the_overlap_again(backend: Backend) {
    let desk = Desk::start(backend).await;
    let Desk { app, fake, .. } = &desk;
    for number in 0..150 {
        let one = employee(&format!("p{number}")).created(minute(60));
        fake.happened(&one);
    }
    fake.happened(&employee("last").created(minute(61)));
    app.advance(Duration::from_secs(3_700));
    assert_eq!(desk.pull().await.new, 151);
    app.drain();
    // Something is shown late, on the second page of the overlap, and the reading ends after the first.
    fake.happened(&employee("late").created(minute(60).plus(Duration::from_secs(30))));
    let first = fake.requests().len();
    let broken = Fault::Answer(401, r#"{"message":"Unauthorized"}"#, None);
    let page = {
        let answers = fake.environment();
        serde_json::json!({
            "object": "list", "data": answers.events[..100],
            "list_metadata": {"after": answers.events[99]["id"]},
        })
    };
    fake.fault("/events", Fault::Answer(200, page.to_string().leak(), None));
    fake.fault("/events", broken);
    desk.catch_up.pull().await.unwrap_err();
    assert_eq!(fake.requests().len(), first + 2);
    assert_eq!(desk.pull().await.new, 1);
    app.drain();
    assert_eq!(app.people().len(), 152);
}

async fn a_webhook_pokes_and_what_was_lost_beside_it_is_there_in_seconds(backend: Backend) {
    let fake = FakeWorkOs::start();
    let url = fake.url();
    let app = TestApp::start_with(backend, |setup| {
        setup.config.workos.api_key = Some(API_KEY.into());
        setup.config.workos.api_url = url;
        setup.config.workos.catch_up = rollcall::config::CatchUpMode::Poked;
        setup.config.workos.catch_up_interval = Duration::from_secs(86_400);
    })
    .await;
    let read = |count: usize| {
        let fake = &fake;
        eventually("the Events API is read", async move || {
            (fake.requests().len() >= count).then_some(())
        })
    };
    // At the start, by the interval; then only by a webhook.
    read(1).await;
    fake.happened(&employee("lost").created(minute(1)));
    let heard = ada().created(minute(2));
    fake.happened(&heard);
    assert_eq!(app.deliver(&heard).await.body["status"], "accepted");
    read(2).await;
    eventually("what was lost is in the outbox", async || {
        (app.count("outbox") == 2).then_some(())
    })
    .await;
    app.drain();
    assert_eq!(app.people(), ["ada@test.example", "lost@test.example"]);
}

async fn a_report_counts_what_it_does_not_list(backend: Backend) {
    let desk = Desk::start(backend).await;
    let Desk { app, fake, .. } = &desk;
    for number in 0..70 {
        fake.happened(&employee(&format!("p{number}")).created(minute(number)));
    }
    app.advance(Duration::from_secs(7_200));
    desk.pull().await;
    app.drain();
    let limited = app.token("limited", "viewer", Some(ORGANIZATION));
    for token in [TOKEN, &limited] {
        let answer = app
            .http
            .api_as(Some(token), "GET", "/v1/gaps?limit=5", None)
            .await;
        let report = answer.ok();
        assert_eq!((&report["lost"], &report["late"]), (&70.into(), &0.into()));
        assert_eq!(report["events"].as_array().unwrap().len(), 5);
        assert_eq!(report["stretches"][0]["events"], 70);
    }
    let other = app.token("other", "viewer", Some("org_other"));
    let answer = app.http.api_as(Some(&other), "GET", "/v1/gaps", None).await;
    assert_eq!(answer.ok()["lost"], 0);
}
