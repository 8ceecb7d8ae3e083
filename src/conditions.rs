//! Conditions: the one small language in which community rules and triggers say *whom*
//! (design section 6). A pure leaf: it reads JSON, complains in full, and answers yes or no.
//!
//! `{"field":F,"op":O,"value":V}`, joined by `{"all":[…]}`, `{"any":[…]}`, `{"not":…}`.
//! Equality is exact, letter case included; only `email` and `manager_email` compare without case.
//! Null, absent, `""` and `[]` all count as missing (R46); what is missing matches `ne`, `not` and
//! `exists: false`, and nothing else.

mod facts;
mod parse;
mod shape;
mod words;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub use facts::Facts;
pub use words::{field_in_words, value_in_words};

/// The profile fields a condition may name, besides `attributes.<name>`, `group`, `community` and
/// `directory`.
pub const PROFILE_FIELDS: [&str; 14] = [
    "id",
    "status",
    "first_name",
    "last_name",
    "display_name",
    "email",
    "title",
    "department",
    "pronouns",
    "start_date",
    "manager_email",
    "employee_number",
    "role",
    "roles",
];

/// How deep `all`, `any` and `not` may nest.
pub const MAX_DEPTH: usize = 16;

/// How many comparisons one condition may hold.
pub const MAX_TESTS: usize = 500;

/// Something wrong in what a person wrote: where (`when.all[1].op`), and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The place, as dotted keys and `[index]`; empty for the whole.
    pub path: String,
    /// A sentence that says what is wrong and what would be right.
    pub message: String,
}

impl Problem {
    /// A problem at a place.
    pub fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            message: message.into(),
        }
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.path.is_empty() {
            return out.write_str(&self.message);
        }
        write!(out, "{}: {}", self.path, self.message)
    }
}

/// All that is wrong with a document, told at once.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(Problem::to_string).collect::<Vec<_>>().join("; "))]
pub struct Problems(pub Vec<Problem>);

/// A checked condition. Reads from and writes to the JSON form of design section 6.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(into = "Value", try_from = "Value")]
pub enum Condition {
    /// Every one of these (never empty).
    All(Vec<Condition>),
    /// At least one of these (never empty).
    Any(Vec<Condition>),
    /// The contrary of this.
    Not(Box<Condition>),
    /// One comparison.
    Test(Test),
}

/// One comparison of a fact with a value. Made by [`Condition::parse`] only, so that the value
/// always fits the operator.
#[derive(Debug, Clone, PartialEq)]
pub struct Test {
    pub(crate) field: Field,
    pub(crate) op: Op,
    pub(crate) value: Value,
}

/// What a comparison looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Field {
    /// One of [`PROFILE_FIELDS`].
    Profile(&'static str),
    /// A custom attribute, by its whole name (which may hold dots).
    Attribute(String),
    Group,
    Community,
    Directory,
}

impl Field {
    pub(crate) fn parse(name: &str) -> Option<Self> {
        if let Some(attribute) = name.strip_prefix("attributes.") {
            return (!attribute.is_empty()).then(|| Self::Attribute(attribute.to_owned()));
        }
        match name {
            "group" => Some(Self::Group),
            "community" => Some(Self::Community),
            "directory" => Some(Self::Directory),
            _ => PROFILE_FIELDS
                .iter()
                .find(|known| **known == name)
                .map(|known| Self::Profile(known)),
        }
    }

    pub(crate) fn name(&self) -> String {
        match self {
            Self::Profile(name) => (*name).to_owned(),
            Self::Attribute(name) => format!("attributes.{name}"),
            Self::Group => "group".to_owned(),
            Self::Community => "community".to_owned(),
            Self::Directory => "directory".to_owned(),
        }
    }
}

/// How a comparison compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Op {
    Eq,
    Ne,
    In,
    Contains,
    StartsWith,
    Exists,
    Before,
    After,
}

impl Op {
    pub(crate) const ALL: [(&'static str, Op); 8] = [
        ("eq", Op::Eq),
        ("ne", Op::Ne),
        ("in", Op::In),
        ("contains", Op::Contains),
        ("starts_with", Op::StartsWith),
        ("exists", Op::Exists),
        ("before", Op::Before),
        ("after", Op::After),
    ];

    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, op)| *op)
    }

    pub(crate) fn name(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(_, op)| *op == self)
            .map_or("", |(name, _)| name)
    }
}

impl Condition {
    /// Reads a condition, or tells everything that is wrong with it. Paths begin at `path`
    /// (`"when"` gives `when.all[0].op`).
    pub fn parse(value: &Value, path: &str) -> Result<Self, Vec<Problem>> {
        parse::condition(value, path)
    }

    /// The profile fields and attributes it asks about, by the names that changes have; standing
    /// (`id`, `status`), groups, communities and directories are no fields.
    pub fn profile_fields(&self) -> Vec<String> {
        match self {
            Self::All(parts) | Self::Any(parts) => {
                parts.iter().flat_map(Self::profile_fields).collect()
            }
            Self::Not(part) => part.profile_fields(),
            Self::Test(test) => match &test.field {
                Field::Profile("id" | "status")
                | Field::Group
                | Field::Community
                | Field::Directory => Vec::new(),
                field => vec![field.name()],
            },
        }
    }

    /// The fields it asks about, as written.
    pub fn fields(&self) -> BTreeSet<String> {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().flat_map(Self::fields).collect(),
            Self::Not(part) => part.fields(),
            Self::Test(test) => BTreeSet::from([test.field.name()]),
        }
    }

    /// Whether the facts about one person fit.
    pub fn matches(&self, facts: &Facts<'_>) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.matches(facts)),
            Self::Any(parts) => parts.iter().any(|part| part.matches(facts)),
            Self::Not(part) => !part.matches(facts),
            Self::Test(test) => facts.fits(test),
        }
    }
}

impl TryFrom<Value> for Condition {
    type Error = Problems;

    fn try_from(value: Value) -> Result<Self, Problems> {
        Self::parse(&value, "").map_err(Problems)
    }
}

impl From<Condition> for Value {
    fn from(condition: Condition) -> Self {
        match condition {
            Condition::All(parts) => json!({ "all": parts }),
            Condition::Any(parts) => json!({ "any": parts }),
            Condition::Not(part) => json!({ "not": part }),
            Condition::Test(test) => {
                json!({ "field": test.field.name(), "op": test.op.name(), "value": test.value })
            }
        }
    }
}
