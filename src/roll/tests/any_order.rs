//! R14: any order, any duplicates, any batching end in the roll that in-order delivery gives. Random
//! histories, each told in order and as it came, and held against everything that must be true of it.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prop_assert_eq;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use serde_json::Value;

use super::desk::Desk;
use super::reference::Model;
use super::story::{Act, History, Step, histories};
use super::told::Told;
use crate::roll::Status;

/// How many histories are tried: `ROLLCALL_HISTORIES`, else so many that an unoptimized build does it
/// in passing. `.ci/histories` asks for more.
pub(super) fn wanted() -> u32 {
    let asked = std::env::var("ROLLCALL_HISTORIES").ok();
    asked.and_then(|text| text.parse().ok()).unwrap_or(1_000)
}

/// The longest history, in events.
const LONGEST: usize = 16;

/// A history and where it led.
struct Tried<'a> {
    history: &'a History,
    ordered: Vec<Told>,
    in_order: Desk,
    as_it_came: Desk,
    /// Fields that a removal changed, told in order (C3).
    changed_by_removals: Vec<String>,
}

type Verdict = Result<(), TestCaseError>;
type Check = fn(&Tried<'_>) -> Verdict;

/// Everything that must be true of every history, by name.
const CHECKS: [(&str, Check); 5] = [
    ("r14: the same roll in any order", same_in_any_order),
    ("r14: a profile that was in People keeps its id", ids_stay),
    ("r14: the reference model agrees", model_agrees),
    (
        "r25: one address, one person at work",
        one_address_one_person,
    ),
    ("c3: a removal changes no field", removals_change_no_field),
];

#[test]
fn r14_any_order_any_duplicates_and_any_batching_end_in_the_same_roll() {
    let workers = std::thread::available_parallelism().map_or(2, usize::from);
    let workers = u32::try_from(workers).unwrap_or(1).min(wanted());
    let failures = std::thread::scope(|scope| {
        let share = |worker| wanted() / workers + u32::from(worker < wanted() % workers);
        let all: Vec<_> = (0..workers)
            .map(|worker| scope.spawn(move || run(share(worker), check)))
            .collect();
        let told = all.into_iter().filter_map(|one| one.join().unwrap().err());
        told.collect::<Vec<_>>()
    });
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Asks one thing of as many histories; for what the five checks do not ask.
pub fn for_all(holds: impl Fn(&History) -> Verdict) {
    if let Err(failure) = run(wanted(), holds) {
        panic!("{failure}");
    }
}

fn run(cases: u32, holds: impl Fn(&History) -> Verdict) -> Result<(), String> {
    let config = Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: shrinks(),
        ..Config::default()
    };
    let told = TestRunner::new(config).run(&histories(LONGEST), |history| holds(&history));
    told.map_err(|failure| failure.to_string())
}

/// How hard a failing history is made smaller: `ROLLCALL_SHRINKS`.
fn shrinks() -> u32 {
    let asked = std::env::var("ROLLCALL_SHRINKS").ok();
    asked.and_then(|text| text.parse().ok()).unwrap_or(20_000)
}

fn check(history: &History) -> Verdict {
    let tried = Tried::of(history);
    for (name, holds) in CHECKS {
        holds(&tried).map_err(|error| TestCaseError::fail(format!("[{name}] {error}")))?;
    }
    Ok(())
}

impl<'a> Tried<'a> {
    fn of(history: &'a History) -> Self {
        let ordered = sorted(history);
        let mut in_order = Desk::default();
        let mut changed_by_removals = Vec::new();
        for told in &ordered {
            let before = in_order.removes(told).then(|| in_order.clone());
            in_order.take(vec![told.clone()]);
            if let Some(before) = before {
                changed_by_removals.extend(changed_fields(&before, &in_order));
            }
        }
        let mut as_it_came = Desk::default();
        for batch in arrivals(history) {
            as_it_came.take(batch);
        }
        Self {
            history,
            ordered,
            in_order,
            as_it_came,
            changed_by_removals,
        }
    }
}

/// In what the story calls its order, not in what the keys of its events say.
pub(super) fn sorted(history: &History) -> Vec<Told> {
    history.in_order(0).iter().filter_map(Told::read).collect()
}

/// Batch by batch as they arrive.
pub(super) fn arrivals(history: &History) -> Vec<Vec<Told>> {
    let batches = history.arrivals(0);
    let read = |batch: &Vec<Value>| batch.iter().filter_map(Told::read).collect();
    batches.iter().map(read).collect()
}

pub(super) fn same(expected: &Desk, found: &Desk) -> Verdict {
    compare(&expected.shown(), &found.shown())
}

fn same_in_any_order(tried: &Tried<'_>) -> Verdict {
    same(&tried.in_order, &tried.as_it_came)
}

fn ids_stay(tried: &Tried<'_>) -> Verdict {
    match tried.as_it_came.lost.first() {
        None => Ok(()),
        Some(lost) => Err(TestCaseError::fail(lost.clone())),
    }
}

fn model_agrees(tried: &Tried<'_>) -> Verdict {
    let mut model = Model::default();
    for told in &tried.ordered {
        model.tell(told);
    }
    agrees(&model, &tried.as_it_came)
}

/// What the model shows of people and links is what the roll shows of them.
pub(super) fn agrees(model: &Model, roll: &Desk) -> Verdict {
    let expected = model.shown();
    let mut found = roll.shown();
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

fn one_address_one_person(tried: &Tried<'_>) -> Verdict {
    // Where a directory goes away, an address may come to be used twice.
    let turns = |step: &Step| matches!(step.act, Act::Link { .. });
    if tried.history.0.iter().any(turns) {
        return Ok(());
    }
    let mut owners = BTreeMap::new();
    for kin in &tried.as_it_came.kin {
        for link in kin.links.values().filter(|link| link.counts()) {
            let Some(email) = link.email().map(str::to_lowercase) else {
                continue;
            };
            let owner = owners.entry(email).or_insert(&link.person);
            prop_assert_eq!(*owner, &link.person);
        }
    }
    Ok(())
}

fn removals_change_no_field(tried: &Tried<'_>) -> Verdict {
    match tried.changed_by_removals.first() {
        None => Ok(()),
        Some(changed) => Err(TestCaseError::fail(changed.clone())),
    }
}

fn changed_fields(before: &Desk, after: &Desk) -> Vec<String> {
    let (was, is) = (before.profiles(), after.profiles());
    let removed = is
        .values()
        .filter(|profile| profile.status == Status::Removed);
    // Where a link finds its person only now, the person shows what that link said.
    let same_links = removed.filter(|one| before.links_of(&one.id) == after.links_of(&one.id));
    let mut changed = Vec::new();
    for now in same_links {
        let Some(then) = was.get(&now.id) else {
            continue;
        };
        if then.fields != now.fields || then.attributes != now.attributes {
            changed.push(format!(
                "{:?} {:?} became {:?} {:?}",
                then.fields, then.attributes, now.fields, now.attributes
            ));
        }
    }
    changed
}

fn compare(expected: &BTreeMap<String, Value>, found: &BTreeMap<String, Value>) -> Verdict {
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
                    "\n  {name}, {part}: expected {}, as it came {}",
                    of(one).unwrap_or_default(),
                    of(other).unwrap_or_default()
                ));
            }
        }
    }
    Err(TestCaseError::fail(lines))
}

fn parts(whole: &Option<&Value>) -> BTreeSet<String> {
    let members = whole.and_then(Value::as_object);
    members
        .into_iter()
        .flat_map(|members| members.keys().cloned())
        .collect()
}
