//! Conflicts (R20, R25): nobody takes an address somebody else works under, and where a person must
//! decide the link waits. Whoever waits is judged again at every step of the kin (C1).

use serde_json::Value;

use crate::workos::OrderKey;

use super::fold::{Known, attach, is_alone_and_new};
use super::identity::{Verdict, fold_case, judge_stable, owner_of};
use super::kin::{Contest, Kin, Link, LinkState};

/// R25: who begins to work under an address of somebody else waits whole; who works already keeps
/// the former address, and the new one is kept aside. So it is where an operator said that they are
/// two people: one of them has the address.
pub(super) fn guard_email(
    kin: &Kin,
    link: &mut Link,
    begins: bool,
    former_email: Option<String>,
    key: &OrderKey,
    known: &Known<'_>,
) {
    let Some(email) = link.email().map(str::to_owned) else {
        return;
    };
    let Some(owner) = owner_of(kin, &email, &link.person, key, known) else {
        return;
    };
    let two_people = known.decisions.parts(kin, &link.id, &owner)
        || known.decisions.part_people(kin, &link.person, &owner);
    if begins && !two_people {
        link.contest = Some(Contest {
            over: "email".to_owned(),
            candidates: vec![owner],
        });
    } else if begins || former_email.as_deref().map(fold_case) != Some(fold_case(&email)) {
        match former_email.filter(|_| !begins) {
            Some(former) => link
                .values
                .insert("email".to_owned(), Value::String(former)),
            None => link.values.remove("email"),
        };
        link.wanted_email = Some(email);
    }
}

/// Judges all who wait once more, who waits longest first.
pub(super) fn rejudge(kin: &mut Kin, key: &OrderKey, known: &Known<'_>) {
    let mut waiting: Vec<(OrderKey, String)> = kin
        .links
        .values()
        .filter(|link| link.contest.is_some() || link.wanted_email.is_some())
        .map(|link| (link.life.clone(), link.id.clone()))
        .collect();
    waiting.sort();
    for (_, id) in waiting {
        let Some(mut link) = kin.links.get(&id).cloned() else {
            continue;
        };
        if link.contest.is_some() {
            judge_again(kin, &mut link, key, known);
        }
        if let Some(wanted) = link.wanted_email.clone().filter(|_| link.counts())
            && owner_of(kin, &wanted, &link.person, key, known).is_none()
        {
            link.values
                .insert("email".to_owned(), Value::String(wanted));
            link.wanted_email = None;
        }
        kin.links.insert(id, link);
    }
}

fn judge_again(kin: &mut Kin, link: &mut Link, key: &OrderKey, known: &Known<'_>) {
    let was = link.contest.take();
    if link.state != LinkState::Active {
        return;
    }
    kin.links.remove(&link.id);
    if is_alone_and_new(kin, link) {
        attach(kin, link, key, known);
    } else if let Some(was) = was.filter(|was| was.over != "email") {
        link.contest = still_contested(kin, link, was, key, known);
    }
    if link.contest.is_none() {
        guard_email(kin, link, true, None, key, known);
    }
}

/// A link whose person others have joined cannot move any more: it waits while its number or
/// provider's id still means somebody else.
fn still_contested(
    kin: &Kin,
    link: &Link,
    was: Contest,
    key: &OrderKey,
    known: &Known<'_>,
) -> Option<Contest> {
    match judge_stable(kin, link, key, known)? {
        Verdict::Contested(contest) => Some(contest),
        Verdict::Known(other) if other != link.person => Some(Contest {
            over: was.over,
            candidates: vec![other],
        }),
        _ => None,
    }
}
