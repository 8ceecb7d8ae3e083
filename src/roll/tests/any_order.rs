//! R14: any order, any duplicates, any batching end in the roll that in-order delivery gives.

use std::collections::{BTreeMap, BTreeSet};

use proptest::test_runner::{Config, TestCaseError, TestRunner};
use proptest::{prop_assert, prop_assert_eq};

use serde_json::Value;

use super::desk::Desk;
use super::reference::Model;
use super::story::{History, Told, histories};
use crate::roll::{Settings, Status};

/// How many histories each property is asked about: `ROLLCALL_HISTORIES`, else a thousand.
fn cases() -> u32 {
    let asked = std::env::var("ROLLCALL_HISTORIES").ok();
    asked.and_then(|text| text.parse().ok()).unwrap_or(1_000)
}

fn for_all(check: impl Fn(&History) -> Result<(), TestCaseError>) {
    let config = Config {
        cases: cases(),
        failure_persistence: None,
        max_shrink_iters: 20_000,
        ..Config::default()
    };
    let result = TestRunner::new(config).run(&histories(16), |history| check(&history));
    if let Err(failure) = result {
        panic!("{failure}");
    }
}

fn sorted(history: &History) -> Vec<Told> {
    let mut events = history.events();
    events.sort_by(|one, other| one.key().cmp(other.key()));
    events
}

/// Engineers are excluded, and a Lead is on leave.
fn screening() -> Settings {
    let title = |title: &str| serde_json::json!({"field": "title", "op": "eq", "value": title});
    let settings = serde_json::json!({
        "exclude": [{"when": title("Engineer")}],
        "on_leave": {"when": title("Lead")},
    });
    serde_json::from_value(settings).unwrap()
}

fn under(settings: Settings) -> Desk {
    Desk {
        settings,
        ..Desk::default()
    }
}

fn in_order(history: &History) -> Desk {
    told_in_order(history, Desk::default())
}

fn as_it_came(history: &History) -> Desk {
    told_as_it_came(history, Desk::default())
}

fn told_in_order(history: &History, mut desk: Desk) -> Desk {
    for told in sorted(history) {
        desk.take(vec![told]);
    }
    desk
}

fn told_as_it_came(history: &History, mut desk: Desk) -> Desk {
    for batch in history.arrivals() {
        desk.take(batch);
    }
    desk
}

fn same(expected: &Desk, found: &Desk) -> Result<(), TestCaseError> {
    compare(&expected.shown(), &found.shown())
}

fn compare(
    expected: &BTreeMap<String, Value>,
    found: &BTreeMap<String, Value>,
) -> Result<(), TestCaseError> {
    if expected == found {
        return Ok(());
    }
    let mut lines = String::new();
    let names: BTreeSet<&String> = expected.keys().chain(found.keys()).collect();
    for name in names {
        let (one, other) = (&expected.get(name), &found.get(name));
        for part in parts(one).union(&parts(other)) {
            let of = |whole: &Option<&Value>| whole.and_then(|whole| whole.get(part)).cloned();
            if of(one) != of(other) {
                lines.push_str(&format!(
                    "\n  {name}, {part}: in order {}, as it came {}",
                    of(one).unwrap_or_default(),
                    of(other).unwrap_or_default()
                ));
            }
        }
    }
    Err(TestCaseError::fail(lines))
}

#[test]
fn r14_any_order_any_duplicates_and_any_batching_end_in_the_same_roll() {
    for_all(|history| same(&in_order(history), &as_it_came(history)));
}

#[test]
fn r14_r34_r45_whom_rules_screen_is_the_same_in_any_order() {
    for_all(|history| {
        let expected = told_in_order(history, under(screening()));
        same(&expected, &told_as_it_came(history, under(screening())))
    });
}

#[test]
fn r14_a_profile_that_was_ever_in_people_keeps_its_id() {
    for_all(|history| {
        let lost = as_it_came(history).lost;
        prop_assert!(lost.is_empty(), "{lost:?}");
        Ok(())
    });
}

fn parts(whole: &Option<&Value>) -> BTreeSet<String> {
    let members = whole.and_then(Value::as_object);
    members
        .into_iter()
        .flat_map(|members| members.keys().cloned())
        .collect()
}

#[test]
fn c3_a_removal_changes_no_field_of_whom_it_removes() {
    for_all(|history| {
        let mut desk = Desk::default();
        for told in sorted(history) {
            let before = desk.clone();
            desk.take(vec![told.clone()]);
            if !before.removes(&told) {
                continue;
            }
            let (was, is) = (before.profiles(), desk.profiles());
            let removed = is
                .values()
                .filter(|profile| profile.status == Status::Removed);
            // Where a link finds its person only now, the person shows what that link said.
            for after in removed.filter(|one| before.links_of(&one.id) == desk.links_of(&one.id)) {
                let Some(before) = was.get(&after.id) else {
                    continue;
                };
                prop_assert_eq!(&before.fields, &after.fields);
                prop_assert_eq!(&before.attributes, &after.attributes);
            }
        }
        Ok(())
    });
}

#[test]
fn r25_no_two_people_work_under_one_address() {
    for_all(|history| {
        if history.has_turns() {
            return Ok(());
        }
        let desk = as_it_came(history);
        let mut owners = BTreeMap::new();
        for kin in &desk.kin {
            for link in kin.links.values().filter(|link| link.counts()) {
                let Some(email) = link.email().map(str::to_lowercase) else {
                    continue;
                };
                let owner = owners.entry(email).or_insert(&link.person);
                prop_assert_eq!(*owner, &link.person);
            }
        }
        Ok(())
    });
}

#[test]
fn r14_a_simple_model_written_from_the_rules_agrees() {
    for_all(|history| agrees(history, Model::default(), as_it_came(history)));
}

#[test]
fn r34_r45_the_simple_model_agrees_on_whom_rules_screen() {
    for_all(|history| {
        let mut model = Model::default();
        model.screens = true;
        agrees(history, model, told_as_it_came(history, under(screening())))
    });
}

fn agrees(history: &History, mut model: Model, desk: Desk) -> Result<(), TestCaseError> {
    for told in sorted(history) {
        model.tell(&told);
    }
    let expected = model.shown();
    let mut found = desk.shown();
    found.retain(|name, _| name.starts_with("link") || name.starts_with("person"));
    for (name, whole) in &mut found {
        let Some(Value::Object(wanted)) = expected.get(name) else {
            continue;
        };
        let Value::Object(parts) = whole else {
            continue;
        };
        parts.retain(|part, _| wanted.contains_key(part));
        for part in wanted.keys() {
            // What is not kept in the stored form is nothing.
            parts.entry(part.clone()).or_insert(Value::Null);
        }
    }
    compare(&expected, &found)
}
