//! Acknowledged means durable, shown with the real binary: killed in the middle of a flood, stopped
//! politely, started twice, started on a database from the future.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::Mutex;

use rollcall::clock::Clock;
use rollcall::db::Backend;
use serde_json::Value;

use crate::support::binary::{Service, rollcall};
use crate::support::events::{employee, minute};
use crate::support::http::Caller;
use crate::support::macros::on_both;
use crate::support::place::Place;
use crate::support::wait::eventually;

on_both!(
    r2_kill_9_loses_nothing_that_was_acknowledged,
    sigterm_finishes_what_is_in_hand_and_exits_0,
    a_database_from_a_newer_version_is_refused,
);

async fn all_events(http: &Caller) -> Vec<Value> {
    let mut all = Vec::new();
    let mut path = "/v1/events?limit=200".to_owned();
    loop {
        let page = http.api("GET", &path, None).await.ok();
        all.extend(page["data"].as_array().unwrap().iter().cloned());
        match page["next_cursor"].as_str() {
            Some(cursor) => path = format!("/v1/events?limit=200&cursor={cursor}"),
            None => return all,
        }
    }
}

/// Delivers as fast as eight senders can, until told to stop or the server is gone; keeps what was
/// acknowledged.
fn flood(http: &Caller, acknowledged: &Arc<Mutex<BTreeSet<String>>>) -> tokio::task::JoinSet<()> {
    let mut senders = tokio::task::JoinSet::new();
    for sender in 0..8 {
        let (http, acknowledged) = (http.clone(), Arc::clone(acknowledged));
        senders.spawn(async move {
            for number in 0..2_000 {
                let event = employee(&format!("p{sender}x{number}")).created(minute(0));
                match http.deliver(&event, Clock::System.now()).await {
                    Ok(answer) if answer.status == 200 => {
                        acknowledged.lock().unwrap().insert(event.id());
                    }
                    _ => return,
                }
            }
        });
    }
    senders
}

async fn r2_kill_9_loses_nothing_that_was_acknowledged(backend: Backend) {
    let (place, folder) = (Place::new(backend), tempfile::tempdir().unwrap());
    let command = || rollcall(&place.url(), folder.path());
    let (mut first, http) = Service::serve(command(), &["--no-worker"]).await;
    let acknowledged = Arc::<Mutex<BTreeSet<String>>>::default();
    let senders = flood(&http, &acknowledged);
    eventually("100 are acknowledged", async || {
        (acknowledged.lock().unwrap().len() >= 100).then_some(())
    })
    .await;
    first.kill();
    senders.join_all().await;
    let acknowledged = acknowledged.lock().unwrap().clone();

    let (_second, http) = Service::serve(command(), &[]).await;
    eventually("everything is worked off", async || {
        let page = http
            .api("GET", "/v1/events?state=ready&limit=1", None)
            .await;
        (page.ok()["data"].as_array()?.is_empty()).then_some(())
    })
    .await;
    let events = all_events(&http).await;
    let applied: BTreeSet<String> = events
        .iter()
        .filter(|event| event["outcome"] == "applied")
        .map(|event| event["id"].as_str().unwrap().to_owned())
        .collect();
    let lost: Vec<&String> = acknowledged.difference(&applied).collect();
    assert!(
        lost.is_empty(),
        "{} of {} are lost",
        lost.len(),
        acknowledged.len()
    );
    assert_eq!(applied.len(), events.len(), "each id once, each applied");
    for id in acknowledged.iter().take(5) {
        let event = http
            .api("GET", &format!("/v1/events/{id}"), None)
            .await
            .ok();
        let statuses: Vec<&Value> = event["changes"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|change| change["what"] == "status")
            .collect();
        assert_eq!(statuses.len(), 1, "applied exactly once: {event}");
    }
}

async fn sigterm_finishes_what_is_in_hand_and_exits_0(backend: Backend) {
    let (place, folder) = (Place::new(backend), tempfile::tempdir().unwrap());
    let command = || rollcall(&place.url(), folder.path());
    let (mut service, http) = Service::serve(command(), &[]).await;
    let acknowledged = Arc::<Mutex<BTreeSet<String>>>::default();
    let senders = flood(&http, &acknowledged);
    eventually("20 are acknowledged", async || {
        (acknowledged.lock().unwrap().len() >= 20).then_some(())
    })
    .await;
    let began = std::time::Instant::now();
    service.terminate();
    let (status, words) = service.ended().await;
    assert_eq!(status.code(), Some(0), "{words}");
    assert!(began.elapsed().as_secs() < 15, "{:?}", began.elapsed());
    senders.join_all().await;
    assert!(!words.contains("dropped"), "{words}");
    assert!(!words.contains("uncleanly"), "{words}");

    // A clean stop: the next start finds nothing to be careful about, and everything acknowledged.
    let (again, http) = Service::serve(command(), &[]).await;
    let kept: BTreeSet<String> = all_events(&http)
        .await
        .iter()
        .map(|event| event["id"].as_str().unwrap().to_owned())
        .collect();
    let acknowledged = acknowledged.lock().unwrap().clone();
    assert!(acknowledged.is_subset(&kept));
    assert!(!again.words().contains("uncleanly"), "{}", again.words());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_keep_alive_connection_does_not_hold_up_the_stop() {
    use std::io::{Read, Write};
    let (place, folder) = (Place::new(Backend::Sqlite), tempfile::tempdir().unwrap());
    let (mut service, http) = Service::serve(rollcall(&place.url(), folder.path()), &[]).await;
    let address = http.url("").replace("http://", "");
    let mut idle = std::net::TcpStream::connect(address).unwrap();
    idle.write_all(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
        .unwrap();
    let mut answer = [0_u8; 12];
    idle.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
    let began = std::time::Instant::now();
    service.terminate();
    let (status, words) = service.ended().await;
    assert_eq!(status.code(), Some(0), "{words}");
    assert!(began.elapsed().as_secs() < 15, "{:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_serve_on_the_same_file_is_told() {
    let (place, folder) = (Place::new(Backend::Sqlite), tempfile::tempdir().unwrap());
    let (_first, http) = Service::serve(rollcall(&place.url(), folder.path()), &[]).await;
    let mut second = rollcall(&place.url(), folder.path());
    second.arg("serve");
    let mut second = Service::start(second);
    let (status, words) = second.ended().await;
    assert_eq!(status.code(), Some(69), "{words}");
    assert!(
        words.contains("another `rollcall serve` is running"),
        "{words}"
    );
    assert_eq!(http.call("GET", "/health/live").await.status, 200);
}

async fn a_database_from_a_newer_version_is_refused(backend: Backend) {
    let (place, folder) = (Place::new(backend), tempfile::tempdir().unwrap());
    let command = || rollcall(&place.url(), folder.path());
    let (mut first, _) = Service::serve(command(), &[]).await;
    first.terminate();
    assert_eq!(first.ended().await.0.code(), Some(0));
    place
        .stranger()
        .run("INSERT INTO __diesel_schema_migrations (version) VALUES ('29990101000001')");
    let mut newer = command();
    newer.arg("serve");
    let (status, words) = Service::start(newer).ended().await;
    assert_eq!(status.code(), Some(69), "{words}");
    assert!(
        words.contains("newer Rollcall") && words.contains("29990101000001"),
        "{words}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_personal_and_no_secret_is_in_the_log_even_when_it_is_verbose() {
    let (place, folder) = (Place::new(Backend::Sqlite), tempfile::tempdir().unwrap());
    for format in ["text", "json"] {
        let mut command = rollcall(&place.url(), folder.path());
        command
            .env("ROLLCALL_LOG", "debug")
            .env("ROLLCALL_LOG_FORMAT", format);
        let (mut service, http) = Service::serve(command, &["--verbose"]).await;
        let now = Clock::System.now();
        let person = employee(&format!("zebedee{format}"));
        let event = person
            .created(minute(0))
            .set("data.custom_attributes.job_title", "Unmistakable")
            .set("data.custom_attributes.shoe_size", "Oneoffvalue");
        let good = http.deliver(&event, now).await.unwrap();
        assert_eq!(good.status, 200);
        let failed = person.updated(minute(1)).without("data.directory_id");
        http.deliver(&failed, now).await.unwrap();
        http.deliver_raw(event.body(), &[]).await.unwrap();
        let headers = [("WorkOS-Signature", "t=1, v1=5ec2e75ec2e7")];
        http.deliver_raw(event.body(), &headers).await.unwrap();
        let cut = event.body()[..200].to_vec();
        http.deliver_signed(cut, now).await.unwrap();
        let path = format!("/v1/events?q={}", person.email());
        assert_eq!(http.api("GET", &path, None).await.status, 200);
        eventually("both are worked off", async || {
            let page = http.api("GET", "/v1/events?state=ready", None).await.ok();
            page["data"].as_array()?.is_empty().then_some(())
        })
        .await;
        service.terminate();
        let (status, words) = service.ended().await;
        assert_eq!(status.code(), Some(0));
        assert!(
            words.contains("refused a delivery"),
            "the log is on: {words}"
        );
        let secrets = [crate::support::http::SECRET, crate::support::http::TOKEN];
        let personal = ["zebedee", "Tester", "Unmistakable", "Oneoffvalue", "5ec2e7"];
        for kept_back in personal.iter().chain(&secrets) {
            assert!(
                !words.contains(kept_back),
                "{kept_back} is in the log:\n{words}"
            );
        }
    }
}
