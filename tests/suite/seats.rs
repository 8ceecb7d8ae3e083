//! Who runs a community when its last admin leaves, and seats that a return does not give back.

use rollcall::domain::Role;
use serde_json::{Value, json};

use crate::lifecycle::set;
use crate::support::app::TestApp;
use crate::support::events::{Employee, Event, ORGANIZATION, ada, employee, minute};
use crate::support::macros::on_both;

on_both!(
    r39_the_managers_of_the_last_admin_run_the_community_in_their_line,
    r39_nobody_follows_while_another_admin_runs_it,
    r39_bots_removed_and_on_leave_people_do_not_count,
    r39_the_fallback_owner_follows_where_nobody_else_can,
    r39_an_orphan_is_listed_until_somebody_runs_it,
    r41_a_seat_that_was_kept_goes_back_when_the_removal_is_taken_back,
    c5_an_admin_role_that_a_return_does_not_restore_is_restored_or_dismissed,
    r39_two_admins_who_leave_in_one_batch_are_followed_as_one_by_one,
);

const MANAGER: &str = "data.custom_attributes.manager_email";

fn managed(event: Event, by: &Employee) -> Event {
    event.set(MANAGER, by.email())
}

/// Ada, managed by Mia, who is managed by Pam; Bob has no manager.
async fn company(app: &TestApp) {
    let (mia, pam) = (employee("mia"), employee("pam"));
    app.apply(&pam.created(minute(0))).await;
    app.apply(&managed(mia.created(minute(0)), &pam)).await;
    app.apply(&managed(ada().created(minute(0)), &mia)).await;
    app.apply(&managed(employee("bob").created(minute(0)), &mia))
        .await;
}

fn id(app: &TestApp, name: &str) -> String {
    app.profile(&employee(name)).id
}

/// `ada admin`, by name.
fn seats(app: &TestApp, community: &str) -> Vec<String> {
    let all = app.members(community).into_iter();
    all.map(|one| {
        let first = one.display_name.split(' ').next().unwrap().to_owned();
        format!("{first} {}", one.role)
    })
    .collect()
}

async fn orphans(app: &TestApp) -> Vec<String> {
    let page = app.get("/v1/communities?orphaned=true").await;
    let all = page["data"].as_array().unwrap().iter();
    all.map(|one| one["id"].as_str().unwrap().to_owned())
        .collect()
}

fn acts(app: &TestApp, community: &str) -> Vec<String> {
    app.lines(&format!(
        "SELECT act AS line FROM operator_acts WHERE target = '{community}' AND actor = 'rollcall' ORDER BY id"
    ))
}

async fn r39_the_managers_of_the_last_admin_run_the_community_in_their_line(app: TestApp) {
    company(&app).await;
    let chess = app.community("chess", &[(&id(&app, "ada"), Role::Admin)]);
    let event = app.apply(&ada().deactivated(minute(1))).await;
    assert_eq!(event["outcome"], "applied", "the removal is not delayed");
    assert_eq!(seats(&app, &chess), ["mia admin"]);
    assert_eq!(acts(&app, &chess), ["community.owner_left"]);
    let told = app.history(&id(&app, "mia"));
    let began = told.iter().find(|one| one.what == "membership").unwrap();
    assert_eq!(began.event_id.as_deref(), event["id"].as_str());
    app.apply(&employee("mia").deleted(minute(2))).await;
    assert_eq!(seats(&app, &chess), ["pam admin"]);
    let before = app.count("changes");
    app.replay(event["id"].as_str().unwrap()).await;
    app.drain();
    assert_eq!(app.count("changes"), before, "R18");
    assert_eq!(seats(&app, &chess), ["pam admin"]);
}

async fn r39_nobody_follows_while_another_admin_runs_it(app: TestApp) {
    company(&app).await;
    let (hers, his) = (id(&app, "ada"), id(&app, "bob"));
    let chess = app.community("chess", &[(&hers, Role::Admin), (&his, Role::Admin)]);
    app.apply(&ada().deleted(minute(1))).await;
    assert_eq!(seats(&app, &chess), ["bob admin"]);
    assert_eq!(acts(&app, &chess), [""; 0]);
    let plain = app.community("plain", &[(&his, Role::Member)]);
    app.apply(&employee("bob").deleted(minute(2))).await;
    assert_eq!(seats(&app, &chess), ["mia admin"]);
    assert_eq!(acts(&app, &plain), [""; 0], "nobody ever ran it");
    assert_eq!(orphans(&app).await, [""; 0]);
}

async fn r39_bots_removed_and_on_leave_people_do_not_count(app: TestApp) {
    company(&app).await;
    let bot = json!({"field": "email", "op": "starts_with", "value": "mia@"});
    let leave = json!({"field": "attributes.status", "op": "eq", "value": "Leave"});
    set(
        &app,
        json!({"succession": {"bots": bot}, "on_leave": {"when": leave}}),
    )
    .await;
    let (hers, his, mias) = (id(&app, "ada"), id(&app, "bob"), id(&app, "mia"));
    let roll = [
        (&*hers, Role::Admin),
        (&*his, Role::Admin),
        (&*mias, Role::Admin),
    ];
    let chess = app.community("chess", &roll);
    let away = employee("bob")
        .updated(minute(1))
        .set("data.custom_attributes.status", "Leave");
    app.apply(&away).await;
    assert_eq!(acts(&app, &chess), [""; 0], "ada still runs it");
    app.apply(&ada().deleted(minute(2))).await;
    // Mia is a bot, her manager is none.
    assert_eq!(seats(&app, &chess), ["bob admin", "mia admin", "pam admin"]);
    let alone = app.community("alone", &[(&id(&app, "pam"), Role::Admin)]);
    let away = employee("pam")
        .updated(minute(3))
        .set("data.custom_attributes.status", "Leave");
    app.apply(&away).await;
    assert!(orphans(&app).await.contains(&alone));
    assert_eq!(seats(&app, &alone), ["pam admin"], "R34: seats are kept");
    app.apply(&employee("pam").updated(minute(4))).await;
    assert_eq!(orphans(&app).await, [""; 0]);
}

async fn r39_the_fallback_owner_follows_where_nobody_else_can(app: TestApp) {
    company(&app).await;
    let owner = id(&app, "bob");
    set(&app, json!({"succession": {"fallback_owner": owner}})).await;
    let chess = app.community("chess", &[(&id(&app, "pam"), Role::Admin)]);
    app.apply(&employee("pam").deleted(minute(1))).await;
    assert_eq!(seats(&app, &chess), ["bob admin"]);
}

async fn r39_an_orphan_is_listed_until_somebody_runs_it(app: TestApp) {
    company(&app).await;
    let (hers, pams) = (id(&app, "ada"), id(&app, "pam"));
    let chess = app.community("chess", &[(&pams, Role::Admin), (&hers, Role::Member)]);
    app.apply(&employee("pam").deleted(minute(1))).await;
    assert_eq!(orphans(&app).await, std::slice::from_ref(&chess));
    assert_eq!(
        acts(&app, &chess),
        ["community.owner_left", "community.orphaned"]
    );
    let rest = app.get("/v1/communities?orphaned=false").await;
    assert_eq!(rest["data"], json!([]));
    let path = format!("/v1/communities/{chess}/members/{hers}");
    app.call("PUT", &path, json!({"role": "admin"})).await.ok();
    assert_eq!(orphans(&app).await, [""; 0]);
    app.call("DELETE", &path, Value::Null).await;
    assert_eq!(orphans(&app).await, [chess]);
}

async fn r41_a_seat_that_was_kept_goes_back_when_the_removal_is_taken_back(app: TestApp) {
    company(&app).await;
    set(&app, json!({"removal_guard": {"floor": 1, "percent": 0}})).await;
    let (hers, mias) = (id(&app, "ada"), id(&app, "mia"));
    let chess = app.community("chess", &[(&hers, Role::Admin)]);
    let choir = app.community("choir", &[(&hers, Role::Admin), (&mias, Role::Member)]);
    app.apply(&ada().deactivated(minute(1))).await;
    app.apply(&employee("bob").deactivated(minute(2))).await;
    assert_eq!(seats(&app, &chess), ["mia admin"]);
    assert_eq!(seats(&app, &choir), ["mia admin"]);
    let holds = app.get("/v1/holds").await;
    let hold = holds["data"][0]["id"].as_str().unwrap();
    let path = format!("/v1/holds/{hold}/reject");
    app.call("POST", &path, Value::Null).await.ok();
    app.drain();
    assert_eq!(seats(&app, &chess), ["ada admin"]);
    assert_eq!(seats(&app, &choir), ["ada admin", "mia member"]);
}

async fn c5_an_admin_role_that_a_return_does_not_restore_is_restored_or_dismissed(app: TestApp) {
    company(&app).await;
    let hers = id(&app, "ada");
    let chess = app.community("chess", &[(&hers, Role::Admin)]);
    let choir = app.community("choir", &[(&hers, Role::Admin)]);
    app.apply(&ada().deactivated(minute(1))).await;
    app.advance(std::time::Duration::from_secs(600));
    app.apply(&ada().updated(minute(2))).await;
    assert_eq!(seats(&app, &chess), ["ada member", "mia admin"]);
    let listed = app.get("/v1/admin-restorations").await;
    assert_eq!(listed["data"].as_array().unwrap().len(), 2, "{listed}");
    let call = async |community: &str, what: &str| {
        let path = format!("/v1/admin-restorations/{community}.{hers}/{what}");
        app.call("POST", &path, Value::Null).await
    };
    call(&chess, "restore").await.ok();
    assert_eq!(
        seats(&app, &chess),
        ["ada admin"],
        "the kept seat goes back"
    );
    call(&choir, "dismiss").await.ok();
    assert_eq!(seats(&app, &choir), ["ada member", "mia admin"]);
    assert_eq!(app.get("/v1/admin-restorations").await["data"], json!([]));
    assert_eq!(call(&choir, "restore").await.status, 409);
    // The next event lowers nothing again.
    app.apply(&ada().updated(minute(3)).set("data.first_name", "Ada"))
        .await;
    assert_eq!(seats(&app, &chess), ["Ada admin"]);
    let acts = app.count("operator_acts WHERE act IN ('community.admin_restored', 'community.admin_restoration_dismissed') AND actor = 'bootstrap'");
    assert_eq!(acts, 2);
    assert_eq!(
        app.get(&format!("/v1/organizations/{ORGANIZATION}")).await["settings"]["restore_admin"],
        "ask"
    );
}

async fn r39_two_admins_who_leave_in_one_batch_are_followed_as_one_by_one(app: TestApp) {
    company(&app).await;
    let (hers, mias) = (id(&app, "ada"), id(&app, "mia"));
    let chess = app.community("chess", &[(&hers, Role::Admin), (&mias, Role::Admin)]);
    app.enqueue(&[employee("mia").deleted(minute(2)), ada().deleted(minute(1))]);
    app.drain();
    assert_eq!(seats(&app, &chess), ["pam admin"]);
}
