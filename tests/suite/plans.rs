//! No page, list or worker reads a whole table: the statements that really run while every page is
//! looked at and every kind of work is done are explained, and a walk through all events, bodies,
//! people, changes, messages or memberships fails.

use std::time::Duration;

use rollcall::db::Backend;
use serde_json::json;

use crate::console::Browser;
use crate::support::app::TestApp;
use crate::support::events::{DIRECTORY, ORGANIZATION, ada, directory, employee, minute};
use crate::support::http::TOKEN;
use crate::support::macros::on_both;
use crate::support::plans;

on_both!(
    no_page_and_no_work_walks_a_large_table,
    a_walk_is_found_where_there_is_one,
);

/// What grows with the company and with time.
const LARGE: [&str; 12] = [
    "outbox",
    "event_bodies",
    "event_attempts",
    "profiles",
    "links",
    "link_keys",
    "observations",
    "group_edges",
    "changes",
    "deliveries",
    "memberships",
    "operator_acts",
];

/// Walks that are as they should be: words of the statement, and why.
const MEANT: [(&str, &str); 15] = [
    ("(1=0)", "an empty list: nothing is read"),
    (
        "WHERE (`outbox`.`state` = ?) ORDER BY `outbox`.`id` DESC LIMIT",
        "done, as most are",
    ),
    (
        "WHERE (\"outbox\".\"state\" = $1) ORDER BY \"outbox\".\"id\" DESC LIMIT",
        "done, as most are",
    ),
    (
        "WHERE (`outbox`.`received_at` ",
        "fewer than ten thousand events; else the time is turned into places",
    ),
    (
        "WHERE (\"outbox\".\"received_at\" ",
        "fewer than ten thousand events; else the time is turned into places",
    ),
    (
        "ORDER BY `event_attempts`.`id` LIMIT",
        "the retention begins with the oldest",
    ),
    (
        "ORDER BY \"event_attempts\".\"id\" LIMIT",
        "the retention begins with the oldest",
    ),
    (
        "SELECT (SELECT max(id) FROM outbox) AS arrived",
        "ends of indexes",
    ),
    (
        "NOT (EXISTS (SELECT",
        "the first event that came by webhook, which is one of the oldest",
    ),
    (
        "SELECT DISTINCT k.directory_user_id AS id FROM links d JOIN link_keys o",
        "a directory turned: everybody in it is asked about, which may be everybody there is",
    ),
    (
        "(SELECT \"legal_holds\".\"profile_id\" FROM \"legal_holds\")",
        "PostgreSQL takes a table without figures for a large one; few people are held",
    ),
    (
        "IN (SELECT `profiles`.`id` FROM `profiles` ORDER BY",
        "the end of an index, and then the rows of those",
    ),
    (
        "ANY(SELECT \"profiles\".\"id\" FROM \"profiles\" ORDER BY",
        "the end of an index, and then the rows of those",
    ),
    (
        "FROM ((`group_edges` LEFT OUTER JOIN",
        "places in groups that wait: asked by the doctor and by one list, never by a page",
    ),
    ("FROM ((\"group_edges\" LEFT OUTER JOIN", "as above"),
];

/// Indexes that hold only what is open or rare: to walk them is to look at that.
const SMALL: [&str; 16] = [
    "outbox_failures",
    "outbox_ready",
    "outbox_unsettled",
    "outbox_ignored",
    "outbox_error",
    "outbox_outcome",
    "deliveries_due",
    "deliveries_leased",
    "deliveries_waiting",
    "deliveries_shares",
    "deliveries_in_flight",
    "deliveries_trigger",
    "deliveries_hold",
    "deliveries_digest",
    "links_question",
    "memberships_seats",
];

async fn no_page_and_no_work_walks_a_large_table(backend: Backend) {
    plans::record();
    let app = TestApp::start(backend).await;
    work(&app).await;
    look(&app).await;
    let mut stranger = app.place.stranger();
    stranger.believes_in_millions(&LARGE);
    let (mut complaints, mut access_look_ups) = (Vec::new(), 0);
    let all = plans::ran_on(&app.place.url());
    assert!(all.len() > 150, "only {} statements ran", all.len());
    for sql in &all {
        if MEANT.iter().any(|(words, _)| sql.contains(words)) {
            continue;
        }
        let plan = stranger.plan(sql);
        let walks = walks(backend, sql, &plan);
        if sql.contains("'dsync.user.%'") && sql.contains("LEFT OUTER JOIN") {
            access_look_ups += 1;
            let indexed = plan.iter().any(|step| step.contains("outbox_removals"));
            assert!(indexed, "R91: {sql}\n    {}", plan.join("\n    "));
        }
        if !walks.is_empty() {
            complaints.push(format!("{sql}\n    {}", walks.join("\n    ")));
        }
    }
    assert!(access_look_ups > 0, "nobody was asked about");
    assert!(
        complaints.is_empty(),
        "{} of {} statements walk a large table:\n\n{}",
        complaints.len(),
        all.len(),
        complaints.join("\n\n")
    );
}

async fn a_walk_is_found_where_there_is_one(app: TestApp) {
    let mut stranger = app.place.stranger();
    let backend = app.db.backend();
    let mut found = |sql: &str| {
        let plan = stranger.plan(sql);
        !walks(backend, sql, &plan).is_empty()
    };
    assert!(found(
        "SELECT count(*) FROM event_bodies WHERE body LIKE '%x%'"
    ));
    assert!(found(
        "SELECT id FROM changes WHERE name = 'title' ORDER BY id LIMIT 10"
    ));
    assert!(found("UPDATE profiles SET title = 'x' WHERE title = 'y'"));
    assert!(!found("SELECT id FROM outbox ORDER BY id DESC LIMIT 50"));
    assert!(!found(
        "SELECT id FROM outbox WHERE event_type = 'x' ORDER BY id DESC LIMIT 50"
    ));
    assert!(!found("SELECT count(*) FROM outbox WHERE state = 'ready'"));
}

/// The steps of a plan that walk a large table from end to end.
fn walks(backend: Backend, sql: &str, plan: &[String]) -> Vec<String> {
    match backend {
        Backend::Sqlite => walks_on_sqlite(sql, plan),
        Backend::Postgres => walks_on_postgres(sql, plan),
    }
}

/// In the order of the list, and nothing asked for but its beginning.
fn reads_the_top(sql: &str) -> bool {
    sql.contains("LIMIT") && !sql.contains("WHERE")
}

fn walks_on_sqlite(sql: &str, plan: &[String]) -> Vec<String> {
    let sorts = plan
        .iter()
        .any(|step| step.contains("TEMP B-TREE FOR ORDER BY"));
    let walks = plan.iter().filter(|step| {
        let Some(rest) = step.strip_prefix("SCAN ") else {
            return false;
        };
        let name = rest.split(' ').next().unwrap_or_default();
        let table = table_of(sql, name);
        let small = SMALL.iter().any(|index| rest.ends_with(index));
        LARGE.contains(&table.as_str()) && !small && (sorts || !reads_the_top(sql))
    });
    walks.cloned().collect()
}

/// What an alias stands for.
fn table_of(sql: &str, alias: &str) -> String {
    let plain = sql.replace(['`', '"', '(', ')', ','], " ");
    let words: Vec<&str> = plain.split_whitespace().collect();
    for (at, word) in words.iter().enumerate() {
        let next = words.get(at + 1).copied().unwrap_or_default();
        let after = words.get(at + 2).copied().unwrap_or_default();
        let named = next == alias || (next.eq_ignore_ascii_case("as") && after == alias);
        if LARGE.contains(word) && named {
            return (*word).to_owned();
        }
    }
    alias.to_owned()
}

fn walks_on_postgres(sql: &str, plan: &[String]) -> Vec<String> {
    let mut walks = Vec::new();
    for (at, line) in plan.iter().enumerate() {
        let step = line.trim_start_matches([' ', '-', '>']);
        let Some((how, rest)) = step.split_once(" on ") else {
            continue;
        };
        let table = rest.split([' ', '(']).next().unwrap_or_default();
        if !LARGE.contains(&table) {
            // A bitmap's own line names the index and has its condition below it.
            continue;
        }
        let conditions = plan
            .iter()
            .skip(at + 1)
            .take_while(|line| !line.contains("->"));
        let guided = conditions
            .clone()
            .any(|line| line.contains("Index Cond") || line.contains("Recheck Cond"));
        let small = SMALL.iter().any(|index| how.ends_with(index));
        let walked = how.starts_with("Seq Scan") || (how.starts_with("Index") && !guided && !small);
        if walked && !reads_the_top(sql) {
            walks.push(line.trim().to_owned());
        }
    }
    walks
}

/// Every kind of work there is.
async fn work(app: &TestApp) {
    app.apply(&directory("dsync.activated", minute(0))).await;
    let enable = format!("/v1/organizations/{ORGANIZATION}/messaging/enable");
    app.call("POST", &enable, json!({})).await.ok();
    let community = json!({
        "organization_id": ORGANIZATION, "name": "Sales",
        "rules": [{"when": {"field": "status", "op": "eq", "value": "active"}, "role": "member"}],
    });
    app.call("POST", "/v1/communities", community).await.ok();
    for on in ["profile.activated", "profile.removed", "field.changed"] {
        let trigger = json!({
            "organization_id": ORGANIZATION, "name": on, "on": on, "status": "published",
            "steps": [{"channel": "webhook", "to": "http://127.0.0.1:9/hook"}],
        });
        app.call("POST", "/v1/triggers", trigger).await;
    }
    app.advance(Duration::from_secs(600));
    for name in ["ada", "bo", "cy"] {
        app.apply(&employee(name).created(minute(11))).await;
    }
    app.apply(
        &ada()
            .updated(minute(12))
            .set("data.custom_attributes.job_title", "Head"),
    )
    .await;
    app.apply(&ada().updated(minute(1)).set("data.first_name", "Late"))
        .await;
    app.apply(&employee("bo").deleted(minute(14))).await;
    app.apply(
        &employee("dee")
            .created(minute(15))
            .without("data.directory_id"),
    )
    .await;
    // A question, and a hold.
    let twin = employee("twin").created(minute(16));
    app.apply(&twin.set("data.email", employee("cy").email()))
        .await;
    for event in ["dsync.activated", "dsync.deleted"] {
        let gone = directory(
            event,
            minute(if event == "dsync.deleted" { 19 } else { 17 }),
        );
        app.apply(&gone.set("data.id", "directory_01GONE")).await;
        let left = employee("left").created(minute(18));
        app.apply(&left.set("data.directory_id", "directory_01GONE"))
            .await;
    }
    app.send_due().await;
    let replay = json!({"all": true, "job": true});
    app.call("POST", "/v1/events/replay", replay).await.ok();
    app.drain();
    let dry = json!({"all": true, "dry_run": true});
    app.call("POST", "/v1/events/replay", dry).await.ok();
    app.advance(Duration::from_secs(30));
    app.drain();
}

/// Every page of the console and every list of the API, filtered in every way.
async fn look(app: &TestApp) {
    let browser = Browser::signed_in(app, TOKEN).await;
    for path in paths(app).await {
        let status = match path.split('/').nth(1) {
            Some("console") => browser.open(&path).await.status,
            Some("v1") => app.http.api("GET", &path, None).await.status,
            _ => app.http.call("GET", &path).await.status,
        };
        assert_eq!(status, 200, "{path}");
    }
}

async fn paths(app: &TestApp) -> Vec<String> {
    let first = async |path: &str| -> String {
        let told = app.get(path).await;
        told["data"][0]["id"]
            .as_str()
            .unwrap_or_else(|| panic!("{path}: {told}"))
            .to_owned()
    };
    let event = first("/v1/events?state=done").await;
    let person = first("/v1/profiles").await;
    let community = first("/v1/communities").await;
    let delivery = first("/v1/deliveries").await;
    let job = first("/v1/jobs").await;
    let hold = first("/v1/holds").await;
    let trigger = first("/v1/triggers").await;
    let asked = employee("twin").id();
    let mut all: Vec<String> = Vec::new();
    for list in ["/console/events?", "/v1/events?"] {
        let mut filters: Vec<String> = [
            "",
            "state=failed",
            "state=held",
            "state=ready",
            "state=ignored",
            "outcome=stale",
            "outcome=failed",
            "type=dsync.user.deleted",
            "error=x",
            "q=somebody",
            "since=2026-11-23",
            "until=2026-11-24",
        ]
        .map(str::to_owned)
        .to_vec();
        let person_filter = if list.starts_with("/v1") {
            "profile_id"
        } else {
            "person"
        };
        let directory_filter = if list.starts_with("/v1") {
            "directory_id"
        } else {
            "directory"
        };
        filters.push(format!("{person_filter}={person}"));
        filters.push(format!("{directory_filter}=directory_01TEST"));
        all.extend(filters.iter().map(|filter| format!("{list}{filter}")));
    }
    for more in ["", "&type=dsync.user.deleted", "&error=x", "&outcome=stale"] {
        all.push(format!("/v1/events?organization_id={ORGANIZATION}{more}"));
    }
    all.push(format!("/v1/failures?organization_id={ORGANIZATION}"));
    let pages = [
        "",
        "/people",
        "/people?q=ada",
        "/people?status=removed",
        "/people?status=all",
        "/people?department=x",
        "/communities",
        "/deliveries",
        "/deliveries?state=failed",
        "/deliveries?state=due",
        "/deliveries?channel=slack",
        "/failures",
        "/jobs",
        "/conflicts",
        "/communities/admin-restorations",
        "/triggers",
        "/triggers/new",
        "/destinations",
        "/audit",
        "/directory-sync",
        "/directory-sync/gaps",
        "/directory-sync/reconciles",
    ];
    all.extend(pages.map(|page| format!("/console{page}")));
    let organization = format!("/directory-sync/organizations/{ORGANIZATION}");
    all.extend(
        [
            format!("/events/{event}"),
            format!("/people?community={community}"),
            format!("/people/{person}"),
            format!("/people/{person}/erase"),
            format!("/people/{person}/resync"),
            format!("/communities/{community}?find=ada"),
            format!("/communities/{community}/rules"),
            format!("/deliveries/{delivery}"),
            format!("/jobs/{job}"),
            format!("/holds/{hold}"),
            format!("/conflicts/{asked}"),
            format!("/triggers/{trigger}?find=ada"),
            format!("/triggers/{trigger}/edit"),
            format!("/triggers/{trigger}/delete"),
            format!("/triggers/{trigger}/preview?person={person}"),
            format!("/directory-sync/enable/{ORGANIZATION}"),
            organization.clone(),
            format!("{organization}/mapping"),
            format!("{organization}/guards"),
            format!("{organization}/messaging"),
        ]
        .map(|page| format!("/console{page}")),
    );
    // Of these there are none, or they ask for more than an id.
    let others = ["/legal-hold", "/reconciles/{id}", "/access"];
    let document = app.get("/openapi.json").await;
    for (path, calls) in document["paths"].as_object().unwrap() {
        let id = match path.split('/').nth(2).unwrap() {
            "events" => &event,
            "profiles" => &person,
            "communities" => &community,
            "deliveries" => &delivery,
            "jobs" => &job,
            "holds" => &hold,
            "conflicts" => &asked,
            "triggers" => &trigger,
            "directories" => DIRECTORY,
            _ => ORGANIZATION,
        };
        if calls.get("get").is_some() && !others.iter().any(|other| path.ends_with(other)) {
            all.push(path.replace("{id}", id));
        }
    }
    all.extend([
        "/v1/profiles?q=ada".to_owned(),
        format!("/v1/profiles?organization_id={ORGANIZATION}&status=all"),
        format!("/v1/access?organization_id={ORGANIZATION}&email=ada@test.example"),
        format!("/v1/deliveries?profile_id={person}"),
        format!("/v1/deliveries?organization_id={ORGANIZATION}"),
        "/v1/deliveries?state=sent".to_owned(),
        "/health/ready".to_owned(),
        "/metrics".to_owned(),
    ]);
    all
}
