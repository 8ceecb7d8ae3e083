//! Lists in pages while rows are added: walking a list by its cursors shows everything that was there
//! when the walk began, each row once, whatever comes in between.

use serde_json::{Value, json};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::support::app::TestApp;
use crate::support::contract::document;
use crate::support::events::{ORGANIZATION, directory, employee, group, minute};
use crate::support::macros::on_both;

on_both!(
    a_list_shows_everything_once_while_rows_are_added,
    a_cursor_continues_only_the_list_that_it_was_given_out_for,
    a_cursor_of_another_list_or_none_at_all_is_refused,
);

/// A list, and what names a row of it.
const LISTS: [(&str, &[&str]); 19] = [
    ("/v1/events", &["/id"]),
    ("/v1/profiles", &["/id"]),
    ("/v1/profiles/{id}/history", &["/at", "/sentence"]),
    ("/v1/deliveries", &["/id"]),
    ("/v1/communities", &["/id"]),
    ("/v1/communities/{id}/members", &["/profile_id", "/source"]),
    ("/v1/directories", &["/id"]),
    ("/v1/organizations", &["/id"]),
    ("/v1/groups", &["/id"]),
    (
        "/v1/groups/pending-members",
        &["/group_id", "/directory_user_id"],
    ),
    ("/v1/triggers", &["/id"]),
    ("/v1/opt-outs", &["/email"]),
    ("/v1/jobs", &["/id"]),
    ("/v1/audit", &["/id"]),
    ("/v1/admin-restorations", &["/community_id", "/profile_id"]),
    ("/v1/conflicts", &["/directory_user_id"]),
    ("/v1/destinations", &["/id"]),
    ("/v1/holds", &["/id"]),
    ("/v1/reconciles", &["/id"]),
];

/// Whatever the API's document says takes a cursor.
fn lists_of_the_api() -> Vec<&'static str> {
    let paths = document()["paths"].as_object().unwrap().iter();
    let takes_one = |operation: &Value| {
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        parameters
            .clone()
            .any(|parameter| parameter["name"] == "cursor")
    };
    let lists = paths.filter(|(_, methods)| takes_one(&methods["get"]));
    lists.map(|(path, _)| path.as_str()).collect()
}

/// A community and a person of it.
struct Company {
    community: String,
    person: String,
}

impl Company {
    fn path(&self, list: &str) -> String {
        let id = match list.starts_with("/v1/profiles/") {
            true => &self.person,
            false => &self.community,
        };
        list.replace("{id}", id)
    }
}

async fn page(app: &TestApp, path: &str, limit: usize, cursor: Option<&str>) -> Value {
    let cursor = cursor.map(|cursor| format!("&cursor={cursor}"));
    let asked = format!("{path}?limit={limit}{}", cursor.unwrap_or_default());
    app.get(&asked).await
}

fn names(page: &Value, name: &[&str]) -> Vec<String> {
    let rows = page["data"].as_array().unwrap().iter();
    let told = |row: &Value| {
        let parts = name
            .iter()
            .map(|part| row.pointer(part).unwrap().as_str().unwrap());
        parts.collect::<Vec<_>>().join(" ")
    };
    rows.map(told).collect()
}

/// One more row in every list, some of them before the place where a walk stands, some behind it.
async fn more(app: &TestApp, community: &str, round: u64) {
    // A round takes 1,510 minutes of the clock, and what it tells happens in that time.
    let at = |later: u64| minute(1_510 * (round - 1) + 60 + later);
    // Names that fall between, before and behind those of other rounds.
    let name = format!("{}{round}", ["m", "c", "x", "a"][(round % 4) as usize]);
    let organization = format!("org_{name}");
    let person = employee(&name);
    app.apply(&person.created(at(1))).await;
    let other = format!("directory_{name}");
    app.apply(
        &directory("dsync.activated", at(2))
            .set("data.id", other)
            .set("data.organization_id", organization),
    )
    .await;
    app.apply(&group("dsync.group.created", &name, at(3))).await;
    app.apply(&employee(&format!("{name}-unknown")).joined("nobody", at(4)))
        .await;
    let made = |path: &'static str, body: Value| app.call("POST", path, body);
    made(
        "/v1/communities",
        json!({"organization_id": ORGANIZATION, "name": name}),
    )
    .await
    .ok();
    made(
        "/v1/opt-outs",
        json!({"organization_id": ORGANIZATION, "email": format!("{name}@test.example")}),
    )
    .await
    .ok();
    made(
        "/v1/triggers",
        json!({"organization_id": ORGANIZATION, "name": name, "on": "profile.activated",
            "status": "published", "steps": [{"channel": "webhook", "to": "http://127.0.0.1:9/hook"}]}),
    )
    .await
    .ok();
    let id = app.profile(&person).id;
    let seat = format!("/v1/communities/{community}/members/{id}");
    app.call("PUT", &seat, json!({"role": "admin"})).await.ok();
    // Who ran a community, left and came back: their seat waits for somebody to decide.
    app.apply(&person.deactivated(at(5))).await;
    app.advance(std::time::Duration::from_secs(600));
    app.apply(&person.updated(at(6))).await;
    let fields = format!("/v1/organizations/{ORGANIZATION}/fields");
    app.call("PUT", &fields, json!({"rest": round.is_multiple_of(2)}))
        .await
        .ok();
    app.drain();
    app.advance(std::time::Duration::from_secs(90_000));
}

async fn company(app: &TestApp) -> Company {
    app.apply(&directory("dsync.activated", minute(0))).await;
    let enable = format!("/v1/organizations/{ORGANIZATION}/messaging/enable");
    app.call("POST", &enable, Value::Null).await.ok();
    let body = json!({"organization_id": ORGANIZATION, "name": "Chess"});
    let chess = app.call("POST", "/v1/communities", body).await.ok();
    let chess = chess["id"].as_str().unwrap().to_owned();
    let first = employee("first");
    app.apply(&first.created(minute(0))).await;
    let id = app.profile(&first).id;
    let seat = format!("/v1/communities/{chess}/members/{id}");
    app.call("PUT", &seat, json!({"role": "admin"})).await.ok();
    Company {
        community: chess,
        person: id,
    }
}

/// Rows of the lists that a company in good order leaves empty, as many as rounds.
fn trouble(app: &TestApp, round: u64) {
    let mut stranger = app.place.stranger();
    let question = r#"{"kind":"conflict","over":"email","candidates":[]}"#;
    stranger.run(&format!(
        "UPDATE links SET question = '{question}';
         INSERT INTO destinations (id, channel, shown, not_before, created_at, failures, next_try_at)
         VALUES ('webhook_{round}', 'webhook', 'http://x.example', 0, {round}, 0, 0);
         INSERT INTO holds (id, organization_id, kind, state, reason, opened_at, last_at)
         VALUES ('hold_{round}', '{ORGANIZATION}', 'burst', 'open', 'many', {round}, {round});
         INSERT INTO reconciles (id, organization_id, directory_id, apply, state, phase, progress, actor, started_at,
                                 lease_token)
         VALUES ('reconcile_{round}', '{ORGANIZATION}', 'directory_1', false, 'done', 'users', '{{}}', 'cli', {round}, 0)"
    ));
}

#[test]
fn every_list_of_the_api_is_tried() {
    let mut tried = LISTS.map(|(list, _)| list);
    tried.sort_unstable();
    assert_eq!(lists_of_the_api(), tried);
}

/// What somebody makes out of a cursor that they were given.
fn spoiled(cursor: &str) -> Vec<String> {
    let mut bytes = URL_SAFE_NO_PAD.decode(cursor).unwrap();
    assert!(!String::from_utf8_lossy(&bytes).contains("org"), "{cursor}");
    let half = bytes.len() / 2;
    bytes[half] ^= 1;
    vec![
        URL_SAFE_NO_PAD.encode(&bytes),
        cursor[..cursor.len() / 2].to_owned(),
        format!("{cursor}{cursor}"),
        format!("{cursor}{}", "A".repeat(4_000)),
        String::new(),
    ]
}

/// Each list's cursor continues that list, for who is limited as its reader was and with the same filters.
async fn a_cursor_continues_only_the_list_that_it_was_given_out_for(app: TestApp) {
    let company = company(&app).await;
    let chess = &company.community;
    for round in 1..=2 {
        more(&app, chess, round).await;
        trouble(&app, round);
    }
    let limited = app.token("limited", "viewer", Some(ORGANIZATION));
    let mut cursors = Vec::new();
    for (list, _) in LISTS {
        let path = company.path(list);
        let first = page(&app, &path, 1, None).await;
        let cursor = first["next_cursor"].as_str();
        let cursor = cursor.unwrap_or_else(|| panic!("{list} has one page: {first}"));
        cursors.push((path, cursor.to_owned()));
    }
    let refused = async |token: Option<&str>, asked: String| {
        let answer = app.http.api_as(token, "GET", &asked, None).await;
        assert_eq!(answer.status, 400, "{asked}: {}", answer.text);
        let detail = answer.body["detail"].as_str().unwrap();
        assert!(
            detail.contains("does not belong to this list"),
            "{asked}: {detail}"
        );
    };
    let admin = Some(crate::support::http::TOKEN);
    for (place, (path, cursor)) in cursors.iter().enumerate() {
        page(&app, path, 1, Some(cursor)).await;
        // Two others are enough: every list's is tried at others.
        for (_, other) in cursors.iter().cycle().skip(place + 1).take(2) {
            refused(admin, format!("{path}?cursor={other}")).await;
        }
        for edited in spoiled(cursor) {
            refused(admin, format!("{path}?cursor={edited}")).await;
        }
        refused(Some(&limited), format!("{path}?cursor={cursor}")).await;
        if lists_by_organization(path) {
            let narrowed = format!("{path}?organization_id={ORGANIZATION}&cursor={cursor}");
            refused(admin, narrowed).await;
        }
    }
    app.leave_work();
}

fn lists_by_organization(path: &str) -> bool {
    let operation = &document()["paths"][path]["get"];
    let mut parameters = operation["parameters"].as_array().into_iter().flatten();
    parameters.any(|parameter| parameter["name"] == "organization_id")
}

async fn a_list_shows_everything_once_while_rows_are_added(app: TestApp) {
    let company = company(&app).await;
    let chess = &company.community;
    for round in 1..=4 {
        more(&app, chess, round).await;
        trouble(&app, round);
    }
    let mut walks = Vec::new();
    for (list, name) in LISTS {
        let path = company.path(list);
        let all = names(&page(&app, &path, 200, None).await, name);
        assert!(all.len() > 2, "{list} has {all:?}");
        let first = page(&app, &path, 1, None).await;
        walks.push((path, name, all, first));
    }
    more(&app, chess, 5).await;
    more(&app, chess, 6).await;
    trouble(&app, 5);
    for (path, name, all, first) in walks {
        let mut seen = names(&first, name);
        let mut cursor = first["next_cursor"].as_str().map(str::to_owned);
        while let Some(from) = cursor {
            let next = page(&app, &path, 2, Some(&from)).await;
            seen.extend(names(&next, name));
            cursor = next["next_cursor"].as_str().map(str::to_owned);
        }
        for one in &all {
            let times = seen.iter().filter(|row| *row == one).count();
            assert_eq!(times, 1, "{path}: {one} is seen {times} times in {seen:?}");
        }
    }
    app.leave_work();
}

async fn a_cursor_of_another_list_or_none_at_all_is_refused(app: TestApp) {
    let company = company(&app).await;
    for (list, _) in LISTS {
        let path = company.path(list);
        // Not ours; `{"at"`; ten, a space, and U+0000; a list with U+0000.
        for cursor in [
            "1",
            "eyJhdCI",
            "MTAgAA",
            "WyJhXHUwMDAwIiwiYiJd",
            "%F0%9F%8D%B0",
        ] {
            let asked = format!("{path}?cursor={cursor}");
            let answer = app.call("GET", &asked, Value::Null).await;
            assert_eq!(answer.status, 400, "{asked}: {}", answer.text);
        }
    }
    app.leave_work();
}
