//! R14: any order, any duplicates, any batching end in the roll that in-order delivery gives. Random
//! histories, each told in order and as it came, and held against everything that must be true of it.

use std::collections::{BTreeMap, BTreeSet};

use proptest::test_runner::{Config, TestCaseError, TestRunner};
use proptest::{prop_assert, prop_assert_eq};
use serde_json::Value;

use super::desk::Desk;
use super::reference::Model;
use super::story::{History, histories};
use super::told::Told;
use crate::domain::{IdentityCluster, Link, LinkState, Role, Status};

/// How many histories are tried: `ROLLCALL_HISTORIES`, else so many that an unoptimized build does it
/// in passing. `.ci/histories` asks for more.
pub(super) fn wanted() -> u32 {
    let asked = std::env::var("ROLLCALL_HISTORIES").ok();
    asked.and_then(|text| text.parse().ok()).unwrap_or(100)
}

/// The longest history, in events.
const LONGEST: usize = 16;

/// A history and where it led.
struct Tried {
    ordered: Vec<Told>,
    in_order: Desk,
    as_it_came: Desk,
    /// Fields that a removal changed, told in order (C3).
    changed_by_removals: Vec<String>,
}

type Verdict = Result<(), TestCaseError>;
type Check = fn(&Tried) -> Verdict;

/// Everything that must be true of every history, by name.
const CHECKS: [(&str, Check); 8] = [
    ("r14: the same roll in any order", same_in_any_order),
    ("r14: a profile that was in People keeps its id", ids_stay),
    ("r14: the reference model agrees", model_agrees),
    (
        "r25: one address, one person at work",
        one_address_one_person,
    ),
    ("c3: a removal changes no field", removals_change_no_field),
    ("r20: two people never share a profile", two_stay_two),
    (
        "r23: an address answers for whom the directory gives it",
        addresses_answer,
    ),
    (
        "r31: an admin role is nobody's whom it was not given",
        roles_stay,
    ),
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

impl Tried {
    fn of(history: &History) -> Self {
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

fn same_in_any_order(tried: &Tried) -> Verdict {
    same(&tried.in_order, &tried.as_it_came)
}

fn ids_stay(tried: &Tried) -> Verdict {
    match tried.as_it_came.lost.first() {
        None => Ok(()),
        Some(lost) => Err(TestCaseError::fail(lost.clone())),
    }
}

fn model_agrees(tried: &Tried) -> Verdict {
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

/// Directory users who give access, by cluster.
fn counting(desk: &Desk) -> impl Iterator<Item = (&IdentityCluster, &Link)> {
    let all = desk.cluster.iter();
    all.flat_map(|cluster| cluster.links.values().map(move |link| (cluster, link)))
        .filter(|(_, link)| link.counts())
}

/// The address that a directory gives somebody, to compare by.
fn given(link: &Link) -> Option<String> {
    let address = link.wanted_email.as_deref().or_else(|| link.email())?;
    Some(address.to_lowercase()).filter(|address| address.contains('@'))
}

fn one_address_one_person(tried: &Tried) -> Verdict {
    let profiles = tried.as_it_came.profiles();
    let mut owners = BTreeMap::new();
    for profile in profiles
        .values()
        .filter(|profile| profile.status.has_access())
    {
        let Some(key) = &profile.address_key else {
            continue;
        };
        let owner = owners.entry(key).or_insert(&profile.id);
        prop_assert_eq!(*owner, &profile.id);
    }
    Ok(())
}

/// The directory lists both at once, each under an id of their own.
fn two_stay_two(tried: &Tried) -> Verdict {
    let mut of: BTreeMap<(&str, &str), &str> = BTreeMap::new();
    for (_, link) in counting(&tried.as_it_came) {
        let Some(idp) = link.idp_id.as_deref().filter(|idp| *idp != "N/A") else {
            continue;
        };
        let who = of.entry((&link.person, &link.directory_id)).or_insert(idp);
        prop_assert_eq!(*who, idp, "{} is two people", link.person);
    }
    Ok(())
}

/// Where one person only is given an address, it answers for that one.
fn addresses_answer(tried: &Tried) -> Verdict {
    let desk = &tried.as_it_came;
    let profiles = desk.profiles();
    let mut people: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for cluster in &desk.cluster {
        let said = cluster
            .links
            .values()
            .filter(|link| link.state == LinkState::Active);
        for link in said {
            if let Some(address) = given(link) {
                people.entry(address).or_default().insert(&link.person);
            }
        }
    }
    for (_, link) in counting(desk) {
        let Some(address) = given(link).filter(|address| people[address].len() == 1) else {
            continue;
        };
        prop_assert!(
            link.wanted_email.is_none(),
            "{} waits for {address}",
            link.id
        );
        let others = profiles.values().filter(|profile| {
            profile.id != link.person
                && profile.status.has_access()
                && profile.address_key.as_ref() == Some(&address)
        });
        prop_assert_eq!(others.count(), 0, "{} is somebody else's, too", address);
    }
    Ok(())
}

fn roles_stay(tried: &Tried) -> Verdict {
    let desk = &tried.as_it_came;
    for (profile, seat) in &desk.seats {
        if seat.ended_at.is_some() || seat.role != Role::Admin {
            continue;
        }
        let theirs = desk.links_of(profile);
        prop_assert!(
            !theirs.is_disjoint(&desk.given_to[profile]),
            "{profile} is an admin in the place of {:?}",
            desk.given_to[profile]
        );
    }
    Ok(())
}

fn removals_change_no_field(tried: &Tried) -> Verdict {
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
        // Of somebody who is gone the last known address is shown, also where it is another's now (R24).
        let mut fields = now.fields.clone();
        if !then.fields.contains_key("email") {
            fields.remove("email");
            if then.fields["display_name"] == "(no name)" {
                fields.insert("display_name", "(no name)".to_owned());
            }
        }
        if then.fields != fields || then.attributes != now.attributes {
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
