//! Who is greeted and when: nobody by an import, newcomers by their start date and their own clock, a
//! burst only after an operator's yes, nobody late at night or long after, nobody who left or asked
//! not to be.

use std::time::Duration;

use rollcall::clock::{Clock, Timestamp};
use rollcall::db::Backend;
use rollcall::triggers::deliveries::{self, DeliveryFilter, DeliveryRow};
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::events::{
    Employee, Event, ORGANIZATION, ada, directory, employee, group, minute, morning,
};
use crate::support::http_sink::HttpSink;
use crate::support::macros::{Given, on_both};
use crate::support::place::Place;
use crate::support::smtp::SmtpSink;

on_both!(
    r56_five_thousand_creates_over_thirteen_hours_before_the_arming_and_no_message,
    r18_a_whole_month_replayed_sends_nothing,
    r57_who_started_long_before_the_arming_is_not_greeted,
    r58_without_a_start_date_only_who_is_first_heard_of_after_the_arming_is_greeted,
    r59_more_welcomes_than_the_guard_lets_pass_wait_for_a_yes,
    r59_a_rejected_batch_is_never_sent_and_the_next_newcomer_is_greeted,
    r59_whoever_leaves_while_the_batch_waits_gets_nothing,
    r60_a_future_start_is_greeted_on_that_day_at_nine_where_they_are,
    r60_a_moved_start_moves_what_is_due_and_leaving_first_cancels_it,
    r62_after_a_down_time_the_first_day_goes_late_and_old_drips_are_skipped,
    r62_more_than_a_day_late_nothing_goes_but_what_a_machine_is_told,
    r64_opted_out_on_leave_or_quiet_is_seen_when_it_is_sent,
    a_digest_speaks_for_many_and_a_few_go_one_by_one,
    a_field_that_changed_to_something_fires_and_nothing_else_does,
    a_membership_trigger_speaks_of_the_community_it_names,
);

/// An app with real servers for mail and posts, and a directory.
pub struct Clockwork {
    /// The app.
    pub app: TestApp,
    /// Where mail goes.
    pub mail: SmtpSink,
    /// Where posts go.
    pub web: HttpSink,
}

impl Given for Clockwork {
    async fn given(backend: Backend) -> Self {
        let (place, clock) = (
            tokio::task::block_in_place(|| Place::new(backend)),
            Clock::fixed(morning()),
        );
        let (mail, web) = (SmtpSink::start(), HttpSink::start());
        let given = Self::at(place, clock, mail, web).await;
        given
            .app
            .apply(&directory("dsync.activated", minute(0)))
            .await;
        given
    }
}

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(24 * 3_600);

impl Clockwork {
    /// At a database that is there already.
    pub async fn at(place: Place, clock: Clock, mail: SmtpSink, web: HttpSink) -> Self {
        let app = TestApp::start_at(place, clock, |setup| {
            setup.config.mail.smtp_url = Some(mail.url().into());
            setup.config.mail.from = Some("Rollcall <rollcall@test.example>".to_owned());
            setup.config.triggers.webhook_secret =
                Some("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD8vZw2kRBnJo=".into());
        })
        .await;
        Self { app, mail, web }
    }

    pub async fn enable_messaging(&self) -> Value {
        let path = format!("/v1/organizations/{ORGANIZATION}/messaging/enable");
        self.app.call("POST", &path, Value::Null).await.ok()
    }

    pub async fn settings(&self, settings: Value) {
        let path = format!("/v1/organizations/{ORGANIZATION}/messages");
        self.app.call("PUT", &path, settings).await.ok();
    }

    pub async fn trigger(&self, mut body: Value) -> String {
        body["organization_id"] = json!(ORGANIZATION);
        body["status"] = json!("published");
        let made = self.app.call("POST", "/v1/triggers", body).await.ok();
        made["id"].as_str().unwrap().to_owned()
    }

    /// A welcome by mail with these steps' times: (after, at).
    pub async fn welcome(&self, steps: &[(&str, Option<&str>)]) {
        let steps: Vec<Value> = steps
            .iter()
            .enumerate()
            .map(|(place, (after, at))| {
                json!({"channel": "email", "to": "person", "after": after, "at": at,
                       "subject": format!("step {place}"), "text": "Dear {{ first_name }}"})
            })
            .collect();
        let body = json!({"name": "welcome", "on": "profile.activated", "steps": steps});
        self.trigger(body).await;
    }

    pub fn all(&self) -> Vec<DeliveryRow> {
        let filter = DeliveryFilter::default();
        let mut all = self
            .app
            .read(|conn| deliveries::list(conn, &filter, 10_000));
        all.sort_by_key(|row| (row.due_at, row.step));
        all
    }

    fn states(&self) -> Vec<String> {
        self.all().into_iter().map(|row| row.state).collect()
    }

    fn due(&self) -> Vec<String> {
        let of = |row: DeliveryRow| row.due_at.to_string();
        self.all().into_iter().map(of).collect()
    }

    pub fn enqueue(&self, events: &[Event]) {
        for some in events.chunks(500) {
            self.app.enqueue(some);
        }
        self.app.drain();
    }

    /// Moves the clock to an instant that lies ahead.
    pub fn until(&self, text: &str) {
        let to = Timestamp::parse(text).unwrap();
        self.app.advance(to.since(self.app.clock.now()));
        assert_eq!(self.app.clock.now(), to);
    }

    pub async fn subjects(&self) -> Vec<String> {
        self.app.send_due().await;
        let mails = self.mail.mails();
        let subjects = mails.iter().map(|mail| mail.header("Subject").unwrap());
        subjects.collect()
    }

    pub async fn only_hold(&self) -> Value {
        let page = self.app.get("/v1/holds?state=open").await;
        let all = page["data"].as_array().unwrap();
        assert_eq!(all.len(), 1, "{all:?}");
        all[0].clone()
    }
}

pub fn somebody(number: usize) -> Employee {
    employee(&format!("p{number:04}"))
}

fn starting(who: &Employee, day: &str, zone: &str) -> Event {
    who.created(minute(1))
        .set("data.custom_attributes.employment_start_date", day)
        .set("data.custom_attributes.timezone", zone)
}

async fn r56_five_thousand_creates_over_thirteen_hours_before_the_arming_and_no_message(
    given: Clockwork,
) {
    given.welcome(&[("PT0S", None), ("P1D", None)]).await;
    for hour in 0..13 {
        let some: Vec<Event> = (hour * 385..((hour + 1) * 385).min(5_000))
            .map(|number| somebody(number).created(minute(hour as u64 * 60)))
            .collect();
        given.enqueue(&some);
        given.app.advance(HOUR);
    }
    assert_eq!(given.app.count("profiles WHERE status = 'active'"), 5_000);
    let enabled = given.enable_messaging().await;
    assert_eq!(enabled["people"], 5_000);
    assert_eq!(enabled["messages_due"], 0);
    assert_eq!(enabled["published"], json!(["welcome"]));
    given.app.advance(DAY * 3);
    assert_eq!(given.app.count("deliveries"), 0);
    assert_eq!(given.app.send_due().await, 0);
    // The first who comes after it is greeted.
    given.app.apply(&ada().created(minute(5_000))).await;
    assert_eq!(given.app.count("deliveries"), 2);
}

async fn r18_a_whole_month_replayed_sends_nothing(given: Clockwork) {
    given.welcome(&[("PT0S", None)]).await;
    given.enable_messaging().await;
    for day in 0..30_u64 {
        let at = morning().plus(Duration::from_secs(day * 86_400));
        let number = usize::try_from(day).unwrap();
        let mut events = vec![somebody(number).created(at)];
        if day % 3 == 0 && day > 0 {
            events.push(somebody(number - 1).deactivated(at));
        }
        if day % 5 == 0 && day > 5 {
            events.push(
                somebody(number - 5)
                    .updated(at)
                    .set("data.first_name", "New"),
            );
        }
        given.enqueue(&events);
        given.app.send_due().await;
        given.app.advance(DAY);
    }
    let (sent, rows) = (given.mail.mails().len(), given.app.count("deliveries"));
    assert_eq!(sent, 30);
    let replayed = json!({ "all": true });
    let path = "/v1/events/replay";
    let told = given.app.call("POST", path, replayed).await.ok();
    assert!(told["replayed"].as_u64().unwrap() > 40, "{told}");
    given.app.drain();
    given.app.send_due().await;
    assert_eq!(given.app.count("deliveries"), rows);
    assert_eq!(given.mail.mails().len(), sent);
}

async fn r57_who_started_long_before_the_arming_is_not_greeted(given: Clockwork) {
    given.welcome(&[("PT0S", None)]).await;
    given.enable_messaging().await;
    // Two thousand old staff by a widened scope, between two and thirty years there.
    let old: Vec<Event> = (0..2_000)
        .map(|number| {
            let day = format!("{}-06-27", 1995 + number % 30);
            starting(&somebody(number), &day, "UTC")
        })
        .collect();
    given.enqueue(&old);
    assert_eq!(given.app.count("profiles WHERE status = 'active'"), 2_000);
    assert_eq!(given.app.count("deliveries"), 0);
    // Messaging on since 23 November: the grace reaches back to the 16th.
    for (name, day, greeted) in [
        ("early", "2026-11-15", 0),
        ("just", "2026-11-16", 1),
        ("today", "2026-11-23T12:00:00.000Z", 2),
        ("later", "2027-01-04", 3),
    ] {
        given
            .app
            .apply(&starting(&employee(name), day, "UTC"))
            .await;
        assert_eq!(given.app.count("deliveries"), greeted, "{name}");
    }
}

async fn r58_without_a_start_date_only_who_is_first_heard_of_after_the_arming_is_greeted(
    given: Clockwork,
) {
    given.welcome(&[("PT0S", None)]).await;
    let known = ada().created(minute(1)).set("data.state", "inactive");
    given.app.apply(&known).await;
    given.app.advance(HOUR);
    given.enable_messaging().await;
    given.app.apply(&ada().updated(minute(70))).await;
    assert_eq!(given.app.people(), ["ada@test.example"]);
    assert_eq!(given.app.count("deliveries"), 0);
    given.app.apply(&employee("ben").created(minute(71))).await;
    assert_eq!(given.app.count("deliveries"), 1);
}

/// An organization with messaging on and thirty newcomers, each with a welcome, a drip, and a machine told.
async fn burst(given: &Clockwork) {
    given
        .trigger(json!({
            "name": "welcome", "on": "profile.activated", "steps": [
                {"channel": "email", "to": "person", "subject": "welcome", "text": "x"},
                {"channel": "email", "to": "person", "after": "P1D", "subject": "drip", "text": "x"},
                {"channel": "webhook", "to": given.web.url("/hook")},
            ],
        }))
        .await;
    given.enable_messaging().await;
    let all: Vec<Event> = (0..30).map(|n| somebody(n).created(minute(1))).collect();
    given.enqueue(&all);
}

async fn r59_more_welcomes_than_the_guard_lets_pass_wait_for_a_yes(given: Clockwork) {
    burst(&given).await;
    given.app.send_due().await;
    assert!(given.mail.mails().is_empty(), "nobody is greeted unasked");
    assert_eq!(given.web.requests().len(), 30, "machines are told");
    let hold = given.only_hold().await;
    assert_eq!(
        (&hold["kind"], &hold["waiting"]),
        (&json!("welcomes"), &json!(30))
    );
    assert_eq!(given.app.count("deliveries WHERE state = 'held'"), 60);
    given.app.advance(HOUR * 3);
    let path = format!("/v1/holds/{}/approve", hold["id"].as_str().unwrap());
    given.app.call("POST", &path, Value::Null).await.ok();
    assert_eq!(given.subjects().await, vec!["welcome"; 30]);
    // What was decided does not count against who comes next.
    given.app.apply(&ada().created(minute(200))).await;
    assert_eq!(given.subjects().await.len(), 31);
    given.app.advance(DAY);
    let subjects = given.subjects().await;
    assert_eq!(subjects.iter().filter(|one| *one == "drip").count(), 31);
}

async fn r59_a_rejected_batch_is_never_sent_and_the_next_newcomer_is_greeted(given: Clockwork) {
    burst(&given).await;
    let hold = given.only_hold().await;
    let path = format!("/v1/holds/{}/reject", hold["id"].as_str().unwrap());
    given.app.call("POST", &path, Value::Null).await.ok();
    given.app.advance(DAY * 2);
    assert!(given.subjects().await.is_empty());
    assert_eq!(given.app.count("deliveries WHERE state = 'cancelled'"), 60);
    given.app.apply(&ada().created(minute(2))).await;
    assert_eq!(given.subjects().await, ["welcome"]);
    let again = given.app.call("POST", &path, Value::Null).await;
    assert_eq!(again.status, 409);
}

async fn r59_whoever_leaves_while_the_batch_waits_gets_nothing(given: Clockwork) {
    burst(&given).await;
    given.app.apply(&somebody(3).deactivated(minute(5))).await;
    let hold = given.only_hold().await;
    let path = format!("/v1/holds/{}/approve", hold["id"].as_str().unwrap());
    given.app.call("POST", &path, Value::Null).await.ok();
    let subjects = given.subjects().await;
    assert_eq!(subjects.len(), 29);
}

async fn r60_a_future_start_is_greeted_on_that_day_at_nine_where_they_are(given: Clockwork) {
    given.settings(json!({ "timezone": "Europe/Berlin" })).await;
    given
        .welcome(&[("PT0S", None), ("P7D", Some("14:30"))])
        .await;
    given.enable_messaging().await;
    let zones = [
        ("sue", "America/Los_Angeles"),
        ("ken", "Asia/Tokyo"),
        ("eva", "Middle/Earth"),
    ];
    for (name, zone) in zones {
        let event = starting(&employee(name), "2027-03-25T12:00:00.000Z", zone);
        given.app.apply(&event).await;
    }
    assert_eq!(
        given.due(),
        [
            "2027-03-25T00:00:00.000Z", // nine in Tokyo
            "2027-03-25T08:00:00.000Z", // nine in Berlin
            "2027-03-25T16:00:00.000Z", // nine in Los Angeles, summer there already
            "2027-04-01T05:30:00.000Z",
            "2027-04-01T12:30:00.000Z", // summer in Berlin, too
            "2027-04-01T21:30:00.000Z",
        ]
    );
    given.until("2027-03-25T07:59:00Z");
    given.app.send_due().await;
    let sent: Vec<String> = given
        .mail
        .mails()
        .iter()
        .map(|mail| mail.to[0].clone())
        .collect();
    assert_eq!(sent, ["ken@test.example"]);
}

async fn r60_a_moved_start_moves_what_is_due_and_leaving_first_cancels_it(given: Clockwork) {
    given
        .welcome(&[("PT0S", Some("09:00")), ("P2D", Some("09:00"))])
        .await;
    given.enable_messaging().await;
    given
        .app
        .apply(&starting(&ada(), "2026-12-01", "UTC"))
        .await;
    assert_eq!(
        given.due(),
        ["2026-12-01T09:00:00.000Z", "2026-12-03T09:00:00.000Z"]
    );
    let moved = |day: &str, at: u64| {
        let day = day.to_owned();
        ada()
            .updated(minute(at))
            .set("data.custom_attributes.employment_start_date", day)
            .set("data.custom_attributes.timezone", "UTC")
    };
    given.app.apply(&moved("2026-12-10", 5)).await;
    assert_eq!(
        given.due(),
        ["2026-12-10T09:00:00.000Z", "2026-12-12T09:00:00.000Z"]
    );
    given.app.apply(&moved("2026-11-30", 6)).await;
    assert_eq!(
        given.due(),
        ["2026-11-30T09:00:00.000Z", "2026-12-02T09:00:00.000Z"]
    );
    // What has gone stays gone: a later move moves the rest alone.
    given.until("2026-11-30T09:00:00Z");
    assert_eq!(given.subjects().await, ["step 0"]);
    given.app.apply(&moved("2026-12-07", 7)).await;
    assert_eq!(
        given.due(),
        ["2026-11-30T09:00:00.000Z", "2026-12-09T09:00:00.000Z"]
    );
    given.app.apply(&ada().deactivated(minute(8))).await;
    assert_eq!(given.states(), ["sent", "cancelled"]);
    given.until("2026-12-20T09:00:00Z");
    assert_eq!(given.subjects().await, ["step 0"]);
}

async fn r62_after_a_down_time_the_first_day_goes_late_and_old_drips_are_skipped(given: Clockwork) {
    given
        .welcome(&[
            ("PT0S", Some("10:00")),
            ("P1D", Some("10:00")),
            ("P2D", Some("10:00")),
            ("P3D", Some("08:00")),
        ])
        .await;
    given.enable_messaging().await;
    given.app.apply(&ada().created(minute(1))).await;
    // Down from before the first to three days later, 09:00: ten o'clock thrice, and eight once.
    given.app.advance(DAY * 3);
    given.app.apply(&employee("ben").created(minute(2))).await;
    given.app.advance(HOUR * 2);
    assert_eq!(
        given.subjects().await.len(),
        2,
        "one drip of Ada's, Ben's first"
    );
    let states: Vec<(String, i32, String)> = given
        .all()
        .into_iter()
        .map(|row| (row.profile_id, row.step, row.state))
        .collect();
    let (ada, ben) = (
        given.app.profile(&ada()).id,
        given.app.profile(&employee("ben")).id,
    );
    let of = |who: &str, step: i32| {
        let found = states.iter().find(|row| row.0 == who && row.1 == step);
        found.unwrap().2.clone()
    };
    assert_eq!(
        [of(&ada, 0), of(&ada, 1), of(&ada, 2), of(&ada, 3)],
        ["cancelled", "cancelled", "cancelled", "sent"]
    );
    assert_eq!(of(&ben, 0), "sent");
    let reasons = given
        .app
        .lines("SELECT reason AS line FROM deliveries WHERE state = 'cancelled'");
    assert!(
        reasons.iter().all(|why| why.starts_with("skipped: ")),
        "{reasons:?}"
    );
}

async fn r62_more_than_a_day_late_nothing_goes_but_what_a_machine_is_told(given: Clockwork) {
    given
        .trigger(json!({
            "name": "welcome", "on": "profile.activated", "steps": [
                {"channel": "email", "to": "person", "subject": "welcome", "text": "x"},
                {"channel": "webhook", "to": given.web.url("/hook")},
            ],
        }))
        .await;
    given.enable_messaging().await;
    given.app.apply(&ada().created(minute(1))).await;
    given.app.advance(HOUR * 23);
    given.app.apply(&employee("ben").created(minute(2))).await;
    given.app.advance(HOUR * 2);
    assert_eq!(given.subjects().await, ["welcome"]);
    assert_eq!(given.mail.mails()[0].to, ["ben@test.example"]);
    assert_eq!(given.web.requests().len(), 2);
}

async fn r64_opted_out_on_leave_or_quiet_is_seen_when_it_is_sent(given: Clockwork) {
    given.welcome(&[("PT0S", None)]).await;
    given.enable_messaging().await;
    for name in ["ada", "ben", "eve"] {
        given.app.apply(&employee(name).created(minute(1))).await;
    }
    let no =
        json!({ "organization_id": ORGANIZATION, "email": "ADA@test.example", "reason": "asked" });
    given.app.call("POST", "/v1/opt-outs", no).await.ok();
    let page = given.app.get("/v1/opt-outs").await;
    assert_eq!(page["data"][0]["email"], "ada@test.example");
    given
        .app
        .sql("UPDATE profiles SET status = 'on_leave' WHERE email = 'ben@test.example'");
    // Nine in the morning in UTC is quiet where Eve is.
    given
        .settings(json!({
            "timezone": "America/New_York", "quiet_hours": {"from": "21:00", "to": "08:00"},
        }))
        .await;
    assert!(given.subjects().await.is_empty());
    let mut told: Vec<String> = given
        .all()
        .into_iter()
        .map(|row| format!("{}: {}", row.state, row.reason.unwrap()))
        .collect();
    told.sort();
    assert_eq!(
        told,
        [
            "cancelled: the address is on the opt-out list",
            "cancelled: the person is on leave",
            "due: waits for the end of the quiet hours",
        ]
    );
    given.until("2026-11-23T12:59:00Z");
    assert!(given.subjects().await.is_empty());
    given.until("2026-11-23T13:00:00Z");
    assert_eq!(given.subjects().await.len(), 1);
    assert_eq!(given.mail.mails()[0].to, ["eve@test.example"]);
    let off = format!("/v1/opt-outs?organization_id={ORGANIZATION}&email=ada@test.example");
    assert_eq!(
        given.app.call("DELETE", &off, Value::Null).await.status,
        204
    );
    assert_eq!(given.app.count("opt_outs"), 0);
}

async fn a_digest_speaks_for_many_and_a_few_go_one_by_one(given: Clockwork) {
    given
        .trigger(json!({
            "name": "posts", "on": "profile.activated", "steps": [
                {"channel": "slack", "to": given.web.url("/slack"), "text": "{{ display_name }} is here",
                 "digest": {"at_least": 5, "text": "{{ count }} people joined today: {{ names | join(\", \") }}"}},
            ],
        }))
        .await;
    given.enable_messaging().await;
    let some = |from: usize, to: usize| -> Vec<Event> {
        (from..to).map(|n| somebody(n).created(minute(1))).collect()
    };
    given.enqueue(&some(0, 3));
    for sent in 1..=3 {
        given.app.send_due().await;
        // Slack takes one message a second from a channel.
        given.app.advance(Duration::from_secs(2));
        assert_eq!(given.web.requests().len(), sent);
    }
    given.enqueue(&some(3, 15));
    given.app.apply(&somebody(7).deactivated(minute(2))).await;
    given.app.send_due().await;
    let posts = given.web.requests();
    assert_eq!(posts.len(), 4, "{:?}", given.states());
    let text = posts[3].json()["text"].as_str().unwrap().to_owned();
    assert!(
        text.starts_with("11 people joined today: p0003 Tester, "),
        "{text}"
    );
    assert!(!text.contains("p0007"), "who left is not spoken of: {text}");
    assert_eq!(
        given.app.count("deliveries WHERE digest_id IS NOT NULL"),
        10
    );
    assert_eq!(given.app.count("deliveries WHERE state = 'sent'"), 4);
    assert_eq!(given.app.send_due().await, 0);
    // Whom a digest named is erased from it, too (R65).
    let named = "deliveries WHERE body LIKE '%p0005%'";
    assert_eq!(given.app.count(named), 1);
    let id = given.app.profile(&somebody(5)).id;
    let path = format!("/v1/profiles/{id}/erase");
    given.app.call("POST", &path, Value::Null).await.ok();
    assert_eq!(given.app.count(named), 0);
}

async fn a_field_that_changed_to_something_fires_and_nothing_else_does(given: Clockwork) {
    let step = json!([{"channel": "webhook", "to": given.web.url("/hook")}]);
    let named = json!({"name": "to sales", "on": "field.changed", "field": "department",
        "changed_to": "Sales", "steps": step});
    given.trigger(named).await;
    let asked = json!({"name": "research", "on": "field.changed", "steps": step,
    "when": {"all": [
        {"field": "department", "op": "eq", "value": "Research"},
        {"not": {"field": "attributes.employment_type", "op": "eq", "value": "Contractor"}},
    ]}});
    given.trigger(asked).await;
    given.enable_messaging().await;
    given.app.apply(&ada().created(minute(1))).await;
    let count = |given: &Clockwork| given.app.count("deliveries");
    let to = |name: &str, value: &str, at: u64| {
        let path = format!("data.custom_attributes.{name}");
        let last = if at > 2 { "Sales" } else { "Research" };
        let event = ada().updated(minute(at));
        event
            .set("data.custom_attributes.department_name", last)
            .set(&path, value)
    };
    given.app.apply(&to("job_title", "Lead", 2)).await;
    assert_eq!(count(&given), 0, "another field");
    given.app.apply(&to("department_name", "Sales", 3)).await;
    assert_eq!(count(&given), 1, "to sales");
    given.app.apply(&to("job_title", "Head", 4)).await;
    assert_eq!(count(&given), 1, "still in sales");
    given.app.apply(&to("department_name", "Research", 5)).await;
    assert_eq!(count(&given), 2, "back in research");
    assert_eq!(given.app.send_due().await, 2);
}

async fn a_membership_trigger_speaks_of_the_community_it_names(given: Clockwork) {
    let step =
        |text: &str| json!([{"channel": "email", "to": "person", "subject": "s", "text": text}]);
    let joined = json!({"name": "joined", "on": "membership.began", "community": "Chess",
        "steps": step("welcome to {{ community }}")});
    given.trigger(joined).await;
    let left = json!({"name": "left", "on": "membership.ended", "when":
        {"field": "community", "op": "eq", "value": "Chess"}, "steps": step("left {{ community }}")});
    given.trigger(left).await;
    let mut ids = Vec::new();
    for (name, rules) in [
        (
            "Chess",
            json!([{"when": {"field": "group", "op": "eq", "value": "chess"}, "role": "member"}]),
        ),
        ("Choir", json!([])),
    ] {
        let body = json!({"organization_id": ORGANIZATION, "name": name, "rules": rules});
        let made = given.app.call("POST", "/v1/communities", body).await.ok();
        ids.push(made["id"].as_str().unwrap().to_owned());
    }
    given.enable_messaging().await;
    given.app.apply(&ada().created(minute(1))).await;
    given.app.apply(&employee("ben").created(minute(1))).await;
    let ben = given.app.profile(&employee("ben")).id;
    for id in &ids {
        let path = format!("/v1/communities/{id}/members/{ben}");
        given
            .app
            .call("PUT", &path, json!({"role": "member"}))
            .await
            .ok();
    }
    // Ada joins by a group, without anything of her own changing.
    given
        .app
        .apply(&group("dsync.group.created", "chess", minute(1)))
        .await;
    given.app.apply(&ada().joined("chess", minute(2))).await;
    given.app.send_due().await;
    let mut mails: Vec<(String, String)> = given
        .mail
        .mails()
        .iter()
        .map(|mail| (mail.to[0].clone(), mail.body().trim().to_owned()))
        .collect();
    mails.sort();
    let said = |name: &str, text: &str| (format!("{name}@test.example"), text.to_owned());
    assert_eq!(
        mails,
        [
            said("ada", "welcome to Chess"),
            said("ben", "welcome to Chess")
        ]
    );
    given.app.apply(&ada().left("chess", minute(3))).await;
    for id in &ids {
        let path = format!("/v1/communities/{id}/members/{ben}");
        given.app.call("DELETE", &path, Value::Null).await;
    }
    given.app.send_due().await;
    let left = given
        .mail
        .mails()
        .iter()
        .filter(|mail| mail.body().contains("left Chess"))
        .count();
    assert_eq!(left, 2);
    assert_eq!(given.mail.mails().len(), 4, "Choir is nobody's business");
}
