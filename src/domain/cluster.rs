//! IdentityCluster: the links of one organization that share a key (an idp id, an employee number, an e-mail
//! address), ever said, and the people they belong to. It is the smallest part of the roll that can
//! be folded by itself: nobody outside of it can be matched with anybody inside.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::clock::Timestamp;
use crate::workos::OrderKey;

use super::lifecycle::{FIRST, Status};

/// Links that share keys, and their people by profile id.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct IdentityCluster {
    /// By directory user id.
    pub links: BTreeMap<String, Link>,
    /// By profile id.
    pub people: BTreeMap<String, Person>,
}

/// What the directory last said of the life of a directory user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkState {
    /// Never said to be active.
    Pending,
    /// Works there.
    Active,
    /// Was active, is not.
    Inactive,
    /// Deleted.
    Deleted,
    /// Its directory was detached and another link took its place (R37).
    Moved,
}

impl LinkState {
    /// As shown and stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Inactive => "inactive",
            Self::Deleted => "deleted",
            Self::Moved => "moved",
        }
    }
}

/// One directory user attached to a person.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Link {
    /// WorkOS's directory user id.
    pub id: String,
    /// Its directory.
    pub directory_id: String,
    /// The provider's id.
    pub idp_id: Option<String>,
    /// The profile it belongs to.
    pub person: String,
    /// What was last said of its life.
    pub state: LinkState,
    /// Whether it was ever said to be active.
    pub ever_active: bool,
    /// Somebody else works under the same address, or had the same provider's id: a person decides,
    /// until then this link gives nobody access (R20, R25).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contest: Option<Contest>,
    /// An address it was given while somebody else works under it; kept aside (R25).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wanted_email: Option<String>,
    /// The observation that gave it its present address, or by which it began to work under it: who
    /// has claimed an address longest has it (R23, R25).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email_since: Option<OrderKey>,
    /// The link by which it found its person; `None` for whom nobody was known before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub joined: Option<Joined>,
    /// Mapped values by target; `null` where the field was said to be nothing.
    pub values: BTreeMap<String, Value>,
    /// Sentences about values that could not be taken.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// The first observation about it.
    pub first: OrderKey,
    /// The observation that last spoke of its life.
    pub life: OrderKey,
    /// The step by which it last stopped giving anybody access.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<OrderKey>,
    /// The newest observation about it.
    pub last: OrderKey,
}

/// Why a link waits for a person's decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contest {
    /// `email` or `idp_id`.
    pub over: String,
    /// The profiles it might be.
    pub candidates: Vec<String>,
}

/// What ties a link to another one of the same person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Joined {
    /// The number or address that does; `None` where it is firm: the provider's id, or an operator's word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// The other link, by directory user id.
    pub to: String,
}

impl Joined {
    /// By the provider's id or an operator's word.
    pub(super) fn firmly(to: &str) -> Self {
        Self {
            by: None,
            to: to.to_owned(),
        }
    }

    /// By a key that other people may come to have as well.
    pub(super) fn by(key: &str, to: &str) -> Self {
        Self {
            by: Some(key.to_owned()),
            to: to.to_owned(),
        }
    }
}

impl Link {
    /// Whether its directory lists it, as active or not yet.
    pub fn is_listed(&self) -> bool {
        matches!(self.state, LinkState::Active | LinkState::Pending)
    }

    /// Whether the link says that its person works there.
    pub fn counts(&self) -> bool {
        self.state == LinkState::Active && self.contest.is_none()
    }

    /// Its e-mail address as written.
    pub fn email(&self) -> Option<&str> {
        self.values.get("email").and_then(Value::as_str)
    }
}

/// The person behind one or more links, as the fold remembers them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Person {
    /// The profile id.
    pub id: String,
    /// The directory user that the profile was made for. Where people turn out to be two, the profile
    /// and what was given to it stay with this one, whoever joined it later (R31). Empty in what was
    /// stored before it was noted: then it is the one known first.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub made_for: String,
    /// Where they stand.
    pub status: Status,
    /// Whether they ever worked there.
    pub ever_active: bool,
    /// Whether they were ever admitted to People: an exclude rule lets some work there and never appear.
    #[serde(default)]
    pub admitted: bool,
    /// The exclude rule that keeps them out, by name or place (R45).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub excluded: Option<String>,
    /// When a rule made later let them go, who had been there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub let_go: Option<OrderKey>,
    /// The step by which they last left, kept after a return.
    pub left: Option<OrderKey>,
    /// Why they left, in a few words.
    pub left_reason: Option<String>,
    /// The employment period: `first`, or the start date of a rehire (R33).
    pub period: String,
    /// Whether the period of the present employment was told since they last left.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub period_told: bool,
    /// The removed profile they may be, matched by e-mail only (R32).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub possible_rehire_of: Option<String>,
    /// When they were first spoken of.
    pub first_seen: Timestamp,
    /// When something shown last changed.
    pub updated: Timestamp,
}

impl Person {
    /// Somebody of whom nothing is known but one link.
    pub(super) fn new(id: &str, link: &Link) -> Self {
        Self {
            id: id.to_owned(),
            made_for: link.id.clone(),
            status: Status::Pending,
            ever_active: false,
            admitted: false,
            excluded: None,
            let_go: None,
            left: None,
            left_reason: None,
            period: FIRST.to_owned(),
            period_told: false,
            possible_rehire_of: None,
            first_seen: link.first.at,
            updated: link.first.at,
        }
    }
}

impl IdentityCluster {
    /// The links of one person.
    pub fn links_of<'a>(&'a self, person: &'a str) -> impl Iterator<Item = &'a Link> {
        self.links
            .values()
            .filter(move |link| link.person == person)
    }

    /// The newest key folded in so far.
    pub fn newest(&self) -> Option<&OrderKey> {
        self.links.values().map(|link| &link.last).max()
    }
}
