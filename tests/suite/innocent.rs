//! Nobody innocent is given up (R92): kills, locks, time limits, fail-over, full and damaged files are no
//! attempt of any event; only what an event does itself is, and that is shown in a process of its own.

use std::time::{Duration, Instant};

use rollcall::clock::Clock;
use rollcall::db::{Backend, DbError};
use serde_json::json;

use crate::support::app::TestApp;
use crate::support::binary::{Service, rollcall};
use crate::support::events::{Employee, Event, ada, employee, minute};
use crate::support::http::Caller;
use crate::support::macros::on_both;
use crate::support::place::{Place, Stranger};
use crate::support::wait::eventually;

on_both!(
    r92_kill_9_again_and_again_gives_nobody_up_and_who_left_is_refused,
    r92_an_event_that_kills_its_process_is_given_up_after_three_deaths_alone,
    r92_a_lock_that_somebody_holds_is_no_attempt,
    r74_r92_a_full_database_is_no_attempt_and_heals,
);

/// Stores events with a process that does not work them off, and kills it: the next start is one after an
/// unclean stop.
async fn stored(place: &Place, folder: &std::path::Path, events: &[Event]) {
    let serving = rollcall(&place.url(), folder);
    let (mut service, http) = Service::serve(serving, &["--no-worker"]).await;
    for event in events {
        let answer = http.deliver(event, Clock::System.now()).await.unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    service.kill();
}

async fn nothing_waits(http: &Caller) {
    eventually("everything is worked off", async || {
        let page = http
            .api("GET", "/v1/events?state=ready&limit=1", None)
            .await;
        page.ok()["data"].as_array()?.is_empty().then_some(())
    })
    .await;
}

async fn is_allowed(http: &Caller, person: &Employee) -> bool {
    let path = format!(
        "/v1/access?organization_id={}&email={}",
        person.organization,
        person.email()
    );
    http.api("GET", &path, None).await.ok()["allowed"] == true
}

async fn r92_kill_9_again_and_again_gives_nobody_up_and_who_left_is_refused(backend: Backend) {
    let (place, folder) = (Place::new(backend), tempfile::tempdir().unwrap());
    let people: Vec<_> = (0..30).map(|n| employee(&format!("p{n}"))).collect();
    let hires = people.iter().map(|person| person.created(minute(0)));
    let ends = people[..10].iter().map(|person| person.deleted(minute(1)));
    stored(
        &place,
        folder.path(),
        &hires.chain(ends).collect::<Vec<_>>(),
    )
    .await;

    for _ in 0..12 {
        let mut command = rollcall(&place.url(), folder.path());
        command.env("ROLLCALL_BATCH", "2").arg("work");
        let mut service = Service::start(command);
        eventually("it is at work", async || {
            service
                .words()
                .contains("tried in a process of their own")
                .then_some(())
        })
        .await;
        service.kill();
    }

    let (_service, http) = Service::serve(rollcall(&place.url(), folder.path()), &[]).await;
    nothing_waits(&http).await;
    let failed = http.api("GET", "/v1/events?state=failed", None).await.ok();
    assert_eq!(failed["data"], json!([]), "nobody is given up");
    for person in &people[..10] {
        assert!(!is_allowed(&http, person).await);
    }
}

async fn r92_an_event_that_kills_its_process_is_given_up_after_three_deaths_alone(
    backend: Backend,
) {
    let (place, folder) = (Place::new(backend), tempfile::tempdir().unwrap());
    let leaver = employee("leaver");
    let poison = leaver.deleted(minute(2));
    let mut events: Vec<Event> = (0..9)
        .map(|n| employee(&format!("p{n}")).created(minute(1)))
        .collect();
    events.push(leaver.created(minute(0)));
    events.insert(4, poison.clone());
    stored(&place, folder.path(), &events).await;

    let mut command = rollcall(&place.url(), folder.path());
    command.env("ROLLCALL_TEST_DIE_OVER", poison.id());
    let (service, http) = Service::serve(command, &[]).await;
    nothing_waits(&http).await;

    let failed = http.api("GET", "/v1/events?state=failed", None).await.ok();
    assert_eq!(failed["data"].as_array().unwrap().len(), 1, "{failed}");
    let path = format!("/v1/events/{}", poison.id());
    let failed = http.api("GET", &path, None).await.ok();
    assert_eq!(failed["state"], "failed", "{failed}");
    let error = failed["error"].as_str().unwrap();
    assert!(
        error.contains("three times") && error.contains("signal 6"),
        "{error}"
    );
    for event in events.iter().filter(|event| event.id() != poison.id()) {
        let path = format!("/v1/events/{}", event.id());
        let done = http.api("GET", &path, None).await.ok();
        assert_eq!(
            (&done["outcome"], &done["attempts"]),
            (&json!("applied"), &json!(1)),
            "{done}"
        );
    }
    assert!(!is_allowed(&http, &leaver).await, "who left stays refused");
    let deaths = service
        .words()
        .matches("the process that tried events died")
        .count();
    assert_eq!(deaths, 4, "once in a batch and three times alone");
}

/// With time limits of the test's own, by the URL: they win over Rollcall's.
async fn impatient(backend: Backend, options: &str) -> TestApp {
    TestApp::start_with(backend, |setup| {
        if backend == Backend::Postgres {
            setup
                .config
                .database
                .url
                .push_str(&format!("&options={options}"));
        }
    })
    .await
}

/// Works while somebody is in the way, for long enough to spend every attempt there is.
fn struggle(app: &TestApp, rounds: usize) {
    for _ in 0..rounds {
        let _: Result<usize, DbError> = tokio::task::block_in_place(|| app.worker.run_once());
        app.advance(Duration::from_secs(20 * 60));
    }
}

async fn assert_unharmed(app: &TestApp, removal: &Event) {
    let waiting = app.event(&removal.id()).await;
    assert_eq!(
        (&waiting["state"], &waiting["attempts"]),
        (&json!("ready"), &json!(0)),
        "{waiting}"
    );
    app.advance(Duration::from_secs(5));
    eventually("it is worked off", async || {
        tokio::task::block_in_place(|| app.worker.drain()).ok()
    })
    .await;
    assert_eq!(app.event(&removal.id()).await["outcome"], "applied");
    assert_eq!(app.count("outbox WHERE state = 'failed'"), 0);
    assert_eq!(app.profile(&ada()).status, "removed");
}

async fn r92_a_lock_that_somebody_holds_is_no_attempt(backend: Backend) {
    let app = impatient(backend, "-c%20lock_timeout%3D200ms").await;
    app.apply(&ada().created(minute(0))).await;
    let removal = ada().deleted(minute(1));
    assert_eq!(app.deliver(&removal).await.status, 200);
    let mut stranger = app.place.stranger();
    match &stranger {
        Stranger::Postgres(_) => {
            stranger.run("BEGIN; LOCK TABLE profiles IN ACCESS EXCLUSIVE MODE");
            struggle(&app, 10);
        }
        Stranger::Sqlite(_) => {
            stranger.run("BEGIN EXCLUSIVE");
            struggle(&app, 1);
        }
    }
    stranger.let_go();
    assert_unharmed(&app, &removal).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r92_a_statement_that_takes_too_long_is_no_attempt() {
    let app = impatient(Backend::Postgres, "-c%20statement_timeout%3D300ms").await;
    app.apply(&ada().created(minute(0))).await;
    let removal = ada().deleted(minute(1));
    assert_eq!(app.deliver(&removal).await.status, 200);
    let mut stranger = app.place.stranger();
    stranger.run("BEGIN; LOCK TABLE profiles IN ACCESS EXCLUSIVE MODE");
    struggle(&app, 10);
    stranger.let_go();
    assert_unharmed(&app, &removal).await;
}

async fn r74_r92_a_full_database_is_no_attempt_and_heals(app: TestApp) {
    app.apply(&ada().created(minute(0))).await;
    let removal = ada().deleted(minute(1));
    assert_eq!(app.deliver(&removal).await.status, 200);
    let mut stranger = app.place.stranger();
    match &mut stranger {
        Stranger::Sqlite(_) => {
            let limit = |pages: &'static str| {
                app.db.maintain(|conn| match conn {
                    rollcall::db::Conn::Sqlite(c) => {
                        use diesel::connection::SimpleConnection;
                        Ok::<_, DbError>(c.batch_execute(pages)?)
                    }
                    rollcall::db::Conn::Postgres(_) => Ok(()),
                })
            };
            let many: Vec<Event> = (0..200)
                .map(|n| employee(&format!("p{n}")).updated(minute(2)))
                .collect();
            app.enqueue(&many);
            // The smallest it can be is what it is: no page can be added.
            limit("PRAGMA max_page_count = 1").unwrap();
            struggle(&app, 10);
            limit("PRAGMA max_page_count = 1000000").unwrap();
        }
        Stranger::Postgres(_) => {
            refuse_changes(&mut stranger, "53100", "true");
            struggle(&app, 10);
            stranger.run("DROP TRIGGER refuse ON profiles");
        }
    }
    assert_eq!(
        app.count("outbox WHERE attempts > 1 OR state = 'failed'"),
        0
    );
    app.advance(Duration::from_secs(5));
    app.drain();
    assert_eq!(app.event(&removal.id()).await["outcome"], "applied");
    assert_eq!(app.event(&removal.id()).await["attempts"], 1);
}

/// PostgreSQL answers changes of people with that SQLSTATE where the condition holds, in words that say
/// something else.
fn refuse_changes(stranger: &mut Stranger, state: &str, when: &str) {
    stranger.run(&format!(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS \
         $$ BEGIN IF {when} THEN RAISE EXCEPTION 'nichts zu sehen' USING ERRCODE = '{state}'; END IF; RETURN NEW; END $$; \
         CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON profiles FOR EACH ROW EXECUTE FUNCTION refuse()"
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn r92_a_damaged_page_stops_only_what_needs_it_and_gives_nothing_up() {
    let app = TestApp::start(Backend::Postgres).await;
    let mut stranger = app.place.stranger();
    refuse_changes(&mut stranger, "XX001", "NEW.email LIKE 'p3@%'");
    let events: Vec<Event> = (0..8)
        .map(|n| employee(&format!("p{n}")).created(minute(n)))
        .collect();
    app.enqueue(&events);
    for _ in 0..12 {
        app.drain();
        app.advance(Duration::from_secs(20 * 60));
    }
    assert_eq!(app.people().len(), 7, "the others are applied");
    let waiting = app.event(&events[3].id()).await;
    assert_eq!(
        (&waiting["state"], &waiting["attempts"]),
        (&json!("ready"), &json!(0)),
        "{waiting}"
    );
    let ready = app.http.call("GET", "/health/ready").await;
    assert_eq!(ready.status, 503);
    assert!(
        ready.body["checks"]["database"]
            .as_str()
            .unwrap()
            .contains("damaged"),
        "{ready:?}"
    );
    stranger.run("DROP TRIGGER refuse ON profiles");
    app.drain();
    assert_eq!(app.people().len(), 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn r10_what_the_database_refuses_an_event_for_its_own_sake_is_given_up() {
    let app = TestApp::start(Backend::Postgres).await;
    let mut stranger = app.place.stranger();
    refuse_changes(&mut stranger, "22001", "NEW.email LIKE 'p3@%'");
    let events: Vec<Event> = (0..8)
        .map(|n| employee(&format!("p{n}")).created(minute(n)))
        .collect();
    app.enqueue(&events);
    struggle(&app, 40);
    assert_eq!(app.people().len(), 7);
    let failed = app.event(&events[3].id()).await;
    assert_eq!(
        (&failed["state"], &failed["attempts"]),
        (&json!("failed"), &json!(8))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn r74_with_a_locked_table_access_health_and_metrics_answer_at_once() {
    let app = TestApp::start(Backend::Postgres).await;
    app.apply(&ada().created(minute(0))).await;
    for table in ["outbox", "profiles"] {
        let mut stranger = app.place.stranger();
        stranger.run(&format!(
            "BEGIN; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE"
        ));
        let access = format!(
            "/v1/access?organization_id={}&email={}",
            ada().organization,
            ada().email()
        );
        for path in [access.as_str(), "/health/ready", "/metrics"] {
            let began = Instant::now();
            let answer = app.http.api("GET", path, None).await;
            assert!(matches!(answer.status, 200 | 503), "{path}: {answer:?}");
            let took = began.elapsed();
            assert!(
                took < Duration::from_secs(3),
                "{path} with {table} locked: {took:?}"
            );
        }
        let holders = app.read(|conn| rollcall::db::locks::holders(conn, 0));
        assert!(
            holders.iter().any(|holder| holder.tables.contains(table)),
            "{holders:?}"
        );
        stranger.let_go();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn r74_without_a_database_the_503_comes_at_once() {
    let app = TestApp::start(Backend::Postgres).await;
    let Place::Postgres(database) = &app.place else {
        panic!("it was asked for");
    };
    assert_eq!(
        app.deliver(&employee("a").created(minute(0))).await.status,
        200
    );
    database.close();
    for n in 0..5 {
        let began = Instant::now();
        let event = employee(&format!("b{n}")).created(minute(0));
        assert_eq!(app.deliver(&event).await.status, 503);
        let access = app.http.api("GET", "/v1/events", None).await;
        assert_eq!(access.status, 503);
        let took = began.elapsed();
        assert!(took < Duration::from_secs(2), "{took:?}");
    }
    database.open();
    eventually("it is taken again", async || {
        let answer = app.deliver(&employee("c").created(minute(0))).await;
        (answer.status == 200).then_some(())
    })
    .await;
    app.drain();
}

#[tokio::test(flavor = "multi_thread")]
async fn r74_r92_a_server_that_turned_read_only_is_left_and_found_again() {
    let app = TestApp::start(Backend::Postgres).await;
    app.apply(&ada().created(minute(0))).await;
    let removal = ada().deleted(minute(1));
    assert_eq!(app.deliver(&removal).await.status, 200);
    let mut stranger = app.place.stranger();
    let name = "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = ";
    let set = |value: &str| format!("{name}{value}', current_database()); END $$");
    stranger.run(&set("on"));
    let end_all = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity \
                   WHERE datname = current_database() AND pid <> pg_backend_pid()";
    stranger.run(end_all);
    let refused = app.deliver(&employee("b").created(minute(0))).await;
    assert_eq!(refused.status, 503, "{refused:?}");
    struggle(&app, 10);
    stranger.run(&format!(
        "SET default_transaction_read_only = off; {}",
        set("off")
    ));
    eventually("it is taken again", async || {
        let answer = app.deliver(&employee("c").created(minute(0))).await;
        (answer.status == 200).then_some(())
    })
    .await;
    assert_unharmed(&app, &removal).await;
}
