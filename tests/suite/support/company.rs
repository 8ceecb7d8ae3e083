//! A company that moves while something breaks. People are hired and leave, and WorkOS delivers each event
//! again and again until it is taken; newcomers are greeted by mail, a host application is told by webhook who
//! left. In the end comes the reckoning: nothing acknowledged is lost, nothing was done twice, and everybody
//! is what they must be.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use diesel::sql_types::{BigInt, Text};
use diesel::{QueryableByName, RunQueryDsl};
use rollcall::clock::Clock;
use rollcall::db::{Conn, Db, DbError, Urgency};
use rollcall::store::organizations;
use rollcall::triggers::store::{self, TriggerRow};
use rollcall::triggers::{NewTrigger, Policy};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::binary::{Service, rollcall};
use super::events::{Employee, Event};
use super::http::Caller;
use super::http_sink::HttpSink;
use super::post::WEBHOOK_SECRET;
use super::smtp::SmtpSink;
use super::wait::eventually;

/// So few in each organization that no guard holds their messages or removals (R40, R59).
const PEOPLE: usize = 20;
const LEAVERS: usize = 8;

/// The company, and everything it was promised.
pub struct Company {
    url: String,
    folder: tempfile::TempDir,
    mail: SmtpSink,
    web: HttpSink,
    organizations: Vec<Vec<Employee>>,
    door: Arc<Mutex<Option<Caller>>>,
    acknowledged: Arc<Mutex<BTreeSet<String>>>,
    refused: Arc<AtomicUsize>,
    senders: JoinSet<()>,
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = BigInt)]
    count: i64,
}

impl Company {
    /// So many organizations of twenty people in a database that may be empty; nobody moves yet.
    pub fn new(url: &str, organizations: usize) -> Self {
        let company = Self {
            url: url.to_owned(),
            folder: tempfile::tempdir().unwrap(),
            mail: SmtpSink::start(),
            web: HttpSink::start(),
            organizations: (0..organizations).map(people_of).collect(),
            door: Arc::default(),
            acknowledged: Arc::default(),
            refused: Arc::default(),
            senders: JoinSet::new(),
        };
        let db = company.database();
        db.maintain(rollcall::db::migrate).unwrap();
        for people in &company.organizations {
            company.enable_messaging(&db, &people[0].organization);
        }
        company
    }

    fn enable_messaging(&self, db: &Db, organization: &str) {
        let mail = json!({"channel": "email", "to": "person", "subject": "Welcome", "text": "Good to have you."});
        let webhook = json!({"channel": "webhook", "to": self.web.url("/left")});
        for (on, step) in [("profile.activated", mail), ("profile.removed", webhook)] {
            let body = json!({
                "organization_id": organization, "name": on, "on": on, "status": "published", "steps": [step],
            });
            let policy = Policy {
                allow_private_targets: true,
                slack_bot: false,
            };
            let definition = NewTrigger::parse(&body, policy).unwrap();
            let now = Clock::System.now();
            let id = format!("{organization} {on}");
            let row = TriggerRow::new(id, &definition, now).unwrap();
            let set = |conn: &mut Conn| {
                organizations::ensure(conn, &[organization.to_owned()], true, now)?;
                Ok::<_, DbError>(store::create(conn, &row, "test")?)
            };
            assert!(db.write(Urgency::Normal, set).unwrap());
        }
    }

    fn database(&self) -> Db {
        Db::open(&self.url, 2).unwrap()
    }

    /// `rollcall`, with mail and webhooks going to this company's servers.
    pub fn command(&self) -> Command {
        let mut command = rollcall(&self.url, self.folder.path());
        command
            .env("ROLLCALL_SMTP_URL", self.mail.url())
            .env("ROLLCALL_MAIL_FROM", "rollcall@test.example")
            .env("ROLLCALL_TRIGGER_WEBHOOK_SECRET", WEBHOOK_SECRET)
            .env("ROLLCALL_ALLOW_PRIVATE_TARGETS", "true");
        command
    }

    /// Serves, and lets WorkOS deliver there from now on.
    pub async fn serve(&self) -> (Service, Caller) {
        self.serve_by(self.command(), &[]).await
    }

    /// As [`Company::serve`], by a command of the test's own.
    pub async fn serve_by(&self, command: Command, more: &[&str]) -> (Service, Caller) {
        let (service, http) = Service::serve(command, more).await;
        *self.door.lock().unwrap() = Some(http.clone());
        (service, http)
    }

    /// Begins to move: four senders, each at most so often.
    pub fn begin(&mut self, pause: Duration) {
        let mut shares: Vec<Vec<Event>> = vec![Vec::new(); 4];
        for (number, people) in self.organizations.iter().enumerate() {
            shares[number % 4].extend(moves(people));
        }
        for events in shares {
            let door = Arc::clone(&self.door);
            let (acknowledged, refused) =
                (Arc::clone(&self.acknowledged), Arc::clone(&self.refused));
            self.senders.spawn(async move {
                for event in events {
                    while !deliver(&door, &event).await {
                        refused.fetch_add(1, Ordering::Relaxed);
                        // Backs off, as WorkOS does.
                        tokio::time::sleep(Duration::from_millis(50)).await;
                    }
                    acknowledged.lock().unwrap().insert(event.id());
                    // The rate of the load.
                    tokio::time::sleep(pause).await;
                }
            });
        }
    }

    /// How many events were answered 200.
    pub fn acknowledged(&self) -> usize {
        self.acknowledged.lock().unwrap().len()
    }

    /// How many deliveries were not: answered 503, or not at all.
    pub fn refused(&self) -> usize {
        self.refused.load(Ordering::Relaxed)
    }

    /// Waits until so many more are refused.
    pub async fn is_refused(&self, by: usize) {
        let goal = self.refused() + by;
        eventually("deliveries are refused", async || {
            (self.refused() >= goal).then_some(())
        })
        .await;
    }

    /// Waits until so many more are acknowledged, or all are.
    pub async fn moves_on(&self, by: usize) {
        let all: usize = self.organizations.len() * (PEOPLE + LEAVERS);
        let goal = self.acknowledged().saturating_add(by).min(all);
        eventually("deliveries are taken", async || {
            (self.acknowledged() >= goal).then_some(())
        })
        .await;
    }

    /// How many events the database has.
    pub fn stored(&self) -> usize {
        count(
            &self.database(),
            "SELECT event_id AS name, CAST(1 AS BIGINT) AS count FROM outbox",
        )
        .len()
    }

    /// Whether everybody who left is refused.
    pub async fn leavers_are_refused(&self, http: &Caller) -> bool {
        for person in self.organizations.iter().flat_map(|all| &all[..LEAVERS]) {
            if is_allowed(http, person).await {
                return false;
            }
        }
        true
    }

    /// Lets everybody arrive, and reckons. `may_be_unknown` is whether a message to a person may have been cut
    /// off: then it is `unknown`, and was taken at most once.
    pub async fn reckon(mut self, http: &Caller, may_be_unknown: bool) {
        while let Some(done) = self.senders.join_next().await {
            done.unwrap();
        }
        let db = self.database();
        settles(
            &db,
            "SELECT state AS name, count(*) AS count FROM outbox GROUP BY state",
            &["ready"],
        )
        .await;
        let deliveries = settles(
            &db,
            "SELECT state AS name, count(*) AS count FROM deliveries GROUP BY state",
            &["due", "claimed", "attempting"],
        )
        .await;
        self.nothing_is_lost(&db);
        self.everybody_is_right(&db, http).await;
        self.nothing_came_twice();
        self.all_were_told(&db);
        let known: BTreeSet<&str> = deliveries.keys().map(String::as_str).collect();
        let mut may_be = BTreeSet::from(["sent", "cancelled"]);
        if may_be_unknown {
            may_be.insert("unknown");
        }
        assert!(known.is_subset(&may_be), "{deliveries:?}");
    }

    fn nothing_is_lost(&self, db: &Db) {
        let outcomes = "SELECT event_id AS name, CAST(CASE outcome WHEN 'applied' THEN 1 ELSE 0 END AS BIGINT) AS count FROM outbox";
        let outcomes = count(db, outcomes);
        let acknowledged = self.acknowledged.lock().unwrap();
        let lost: Vec<_> = acknowledged
            .iter()
            .filter(|id| outcomes.get(*id) != Some(&1))
            .collect();
        assert!(lost.is_empty(), "acknowledged and not applied: {lost:?}");
        assert_eq!(
            outcomes.len(),
            acknowledged.len(),
            "each event is there once"
        );
    }

    async fn everybody_is_right(&self, db: &Db, http: &Caller) {
        let changes = "SELECT event_id AS name, count(*) AS count FROM changes WHERE what = 'status' GROUP BY event_id";
        let twice: Vec<_> = count(db, changes)
            .into_iter()
            .filter(|(_, times)| *times != 1)
            .collect();
        assert!(twice.is_empty(), "applied more than once: {twice:?}");
        for people in &self.organizations {
            for (number, person) in people.iter().enumerate() {
                let allowed = is_allowed(http, person).await;
                assert_eq!(allowed, number >= LEAVERS, "{}", person.name);
            }
        }
    }

    fn nothing_came_twice(&self) {
        let mut greeted = BTreeMap::<String, usize>::new();
        for mail in self.mail.mails() {
            *greeted.entry(mail.to.join(" ")).or_default() += 1;
        }
        let twice: Vec<_> = greeted.iter().filter(|(_, times)| **times > 1).collect();
        assert!(twice.is_empty(), "greeted twice: {twice:?}");
    }

    /// Each who left, under one id (R63). Whoever was never there, because the removal overtook the hire or came in
    /// one batch with it, has not left.
    fn all_were_told(&self, db: &Db) {
        let mut told = BTreeMap::<String, BTreeSet<String>>::new();
        for request in self.web.requests() {
            let id = request.header("webhook-id").unwrap().to_owned();
            let body = request.json();
            let address = body.pointer("/data/profile/email").and_then(Value::as_str);
            let address = address.unwrap_or_else(|| panic!("{body}")).to_owned();
            told.entry(address).or_default().insert(id);
        }
        let left = count(
            db,
            "SELECT profiles.email AS name, count(*) AS count FROM changes JOIN profiles ON profiles.id = changes.profile_id \
             JOIN changes AS came ON came.profile_id = changes.profile_id AND came.what = 'status' \
             AND came.new LIKE '%active%' AND came.recorded_at < changes.recorded_at \
             WHERE changes.what = 'status' AND changes.new LIKE '%removed%' GROUP BY profiles.email",
        );
        let silent: Vec<_> = left
            .keys()
            .filter(|address| !told.contains_key(*address))
            .collect();
        assert!(
            silent.is_empty(),
            "they left, and nobody was told: {silent:?}"
        );
        let twice: Vec<_> = told.iter().filter(|(_, ids)| ids.len() > 1).collect();
        assert!(twice.is_empty(), "told under several ids: {twice:?}");
    }
}

/// Waits until nothing is in these states any more, for as long as it gets less; answers how many are in others.
async fn settles(db: &Db, sql: &str, waiting: &[&str]) -> BTreeMap<String, i64> {
    let mut before = i64::MAX;
    loop {
        let (now, states) = eventually("what waits gets less", async || {
            let states = count(db, sql);
            let now: i64 = waiting.iter().filter_map(|state| states.get(*state)).sum();
            (now < before).then_some((now, states))
        })
        .await;
        if now == 0 {
            return states;
        }
        before = now;
    }
}

/// What `/v1/access` says of somebody.
pub async fn is_allowed(http: &Caller, person: &Employee) -> bool {
    let path = format!(
        "/v1/access?organization_id={}&email={}",
        person.organization,
        person.email()
    );
    http.api("GET", &path, None).await.ok()["allowed"] == true
}

fn people_of(organization: usize) -> Vec<Employee> {
    let person = |number| Employee {
        name: format!("o{organization}p{number}"),
        organization: format!("org_{organization:04}"),
        directory: format!("directory_{organization:04}"),
    };
    (0..PEOPLE).map(person).collect()
}

/// Everybody is hired; the first ones leave, each some hires later.
fn moves(people: &[Employee]) -> Vec<Event> {
    let mut at = Clock::System.now();
    let mut events = Vec::new();
    for (number, person) in people.iter().enumerate() {
        at = at.plus(Duration::from_millis(1));
        events.push(person.created(at));
        let left = number.checked_sub(PEOPLE - LEAVERS);
        if let Some(leaver) = left.and_then(|number| people.get(number)) {
            at = at.plus(Duration::from_millis(1));
            events.push(leaver.deleted(at));
        }
    }
    events
}

/// Whether it was taken. Whatever is neither 200 nor 503 fails the test.
async fn deliver(door: &Mutex<Option<Caller>>, event: &Event) -> bool {
    let there = door.lock().unwrap().clone();
    let Some(http) = there else { return false };
    match http.deliver(event, Clock::System.now()).await {
        Ok(answer) => {
            assert!(matches!(answer.status, 200 | 503), "{answer:?}");
            answer.status == 200
        }
        Err(_) => false,
    }
}

fn count(db: &Db, sql: &str) -> BTreeMap<String, i64> {
    let query = diesel::sql_query(sql);
    let rows: Vec<Row> = db
        .read(|conn| {
            Ok::<_, DbError>(match conn {
                Conn::Sqlite(c) => query.load(c)?,
                Conn::Postgres(c) => query.load(c)?,
            })
        })
        .unwrap();
    rows.into_iter().map(|row| (row.name, row.count)).collect()
}
