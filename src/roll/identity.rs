//! Who a directory user is (R20): whom an operator said; the same directory user id; the same idp id in the same directory
//! or in one that was detached (R31, R37); the same employee number; the address of somebody who is
//! not removed and has no active link (C1). More than one candidate, or an address somebody works
//! under: a person decides, never a guess (R25). An address once used by somebody removed is a new
//! person's (R24), with a note that it may be a rehire (R32).

use std::collections::BTreeSet;

use serde_json::Value;

use crate::workos::{OrderKey, clean};

use super::attributes::Values;
use super::fold::Known;
use super::kin::{Contest, Kin, Link, LinkState};
use super::lifecycle::{Status, standing};
use super::settings::Settings;
use super::statement::Statement;

/// Who a link belongs to.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Verdict {
    /// The person is known, by a stable id.
    Known(String),
    /// Adopted by e-mail: this event does not rewrite the address (R21).
    Adopted(String),
    /// Somebody new, perhaps a removed person who returns.
    New { possible_rehire_of: Option<String> },
    /// A person must decide.
    Contested(Contest),
}

/// The keys by which a link can meet others of its organization: `i:` idp id, `n:` employee number,
/// `e:` e-mail address in lower case (R22).
pub fn keys_of(
    idp_id: Option<&str>,
    email: Option<&str>,
    employee_number: Option<&str>,
) -> Vec<String> {
    let mut keys = Vec::new();
    if let Some(id) = idp_id {
        keys.push(format!("i:{id}"));
    }
    if let Some(number) = employee_number {
        keys.push(format!("n:{}", fold_case(number)));
    }
    if let Some(email) = email {
        keys.push(format!("e:{}", fold_case(email)));
    }
    keys
}

/// How addresses and numbers are compared (R22, R88).
pub fn fold_case(text: &str) -> String {
    clean::fold(text)
}

/// Judges a link that is not attached to anybody else's life yet. `link` stands in `kin` already or
/// not; it is never compared with itself.
pub(super) fn judge(kin: &Kin, link: &Link, key: &OrderKey, known: &Known<'_>) -> Verdict {
    decided(kin, link, known)
        .or_else(|| judge_stable(kin, link, key, known))
        .unwrap_or_else(|| same_email(kin, link, key, known))
}

/// Whom an operator said it is, if any of theirs is known at this point.
fn decided(kin: &Kin, link: &Link, known: &Known<'_>) -> Option<Verdict> {
    let same = known.decisions.same_as(&link.id);
    let people = same.iter().filter_map(|id| kin.links.get(*id));
    people
        .map(|other| other.person.clone())
        .min()
        .map(Verdict::Known)
}

/// By what does not pass from one person to another: the provider's id, the employee number.
pub(super) fn judge_stable(
    kin: &Kin,
    link: &Link,
    key: &OrderKey,
    known: &Known<'_>,
) -> Option<Verdict> {
    same_idp_id(kin, link, key, known).or_else(|| same_number(kin, link, key, known))
}

/// Other links, but for those of people whom an operator said it is not.
fn others<'a>(
    kin: &'a Kin,
    link: &'a Link,
    known: &'a Known<'_>,
) -> impl Iterator<Item = &'a Link> {
    kin.links.values().filter(move |other| {
        other.id != link.id && !known.decisions.parts(kin, &link.id, &other.person)
    })
}

fn same_idp_id(kin: &Kin, link: &Link, key: &OrderKey, known: &Known<'_>) -> Option<Verdict> {
    let idp_id = link.idp_id.as_deref()?;
    let same: Vec<&Link> = others(kin, link, known)
        .filter(|other| other.idp_id.as_deref() == Some(idp_id))
        .collect();
    let people = |is_meant: &dyn Fn(&Link) -> bool| -> BTreeSet<String> {
        let meant = same.iter().filter(|other| is_meant(other));
        meant.map(|other| other.person.clone()).collect()
    };
    let mut found = people(&|other| other.directory_id == link.directory_id);
    if found.is_empty() {
        // A small number may be anybody's in another provider: the address or the provider must agree.
        let kind = known.kind_at(&link.directory_id, key);
        found = people(&|other| {
            !known.live_at(&other.directory_id, key)
                && (same_text(other.email(), link.email())
                    || (kind.is_some() && kind == known.kind_at(&other.directory_id, key)))
        });
    }
    if found.len() > 1 {
        return Some(Verdict::Contested(Contest {
            over: "idp_id".to_owned(),
            candidates: found.into_iter().collect(),
        }));
    }
    found.into_iter().next().map(Verdict::Known)
}

fn same_number(kin: &Kin, link: &Link, key: &OrderKey, known: &Known<'_>) -> Option<Verdict> {
    let number = number_of(link)?;
    let same: Vec<&Link> = others(kin, link, known)
        .filter(|other| number_of(other).as_deref() == Some(&*number))
        .collect();
    let people: BTreeSet<&str> = same.iter().map(|other| other.person.as_str()).collect();
    let first = (*people.first()?).to_owned();
    // Two active users of one directory under one number are two people, or a typing error.
    let doubled = link.state == LinkState::Active
        && same
            .iter()
            .any(|other| other.directory_id == link.directory_id && is_live(other, key, known));
    if people.len() == 1 && !doubled {
        return Some(Verdict::Known(first));
    }
    let candidates = people.into_iter().map(str::to_owned).collect();
    Some(Verdict::Contested(Contest {
        over: "employee_number".to_owned(),
        candidates,
    }))
}

fn same_email(kin: &Kin, link: &Link, key: &OrderKey, known: &Known<'_>) -> Verdict {
    let Some(email) = link.email().map(fold_case) else {
        return Verdict::New {
            possible_rehire_of: None,
        };
    };
    let mut free = BTreeSet::new();
    let mut taken = BTreeSet::new();
    let mut gone: Vec<(OrderKey, String)> = Vec::new();
    for person in kin.people.values() {
        let mut theirs = kin
            .links_of(&person.id)
            .filter(|other| other.id != link.id)
            .peekable();
        if theirs.peek().is_none() || known.decisions.parts(kin, &link.id, &person.id) {
            continue;
        }
        let links: Vec<&Link> = theirs.collect();
        if !links
            .iter()
            .any(|other| other.email().map(fold_case).as_deref() == Some(&*email))
        {
            continue;
        }
        if matches!(standing(kin, person), Status::Removed | Status::Erased) {
            let left = person
                .left
                .as_ref()
                .filter(|_| person.status == Status::Removed);
            gone.push((left.unwrap_or(key).clone(), person.id.clone()));
        } else if links.iter().any(|other| is_live(other, key, known)) {
            taken.insert(person.id.clone());
        } else {
            free.insert(person.id.clone());
        }
    }
    if link.state != LinkState::Active {
        // Inactive users may share an address (contract section 6): nothing to decide yet.
        return Verdict::New {
            possible_rehire_of: None,
        };
    }
    match (taken.len(), free.len()) {
        (0, 0) => Verdict::New {
            // Who left last, if several had the address.
            possible_rehire_of: gone.into_iter().max().map(|(_, id)| id),
        },
        (0, 1) => Verdict::Adopted(free.into_iter().next().unwrap_or_default()),
        _ => Verdict::Contested(Contest {
            over: "email".to_owned(),
            candidates: taken.into_iter().chain(free).collect(),
        }),
    }
}

/// Who else works under this address at that point of the order.
pub(super) fn owner_of(
    kin: &Kin,
    email: &str,
    person: &str,
    key: &OrderKey,
    known: &Known<'_>,
) -> Option<String> {
    let email = fold_case(email);
    kin.links
        .values()
        .filter(|other| other.person != person && is_live(other, key, known))
        .find(|other| other.email().map(fold_case).as_deref() == Some(&*email))
        .map(|other| other.person.clone())
}

/// An active link: it says that its person works there, and its directory was linked at that point.
pub(super) fn is_live(link: &Link, key: &OrderKey, known: &Known<'_>) -> bool {
    link.counts() && known.live_at(&link.directory_id, key)
}

fn number_of(link: &Link) -> Option<String> {
    link.values
        .get("employee_number")
        .and_then(Value::as_str)
        .map(fold_case)
}

fn same_text(one: Option<&str>, other: Option<&str>) -> bool {
    matches!((one, other), (Some(one), Some(other)) if fold_case(one) == fold_case(other))
}

/// The keys a statement says, under the organization's mapping.
pub fn keys_said(statement: &Statement, settings: &Settings) -> Vec<String> {
    let mut said = std::collections::BTreeMap::new();
    let mut values = Values::over(&mut said, settings.date_order);
    values.take(&statement.said.user, &settings.mapping);
    let text = |name: &str| said.get(name).and_then(Value::as_str);
    keys_of(
        statement.said.user.idp_id.as_deref(),
        text("email"),
        text("employee_number"),
    )
}
