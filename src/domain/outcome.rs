//! What came of an event: its outcome and reason in a sentence, and the changes, one for each field
//! that shows something else than before (R48, R49). Reasons name fields, never their values.

use std::collections::BTreeSet;

use serde_json::Value;

use super::compose::{FIELDS, Profile};
use super::lifecycle::{EXCLUDED, Status};

/// The outcomes of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Something changed.
    Applied,
    /// Nothing that we keep differs.
    Unchanged,
    /// Newer events already spoke of everything it says (R11).
    Stale,
    /// Not ours to apply.
    Ignored,
    /// Waits for an operator.
    Held,
    /// Could not be applied.
    Failed,
}

impl Outcome {
    /// As shown and stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Unchanged => "unchanged",
            Self::Stale => "stale",
            Self::Ignored => "ignored",
            Self::Held => "held",
            Self::Failed => "failed",
        }
    }
}

/// One audited change of a profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Whose.
    pub profile_id: String,
    /// `field`, `status`, `membership` or `link`.
    pub what: &'static str,
    /// The field, or the community.
    pub name: String,
    /// What it was, as text; JSON for attributes that are no text.
    pub old: Option<String>,
    /// What it is.
    pub new: Option<String>,
}

/// The changes from one state of a profile to the next.
pub fn diff_profiles(old: Option<&Profile>, new: &Profile) -> Vec<Change> {
    let mut changes = Vec::new();
    let mut push = |what, name: &str, old: Option<String>, new_value: Option<String>| {
        if old != new_value {
            changes.push(Change {
                profile_id: new.id.clone(),
                what,
                name: name.to_owned(),
                old,
                new: new_value,
            });
        }
    };
    let status = |profile: &Profile| profile.status.as_str().to_owned();
    push("status", "status", old.map(status), Some(status(new)));
    let moved = |name: &str| old.and_then(|old| old.field(name)) != new.field(name);
    let told = ["first_name", "last_name", "email"].into_iter().any(moved)
        || old.and_then(|old| old.attributes.get("display_name"))
            != new.attributes.get("display_name");
    for name in FIELDS {
        let text = |profile: &Profile| profile.field(name).map(str::to_owned);
        // What follows from other fields is not a change of its own (R49).
        if name != "display_name" || !told {
            push("field", name, old.and_then(text), text(new));
        }
    }
    let roles = |profile: &Profile| (!profile.roles.is_empty()).then(|| profile.roles.join(", "));
    push("field", "roles", old.and_then(roles), roles(new));
    let empty = serde_json::Map::new();
    let before = old.map_or(&empty, |profile| &profile.attributes);
    let names: BTreeSet<&String> = before.keys().chain(new.attributes.keys()).collect();
    for name in names {
        push(
            "field",
            &format!("attributes.{name}"),
            before.get(name).map(as_text),
            new.attributes.get(name).map(as_text),
        );
    }
    changes
}

fn as_text(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

/// The sentence for what changed on one profile.
pub(crate) fn sentence(old: Option<&Profile>, new: &Profile, changes: &[Change]) -> String {
    let fields: Vec<&str> = changes
        .iter()
        .filter(|change| change.what == "field")
        .map(|change| change.name.as_str())
        .collect();
    let was = old.map(|profile| profile.status);
    let mut parts = Vec::new();
    match (was, new.status) {
        (None, Status::Active) => parts.push("a new profile, active".to_owned()),
        (None, Status::Pending) if new.removed_reason.as_deref() == Some(EXCLUDED) => parts
            .push("excluded by the organization's rules: no profile shown, no message".to_owned()),
        (None, Status::OnLeave) => parts.push("a new profile, on leave".to_owned()),
        (None, Status::Pending) => parts.push("known, not active yet: no profile shown".to_owned()),
        (None, Status::Removed) => parts
            .push("a removal of somebody not seen before, kept so that they stay out".to_owned()),
        (Some(Status::Removed), Status::OnLeave) => parts.push("restored: on leave".to_owned()),
        (Some(Status::Removed), Status::Active) => parts.push("restored: active again".to_owned()),
        (Some(before), Status::Removed) if before != Status::Removed => {
            parts.push(format!(
                "removed: {}",
                new.removed_reason.as_deref().unwrap_or("left")
            ));
        }
        (Some(before), now) if before != now => {
            parts.push(format!("{} is now {}", before.as_str(), now.as_str()))
        }
        _ => {}
    }
    if old.is_some() && !fields.is_empty() {
        parts.push(format!("changed {}", fields.join(", ")));
    }
    if parts.is_empty() {
        "nothing that is shown changed".to_owned()
    } else {
        parts.join("; ")
    }
}
