//! What a membership event says beside "this user, this group": names of groups that nobody announced
//! (R95), users named by the provider's id alone, people who are not known yet (R16); and a removal
//! and a return of one instant (R96).

use std::time::Duration;

use rollcall::db::Backend;
use serde_json::{Value, json};

use crate::catch_up::Desk;
use crate::reconcile::reconciler;
use crate::support::app::TestApp;

use crate::support::events::{
    DIRECTORY, Event, ORGANIZATION, ada, directory, employee, group, minute,
};
use crate::support::macros::on_both;

on_both!(
    r95_a_group_that_nobody_announced_is_known_by_its_edges,
    r95_the_last_edge_names_a_group_and_any_event_of_its_own_counts_more,
    r95_a_user_named_by_the_providers_id_is_whoever_has_it,
    r65_what_names_somebody_by_the_providers_id_goes_with_their_erasure,
    r16_a_place_of_somebody_unknown_is_told_as_waiting,
    c5_a_word_about_the_old_record_takes_nothing_from_the_new_one,
    r96_a_removal_and_a_return_of_one_instant_is_told_as_a_tie,
    r96_workos_is_asked_who_was_removed_and_returned_in_one_instant,
);

async fn community(app: &TestApp, name: &str, group: &str) -> String {
    let rule = json!({"when": {"field": "group", "op": "eq", "value": group}, "role": "member"});
    let body = json!({"organization_id": ORGANIZATION, "name": name, "rules": [rule]});
    let made = app.call("POST", "/v1/communities", body).await.ok();
    made["id"].as_str().unwrap().to_owned()
}

async fn count(app: &TestApp, community: &str) -> usize {
    let page = app
        .get(&format!("/v1/communities/{community}/members"))
        .await;
    page["data"].as_array().unwrap().len()
}

async fn r95_a_group_that_nobody_announced_is_known_by_its_edges(app: TestApp) {
    let ghost = community(&app, "ghost", "ghost").await;
    app.apply(&ada().created(minute(1))).await;
    let before = app.profile(&ada());
    let partial = ada()
        .joined("ghost", minute(2))
        .set("data.user.first_name", "Nobody");
    let told = app.apply(&partial).await;
    assert_eq!(told["reason"], "in the group “ghost” now");
    assert_eq!(count(&app, &ghost).await, 1);
    assert_eq!(
        app.profile(&ada()),
        before,
        "the partial user stays untouched"
    );
    let groups = app.get("/v1/groups").await;
    assert_eq!(groups["data"][0]["idp_id"], "idp_group_ghost");
}

async fn r95_the_last_edge_names_a_group_and_any_event_of_its_own_counts_more(app: TestApp) {
    let [first, last, own] = ["first", "last", "own"];
    let mut communities = Vec::new();
    for name in [first, last, own] {
        communities.push(community(&app, name, name).await);
    }
    app.apply(&ada().created(minute(1))).await;
    app.apply(&employee("bob").created(minute(1))).await;
    let named = |event: Event, name: &str| event.set("data.group.name", name);
    app.apply(&named(ada().joined("g", minute(9)), last)).await;
    app.apply(&named(employee("bob").joined("g", minute(8)), first))
        .await;
    let mut now = Vec::new();
    for id in &communities {
        now.push(count(&app, id).await);
    }
    assert_eq!(now, [0, 2, 0], "the newest edge names it");
    app.apply(&group("dsync.group.created", "g", minute(2)).set("data.name", own))
        .await;
    let mut now = Vec::new();
    for id in &communities {
        now.push(count(&app, id).await);
    }
    assert_eq!(
        now,
        [0, 0, 2],
        "an older event of the group's own counts more"
    );
}

async fn r95_a_user_named_by_the_providers_id_is_whoever_has_it(app: TestApp) {
    let crew = community(&app, "crew", "crew").await;
    let unnamed = |event: Event| event.without("data.user.id");
    let told = app.apply(&unnamed(ada().joined("crew", minute(5)))).await;
    assert!(
        told["reason"]
            .as_str()
            .unwrap()
            .starts_with("waiting for the user"),
        "{told}"
    );
    app.advance(Duration::from_secs(25 * 3_600));
    let waiting = app.get("/v1/groups/pending-members").await;
    assert_eq!(waiting["data"][0]["idp_id"], "idp_ada", "{waiting}");
    app.apply(&ada().created(minute(1))).await;
    assert_eq!(count(&app, &crew).await, 1, "whoever came later");
    assert_eq!(
        app.get("/v1/groups/pending-members").await["data"],
        json!([])
    );
    app.apply(&employee("bob").created(minute(1))).await;
    app.apply(&unnamed(employee("bob").joined("crew", minute(6))))
        .await;
    assert_eq!(count(&app, &crew).await, 2, "whoever was there");
    app.apply(&ada().left("crew", minute(7))).await;
    app.apply(&unnamed(employee("bob").left("crew", minute(7))))
        .await;
    assert_eq!(count(&app, &crew).await, 0, "both names mean the same user");
}

async fn r65_what_names_somebody_by_the_providers_id_goes_with_their_erasure(app: TestApp) {
    app.apply(&ada().created(minute(1))).await;
    let joined = ada().joined("crew", minute(2)).without("data.user.id");
    app.apply(&joined).await;
    let erase = format!("/v1/profiles/{}/erase", app.profile(&ada()).id);
    app.call("POST", &erase, Value::Null).await.ok();
    let kept: Vec<String> = app.dump().into_values().flatten().collect();
    assert!(kept.iter().all(|row| !row.contains("idp_ada")), "{kept:#?}");
    let late = ada().joined("choir", minute(3)).without("data.user.id");
    assert_eq!(app.apply(&late).await["outcome"], "ignored");
}

async fn r16_a_place_of_somebody_unknown_is_told_as_waiting(app: TestApp) {
    let told = app.apply(&ada().joined("crew", minute(2))).await;
    assert_eq!(
        told["reason"],
        "waiting for the user: the place in the group “crew” counts once the directory announces them"
    );
    let left = app.apply(&employee("bob").left("crew", minute(2))).await;
    assert_eq!(left["outcome"], "unchanged");
    assert!(
        left["reason"]
            .as_str()
            .unwrap()
            .contains("no user of this id is known"),
        "{left}"
    );
    app.apply(&ada().created(minute(1))).await;
    let told = app
        .apply(&ada().joined("ghost", minute(3)).without("data.group.name"))
        .await;
    assert!(
        told["reason"]
            .as_str()
            .unwrap()
            .contains("waiting for the group"),
        "{told}"
    );
}

async fn c5_a_word_about_the_old_record_takes_nothing_from_the_new_one(app: TestApp) {
    let crew = community(&app, "crew", "crew").await;
    app.apply(&ada().created(minute(1))).await;
    app.apply(&ada().joined("crew", minute(2))).await;
    app.apply(&ada().deleted(minute(3))).await;
    let id = "directory_user_ada_again";
    app.apply(&ada().created(minute(4)).set("data.id", id))
        .await;
    assert_eq!(count(&app, &crew).await, 1, "carried over");
    app.apply(&ada().joined("crew", minute(5)).set("data.user.id", id))
        .await;
    for at in [3, 6] {
        app.apply(&ada().left("crew", minute(at))).await;
        assert_eq!(count(&app, &crew).await, 1, "the old record left at {at}");
    }
}

async fn r96_a_removal_and_a_return_of_one_instant_is_told_as_a_tie(app: TestApp) {
    for (name, removal_first) in [("ada", true), ("bob", false)] {
        let person = employee(name);
        app.apply(&person.created(minute(1))).await;
        let (removal, back) = (person.deleted(minute(5)), person.updated(minute(5)));
        let order = if removal_first {
            [&removal, &back]
        } else {
            [&back, &removal]
        };
        app.apply(order[0]).await;
        let last = app.apply(order[1]).await;
        assert!(
            last["reason"]
                .as_str()
                .unwrap()
                .contains("for the same instant"),
            "{last}"
        );
        assert!(
            !last["reason"].as_str().unwrap().contains("newer"),
            "{last}"
        );
    }
    assert_eq!(app.people().len(), 0, "the removal stands");
    assert_eq!(app.count("user_refetches"), 2);
}

async fn r96_workos_is_asked_who_was_removed_and_returned_in_one_instant(backend: Backend) {
    let desk = Desk::start(backend).await;
    let Desk { app, fake, .. } = &desk;
    app.apply(&directory("dsync.activated", minute(0))).await;
    fake.directory(DIRECTORY, ORGANIZATION, "linked");
    for name in ["ada", "bob"] {
        let person = employee(name);
        app.apply(&person.created(minute(1))).await;
        app.apply(&person.deleted(minute(5))).await;
        app.apply(&person.updated(minute(5))).await;
    }
    assert_eq!(app.people().len(), 0);
    // WorkOS has Ada, and not Bob.
    fake.user(&ada().created(minute(1)));
    app.advance(Duration::from_secs(600));
    let comparing = reconciler(app, fake);
    assert_eq!(comparing.refetch_tied().await.unwrap(), 2);
    app.drain();
    assert_eq!(app.people(), [ada().email()]);
    assert_eq!(comparing.refetch_tied().await.unwrap(), 0, "once");
}
