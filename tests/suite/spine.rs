//! The road of a person: a signed webhook becomes a profile, a change with its audit, a removal that
//! ends every membership, whatever the order and however often it is told.

use rollcall::domain::Role;
use serde_json::json;

use crate::support::app::TestApp;
use crate::support::events::{DIRECTORY, ORGANIZATION, ada, employee, minute};
use crate::support::macros::on_both;

on_both!(
    r27_a_created_user_is_in_people,
    r49_k_changed_fields_are_exactly_k_audit_rows,
    r48_an_update_that_changes_nothing_leaves_no_trace_on_the_person,
    r29_a_deactivation_ends_everything_at_once,
    r29_a_deletion_ends_everything_at_once,
    r11_a_stale_update_changes_nothing_and_says_so,
    r12_a_deletion_before_the_creation_keeps_the_person_out,
    r13_an_update_without_state_does_not_bring_anybody_back,
    r66_in_one_instant_the_removal_wins_in_both_time_formats,
    r18_c12_replaying_everything_changes_nothing,
    a_legacy_payload_becomes_a_profile,
    c9_users_of_what_was_never_announced_apply_and_lists_show_their_links,
    r76_a_partial_user_of_a_membership_event_overwrites_nothing,
);

async fn r27_a_created_user_is_in_people(app: TestApp) {
    let event = app.apply(&ada().created(minute(0))).await;
    assert_eq!(event["outcome"], "applied");
    assert_eq!(event["state"], "done");
    let profile = app.profile(&ada());
    assert_eq!(profile.status, "active");
    assert_eq!(profile.title.as_deref(), Some("Analyst"));
    assert_eq!(profile.department.as_deref(), Some("Research"));
    assert_eq!(app.people(), [ada().email()]);
}

async fn r49_k_changed_fields_are_exactly_k_audit_rows(app: TestApp) {
    app.apply(&ada().created(minute(0))).await;
    let promotion = ada()
        .updated(minute(1))
        .set("data.custom_attributes.job_title", "Head of Research")
        .set("data.custom_attributes.pronouns", "she/her")
        .set("data.last_name", "Lovelace");
    let event = app.apply(&promotion).await;
    let mut changed: Vec<(&str, Option<&str>, Option<&str>)> = Vec::new();
    for change in event["changes"].as_array().unwrap() {
        let text = |key: &str| change[key].as_str();
        changed.push((text("name").unwrap(), text("old"), text("new")));
    }
    changed.sort_unstable();
    assert_eq!(
        changed,
        [
            ("last_name", Some("Tester"), Some("Lovelace")),
            ("pronouns", None, Some("she/her")),
            ("title", Some("Analyst"), Some("Head of Research")),
        ]
    );
}

async fn r48_an_update_that_changes_nothing_leaves_no_trace_on_the_person(app: TestApp) {
    app.apply(&ada().created(minute(0))).await;
    let before = app.profile(&ada());
    let changes = app.history(&before.id).len();
    let event = app.apply(&ada().updated(minute(1))).await;
    assert_eq!(event["outcome"], "unchanged");
    assert_eq!(event["changes"], json!([]));
    assert_eq!(app.profile(&ada()).updated_at, before.updated_at);
    assert_eq!(app.history(&before.id).len(), changes);
}

async fn r29_a_deactivation_ends_everything_at_once(app: TestApp) {
    app.apply(&ada().created(minute(0))).await;
    removal_ends_everything(&app, &ada().deactivated(minute(1))).await;
    assert_eq!(
        app.profile(&ada()).removed_reason.as_deref(),
        Some("deactivated in the directory")
    );
}

async fn r29_a_deletion_ends_everything_at_once(app: TestApp) {
    app.apply(&ada().created(minute(0))).await;
    removal_ends_everything(&app, &ada().deleted_bare(minute(1))).await;
    let profile = app.profile(&ada());
    assert_eq!(
        profile.removed_reason.as_deref(),
        Some("deleted in the directory")
    );
    assert_eq!(
        profile.title.as_deref(),
        Some("Analyst"),
        "C3: a removal changes no field"
    );
}

async fn removal_ends_everything(app: &TestApp, removal: &crate::support::events::Event) {
    app.apply(&employee("bob").created(minute(0))).await;
    let (hers, his) = (app.profile(&ada()).id, app.profile(&employee("bob")).id);
    let chess = app.community("chess", &[(&hers, Role::Admin), (&his, Role::Member)]);
    let choir = app.community("choir", &[(&hers, Role::Member)]);

    let event = app.apply(removal).await;

    assert_eq!(event["outcome"], "applied");
    assert_eq!(app.people(), [employee("bob").email()]);
    assert_eq!(app.profile(&ada()).status, "removed");
    let left: Vec<String> = app
        .members(&chess)
        .into_iter()
        .map(|member| member.profile_id)
        .collect();
    assert_eq!(left, [his]);
    assert_eq!(app.members(&choir), []);
    let ended: Vec<&str> = event["changes"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|change| change["what"] == "membership")
        .map(|change| change["old"].as_str().unwrap())
        .collect();
    assert_eq!(ended.len(), 2, "both memberships are audited: {event}");
    assert!(ended.contains(&"admin") && ended.contains(&"member"));
}

async fn r11_a_stale_update_changes_nothing_and_says_so(app: TestApp) {
    app.apply(&ada().created(minute(0))).await;
    let newer = ada()
        .updated(minute(20))
        .set("data.custom_attributes.job_title", "Director");
    app.apply(&newer).await;
    let before = app.profile(&ada());
    let changes = app.history(&before.id).len();

    let older = ada()
        .updated(minute(10))
        .set("data.custom_attributes.job_title", "Intern");
    let event = app.apply(&older).await;

    assert_eq!(event["outcome"], "stale", "{event}");
    assert!(event["reason"].as_str().unwrap().contains("newer events"));
    assert_eq!(app.profile(&ada()).title.as_deref(), Some("Director"));
    assert_eq!(app.history(&before.id).len(), changes);
}

async fn r12_a_deletion_before_the_creation_keeps_the_person_out(app: TestApp) {
    app.apply(&ada().deleted_bare(minute(5))).await;
    assert_eq!(app.people(), [""; 0]);
    app.apply(&ada().created(minute(0))).await;
    assert_eq!(app.people(), [""; 0]);
    assert_eq!(app.profile(&ada()).status, "removed");
}

async fn r13_an_update_without_state_does_not_bring_anybody_back(app: TestApp) {
    app.apply(&ada().created(minute(0))).await;
    app.apply(&ada().deleted(minute(1))).await;
    app.apply(&ada().updated(minute(2)).without("data.state"))
        .await;
    assert_eq!(app.people(), [""; 0]);
    app.apply(&ada().updated(minute(3))).await;
    assert_eq!(
        app.people(),
        [ada().email()],
        "an explicit active one restores"
    );
}

async fn r66_in_one_instant_the_removal_wins_in_both_time_formats(app: TestApp) {
    let spaced = "2026-11-23 09:05:00.000";
    for (one, name) in [(true, "removal-first"), (false, "removal-last")] {
        let person = employee(name);
        app.apply(&person.created(minute(0))).await;
        let active = person.updated(minute(5));
        let removal = person.deactivated(minute(5)).set("created_at", spaced);
        let (first, second) = if one {
            (&removal, &active)
        } else {
            (&active, &removal)
        };
        app.apply(first).await;
        app.apply(second).await;
        assert_eq!(app.profile(&person).status, "removed", "{name}");
    }
    // As text `2026-11-23 …` sorts before `2026-11-23T…`: an instant later than both still counts.
    let back = employee("removal-last")
        .updated(minute(6))
        .set("created_at", "2026-11-23 09:06:00.000");
    app.apply(&back).await;
    assert_eq!(app.profile(&employee("removal-last")).status, "active");
}

async fn r18_c12_replaying_everything_changes_nothing(app: TestApp) {
    let group = crate::support::events::group("dsync.group.created", "crew", minute(0));
    let story = [
        crate::support::events::directory("dsync.activated", minute(0)),
        ada().created(minute(1)),
        group,
        ada().joined("crew", minute(2)),
        ada()
            .updated(minute(3))
            .set("data.custom_attributes.job_title", "Lead"),
        employee("bob").created(minute(4)),
        employee("bob").deleted(minute(5)),
        ada().left("crew", minute(6)),
    ];
    for event in &story {
        app.apply(event).await;
    }
    let kept = |mut dump: std::collections::BTreeMap<String, Vec<String>>| {
        // A replay adds to the operators' audit and to an event's attempts, to nothing else (C12).
        for table in ["outbox", "event_attempts", "operator_acts"] {
            dump.remove(table);
        }
        dump
    };
    let before = kept(app.dump());
    for event in story.iter().rev() {
        app.replay(&event.id()).await;
    }
    assert_eq!(app.drain(), story.len());
    assert_eq!(kept(app.dump()), before);
    for event in &story {
        let shown = app.event(&event.id()).await;
        assert_eq!(shown["state"], "done", "{shown}");
    }
}

async fn a_legacy_payload_becomes_a_profile(app: TestApp) {
    let event = crate::support::events::fixture("dsync.user.created/legacy-2021.json");
    app.apply(&event).await;
    let row = app.count("profiles WHERE email = 'b.lunn@oldfield.example' AND status = 'active' AND title = 'Software Engineer' AND department = 'Support' AND employee_number = '10'");
    assert_eq!(row, 1);
}

async fn r76_a_partial_user_of_a_membership_event_overwrites_nothing(app: TestApp) {
    app.apply(&crate::support::events::group(
        "dsync.group.created",
        "crew",
        minute(0),
    ))
    .await;
    app.apply(&ada().created(minute(1))).await;
    let before = app.profile(&ada());
    let partial = ada()
        .joined("crew", minute(2))
        .without("data.user.email")
        .set("data.user.custom_attributes", json!({}))
        .set("data.user.state", "inactive");
    app.apply(&partial).await;
    let after = app.profile(&ada());
    assert_eq!(
        (after.status, after.title, after.updated_at),
        (before.status, before.title, before.updated_at)
    );
    let stranger = employee("stranger").joined("crew", minute(3));
    app.apply(&stranger).await;
    assert_eq!(app.people(), [ada().email()], "nobody becomes active by it");
}

async fn c9_users_of_what_was_never_announced_apply_and_lists_show_their_links(app: TestApp) {
    let steps = [
        (ada().created(minute(0)), "active", "active"),
        (ada().deleted(minute(1)), "removed", "deleted"),
    ];
    for (event, status, state) in steps {
        app.apply(&event).await;
        let list = app
            .get(&format!(
                "/v1/profiles?organization_id={ORGANIZATION}&status={status}"
            ))
            .await;
        let profile = &list["data"][0];
        assert_eq!(profile["organization_id"], ORGANIZATION);
        let link = json!({
            "directory_id": DIRECTORY,
            "idp_id": profile["links"][0]["idp_id"].as_str().unwrap(),
            "directory_user_id": ada().id(),
            "state": state,
        });
        assert_eq!(profile["links"], json!([link]), "{status}");
    }
}
