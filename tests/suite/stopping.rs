//! A real process is asked to stop while something hangs: it ends within its limit, whoever is connected has an
//! answer, the exit code tells whether something was left, and what was left is right after the next start.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rollcall::clock::Clock;
use rollcall::db::{Backend, Conn, Db, DbError, Urgency};
use rollcall::store::organizations;
use rollcall::triggers::deliveries::{DeliveryFilter, DeliveryRow, list};
use rollcall::triggers::store::{self, TriggerRow};
use rollcall::triggers::{NewTrigger, Policy};
use serde_json::{Value, json};

use crate::support::binary::{Service, rollcall};
use crate::support::events::{ORGANIZATION, ada, employee, minute};
use crate::support::http::Caller;
use crate::support::http_sink::{HttpAct, HttpSink};
use crate::support::line::Line;
use crate::support::macros::on_both;
use crate::support::place::Place;
use crate::support::smtp::{SmtpAct, SmtpSink, SmtpStep};
use crate::support::wait::eventually;

on_both!(
    r63_a_mail_server_that_never_answers_leaves_the_message_unknown,
    r63_a_mail_that_was_not_handed_over_is_given_back,
    r63_a_receiver_that_never_answers_holds_up_no_stop,
    r2_a_database_that_somebody_holds_holds_up_no_stop,
    r2_slow_clients_are_answered_and_hold_up_no_stop,
    a_workos_that_never_answers_holds_up_no_stop_and_is_asked_again_at_once,
    every_connection_is_answered_while_the_service_stops,
    work_and_work_once_stop_in_time,
    a_second_signal_ends_at_once,
);

/// `ROLLCALL_SHUTDOWN_SECONDS` here.
const LIMIT: Duration = Duration::from_secs(2);
const FINISHED: Option<i32> = Some(0);
const WORK_LEFT: Option<i32> = Some(75);

struct Stage {
    place: Place,
    folder: tempfile::TempDir,
    mail: SmtpSink,
    web: HttpSink,
    db: Db,
}

impl Stage {
    /// An organization with messaging on that greets newcomers by these steps.
    fn new(backend: Backend, step: impl FnOnce(&HttpSink) -> Value) -> Self {
        let (place, mail, web) = (Place::new(backend), SmtpSink::start(), HttpSink::start());
        let db = Db::open(&place.url(), 2).unwrap();
        db.maintain(rollcall::db::migrate).unwrap();
        let body = json!({
            "organization_id": ORGANIZATION, "name": "welcome", "on": "profile.activated",
            "status": "published", "steps": [step(&web)],
        });
        let policy = Policy {
            allow_private_targets: true,
            ..Policy::default()
        };
        let now = Clock::System.now();
        let definition = NewTrigger::parse(&body, policy).unwrap();
        let row = TriggerRow::new("trigger_1".to_owned(), &definition, now).unwrap();
        let set = |conn: &mut Conn| {
            organizations::ensure(conn, &[ORGANIZATION.to_owned()], true, now)?;
            Ok::<_, DbError>(store::create(conn, &row, "test")?)
        };
        assert!(db.write(Urgency::Normal, set).unwrap());
        Self {
            place,
            folder: tempfile::tempdir().unwrap(),
            mail,
            web,
            db,
        }
    }

    fn with_mail(backend: Backend) -> Self {
        let step = json!({"channel": "email", "to": "person", "subject": "Welcome", "text": "Good to have you."});
        Self::new(backend, |_| step)
    }

    fn with_webhook(backend: Backend) -> Self {
        let stage = Self::new(
            backend,
            |web| json!({"channel": "webhook", "to": web.url("/hook")}),
        );
        stage.web.always("/hook", HttpAct::Stall);
        stage
    }

    fn command(&self) -> Command {
        let mut command = rollcall(&self.place.url(), self.folder.path());
        command
            .env("ROLLCALL_SHUTDOWN_SECONDS", LIMIT.as_secs().to_string())
            .env("ROLLCALL_ALLOW_PRIVATE_TARGETS", "true")
            .env("ROLLCALL_SMTP_URL", self.mail.url())
            .env("ROLLCALL_MAIL_FROM", "rollcall@test.example");
        command
    }

    async fn serve(&self) -> (Service, Caller) {
        Service::serve(self.command(), &[]).await
    }

    fn first_of_all(&self) -> Option<DeliveryRow> {
        let filter = DeliveryFilter::default();
        let all = self
            .db
            .read(|conn| Ok::<_, DbError>(list(conn, &filter, 10)?));
        all.unwrap().pop()
    }

    fn first(&self) -> DeliveryRow {
        self.first_of_all().expect("a message was planned")
    }

    fn mails(&self) -> usize {
        self.mail.mails().len()
    }

    /// The mail server goes silent there, and Ada is to be greeted.
    async fn hang_at(&self, step: SmtpStep, http: &Caller) {
        self.mail.next(step, SmtpAct::Stall);
        deliver(http, "ada").await;
        eventually("the mail server is asked", async || {
            let there = match step {
                SmtpStep::Text => self.mails() == 1,
                _ => self.mail.connections() == 1,
            };
            there.then_some(())
        })
        .await;
    }
}

async fn deliver(http: &Caller, who: &str) {
    let event = match who {
        "ada" => ada().created(minute(0)),
        who => employee(who).created(minute(1)),
    };
    let answer = http.deliver(&event, Clock::System.now()).await.unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
}

async fn r63_a_mail_server_that_never_answers_leaves_the_message_unknown(backend: Backend) {
    let stage = Stage::with_mail(backend);
    let (mut service, http) = stage.serve().await;
    stage.hang_at(SmtpStep::Text, &http).await;
    let (status, words) = service.stopped_within(LIMIT).await;
    assert_eq!(status.code(), WORK_LEFT, "{words}");
    assert_eq!(stage.first().state, "unknown");
    // The next one sends to whoever comes, and not that message again.
    let (_next, http) = stage.serve().await;
    deliver(&http, "bob").await;
    eventually("bob is greeted", async || {
        (stage.mails() == 2).then_some(())
    })
    .await;
    assert_eq!(stage.first().state, "unknown");
}

async fn r63_a_mail_that_was_not_handed_over_is_given_back(backend: Backend) {
    let stage = Stage::with_mail(backend);
    let (mut service, http) = stage.serve().await;
    stage.hang_at(SmtpStep::Greeting, &http).await;
    let (status, words) = service.stopped_within(LIMIT).await;
    assert_eq!(status.code(), WORK_LEFT, "{words}");
    assert_eq!(stage.first().state, "due");
    let now = "UPDATE deliveries SET due_at = 1";
    stage.place.stranger().run(now);
    let (_next, _) = stage.serve().await;
    eventually("it is sent", async || {
        (stage.first().state == "sent").then_some(())
    })
    .await;
    assert_eq!(stage.mails(), 1);
}

async fn r63_a_receiver_that_never_answers_holds_up_no_stop(backend: Backend) {
    let stage = Stage::with_webhook(backend);
    let (mut service, http) = stage.serve().await;
    deliver(&http, "ada").await;
    stage.web.wait_for(1).await;
    let (status, words) = service.stopped_within(LIMIT).await;
    assert_eq!(status.code(), WORK_LEFT, "{words}");
    let state = stage.first().state;
    assert!(
        ["unknown", "due"].contains(&state.as_str()),
        "it is in nobody's hand: {state}"
    );
}

async fn r2_a_database_that_somebody_holds_holds_up_no_stop(backend: Backend) {
    let stage = Stage::with_mail(backend);
    let (mut service, http) = stage.serve().await;
    let mut stranger = stage.place.stranger();
    stranger.hold_the_outbox();
    let event = ada().created(minute(0));
    let waiting = tokio::spawn({
        let (http, event) = (Caller::new(http.address()), event.clone());
        async move { http.deliver(&event, Clock::System.now()).await }
    });
    // It has come to the server when another one that needs no database is answered.
    assert_eq!(http.call("GET", "/health/live").await.status, 200);
    let (status, words) = service.stopped_within(LIMIT).await;
    assert_eq!(status.code(), WORK_LEFT, "{words}");
    let answer = waiting.await.unwrap().unwrap();
    assert_eq!(answer.status, 503, "{answer:?}");
    assert!(!answer.header("retry-after").is_empty());
    stranger.let_go();
    let (_next, http) = stage.serve().await;
    let again = http.deliver(&event, Clock::System.now()).await.unwrap();
    assert_eq!(again.status, 200, "{again:?}");
    eventually("it is applied", async || {
        let path = format!("/v1/events/{}", event.id());
        let shown = http.api("GET", &path, None).await.ok();
        (shown["outcome"] == "applied").then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r2_a_postgres_that_answers_no_more_holds_up_no_stop() {
    let stage = Stage::with_mail(Backend::Postgres);
    let line = Line::to(&stage.place.url());
    let mut command = stage.command();
    command.env("DATABASE_URL", &line.url);
    let (mut service, http) = Service::serve(command, &[]).await;
    deliver(&http, "ada").await;
    eventually("ada is greeted", async || {
        (stage.first_of_all()?.state == "sent").then_some(())
    })
    .await;
    line.freeze();
    let event = employee("bob").created(minute(1));
    let waiting = tokio::spawn({
        let (http, event) = (Caller::new(http.address()), event.clone());
        async move { http.deliver(&event, Clock::System.now()).await }
    });
    let page = tokio::spawn({
        let http = Caller::new(http.address());
        async move { http.api("GET", "/v1/profiles", None).await }
    });
    // Both have come to the server when another one that needs no database is answered.
    assert_eq!(http.call("GET", "/health/live").await.status, 200);
    let (status, words) = service.stopped_within(LIMIT).await;
    assert_eq!(status.code(), WORK_LEFT, "{words}");
    assert_eq!(waiting.await.unwrap().unwrap().status, 503);
    assert_eq!(page.await.unwrap().status, 503);
    let (_next, http) = stage.serve().await;
    let again = http.deliver(&event, Clock::System.now()).await.unwrap();
    assert_eq!(again.status, 200, "{again:?}");
    eventually("everybody is greeted once", async || {
        (stage.mails() == 2).then_some(())
    })
    .await;
}

/// Says this much and waits for the answer, sending a byte now and then.
fn trickle(address: SocketAddr, said: &'static [u8], more: bool) -> thread::JoinHandle<String> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(said).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_millis(100)))
        .unwrap();
    thread::spawn(move || {
        let (mut answer, began) = (Vec::new(), Instant::now());
        let mut some = [0; 4096];
        while began.elapsed() < Duration::from_secs(20) {
            match stream.read(&mut some) {
                Ok(0) => break,
                Ok(read) => answer.extend_from_slice(&some[..read]),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    if more && stream.write_all(b"x").is_err() {
                        break;
                    }
                }
                Err(_) => break,
            }
        }
        String::from_utf8(answer).unwrap()
    })
}

async fn r2_slow_clients_are_answered_and_hold_up_no_stop(backend: Backend) {
    let stage = Stage::with_mail(backend);
    let (mut service, http) = stage.serve().await;
    let body = b"POST /v1/logins HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer a-token-of-the-tests-of-rollcall\r\n\
                 Content-Length: 5000\r\n\r\n{";
    let clients = [
        ("a body", trickle(http.address(), body, true)),
        ("half a head", trickle(http.address(), b"GET /v1/ev", true)),
        ("nothing", trickle(http.address(), b"", false)),
    ];
    assert_eq!(http.call("GET", "/health/live").await.status, 200);
    let (status, words) = service.stopped_within(LIMIT).await;
    assert_eq!(status.code(), FINISHED, "nothing was in hand: {words}");
    for (what, client) in clients {
        let answer = client.join().unwrap().to_lowercase();
        assert!(answer.starts_with("http/1.1 503 "), "{what}: {answer:?}");
        assert!(answer.contains("connection: close"), "{what}: {answer:?}");
        assert!(answer.contains("retry-after: "), "{what}: {answer:?}");
    }
}

async fn a_workos_that_never_answers_holds_up_no_stop_and_is_asked_again_at_once(backend: Backend) {
    let stage = Stage::with_mail(backend);
    stage.web.always("/events", HttpAct::Stall);
    let command = || {
        let mut command = stage.command();
        command
            .env("WORKOS_API_KEY", "sk_test_1")
            .env("WORKOS_CLIENT_ID", "client_1")
            .env("WORKOS_API_URL", stage.web.url(""));
        command
    };
    let (mut service, _) = Service::serve(command(), &[]).await;
    stage.web.wait_for(1).await;
    let (status, words) = service.stopped_within(LIMIT).await;
    assert_eq!(status.code(), FINISHED, "{words}");
    // Its lease is free, so that the next one need not wait for its end.
    let (_next, _) = Service::serve(command(), &[]).await;
    stage.web.wait_for(2).await;
}

/// Connects again and again until nobody is there; answers how often it was answered and how often not.
fn knock(address: SocketAddr, unanswered: &AtomicUsize) -> usize {
    let mut answered = 0;
    while let Ok(mut stream) = TcpStream::connect_timeout(&address, Duration::from_secs(5)) {
        stream
            .set_read_timeout(Some(Duration::from_secs(5)))
            .unwrap();
        // Whoever ends may have answered before it has read.
        let _ = stream.write_all(b"GET /health/ready HTTP/1.1\r\nHost: x\r\n\r\n");
        let mut head = [0; 9];
        match stream.read_exact(&mut head) {
            Ok(()) if &head == b"HTTP/1.1 " => answered += 1,
            _ => drop(unanswered.fetch_add(1, Ordering::SeqCst)),
        }
    }
    answered
}

async fn every_connection_is_answered_while_the_service_stops(backend: Backend) {
    let stage = Stage::with_webhook(backend);
    let (mut service, http) = stage.serve().await;
    deliver(&http, "ada").await;
    stage.web.wait_for(1).await;
    let unanswered = AtomicUsize::new(0);
    let (status, words, answered) = thread::scope(|scope| {
        let knocking: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| knock(http.address(), &unanswered)))
            .collect();
        let (status, words) = tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(async {
                let began = Instant::now();
                service.terminate();
                let late = eventually("requests are turned away", async || {
                    let late = http.plain("GET", "/v1/profiles").await;
                    (late.status == 503).then_some(late)
                })
                .await;
                assert_eq!(late.header("connection"), "close", "{late:?}");
                assert!(!late.header("retry-after").is_empty(), "{late:?}");
                assert!(late.text.contains("stopping"), "{late:?}");
                assert_eq!(http.call("GET", "/health/live").await.status, 200);
                let ended = service.ended().await;
                assert!(began.elapsed() < LIMIT + Duration::from_millis(500));
                ended
            })
        });
        let answered: usize = knocking.into_iter().map(|one| one.join().unwrap()).sum();
        (status, words, answered)
    });
    assert_eq!(status.code(), WORK_LEFT, "{words}");
    assert!(answered > 0);
    assert_eq!(unanswered.into_inner(), 0, "of {answered}");
}

async fn work_and_work_once_stop_in_time(backend: Backend) {
    let stage = Stage::with_mail(backend);
    let (mut taker, http) = Service::serve(stage.command(), &["--no-worker"]).await;
    for (who, arguments, sent) in [
        ("ada", &["work", "--once"][..], 1),
        ("bob", &["work"][..], 2),
    ] {
        stage.mail.next(SmtpStep::Text, SmtpAct::Stall);
        deliver(&http, who).await;
        let mut command = stage.command();
        command.args(arguments);
        let mut worker = Service::start(command);
        eventually("the mail server has the text", async || {
            (stage.mails() == sent).then_some(())
        })
        .await;
        let (status, words) = worker.stopped_within(LIMIT).await;
        assert_eq!(status.code(), WORK_LEFT, "{arguments:?}: {words}");
        assert_eq!(stage.first().state, "unknown", "{arguments:?}");
    }
    let (status, words) = taker.stopped_within(LIMIT).await;
    assert_eq!(status.code(), FINISHED, "{words}");
}

async fn a_second_signal_ends_at_once(backend: Backend) {
    let stage = Stage::with_mail(backend);
    let mut command = stage.command();
    command.env("ROLLCALL_SHUTDOWN_SECONDS", "60");
    let (mut service, http) = Service::serve(command, &[]).await;
    stage.hang_at(SmtpStep::Text, &http).await;
    service.terminate();
    eventually("the first is heard", async || {
        service.words().contains("stopping").then_some(())
    })
    .await;
    let (status, words) = service.stopped_within(Duration::from_secs(1)).await;
    assert_eq!(status.code(), WORK_LEFT, "{words}");
}
