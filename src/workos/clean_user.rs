//! The clean step for a whole directory user (R87): what every reader of a payload, and every reader
//! of what was stored before a rule of cleaning changed, hands on. It cleans texts, the names of
//! attributes and the texts within them, says which values are no keys (R86), and bounds what one
//! person can hold. Pure and idempotent.

use serde_json::{Map, Value};

use super::clean;
use super::text::MAX_ID;
use super::user::{DirectoryUser, Said};

/// The most attributes that are taken of one person.
pub const MOST_ATTRIBUTES: usize = 500;
/// The most bytes that the attributes of one person hold, names and JSON together.
pub const MOST_BYTES: usize = 64 * 1_024;

/// What WorkOS itself names, and a mapping most likely reads: taken first where there is too much.
/// Which of the others stay is decided by name, so that it is the same for every event.
const PREDEFINED: [&str; 24] = [
    "addresses",
    "cost_center_name",
    "department",
    "department_name",
    "display_name",
    "division_name",
    "emails",
    "employee_number",
    "employee_type",
    "employment_start_date",
    "employment_status",
    "job_title",
    "location",
    "manager_email",
    "manager_id",
    "manager_name",
    "organization",
    "phone_numbers",
    "pronouns",
    "roles",
    "start_date",
    "timezone",
    "title",
    "username",
];

impl DirectoryUser {
    /// The user with every value clean.
    #[must_use]
    pub fn cleaned(mut self) -> Self {
        self.email.clean_by(clean::bare);
        for said in [&mut self.first_name, &mut self.last_name, &mut self.name] {
            said.clean_by(clean::text);
        }
        self.idp_id = self.idp_id.take().map(|id| clean::bare(&id));
        self.idp_id.take_if(|id| id.is_empty());
        if self
            .idp_id
            .take_if(|id| id.chars().count() > MAX_ID)
            .is_some()
        {
            self.warn(format!(
                "`idp_id` is longer than {MAX_ID} characters and was not used."
            ));
        }
        if self.idp_id.as_deref().is_some_and(clean::is_placeholder) {
            self.warn("`idp_id` is a placeholder, so nobody is matched by it.".to_owned());
        }
        self.role = self.role.take().map(|slug| clean::bare(&slug));
        self.role.take_if(|slug| slug.is_empty());
        let mut left = Left::new();
        let custom = self.custom.take().map(|all| left.take(all));
        self.custom = custom;
        self.legacy = left.take(std::mem::take(&mut self.legacy));
        if left.cut {
            self.warn(format!(
                "There are more than {MOST_ATTRIBUTES} attributes, or more than 64 KB of them; the rest was not used."
            ));
        }
        self
    }

    fn warn(&mut self, warning: String) {
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }
}

impl Said {
    fn clean_by(&mut self, clean: fn(&str) -> String) {
        let Self::Text(text) = self else { return };
        let cleaned = clean(text);
        *self = match cleaned.is_empty() {
            true => Self::Null,
            false => Self::Text(cleaned),
        };
    }
}

/// Where an attribute stands in the order in which they are taken.
type Rank = (bool, bool, String, bool);

/// How much room is left.
struct Left {
    attributes: usize,
    bytes: usize,
    cut: bool,
}

impl Left {
    fn new() -> Self {
        Self {
            attributes: MOST_ATTRIBUTES,
            bytes: MOST_BYTES,
            cut: false,
        }
    }

    /// Cleans attributes, and takes as many as there is room for.
    fn take(&mut self, all: Map<String, Value>) -> Map<String, Value> {
        let mut cleaned: Vec<(Rank, Value)> = Vec::with_capacity(all.len());
        for (written, value) in all {
            let name = clean::text(&written);
            let rank = (
                // What is said to be nothing takes no room from anything: absent, it clears as well (R46).
                value.is_null(),
                !PREDEFINED.contains(&name.as_str()),
                name.clone(),
                // What is written clean counts more than what becomes the same by cleaning.
                written != name,
            );
            cleaned.push((rank, clean_value(value)));
        }
        cleaned.sort_by(|(one, _), (other, _)| one.cmp(other));
        let mut kept = Map::new();
        for ((is_null, _, name, _), value) in cleaned {
            if kept.contains_key(&name) {
                continue;
            }
            let size = name.len() + value.to_string().len();
            if self.attributes > 0 && size <= self.bytes {
                self.attributes -= 1;
                self.bytes -= size;
                kept.insert(name, value);
            } else {
                self.cut |= !is_null;
            }
        }
        kept
    }
}

/// A value with every text and every name within it clean.
fn clean_value(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(clean::text(&text)),
        Value::Array(items) => Value::Array(items.into_iter().map(clean_value).collect()),
        Value::Object(members) => {
            let members = members.into_iter();
            let cleaned = members.map(|(name, value)| (clean::text(&name), clean_value(value)));
            Value::Object(cleaned.collect())
        }
        plain => plain,
    }
}

#[cfg(test)]
#[path = "clean_user_tests.rs"]
mod tests;
