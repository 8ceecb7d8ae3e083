//! The attribute mapping: every problem told, tried out on real people before it is kept, and
//! applied to everybody by a job that survives its worker.

use std::process::Output;
use std::time::Duration;

use rollcall::store::jobs::{self, JobRow, NewJob, Stepped};
use rollcall::worker::{BatchSettings, Worker};
use serde_json::{Value, json};
use tokio::task::block_in_place;

use crate::support::app::TestApp;
use crate::support::binary::rollcall;
use crate::support::events::{Employee, Event, ORGANIZATION, ada, directory, employee, minute};
use crate::support::http::Answer;
use crate::support::macros::on_both;

on_both!(
    r50_a_changed_mapping_reaches_everybody_by_a_job,
    r49_a_job_leaves_one_change_a_field_whoever_stops_and_goes_on,
    a_job_is_stepped_by_one_worker_at_a_time,
    r73_a_late_word_about_a_job_under_an_old_lease_changes_nothing,
    r67_live_events_go_before_a_job_and_a_job_goes_on_under_load,
    a_job_is_cancelled_and_goes_no_further,
    a_newer_mapping_ends_the_job_of_the_one_before,
    a_step_that_fails_is_tried_again_and_told_in_the_end,
    r20_who_meets_by_an_employee_number_from_elsewhere_becomes_one_person,
    r56_nobody_is_messaged_because_a_mapping_changed,
    a_preview_tells_each_field_before_and_after_and_changes_nothing,
    r46_a_required_field_that_is_missing_is_told,
    r47_r51_a_deprecated_field_going_empty_and_a_wrong_value_blank_nothing,
    r50_r55_what_the_directory_owns_is_locked_until_it_goes,
    a_mapping_with_problems_is_refused_with_all_of_them,
    the_command_line_previews_applies_and_follows,
);

const PATH: &str = "/v1/organizations/org_01TEST/fields";

async fn put(app: &TestApp, rules: Value) -> Answer {
    app.call("PUT", PATH, json!({ "rules": rules })).await
}

async fn job(app: &TestApp, told: &Value) -> Value {
    let id = told["job"]["id"].as_str().unwrap();
    app.get(&format!("/v1/jobs/{id}")).await
}

fn by_team() -> Value {
    json!([{"target": "department", "from": ["team"], "transforms": ["trim", "title_case"]}])
}

fn in_team(who: &Employee, team: &str) -> Event {
    who.created(minute(0))
        .set("data.custom_attributes.team", team)
}

/// More people than two steps take.
fn crowd(app: &TestApp, count: usize) {
    let all = (0..count).map(|one| in_team(&employee(&format!("p{one:04}")), "blue"));
    app.enqueue(&all.collect::<Vec<_>>());
    app.drain();
}

/// One step, as a worker of a process of its own.
fn step(app: &TestApp) -> bool {
    block_in_place(|| app.worker.clone().step_job()).unwrap()
}

async fn r50_a_changed_mapping_reaches_everybody_by_a_job(app: TestApp) {
    app.apply(&in_team(&ada(), " blue ")).await;
    let mapping = json!({
        "rules": [{"target": "department", "from": ["team"], "transforms": ["trim", "title_case"]},
                  {"target": "attributes.role", "from": ["job_title"]}],
        "rest": false
    });
    let told = app.call("PUT", PATH, mapping.clone()).await.ok();
    assert_eq!(told["job"]["state"], "ready", "{told}");
    assert_eq!(
        (&told["job"]["done"], &told["job"]["total"]),
        (&json!(0), &json!(1))
    );
    assert_eq!(
        app.profile(&ada()).department.as_deref(),
        Some("Research"),
        "not yet"
    );
    app.drain();
    let done = job(&app, &told).await;
    assert_eq!(
        (&done["state"], &done["done"]),
        (&json!("done"), &json!(1)),
        "{done}"
    );
    assert_eq!(done["result"], json!({"people_changed": 1}));
    assert_eq!(done["created_by"], "bootstrap");
    let profile = app.profile(&ada());
    assert_eq!(profile.department.as_deref(), Some("Blue"));
    assert_eq!(
        (profile.title, profile.attributes.as_str()),
        (None, r#"{"role":"Analyst"}"#)
    );
    let again = app.call("PUT", PATH, mapping.clone()).await.ok();
    assert_eq!(again["job"], Value::Null, "nothing is to be done");
    let kept = app.get(PATH).await;
    assert_eq!(kept["mapping"]["rules"][0]["target"], "department");
    assert_eq!(
        app.count("operator_acts WHERE act = 'organization.fields_put'"),
        1
    );
}

async fn r49_a_job_leaves_one_change_a_field_whoever_stops_and_goes_on(app: TestApp) {
    crowd(&app, 450);
    let told = put(&app, by_team()).await.ok();
    let before = app.count("changes");
    // Keys of everybody, then people: a worker that stops after any step is followed by another.
    let half = loop {
        assert!(step(&app));
        let half = job(&app, &told).await;
        if half["done"] != 0 {
            break half;
        }
    };
    let some = half["done"].as_i64().unwrap();
    assert!(half["state"] == "running" && some <= 200, "{half}");
    // What came meanwhile is folded under the new mapping at once, and once only.
    app.apply(&in_team(&ada(), "red")).await;
    app.drain();
    let done = job(&app, &told).await;
    assert_eq!(done["state"], "done", "{done}");
    assert_eq!(app.count("profiles WHERE department = 'Blue'"), 450);
    // The title lost its rule, the department moved: two changes each, and Ada's own arrival.
    let title_and_department = "changes WHERE event_id IS NULL AND actor = 'bootstrap'";
    assert_eq!(
        app.count(&format!("{title_and_department} AND name = 'department'")),
        450
    );
    assert_eq!(
        app.count(&format!("{title_and_department} AND name = 'title'")),
        450
    );
    assert!(app.count("changes") > before);
    assert_eq!(app.profile(&ada()).department.as_deref(), Some("Red"));
}

async fn a_job_is_stepped_by_one_worker_at_a_time(app: TestApp) {
    crowd(&app, 450);
    let told = put(&app, by_team()).await.ok();
    block_in_place(|| {
        std::thread::scope(|threads| {
            for _ in 0..4 {
                let worker = app.worker.clone();
                threads.spawn(move || {
                    // A deadlock's victim begins again, as the worker's loop does.
                    while worker.step_job().unwrap_or(true) {}
                });
            }
        });
    });
    app.drain();
    let done = job(&app, &told).await;
    assert_eq!(
        (&done["state"], &done["done"]),
        (&json!("done"), &json!(450)),
        "{done}"
    );
    let made = "changes WHERE event_id IS NULL AND name = 'department'";
    assert_eq!(app.count(made), 450);
}

async fn r73_a_late_word_about_a_job_under_an_old_lease_changes_nothing(app: TestApp) {
    let lease = Duration::from_secs(60);
    let new = NewJob {
        kind: "a.kind.of.the.test",
        organization_id: None,
        payload: &json!({}),
        total: 2,
        created_by: "tester",
    };
    let added = app.write(|conn| jobs::add(conn, &new, app.clock.now()));
    let claim = |owner: &str| {
        let now = app.clock.now();
        let claimed = app.write(|conn| jobs::claim(conn, &[new.kind], owner, lease, now));
        claimed.map(|claimed| claimed.job)
    };
    let save = |job: &JobRow, done: i64, finished: bool| {
        let step = Stepped {
            cursor: json!({ "after": done }),
            result: json!({}),
            done,
            finished,
        };
        let now = app.clock.now();
        app.write(|conn| jobs::save(conn, job, &step, now))
    };
    let first = claim("one").unwrap();
    assert_eq!((&first.id, first.lease_token), (&added.id, 1));
    assert!(claim("two").is_none(), "it is in somebody's hand");
    app.advance(Duration::from_secs(61));
    let second = claim("two").unwrap();
    assert!(save(&second, 1, false));
    assert!(!save(&first, 2, true), "the lease ran out");
    let third = claim("three").unwrap();
    assert_eq!((third.done, third.cursor.as_str()), (1, r#"{"after":1}"#));
    let now = app.clock.now();
    assert!(app.write(|conn| jobs::cancel(conn, &added.id, None, "tester", now)));
    assert!(!save(&third, 1, true), "it was cancelled meanwhile");
    let ended = app.read(|conn| jobs::find(conn, &added.id)).unwrap();
    assert_eq!((ended.state.as_str(), ended.done), ("cancelled", 1));
}

async fn r67_live_events_go_before_a_job_and_a_job_goes_on_under_load(app: TestApp) {
    crowd(&app, 30);
    let told = put(&app, by_team()).await.ok();
    let updates = (0..30).map(|one| employee(&format!("p{one:04}")).updated(minute(1)));
    let mut waiting: Vec<Event> = updates.collect();
    waiting.push(employee("p0000").deactivated(minute(2)));
    app.enqueue(&waiting);
    // One event a batch: 31 batches, the removal first.
    let settings = BatchSettings {
        max_attempts: 3,
        messaging_for_new: false,
    };
    let worker = Worker::new(app.db.clone(), app.clock.clone(), settings, 1, 0);
    let turn = || assert!(block_in_place(|| worker.turn()).unwrap());
    turn();
    assert_eq!(app.count("profiles WHERE status = 'removed'"), 1);
    for _ in 1..25 {
        turn();
    }
    assert_eq!(app.count("outbox WHERE state = 'ready'"), 6);
    let state = job(&app, &told).await["state"].clone();
    assert_ne!(state, "ready", "a step among 25 batches");
    app.drain();
    assert_eq!(job(&app, &told).await["state"], "done");
}

async fn a_job_is_cancelled_and_goes_no_further(app: TestApp) {
    crowd(&app, 250);
    let told = put(&app, by_team()).await.ok();
    let done = loop {
        assert!(step(&app));
        let half = job(&app, &told).await;
        if half["done"] != 0 {
            break half["done"].as_i64().unwrap();
        }
    };
    let id = told["job"]["id"].as_str().unwrap();
    let path = format!("/v1/jobs/{id}/cancel");
    let ended = app.call("POST", &path, Value::Null).await.ok();
    assert_eq!(
        (&ended["state"], &ended["done"]),
        (&json!("cancelled"), &json!(done)),
        "{ended}"
    );
    assert_eq!(ended["ended_by"], "bootstrap");
    app.drain();
    assert_eq!(
        app.count("profiles WHERE department = 'Blue'"),
        done,
        "what is done stays done"
    );
    assert_eq!(app.call("POST", &path, Value::Null).await.status, 409);
    assert_eq!(app.count("operator_acts WHERE act = 'job.cancelled'"), 1);
    let listed = app
        .get("/v1/jobs?state=cancelled&kind=fields.reapply")
        .await;
    assert_eq!(listed["data"].as_array().unwrap().len(), 1);
    assert_eq!(app.get("/v1/jobs?state=running").await["data"], json!([]));
}

async fn a_newer_mapping_ends_the_job_of_the_one_before(app: TestApp) {
    app.apply(&in_team(&ada(), "blue")).await;
    let first = put(&app, by_team()).await.ok();
    assert!(step(&app));
    let rules = json!([{"target": "department", "from": ["team"], "transforms": ["upper"]}]);
    let second = put(&app, rules).await.ok();
    app.drain();
    let (first, second) = (job(&app, &first).await, job(&app, &second).await);
    assert_eq!(
        (&first["state"], &second["state"]),
        (&json!("cancelled"), &json!("done"))
    );
    assert_eq!(first["reason"], "a newer mapping is applied instead");
    assert_eq!(app.profile(&ada()).department.as_deref(), Some("BLUE"));
}

async fn a_step_that_fails_is_tried_again_and_told_in_the_end(app: TestApp) {
    app.apply(&in_team(&ada(), "blue")).await;
    let told = put(&app, by_team()).await.ok();
    app.sql("UPDATE jobs SET payload = '7'");
    app.drain();
    let waits = job(&app, &told).await;
    assert_eq!(
        (&waits["state"], &waits["attempts"]),
        (&json!("running"), &json!(1)),
        "{waits}"
    );
    for _ in 0..8 {
        app.advance(Duration::from_secs(86_400));
        app.drain();
    }
    let failed = job(&app, &told).await;
    assert_eq!(failed["state"], "failed", "{failed}");
    assert!(
        failed["reason"].as_str().unwrap().contains("payload"),
        "{failed}"
    );
    let shown = app.profile(&ada()).department;
    assert_eq!(
        shown.as_deref(),
        Some("Research"),
        "nothing was changed halfway"
    );
}

async fn r20_who_meets_by_an_employee_number_from_elsewhere_becomes_one_person(app: TestApp) {
    let mut other = employee("ada.l");
    other.directory = "directory_02TEST".to_owned();
    let shared = json!({"settings": {"employee_numbers": "shared"}});
    let organization = format!("/v1/organizations/{ORGANIZATION}");
    for (who, email) in [(ada(), json!(ada().email())), (other, Value::Null)] {
        let created = who.created(minute(0)).set("data.email", email);
        app.apply(&created.set("data.custom_attributes.badge", "B7"))
            .await;
    }
    app.call("PATCH", &organization, shared).await.ok();
    assert_eq!(app.count("profiles WHERE status = 'active'"), 2);
    let rules = json!([{"target": "employee_number", "from": ["badge"], "type": "code"}]);
    put(&app, rules).await.ok();
    app.drain();
    assert_eq!(app.count("profiles WHERE status = 'active'"), 1);
    assert_eq!(app.count("links WHERE state = 'active'"), 2);
}

async fn r56_nobody_is_messaged_because_a_mapping_changed(app: TestApp) {
    app.apply(&in_team(&ada(), "blue")).await;
    let enable = format!("/v1/organizations/{ORGANIZATION}/messaging/enable");
    app.call("POST", &enable, Value::Null).await.ok();
    let trigger = json!({
        "organization_id": ORGANIZATION, "name": "moved", "on": "field.changed", "status": "published",
        "steps": [{"channel": "webhook", "to": "http://127.0.0.1:9/hook"}],
    });
    app.call("POST", "/v1/triggers", trigger).await.ok();
    put(&app, by_team()).await.ok();
    app.drain();
    assert_eq!(app.profile(&ada()).department.as_deref(), Some("Blue"));
    assert_eq!(app.count("deliveries"), 0);
    let moved = ada()
        .updated(minute(5))
        .set("data.custom_attributes.team", "red");
    app.apply(&moved).await;
    assert_eq!(app.count("deliveries"), 1, "a move of theirs is told");
}

async fn a_preview_tells_each_field_before_and_after_and_changes_nothing(app: TestApp) {
    app.apply(&in_team(&ada(), "blue")).await;
    app.apply(&employee("bob").created(minute(1))).await;
    let rules = json!([
        {"target": "department", "from": ["team"], "required": true},
        {"target": "title", "from": ["job_title"], "transforms": ["upper"]},
        {"target": "attributes.division", "from": ["department_name"]}
    ]);
    let before = app.dump();
    let path = format!("{PATH}/preview");
    let told = app
        .call("POST", &path, json!({ "rules": rules }))
        .await
        .ok();
    assert_eq!(app.dump(), before, "nothing is kept");
    assert_eq!(
        (&told["people"], &told["changed"]),
        (&json!(2), &json!(2)),
        "{told}"
    );
    assert_eq!(
        told["fields"]["department"],
        json!({"set": 0, "changed": 1, "cleared": 1})
    );
    assert_eq!(
        told["fields"]["title"],
        json!({"set": 0, "changed": 2, "cleared": 0})
    );
    assert_eq!(
        told["fields"]["attributes.division"],
        json!({"set": 2, "changed": 0, "cleared": 0})
    );
    assert_eq!(
        told["warnings"],
        json!({"department: required, and nothing came yet": 1})
    );
    let sample = told["sample"].as_array().unwrap();
    let of_ada = sample
        .iter()
        .find(|one| one["display_name"] == "ada Tester")
        .unwrap();
    let moved = json!({"field": "department", "before": "Research", "after": "blue"});
    assert!(
        of_ada["changes"].as_array().unwrap().contains(&moved),
        "{of_ada}"
    );

    let one = format!("{path}?profile_id={}", app.profile(&ada()).id);
    let told = app.call("POST", &one, json!({})).await.ok();
    assert_eq!(
        (&told["changed"], &told["sample"][0]["changes"]),
        (&json!(0), &json!([]))
    );
    assert_eq!(
        app.call("POST", &format!("{path}?sample=500"), json!({}))
            .await
            .status,
        400
    );
    // What was previewed is what is applied.
    put(&app, rules).await.ok();
    app.drain();
    assert_eq!(app.profile(&ada()).department.as_deref(), Some("blue"));
    assert_eq!(app.profile(&ada()).title.as_deref(), Some("ANALYST"));
}

async fn r46_a_required_field_that_is_missing_is_told(app: TestApp) {
    app.apply(&ada().created(minute(0))).await;
    put(
        &app,
        json!([{"target": "department", "from": ["team"], "required": true}]),
    )
    .await
    .ok();
    app.drain();
    let path = format!("/v1/profiles/{}", app.profile(&ada()).id);
    let warned = json!(["department: required, and nothing came yet"]);
    assert_eq!(app.get(&path).await["warnings"], warned);
    let named = ada()
        .updated(minute(1))
        .set("data.custom_attributes.team", "blue");
    app.apply(&named).await;
    assert_eq!(app.get(&path).await["warnings"], json!([]));
    let emptied = ada()
        .updated(minute(2))
        .set("data.custom_attributes.team", "");
    app.apply(&emptied).await;
    let shown = app.get(&path).await;
    assert_eq!(shown["department"], "blue", "kept");
    assert_eq!(
        shown["warnings"],
        json!(["department: came empty, the last one is kept"])
    );
}

async fn r47_r51_a_deprecated_field_going_empty_and_a_wrong_value_blank_nothing(app: TestApp) {
    put_before_anybody(&app).await;
    let old = ada()
        .created(minute(0))
        .without("data.custom_attributes")
        .set("data.job_title", "Lead")
        .set("data.username", "ADA")
        .set(
            "data.raw_attributes",
            json!({"title": "Lead", "userName": "ADA"}),
        );
    app.apply(&old).await;
    let shown = |app: &TestApp| {
        let row = app.profile(&ada());
        (row.title.unwrap_or_default(), row.attributes)
    };
    let full = ("Lead".to_owned(), r#"{"login":"ada"}"#.to_owned());
    assert_eq!(shown(&app), full);
    // As WorkOS sends it today: null, empty, and no custom attributes configured.
    let emptied = ada().updated(minute(1)).without("data.custom_attributes");
    app.apply(&emptied).await;
    assert_eq!(shown(&app), full);
    let wrong = ada().updated(minute(2)).set(
        "data.custom_attributes",
        json!({"job_title": {"no": "text"}, "username": "Ada2", "floor": "top"}),
    );
    app.apply(&wrong).await;
    assert_eq!(
        shown(&app),
        ("Lead".to_owned(), r#"{"login":"ada2"}"#.to_owned())
    );
    let warnings = app.profile(&ada()).warnings;
    assert!(
        warnings.contains("title: not a text, skipped"),
        "{warnings}"
    );
    assert!(
        warnings.contains("attributes.floor: not a number, skipped"),
        "{warnings}"
    );
}

async fn put_before_anybody(app: &TestApp) {
    app.apply(&directory("dsync.activated", minute(0))).await;
    let rules = json!([
        {"target": "title", "from": ["job_title"], "transforms": ["trim"]},
        {"target": "attributes.login", "from": ["username"], "transforms": ["lower"]},
        {"target": "attributes.floor", "from": ["floor"], "type": "number"}
    ]);
    app.call("PUT", PATH, json!({"rules": rules, "rest": false}))
        .await
        .ok();
    app.drain();
}

async fn r50_r55_what_the_directory_owns_is_locked_until_it_goes(app: TestApp) {
    app.apply(&directory("dsync.activated", minute(0))).await;
    app.apply(&in_team(&ada(), "blue")).await;
    let rules = json!([
        {"target": "title", "from": ["job_title"]},
        {"target": "pronouns", "from": ["pronouns"], "locked": false}
    ]);
    put(&app, rules).await.ok();
    app.drain();
    let path = format!("/v1/profiles/{}", app.profile(&ada()).id);
    let locked = json!([
        "attributes.department_name",
        "attributes.team",
        "email",
        "first_name",
        "last_name",
        "title"
    ]);
    assert_eq!(app.get(&path).await["locked"], locked);
    app.apply(&directory("dsync.deleted", minute(3))).await;
    let shown = app.get(&path).await;
    assert_eq!(
        (&shown["status"], &shown["title"]),
        (&json!("active"), &json!("Analyst"))
    );
    assert_eq!(
        shown["locked"],
        json!([]),
        "with the directory away they are theirs"
    );
}

async fn a_mapping_with_problems_is_refused_with_all_of_them(app: TestApp) {
    app.apply(&ada().created(minute(0))).await;
    let mapping = json!({"rules": [
        {"target": "salary", "from": []}, {"target": "title", "from": ["a"], "transforms": ["shout"]},
        {"target": "title", "from": ["b"], "requierd": true}
    ]});
    for (method, path) in [
        ("PUT", PATH.to_owned()),
        ("POST", format!("{PATH}/preview")),
    ] {
        let told = app.call(method, &path, mapping.clone()).await;
        assert_eq!(told.status, 422, "{told:?}");
        let detail = told.body["detail"].as_str().unwrap();
        for path in [
            "rules[0].target",
            "rules[0].from",
            "rules[1].transforms[0]",
            "rules[2].target",
            "rules[2].requierd",
        ] {
            assert!(detail.contains(path), "{path}: {detail}");
        }
    }
    let shown = app.profile(&ada()).title;
    assert_eq!(shown.as_deref(), Some("Analyst"), "nothing was changed");
    assert_eq!(app.count("jobs"), 0);
}

async fn the_command_line_previews_applies_and_follows(app: TestApp) {
    app.apply(&in_team(&ada(), "blue")).await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("fields.json"),
        json!({"rules": by_team()}).to_string(),
    )
    .unwrap();
    let run = |args: &[&str]| -> Output {
        block_in_place(|| {
            rollcall(&app.place.url(), folder.path())
                .args(args)
                .output()
        })
        .unwrap()
    };
    let told = |args: &[&str]| -> String {
        let output = run(args);
        assert!(
            output.status.success(),
            "{args:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let fields = ["organizations", "fields"];
    let preview = told(&[&fields[..], &["preview", ORGANIZATION, "fields.json"]].concat());
    assert!(
        preview.contains("department") && preview.contains("Blue"),
        "{preview}"
    );
    let rehearsed = told(
        &[
            &fields[..],
            &["apply", ORGANIZATION, "fields.json", "--dry-run"],
        ]
        .concat(),
    );
    assert!(rehearsed.contains("department"), "{rehearsed}");
    assert_eq!(app.count("jobs"), 0);
    let applied = told(
        &[
            &fields[..],
            &["apply", ORGANIZATION, "fields.json", "--json"],
        ]
        .concat(),
    );
    let applied: Value = serde_json::from_str(&applied).unwrap();
    let id = applied["job"]["id"].as_str().unwrap();
    assert!(told(&["jobs", "list", "--state", "ready"]).contains(id));
    told(&["work", "--once"]);
    assert_eq!(app.profile(&ada()).department.as_deref(), Some("Blue"));
    assert!(told(&["jobs", "show", id, "--follow"]).contains("1 of 1"));
    assert_eq!(
        run(&["jobs", "cancel", id]).status.code(),
        Some(4),
        "it is done"
    );
    assert!(told(&[&fields[..], &["show", ORGANIZATION]].concat()).contains("transformed"));
    std::fs::write(folder.path().join("fields.json"), "{\"rules\":[{}]}").unwrap();
    let wrong = run(&[&fields[..], &["apply", ORGANIZATION, "fields.json"]].concat());
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("rules[0].target"));
}
