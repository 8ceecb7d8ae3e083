//! Comparing while the world goes on: webhooks that arrive between two pages, a process that is killed
//! in the middle, listings of groups and edges that are not whole. Whatever happens, the end is what
//! WorkOS itself has, and nobody is removed by an accident.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rollcall::db::Backend;
use serde_json::{Value, json};

use crate::catch_up::Desk;
use crate::reconcile::{compare, kinds, lose, reconciler};
use crate::support::app::TestApp;
use crate::support::binary::{Service, rollcall};
use crate::support::events::{
    DIRECTORY, Employee, Event, ORGANIZATION, directory, employee, group, minute,
};
use crate::support::macros::on_both;
use crate::support::wait::eventually;
use crate::support::workos::{API_KEY, CLIENT_ID, FakeWorkOs, Fault, lists_users};

on_both!(
    r44_webhooks_that_arrive_while_the_listing_runs_win_over_it,
    r43_a_listing_of_groups_that_is_not_whole_ends_nothing,
    r43_edges_that_a_cut_listing_did_not_name_are_asked_for_singly,
    a_comparison_that_is_killed_in_the_middle_is_gone_on_with_by_the_next_command,
);

const GROUP: &str = "directory_group_crew";

fn named(number: u64) -> Employee {
    employee(&format!("p{number:03}"))
}

/// So many people here and at WorkOS, all in one group.
pub fn crowd(app: &TestApp, fake: &FakeWorkOs, people: u64) {
    fake.directory(DIRECTORY, ORGANIZATION, "linked");
    let crew = group("dsync.group.created", "crew", minute(0));
    fake.group(&crew);
    let mut events = vec![directory("dsync.activated", minute(0)), crew];
    for number in 0..people {
        let one = named(number);
        fake.user(&one.created(minute(1)));
        fake.edge(GROUP, &one.id());
        events.extend([one.created(minute(1)), one.joined("crew", minute(1))]);
    }
    app.enqueue(&events);
    app.drain();
    app.advance(Duration::from_secs(3_600));
}

fn begin(app: &TestApp) -> String {
    let (now, actor) = (app.clock.now(), rollcall::operations::Actor::cli());
    let begun = tokio::task::block_in_place(|| {
        app.db.write(rollcall::db::Urgency::Normal, |conn| {
            rollcall::operations::reconciles::begin(conn, &actor, DIRECTORY, None, true, now)
        })
    });
    begun.unwrap().id
}

/// What happens at WorkOS while somebody lists, heard of by webhook between two pages.
fn meanwhile(app: &TestApp, fake: &FakeWorkOs, step: u64) {
    app.advance(Duration::from_secs(60));
    let now = app.clock.now();
    let renamed = |who: &Employee| who.updated(now).set("data.last_name", format!("At {step}"));
    let (changed, gone, hired, left) = (
        named(step),
        named(100 + step),
        employee(&format!("z{step:03}")),
        named(150 + step),
    );
    fake.user(&renamed(&changed));
    lose(fake, &gone);
    fake.user(&hired.created(now));
    fake.edge(GROUP, &hired.id());
    let edge = (GROUP.to_owned(), left.id());
    fake.environment().edges.remove(&edge);
    let events: Vec<Event> = vec![
        renamed(&changed),
        gone.deleted(now),
        hired.created(now),
        hired.joined("crew", now),
        left.left("crew", now),
    ];
    app.enqueue(&events);
    app.drain();
}

/// Asserts that people and edges here are those of WorkOS.
fn as_there(app: &TestApp, fake: &FakeWorkOs) {
    let (users, edges) = {
        let all = fake.environment();
        let users: Vec<Value> = all.users.values().cloned().collect();
        (users, all.edges.len())
    };
    assert_eq!(app.people().len(), users.len());
    assert_eq!(
        app.count("group_edges AS e JOIN links AS l ON l.directory_user_id = e.directory_user_id WHERE e.present AND l.state = 'active'"),
        i64::try_from(edges).unwrap()
    );
    for user in users {
        let name = user["first_name"].as_str().unwrap();
        let row = app.profile(&employee(name));
        assert_eq!(row.status, "active", "{name}");
        assert_eq!(
            row.last_name.as_deref(),
            user["last_name"].as_str(),
            "{name}"
        );
    }
}

async fn r44_webhooks_that_arrive_while_the_listing_runs_win_over_it(backend: Backend) {
    let desk = Desk::start(backend).await;
    let Desk { app, fake, .. } = &desk;
    crowd(app, fake, 350);
    // What no webhook told before: one renamed, one gone, one hired.
    fake.user(
        &named(300)
            .updated(minute(5))
            .set("data.last_name", "Unheard"),
    );
    lose(fake, &named(301));
    fake.user(&employee("unheard").created(minute(6)));
    let id = begin(app);
    let steps = AtomicU64::new(0);
    let watch = |phase: &str, _: &rollcall::upstream::Progress| {
        if phase != "apply" {
            meanwhile(app, fake, steps.fetch_add(1, Ordering::Relaxed));
        }
    };
    assert!(reconciler(app, fake).work_on(&id, &watch).await.unwrap());
    let report = app.get(&format!("/v1/reconciles/{id}")).await;
    assert_eq!(report["state"], "done", "{report}");
    assert!(steps.load(Ordering::Relaxed) > 8, "{steps:?}");
    app.drain();
    as_there(app, fake);
    app.advance(Duration::from_secs(600));
    let again = compare(&desk, true).await;
    assert_eq!(kinds(&again), Vec::<String>::new(), "{again}");
}

async fn r43_a_listing_of_groups_that_is_not_whole_ends_nothing(backend: Backend) {
    let desk = Desk::start(backend).await;
    let Desk { app, fake, .. } = &desk;
    crowd(app, fake, 3);
    for number in 0..120 {
        let one = group("dsync.group.created", &format!("g{number:03}"), minute(2));
        fake.group(&one);
        app.enqueue(&[one]);
    }
    app.drain();
    let empty = r#"{"object":"list","data":[],"list_metadata":{}}"#;
    let faults = [
        (Fault::CutAfter(1), "was cut"),
        (Fault::SamePage, "repeated a page"),
        (Fault::Answer(200, empty, None), "came back empty"),
        (Fault::Answer(403, "{}", None), "the listing failed"),
    ];
    for (fault, why) in faults {
        fake.fault("/directory_groups", fault);
        let report = compare(&desk, true).await;
        fake.mend();
        assert_eq!(report["state"], "incomplete", "{report}");
        let said = report["reason"].as_str().unwrap();
        assert!(said.contains(why), "{why}: {said}");
        assert_eq!(app.drain(), 0);
    }
    assert_eq!(app.count("groups WHERE state = 'active'"), 121);
}

async fn r43_edges_that_a_cut_listing_did_not_name_are_asked_for_singly(backend: Backend) {
    let desk = Desk::start(backend).await;
    let Desk { app, fake, .. } = &desk;
    crowd(app, fake, 130);
    // One edge is truly gone; the listing names a hundred of the other 129, and then nobody at all.
    let edge = (GROUP.to_owned(), named(7).id());
    fake.environment().edges.remove(&edge);
    let empty = r#"{"object":"list","data":[],"list_metadata":{}}"#;
    for fault in [Fault::CutAfter(1), Fault::Answer(200, empty, None)] {
        fake.fault("/directory_users?group", fault);
        let report = compare(&desk, false).await;
        fake.mend();
        assert_eq!(
            kinds(&report),
            [format!("edge_missing_there {GROUP} {}", named(7).id())]
        );
    }
    fake.fault("/directory_users?group", Fault::SamePage);
    assert_eq!(compare(&desk, true).await["state"], "incomplete");
    fake.mend();
    assert_eq!(app.drain(), 0);
    assert_eq!(compare(&desk, true).await["state"], "done");
    assert_eq!(app.drain(), 1);
    assert_eq!(app.count("group_edges WHERE present"), 129);
}

async fn a_comparison_that_is_killed_in_the_middle_is_gone_on_with_by_the_next_command(
    backend: Backend,
) {
    let desk = Desk::start(backend).await;
    let Desk { app, fake, .. } = &desk;
    crowd(app, fake, 450);
    lose(fake, &named(3));
    fake.user(&employee("unheard").created(minute(6)));
    let folder = tempfile::tempdir().unwrap();
    let command = || {
        let mut command = rollcall(&app.place.url(), folder.path());
        command.args([
            "directories",
            "reconcile",
            DIRECTORY,
            "--apply",
            "--yes",
            "--json",
        ]);
        command.env("WORKOS_API_KEY", API_KEY);
        command.env("WORKOS_CLIENT_ID", CLIENT_ID);
        command.env("WORKOS_API_URL", fake.url());
        command
    };
    let pages = || {
        let all = fake.requests();
        let users = |one: &&String| lists_users(one);
        all.iter().filter(users).count()
    };
    let mut first = Service::start(command());
    eventually("two pages were listed", async || {
        (pages() >= 3).then_some(())
    })
    .await;
    first.kill();
    let killed_after = pages();
    assert!(killed_after < 5, "the whole of it was listed already");
    // Its lease ends within a minute; here at once.
    app.sql("UPDATE reconciles SET lease_until = 1");
    let (status, said) = Service::start(command()).ended().await;
    assert!(status.success(), "{said}");
    let report: Value = serde_json::from_str(said.trim()).unwrap();
    assert_eq!(report["state"], "done", "{report}");
    assert_eq!(
        report["progress"]["users"], 450,
        "none twice and none left out"
    );
    // The page in hand is read again (and any that WorkOS asks to come again for); the first is not.
    let all = fake.requests();
    let of_users = |one: &&String| lists_users(one);
    let first = |one: &&String| of_users(one) && !one.contains("after=");
    assert_eq!(all.iter().filter(first).count(), 1, "{all:#?}");
    let second = |one: &&String| of_users(one) && one.ends_with("after=directory_user_p100");
    assert_eq!(all.iter().filter(second).count(), 1, "{all:#?}");
    assert_eq!(
        report["drift"],
        json!({
            "user_missing_here": {"applied": 1},
            "user_missing_there": {"applied": 1},
        })
    );
    // By a clock that is not the tests': what it handed over falls due by its own.
    let mut work = rollcall(&app.place.url(), folder.path());
    work.args(["work", "--once"]);
    let (status, said) = Service::start(work).ended().await;
    assert!(status.success(), "{said}");
    as_there(app, fake);
}
