//! The real binary sending signed webhooks to a web server of the test, over a database of its own that
//! can be made to refuse.

use std::process::Command;

use rollcall::clock::Clock;
use rollcall::db::{Backend, Conn, Db, DbError, Urgency};
use rollcall::store::organizations;
use rollcall::triggers::store::{self, TriggerRow};
use rollcall::triggers::{NewTrigger, Policy};
use serde_json::json;

use super::binary::{Service, ignores_full_disks, rollcall};
use super::events::{Employee, ORGANIZATION, minute};
use super::http::Caller;
use super::http_sink::HttpSink;
use super::place::Place;
use super::post::WEBHOOK_SECRET;
use super::wait::eventually;
use crate::sending_heals::{ids, rows};

/// An organization with messaging on whose host application is told at `/hook`.
pub struct Sending {
    pub place: Place,
    pub folder: tempfile::TempDir,
    pub web: HttpSink,
    pub db: Db,
}

impl Sending {
    /// Told of these events.
    pub fn new(backend: Backend, on: &[&str]) -> Self {
        let (place, web) = (Place::new(backend), HttpSink::start());
        let db = Db::open(&place.url(), 2).unwrap();
        db.maintain(rollcall::db::migrate).unwrap();
        let now = Clock::System.now();
        let policy = Policy {
            allow_private_targets: true,
            slack_bot: false,
        };
        let set = |conn: &mut Conn| {
            organizations::ensure(conn, &[ORGANIZATION.to_owned()], true, now)?;
            for (number, event) in on.iter().enumerate() {
                let body = json!({
                    "organization_id": ORGANIZATION, "name": format!("told {number}"), "on": event,
                    "status": "published", "steps": [{"channel": "webhook", "to": web.url("/hook")}],
                });
                let definition = NewTrigger::parse(&body, policy).unwrap();
                let row = TriggerRow::new(format!("trigger_{number}"), &definition, now).unwrap();
                assert!(store::create(conn, &row, "test")?);
            }
            Ok::<_, DbError>(())
        };
        db.write(Urgency::Normal, set).unwrap();
        let folder = tempfile::tempdir().unwrap();
        Self {
            place,
            folder,
            web,
            db,
        }
    }

    /// Starts the binary on it.
    pub async fn serve(&self) -> (Service, Caller) {
        Service::serve(ignores_full_disks(&self.command()), &[]).await
    }

    /// Starts a process beside it that works and sends; SQLite takes no second `serve`.
    pub fn work(&self) -> Service {
        let mut command = self.command();
        command.arg("work");
        Service::start(command)
    }

    fn command(&self) -> Command {
        let mut command = rollcall(&self.place.url(), self.folder.path());
        command
            .env("ROLLCALL_TRIGGER_WEBHOOK_SECRET", WEBHOOK_SECRET)
            .env("ROLLCALL_ALLOW_PRIVATE_TARGETS", "true");
        command
    }

    /// Delivers that these people are there now.
    pub async fn deliver(&self, http: &Caller, people: &[Employee]) {
        for person in people {
            let created = person.created(minute(0));
            let answer = http.deliver(&created, Clock::System.now()).await.unwrap();
            assert_eq!(answer.status, 200, "{answer:?}");
        }
        eventually("all of it is planned", async || {
            (rows(self).len() == people.len()).then_some(())
        })
        .await;
    }

    /// Delivers that somebody more is there.
    pub async fn deliver_more(&self, http: &Caller, person: &Employee) {
        let created = person.created(minute(1));
        let answer = http.deliver(&created, Clock::System.now()).await.unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
    }

    /// Waits until so many deliveries are all sent.
    pub async fn all_sent(&self, count: usize) {
        eventually("everything is sent", async || {
            let rows = rows(self);
            let sent = rows.iter().filter(|row| row.state == "sent").count();
            assert!(rows.iter().all(|row| row.state != "unknown"), "{rows:?}");
            (sent == count).then_some(())
        })
        .await;
    }

    /// Counted at the receiver.
    pub fn each_was_told_once(&self, count: usize) {
        assert_eq!(ids(self).len(), count);
        assert_eq!(self.web.requests().len(), count);
    }
}
