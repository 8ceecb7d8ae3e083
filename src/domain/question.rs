//! What waits for a person to decide about a directory user, for the list of conflicts: whose they
//! are (R20, R25), an address that is kept aside (R25), or that somebody new may be a removed person
//! who came back (R32). What was decided is not asked again.

use serde::{Deserialize, Serialize};

use super::cluster::{IdentityCluster, Link};
use super::contest::holder_of_refused;
use super::context::Context;
use super::numbers::asked_over;

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Asks {
    /// Whose this directory user is. Over an address or a provider's id it gives nobody access until
    /// then; over an employee number it is somebody of its own meanwhile (R20).
    Conflict,
    /// Its new address is somebody else's; the former one is shown.
    Address,
    /// Whether the person is one who left.
    PossibleRehire,
}

/// An open question about a directory user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// What is asked.
    pub kind: Asks,
    /// By what they met: `email`, `employee_number` or `idp_id`.
    pub over: String,
    /// The profiles it might be.
    pub candidates: Vec<String>,
}

impl Asks {
    /// As shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Conflict => "conflict",
            Self::Address => "address",
            Self::PossibleRehire => "possible_rehire",
        }
    }
}

/// What is asked about a link, if anything.
pub fn question(cluster: &IdentityCluster, link: &Link, known: &Context<'_>) -> Option<Question> {
    if let Some(contest) = &link.contest {
        return Some(Question {
            kind: Asks::Conflict,
            over: contest.over.clone(),
            candidates: contest.candidates.clone(),
        });
    }
    kept_address(cluster, link, known)
        .or_else(|| same_number(cluster, link, known))
        .or_else(|| rehire(cluster, link))
}

fn kept_address(cluster: &IdentityCluster, link: &Link, known: &Context<'_>) -> Option<Question> {
    let holder = holder_of_refused(cluster, link, known)?;
    let decided = known.decisions.part_people(cluster, &link.person, &holder);
    (!decided).then(|| Question {
        kind: Asks::Address,
        over: "email".to_owned(),
        candidates: vec![holder],
    })
}

fn same_number(cluster: &IdentityCluster, link: &Link, known: &Context<'_>) -> Option<Question> {
    let candidates = asked_over(cluster, link, known);
    (!candidates.is_empty()).then(|| Question {
        kind: Asks::Conflict,
        over: "employee_number".to_owned(),
        candidates,
    })
}

/// Asked once for a person, about the directory user that was known first.
fn rehire(cluster: &IdentityCluster, link: &Link) -> Option<Question> {
    let person = cluster.people.get(&link.person)?;
    let former = person.possible_rehire_of.clone()?;
    let first = cluster
        .links_of(&person.id)
        .min_by(|one, other| (&one.first, &one.id).cmp(&(&other.first, &other.id)));
    (first.map(|first| &first.id) == Some(&link.id)).then(|| Question {
        kind: Asks::PossibleRehire,
        over: "email".to_owned(),
        candidates: vec![former],
    })
}
