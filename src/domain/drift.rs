//! What WorkOS's own listing says of a directory user against what is kept of them: the fields by
//! name, never by value. Nothing is decided here; what differs becomes an event like any other.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::workos::{DirectoryUser, UserState, clean};

use super::attributes::{ALL_ATTRIBUTES, Values};
use super::cluster::{Link, LinkState};
use super::settings::Settings;

/// The names of what differs, sorted; empty where listing and link agree.
pub fn differences(link: &Link, listed: &DirectoryUser, settings: &Settings) -> Vec<String> {
    let mut found = BTreeSet::new();
    let mut then = link.values.clone();
    Values::over(&mut then, settings.date_order).take(listed, &settings.mapping);
    let names: BTreeSet<&String> = link.values.keys().chain(then.keys()).collect();
    for name in names.into_iter().filter(|name| *name != ALL_ATTRIBUTES) {
        let value = |from: &std::collections::BTreeMap<String, Value>| {
            from.get(name).filter(|value| !value.is_null()).cloned()
        };
        let (old, new) = (value(&link.values), value(&then));
        // An address kept aside until somebody decides (R25) is known, and so is another spelling.
        let known = name == "email" && (link.wanted_email.is_some() || spelt(&old) == spelt(&new));
        if old != new && !known {
            found.insert(name.clone());
        }
    }
    let differs = match listed.state {
        Some(UserState::Active) => {
            link.state != LinkState::Active && link.state != LinkState::Moved
        }
        Some(UserState::Inactive(_)) => link.state == LinkState::Active,
        None => false,
    };
    if differs {
        found.insert("state".to_owned());
    }
    if listed.idp_id.is_some() && listed.idp_id != link.idp_id {
        found.insert("idp_id".to_owned());
    }
    found.into_iter().collect()
}

fn spelt(value: &Option<Value>) -> Option<String> {
    value.as_ref().and_then(Value::as_str).map(clean::fold)
}
