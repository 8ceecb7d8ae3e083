//! What somebody without the right `sensitive` does not see, by an organization's mapping: the
//! fields that a sensitive rule feeds, the sources it reads from where they show as attributes of
//! their own, and both in the payloads of events. Pure; every door masks with it.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::workos::clean;

use super::mapping::{Mapping, MappingRule, parts_of};

/// What stands in the place of a value that is hidden.
pub const HIDDEN: &str = "[hidden]";

/// The one key of a payload in which WorkOS repeats what the provider said in the provider's words.
const RAW: &str = "raw_attributes";

/// What is hidden.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hidden {
    targets: BTreeSet<String>,
    keys: BTreeSet<String>,
    shown: BTreeSet<String>,
}

impl Hidden {
    /// What a mapping hides.
    pub fn by(mapping: &Mapping) -> Self {
        let mut hidden = Self::default();
        for rule in &mapping.rules {
            if rule.sensitive {
                hidden.targets.insert(rule.target.clone());
                let keys = rule.from.iter().map(|from| parts_of(from));
                hidden
                    .keys
                    .extend(keys.filter_map(|parts| parts.into_iter().next()));
                hidden.keys.extend(usual_sources(&rule.target));
            } else {
                hidden.shown.insert(rule.target.clone());
            }
        }
        hidden
    }

    /// What either of two mappings hides: nobody sees through a new one what the old one hides.
    pub fn by_either(old: &Mapping, new: &Mapping) -> Self {
        let (mut old_hides, new_hides) = (Self::by(old), Self::by(new));
        let feeds = new.rules.iter();
        let fed: Vec<String> = feeds
            .filter(|rule| old_hides.is_read_by(rule))
            .map(|rule| rule.target.clone())
            .collect();
        old_hides.targets.extend(fed);
        old_hides.targets.extend(new_hides.targets);
        old_hides.keys.extend(new_hides.keys);
        old_hides.shown.clear();
        old_hides
    }

    /// Whether nothing is.
    pub fn is_empty(&self) -> bool {
        self.targets.is_empty()
    }

    /// Whether a field (`title`, `attributes.<name>`) is.
    pub fn covers(&self, field: &str) -> bool {
        if self.targets.contains(field) {
            return true;
        }
        field
            .strip_prefix("attributes.")
            .is_some_and(|name| self.keys.contains(name) && !self.shown.contains(field))
    }

    /// Whether a rule reads what is hidden.
    pub fn is_read_by(&self, rule: &MappingRule) -> bool {
        rule.from.iter().any(|from| {
            let first = parts_of(from).into_iter().next();
            first.is_some_and(|key| self.keys.contains(&key))
        })
    }

    /// Takes everything hidden out of a payload, wherever in it the keys stand.
    pub fn mask(&self, payload: &mut Value) {
        if self.is_empty() {
            return;
        }
        match payload {
            Value::Object(members) => {
                for (key, value) in members.iter_mut() {
                    if value.is_null() {
                        continue;
                    }
                    if self.keys.contains(&clean::text(key)) || clean::text(key) == RAW {
                        *value = Value::String(HIDDEN.to_owned());
                    } else {
                        self.mask(value);
                    }
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.mask(item)),
            _ => {}
        }
    }
}

/// Where a field usually comes from, whatever this mapping reads: older payloads repeat it there, and
/// what no rule reads becomes an attribute.
fn usual_sources(target: &str) -> Vec<String> {
    let usual = Mapping::default().rules.into_iter();
    let mut names: Vec<String> = usual
        .filter(|rule| rule.target == target)
        .flat_map(|rule| rule.from)
        .collect();
    if !names.is_empty() {
        names.push(target.to_owned());
    }
    names
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn hidden(rules: Value) -> Hidden {
        Hidden::by(&Mapping::parse(&json!({ "rules": rules })).unwrap())
    }

    #[test]
    fn a_sensitive_rule_hides_its_field_and_where_it_comes_from() {
        let hidden = hidden(json!([
            {"target": "attributes.pay", "from": ["/contract/salary", "wage"], "sensitive": true},
            {"target": "attributes.wage", "from": ["public_wage"]},
            {"target": "title", "from": ["job_title"]}
        ]));
        for field in ["attributes.pay", "attributes.contract"] {
            assert!(hidden.covers(field), "{field}");
        }
        for field in ["title", "attributes.wage", "attributes.badge", "contract"] {
            assert!(!hidden.covers(field), "{field}");
        }
    }

    #[test]
    fn a_payload_shows_neither_the_source_nor_what_the_provider_said() {
        let hidden = hidden(json!([
            {"target": "title", "from": ["job_title"], "sensitive": true}
        ]));
        let mut payload = json!({"data": {
            "job_title": null, "custom_attributes": {"job_title": "Spy", "badge": 7},
            "raw_attributes": {"title": "Spy"},
            "previous_attributes": {"custom_attributes": {"job_title": "Clerk"}},
            "users": [{"job_title": "Spy"}]
        }});
        hidden.mask(&mut payload);
        assert_eq!(
            payload,
            json!({"data": {
                "job_title": null, "custom_attributes": {"job_title": HIDDEN, "badge": 7},
                "raw_attributes": HIDDEN,
                "previous_attributes": {"custom_attributes": {"job_title": HIDDEN}},
                "users": [{"job_title": HIDDEN}]
            }})
        );
    }

    #[test]
    fn a_new_mapping_shows_nothing_that_the_old_one_hides() {
        let parse = |rules: Value| Mapping::parse(&json!({ "rules": rules })).unwrap();
        let old =
            parse(json!([{"target": "attributes.pay", "from": ["salary"], "sensitive": true}]));
        let new = parse(json!([{"target": "title", "from": ["salary"]}]));
        let hidden = Hidden::by_either(&old, &new);
        for field in ["title", "attributes.pay", "attributes.salary"] {
            assert!(hidden.covers(field), "{field}");
        }
    }
}
