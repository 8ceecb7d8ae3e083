//! Too many removals at once, and deleted directories: they wait for an operator, who decides about
//! the whole batch, and whose "no" brings back everything.

use std::time::Duration;

use rollcall::domain::Role;
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::events::{
    DIRECTORY, Employee, Event, ORGANIZATION, ada, directory, employee, minute,
};
use crate::support::macros::on_both;

on_both!(
    r40_the_removals_beyond_the_twentieth_of_a_burst_wait_for_an_operator,
    r40_an_approved_batch_is_applied_and_does_not_count_against_the_next_removal,
    r41_a_rejected_batch_gives_everything_back,
    r41_a_rejection_also_takes_back_the_deletion_that_followed_a_deactivation,
    r40_of_two_operators_one_decides_and_the_other_is_told,
    r40_a_staged_removal_suspends_access_at_once_and_keeps_seats,
    r40_whom_a_newer_event_calls_active_stays_whatever_is_decided,
    c6_removals_more_than_an_hour_apart_do_not_trip_the_guard,
    r40_holds_are_for_operators_of_the_organization,
    r36_a_deleted_directory_removes_nobody_and_names_whom_it_concerns,
    r36_remove_all_ends_those_whom_no_other_directory_speaks_for,
    r36_keep_closes_the_hold_and_nobody_goes,
    r36_people_of_a_directory_that_came_back_are_not_removed_by_an_old_hold,
    r37_a_relinked_directory_brings_nobody_new_and_no_message,
);

pub(crate) fn somebody(number: usize) -> Employee {
    employee(&format!("p{number:02}"))
}

/// An organization of forty, messaging on, with a message due for everybody, and three of them in a
/// community: the first and the twenty-sixth run it.
pub(crate) async fn company(app: &TestApp) -> String {
    app.apply(&directory("dsync.activated", minute(0))).await;
    app.call(
        "POST",
        &format!("/v1/organizations/{ORGANIZATION}/messaging/enable"),
        Value::Null,
    )
    .await
    .ok();
    let trigger = json!({
        "organization_id": ORGANIZATION, "name": "welcome", "on": "profile.activated", "status": "published",
        "steps": [{"channel": "webhook", "to": "http://127.0.0.1:9/hook"}],
    });
    app.call("POST", "/v1/triggers", trigger).await.ok();
    let all: Vec<Event> = (0..40).map(|n| somebody(n).created(minute(1))).collect();
    app.enqueue(&all);
    app.drain();
    assert_eq!(app.people().len(), 40);
    let id = |n: usize| app.profile(&somebody(n)).id;
    app.community(
        "chess",
        &[
            (&id(0), Role::Admin),
            (&id(1), Role::Member),
            (&id(25), Role::Admin),
        ],
    )
}

/// The first thirty leave within the hour.
pub(crate) fn burst(app: &TestApp) -> Vec<Event> {
    let all: Vec<Event> = (0..30)
        .map(|n| somebody(n).deactivated(minute(10 + n as u64)))
        .collect();
    app.enqueue(&all);
    app.drain();
    all
}

pub(crate) async fn holds(app: &TestApp) -> Vec<Value> {
    let page = app.get("/v1/holds").await;
    page["data"].as_array().unwrap().clone()
}

pub(crate) async fn only_hold(app: &TestApp) -> String {
    let all = holds(app).await;
    assert_eq!(all.len(), 1, "{all:?}");
    all[0]["id"].as_str().unwrap().to_owned()
}

pub(crate) async fn decide(app: &TestApp, hold: &str, decision: &str) -> Value {
    let path = format!("/v1/holds/{hold}/{decision}");
    app.call("POST", &path, Value::Null).await.ok()
}

async fn access(app: &TestApp, of: &Employee) -> (bool, String) {
    let path = format!(
        "/v1/access?organization_id={}&email={}",
        of.organization,
        of.email()
    );
    let answer = app.get(&path).await;
    let reason = answer["reason"].as_str().unwrap().to_owned();
    (answer["allowed"].as_bool().unwrap(), reason)
}

/// Who is in a community, with their roles.
pub(crate) fn seats(app: &TestApp, community: &str) -> Vec<(String, String)> {
    let all = app.members(community).into_iter();
    all.map(|one| (one.display_name, one.role)).collect()
}

pub(crate) fn seat(name: &str, role: &str) -> (String, String) {
    (format!("{name} Tester"), role.to_owned())
}

async fn r40_the_removals_beyond_the_twentieth_of_a_burst_wait_for_an_operator(app: TestApp) {
    company(&app).await;
    let events = burst(&app);
    assert_eq!(app.people().len(), 20);
    for (place, event) in events.iter().enumerate() {
        let shown = app.event(&event.id()).await;
        if place < 20 {
            assert_eq!(shown["outcome"], "applied", "{shown}");
        } else {
            assert_eq!(shown["state"], "held", "{shown}");
            assert_eq!(shown["outcome"], "held");
            assert!(shown["reason"].as_str().unwrap().contains("operator"));
        }
    }
    let all = holds(&app).await;
    assert_eq!(all.len(), 1);
    assert_eq!(all[0]["kind"], "removals");
    assert_eq!(all[0]["state"], "open");
    assert_eq!(
        (&all[0]["waiting"], &all[0]["applied"]),
        (&json!(10), &json!(20))
    );
    let detail = app
        .get(&format!("/v1/holds/{}", all[0]["id"].as_str().unwrap()))
        .await;
    assert_eq!(detail["people"].as_array().unwrap().len(), 30);
    // One more is added to the same hold.
    app.apply(&somebody(30).deactivated(minute(50))).await;
    assert_eq!(holds(&app).await[0]["waiting"], 11);
}

async fn r40_an_approved_batch_is_applied_and_does_not_count_against_the_next_removal(
    app: TestApp,
) {
    let chess = company(&app).await;
    let events = burst(&app);
    let hold = only_hold(&app).await;
    let decided = decide(&app, &hold, "approve").await;
    assert_eq!(decided["state"], "approved");
    assert_eq!(decided["decided_by"], "bootstrap");
    assert_eq!(app.drain(), 10);
    assert_eq!(app.people().len(), 10);
    assert_eq!(seats(&app, &chess), []);
    for event in &events {
        assert_eq!(app.event(&event.id()).await["outcome"], "applied");
    }
    let next = app.apply(&somebody(30).deactivated(minute(50))).await;
    assert_eq!(next["outcome"], "applied");
    assert_eq!(holds(&app).await.len(), 1);
}

async fn r41_a_rejected_batch_gives_everything_back(app: TestApp) {
    let chess = company(&app).await;
    let due = app.count("deliveries WHERE state = 'due'");
    assert_eq!(due, 40);
    let events = burst(&app);
    assert_eq!(app.count("deliveries WHERE state = 'due'"), 20);
    let hold = only_hold(&app).await;
    assert_eq!(decide(&app, &hold, "reject").await["state"], "rejected");
    app.drain();
    assert_eq!(app.people().len(), 40);
    assert_eq!(
        seats(&app, &chess),
        [
            seat("p00", "admin"),
            seat("p01", "member"),
            seat("p25", "admin")
        ]
    );
    assert_eq!(app.count("deliveries WHERE state = 'due'"), 40);
    assert_eq!(app.count("deliveries"), 40, "nobody is greeted again");
    for event in &events {
        let shown = app.event(&event.id()).await;
        assert_eq!(shown["outcome"], "ignored", "{shown}");
        assert!(shown["reason"].as_str().unwrap().contains("bootstrap"));
    }
    let restored = app.history(&app.profile(&somebody(0)).id);
    assert_eq!(restored.last().unwrap().actor, "bootstrap");
    // What was taken back does not count: the next removals go through.
    let next = app.apply(&somebody(39).deactivated(minute(50))).await;
    assert_eq!(next["outcome"], "applied");
    // WorkOS's second delivery of a rejected removal changes nothing.
    assert_eq!(app.deliver(&events[0]).await.status, 200);
    app.drain();
    assert_eq!(app.people().len(), 39);
}

async fn r41_a_rejection_also_takes_back_the_deletion_that_followed_a_deactivation(app: TestApp) {
    company(&app).await;
    burst(&app);
    app.apply(&somebody(0).deleted(minute(55))).await;
    let waiting = app.apply(&somebody(29).deleted_bare(minute(56))).await;
    assert_eq!(waiting["state"], "held", "{waiting}");
    let hold = only_hold(&app).await;
    let shown = decide(&app, &hold, "reject").await;
    assert_eq!(shown["waiting"], 10, "people are counted, not their events");
    app.drain();
    assert_eq!(app.people().len(), 40);
}

async fn r40_of_two_operators_one_decides_and_the_other_is_told(app: TestApp) {
    company(&app).await;
    burst(&app);
    let hold = only_hold(&app).await;
    let (yes, no) = (
        format!("/v1/holds/{hold}/approve"),
        format!("/v1/holds/{hold}/reject"),
    );
    let (one, other) = tokio::join!(
        app.call("POST", &yes, Value::Null),
        app.call("POST", &no, Value::Null)
    );
    let mut both = [one.status, other.status];
    both.sort_unstable();
    assert_eq!(both, [200, 409], "{one:?} {other:?}");
    let late = if one.status == 409 { one } else { other };
    assert!(late.text.contains("bootstrap"), "{late:?}");
    app.drain();
    let left = app.people().len();
    assert!(left == 10 || left == 40, "one decision, whole: {left}");
}

async fn r40_a_staged_removal_suspends_access_at_once_and_keeps_seats(app: TestApp) {
    let chess = company(&app).await;
    burst(&app);
    let hold = only_hold(&app).await;
    let reason = format!("termination received: suspended until hold {hold} is decided");
    assert_eq!(access(&app, &somebody(25)).await, (false, reason));
    assert_eq!(access(&app, &somebody(35)).await, (true, "active".into()));
    assert_eq!(seats(&app, &chess), [seat("p25", "admin")]);
    decide(&app, &hold, "reject").await;
    assert_eq!(access(&app, &somebody(25)).await, (true, "active".into()));
}

async fn r40_whom_a_newer_event_calls_active_stays_whatever_is_decided(app: TestApp) {
    let chess = company(&app).await;
    let events = burst(&app);
    app.apply(&somebody(25).updated(minute(58))).await;
    app.advance(Duration::from_secs(5 * 3_600));
    assert_eq!(access(&app, &somebody(25)).await, (true, "active".into()));
    let hold = only_hold(&app).await;
    decide(&app, &hold, "approve").await;
    app.drain();
    assert_eq!(app.profile(&somebody(25)).status, "active");
    assert_eq!(app.people().len(), 11);
    assert_eq!(app.event(&events[25].id()).await["state"], "done");
    assert_eq!(seats(&app, &chess).len(), 1);
}

async fn c6_removals_more_than_an_hour_apart_do_not_trip_the_guard(app: TestApp) {
    company(&app).await;
    for half in 0..2 {
        let all: Vec<Event> = (0..15)
            .map(|n| somebody(half * 15 + n).deactivated(minute(10)))
            .collect();
        app.enqueue(&all);
        app.drain();
        app.advance(Duration::from_secs(3_601));
    }
    assert_eq!(app.people().len(), 10);
    assert_eq!(holds(&app).await, Vec::<Value>::new());
}

async fn r40_holds_are_for_operators_of_the_organization(app: TestApp) {
    company(&app).await;
    burst(&app);
    let hold = only_hold(&app).await;
    let viewer = app.token("viewer", "viewer", Some(ORGANIZATION));
    let other = app.token("other", "operator", Some("org_OTHER"));
    let (show, reject) = (
        format!("/v1/holds/{hold}"),
        format!("/v1/holds/{hold}/reject"),
    );
    let call = async |token: &str, method: &str, path: &str| {
        app.http.api_as(Some(token), method, path, None).await
    };
    assert_eq!(call(&viewer, "GET", &show).await.status, 200);
    assert_eq!(call(&viewer, "POST", &reject).await.status, 403);
    assert_eq!(call(&other, "GET", &show).await.status, 404);
    assert_eq!(call(&other, "POST", &reject).await.status, 404);
    assert_eq!(
        call(&other, "GET", "/v1/holds").await.body["data"],
        json!([])
    );
    assert_eq!(holds(&app).await[0]["state"], "open");
}

const ELSEWHERE: &str = "directory_02ELSEWHERE";

/// Ada and Bob in one directory; Ada in another one too, under the same employee number.
async fn two_directories(app: &TestApp) {
    app.apply(&directory("dsync.activated", minute(0))).await;
    let number = "data.custom_attributes.employee_number";
    app.apply(&ada().created(minute(1)).set(number, "7")).await;
    app.apply(&employee("bob").created(minute(1))).await;
    let second = ada()
        .created(minute(2))
        .set(number, "7")
        .set("data.id", "directory_user_ada_elsewhere")
        .set("data.idp_id", "idp_ada_elsewhere")
        .set("data.directory_id", ELSEWHERE);
    app.apply(&second).await;
    assert_eq!(app.count("links WHERE state = 'active'"), 3);
    assert_eq!(app.people().len(), 2);
}

async fn choose(app: &TestApp, decision: &str) -> crate::support::http::Answer {
    let path = format!("/v1/directories/{DIRECTORY}/decide");
    app.call("POST", &path, json!({ "decision": decision }))
        .await
}

async fn r36_a_deleted_directory_removes_nobody_and_names_whom_it_concerns(app: TestApp) {
    two_directories(&app).await;
    app.apply(&directory("dsync.deleted", minute(5))).await;
    assert_eq!(app.people().len(), 2);
    let shown = app.get(&format!("/v1/directories/{DIRECTORY}")).await;
    assert_eq!(shown["state"], "detached");
    let hold = only_hold(&app).await;
    let shown = app.get(&format!("/v1/holds/{hold}")).await;
    assert_eq!(shown["kind"], "directory_deleted");
    assert_eq!(shown["directory_id"], DIRECTORY);
    let mut names: Vec<&str> = shown["people"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["display_name"].as_str().unwrap())
        .collect();
    names.sort_unstable();
    assert_eq!(
        names,
        ["bob Tester"],
        "R35: another directory speaks for ada"
    );
    // C10: also after four hours the directory alone keeps nobody out.
    app.advance(Duration::from_secs(5 * 3_600));
    assert_eq!(access(&app, &employee("bob")).await.1, "active");
}

async fn r36_remove_all_ends_those_whom_no_other_directory_speaks_for(app: TestApp) {
    two_directories(&app).await;
    let (hers, his) = (app.profile(&ada()).id, app.profile(&employee("bob")).id);
    let chess = app.community("chess", &[(&hers, Role::Member), (&his, Role::Member)]);
    app.apply(&directory("dsync.deleted", minute(5))).await;
    app.advance(Duration::from_secs(600));
    choose(&app, "remove_all").await.ok();
    app.drain();
    assert_eq!(app.people(), [ada().email()], "R35: she has another link");
    assert_eq!(seats(&app, &chess), [seat("ada", "member")]);
    let last = app.history(&his);
    assert!(
        last.iter()
            .any(|one| one.what == "status" && one.actor == "bootstrap")
    );
    assert_eq!(choose(&app, "keep").await.status, 409);
}

async fn r36_keep_closes_the_hold_and_nobody_goes(app: TestApp) {
    two_directories(&app).await;
    app.apply(&directory("dsync.deleted", minute(5))).await;
    let shown = choose(&app, "keep").await.ok();
    assert_eq!(shown["state"], "rejected");
    app.drain();
    assert_eq!(app.people().len(), 2);
    assert_eq!(choose(&app, "remove_all").await.status, 409);
    assert_eq!(choose(&app, "burn").await.status, 400);
}

async fn r36_people_of_a_directory_that_came_back_are_not_removed_by_an_old_hold(app: TestApp) {
    two_directories(&app).await;
    app.apply(&directory("dsync.deleted", minute(5))).await;
    app.apply(&directory("dsync.activated", minute(6))).await;
    assert_eq!(choose(&app, "remove_all").await.status, 409);
    assert_eq!(app.people().len(), 2);
    choose(&app, "keep").await.ok();
}

async fn r37_a_relinked_directory_brings_nobody_new_and_no_message(app: TestApp) {
    company(&app).await;
    let before: Vec<String> = app.people();
    let ids: Vec<String> = (0..40).map(|n| app.profile(&somebody(n)).id).collect();
    app.apply(&directory("dsync.deleted", minute(5))).await;
    choose(&app, "relink").await.ok();
    app.apply(&directory("dsync.activated", minute(6)).set("data.id", ELSEWHERE))
        .await;
    let all: Vec<Event> = (0..40)
        .map(|n| {
            somebody(n)
                .created(minute(7))
                .set("data.id", format!("directory_user_again_{n}"))
                .set("data.directory_id", ELSEWHERE)
        })
        .collect();
    app.enqueue(&all);
    app.drain();
    assert_eq!(app.people(), before);
    let now: Vec<String> = (0..40).map(|n| app.profile(&somebody(n)).id).collect();
    assert_eq!(now, ids, "links moved, people stayed");
    assert_eq!(app.count("deliveries"), 40, "no second welcome");
    let removal = somebody(3)
        .deactivated(minute(8))
        .set("data.id", "directory_user_again_3")
        .set("data.directory_id", ELSEWHERE);
    app.apply(&removal).await;
    assert_eq!(app.profile(&somebody(3)).status, "removed");
}
