//! The famous failures of such systems, each told as a scenario of `fixtures/scenarios/` with its right
//! ending, over signed HTTP, in the order of the file. The table in `fixtures/README.md` tells the
//! same; that any other order ends alike is for `roads.rs`.

use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::events::{Event, scenario};
use crate::support::macros::on_both;

on_both!(
    r66_a_leave_written_in_the_other_format_counts_by_its_instant,
    r66_a_tie_in_one_millisecond_does_not_bring_anybody_back,
    r13_whoever_turned_inactive_stays_out_until_an_explicit_active,
    r12_a_deletion_that_comes_before_the_creation_keeps_out,
    r24_a_passed_on_address_gives_a_stranger_nothing,
    r77_a_deletion_by_mistake_loses_no_membership,
    r38_a_partial_listing_removes_nobody,
    every_scenario_can_be_sent_and_is_told_in_the_readme,
);

async fn deliver(app: &TestApp, events: &[Event]) {
    for event in events {
        assert_eq!(app.deliver(event).await.body["status"], "accepted");
        app.drain();
    }
}

async fn told(app: &TestApp, name: &str) -> String {
    let events = scenario(name);
    deliver(app, &events).await;
    organization(&events)
}

fn organization(events: &[Event]) -> String {
    let mut all = events.iter();
    all.find_map(|event| event.0["data"]["organization_id"].as_str())
        .unwrap()
        .to_owned()
}

/// Everybody known: who, where they stand, as what.
fn roll(app: &TestApp) -> Vec<String> {
    let query = "SELECT display_name || ', ' || status || ', ' || coalesce(title, '-') AS line \
                 FROM profiles ORDER BY 1";
    app.lines(query)
}

async fn access(app: &TestApp, organization: &str, email: &str) -> Value {
    let path = format!("/v1/access?organization_id={organization}&email={email}");
    app.get(&path).await["allowed"].clone()
}

/// WorkOS writes instants in two forms, and a space sorts before a `T`.
async fn r66_a_leave_written_in_the_other_format_counts_by_its_instant(app: TestApp) {
    let company = told(&app, "leaver-in-the-other-format").await;
    assert_eq!(
        roll(&app),
        [
            "Ines Marchetti, removed, Lead Cartographer",
            "Oke Nwosu, active, Chief Surveyor"
        ]
    );
    let email = "ines.marchetti@kestrelmaps.example";
    assert_eq!(access(&app, &company, email).await, false);
}

async fn r66_a_tie_in_one_millisecond_does_not_bring_anybody_back(app: TestApp) {
    told(&app, "tie-in-one-millisecond").await;
    assert_eq!(
        roll(&app),
        [
            "Gunnar Falk, removed, Printer, retired",
            "Pavel Urban, active, Binder",
            "Shirin Azadi, removed, Editor at large"
        ]
    );
}

/// Also in words other than `inactive`; and an update that does not say a state says nothing of it.
async fn r13_whoever_turned_inactive_stays_out_until_an_explicit_active(app: TestApp) {
    told(&app, "inactive-and-silent").await;
    assert_eq!(
        roll(&app),
        [
            "Dario Vega, active, Cook",
            "Elin Strand, active, Head of Care",
            "Kofi Mensah, removed, Carer",
            "Noor Haddad, removed, Nurse",
            "Rosa Lindqvist, pending, Trainee"
        ]
    );
}

async fn r12_a_deletion_that_comes_before_the_creation_keeps_out(app: TestApp) {
    let company = told(&app, "deleted-before-created").await;
    assert_eq!(
        roll(&app),
        [
            "Mateus Prado, removed, Head Rigger",
            "Yuki Tanabe, active, Skipper"
        ]
    );
    let crew = community_of_group(&app, &company, "Crew").await;
    assert_eq!(members(&app, &crew).await, ["Yuki Tanabe member"]);
}

async fn r24_a_passed_on_address_gives_a_stranger_nothing(app: TestApp) {
    let events = scenario("address-passes-on");
    let company = organization(&events);
    deliver(&app, &events[..6]).await;
    let finance = community_of_group(&app, &company, "Finance").await;
    let sam = profile(&app, "Sam Okafor");
    let board = community(&app, &company, json!([])).await;
    seat(&app, &board, &sam, "admin").await;
    deliver(&app, &events[6..]).await;
    assert_eq!(
        roll(&app),
        [
            "Sam Okafor, removed, Head of Finance",
            "Samira Oyelaran, active, Lab Technician",
            "Wanda Kruk, active, Director",
            "Wim Kroon, pending, Auditor"
        ]
    );
    assert_eq!(members(&app, &finance).await, ["Wanda Kruk member"]);
    assert_eq!(members(&app, &board).await, [""; 0]);
    let heard = app.get(&format!("/v1/profiles/{sam}")).await;
    assert_eq!(heard["status"], "removed");
    let wim = profile(&app, "Wim Kroon");
    let path = format!("/v1/access?organization_id={company}&profile_id={wim}");
    assert_eq!(app.get(&path).await["allowed"], false);
}

/// A hard deletion elsewhere loses the memberships for good; here the return finds them again.
async fn r77_a_deletion_by_mistake_loses_no_membership(app: TestApp) {
    let events = scenario("deleted-by-mistake");
    let company = organization(&events);
    deliver(&app, &events[..6]).await;
    let stage = community_of_group(&app, &company, "Stage").await;
    let lena = profile(&app, "Lena Brandt");
    let summer_play = community(&app, &company, json!([])).await;
    seat(&app, &summer_play, &lena, "member").await;
    deliver(&app, &events[6..7]).await;
    assert_eq!(members(&app, &stage).await, ["Ivo Petrov member"]);
    assert_eq!(members(&app, &summer_play).await, [""; 0]);
    deliver(&app, &events[7..]).await;
    assert_eq!(profile(&app, "Lena Brandt"), lena, "R31: the same person");
    assert_eq!(
        members(&app, &stage).await,
        ["Ivo Petrov member", "Lena Brandt member"]
    );
    assert_eq!(members(&app, &summer_play).await, ["Lena Brandt member"]);
}

/// The directory goes, comes back as another one, and lists three of five people. Nothing was said of
/// the other two, so nothing happens to them.
async fn r38_a_partial_listing_removes_nobody(app: TestApp) {
    let company = told(&app, "partial-listing").await;
    let everybody = roll(&app);
    assert_eq!(everybody.len(), 5, "R37: nobody twice: {everybody:?}");
    assert!(everybody.iter().all(|line| line.contains(", active, ")));
    let unlisted = "hana.novak@fjordfreight.example";
    assert_eq!(access(&app, &company, unlisted).await, true);
}

async fn community(app: &TestApp, organization: &str, rules: Value) -> String {
    let name = format!("Community {}", app.count("communities"));
    let body = json!({"organization_id": organization, "name": name, "rules": rules});
    let made = app.call("POST", "/v1/communities", body).await.ok();
    made["id"].as_str().unwrap().to_owned()
}

async fn community_of_group(app: &TestApp, organization: &str, group: &str) -> String {
    let when = json!({"field": "group", "op": "eq", "value": group});
    community(app, organization, json!([{"when": when, "role": "member"}])).await
}

async fn seat(app: &TestApp, community: &str, profile: &str, role: &str) {
    let path = format!("/v1/communities/{community}/members/{profile}");
    app.call("PUT", &path, json!({"role": role})).await.ok();
}

async fn members(app: &TestApp, community: &str) -> Vec<String> {
    let path = format!("/v1/communities/{community}/members");
    let page = app.get(&path).await;
    let text = |one: &Value, key: &str| one[key].as_str().unwrap().to_owned();
    let all = page["data"].as_array().unwrap().iter();
    let mut all: Vec<String> = all
        .map(|one| format!("{} {}", text(one, "display_name"), text(one, "role")))
        .collect();
    all.sort();
    all
}

fn profile(app: &TestApp, name: &str) -> String {
    let mut found = app.lines(&format!(
        "SELECT id AS line FROM profiles WHERE display_name = '{name}'"
    ));
    assert_eq!(found.len(), 1, "{name}");
    found.remove(0)
}

async fn every_scenario_can_be_sent_and_is_told_in_the_readme(app: TestApp) {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures");
    let readme = std::fs::read_to_string(format!("{folder}/README.md")).unwrap();
    let mut count = 0;
    for entry in std::fs::read_dir(format!("{folder}/scenarios")).unwrap() {
        let file = entry.unwrap().file_name().into_string().unwrap();
        assert!(readme.contains(&format!("| `{file}` |")), "{file}");
        let events = scenario(file.trim_end_matches(".jsonl"));
        app.enqueue(&events);
        count += 1;
    }
    assert_eq!(count, 10);
    app.drain();
    let open = "SELECT event_id AS line FROM outbox WHERE state NOT IN ('done', 'ignored')";
    assert_eq!(app.lines(open), [""; 0]);
}
