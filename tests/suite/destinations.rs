//! Where messages go: one that refuses is stopped alone, one that stalls holds up no other, one that
//! asks for time gets it, Slack's pace is kept, and webhooks about one person come in their order.

use std::time::{Duration, Instant};

use rollcall::db::Backend;
use rollcall::operations::doctor::{self, Setup, Verdict};
use rollcall::triggers::deliveries::{self, Lane};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::support::binary::rollcall;
use crate::support::events::{ada, employee, minute};
use crate::support::http_sink::HttpAct;
use crate::support::macros::{Given, on_both};
use crate::support::plans;
use crate::support::post::{Post, order};
use crate::support::wait::eventually;

on_both!(
    a_destination_that_refuses_is_stopped_alone_until_somebody_resumes_it,
    a_removal_cancels_what_is_paused,
    a_destination_that_stalls_holds_up_no_other,
    a_destination_without_room_takes_no_others_place,
    retry_after_holds_for_the_whole_destination_and_no_other,
    slack_gets_one_message_a_second_in_each_channel,
    webhooks_about_one_person_come_in_order_and_others_do_not_wait,
    what_comes_first_is_looked_for_among_the_persons_own_messages,
    a_host_application_is_told_of_every_change_of_a_person,
    an_organization_with_messaging_off_tells_a_host_application_who_left_and_nothing_else,
    a_webhook_is_retried_for_days,
    webhooks_are_told_again_under_their_old_ids_in_their_order,
    the_command_line_shows_and_resumes_a_stopped_destination,
);

/// The destination at a path of the test's web server.
async fn destination(post: &Post, state: &str) -> Option<Value> {
    let all = post
        .app
        .get(&format!("/v1/destinations?state={state}"))
        .await;
    all["data"].as_array().unwrap().first().cloned()
}

async fn a_destination_that_refuses_is_stopped_alone_until_somebody_resumes_it(post: Post) {
    post.enable_messaging();
    post.web.always("/hook", HttpAct::answer(410, "gone"));
    post.trigger(json!([post.webhook_step(), post.slack_step()]));
    post.app.apply(&ada().created(minute(0))).await;
    post.app.send_due().await;
    post.app.apply(&employee("bob").created(minute(1))).await;
    post.app.advance(Duration::from_secs(2));
    post.app.send_due().await;
    assert_eq!(post.told("/hook").len(), 1, "asked once, then stopped");
    assert_eq!(post.told("/slack").len(), 2, "the others go on");

    let stopped = destination(&post, "stopped").await.unwrap();
    assert_eq!(stopped["waiting"], 2, "{stopped}");
    assert!(
        stopped["reason"].as_str().unwrap().contains("410"),
        "{stopped}"
    );
    let paused = post.app.get("/v1/deliveries?state=paused").await;
    assert_eq!(paused["data"].as_array().unwrap().len(), 2);
    let due = post.app.get("/v1/deliveries?state=due").await;
    assert_eq!(due["data"], json!([]));
    let metric = async |series: &str| post.app.http.metric(series).await;
    assert!(metric("rollcall_destinations{state=\"stopped\"}").await >= 1.0);
    let now = post.app.clock.now();
    let checks = post
        .app
        .db
        .read(|conn| doctor::of_database(conn, &Setup::default(), now));
    let check = checks
        .unwrap()
        .into_iter()
        .find(|one| one.name == "destinations")
        .unwrap();
    assert_eq!(check.result, Verdict::Fail, "{check:?}");

    post.web.always("/hook", HttpAct::answer(200, "ok"));
    let resume = format!(
        "/v1/destinations/{}/resume",
        stopped["id"].as_str().unwrap()
    );
    let resumed = post.app.call("POST", &resume, Value::Null).await.ok();
    assert_eq!(resumed["state"], "open");
    assert_eq!(
        post.app.call("POST", &resume, Value::Null).await.status,
        409
    );
    post.app.send_due().await;
    assert!(
        post.all().iter().all(|row| row.state == "sent"),
        "{:?}",
        post.all()
    );
    assert_eq!(post.told("/hook").len(), 3);
    let acts = post
        .app
        .lines("SELECT actor || ' ' || act AS line FROM operator_acts");
    assert!(
        acts.contains(&"bootstrap destination.resumed".to_owned()),
        "{acts:?}"
    );
}

async fn a_removal_cancels_what_is_paused(post: Post) {
    post.web.next("/hook", HttpAct::answer(410, "gone"));
    post.one_due().await;
    post.app.send_due().await;
    assert_eq!(
        post.app.get("/v1/deliveries").await["data"][0]["state"],
        "paused"
    );
    post.app.apply(&ada().deleted(minute(1))).await;
    assert_eq!(post.only().state, "cancelled");
}

async fn a_destination_that_stalls_holds_up_no_other(post: Post) {
    post.enable_messaging();
    post.web.always("/slow", HttpAct::Stall);
    let slow = json!({"channel": "webhook", "to": post.web.url("/slow")});
    post.trigger(json!([slow, post.webhook_step(), Post::mail_step()]));
    for number in 0..20 {
        let one = employee(&format!("p{number}")).created(minute(number));
        post.app.deliver(&one).await;
    }
    post.app.drain();
    let (stop, stopped) = watch::channel(false);
    let began = Instant::now();
    let sending = tokio::spawn(post.app.sender.clone().run(stopped));
    eventually("all the others are sent", async || {
        (post.told("/hook").len() == 20 && post.mail.mails().len() == 20).then_some(())
    })
    .await;
    let slow = post.told("/slow").len();
    assert!(
        slow <= 2 || began.elapsed() > Duration::from_secs(8),
        "{slow}"
    );
    let _ = stop.send(true);
    sending.await.unwrap();
}

async fn a_destination_without_room_takes_no_others_place(post: Post) {
    post.enable_messaging();
    post.trigger(json!([post.webhook_step()]));
    for name in ["ada", "bob", "cleo"] {
        post.app.apply(&employee(name).created(minute(0))).await;
    }
    post.app.advance(Duration::from_secs(60));
    let other = json!({"channel": "webhook", "to": post.web.url("/other")});
    post.trigger(json!([other]));
    post.app.apply(&employee("dan").created(minute(1))).await;
    let now = post.app.clock.now();
    let take = |places: usize| {
        let order = order("sender", Lane::Others, places);
        post.app.write(|conn| deliveries::claim(conn, order, now))
    };
    let first = take(2);
    assert_eq!(first.len(), 2);
    // The first one has something older, and two messages in the air already.
    let next = take(1);
    assert_eq!(next.len(), 1);
    assert_ne!(next[0].destination, first[0].destination);
}

async fn retry_after_holds_for_the_whole_destination_and_no_other(post: Post) {
    post.enable_messaging();
    let wait = HttpAct::answer(429, "").header("Retry-After", "120");
    post.web.next("/slack", wait);
    post.trigger(json!([post.slack_step(), post.webhook_step()]));
    post.app.apply(&ada().created(minute(0))).await;
    post.app.send_due().await;
    post.app.apply(&employee("bob").created(minute(1))).await;
    post.app.advance(Duration::from_secs(100));
    post.app.send_due().await;
    assert_eq!(post.told("/slack").len(), 1, "bob's waits as well");
    assert_eq!(post.told("/hook").len(), 2);
    let shown = destination(&post, "open").await.unwrap();
    assert!(shown["not_before"].is_string(), "{shown}");
    post.app.advance(Duration::from_secs(21));
    post.app.send_due().await;
    post.app.advance(Duration::from_secs(2));
    post.app.send_due().await;
    assert_eq!(post.told("/slack").len(), 3);
    assert!(post.all().iter().all(|row| row.state == "sent"));
}

async fn slack_gets_one_message_a_second_in_each_channel(post: Post) {
    post.enable_messaging();
    post.web.always(
        "/api/chat.postMessage",
        HttpAct::answer(200, r#"{"ok":true}"#),
    );
    let room = |name: &str| json!({"channel": "slack", "to": name, "text": "{{ first_name }}"});
    post.trigger(json!([room("#welcome"), room("#facilities")]));
    for name in ["ada", "bob", "eve"] {
        post.app.apply(&employee(name).created(minute(0))).await;
    }
    for second in 1..=3 {
        assert_eq!(
            post.app.send_due().await,
            2,
            "one for each channel in second {second}"
        );
        post.app.advance(Duration::from_millis(900));
        assert_eq!(post.app.send_due().await, 0, "the second is not over");
        post.app.advance(Duration::from_millis(200));
    }
    assert!(post.all().iter().all(|row| row.state == "sent"));
}

async fn webhooks_about_one_person_come_in_order_and_others_do_not_wait(post: Post) {
    post.enable_messaging();
    post.trigger(json!([post.webhook_step()]));
    post.trigger_on("profile.updated", json!([post.webhook_step()]));
    post.web
        .next("/hook", HttpAct::answer(503, "").header("Retry-After", "0"));
    post.web
        .next("/hook", HttpAct::answer(503, "").header("Retry-After", "0"));
    post.app.apply(&ada().created(minute(0))).await;
    assert_eq!(post.app.send_due().await, 1);
    for (at, title) in [(1, "Lead"), (2, "Head")] {
        let update = ada()
            .updated(minute(at))
            .set("data.custom_attributes.job_title", title);
        post.app.apply(&update).await;
    }
    assert_eq!(
        post.app.send_due().await,
        0,
        "the updates wait for the first word"
    );
    post.app.apply(&employee("bob").created(minute(3))).await;
    assert_eq!(
        post.app.send_due().await,
        1,
        "somebody else does not (503 again)"
    );
    for _ in 0..4 {
        post.app.advance(Duration::from_secs(5));
        post.app.send_due().await;
    }
    let of_ada: Vec<Value> = post
        .told("/hook")
        .into_iter()
        .filter(|body| body["data"]["profile"]["email"] == ada().email())
        .map(|body| body["type"].clone())
        .collect();
    assert_eq!(
        of_ada,
        [
            "profile.activated",
            "profile.activated",
            "profile.updated",
            "profile.updated"
        ]
    );
    assert!(post.all().iter().all(|row| row.state == "sent"));
}

async fn what_comes_first_is_looked_for_among_the_persons_own_messages(backend: Backend) {
    plans::record();
    let post = Post::given(backend).await;
    post.enable_messaging();
    post.trigger(json!([post.webhook_step()]));
    post.app.apply(&ada().created(minute(0))).await;
    post.app.send_due().await;
    let plan = plans::plan_of(&post.app.place, &["e.profile_id = w.profile_id"]);
    if backend == Backend::Sqlite {
        assert!(
            plan.contains("SEARCH e USING INDEX deliveries_of_profile"),
            "{plan}"
        );
    }
}

async fn a_host_application_is_told_of_every_change_of_a_person(post: Post) {
    post.enable_messaging();
    for on in [
        "profile.activated",
        "profile.updated",
        "profile.removed",
        "membership.ended",
    ] {
        post.trigger_on(on, json!([post.webhook_step()]));
    }
    post.app.apply(&ada().created(minute(0))).await;
    post.app.send_due().await;
    let update = ada()
        .updated(minute(1))
        .set("data.custom_attributes.job_title", "Lead");
    post.app.apply(&update).await;
    post.app.send_due().await;
    let profile = post.app.profile(&ada()).id;
    post.app.community(
        "chess",
        &[(profile.as_str(), rollcall::domain::Role::Member)],
    );
    post.app.apply(&ada().deleted(minute(2))).await;
    post.app.send_due().await;
    let told = post.told("/hook");
    let mut kinds: Vec<&str> = told
        .iter()
        .map(|body| body["type"].as_str().unwrap())
        .collect();
    assert_eq!(kinds[..2], ["profile.activated", "profile.updated"]);
    kinds[2..].sort_unstable();
    assert_eq!(kinds[2..], ["membership.ended", "profile.removed"]);
    assert_eq!(told[1]["data"]["changed_fields"], json!(["title"]));
    assert_eq!(told[1]["data"]["profile"]["title"], "Lead");
    let ended = told
        .iter()
        .find(|body| body["type"] == "membership.ended")
        .unwrap();
    assert_eq!(
        ended["data"]["communities"].as_array().unwrap().len(),
        1,
        "{ended}"
    );
    let removed = told
        .iter()
        .find(|body| body["type"] == "profile.removed")
        .unwrap();
    assert_eq!(removed["data"]["profile"]["status"], "removed");
}

async fn an_organization_with_messaging_off_tells_a_host_application_who_left_and_nothing_else(
    post: Post,
) {
    let slack = json!([post.webhook_step(), {"channel": "slack", "to": post.web.url("/slack"), "text": "x"}]);
    for on in [
        "profile.activated",
        "profile.updated",
        "membership.began",
        "profile.removed",
        "membership.ended",
    ] {
        post.trigger_on(on, slack.clone());
    }
    post.app.apply(&ada().created(minute(0))).await;
    let hers = post.app.profile(&ada()).id;
    let member = [(hers.as_str(), rollcall::domain::Role::Member)];
    let chess = post.app.community("chess", &member);
    post.app.community("choir", &member);
    let path = format!("/v1/communities/{chess}");
    post.app.call("DELETE", &path, Value::Null).await.ok();
    post.app.apply(&ada().deleted(minute(2))).await;
    post.app.send_due().await;
    let mut kinds: Vec<String> = post
        .told("/hook")
        .iter()
        .map(|body| body["type"].as_str().unwrap().to_owned())
        .collect();
    kinds.sort_unstable();
    // One community is deleted under her, the other she leaves by going.
    assert_eq!(
        kinds,
        ["membership.ended", "membership.ended", "profile.removed"]
    );
    assert!(post.told("/slack").is_empty());
}

async fn a_webhook_is_retried_for_days(post: Post) {
    post.web.always("/hook", HttpAct::answer(503, ""));
    let first = post.one_due().await;
    let quarter = Duration::from_secs(15 * 60);
    for _ in 0..(3 * 24 * 4) {
        post.app.send_due().await;
        post.app.advance(quarter);
    }
    let row = post.only();
    assert_eq!(row.state, "due", "three days later it is still tried");
    assert!(row.attempts > 250, "{row:?}");
    post.web.always("/hook", HttpAct::answer(204, ""));
    post.app.send_due().await;
    assert_eq!(post.only().state, "sent");
    let requests = post.web.requests();
    assert!(
        requests
            .iter()
            .all(|one| one.header("webhook-id") == Some(first.key.as_str()))
    );
}

async fn webhooks_are_told_again_under_their_old_ids_in_their_order(post: Post) {
    post.enable_messaging();
    post.trigger(json!([post.webhook_step(), post.slack_step()]));
    post.trigger_on("profile.updated", json!([post.webhook_step()]));
    post.app.apply(&ada().created(minute(0))).await;
    post.app.send_due().await;
    post.app.advance(Duration::from_secs(3600));
    let update = ada()
        .updated(minute(1))
        .set("data.custom_attributes.job_title", "Lead");
    post.app.apply(&update).await;
    post.app.send_due().await;
    let all = post.app.get("/v1/destinations").await;
    let hook = all["data"]
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["channel"] == "webhook")
        .unwrap();
    let replay = format!("/v1/destinations/{}/replay", hook["id"].as_str().unwrap());
    let dry = post
        .app
        .call("POST", &replay, json!({"dry_run": true}))
        .await
        .ok();
    assert_eq!((&dry["matched"], &dry["replayed"]), (&json!(2), &json!(0)));
    assert_eq!(post.app.send_due().await, 0);

    let done = post.app.call("POST", &replay, json!({})).await.ok();
    assert_eq!(done["replayed"], 2);
    post.app.send_due().await;
    let ids: Vec<String> = post
        .web
        .requests()
        .iter()
        .filter(|request| request.path() == "/hook")
        .map(|request| request.header("webhook-id").unwrap().to_owned())
        .collect();
    assert_eq!(ids.len(), 4);
    assert_eq!(ids[..2], ids[2..], "the same ids in the same order");
    assert_eq!(post.told("/slack").len(), 1, "people are told once");
    let slack = all["data"]
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["channel"] == "slack")
        .unwrap();
    let refused = format!("/v1/destinations/{}/replay", slack["id"].as_str().unwrap());
    assert_eq!(post.app.call("POST", &refused, json!({})).await.status, 409);
}

async fn the_command_line_shows_and_resumes_a_stopped_destination(post: Post) {
    post.web.next("/hook", HttpAct::answer(410, "gone"));
    post.one_due().await;
    post.app.send_due().await;
    let folder = tempfile::tempdir().unwrap();
    let run = |args: &[&str]| {
        let mut command = rollcall(&post.app.place.url(), folder.path());
        let output = command.args(args).output().unwrap();
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stdout).into_owned(),
        )
    };
    let (code, list) = run(&["destinations", "list", "--stopped", "--json"]);
    assert_eq!(code, Some(0));
    let list: Value = serde_json::from_str(&list).unwrap();
    let id = list["data"][0]["id"].as_str().unwrap();
    let (code, table) = run(&["deliveries", "list", "--state", "paused"]);
    assert_eq!(code, Some(0));
    assert!(table.contains("paused") && table.contains("410"), "{table}");
    let (code, _) = run(&["destinations", "resume", id, "--dry-run"]);
    assert_eq!(code, Some(0));
    let (code, resumed) = run(&["destinations", "resume", id]);
    assert_eq!(code, Some(0), "{resumed}");
    let (code, _) = run(&["destinations", "resume", id]);
    assert_eq!(code, Some(4), "it is not stopped any more");
    let now = rollcall::clock::Clock::System.now();
    post.app.advance(now.since(post.app.clock.now()));
    assert_eq!(post.app.send_due().await, 1);
    assert_eq!(post.only().state, "sent");
    let (code, replayed) = run(&["destinations", "replay", id, "--json"]);
    assert_eq!(code, Some(0));
    assert!(
        replayed.contains("\"replayed\":1") || replayed.contains("\"replayed\": 1"),
        "{replayed}"
    );
}
