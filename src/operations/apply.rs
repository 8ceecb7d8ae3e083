//! Triggers from a reviewed file: what the file says becomes what the organization has, and the
//! answer says line by line what that changes. Doing it twice changes nothing; what the file does not
//! name is left alone unless told otherwise.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::clock::Timestamp;
use crate::conditions::Problem;
use crate::db::Conn;
use crate::triggers::definition::NewTrigger;
use crate::triggers::store::{self, TriggerRow};

use super::triggers::{self, Policy};
use super::{Actor, OperationError, Role};

/// The most triggers in one file.
const MOST: usize = 200;

/// The file, and the body of `POST /v1/triggers/apply`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the fields of the API")]
pub struct ApplyBody {
    pub organization_id: String,
    /// Whole triggers, as `POST /v1/triggers` takes them; `organization_id` may be left out.
    pub triggers: Vec<Value>,
    /// Delete what the organization has and the file does not name.
    #[serde(default)]
    pub prune: bool,
    /// Say what would change, and change nothing.
    #[serde(default)]
    pub dry_run: bool,
}

/// What was done, or would be.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[allow(missing_docs, reason = "the fields of the API")]
pub struct ApplyView {
    pub organization_id: String,
    pub dry_run: bool,
    pub created: usize,
    pub changed: usize,
    pub unchanged: usize,
    pub deleted: usize,
    pub triggers: Vec<Applied>,
    /// Triggers that the file does not name, left as they are.
    pub left_alone: Vec<String>,
}

/// One trigger of the file.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[allow(missing_docs, reason = "the fields of the API")]
pub struct Applied {
    pub name: String,
    /// `created`, `changed`, `unchanged` or `deleted`.
    pub what: &'static str,
    pub id: String,
    pub version: i32,
    /// One line for each difference: `steps[0].at: 09:00 -> 10:00`.
    pub differences: Vec<String>,
}

/// Reads every trigger of the body, before the transaction.
pub fn wanted(
    actor: &Actor,
    body: &ApplyBody,
    policy: Policy,
) -> Result<Vec<NewTrigger>, OperationError> {
    actor.require(Role::Operator)?;
    actor.scope(Some(&body.organization_id))?;
    read_all(body, policy).map_err(OperationError::Problems)
}

/// Makes the organization's triggers those `wanted`. With `dry_run` the caller must take the
/// transaction back afterwards.
pub fn apply(
    conn: &mut Conn,
    actor: &Actor,
    body: &ApplyBody,
    wanted: &[NewTrigger],
    now: Timestamp,
) -> Result<ApplyView, OperationError> {
    actor.require(Role::Operator)?;
    actor.scope(Some(&body.organization_id))?;
    let mut known: BTreeMap<String, TriggerRow> =
        store::of_organization(conn, &body.organization_id)?
            .into_iter()
            .map(|row| (row.name.clone(), row))
            .collect();
    let mut all = Vec::new();
    for definition in wanted {
        let known = known.remove(&definition.name);
        all.push(one(conn, actor, known, definition, now)?);
    }
    let mut left_alone = Vec::new();
    for (name, row) in known {
        if body.prune {
            let gone = triggers::delete(conn, actor, &row.id, now)?;
            all.push(Applied {
                name,
                what: "deleted",
                id: gone.id,
                version: gone.version,
                differences: Vec::new(),
            });
        } else {
            left_alone.push(name);
        }
    }
    let count = |what: &str| all.iter().filter(|one| one.what == what).count();
    Ok(ApplyView {
        organization_id: body.organization_id.clone(),
        dry_run: body.dry_run,
        created: count("created"),
        changed: count("changed"),
        unchanged: count("unchanged"),
        deleted: count("deleted"),
        triggers: all,
        left_alone,
    })
}

/// Every trigger of the body, or everything that is wrong with any of them.
fn read_all(body: &ApplyBody, policy: Policy) -> Result<Vec<NewTrigger>, Vec<Problem>> {
    let mut problems = Vec::new();
    if body.triggers.len() > MOST {
        problems.push(Problem::new("triggers", format!("at most {MOST} of them")));
    }
    let mut all = Vec::new();
    let mut names = BTreeSet::new();
    for (place, value) in body.triggers.iter().enumerate() {
        let path = format!("triggers[{place}]");
        let mut value = value.clone();
        if let Some(object) = value.as_object_mut() {
            let own = object
                .entry("organization_id")
                .or_insert_with(|| json!(body.organization_id));
            if *own != json!(body.organization_id) {
                let message = "it is of another organization than the file; leave it out here";
                problems.push(Problem::new(format!("{path}.organization_id"), message));
            }
        }
        match NewTrigger::parse(&value, policy) {
            Ok(definition) => {
                if !names.insert(definition.name.clone()) {
                    let message = "another trigger of this file has this name";
                    problems.push(Problem::new(format!("{path}.name"), message));
                }
                all.push(definition);
            }
            Err(some) => problems.extend(some.into_iter().map(|problem| {
                let dot = if problem.path.is_empty() { "" } else { "." };
                Problem::new(format!("{path}{dot}{}", problem.path), problem.message)
            })),
        }
    }
    if problems.is_empty() {
        Ok(all)
    } else {
        Err(problems)
    }
}

fn one(
    conn: &mut Conn,
    actor: &Actor,
    known: Option<TriggerRow>,
    wanted: &NewTrigger,
    now: Timestamp,
) -> Result<Applied, OperationError> {
    let old = match &known {
        Some(row) => Some(row.read()?),
        None => None,
    };
    let differences = differences(old.as_ref(), wanted);
    let (what, id, version) = match known {
        Some(row) if old.as_ref() == Some(wanted) => ("unchanged", row.id, row.version),
        Some(row) => {
            let now = triggers::update(conn, actor, &row.id, wanted, now)?;
            ("changed", now.id, now.version)
        }
        None => {
            let new = triggers::create(conn, actor, wanted, now)?;
            ("created", new.id, new.version)
        }
    };
    Ok(Applied {
        name: wanted.name.clone(),
        what,
        id,
        version,
        differences,
    })
}

/// What differs, a line each; of a web address only the host is shown, since its path may be a secret.
fn differences(old: Option<&NewTrigger>, new: &NewTrigger) -> Vec<String> {
    let flat = |trigger: &NewTrigger| {
        let mut all = BTreeMap::new();
        let value = serde_json::to_value(trigger).unwrap_or_default();
        flatten(String::new(), &value, &mut all);
        all.remove("organization_id");
        all.remove("name");
        all
    };
    let (old, new) = (old.map(flat).unwrap_or_default(), flat(new));
    let paths: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let lines = paths.into_iter().filter_map(|path| {
        let (was, is) = (old.get(path), new.get(path));
        Some(match (was, is) {
            (Some(was), Some(is)) if was == is => return None,
            (Some(was), Some(is)) if shown(was) == shown(is) => {
                format!("~ {path}: another address at {}", shown(is))
            }
            (Some(was), Some(is)) => format!("~ {path}: {} -> {}", shown(was), shown(is)),
            (None, Some(is)) => format!("+ {path}: {}", shown(is)),
            (Some(was), None) => format!("- {path}: {}", shown(was)),
            (None, None) => return None,
        })
    });
    lines.collect()
}

/// Leaves by path; what is null is not there.
fn flatten(path: String, value: &Value, all: &mut BTreeMap<String, String>) {
    match value {
        Value::Null => {}
        Value::Object(object) => {
            for (key, value) in object {
                let below = if path.is_empty() {
                    key.clone()
                } else {
                    format!("{path}.{key}")
                };
                flatten(below, value, all);
            }
        }
        Value::Array(list) => {
            for (place, value) in list.iter().enumerate() {
                flatten(format!("{path}[{place}]"), value, all);
            }
        }
        Value::String(text) => {
            all.insert(path, text.clone());
        }
        other => {
            all.insert(path, other.to_string());
        }
    }
}

/// One line of at most so many letters.
fn shown(text: &str) -> String {
    const LONGEST: usize = 90;
    let host = match text.split_once("://") {
        Some((scheme, rest)) if !text.contains(char::is_whitespace) => {
            let host = rest.split('/').next().unwrap_or_default();
            format!("{scheme}://{host}/…")
        }
        _ => text.replace('\n', "⏎"),
    };
    if host.chars().count() <= LONGEST {
        return host;
    }
    let cut: String = host.chars().take(LONGEST).collect();
    format!("{cut}…")
}
