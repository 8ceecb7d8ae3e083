//! What an organization's own rules make of somebody whom a directory calls active: on leave (R34),
//! or excluded (R45). Only what the profile itself says is asked, because groups and communities are
//! not part of the fold; whom a rule shuts out is the same in any order of arrival.

use serde_json::{Map, Value, json};

use super::cluster::{IdentityCluster, Link, Person};
use super::compose::{FIELDS, Profile, compose};
use super::context::Context;
use super::settings::Exclusion;
use crate::conditions::{Condition, Facts};

/// What a condition of these settings may not ask: none of it is known to the fold.
pub const UNASKED: [&str; 4] = ["id", "status", "group", "community"];

/// What the rules make of somebody.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Screened<'a> {
    /// Nothing.
    Here,
    /// On leave.
    OnLeave,
    /// Shut out by this rule.
    Excluded(&'a Exclusion),
}

/// Asks the organization's rules about a person.
pub(super) fn screen<'a>(
    cluster: &IdentityCluster,
    person: &Person,
    known: &Context<'a>,
) -> Screened<'a> {
    let settings = known.settings;
    if settings.exclude.is_empty() && settings.on_leave.when.is_none() {
        return Screened::Here;
    }
    let profile = facts_of(known.organization_id, &compose(cluster, person, known));
    let directories: Vec<String> = cluster
        .links_of(&person.id)
        .filter(|link| link.counts())
        .map(|link: &Link| link.directory_id.clone())
        .collect();
    let facts = Facts {
        profile: &profile,
        groups: &[],
        communities: &[],
        directories: &directories,
        date_order: settings.date_order,
    };
    let fits = |when: &Condition| when.matches(&facts);
    match settings.exclude.iter().find(|rule| fits(&rule.when)) {
        Some(rule) => Screened::Excluded(rule),
        None if settings.on_leave.when.as_ref().is_some_and(fits) => Screened::OnLeave,
        None => Screened::Here,
    }
}

fn facts_of(organization_id: &str, profile: &Profile) -> Value {
    let mut all = Map::new();
    all.insert("organization_id".into(), json!(organization_id));
    for name in FIELDS {
        all.insert(name.into(), json!(profile.field(name)));
    }
    all.insert("roles".into(), json!(profile.roles));
    all.insert(
        "attributes".into(),
        Value::Object(profile.attributes.clone()),
    );
    Value::Object(all)
}
