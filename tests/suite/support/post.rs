//! An app whose messages go to a mail server and a web server of the test, with triggers made in a
//! line and deliveries taken in hand as another process would.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rollcall::db::Backend;
use rollcall::store::organizations;
use rollcall::triggers::deliveries::{
    self, DeliveryFilter, DeliveryRow, InTheAir, Lane, Leased, Order, Rendered, Settled,
    begin_attempt, claim,
};
use rollcall::triggers::store::{self, TriggerRow};
use rollcall::triggers::{NewTrigger, Policy};
use serde_json::{Value, json};

use super::app::TestApp;
use super::events::{ORGANIZATION, ada, minute};
use super::http_sink::{HttpSink, TakenRequest};
use super::macros::Given;
use super::smtp::SmtpSink;

/// The key of outgoing webhooks in tests.
pub const WEBHOOK_SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD8vZw2kRBnJo=";
/// How long a sender holds a delivery.
pub const LEASE: Duration = Duration::from_secs(15);

/// An app whose messages go to servers of the test.
pub struct Post {
    pub app: TestApp,
    pub mail: SmtpSink,
    pub web: HttpSink,
}

/// Asks for so many of a lane, whosever they are.
pub fn order(owner: &str, lane: Lane, places: usize) -> Order<'_> {
    Order {
        owner,
        lane,
        places,
        share: usize::MAX,
        in_the_air: InTheAir::default(),
        lease: LEASE,
    }
}

impl Given for Post {
    async fn given(backend: Backend) -> Self {
        let (mail, web) = (SmtpSink::start(), HttpSink::start());
        let app = TestApp::start_with(backend, |setup| {
            setup.config.mail.smtp_url = Some(mail.url().into());
            setup.config.mail.from = Some("Rollcall <rollcall@test.example>".to_owned());
            setup.config.slack.bot_token = Some("xoxb-1".into());
            setup.config.slack.api_url = web.url("/api");
            setup.config.triggers.webhook_secret = Some(WEBHOOK_SECRET.into());
        })
        .await;
        Self { app, mail, web }
    }
}

impl Post {
    /// Turns messaging on.
    pub fn enable_messaging(&self) {
        let (ids, now) = ([ORGANIZATION.to_owned()], self.app.clock.now());
        self.app
            .write(|conn| organizations::ensure(conn, &ids, false, now));
        self.app
            .write(|conn| organizations::set_messaging(conn, ORGANIZATION, Some(now)));
    }

    /// A published trigger on `profile.activated`; answers its id.
    pub fn trigger(&self, steps: Value) -> String {
        self.trigger_on("profile.activated", steps)
    }

    /// A published trigger; answers its id.
    pub fn trigger_on(&self, on: &str, steps: Value) -> String {
        self.trigger_of(ORGANIZATION, on, steps)
    }

    /// A published trigger of an organization; answers its id.
    pub fn trigger_of(&self, organization: &str, on: &str, steps: Value) -> String {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let body = json!({
            "organization_id": organization, "name": format!("welcome {number}"),
            "on": on, "status": "published", "steps": steps,
        });
        let policy = Policy {
            allow_private_targets: true,
            slack_bot: true,
        };
        let definition = NewTrigger::parse(&body, policy).unwrap();
        let id = format!("trigger_{number}");
        let row = TriggerRow::new(id.clone(), &definition, self.app.clock.now()).unwrap();
        assert!(self.app.write(|conn| store::create(conn, &row, "test")));
        id
    }

    /// A mail to the person.
    pub fn mail_step() -> Value {
        json!({"channel": "email", "to": "person", "subject": "Welcome {{ first_name }}", "text": "Dear {{ first_name }}"})
    }

    /// A signed webhook.
    pub fn webhook_step(&self) -> Value {
        json!({"channel": "webhook", "to": self.web.url("/hook")})
    }

    /// A post to a Slack incoming webhook.
    pub fn slack_step(&self) -> Value {
        json!({"channel": "slack", "to": self.web.url("/slack"), "text": "{{ first_name }} is here"})
    }

    /// An organization with messaging on with one webhook step, and Ada, whose message is due.
    pub async fn one_due(&self) -> DeliveryRow {
        self.enable_messaging();
        self.trigger(json!([self.webhook_step()]));
        self.app.apply(&ada().created(minute(0))).await;
        self.only()
    }

    /// Every delivery.
    pub fn all(&self) -> Vec<DeliveryRow> {
        self.app
            .read(|conn| deliveries::list(conn, &DeliveryFilter::default(), 100))
    }

    /// The one delivery there is.
    pub fn only(&self) -> DeliveryRow {
        let mut all = self.all();
        assert_eq!(all.len(), 1, "{all:?}");
        all.remove(0)
    }

    /// The bodies of the webhooks at a path, in the order they came.
    pub fn told(&self, path: &str) -> Vec<Value> {
        let requests = self.web.requests();
        let here = requests.iter().filter(|request| request.path() == path);
        here.map(TakenRequest::json).collect()
    }

    /// Takes what is due as another process would.
    pub fn claim(&self, owner: &str) -> Vec<Leased> {
        let now = self.app.clock.now();
        let order = order(owner, Lane::Others, 10);
        let others = self.app.write(|conn| claim(conn, order, now));
        if !others.is_empty() {
            return others;
        }
        let order = self::order(owner, Lane::Removals, 10);
        self.app.write(|conn| claim(conn, order, now))
    }

    /// Begins an attempt as another process would.
    pub fn begin(&self, one: &Leased) -> bool {
        let (now, body) = (self.app.clock.now(), "…");
        let rendered = Rendered {
            recipient: "there",
            subject: None,
            body,
            html: None,
        };
        self.app
            .write(|conn| begin_attempt(conn, one, rendered, now, LEASE))
    }

    /// Settles as another process would.
    pub fn settle(&self, one: &Leased, how: &Settled) -> bool {
        let now = self.app.clock.now();
        self.app
            .write(|conn| deliveries::settle(conn, &one.id, one.lease_token, how, now))
    }
}
