//! The whole service in this process, spoken to in verbs: deliver, drain, advance. It listens on a
//! free port, its clock stands still until the test moves it, and no worker runs unless asked for.
//! A test that ends with work left over fails, unless it said so.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rollcall::app::{App, Options, bind};
use rollcall::clock::{Clock, Timestamp};
use rollcall::config::Config;
use rollcall::db::{Backend, Conn, Db, DbError, Urgency};
use rollcall::outbox::{NewEvent, enqueue, queue_stats};
use rollcall::triggers::sender::Sender;
use rollcall::worker::Worker;
use rollcall::workos::read_envelope;
use serde_json::Value;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::{JoinHandle, block_in_place};

use super::events::{Event, morning};
use super::http::{Answer, Caller, SECRET, TOKEN};
use super::place::Place;

/// What can be set before a start.
pub struct Setup {
    pub config: Config,
    pub options: Options,
}

/// The running service.
pub struct TestApp {
    pub db: Db,
    pub clock: Clock,
    pub http: Caller,
    pub worker: Worker,
    pub sender: Sender,
    pub place: Place,
    stop: watch::Sender<bool>,
    serving: Option<JoinHandle<()>>,
    work_may_be_left: AtomicBool,
}

impl TestApp {
    /// Starts with the tests' settings.
    pub async fn start(backend: Backend) -> Self {
        Self::start_with(backend, |_| ()).await
    }

    /// Starts with settings of the test's own.
    pub async fn start_with(backend: Backend, set: impl FnOnce(&mut Setup)) -> Self {
        let place = block_in_place(|| Place::new(backend));
        Self::start_at(place, Clock::fixed(morning()), set).await
    }

    /// Starts at a database that is there already.
    pub async fn start_at(place: Place, clock: Clock, set: impl FnOnce(&mut Setup)) -> Self {
        let mut config = Config::defaults().unwrap();
        config.database.url = place.url();
        config.http.listen = "127.0.0.1:0".parse().unwrap();
        config.webhook.secrets = Some(SECRET.into());
        config.access.admin_token = Some(TOKEN.into());
        config.triggers.allow_private_targets = true;
        config.http.snapshot = Duration::ZERO;
        let options = Options {
            no_worker: true,
            ..Options::default()
        };
        let mut setup = Setup { config, options };
        set(&mut setup);
        Self::run(setup, place, clock).await
    }

    /// Ends, and leaves its database.
    pub fn stop(mut self) -> Place {
        let nowhere = Place::Sqlite(tempfile::tempdir().unwrap());
        std::mem::replace(&mut self.place, nowhere)
    }

    async fn run(setup: Setup, place: Place, clock: Clock) -> Self {
        let listener = bind(setup.config.http.listen).unwrap();
        let http = Caller::new(listener.local_addr().unwrap());
        let app = block_in_place(|| App::open(setup.config, clock.clone(), setup.options)).unwrap();
        let (stop, stopped) = watch::channel(false);
        let (db, worker, sender) = (app.db.clone(), app.worker(0), app.sender());
        let serving = tokio::spawn(async move {
            let _ = app.serve(listener, stopped).await.unwrap();
        });
        // Answered when it has begun: nothing that the test does may come in between.
        assert_eq!(http.call("GET", "/health/live").await.status, 200);
        Self {
            db,
            clock,
            http,
            worker,
            sender,
            place,
            stop,
            serving: Some(serving),
            work_may_be_left: AtomicBool::new(false),
        }
    }

    /// Delivers an event, signed now.
    pub async fn deliver(&self, event: &Event) -> Answer {
        self.http.deliver(event, self.clock.now()).await.unwrap()
    }

    /// Delivers bytes, signed now.
    pub async fn deliver_bytes(&self, body: impl Into<Vec<u8>>) -> Answer {
        let now = self.clock.now();
        self.http.deliver_signed(body.into(), now).await.unwrap()
    }

    /// Delivers bytes with headers of the test's own.
    pub async fn deliver_raw(
        &self,
        body: impl Into<reqwest::Body>,
        headers: &[(&str, &str)],
    ) -> Answer {
        self.http.deliver_raw(body, headers).await.unwrap()
    }

    /// Delivers an event that must be new, and works everything off. Answers the event.
    pub async fn apply(&self, event: &Event) -> Value {
        let answer = self.deliver(event).await;
        assert_eq!(answer.body["status"], "accepted", "{answer:?}");
        self.drain();
        self.event(&event.id()).await
    }

    /// Puts many events into the outbox at once, past the door.
    pub fn enqueue(&self, events: &[Event]) {
        let now = self.clock.now();
        let rows: Vec<NewEvent> = events.iter().map(|event| new_event(event, now)).collect();
        self.write(|conn| enqueue(conn, &rows));
    }

    /// Works off everything that is due; answers how many events.
    pub fn drain(&self) -> usize {
        block_in_place(|| self.worker.drain()).unwrap()
    }

    /// Sends everything that is due.
    pub async fn send_due(&self) -> usize {
        let mut total = 0;
        loop {
            match self.sender.run_once().await.unwrap() {
                0 => return total,
                sent => total += sent,
            }
        }
    }

    /// Moves the clock.
    pub fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    /// One event as the API shows it.
    pub async fn event(&self, id: &str) -> Value {
        self.http
            .api("GET", &format!("/v1/events/{id}"), None)
            .await
            .ok()
    }

    /// Replays one event through the API.
    pub async fn replay(&self, id: &str) -> Value {
        self.http
            .api("POST", &format!("/v1/events/{id}/replay"), None)
            .await
            .ok()
    }

    /// Reads the database.
    pub fn read<T>(&self, work: impl FnOnce(&mut Conn) -> diesel::QueryResult<T>) -> T {
        block_in_place(|| self.db.read(|conn| Ok::<_, DbError>(work(conn)?))).unwrap()
    }

    /// Writes the database.
    pub fn write<T>(&self, work: impl FnOnce(&mut Conn) -> diesel::QueryResult<T>) -> T {
        let done = block_in_place(|| {
            self.db
                .write(Urgency::Normal, |conn| Ok::<_, DbError>(work(conn)?))
        });
        done.unwrap()
    }

    /// Says that events may wait when the test ends.
    pub fn leave_work(&self) {
        self.work_may_be_left.store(true, Ordering::Relaxed);
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        let failed = std::thread::panicking();
        let left = (!failed && !self.work_may_be_left.load(Ordering::Relaxed))
            .then(|| self.read(queue_stats).ready);
        let _ = self.stop.send(true);
        if let Some(serving) = self.serving.take() {
            let patience = Duration::from_secs(5);
            let _ = block_in_place(|| {
                Handle::current().block_on(async { tokio::time::timeout(patience, serving).await })
            });
        }
        if let Some(left) = left {
            assert_eq!(left, 0, "events still wait at the end of the test");
        }
    }
}

/// An event as the outbox takes it.
pub fn new_event(event: &Event, now: Timestamp) -> NewEvent {
    let body = event.0.to_string();
    let envelope = read_envelope(body.as_bytes()).unwrap();
    NewEvent::new(envelope, body, now)
}
