//! Refused from the 200 on (R91): the moment a removal is acknowledged, access is refused, whatever the worker
//! does or does not do with it; and only a newer word that was applied makes it void. What waits for an
//! operator, and an organization that was deleted, refuse by the same decision (R40, R84).

use std::time::Duration;

use rollcall::db::Backend;
use rollcall::domain::Role;
use serde_json::{Value, json};

use crate::holds::{burst, company, decide, only_hold, seat, seats, somebody};
use crate::support::app::TestApp;
use crate::support::events::{Employee, Event, ORGANIZATION, ada, directory, employee, minute};
use crate::support::http_sink::HttpSink;
use crate::support::macros::on_both;

on_both!(
    r91_access_is_refused_from_the_200_on_with_no_worker_running,
    r91_it_is_refused_behind_a_thousand_waiting_events_and_while_it_is_tried_again,
    r91_a_removal_that_is_given_up_stays_refused_until_it_is_discarded,
    r91_a_removal_that_settles_or_is_held_refuses,
    r91_an_older_late_termination_refuses_nobody_whom_a_newer_applied_word_lets_in,
    r91_an_acknowledged_return_lets_in_only_when_it_is_applied,
    r35_r91_one_of_two_links_keeps_access_and_both_terminated_refuse,
    r18_r91_a_replay_of_an_old_removal_refuses_nobody,
    r41_r91_a_removal_that_was_taken_back_refuses_nobody_however_often_it_is_replayed,
    r30_r91_a_log_in_and_the_profile_say_the_same,
    r40_host_applications_are_told_of_suspended_access_and_of_its_return,
    r40_a_newer_word_gives_access_back_while_the_hold_is_open_and_is_told_once,
    r40_an_approval_removes_and_tells_nobody_that_access_is_back,
    r40_with_keep_those_who_wait_may_come_in_until_somebody_decides,
    r40_what_nobody_decided_yet_is_told_to_machines_only,
    r84_a_deleted_organization_suspends_its_people_and_an_operator_keeps_them,
    r84_an_operator_removes_the_people_of_a_deleted_organization_in_steps_and_takes_it_back,
    r84_messaging_of_a_deleted_organization_stays_off_until_an_operator_keeps_its_people,
    r84_the_deletion_is_heard_once_and_who_comes_late_waits_like_everybody,
);

const RECEIVED: &str = "termination received";

async fn asked(app: &TestApp, query: &str) -> (bool, String) {
    let answer = app.get(&format!("/v1/access?{query}")).await;
    let reason = answer["reason"].as_str().unwrap().to_owned();
    (answer["allowed"].as_bool().unwrap(), reason)
}

async fn access(app: &TestApp, of: &Employee) -> (bool, String) {
    let query = format!("organization_id={}&email={}", of.organization, of.email());
    asked(app, &query).await
}

async fn is_refused(app: &TestApp, of: &Employee) -> String {
    let (allowed, reason) = access(app, of).await;
    assert!(!allowed && reason.contains(RECEIVED), "{allowed}, {reason}");
    reason
}

async fn is_allowed(app: &TestApp, of: &Employee) {
    assert_eq!(access(app, of).await, (true, "active".to_owned()));
}

/// The three shapes of a removal.
fn removals(of: &Employee, at: u64) -> [Event; 3] {
    [
        of.deleted(minute(at)),
        of.deleted_bare(minute(at)),
        of.deactivated(minute(at)),
    ]
}

async fn r91_access_is_refused_from_the_200_on_with_no_worker_running(app: TestApp) {
    for (number, name) in ["one", "two", "three"].into_iter().enumerate() {
        let person = employee(name);
        app.apply(&person.created(minute(1))).await;
        is_allowed(&app, &person).await;
        let removal = &removals(&person, 2)[number];
        assert_eq!(app.deliver(removal).await.status, 200);
        assert_eq!(is_refused(&app, &person).await, RECEIVED);
        let by_profile = format!("profile_id={}", app.profile(&person).id);
        assert_eq!(asked(&app, &by_profile).await, (false, RECEIVED.to_owned()));
        assert_eq!(app.event(&removal.id()).await["state"], "ready");
    }
    app.drain();
    assert_eq!(
        access(&app, &employee("one")).await,
        (false, "removed".into())
    );
}

async fn r91_it_is_refused_behind_a_thousand_waiting_events_and_while_it_is_tried_again(
    app: TestApp,
) {
    app.apply(&ada().created(minute(1))).await;
    app.apply(&employee("bob").created(minute(1))).await;
    let waiting: Vec<Event> = (0..1_000)
        .map(|n| employee(&format!("p{n}")).created(minute(2)))
        .collect();
    app.enqueue(&waiting);
    let removal = ada().deleted(minute(3));
    assert_eq!(app.deliver(&removal).await.status, 200);
    is_refused(&app, &ada()).await;
    // It failed once and waits for another try.
    app.sql(&format!(
        "UPDATE outbox SET attempts = 1, error = 'x', outcome = 'failed', available_at = {} WHERE event_id = '{}'",
        minute(600).micros(),
        removal.id()
    ));
    app.drain();
    is_refused(&app, &ada()).await;
    is_allowed(&app, &employee("bob")).await;
    app.leave_work();
}

async fn r91_a_removal_that_is_given_up_stays_refused_until_it_is_discarded(app: TestApp) {
    app.apply(&ada().created(minute(1))).await;
    let unusable = ada().deleted_bare(minute(2)).without("data.directory_id");
    let failed = app.apply(&unusable).await;
    assert_eq!(failed["state"], "failed", "{failed}");
    let reason = is_refused(&app, &ada()).await;
    assert!(reason.contains("could not be applied"), "{reason}");
    let why = app.get("/v1/failures").await;
    assert_eq!(why["data"][0]["state"], "failed", "{why}");
    let told = why["data"][0]["what_to_do"].as_str().unwrap();
    assert!(told.contains("access"), "{told}");
    let metrics = app.http.call("GET", "/metrics").await.text;
    assert!(metrics.contains("rollcall_removals_given_up_total"));
    let path = format!("/v1/events/{}/discard", unusable.id());
    let body = json!({"reason": "sent by mistake"});
    app.call("POST", &path, body).await.ok();
    is_allowed(&app, &ada()).await;
}

async fn r91_a_removal_that_settles_or_is_held_refuses(app: TestApp) {
    company(&app).await;
    let path = format!("/v1/organizations/{ORGANIZATION}");
    let body = json!({"settings": {"removal_guard": {"settle_seconds": 300}}});
    app.call("PATCH", &path, body).await.ok();
    assert_eq!(
        app.deliver(&somebody(7).deleted(minute(5))).await.status,
        200
    );
    app.drain();
    assert_eq!(app.profile(&somebody(7)).status, "active");
    is_refused(&app, &somebody(7)).await;
    app.advance(Duration::from_secs(301));
    let body =
        json!({"settings": {"removal_guard": {"settle_seconds": 0, "floor": 0, "percent": 0}}});
    app.call("PATCH", &path, body).await.ok();
    app.drain();
    let hold = only_hold(&app).await;
    let reason = is_refused(&app, &somebody(7)).await;
    assert!(reason.contains(&hold), "{reason}");
    decide(&app, &hold, "reject").await;
    is_allowed(&app, &somebody(7)).await;
}

async fn r91_an_older_late_termination_refuses_nobody_whom_a_newer_applied_word_lets_in(
    app: TestApp,
) {
    app.apply(&ada().created(minute(1))).await;
    app.apply(&ada().updated(minute(5))).await;
    for late in removals(&ada(), 4) {
        assert_eq!(app.deliver(&late).await.status, 200);
        is_allowed(&app, &ada()).await;
    }
    app.drain();
    is_allowed(&app, &ada()).await;
    // An update that says nothing of her life is no word about it.
    app.apply(&ada().updated(minute(9)).without("data.state"))
        .await;
    app.deliver(&ada().deactivated(minute(8))).await;
    is_refused(&app, &ada()).await;
    app.drain();
    assert_eq!(app.profile(&ada()).status, "removed");
}

async fn r91_an_acknowledged_return_lets_in_only_when_it_is_applied(app: TestApp) {
    app.apply(&ada().created(minute(1))).await;
    app.deliver(&ada().deactivated(minute(2))).await;
    app.deliver(&ada().updated(minute(3))).await;
    is_refused(&app, &ada()).await;
    app.drain();
    is_allowed(&app, &ada()).await;
    // Of a removal and a return in one instant the removal stands (R66).
    app.apply(&ada().updated(minute(10))).await;
    app.deliver(&ada().deactivated(minute(10))).await;
    is_refused(&app, &ada()).await;
    app.drain();
}

const ELSEWHERE: &str = "directory_02ELSEWHERE";

async fn r35_r91_one_of_two_links_keeps_access_and_both_terminated_refuse(app: TestApp) {
    app.apply(&directory("dsync.activated", minute(0))).await;
    let number = "data.custom_attributes.employee_number";
    let second = |event: Event| {
        event
            .set("data.id", "directory_user_ada_elsewhere")
            .set("data.idp_id", "idp_ada_elsewhere")
            .set("data.directory_id", ELSEWHERE)
    };
    app.apply(&ada().created(minute(1)).set(number, "7")).await;
    app.apply(&second(ada().created(minute(2)).set(number, "7")))
        .await;
    assert_eq!(app.count("links WHERE state = 'active'"), 2);
    assert_eq!(app.people().len(), 1);
    app.deliver(&ada().deleted(minute(3))).await;
    is_allowed(&app, &ada()).await;
    app.deliver(&second(ada().deactivated(minute(4)))).await;
    is_refused(&app, &ada()).await;
    app.drain();
    assert_eq!(access(&app, &ada()).await, (false, "removed".into()));
}

async fn r18_r91_a_replay_of_an_old_removal_refuses_nobody(app: TestApp) {
    app.apply(&ada().created(minute(1))).await;
    let removal = ada().deactivated(minute(2));
    app.apply(&removal).await;
    app.apply(&ada().updated(minute(3))).await;
    is_allowed(&app, &ada()).await;
    app.replay(&removal.id()).await;
    is_allowed(&app, &ada()).await;
    app.drain();
    is_allowed(&app, &ada()).await;
}

async fn r41_r91_a_removal_that_was_taken_back_refuses_nobody_however_often_it_is_replayed(
    app: TestApp,
) {
    company(&app).await;
    let events = burst(&app);
    let hold = only_hold(&app).await;
    decide(&app, &hold, "reject").await;
    for place in [0, 25] {
        is_allowed(&app, &somebody(place)).await;
        app.replay(&events[place].id()).await;
        is_allowed(&app, &somebody(place)).await;
    }
    app.drain();
    is_allowed(&app, &somebody(0)).await;
    is_allowed(&app, &somebody(25)).await;
    // Taken back after an approval, too, before and after the worker had come to it.
    let more: Vec<Event> = (30..35).map(|n| somebody(n).deleted(minute(70))).collect();
    let narrow = json!({"settings": {"removal_guard": {"floor": 0, "percent": 0}}});
    let path = format!("/v1/organizations/{ORGANIZATION}");
    app.call("PATCH", &path, narrow).await.ok();
    app.enqueue(&more);
    app.drain();
    let page = app.get("/v1/holds?state=open").await;
    let hold = page["data"][0]["id"].as_str().unwrap().to_owned();
    decide(&app, &hold, "approve").await;
    is_refused(&app, &somebody(30)).await;
    decide(&app, &hold, "undo").await;
    is_allowed(&app, &somebody(30)).await;
}

async fn r30_r91_a_log_in_and_the_profile_say_the_same(app: TestApp) {
    app.apply(&directory("dsync.activated", minute(0))).await;
    app.apply(&ada().created(minute(1))).await;
    let body = json!({"profile": {"organization_id": ORGANIZATION, "idp_id": "idp_ada", "email": ada().email()}});
    let before = app.call("POST", "/v1/logins", body.clone()).await.ok();
    assert_eq!(before["allowed"], true);
    app.deliver(&ada().deleted(minute(2))).await;
    let events = app.count("outbox");
    let said = app.call("POST", "/v1/logins", body).await.ok();
    assert_eq!(
        (&said["allowed"], &said["reason"]),
        (&json!(false), &json!(RECEIVED))
    );
    assert_eq!(app.count("outbox"), events, "a refused log-in says nothing");
    let id = app.profile(&ada()).id;
    let shown = app.get(&format!("/v1/profiles/{id}")).await;
    assert_eq!(
        (&shown["access"], &shown["access_reason"]),
        (&json!(false), &json!(RECEIVED))
    );
    let listed = app.get("/v1/profiles").await;
    assert_eq!(listed["data"][0]["access"], false);
    app.drain();
}

/// A company that is told everything about access at a server of the test's.
struct Told {
    app: TestApp,
    web: HttpSink,
}

impl crate::support::macros::Given for Told {
    async fn given(backend: Backend) -> Self {
        let app = TestApp::start_with(backend, |setup| {
            setup.config.triggers.webhook_secret =
                Some("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD8vZw2kRBnJo=".into());
        })
        .await;
        let web = HttpSink::start();
        app.apply(&directory("dsync.activated", minute(0))).await;
        for on in ["profile.suspended", "profile.resumed", "profile.removed"] {
            let trigger = json!({
                "organization_id": ORGANIZATION, "name": on, "on": on, "status": "published",
                "steps": [{"channel": "webhook", "to": web.url("/hook")}],
            });
            app.call("POST", "/v1/triggers", trigger).await.ok();
        }
        let all: Vec<Event> = (0..40).map(|n| somebody(n).created(minute(1))).collect();
        app.enqueue(&all);
        app.drain();
        Self { app, web }
    }
}

impl Told {
    /// How often a kind of webhook was told, messaging being off.
    async fn count(&self, on: &str) -> usize {
        self.app.send_due().await;
        let told = self.web.requests();
        let told = told.iter().map(|request| request.json());
        told.filter(|body| body["type"] == on).count()
    }

    async fn counts(&self) -> [usize; 3] {
        [
            self.count("profile.suspended").await,
            self.count("profile.resumed").await,
            self.count("profile.removed").await,
        ]
    }
}

async fn r40_host_applications_are_told_of_suspended_access_and_of_its_return(told: Told) {
    let app = &told.app;
    let chess = app.community("chess", &[(&app.profile(&somebody(25)).id, Role::Admin)]);
    burst(app);
    assert_eq!(told.counts().await, [10, 0, 20]);
    let hold = only_hold(app).await;
    let reason = is_refused(app, &somebody(25)).await;
    assert!(reason.contains(&hold), "{reason}");
    assert_eq!(seats(app, &chess), [seat("p25", "admin")]);
    assert_eq!(app.people().len(), 20, "their place in People waits");
    // The deletion that follows a deactivation is one person's.
    app.apply(&somebody(25).deleted(minute(58))).await;
    assert_eq!(told.counts().await, [10, 0, 20]);
    decide(app, &hold, "reject").await;
    assert_eq!(told.counts().await, [10, 10, 20]);
    is_allowed(app, &somebody(25)).await;
    assert_eq!(app.count("suspensions"), 0);
}

async fn r40_a_newer_word_gives_access_back_while_the_hold_is_open_and_is_told_once(told: Told) {
    let app = &told.app;
    burst(app);
    app.apply(&somebody(25).updated(minute(58))).await;
    is_allowed(app, &somebody(25)).await;
    assert_eq!(told.counts().await, [10, 1, 20]);
    let hold = only_hold(app).await;
    decide(app, &hold, "reject").await;
    assert_eq!(told.counts().await, [10, 10, 20]);
}

async fn r40_an_approval_removes_and_tells_nobody_that_access_is_back(told: Told) {
    let app = &told.app;
    burst(app);
    let hold = only_hold(app).await;
    decide(app, &hold, "approve").await;
    is_refused(app, &somebody(25)).await;
    app.drain();
    assert_eq!(
        access(app, &somebody(25)).await,
        (false, "removed".to_owned())
    );
    assert_eq!(told.counts().await, [10, 0, 30]);
    assert_eq!(app.count("suspensions"), 0);
}

async fn r40_with_keep_those_who_wait_may_come_in_until_somebody_decides(told: Told) {
    let app = &told.app;
    let path = format!("/v1/organizations/{ORGANIZATION}");
    let set = async |access: &str| {
        let body = json!({"settings": {"removal_guard": {"access": access}}});
        app.call("PATCH", &path, body).await
    };
    assert_eq!(set("perhaps").await.status, 422);
    let kept = set("keep").await.ok();
    assert_eq!(kept["settings"]["removal_guard"]["access"], "keep");
    burst(app);
    is_allowed(app, &somebody(25)).await;
    app.advance(Duration::from_secs(5 * 3_600));
    is_allowed(app, &somebody(25)).await;
    assert_eq!(told.counts().await, [0, 0, 20]);
    set("suspend").await.ok();
    is_refused(app, &somebody(25)).await;
    assert_eq!(told.counts().await, [10, 0, 20]);
    set("keep").await.ok();
    is_allowed(app, &somebody(25)).await;
    assert_eq!(told.counts().await, [10, 10, 20]);
}

async fn r40_what_nobody_decided_yet_is_told_to_machines_only(app: TestApp) {
    let trigger = json!({
        "organization_id": ORGANIZATION, "name": "sorry", "on": "profile.suspended", "status": "published",
        "steps": [{"channel": "email", "to": "person", "subject": "x", "text": "y"}],
    });
    let answer = app.call("POST", "/v1/triggers", trigger).await;
    assert_eq!(answer.status, 422, "{answer:?}");
    assert!(answer.text.contains("machines only"), "{answer:?}");
}

fn organization_deleted(at: u64) -> Event {
    let data = json!({"object": "organization", "id": ORGANIZATION, "name": "Test", "domains": []});
    Event::new("organization.deleted", minute(at), data)
}

/// Lets jobs go on to their end.
fn finish_jobs(app: &TestApp) {
    while tokio::task::block_in_place(|| app.worker.step_job()).unwrap() {}
}

async fn r84_a_deleted_organization_suspends_its_people_and_an_operator_keeps_them(told: Told) {
    let app = &told.app;
    let enable = format!("/v1/organizations/{ORGANIZATION}/messaging/enable");
    app.call("POST", &enable, Value::Null).await.ok();
    let heard = app.apply(&organization_deleted(5)).await;
    assert_eq!(heard["outcome"], "applied", "{heard}");
    assert_eq!(heard["organization_id"], ORGANIZATION);
    let (allowed, reason) = access(app, &somebody(1)).await;
    assert!(!allowed && reason.starts_with("suspended"), "{reason}");
    assert_eq!(app.people().len(), 40, "nobody is removed by that alone");
    let shown = app.get(&format!("/v1/organizations/{ORGANIZATION}")).await;
    assert_eq!(shown["messaging_enabled"], false);
    assert!(shown["deleted_at"].is_string(), "{shown}");
    let hold = only_hold(app).await;
    let shown = app.get(&format!("/v1/holds/{hold}")).await;
    assert_eq!(shown["kind"], "organization_deleted");
    assert_eq!(shown["waiting"], 40);
    finish_jobs(app);
    assert_eq!(told.counts().await, [40, 0, 0]);
    // Somebody who is let go meanwhile is told of as what they are.
    app.deliver(&somebody(2).deleted(minute(6))).await;
    is_refused(app, &somebody(2)).await;
    app.drain();
    decide(app, &hold, "reject").await;
    is_allowed(app, &somebody(1)).await;
    assert_eq!(access(app, &somebody(2)).await.1, "removed");
    finish_jobs(app);
    assert_eq!(told.counts().await, [40, 39, 1]);
    // A late copy under another id opens no second hold.
    let again = app.apply(&organization_deleted(4)).await;
    assert_eq!(again["outcome"], "unchanged", "{again}");
    is_allowed(app, &somebody(1)).await;
    only_hold(app).await;
}

async fn r84_an_operator_removes_the_people_of_a_deleted_organization_in_steps_and_takes_it_back(
    told: Told,
) {
    let app = &told.app;
    let chess = app.community("chess", &[(&app.profile(&somebody(3)).id, Role::Admin)]);
    app.apply(&organization_deleted(5)).await;
    let hold = only_hold(app).await;
    app.advance(Duration::from_secs(600));
    decide(app, &hold, "approve").await;
    assert!(!access(app, &somebody(3)).await.0, "before the first step");
    finish_jobs(app);
    assert_eq!(app.people(), [""; 0]);
    assert_eq!(seats(app, &chess), []);
    assert_eq!(access(app, &somebody(3)).await, (false, "removed".into()));
    assert_eq!(app.count("suspensions"), 0);
    decide(app, &hold, "undo").await;
    finish_jobs(app);
    assert_eq!(app.people().len(), 40);
    assert_eq!(seats(app, &chess), [seat("p03", "admin")]);
    is_allowed(app, &somebody(3)).await;
}

async fn r84_messaging_of_a_deleted_organization_stays_off_until_an_operator_keeps_its_people(
    told: Told,
) {
    let app = &told.app;
    let path = format!("/v1/organizations/{ORGANIZATION}/messaging/enable");
    let enable = async || app.call("POST", &path, Value::Null).await;
    app.apply(&organization_deleted(5)).await;
    let answer = enable().await;
    assert_eq!(answer.status, 409, "{answer:?}");
    assert!(answer.text.contains("holds list"), "{answer:?}");
    let hold = only_hold(app).await;
    decide(app, &hold, "approve").await;
    finish_jobs(app);
    let answer = enable().await;
    assert_eq!(answer.status, 409, "{answer:?}");
    assert!(answer.text.contains("were removed"), "{answer:?}");
    decide(app, &hold, "undo").await;
    finish_jobs(app);
    assert_eq!(enable().await.ok()["messaging_enabled"], true);
}

async fn r84_the_deletion_is_heard_once_and_who_comes_late_waits_like_everybody(app: TestApp) {
    let deleted = organization_deleted(5);
    app.apply(&deleted).await;
    assert_eq!(app.get("/v1/holds").await["data"], json!([]));
    // Older events that come late: whoever they bring waits, too.
    app.apply(&ada().created(minute(1))).await;
    let (allowed, reason) = access(&app, &ada()).await;
    assert!(!allowed && reason.starts_with("suspended"), "{reason}");
    let hold = only_hold(&app).await;
    app.apply(&employee("bob").created(minute(2))).await;
    let shown = app.get(&format!("/v1/holds/{hold}")).await;
    assert_eq!(shown["waiting"], 2);
    let body = json!({"profile": {"organization_id": ORGANIZATION, "idp_id": "idp_eve", "email": "eve@test.example"}});
    let said = app.call("POST", "/v1/logins", body).await.ok();
    assert_eq!(said["allowed"], false);
    app.replay(&deleted.id()).await;
    app.drain();
    assert_eq!(app.event(&deleted.id()).await["outcome"], "unchanged");
    decide(&app, &hold, "reject").await;
    is_allowed(&app, &ada()).await;
    app.apply(&employee("cy").created(minute(3))).await;
    is_allowed(&app, &employee("cy")).await;
    finish_jobs(&app);
}
