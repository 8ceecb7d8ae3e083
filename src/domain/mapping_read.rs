//! Reading a mapping that somebody wrote: everything that is wrong with it is told at once, in words
//! that say what would be right. What was stored once is read by serde and never refused.

use std::collections::{BTreeMap, BTreeSet};

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::conditions::Problem;
use crate::workos::clean;

use super::mapping::{Mapping, MappingRule, STANDARD_TARGETS, ValueKind, parts_of};
use super::transforms::{ISO_DAY, Transform, is_date_form};

const MAPPING_KEYS: [&str; 2] = ["rules", "rest"];
const RULE_KEYS: [&str; 8] = [
    "target",
    "from",
    "kind",
    "type",
    "transforms",
    "required",
    "locked",
    "sensitive",
];
const MOST_RULES: usize = 200;
const MOST_SOURCES: usize = 20;
const MOST_STEPS: usize = 10;
const MOST_ENTRIES: usize = 1_000;
const LONGEST_NAME: usize = 200;

impl Mapping {
    /// Reads a mapping as somebody wrote it.
    pub fn parse(body: &Value) -> Result<Self, Vec<Problem>> {
        let mut reader = Reader::default();
        let Some(object) = body.as_object() else {
            reader.complain("", "a mapping is an object: {\"rules\":[…],\"rest\":true}");
            return Err(reader.problems);
        };
        reader.keys("", object, &MAPPING_KEYS);
        let rest = reader.read(object, "rest", "").unwrap_or(true);
        let rules = match object.get("rules") {
            None => Self::default().rules,
            Some(Value::Array(items)) => reader.rules(items),
            Some(_) => {
                reader.complain("rules", "it is a list of rules, one for each target");
                Vec::new()
            }
        };
        if reader.problems.is_empty() {
            Ok(Self { rules, rest })
        } else {
            Err(reader.problems)
        }
    }
}

#[derive(Default)]
struct Reader {
    problems: Vec<Problem>,
}

impl Reader {
    fn complain(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.problems.push(Problem::new(path, message));
    }

    fn keys(&mut self, path: &str, object: &Map<String, Value>, known: &[&str]) {
        for key in object.keys().filter(|key| !known.contains(&key.as_str())) {
            let message = format!("there is no such key; the keys are {}", known.join(", "));
            self.complain(under(path, key), message);
        }
    }

    /// One value; `None` where it is not there or was complained about.
    fn read<T: DeserializeOwned>(
        &mut self,
        object: &Map<String, Value>,
        key: &str,
        path: &str,
    ) -> Option<T> {
        match serde_json::from_value(object.get(key)?.clone()) {
            Ok(value) => Some(value),
            Err(error) => {
                self.complain(under(path, key), error.to_string());
                None
            }
        }
    }

    fn rules(&mut self, items: &[Value]) -> Vec<MappingRule> {
        if items.len() > MOST_RULES {
            self.complain("rules", format!("there may be {MOST_RULES} rules at most"));
            return Vec::new();
        }
        let mut rules = Vec::new();
        for (place, item) in items.iter().enumerate() {
            let path = format!("rules[{place}]");
            match item.as_object() {
                Some(object) => rules.push(self.rule(object, &path)),
                None => self.complain(path, "a rule is an object: {\"target\":…,\"from\":[…]}"),
            }
        }
        self.each_target_once(&rules);
        self.nothing_sensitive_elsewhere(&rules);
        rules
    }

    fn rule(&mut self, object: &Map<String, Value>, path: &str) -> MappingRule {
        self.keys(path, object, &RULE_KEYS);
        let kind = match (object.contains_key("kind"), object.contains_key("type")) {
            (true, true) => {
                self.complain(path, "`kind` and `type` are the same: say one of them");
                None
            }
            (false, true) => self.read(object, "type", path),
            _ => self.read(object, "kind", path),
        };
        let named: Option<String> = self.read(object, "target", path);
        let from: Option<Vec<String>> = self.read(object, "from", path);
        let mut rule = MappingRule::plain("", &[], kind.unwrap_or_default());
        rule.transforms = self.steps(object, path);
        rule.required = self.read(object, "required", path).unwrap_or(false);
        rule.locked = self.read(object, "locked", path).unwrap_or(true);
        rule.sensitive = self.read(object, "sensitive", path).unwrap_or(false);
        // What could not be read was complained about already.
        if let Some(target) = named.or_else(|| absent(object, "target")) {
            rule.target = clean::text(&target);
            self.target(&rule, path);
        }
        if let Some(from) = from.or_else(|| absent(object, "from")) {
            rule.from = from;
            self.sources(&rule, path);
        }
        rule
    }

    fn steps(&mut self, object: &Map<String, Value>, path: &str) -> Vec<Transform> {
        let path = under(path, "transforms");
        let items = match object.get("transforms") {
            None => return Vec::new(),
            Some(Value::Array(items)) if items.len() <= MOST_STEPS => items,
            Some(_) => {
                self.complain(path, format!("it is a list of at most {MOST_STEPS} steps"));
                return Vec::new();
            }
        };
        let mut steps = Vec::new();
        for (place, item) in items.iter().enumerate() {
            let path = format!("{path}[{place}]");
            match serde_json::from_value::<Transform>(item.clone()) {
                Ok(step) => {
                    self.step(&step, &path);
                    steps.push(step);
                }
                Err(error) => self.complain(path, error.to_string()),
            }
        }
        steps
    }

    fn step(&mut self, step: &Transform, path: &str) {
        match step {
            Transform::Replace { find, with } => {
                if find.is_empty() {
                    self.complain(format!("{path}.find"), "say the text that is replaced");
                }
                if [find, with].iter().any(|text| is_long(text)) {
                    self.complain(
                        path,
                        format!("both texts may have {LONGEST_NAME} characters"),
                    );
                }
            }
            Transform::Lookup { table, .. } if table.is_empty() || table.len() > MOST_ENTRIES => {
                self.complain(
                    format!("{path}.table"),
                    format!("it has 1 to {MOST_ENTRIES} entries"),
                );
            }
            Transform::Date { read, write } => {
                for (key, form) in [("read", read), ("write", write)] {
                    if !is_date_form(form) {
                        let message = "it names YYYY, MM and DD once each, such as DD/MM/YYYY";
                        self.complain(format!("{path}.{key}"), message);
                    }
                }
            }
            Transform::Concat { separator: text } | Transform::Coalesce { or: Some(text) }
                if is_long(text) =>
            {
                self.complain(path, format!("the text may have {LONGEST_NAME} characters"));
            }
            _ => {}
        }
    }

    fn target(&mut self, rule: &MappingRule, path: &str) {
        let (target, path) = (rule.target.as_str(), format!("{path}.target"));
        let standard = STANDARD_TARGETS.contains(&target);
        let custom = target
            .strip_prefix("attributes.")
            .is_some_and(|name| !name.is_empty() && !is_long(name));
        if !standard && !custom {
            let known = STANDARD_TARGETS.join(", ");
            self.complain(path, format!("it may be {known} or attributes.<name>"));
            return;
        }
        if rule.sensitive && target == "attributes.display_name" {
            self.complain(
                path.clone(),
                "everybody sees people by their display name: it cannot be sensitive",
            );
        }
        let fits = match (target, rule.kind) {
            ("start_date", kind) => kind == ValueKind::Day,
            (_, ValueKind::Text | ValueKind::Code) => true,
            _ => !standard,
        };
        if !fits {
            let wanted = if target == "start_date" {
                "day"
            } else {
                "text or code"
            };
            self.complain(path, format!("{target} is of the kind {wanted}"));
        }
    }

    fn sources(&mut self, rule: &MappingRule, path: &str) {
        let at = format!("{path}.from");
        let wrong = |from: &String| from.is_empty() || from == "/" || is_long(from);
        if rule.from.is_empty() || rule.from.len() > MOST_SOURCES || rule.from.iter().any(wrong) {
            self.complain(
                at.clone(),
                "name at least one key of custom_attributes, or a JSON pointer into it",
            );
        }
        let joins = |step: &Transform| matches!(step, Transform::Concat { .. });
        if rule.from.len() == 1 && rule.transforms.iter().any(joins) {
            self.complain(at, "`concat` joins several sources: name two or more");
        }
        let last = rule.transforms.iter().rev().find_map(|step| match step {
            Transform::Date { write, .. } => Some(write.as_str()),
            _ => None,
        });
        if rule.kind == ValueKind::Day && last.is_some_and(|write| write != ISO_DAY) {
            self.complain(
                format!("{path}.transforms"),
                format!("a day is written {ISO_DAY}; leave `write` out"),
            );
        }
    }

    fn each_target_once(&mut self, rules: &[MappingRule]) {
        let mut seen = BTreeSet::new();
        for (place, rule) in rules.iter().enumerate() {
            if !rule.target.is_empty() && !seen.insert(rule.target.as_str()) {
                let path = format!("rules[{place}].target");
                self.complain(path, "another rule has this target already");
            }
        }
    }

    /// A source that is sensitive in one place must not show in another.
    fn nothing_sensitive_elsewhere(&mut self, rules: &[MappingRule]) {
        let mut hidden: BTreeMap<Vec<String>, usize> = BTreeMap::new();
        for (place, rule) in rules.iter().enumerate().filter(|(_, rule)| rule.sensitive) {
            hidden.extend(rule.from.iter().map(|from| (parts_of(from), place)));
        }
        for (place, rule) in rules.iter().enumerate().filter(|(_, rule)| !rule.sensitive) {
            for from in &rule.from {
                let parts = parts_of(from);
                let meets =
                    |other: &Vec<String>| other.starts_with(&parts) || parts.starts_with(other);
                if let Some((_, other)) = hidden.iter().find(|(other, _)| meets(other)) {
                    let message = format!(
                        "{from} is sensitive in rules[{other}]: make this rule sensitive too, or read something else"
                    );
                    self.complain(format!("rules[{place}].from"), message);
                }
            }
        }
    }
}

/// An empty value for what is not there at all, so that it is complained about as such.
fn absent<T: Default>(object: &Map<String, Value>, key: &str) -> Option<T> {
    (!object.contains_key(key)).then(T::default)
}

fn is_long(text: &str) -> bool {
    text.chars().count() > LONGEST_NAME
}

fn under(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}
