//! Crashes and outages in the middle of everything, with real processes: a message cut off, a
//! database that goes away under load, many starts at once.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use rollcall::clock::Clock;
use rollcall::db::{Backend, Db, DbError, Urgency};
use rollcall::store::organizations;
use rollcall::triggers::deliveries::{DeliveryFilter, DeliveryRow, list};
use rollcall::triggers::store::{self, TriggerRow};
use rollcall::triggers::{NewTrigger, Policy};
use serde_json::json;

use crate::support::binary::{Service, rollcall};
use crate::support::events::{ORGANIZATION, ada, employee, minute};
use crate::support::http_sink::{HttpAct, HttpSink};
use crate::support::macros::on_both;
use crate::support::place::Place;
use crate::support::wait::eventually;

on_both!(r63_a_webhook_cut_off_by_a_kill_is_sent_again_within_seconds_under_its_id);

const WEBHOOK_SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD8vZw2kRBnJo=";

/// An organization with messaging on that greets newcomers at `url`.
fn with_messaging(place: &Place, url: &str) -> Db {
    let db = Db::open(&place.url(), 2).unwrap();
    db.maintain(rollcall::db::migrate).unwrap();
    let body = json!({
        "organization_id": ORGANIZATION, "name": "welcome", "on": "profile.activated",
        "status": "published", "steps": [{"channel": "webhook", "to": url}],
    });
    let policy = Policy {
        allow_private_targets: true,
        slack_bot: false,
    };
    let definition = NewTrigger::parse(&body, policy).unwrap();
    let now = Clock::System.now();
    let row = TriggerRow::new("trigger_1".to_owned(), &definition, now).unwrap();
    let set = |conn: &mut rollcall::db::Conn| {
        organizations::ensure(conn, &[ORGANIZATION.to_owned()], true, now)?;
        Ok::<_, DbError>(store::create(conn, &row, "test")?)
    };
    assert!(db.write(Urgency::Normal, set).unwrap());
    db
}

fn only(db: &Db) -> Option<DeliveryRow> {
    let all = db.read(|conn| Ok::<_, DbError>(list(conn, &DeliveryFilter::default(), 10)?));
    let mut all = all.unwrap();
    assert!(all.len() <= 1, "{all:?}");
    all.pop()
}

async fn r63_a_webhook_cut_off_by_a_kill_is_sent_again_within_seconds_under_its_id(
    backend: Backend,
) {
    let (place, folder) = (Place::new(backend), tempfile::tempdir().unwrap());
    let sink = HttpSink::start();
    sink.always("/hook", HttpAct::Stall);
    let db = with_messaging(&place, &sink.url("/hook"));
    let command = || {
        let mut command = rollcall(&place.url(), folder.path());
        command
            .env("ROLLCALL_TRIGGER_WEBHOOK_SECRET", WEBHOOK_SECRET)
            .env("ROLLCALL_ALLOW_PRIVATE_TARGETS", "true");
        command
    };
    let (mut first, http) = Service::serve(command(), &[]).await;
    let created = ada().created(minute(0));
    let answer = http.deliver(&created, Clock::System.now()).await.unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
    eventually("it is being sent", async || {
        let row = only(&db)?;
        assert!(
            matches!(row.state.as_str(), "due" | "claimed" | "attempting"),
            "{row:?}"
        );
        (row.state == "attempting").then_some(())
    })
    .await;
    sink.wait_for(1).await;
    assert_eq!(only(&db).unwrap().state, "attempting");
    first.kill();
    sink.always("/hook", HttpAct::answer(200, "ok"));
    let killed = Clock::System.now();

    let (_second, _) = Service::serve(command(), &[]).await;
    eventually("it is sent", async || {
        only(&db).filter(|row| row.state == "sent")
    })
    .await;
    let took = Clock::System.now().since(killed);
    assert!(took.as_secs() < 25, "seconds, not minutes: {took:?}");
    let requests = sink.requests();
    assert_eq!(requests.len(), 2);
    assert_eq!(
        requests[0].header("webhook-id"),
        requests[1].header("webhook-id"),
        "the receiver can drop one of them"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn r74_a_postgres_that_goes_away_under_load_loses_nothing_and_is_worked_on_again() {
    let (place, folder) = (Place::new(Backend::Postgres), tempfile::tempdir().unwrap());
    let (service, http) = Service::serve(rollcall(&place.url(), folder.path()), &[]).await;
    let Place::Postgres(database) = &place else {
        panic!("it was asked for");
    };
    let acknowledged = Arc::<Mutex<BTreeSet<String>>>::default();
    let refused = Arc::<Mutex<usize>>::default();
    let mut senders = tokio::task::JoinSet::new();
    for sender in 0..4 {
        let (http, acknowledged, refused) = (
            http.clone(),
            Arc::clone(&acknowledged),
            Arc::clone(&refused),
        );
        senders.spawn(async move {
            for number in 0.. {
                let event = employee(&format!("p{sender}x{number}")).created(minute(0));
                let answer = http.deliver(&event, Clock::System.now()).await.unwrap();
                match answer.status {
                    200 => acknowledged.lock().unwrap().insert(event.id()),
                    503 => {
                        *refused.lock().unwrap() += 1;
                        return;
                    }
                    other => panic!("{other}: {answer:?}"),
                };
            }
        });
    }
    eventually("50 are acknowledged", async || {
        (acknowledged.lock().unwrap().len() >= 50).then_some(())
    })
    .await;
    database.close();
    senders.join_all().await;
    assert_eq!(*refused.lock().unwrap(), 4);
    database.open();
    let acknowledged = acknowledged.lock().unwrap().clone();
    for id in &acknowledged {
        eventually("every acknowledged one is applied", async || {
            let event = http.api("GET", &format!("/v1/events/{id}"), None).await;
            (event.body["outcome"] == "applied").then_some(())
        })
        .await;
    }
    let after = ada().created(minute(1));
    eventually("new ones are taken", async || {
        let answer = http.deliver(&after, Clock::System.now()).await.unwrap();
        (answer.status == 200).then_some(())
    })
    .await;
    assert!(!service.words().contains("panicked"), "{}", service.words());
}

#[tokio::test(flavor = "multi_thread")]
async fn many_processes_may_start_at_once_on_an_empty_postgres() {
    for _ in 0..3 {
        let (place, folder) = (
            Place::empty(Backend::Postgres),
            tempfile::tempdir().unwrap(),
        );
        let starts = (0..5).map(|_| Service::serve(rollcall(&place.url(), folder.path()), &[]));
        for (_service, http) in futures_util::future::join_all(starts).await {
            assert_eq!(http.call("GET", "/health/ready").await.status, 200);
        }
    }
}
