//! A real process is killed at every step of a send, and another one started: the receiver counts at
//! most one mail for each key, and what may have been taken is `unknown` and stays so; a webhook comes at least
//! once, each time under the same id (R63). The tables in docs/triggers.md are this file.
//!
//! Where there is nothing outside to stall at, a trigger in the database refuses the step's commit.

use rollcall::clock::Clock;
use rollcall::db::{Backend, Db, DbError, Urgency};
use rollcall::store::organizations;
use rollcall::triggers::deliveries::{DeliveryFilter, DeliveryRow, list};
use rollcall::triggers::store::{self, TriggerRow};
use rollcall::triggers::{NewTrigger, Policy};
use serde_json::json;

use crate::sending_heals::{ids, rows};
use crate::support::binary::{Service, rollcall};
use crate::support::events::{Employee, ORGANIZATION, ada, employee, minute};
use crate::support::http_sink::HttpAct;
use crate::support::macros::on_both;
use crate::support::place::Place;
use crate::support::sending::Sending;
use crate::support::smtp::{SmtpAct, SmtpSink, SmtpStep};
use crate::support::wait::eventually;

on_both!(
    r63_killed_before_a_sender_took_it_it_is_sent_once,
    r63_killed_after_a_sender_took_it_it_is_sent_once,
    r63_killed_while_connecting_it_is_unknown_and_nothing_was_taken,
    r63_killed_before_the_text_it_is_unknown_and_nothing_was_taken,
    r63_killed_after_the_text_it_is_unknown_and_was_taken_once,
    r63_killed_before_the_answer_was_written_down_it_is_unknown_and_was_taken_once,
    r63_killed_after_the_answer_was_written_down_it_was_sent_once,
    r63_killed_before_a_sender_took_it_the_webhook_comes_once,
    r63_killed_after_a_sender_took_it_the_webhook_comes_once,
    r63_killed_before_an_answer_the_webhook_comes_again_under_its_id,
    r63_killed_before_the_answer_was_written_down_the_webhook_comes_again_under_its_id,
    r63_killed_after_the_answer_was_written_down_the_webhook_comes_once,
);

/// Where the process is killed.
enum At {
    /// The commit of this state is refused.
    Commit(&'static str),
    /// The mail server, or the host application, goes silent.
    Server(SmtpStep),
    /// All is done.
    End,
}

struct Stage {
    place: Place,
    folder: tempfile::TempDir,
    mail: SmtpSink,
    db: Db,
}

impl Stage {
    /// An organization with messaging on that greets newcomers by mail.
    fn new(backend: Backend) -> Self {
        let (place, mail) = (Place::new(backend), SmtpSink::start());
        let db = Db::open(&place.url(), 2).unwrap();
        db.maintain(rollcall::db::migrate).unwrap();
        let body = json!({
            "organization_id": ORGANIZATION, "name": "welcome", "on": "profile.activated", "status": "published",
            "steps": [{"channel": "email", "to": "person", "subject": "Welcome", "text": "Good to have you."}],
        });
        let definition = NewTrigger::parse(&body, Policy::default()).unwrap();
        let now = Clock::System.now();
        let row = TriggerRow::new("trigger_1".to_owned(), &definition, now).unwrap();
        let set = |conn: &mut rollcall::db::Conn| {
            organizations::ensure(conn, &[ORGANIZATION.to_owned()], true, now)?;
            Ok::<_, DbError>(store::create(conn, &row, "test")?)
        };
        assert!(db.write(Urgency::Normal, set).unwrap());
        let folder = tempfile::tempdir().unwrap();
        Self {
            place,
            folder,
            mail,
            db,
        }
    }

    fn command(&self) -> std::process::Command {
        let mut command = rollcall(&self.place.url(), self.folder.path());
        command
            .env("ROLLCALL_SMTP_URL", self.mail.url())
            .env("ROLLCALL_MAIL_FROM", "rollcall@test.example");
        command
    }

    fn of(&self, recipient: &str) -> usize {
        let mails = self.mail.mails();
        let theirs = mails.iter().filter(|mail| mail.to == [recipient]);
        theirs.count()
    }

    fn first(&self) -> Option<DeliveryRow> {
        let filter = DeliveryFilter::default();
        let all = self
            .db
            .read(|conn| Ok::<_, DbError>(list(conn, &filter, 10)?));
        all.unwrap().pop()
    }
}

/// Kills a process there, starts another, and looks what became of the mail: the state that the first
/// left behind, the state in the end, and how many mails the server took.
async fn killed(backend: Backend, at: At, left: &str, in_the_end: &str, taken: usize) {
    let stage = Stage::new(backend);
    match at {
        At::Commit(state) => stage.place.refuse_state(state, None),
        At::Server(step) => stage.mail.next(step, SmtpAct::Stall),
        At::End => {}
    }
    let (mut first, http) = Service::serve(stage.command(), &[]).await;
    deliver(&http, &ada()).await;
    eventually("it came as far as that", async || {
        let there = match at {
            At::Commit(_) => first.words().contains("the test says no"),
            At::Server(SmtpStep::Text) => stage.of(&ada().email()) == 1,
            At::Server(SmtpStep::Data) => stage.mail.commands().contains(&"DATA".to_owned()),
            At::Server(_) => stage.mail.connections() == 1,
            At::End => true,
        };
        let row = stage.first()?;
        (there && row.state == left).then_some(())
    })
    .await;
    first.kill();
    stage.place.refuse_no_more();
    assert!(is_left(&stage.first().unwrap().state, left));
    // The lease runs out, without anybody waiting for it.
    let expire = "UPDATE deliveries SET lease_until = 1 WHERE lease_until IS NOT NULL";
    stage.place.stranger().run(expire);

    let (_second, http) = Service::serve(stage.command(), &[]).await;
    eventually("it is settled", async || {
        stage.first().filter(|row| row.state == in_the_end)
    })
    .await;
    // Who comes next is greeted: the sender has gone round, and had every chance to send twice.
    deliver(&http, &employee("bob")).await;
    eventually("bob is greeted", async || {
        (stage.of(&employee("bob").email()) == 1).then_some(())
    })
    .await;
    assert_eq!(stage.first().unwrap().state, in_the_end);
    assert_eq!(stage.of(&ada().email()), taken, "counted at the receiver");
}

/// What could not begin is handed back and taken again: either may be met.
fn is_left(state: &str, left: &str) -> bool {
    state == left || (left == "due" && state == "claimed")
}

/// The same with a webhook: in the end it has always come, so many times, under one id.
async fn killed_while_calling(backend: Backend, at: At, left: &str, came: usize) {
    let stage = Sending::new(backend, &["profile.activated"]);
    match at {
        At::Commit(state) => stage.place.refuse_state(state, None),
        At::Server(_) => stage.web.next("/hook", HttpAct::Stall),
        At::End => {}
    }
    let (mut first, http) = stage.serve().await;
    deliver(&http, &ada()).await;
    eventually("it came as far as that", async || {
        let there = match at {
            At::Commit(_) => first.words().contains("the test says no"),
            At::Server(_) => stage.web.requests().len() == 1,
            At::End => true,
        };
        let row = rows(&stage).pop()?;
        (there && row.state == left).then_some(())
    })
    .await;
    first.kill();
    stage.place.refuse_no_more();
    assert!(is_left(&rows(&stage)[0].state, left));
    let expire = "UPDATE deliveries SET lease_until = 1 WHERE lease_until IS NOT NULL";
    stage.place.stranger().run(expire);

    let (_second, http) = stage.serve().await;
    stage.all_sent(1).await;
    deliver(&http, &employee("bob")).await;
    stage.all_sent(2).await;
    assert_eq!(
        stage.web.requests().len(),
        came + 1,
        "counted at the receiver"
    );
    assert_eq!(ids(&stage).len(), 2, "one id each");
}

async fn r63_killed_before_a_sender_took_it_the_webhook_comes_once(backend: Backend) {
    killed_while_calling(backend, At::Commit("claimed"), "due", 1).await;
}

async fn r63_killed_after_a_sender_took_it_the_webhook_comes_once(backend: Backend) {
    killed_while_calling(backend, At::Commit("attempting"), "due", 1).await;
}

async fn r63_killed_before_an_answer_the_webhook_comes_again_under_its_id(backend: Backend) {
    killed_while_calling(backend, At::Server(SmtpStep::Text), "attempting", 2).await;
}

async fn r63_killed_before_the_answer_was_written_down_the_webhook_comes_again_under_its_id(
    backend: Backend,
) {
    killed_while_calling(backend, At::Commit("sent"), "attempting", 2).await;
}

async fn r63_killed_after_the_answer_was_written_down_the_webhook_comes_once(backend: Backend) {
    killed_while_calling(backend, At::End, "sent", 1).await;
}

async fn deliver(http: &crate::support::http::Caller, who: &Employee) {
    let created = who.created(minute(0));
    let answer = http.deliver(&created, Clock::System.now()).await.unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
}

async fn r63_killed_before_a_sender_took_it_it_is_sent_once(backend: Backend) {
    killed(backend, At::Commit("claimed"), "due", "sent", 1).await;
}

async fn r63_killed_after_a_sender_took_it_it_is_sent_once(backend: Backend) {
    killed(backend, At::Commit("attempting"), "due", "sent", 1).await;
}

async fn r63_killed_while_connecting_it_is_unknown_and_nothing_was_taken(backend: Backend) {
    let at = At::Server(SmtpStep::Greeting);
    killed(backend, at, "attempting", "unknown", 0).await;
}

async fn r63_killed_before_the_text_it_is_unknown_and_nothing_was_taken(backend: Backend) {
    let at = At::Server(SmtpStep::Data);
    killed(backend, at, "attempting", "unknown", 0).await;
}

async fn r63_killed_after_the_text_it_is_unknown_and_was_taken_once(backend: Backend) {
    let at = At::Server(SmtpStep::Text);
    killed(backend, at, "attempting", "unknown", 1).await;
}

async fn r63_killed_before_the_answer_was_written_down_it_is_unknown_and_was_taken_once(
    backend: Backend,
) {
    killed(backend, At::Commit("sent"), "attempting", "unknown", 1).await;
}

async fn r63_killed_after_the_answer_was_written_down_it_was_sent_once(backend: Backend) {
    killed(backend, At::End, "sent", "sent", 1).await;
}
