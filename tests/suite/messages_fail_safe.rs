//! Messages fail safe: a start date that cannot be read greets nobody unasked, no trigger writes to many
//! at once, a manager is a person looked up when it is sent, an opt-out follows its person, and whoever
//! only flapped is greeted once.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::events::{Employee, Event, ORGANIZATION, ada, employee, minute};
use crate::support::macros::on_both;
use crate::triggers_time::{Clockwork, somebody};

on_both!(
    r79_an_unreadable_start_date_waits_in_a_hold_that_shows_its_shape,
    r79_a_readable_date_that_comes_later_greets_on_its_day,
    r79_the_setting_reads_what_waited_and_nobody_else_is_messaged,
    r79_an_approved_start_date_greets_at_once,
    r80_of_a_change_for_eighty_people_twenty_five_mails_go_and_the_rest_waits,
    r80_many_small_batches_count_together_and_machines_are_told_everything,
    r78_a_manager_is_shown_whoever_came_first_and_follows_their_own_changes,
    r78_nobody_manages_themselves_and_no_circle_manages_anybody,
    r81_a_renamed_manager_gets_it_at_their_new_address,
    r81_a_manager_who_left_gets_nothing_and_the_fallback_does,
    r81_an_unknown_or_opted_out_manager_gets_nothing_and_the_delivery_says_why,
    r82_an_opt_out_follows_the_person_and_not_the_address,
    r82_an_opt_out_of_an_address_that_nobody_has_waits_for_whoever_comes_with_it,
    r33_a_newcomer_who_is_removed_and_back_within_a_day_is_greeted_once,
    r33_whoever_was_greeted_or_stayed_away_longer_is_not_greeted_again,
    r83_roles_are_kept_as_a_set_and_rules_may_ask_for_them,
);

const HOUR: Duration = Duration::from_secs(3_600);

fn starting(who: &Employee, at: u64, day: impl Into<Value>) -> Event {
    who.updated(minute(at))
        .set("data.custom_attributes.employment_start_date", day)
}

async fn profile(given: &Clockwork, of: &Employee) -> Value {
    let id = given.app.profile(of).id;
    given.app.get(&format!("/v1/profiles/{id}")).await
}

fn reasons(given: &Clockwork) -> Vec<String> {
    let all = given.all().into_iter();
    all.map(|row| format!("{}: {}", row.state, row.reason.unwrap_or_default()))
        .collect()
}

async fn approve(given: &Clockwork, hold: &Value) {
    let path = format!("/v1/holds/{}/approve", hold["id"].as_str().unwrap());
    given.app.call("POST", &path, Value::Null).await.ok();
}

async fn r79_an_unreadable_start_date_waits_in_a_hold_that_shows_its_shape(given: Clockwork) {
    given.welcome(&[("PT0S", None)]).await;
    given.enable_messaging().await;
    given.app.apply(&starting(&ada(), 1, "Mid-January")).await;
    assert!(given.subjects().await.is_empty());
    let hold = given.only_hold().await;
    assert_eq!(
        (&hold["kind"], &hold["waiting"]),
        (&json!("start_dates"), &json!(1))
    );
    let shape = "the start date cannot be read (it looks like Aaa-Aaaaaaa): an operator decides";
    assert_eq!(reasons(&given), [format!("held: {shape}")]);
    let shown = profile(&given, &ada()).await;
    assert_eq!(shown["start_date"], Value::Null);
    let warning =
        "start_date: cannot be read (it looks like Aaa-Aaaaaaa), so no welcome goes out by itself";
    assert_eq!(shown["warnings"], json!([warning]));
    // Somebody without any date is greeted meanwhile, and so is one whose date is a sentinel for none.
    given.app.apply(&employee("ben").created(minute(2))).await;
    given
        .app
        .apply(&starting(&employee("eve"), 3, "9999-12-31"))
        .await;
    assert_eq!(given.subjects().await.len(), 2);
}

async fn r79_a_readable_date_that_comes_later_greets_on_its_day(given: Clockwork) {
    given.welcome(&[("PT0S", None)]).await;
    given.enable_messaging().await;
    given.app.apply(&starting(&ada(), 1, "soon")).await;
    given
        .app
        .apply(&starting(&ada(), 2, "2026-11-30-08:00"))
        .await;
    assert_eq!(
        given.app.count("holds WHERE state = 'open'"),
        0,
        "nobody waits in it"
    );
    given.until("2026-11-30T08:59:00Z");
    assert!(given.subjects().await.is_empty());
    given.until("2026-11-30T09:00:00Z");
    assert_eq!(given.subjects().await, ["step 0"]);
    // Long past: released by the date, and greeted by nobody (R57).
    given.app.apply(&starting(&employee("ben"), 3, "??")).await;
    given
        .app
        .apply(&starting(&employee("ben"), 4, "2019-01-01"))
        .await;
    assert_eq!(given.subjects().await.len(), 1);
    let cancelled = "cancelled: the start date lies before messages were turned on";
    assert!(reasons(&given).contains(&cancelled.to_owned()));
}

async fn r79_the_setting_reads_what_waited_and_nobody_else_is_messaged(given: Clockwork) {
    given.welcome(&[("PT0S", None)]).await;
    given
        .trigger(
            json!({"name": "moved", "on": "field.changed", "field": "start_date", "steps": [
            {"channel": "email", "to": "person", "subject": "moved", "text": "x"}]}),
        )
        .await;
    given.enable_messaging().await;
    given.app.apply(&starting(&ada(), 1, "24.11.2026")).await;
    assert_eq!(given.only_hold().await["kind"], "start_dates");
    let path = format!("/v1/organizations/{ORGANIZATION}");
    let set = json!({"settings": {"date_order": "dmy"}});
    let view = given.app.call("PATCH", &path, set).await.ok();
    assert_eq!(view["settings"]["date_order"], "dmy");
    assert_eq!(profile(&given, &ada()).await["start_date"], "2026-11-24");
    assert!(given.subjects().await.is_empty());
    given.until("2026-11-24T09:00:00Z");
    assert_eq!(given.subjects().await, ["step 0"]);
}

async fn r79_an_approved_start_date_greets_at_once(given: Clockwork) {
    given.welcome(&[("PT0S", None)]).await;
    given.enable_messaging().await;
    given.app.apply(&starting(&ada(), 1, "tbd")).await;
    given.app.advance(HOUR * 30);
    approve(&given, &given.only_hold().await).await;
    assert_eq!(given.subjects().await, ["step 0"]);
}

/// A trigger that writes to whoever gets another title, and tells a machine.
async fn on_title(given: &Clockwork) {
    given
        .trigger(
            json!({"name": "title", "on": "field.changed", "field": "title", "steps": [
            {"channel": "email", "to": "person", "subject": "title", "text": "x"},
            {"channel": "webhook", "to": given.web.url("/hook")}]}),
        )
        .await;
}

fn titled(number: usize, at: u64) -> Event {
    somebody(number)
        .updated(minute(at))
        .set("data.custom_attributes.job_title", "Head")
}

async fn r80_of_a_change_for_eighty_people_twenty_five_mails_go_and_the_rest_waits(
    given: Clockwork,
) {
    let all: Vec<Event> = (0..80).map(|n| somebody(n).created(minute(1))).collect();
    given.enqueue(&all);
    on_title(&given).await;
    given.enable_messaging().await;
    let all: Vec<Event> = (0..80).map(|n| titled(n, 2)).collect();
    given.enqueue(&all);
    while given.app.send_due().await > 0 {}
    assert_eq!(given.mail.mails().len(), 25);
    assert_eq!(given.web.requests().len(), 80, "machines are told");
    let hold = given.only_hold().await;
    assert_eq!(
        (&hold["kind"], &hold["waiting"]),
        (&json!("messages"), &json!(55))
    );
    given.app.advance(HOUR * 48);
    approve(&given, &hold).await;
    while given.app.send_due().await > 0 {}
    assert_eq!(
        given.mail.mails().len(),
        80,
        "what was decided goes, however late"
    );
}

async fn r80_many_small_batches_count_together_and_machines_are_told_everything(given: Clockwork) {
    let all: Vec<Event> = (0..40).map(|n| somebody(n).created(minute(1))).collect();
    given.enqueue(&all);
    on_title(&given).await;
    given.enable_messaging().await;
    for number in 0..40 {
        given.enqueue(&[titled(number, 2)]);
        given.app.send_due().await;
        given.app.advance(Duration::from_secs(60));
    }
    while given.app.send_due().await > 0 {}
    assert_eq!(given.mail.mails().len(), 25);
    assert_eq!(given.web.requests().len(), 40);
    // The hour has passed: the next one goes, and those who wait still wait.
    given.app.advance(HOUR);
    given.enqueue(&[somebody(0)
        .updated(minute(90))
        .set("data.custom_attributes.job_title", "Chief")]);
    while given.app.send_due().await > 0 {}
    assert_eq!(given.mail.mails().len(), 26);
    assert_eq!(given.app.count("deliveries WHERE state = 'held'"), 15);
}

fn managed(who: &Employee, at: u64, key: &str, manager: impl Into<Value>) -> Event {
    who.updated(minute(at))
        .set(&format!("data.custom_attributes.{key}"), manager)
}

async fn r78_a_manager_is_shown_whoever_came_first_and_follows_their_own_changes(given: Clockwork) {
    let li = employee("li");
    given
        .app
        .apply(&managed(&ada(), 1, "manager_id", "idp_li"))
        .await;
    assert_eq!(profile(&given, &ada()).await["manager_id"], Value::Null);
    given.app.apply(&li.created(minute(2))).await;
    let id = given.app.profile(&li).id;
    let named = [
        ("manager_id", "idp_li"),
        ("manager_id", "directory_user_li"),
        ("manager_id", "li@test.example"),
        ("manager_email", "LI@test.example"),
    ];
    for (place, (key, value)) in named.into_iter().enumerate() {
        let at = 3 + u64::try_from(place).unwrap();
        given.app.apply(&managed(&ada(), at, key, value)).await;
        let shown = profile(&given, &ada()).await;
        assert_eq!(shown["manager_id"], id, "{key} {value}");
        assert_eq!(shown["manager_name"], "li Tester", "{key} {value}");
    }
    given
        .app
        .apply(&li.updated(minute(20)).set("data.last_name", "Wen"))
        .await;
    assert_eq!(profile(&given, &ada()).await["manager_name"], "li Wen");
    given.app.apply(&li.deleted(minute(21))).await;
    let shown = profile(&given, &ada()).await;
    assert_eq!(shown["manager_id"], Value::Null);
    assert_eq!(
        shown["warnings"],
        json!([format!("manager: the manager ({id}) has left")])
    );
}

async fn r78_nobody_manages_themselves_and_no_circle_manages_anybody(given: Clockwork) {
    given
        .app
        .apply(&managed(&ada(), 1, "manager_email", "ada@test.example"))
        .await;
    let shown = profile(&given, &ada()).await;
    assert_eq!(shown["manager_id"], Value::Null);
    let own = "manager: the directory names the person as their own manager";
    assert_eq!(shown["warnings"], json!([own]));
    let (ben, eve, kim) = (employee("ben"), employee("eve"), employee("kim"));
    given
        .app
        .apply(&managed(&ben, 2, "manager_id", "idp_eve"))
        .await;
    given
        .app
        .apply(&managed(&eve, 3, "manager_id", "idp_ben"))
        .await;
    given
        .app
        .apply(&managed(&kim, 4, "manager_id", "idp_ben"))
        .await;
    for who in [&ben, &eve] {
        let shown = profile(&given, who).await;
        assert_eq!(shown["manager_id"], Value::Null);
        let said = shown["warnings"][0].as_str().unwrap();
        assert!(said.contains("in a circle"), "{said}");
    }
    let outside = profile(&given, &kim).await;
    assert_eq!(outside["manager_id"], given.app.profile(&ben).id);
}

/// A mail to the manager of whoever comes; with a fallback or without.
async fn to_manager(given: &Clockwork, fallback: Option<&str>) {
    given
        .trigger(json!({"name": "manager", "on": "profile.activated", "steps": [
            {"channel": "email", "to": "manager", "fallback": fallback, "subject": "new", "text": "x"}]}))
        .await;
    given.enable_messaging().await;
}

async fn r81_a_renamed_manager_gets_it_at_their_new_address(given: Clockwork) {
    let li = employee("li");
    given.app.apply(&li.created(minute(1))).await;
    to_manager(&given, None).await;
    given
        .app
        .apply(&managed(&ada(), 2, "manager_email", "li@test.example"))
        .await;
    given
        .app
        .apply(
            &li.updated(minute(3))
                .set("data.email", "li.wen@test.example"),
        )
        .await;
    assert_eq!(given.subjects().await, ["new"]);
    assert_eq!(given.mail.mails()[0].to, ["li.wen@test.example"]);
}

async fn r81_a_manager_who_left_gets_nothing_and_the_fallback_does(given: Clockwork) {
    let li = employee("li");
    given.app.apply(&li.created(minute(1))).await;
    to_manager(&given, Some("hr@test.example")).await;
    given
        .app
        .apply(&managed(&ada(), 2, "manager_id", "idp_li"))
        .await;
    given.app.apply(&li.deleted(minute(3))).await;
    assert_eq!(given.subjects().await, ["new"]);
    assert_eq!(given.mail.mails()[0].to, ["hr@test.example"]);
    let id = given.app.profile(&li).id;
    let why = format!("sent: went to the fallback, because the manager ({id}) has left: ");
    let told = reasons(&given);
    assert!(told[0].starts_with(&why), "{told:?}");
}

async fn r81_an_unknown_or_opted_out_manager_gets_nothing_and_the_delivery_says_why(
    given: Clockwork,
) {
    let li = employee("li");
    given.app.apply(&li.created(minute(1))).await;
    to_manager(&given, None).await;
    let out = json!({ "organization_id": ORGANIZATION, "email": "li@test.example" });
    given.app.call("POST", "/v1/opt-outs", out).await.ok();
    given
        .app
        .apply(&managed(&ada(), 2, "manager_id", "idp_li"))
        .await;
    given
        .app
        .apply(&managed(
            &employee("ben"),
            3,
            "manager_email",
            "stranger@x.example",
        ))
        .await;
    given.app.apply(&employee("eve").created(minute(4))).await;
    assert!(given.subjects().await.is_empty());
    let id = given.app.profile(&li).id;
    let mut told = reasons(&given);
    told.sort();
    let nothing = "cancelled: nothing was sent to the manager";
    assert_eq!(
        told,
        [
            format!("{nothing}: nobody here is the manager whom the directory names"),
            format!("{nothing}: the directory names no manager"),
            format!("{nothing}: the manager ({id}) wants no messages"),
        ]
    );
}

async fn opt_out(given: &Clockwork, email: &str) -> Value {
    let body = json!({ "organization_id": ORGANIZATION, "email": email });
    given.app.call("POST", "/v1/opt-outs", body).await.ok()
}

async fn r82_an_opt_out_follows_the_person_and_not_the_address(given: Clockwork) {
    given.app.apply(&ada().created(minute(1))).await;
    let made = opt_out(&given, "Ada@test.example").await;
    assert_eq!(made["profile_id"], given.app.profile(&ada()).id);
    given
        .app
        .apply(
            &ada()
                .updated(minute(2))
                .set("data.email", "ada.new@test.example"),
        )
        .await;
    let heir = employee("heir")
        .created(minute(3))
        .set("data.email", "ada@test.example");
    given.app.apply(&heir).await;
    on_title(&given).await;
    given.enable_messaging().await;
    let head = |event: Event| event.set("data.custom_attributes.job_title", "Head");
    let moved = ada()
        .updated(minute(4))
        .set("data.email", "ada.new@test.example");
    given.app.apply(&head(moved)).await;
    let heir = employee("heir")
        .updated(minute(5))
        .set("data.email", "ada@test.example");
    given.app.apply(&head(heir)).await;
    assert_eq!(given.subjects().await, ["title"]);
    assert_eq!(
        given.mail.mails()[0].to,
        ["ada@test.example"],
        "the new holder opted out of nothing"
    );
    let told = reasons(&given);
    assert!(told.contains(&"cancelled: the address is on the opt-out list".to_owned()));
    let listed = given.app.get("/v1/opt-outs").await;
    assert_eq!(listed["data"][0]["email"], "ada.new@test.example");
}

async fn r82_an_opt_out_of_an_address_that_nobody_has_waits_for_whoever_comes_with_it(
    given: Clockwork,
) {
    given.welcome(&[("PT0S", None)]).await;
    given.enable_messaging().await;
    assert_eq!(
        opt_out(&given, "ada@test.example").await["profile_id"],
        Value::Null
    );
    given.app.apply(&ada().created(minute(1))).await;
    assert!(given.subjects().await.is_empty());
    let listed = given.app.get("/v1/opt-outs").await;
    assert_eq!(
        listed["data"][0]["profile_id"],
        given.app.profile(&ada()).id
    );
}

async fn r33_a_newcomer_who_is_removed_and_back_within_a_day_is_greeted_once(given: Clockwork) {
    given.welcome(&[("PT1H", None)]).await;
    given.enable_messaging().await;
    given.app.apply(&ada().created(minute(1))).await;
    given.app.apply(&ada().deactivated(minute(2))).await;
    given.app.apply(&ada().updated(minute(30))).await;
    // Whoever came and went in one batch is as new.
    given.enqueue(&[
        employee("ben").created(minute(1)),
        employee("ben").deactivated(minute(2)),
    ]);
    given.app.apply(&employee("ben").updated(minute(31))).await;
    given.app.advance(HOUR * 2);
    assert_eq!(given.subjects().await, ["step 0"; 2]);
    given.app.apply(&ada().deactivated(minute(40))).await;
    given.app.apply(&ada().updated(minute(41))).await;
    given.app.advance(HOUR * 2);
    assert_eq!(given.subjects().await.len(), 2, "once");
}

async fn r33_whoever_was_greeted_or_stayed_away_longer_is_not_greeted_again(given: Clockwork) {
    given.welcome(&[("PT0S", None), ("P1D", None)]).await;
    given.enable_messaging().await;
    given.app.apply(&ada().created(minute(1))).await;
    assert_eq!(given.subjects().await, ["step 0"]);
    given.app.apply(&ada().deactivated(minute(2))).await;
    given.app.apply(&ada().updated(minute(3))).await;
    given.app.apply(&employee("ben").created(minute(4))).await;
    given
        .app
        .apply(&employee("ben").deactivated(minute(5)))
        .await;
    given
        .app
        .apply(&employee("ben").updated(minute(5 + 25 * 60)))
        .await;
    given.app.advance(HOUR * 24);
    assert_eq!(given.subjects().await, ["step 0"]);
}

async fn r83_roles_are_kept_as_a_set_and_rules_may_ask_for_them(given: Clockwork) {
    let rule =
        json!({"when": {"field": "roles", "op": "contains", "value": "editor"}, "role": "member"});
    let body = json!({"organization_id": ORGANIZATION, "name": "Editors", "rules": [rule]});
    let made = given.app.call("POST", "/v1/communities", body).await.ok();
    let slugs = |all: &[&str]| {
        json!(
            all.iter()
                .map(|slug| json!({ "slug": slug }))
                .collect::<Vec<_>>()
        )
    };
    let with = |at: u64, roles: Value| {
        ada()
            .updated(minute(at))
            .set("data.role", json!({"slug": "admin"}))
            .set("data.roles", roles)
    };
    given.app.apply(&with(1, slugs(&["editor", "admin"]))).await;
    let shown = profile(&given, &ada()).await;
    assert_eq!(
        (&shown["role"], &shown["roles"]),
        (&json!("admin"), &json!(["admin", "editor"]))
    );
    assert_eq!(given.app.members(made["id"].as_str().unwrap()).len(), 1);
    let again = given.app.apply(&with(2, slugs(&["admin", "editor"]))).await;
    assert_eq!(
        again["outcome"], "unchanged",
        "another order says nothing else"
    );
    given.app.apply(&ada().updated(minute(3))).await;
    assert_eq!(
        profile(&given, &ada()).await["role"],
        "admin",
        "not spoken of"
    );
    given
        .app
        .apply(
            &ada()
                .updated(minute(4))
                .set("data.role", Value::Null)
                .set("data.roles", json!([])),
        )
        .await;
    let shown = profile(&given, &ada()).await;
    assert_eq!(
        (&shown["role"], &shown["roles"]),
        (&Value::Null, &json!([]))
    );
}
