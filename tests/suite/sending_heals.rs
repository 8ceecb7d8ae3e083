//! Sending heals by itself: what became of a call is kept until the database takes it, a delivery that could
//! not be tried is handed back at once, a webhook whose answer was lost is sent again under its id, who left goes first,
//! and nobody's silent address holds up another organization's message.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rollcall::db::{Backend, DbError};
use rollcall::operations::{Actor, doctor, overview, why};
use rollcall::store::{organizations, processes};
use rollcall::triggers::deliveries::{DeliveryFilter, DeliveryRow, list};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::support::events::{Employee, ORGANIZATION, ada, employee, minute};
use crate::support::http_sink::HttpAct;
use crate::support::macros::on_both;
use crate::support::post::{LEASE, Post};
use crate::support::sending::Sending;
use crate::support::smtp::{SmtpAct, SmtpStep};
use crate::support::wait::eventually;

on_both!(
    r63_a_webhook_whose_answer_was_lost_is_sent_again_under_its_id_and_a_mail_is_not,
    r63_a_webhook_that_a_crash_cut_off_is_sent_again_under_its_id_and_a_mail_is_not,
    r73_a_delivery_that_could_not_be_tried_is_handed_back_at_once,
    r92_a_result_is_kept_while_the_disk_is_full_and_nothing_is_stuck_afterwards,
    r63_who_left_is_told_before_everything_else_to_the_same_destination,
    r63_who_left_does_not_wait_for_calls_that_are_in_the_air,
    r63_what_was_planned_for_the_same_person_before_comes_along_in_its_order,
    r94_silent_addresses_of_one_organization_hold_up_no_other,
    r94_a_backlog_at_a_shared_destination_holds_up_no_other_organization,
    r93_a_destination_that_accepts_nothing_is_shown_everywhere,
    r93_a_destination_that_works_again_gets_what_failed_at_once,
    r93_a_process_that_slept_through_a_sweep_announces_itself_again,
);

async fn r63_a_webhook_whose_answer_was_lost_is_sent_again_under_its_id_and_a_mail_is_not(
    post: Post,
) {
    post.web.next("/hook", HttpAct::Drop);
    post.mail.next(SmtpStep::Text, SmtpAct::Drop);
    post.enable_messaging();
    post.trigger(json!([Post::mail_step(), post.webhook_step()]));
    post.app.apply(&ada().created(minute(0))).await;
    assert_eq!(post.app.send_due().await, 2);
    post.app.advance(Duration::from_secs(2));
    assert_eq!(
        post.app.send_due().await,
        1,
        "the webhook, and not the mail"
    );
    let states: Vec<(String, String)> = post
        .all()
        .into_iter()
        .map(|row| (row.channel, row.state))
        .collect();
    let expected = [("email", "unknown"), ("webhook", "sent")];
    for (channel, state) in expected {
        assert!(
            states.contains(&(channel.to_owned(), state.to_owned())),
            "{states:?}"
        );
    }
    let requests = post.web.requests();
    assert_eq!((post.mail.mails().len(), requests.len()), (1, 2));
    assert_eq!(
        requests[0].header("webhook-id"),
        requests[1].header("webhook-id")
    );
}

async fn r63_a_webhook_that_a_crash_cut_off_is_sent_again_under_its_id_and_a_mail_is_not(
    post: Post,
) {
    post.enable_messaging();
    post.trigger(json!([Post::mail_step(), post.webhook_step()]));
    post.app.apply(&ada().created(minute(0))).await;
    for held in post.claim("a sender that dies") {
        assert!(post.begin(&held));
    }
    assert_eq!(post.app.send_due().await, 0, "their leases hold");
    post.app.advance(LEASE + Duration::from_secs(1));
    assert_eq!(post.app.send_due().await, 1, "the webhook");
    only_the_webhook_went(&post);
    assert_eq!((post.mail.mails().len(), post.web.requests().len()), (0, 1));
}

/// A mail whose outcome is unknown is not sent again; a webhook is (R63).
fn only_the_webhook_went(post: &Post) {
    for row in post.all() {
        let expected = if row.channel == "webhook" {
            "sent"
        } else {
            "unknown"
        };
        assert_eq!(row.state, expected, "{row:?}");
    }
}

async fn r73_a_delivery_that_could_not_be_tried_is_handed_back_at_once(post: Post) {
    post.one_due().await;
    post.app.place.refuse_state("attempting", None);
    assert_eq!(post.app.send_due().await, 1);
    let row = post.only();
    assert_eq!(row.state, "due", "no lease keeps it: {row:?}");
    assert!(
        row.reason
            .as_deref()
            .unwrap()
            .contains("could not be prepared"),
        "{row:?}"
    );
    post.app.place.refuse_no_more();
    post.app.advance(Duration::from_secs(2));
    assert_eq!(post.app.send_due().await, 1);
    assert_eq!(post.only().state, "sent");
    assert_eq!(post.web.requests().len(), 1);
}

async fn r92_a_result_is_kept_while_the_disk_is_full_and_nothing_is_stuck_afterwards(
    backend: Backend,
) {
    let stage = Sending::new(backend, &["profile.activated"]);
    stage
        .web
        .always("/hook", HttpAct::AnswerAfter(Duration::from_millis(400)));
    let (service, http) = stage.serve().await;
    let people: Vec<Employee> = (0..6)
        .map(|number| employee(&format!("p{number}")))
        .collect();
    stage.deliver(&http, &people).await;
    stage.web.wait_for(1).await;
    stage.place.fill_the_disk(&service);
    eventually("a result is kept", async || {
        service
            .words()
            .contains("is kept until the database takes it")
            .then_some(())
    })
    .await;
    let free = Instant::now();
    stage.place.free_the_disk(&service);
    stage.all_sent(people.len()).await;
    assert!(
        free.elapsed() < Duration::from_secs(10),
        "{:?}",
        free.elapsed()
    );
    stage.each_was_told_once(people.len());
}

/// So many welcomes that are due at the host application, and a person who was greeted before.
async fn backlog(post: &Post, count: u64) {
    post.enable_messaging();
    post.trigger(json!([post.webhook_step()]));
    post.trigger_on("profile.removed", json!([post.webhook_step()]));
    post.app.apply(&ada().created(minute(0))).await;
    post.app.send_due().await;
    let events: Vec<_> = (0..count)
        .map(|number| employee(&format!("p{number}")).created(minute(1)))
        .collect();
    post.app.enqueue(&events);
    post.app.drain();
}

fn kinds(post: &Post, path: &str) -> Vec<String> {
    let told = post.told(path);
    told.iter()
        .map(|body| body["type"].as_str().unwrap().to_owned())
        .collect()
}

async fn r63_who_left_is_told_before_everything_else_to_the_same_destination(post: Post) {
    backlog(&post, 60).await;
    post.app.advance(Duration::from_secs(60));
    post.app.apply(&ada().deleted(minute(2))).await;
    post.app.sender.run_once().await.unwrap();
    let kinds = kinds(&post, "/hook");
    assert!(
        kinds[1..].iter().any(|kind| kind == "profile.removed"),
        "in the first handful: {kinds:?}"
    );
    assert!(kinds.len() < 6, "{kinds:?}");
    assert!(post.app.count("deliveries WHERE state = 'due'") > 50);
}

async fn r63_who_left_does_not_wait_for_calls_that_are_in_the_air(post: Post) {
    backlog(&post, 10).await;
    let before = post.web.requests().len();
    post.web.next("/hook", HttpAct::Stall);
    post.web.next("/hook", HttpAct::Stall);
    let (stop, stopped) = watch::channel(false);
    let sending = tokio::spawn(post.app.sender.clone().run(stopped));
    eventually("two welcomes wait for their answers", async || {
        (post.web.requests().len() == before + 2).then_some(())
    })
    .await;
    let left = Instant::now();
    post.app.apply(&ada().deleted(minute(2))).await;
    eventually("who left is told", async || {
        let kinds = kinds(&post, "/hook");
        kinds.contains(&"profile.removed".to_owned()).then_some(())
    })
    .await;
    assert!(
        left.elapsed() < Duration::from_secs(3),
        "{:?}",
        left.elapsed()
    );
    let _ = stop.send(true);
    sending.abort();
}

async fn r63_what_was_planned_for_the_same_person_before_comes_along_in_its_order(post: Post) {
    backlog(&post, 30).await;
    post.trigger_on("membership.began", json!([post.webhook_step()]));
    post.trigger_on("membership.ended", json!([post.webhook_step()]));
    let hers = post.app.profile(&ada()).id;
    let chess = post.app.community("chess", &[]);
    post.app.advance(Duration::from_secs(60));
    let path = format!("/v1/communities/{chess}/members/{hers}");
    let body = json!({"role": "member"});
    post.app.call("PUT", &path, body).await.ok();
    post.app.advance(Duration::from_secs(1));
    post.app.call("DELETE", &path, Value::Null).await.ok();
    for _ in 0..2 {
        post.app.sender.run_once().await.unwrap();
    }
    let kinds = kinds(&post, "/hook");
    let place = |wanted: &str| kinds.iter().position(|kind| kind == wanted);
    let (began, ended) = (place("membership.began"), place("membership.ended"));
    assert!(began.is_some() && ended.is_some(), "both early: {kinds:?}");
    assert!(began < ended, "in their order: {kinds:?}");
    assert!(kinds.len() < 10, "before the welcomes: {kinds:?}");
}

const OTHER: &str = "org_other";

fn somebody_else(name: &str) -> Employee {
    Employee {
        name: name.to_owned(),
        organization: OTHER.to_owned(),
        directory: "directory_other".to_owned(),
    }
}

/// Another organization with messaging on whose host application is at `/other`.
fn arm_another(post: &Post, steps: Value) {
    let now = post.app.clock.now();
    let ids = [OTHER.to_owned()];
    post.app
        .write(|conn| organizations::ensure(conn, &ids, false, now));
    post.app
        .write(|conn| organizations::set_messaging(conn, OTHER, Some(now)));
    post.trigger_of(OTHER, "profile.activated", steps.clone());
    post.trigger_of(OTHER, "profile.removed", steps);
}

async fn r94_silent_addresses_of_one_organization_hold_up_no_other(post: Post) {
    post.enable_messaging();
    for number in 0..20 {
        let path = format!("/silent{number}");
        post.web.always(&path, HttpAct::Stall);
        let steps = json!([{"channel": "webhook", "to": post.web.url(&path)}]);
        post.trigger_on("profile.activated", steps);
    }
    arm_another(
        &post,
        json!([{"channel": "webhook", "to": post.web.url("/other")}]),
    );
    let theirs: Vec<_> = (0..4)
        .map(|number| employee(&format!("p{number}")).created(minute(0)))
        .collect();
    post.app.enqueue(&theirs);
    post.app.drain();
    let (stop, stopped) = watch::channel(false);
    let sending = tokio::spawn(post.app.sender.clone().run(stopped));
    eventually("a share of the places is taken", async || {
        (post.web.requests().len() >= 8).then_some(())
    })
    .await;
    let began = Instant::now();
    let bob = somebody_else("bob");
    post.app.apply(&bob.created(minute(1))).await;
    eventually("the other organization's welcome is there", async || {
        (post.told("/other").len() == 1).then_some(())
    })
    .await;
    post.app.apply(&bob.deleted(minute(2))).await;
    eventually("and its leaver's message", async || {
        (post.told("/other").len() == 2).then_some(())
    })
    .await;
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "{:?}",
        began.elapsed()
    );
    let held = "deliveries WHERE state IN ('claimed', 'attempting') AND organization_id = ";
    assert!(post.app.count(&format!("{held}'{ORGANIZATION}'")) <= 8);
    let _ = stop.send(true);
    sending.abort();
}

async fn r94_a_backlog_at_a_shared_destination_holds_up_no_other_organization(post: Post) {
    post.enable_messaging();
    post.trigger(json!([Post::mail_step()]));
    let theirs: Vec<_> = (0..20)
        .map(|number| employee(&format!("p{number}")).created(minute(0)))
        .collect();
    post.app.enqueue(&theirs);
    post.app.drain();
    arm_another(&post, json!([Post::mail_step()]));
    post.app.advance(Duration::from_secs(60));
    let bob = somebody_else("bob");
    post.app.apply(&bob.created(minute(1))).await;
    post.app.sender.run_once().await.unwrap();
    let mails = post.mail.mails();
    assert!(
        mails.iter().any(|mail| mail.to == [bob.email()]),
        "among the first {}",
        mails.len()
    );
    assert!(mails.len() <= 4);
}

async fn r93_a_destination_that_accepts_nothing_is_shown_everywhere(post: Post) {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook", nobody.local_addr().unwrap());
    drop(nobody);
    post.enable_messaging();
    post.trigger(json!([{"channel": "webhook", "to": url}]));
    post.app.apply(&ada().created(minute(0))).await;
    let told = async || {
        let rows = post.app.get("/v1/failures").await["data"].clone();
        let mut rows = rows.as_array().unwrap().clone();
        rows.retain(|row| row["about"] == "destination");
        rows.pop()
    };
    for _ in 0..3 {
        assert_eq!(told().await, None, "once is no news");
        assert_eq!(post.app.send_due().await, 1);
        post.app.advance(Duration::from_secs(61));
    }
    let row = told().await.unwrap();
    assert_eq!(
        (&row["count"], &row["state"]),
        (&json!(3), &json!("failing"))
    );
    assert_eq!(row["cause"], "connection refused", "{row}");
    let failing = "rollcall_destinations{state=\"failing\"}";
    assert_eq!(post.app.http.metric(failing).await, 1.0);
    let (now, email) = (post.app.clock.now(), ada().email());
    post.app.read(|conn| {
        let checks = doctor::of_database(conn, &doctor::Setup::default(), now).unwrap();
        let check = checks.iter().find(|check| check.name == "destinations");
        let check = check.unwrap();
        assert_eq!(check.result, doctor::Verdict::Warn);
        assert!(check.finding.contains("connection refused"), "{check:?}");
        let view = why::why(conn, &Actor::cli(), &email, None, now).unwrap();
        let line = view
            .waiting
            .iter()
            .find(|line| line.contains("not been told"));
        let line = line.unwrap();
        assert!(
            line.contains("connection refused") && line.contains("next try"),
            "{line}"
        );
        let seen = overview::overview(conn, &Actor::cli(), now).unwrap();
        assert_eq!(seen.failing.len(), 1);
        Ok(())
    });
    let shown = post.app.get("/v1/destinations").await["data"][0].clone();
    assert_eq!(shown["last_failure"], "connection refused", "{shown}");
    let mine = post.app.token("mine", "viewer", Some(ORGANIZATION));
    let theirs = post.app.token("theirs", "viewer", Some(OTHER));
    for (token, rows) in [(mine, 1), (theirs, 0)] {
        let answer = post
            .app
            .http
            .api_as(Some(&token), "GET", "/v1/failures", None);
        let answer = answer.await.ok();
        assert_eq!(answer["data"].as_array().unwrap().len(), rows, "{answer}");
    }
}

async fn r93_a_destination_that_works_again_gets_what_failed_at_once(post: Post) {
    post.enable_messaging();
    post.trigger(json!([post.webhook_step()]));
    post.web.always("/hook", HttpAct::answer(503, ""));
    post.app.apply(&ada().created(minute(0))).await;
    for _ in 0..6 {
        assert_eq!(post.app.send_due().await, 1);
        post.app.advance(Duration::from_secs(64));
    }
    post.app.send_due().await;
    post.web.always("/hook", HttpAct::answer(200, "ok"));
    assert_eq!(post.app.send_due().await, 0, "hers is not due for a while");
    post.app.apply(&employee("bob").created(minute(1))).await;
    assert_eq!(post.app.send_due().await, 2, "bob's, and hers with it");
    assert!(post.all().iter().all(|row| row.state == "sent"));
    let shown = post.app.get("/v1/destinations").await["data"][0].clone();
    assert_eq!(shown["failures"], 0, "{shown}");
}

async fn r93_a_process_that_slept_through_a_sweep_announces_itself_again(post: Post) {
    let (app, id) = (&post.app, "elsewhere:1:process_x");
    let now = app.clock.now();
    app.write(|conn| processes::begin(conn, id, "work", now));
    app.advance(processes::SILENT_AFTER + Duration::from_secs(1));
    let now = app.clock.now();
    let swept = app.write(|conn| processes::sweep(conn, now, &|_| false));
    assert!(swept >= 1);
    assert!(!app.read(|conn| processes::somebody_works(conn, now)));
    app.write(|conn| processes::beat(conn, id, "work", now));
    assert!(app.read(|conn| processes::somebody_works(conn, now)));
}

/// The database throws everybody out while calls are in the air, for good or for a moment.
async fn after_an_outage(closed: bool) {
    let stage = Sending::new(Backend::Postgres, &["profile.activated"]);
    let slow = HttpAct::AnswerAfter(Duration::from_millis(100));
    stage.web.always("/hook", slow);
    stage
        .web
        .next("/hook", HttpAct::AnswerAfter(Duration::from_millis(600)));
    let (service, http) = stage.serve().await;
    let people: Vec<Employee> = (0..20)
        .map(|number| employee(&format!("p{number}")))
        .collect();
    stage.deliver(&http, &people).await;
    stage.web.wait_for(1).await;
    let crate::support::place::Place::Postgres(database) = &stage.place else {
        panic!("it was asked for");
    };
    database.close();
    if closed {
        eventually("a result is kept", async || {
            service
                .words()
                .contains("is kept until the database takes it")
                .then_some(())
        })
        .await;
    }
    let back = Instant::now();
    database.open();
    stage.all_sent(people.len()).await;
    assert!(
        back.elapsed() < Duration::from_secs(10),
        "{:?}",
        back.elapsed()
    );
    stage.each_was_told_once(people.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn r63_after_an_outage_of_postgres_everything_due_is_sent_within_seconds_and_once() {
    after_an_outage(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r63_after_pg_terminate_backend_everything_due_is_sent_within_seconds_and_once() {
    after_an_outage(false).await;
}

/// Every delivery, for a test's own look, as soon as the database lets it look.
pub(crate) fn rows(stage: &Sending) -> Vec<DeliveryRow> {
    let filter = DeliveryFilter::default();
    let began = Instant::now();
    loop {
        let read = stage
            .db
            .read(|conn| Ok::<_, DbError>(list(conn, &filter, 100)?));
        match read {
            Ok(rows) => return rows,
            Err(error) => assert!(began.elapsed() < Duration::from_secs(20), "{error}"),
        }
    }
}

/// The ids under which webhooks came.
pub(crate) fn ids(stage: &Sending) -> BTreeSet<String> {
    let requests = stage.web.requests();
    let ids = requests.iter().filter_map(|one| one.header("webhook-id"));
    ids.map(str::to_owned).collect()
}
