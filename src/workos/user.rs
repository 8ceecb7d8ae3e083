//! A directory user as one event describes it, in the words of today's payload, with what older
//! payloads put elsewhere kept apart in `legacy` (C3). Nothing here decides what a profile becomes:
//! "not said", "said to be nothing" and "said to be this" stay three different things.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use super::clean;
use super::email;
use super::event::Unusable;
use super::json::{Object, as_value};
use super::legacy;
use super::text::MAX_TEXT;

/// A directory user. Its stored form is JSON that leaves out whatever was not said.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct DirectoryUser {
    /// WorkOS's id, or the customer's own on imported directories.
    pub id: String,
    /// The directory it belongs to.
    pub directory_id: String,
    /// The organization, where the payload says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization_id: Option<String>,
    /// The identity provider's id; an empty one counts as absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idp_id: Option<String>,
    /// Active or not; `None` when the payload does not say (R13).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<UserState>,
    /// The address, by the resolution order of contract 3.2. `Null` only where the top-level
    /// `email` is null or empty and nothing else says one.
    #[serde(default, skip_serializing_if = "Said::is_absent")]
    pub email: Said,
    /// The given name.
    #[serde(default, skip_serializing_if = "Said::is_absent")]
    pub first_name: Said,
    /// The family name.
    #[serde(default, skip_serializing_if = "Said::is_absent")]
    pub last_name: Said,
    /// The full name, in newer payloads.
    #[serde(default, skip_serializing_if = "Said::is_absent")]
    pub name: Said,
    /// The slug of the role that group-to-role mapping gave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// The slugs of all roles; `None` when the payload does not say, empty when it says that there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roles: Option<Vec<String>>,
    /// `custom_attributes`; `None` when absent or not an object, which clears nothing (C3, C8).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custom: Option<Map<String, Value>>,
    /// What deprecated fields still say, under the predefined names of contract section 4; never
    /// null or empty, so it can only add (R47).
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub legacy: Map<String, Value>,
    /// What was skipped and why, in sentences that name fields and show no value (R51).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// What a payload says about a text field.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Said {
    /// The key is not there, or its value cannot be used.
    #[default]
    Absent,
    /// The key is there and null or blank.
    Null,
    /// The value, as written.
    Text(String),
}

/// Whether the directory counts somebody in. Stored as WorkOS's word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserState {
    /// `active`.
    Active,
    /// Any other word: `inactive`, the older `suspended`, or one yet to come (contract 3.2).
    Inactive(String),
}

impl DirectoryUser {
    /// Reads `data` of a user event. Only the two ids are indispensable (R6).
    pub(super) fn read(kind: &str, data: &Object<'_>) -> Result<Self, Unusable> {
        let id = Unusable::unless(data.id("id"), kind, "user", "data.id")?;
        let directory_id = Unusable::unless(
            data.id("directory_id"),
            kind,
            "directory",
            "data.directory_id",
        )?;
        let mut warnings = Vec::new();
        let mut custom = read_custom(data, &mut warnings);
        let email = email::resolve(data, custom.as_ref(), &mut warnings);
        let mut legacy = legacy::collect(data);
        let role = read_role(data);
        let mut roles = read_roles(data, role.as_ref(), &mut warnings);
        if is_log_in(data) {
            roles = roles.filter(|roles| !roles.is_empty());
            // A log-in tells what it knows, which need not be all: it can only add (R50, R55).
            let told = custom.take().unwrap_or_default();
            legacy.extend(told.into_iter().filter(|(_, value)| !value.is_null()));
        }
        let user = Self {
            id,
            directory_id,
            organization_id: data.id("organization_id"),
            idp_id: read_idp_id(data, &mut warnings),
            state: read_state(data, &mut warnings),
            email,
            first_name: Said::read(data, "first_name", &mut warnings),
            last_name: Said::read(data, "last_name", &mut warnings),
            name: Said::read(data, "name", &mut warnings),
            role,
            roles,
            legacy,
            custom,
            warnings,
        };
        Ok(user.cleaned())
    }
}

/// Whether the data are an SSO profile, which Rollcall itself writes at a log-in.
fn is_log_in(data: &Object<'_>) -> bool {
    data.text("object").as_deref() == Some("profile")
}

fn read_custom(data: &Object<'_>, warnings: &mut Vec<String>) -> Option<Map<String, Value>> {
    data.raw("custom_attributes")?;
    let Some(custom) = data.object("custom_attributes") else {
        warnings.push("`custom_attributes` is not an object and was not used.".to_owned());
        return None;
    };
    let members = custom.members();
    Some(
        members
            .map(|(key, value)| (key.to_owned(), as_value(value)))
            .collect(),
    )
}

fn read_idp_id(data: &Object<'_>, warnings: &mut Vec<String>) -> Option<String> {
    match Said::read(data, "idp_id", warnings) {
        Said::Text(id) => Some(id),
        Said::Absent | Said::Null => None,
    }
}

fn read_state(data: &Object<'_>, warnings: &mut Vec<String>) -> Option<UserState> {
    match Said::read(data, "state", warnings) {
        Said::Text(word) => UserState::read(&word),
        Said::Absent | Said::Null => None,
    }
}

/// `role.slug`, else the first of `roles`, which environments with several roles send.
fn read_role(data: &Object<'_>) -> Option<String> {
    let role = data.value("role").as_ref().and_then(slug_of);
    role.or_else(|| slug_of(data.value("roles")?.get(0)?))
}

/// The most roles that are kept of one user, and the longest slug in characters.
const MOST_ROLES: usize = 200;
const LONGEST_SLUG: usize = 200;

/// `{"slug": …}`; a bare text is another shape than WorkOS's, and is not used (R51).
fn slug_of(role: &Value) -> Option<String> {
    let slug = role.get("slug")?.as_str()?.trim();
    let fits = !slug.is_empty() && slug.chars().count() <= LONGEST_SLUG;
    fits.then(|| slug.to_owned())
}

/// All of `roles`, and `role` among them.
fn read_roles(
    data: &Object<'_>,
    role: Option<&String>,
    warnings: &mut Vec<String>,
) -> Option<Vec<String>> {
    let list = match data.value("roles") {
        Some(Value::Array(list)) => list,
        Some(Value::Null) => Vec::new(),
        Some(_) => {
            warnings.push("`roles` is not a list and was not used.".to_owned());
            Vec::new()
        }
        // Neither key is there: nothing is said.
        None if data.raw("role").is_none() => return None,
        None => Vec::new(),
    };
    if list.len() > MOST_ROLES {
        warnings.push(format!(
            "`roles` has more than {MOST_ROLES} entries; the first {MOST_ROLES} were used."
        ));
    }
    let mut roles: Vec<String> = role.cloned().into_iter().collect();
    let listed = list.iter().take(MOST_ROLES).filter_map(slug_of);
    roles.extend(listed.filter(|slug| Some(slug) != role));
    Some(roles)
}

impl Said {
    /// Reads one text field; a wrong type and an over-long text are skipped with a warning (R51).
    pub(super) fn read(data: &Object<'_>, key: &str, warnings: &mut Vec<String>) -> Self {
        let Some(raw) = data.raw(key) else {
            return Self::Absent;
        };
        match data.text(key).map(|text| clean::text(&text)) {
            Some(text) if text.is_empty() => Self::Null,
            Some(text) if text.chars().count() > MAX_TEXT => {
                warnings.push(format!(
                    "`{key}` is longer than {MAX_TEXT} characters and was not used."
                ));
                Self::Absent
            }
            Some(text) => Self::Text(text),
            None if raw.get() == "null" => Self::Null,
            None => {
                warnings.push(format!("`{key}` is not a text and was not used."));
                Self::Absent
            }
        }
    }

    /// Whether nothing was said.
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }

    /// The text, where there is one.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Absent | Self::Null => None,
        }
    }
}

impl UserState {
    /// Reads WorkOS's word; a blank one says nothing, so that no glitch removes anybody.
    pub fn read(word: &str) -> Option<Self> {
        let word = clean::bare(word);
        if word.is_empty() {
            return None;
        }
        Some(match word.eq_ignore_ascii_case("active") {
            true => Self::Active,
            false => Self::Inactive(word),
        })
    }

    /// WorkOS's word.
    pub fn word(&self) -> &str {
        match self {
            Self::Active => "active",
            Self::Inactive(word) => word,
        }
    }
}

impl Serialize for Said {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.text().serialize(to)
    }
}

impl<'de> Deserialize<'de> for Said {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(from)?.map_or(Self::Null, Self::Text))
    }
}

impl Serialize for UserState {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.word())
    }
}

impl<'de> Deserialize<'de> for UserState {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let word = String::deserialize(from)?;
        Self::read(&word).ok_or_else(|| serde::de::Error::custom("a blank user state"))
    }
}

#[cfg(test)]
#[path = "user_tests.rs"]
mod tests;
