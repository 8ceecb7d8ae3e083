//! An organization's attribute mapping: which source feeds which field, of what type, through which
//! transforms, and who may see or edit it (R46-R51, C13 by default). Older stored mappings keep
//! reading: whatever they do not say has a default.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::workos::clean;

use super::transforms::Transform;

/// Which source feeds which field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Mapping {
    /// One rule a target.
    pub rules: Vec<MappingRule>,
    /// Whether every key of `custom_attributes` that no rule names becomes an attribute (C13).
    pub rest: bool,
}

/// One target and where its value comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MappingRule {
    /// `title`, `department`, … or `attributes.<name>`.
    pub target: String,
    /// Keys of `custom_attributes`, or JSON pointers into it; the first that says something wins,
    /// unless a transform joins them.
    pub from: Vec<String>,
    /// What the value must be.
    #[serde(default, alias = "type")]
    pub kind: ValueKind,
    /// What is done to the value on its way, in this order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub transforms: Vec<Transform>,
    /// Whether an empty value keeps the last one instead of clearing, and a missing one is told.
    #[serde(default)]
    pub required: bool,
    /// Whether the directory owns it: nobody edits it here and no log-in overwrites it (R50).
    #[serde(default = "yes")]
    pub locked: bool,
    /// Whether only those with the right `sensitive` see it.
    #[serde(default)]
    pub sensitive: bool,
}

fn yes() -> bool {
    true
}

/// The type a mapped value must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ValueKind {
    /// Text as it came.
    #[default]
    Text,
    /// Text or a number, kept as text: employee numbers come as both.
    Code,
    /// A number; a text that reads as one is taken too.
    Number,
    /// True or false; `yes`, `no`, `1`, `0` and the like are taken too.
    Boolean,
    /// A calendar day, kept as `YYYY-MM-DD` as it is written (R61), whatever time stands behind it.
    Day,
    /// Any JSON value.
    Any,
}

/// The targets that are profile fields; every other one is `attributes.<name>`.
pub const STANDARD_TARGETS: [&str; 6] = [
    "title",
    "department",
    "pronouns",
    "start_date",
    "manager_email",
    "employee_number",
];

/// What the directory always owns where it speaks of somebody, whatever the mapping says.
const ALWAYS_LOCKED: [&str; 3] = ["first_name", "last_name", "email"];

impl MappingRule {
    /// A rule with nothing special about it.
    pub fn plain(target: &str, from: &[&str], kind: ValueKind) -> Self {
        Self {
            target: target.to_owned(),
            from: from.iter().map(|&name| name.to_owned()).collect(),
            kind,
            transforms: Vec::new(),
            required: false,
            locked: true,
            sensitive: false,
        }
    }
}

impl Mapping {
    /// The rule that feeds a target.
    pub fn rule_over(&self, target: &str) -> Option<&MappingRule> {
        self.rules.iter().find(|rule| rule.target == target)
    }

    /// Whether a rule feeds this target.
    pub(super) fn rules_over(&self, target: &str) -> bool {
        self.rule_over(target).is_some()
    }

    /// Whether a field of somebody whom a directory speaks of belongs to that directory (R50).
    pub fn locks(&self, field: &str) -> bool {
        if ALWAYS_LOCKED.contains(&field) {
            return true;
        }
        match self.rule_over(field) {
            Some(rule) => rule.locked,
            None => self.rest && field.starts_with("attributes."),
        }
    }

    /// Everything that [`Mapping::locks`] of one who has these attributes.
    pub fn locked<'a>(&'a self, attributes: impl Iterator<Item = &'a String>) -> Vec<String> {
        let standard = ALWAYS_LOCKED.into_iter().chain(STANDARD_TARGETS);
        let ruled = self.rules.iter().map(|rule| rule.target.as_str());
        let mut all: Vec<String> = standard
            .chain(ruled)
            .map(str::to_owned)
            .chain(attributes.map(|name| format!("attributes.{name}")))
            .filter(|field| self.locks(field))
            .collect();
        all.sort();
        all.dedup();
        all
    }
}

impl Default for Mapping {
    fn default() -> Self {
        let rule = MappingRule::plain;
        Self {
            rules: vec![
                rule("title", &["job_title"], ValueKind::Text),
                rule(
                    "department",
                    &["department_name", "department"],
                    ValueKind::Text,
                ),
                rule("pronouns", &["pronouns"], ValueKind::Text),
                rule("start_date", &["employment_start_date"], ValueKind::Day),
                rule("manager_email", &["manager_email"], ValueKind::Text),
                rule("employee_number", &["employee_number"], ValueKind::Code),
            ],
            rest: true,
        }
    }
}

/// The parts of a source: a key of `custom_attributes`, or the parts of a JSON pointer into it; clean,
/// as the names of attributes are (R87).
pub(super) fn parts_of(source: &str) -> Vec<String> {
    match source.strip_prefix('/') {
        None => vec![clean::text(source)],
        Some(pointer) => pointer
            .split('/')
            .map(|part| clean::text(&part.replace("~1", "/").replace("~0", "~")))
            .collect(),
    }
}
