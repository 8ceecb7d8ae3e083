//! Bodies of `POST /v1/triggers`, good and bad.

use serde_json::json;

use super::*;

const ALL: Policy = Policy {
    allow_private_targets: false,
    slack_bot: true,
};

fn welcome() -> Value {
    json!({
        "organization_id": "org_1", "name": "Welcome", "on": "profile.activated", "status": "published",
        "when": {"field": "department", "op": "eq", "value": "Sales"},
        "steps": [
            {"channel": "email", "to": "person", "after": "PT0S", "at": null, "subject": "Welcome {{ first_name }}", "text": "Hi", "html": "<p>Hi</p>"},
            {"channel": "slack", "to": "https://hooks.slack.com/services/T0/B0/x", "after": "P1D", "at": "09:00", "text": "{{ display_name }} is here"},
            {"channel": "webhook", "to": "https://app.example.com/hooks/rollcall"},
        ],
    })
}

fn with_step(step: Value) -> Vec<Problem> {
    let mut body = welcome();
    body["steps"] = json!([step]);
    NewTrigger::parse(&body, ALL).err().unwrap_or_default()
}

#[test]
fn the_bodies_of_the_design_are_read() {
    let trigger = NewTrigger::parse(&welcome(), Policy::default())
        .unwrap_or_else(|problems| panic!("{problems:?}"));
    assert_eq!(
        (trigger.on, trigger.status, trigger.steps.len()),
        (Event::ProfileActivated, Status::Published, 3)
    );
    assert_eq!(trigger.steps[0].to, Recipient::Person);
    assert_eq!(trigger.steps[1].at, Some(LocalTime { hour: 9, minute: 0 }));
    assert_eq!(trigger.steps[2].after, After::default());
}

#[test]
fn a_trigger_is_a_draft_for_everybody_unless_said() {
    let mut body = welcome();
    for key in ["status", "when"] {
        body[key] = Value::Null;
    }
    let trigger = NewTrigger::parse(&body, ALL).unwrap_or_else(|problems| panic!("{problems:?}"));
    assert_eq!((trigger.status, trigger.when), (Status::Draft, None));
}

#[test]
fn steps_survive_the_way_to_the_database_and_back() {
    let trigger =
        NewTrigger::parse(&welcome(), ALL).unwrap_or_else(|problems| panic!("{problems:?}"));
    let kept = serde_json::to_string(&trigger.steps).unwrap_or_default();
    assert_eq!(
        serde_json::from_str::<Vec<Step>>(&kept).ok(),
        Some(trigger.steps)
    );
}

#[test]
fn all_problems_are_told_at_once_with_their_places() {
    let body = json!({
        "name": "", "on": "profile.created", "status": "live", "owner": 1,
        "when": {"field": "salary", "op": "eq", "value": 1},
        "steps": [
            {"channel": "email", "to": "#general", "after": "P1M", "at": "9", "text": "{{ firstname }}", "cc": "x"},
            {"channel": "pigeon", "to": 3},
            7,
        ],
    });
    let problems = NewTrigger::parse(&body, ALL).err().unwrap_or_default();
    let places: Vec<&str> = problems
        .iter()
        .map(|problem| problem.path.as_str())
        .collect();
    assert_eq!(
        places,
        [
            "owner",
            "organization_id",
            "name",
            "on",
            "status",
            "when.field",
            "steps[0].cc",
            "steps[0].to",
            "steps[0].after",
            "steps[0].at",
            "steps[0].subject",
            "steps[0].text",
            "steps[1].channel",
            "steps[1].to",
            "steps[2]",
        ]
    );
    assert!(
        problems[11].message.contains("firstname") && problems[11].message.contains("first_name"),
        "{}",
        problems[11]
    );
}

#[test]
fn each_channel_says_where_it_can_go() {
    for (channel, to, fits) in [
        ("email", "person", true),
        ("email", "manager", true),
        ("email", "hr@example.com", true),
        ("email", "hr@exämple.com", true),
        ("email", "HR <hr@example.com>", false),
        ("email", "hr@example.com, all@example.com", false),
        ("email", "hr@example.com\r\nRCPT TO:<x@example.com>", false),
        ("email", "\"a b\"@example.com", false),
        ("email", "https://example.com/", false),
        ("slack", "person", true),
        ("slack", "#new-joiners", true),
        ("slack", "C024BE91L", true),
        ("slack", "new-joiners", false),
        ("slack", "#New Joiners", false),
        ("slack", "ada@example.com", false),
        ("slack", "http://hooks.slack.com/services/x", false),
        ("webhook", "https://app.example.com/x", true),
        ("webhook", "https://127.0.0.1/x", false),
        ("webhook", "https://user:pw@app.example.com/x", false),
        ("webhook", "person", false),
        ("webhook", "ftp://app.example.com/x", false),
    ] {
        let mut step = json!({"channel": channel, "to": to, "text": "x"});
        if channel == "email" {
            step["subject"] = json!("x");
        }
        let problems = with_step(step);
        assert_eq!(problems.is_empty(), fits, "{channel} {to}: {problems:?}");
        assert!(
            problems.iter().all(|problem| problem.path == "steps[0].to"),
            "{problems:?}"
        );
    }
}

#[test]
fn slack_people_and_channels_need_a_bot() {
    let mut body = welcome();
    body["steps"] = json!([{"channel": "slack", "to": "#general", "text": "x"}, {"channel": "slack", "to": "person", "text": "x"}]);
    assert_eq!(
        NewTrigger::parse(&body, Policy::default())
            .err()
            .map(|problems| problems.len()),
        Some(2)
    );
    assert!(NewTrigger::parse(&body, ALL).is_ok());
}

#[test]
fn plain_http_is_for_private_targets_only() {
    let mut body = welcome();
    body["steps"] = json!([{"channel": "webhook", "to": "http://127.0.0.1:9/x"}]);
    assert!(NewTrigger::parse(&body, ALL).is_err());
    assert!(
        NewTrigger::parse(
            &body,
            Policy {
                allow_private_targets: true,
                slack_bot: false
            }
        )
        .is_ok()
    );
}

#[test]
fn texts_fit_their_channel() {
    assert_eq!(
        with_step(json!({"channel": "slack", "to": "#x", "text": "x", "subject": "x"}))[0].path,
        "steps[0].subject"
    );
    assert_eq!(
        with_step(json!({"channel": "slack", "to": "#x"}))[0].path,
        "steps[0].text"
    );
    assert_eq!(
        with_step(json!({"channel": "email", "to": "person", "subject": " ", "text": "x"}))[0].path,
        "steps[0].subject"
    );
    assert_eq!(
        with_step(json!({"channel": "email", "to": "person", "subject": "x", "text": 5}))[0].path,
        "steps[0].text"
    );
    assert_eq!(with_step(json!({"channel": "email", "to": "person", "subject": "x", "text": "x", "html": "{% include 'x' %}"}))[0].path, "steps[0].html");
}

#[test]
fn a_time_of_day_goes_with_whole_days() {
    let step = |after: &str| json!({"channel": "slack", "to": "#x", "text": "x", "after": after, "at": "09:00"});
    assert!(with_step(step("P2D")).is_empty());
    assert!(with_step(step("P0D")).is_empty());
    assert_eq!(with_step(step("PT30M"))[0].path, "steps[0].after");
}

#[test]
fn the_number_of_steps_is_bounded() {
    let mut body = welcome();
    for steps in [
        json!([]),
        json!(null),
        json!("x"),
        Value::Array(vec![
            json!({"channel": "slack", "to": "#x", "text": "x"});
            MAX_STEPS + 1
        ]),
    ] {
        body["steps"] = steps;
        assert_eq!(
            NewTrigger::parse(&body, ALL)
                .err()
                .map(|problems| problems[0].path.clone()),
            Some("steps".to_owned())
        );
    }
}
