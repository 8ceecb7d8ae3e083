//! A profile as shown, composed from the links of a person: links that say they work there first,
//! by the organization's directory priority (R35); once nobody says so, the link that ended last, so
//! that a removal changes no field (C3).

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::clock::Timestamp;
use crate::workos::clean_user::{MOST_ATTRIBUTES, MOST_BYTES};

use super::attributes::{ALL_ATTRIBUTES, ROLES, START_UNREADABLE, name_of_parts};
use super::claims::{Repeated, warnings_of};
use super::cluster::{IdentityCluster, Link, Person};
use super::context::Context;
use super::identity::email_key;
use super::lifecycle::{EXCLUDED, Status};
use super::mapping::Mapping;

/// The person in an organization, as shown.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    /// Our id.
    pub id: String,
    /// Where they stand.
    pub status: Status,
    /// Profile fields by name: `first_name`, `last_name`, `display_name`, `email`, `title`, …
    pub fields: BTreeMap<&'static str, String>,
    /// The slugs of the roles that the directory gives, in alphabetical order.
    pub roles: Vec<String>,
    /// What the last word about the start date looks like, where it cannot be read (R79).
    pub start_unreadable: Option<String>,
    /// What they are found by when an address is asked about; `None` where the address shown means nobody (R86).
    pub address_key: Option<String>,
    /// Custom fields.
    pub attributes: Map<String, Value>,
    /// Sentences about values that could not be taken.
    pub warnings: Vec<String>,
    /// The employment period (R33).
    pub period: String,
    /// When they were first spoken of.
    pub first_seen: Timestamp,
    /// When something shown last changed.
    pub updated: Timestamp,
    /// When they left, while they are gone.
    pub removed_at: Option<Timestamp>,
    /// Why they left, while they are gone.
    pub removed_reason: Option<String>,
}

/// The profile fields that hold one text each, in the order they are shown.
pub const FIELDS: [&str; 11] = [
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
];

impl Profile {
    /// One text field.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(String::as_str)
    }

    /// Whether two profiles show the same; when they were touched does not count.
    pub fn shows_the_same(&self, other: &Self) -> bool {
        self.status == other.status
            && self.fields == other.fields
            && self.roles == other.roles
            && self.start_unreadable == other.start_unreadable
            && self.attributes == other.attributes
            && self.removed_reason == other.removed_reason
    }
}

/// Composes the profile of one person.
pub fn compose(cluster: &IdentityCluster, person: &Person, known: &Context<'_>) -> Profile {
    let links = by_weight(cluster, &person.id, known);
    let mapping = &known.settings.mapping;
    let text = |target: &str| {
        let value = shown_value(&links, target, mapping);
        value.and_then(Value::as_str).map(str::to_owned)
    };

    let works = links.iter().any(|link| link.counts());
    let mut fields = BTreeMap::new();
    for name in FIELDS {
        if let Some(found) = text(name) {
            fields.insert(name, found);
        }
    }
    if works && given_away(cluster, person, &links, known) {
        fields.remove("email");
    }
    let email = fields.get("email").cloned();
    fields.insert("display_name", display_name(&links, mapping, email));

    let (attributes, cut) = attributes(&links, mapping);
    let repeated = Repeated::of(cluster, known);
    let address = fields.get("email").and_then(|email| email_key(email));
    let gone = person.status == Status::Removed;
    let mut missing = missing(&links, mapping);
    missing.extend(cut);
    let start_unreadable = start_unreadable(&links);
    missing.extend(start_unreadable.iter().map(|words| {
        format!("start_date: cannot be read ({words}), so no welcome goes out by itself")
    }));
    let roles = match shown_value(&links, ROLES, mapping) {
        Some(Value::Array(all)) => all
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
        _ => Vec::new(),
    };
    Profile {
        id: person.id.clone(),
        status: person.status,
        fields,
        roles,
        start_unreadable,
        address_key: address.filter(|key| match works {
            true => !repeated.contains(key),
            // Who has left is still found by what others have too, as long as they are few.
            false => !known.crowded.contains(key),
        }),
        attributes,
        warnings: warnings(person, &links, missing, &repeated),
        period: person.period.clone(),
        first_seen: person.first_seen,
        updated: person.updated,
        removed_at: person.left.as_ref().filter(|_| gone).map(|key| key.at),
        removed_reason: match &person.excluded {
            Some(_) => Some(EXCLUDED.to_owned()),
            None => person.left_reason.clone().filter(|_| gone),
        },
    }
}

/// The attributes that are shown, the first link's first: no more than one directory user may have
/// (each link is within the bounds by itself), and a sentence where that leaves any out.
fn attributes(links: &[&Link], mapping: &Mapping) -> (Map<String, Value>, Option<String>) {
    let mut all = Map::new();
    let mut bytes = 0;
    let mut cut = None;
    for target in links.iter().flat_map(|link| link.values.keys()) {
        let Some(name) = target.strip_prefix("attributes.") else {
            continue;
        };
        if all.contains_key(name) {
            continue;
        }
        let Some(value) = shown_value(links, target, mapping) else {
            continue;
        };
        // One link alone is within the bounds, and measuring is not for nothing.
        let size = match links.len() {
            1 => 0,
            _ => name.len() + value.to_string().len(),
        };
        if all.len() < MOST_ATTRIBUTES && bytes + size <= MOST_BYTES {
            bytes += size;
            all.insert(name.to_owned(), value.clone());
        } else {
            cut = Some(format!(
                "attributes: more than {MOST_ATTRIBUTES}, or more than 64 KB; the rest is not shown"
            ));
        }
    }
    (all, cut)
}

/// The first value of a link that counts. Where those that count have only said that there is none,
/// there is none (R46); where none of them spoke of it, the ended link that did so last is heard.
fn shown_value<'a>(links: &[&'a Link], target: &str, mapping: &Mapping) -> Option<&'a Value> {
    let speaks = |link: &Link| {
        link.values.contains_key(target)
            || (target.starts_with("attributes.")
                && link.values.contains_key(ALL_ATTRIBUTES)
                && !mapping.rules_over(target))
    };
    let said = |link: &&'a Link| link.values.get(target).filter(|value| !value.is_null());
    let (counting, ended): (Vec<&Link>, Vec<&Link>) = links.iter().partition(|link| link.counts());
    if let Some(value) = counting.iter().find_map(said) {
        return Some(value);
    }
    if counting.iter().any(|link| speaks(link)) {
        return None;
    }
    said(ended.iter().find(|link| speaks(link))?)
}

/// What the start date looks like where it cannot be read: of the first link that says anything of
/// it, so that a directory of less weight holds up nobody whose start is known.
fn start_unreadable(links: &[&Link]) -> Option<String> {
    let word = |link: &&&Link| {
        let known = link
            .values
            .get("start_date")
            .is_some_and(|day| !day.is_null());
        known || link.values.contains_key(START_UNREADABLE)
    };
    let (counting, ended): (Vec<&Link>, Vec<&Link>) = links.iter().partition(|link| link.counts());
    let link = counting
        .iter()
        .find(word)
        .or_else(|| ended.iter().find(word))?;
    let words = link.values.get(START_UNREADABLE).and_then(Value::as_str);
    words.map(str::to_owned)
}

/// Who speaks first: links that count, by priority, then the one known longest; then the link that
/// ended last. A second removal of an ended one changes nothing (C3).
fn by_word(one: &Link, other: &Link, known: &Context<'_>) -> std::cmp::Ordering {
    let rank = |link: &Link| {
        let listed = &known.settings.directory_priority;
        listed
            .iter()
            .position(|id| *id == link.directory_id)
            .unwrap_or(listed.len())
    };
    let places = || rank(one).cmp(&rank(other));
    let last_ended = || match one.counts() {
        true => std::cmp::Ordering::Equal,
        false => other.ended.cmp(&one.ended),
    };
    other
        .counts()
        .cmp(&one.counts())
        .then_with(last_ended)
        .then_with(places)
        .then_with(|| one.first.cmp(&other.first))
}

/// The full name that a link gives, unless one that counts more gives the parts of a name (R90);
/// else the parts.
fn display_name(links: &[&Link], mapping: &Mapping, email: Option<String>) -> String {
    let gives = |link: &&Link| name_of_parts(&link.values).is_some();
    let heard = match links.iter().position(gives) {
        Some(place) => links.get(..=place).unwrap_or(links),
        None => links,
    };
    let text = |links: &[&Link], target: &str| {
        let value = shown_value(links, target, mapping).and_then(Value::as_str);
        value.map(str::to_owned)
    };
    let parts = [text(links, "first_name"), text(links, "last_name")];
    let parts = parts.into_iter().flatten().collect::<Vec<_>>().join(" ");
    text(heard, "attributes.display_name")
        .or_else(|| text(heard, "name"))
        .or_else(|| Some(parts).filter(|name| !name.is_empty()))
        .or(email)
        .unwrap_or_else(|| "(no name)".to_owned())
}

/// Required fields of which nothing was ever said, of somebody who works there.
fn missing(links: &[&Link], mapping: &Mapping) -> Vec<String> {
    if !links.iter().any(|link| link.counts()) {
        return Vec::new();
    }
    let required = mapping.rules.iter().filter(|rule| rule.required);
    required
        .filter(|rule| shown_value(links, &rule.target, mapping).is_none())
        .map(|rule| format!("{}: required, and nothing came yet", rule.target))
        .collect()
}

/// Whether all that is known of somebody's address is what another link of theirs once had or waits
/// with, and somebody else is shown under it (R24). Where two have it by nothing better, neither
/// is: it would be a guess whose it is (R25).
fn given_away(
    cluster: &IdentityCluster,
    person: &Person,
    links: &[&Link],
    known: &Context<'_>,
) -> bool {
    let Some(shown) = inherited(links) else {
        return false;
    };
    let mut others = cluster
        .links
        .values()
        .filter(|other| other.person != person.id);
    let used = others
        .any(|other| other.counts() && other.email().and_then(email_key).as_ref() == Some(&shown));
    let inherits = |other: &Person| {
        let theirs = by_weight(cluster, &other.id, known);
        theirs.iter().any(|link| link.counts()) && inherited(&theirs).as_ref() == Some(&shown)
    };
    let mut people = cluster
        .people
        .values()
        .filter(|other| other.id != person.id);
    used || people.any(inherits)
}

/// The address that no link which counts has a word about, but another one of the same person.
fn inherited(links: &[&Link]) -> Option<String> {
    let first = links
        .iter()
        .find(|link| link.values.contains_key("email"))?;
    first
        .email()
        .filter(|_| !first.counts())
        .and_then(email_key)
}

fn by_weight<'a>(
    cluster: &'a IdentityCluster,
    person: &'a str,
    known: &Context<'_>,
) -> Vec<&'a Link> {
    let mut links: Vec<&Link> = cluster.links_of(person).collect();
    links.sort_by(|one, other| by_word(one, other, known));
    links
}

fn warnings(
    person: &Person,
    links: &[&Link],
    missing: Vec<String>,
    repeated: &Repeated,
) -> Vec<String> {
    let mut all = missing;
    all.extend(links.iter().flat_map(|link| link.warnings.iter().cloned()));
    let listed = links.iter().filter(|link| link.is_listed());
    all.extend(listed.flat_map(|link| warnings_of(link, repeated)));
    if let Some(rule) = &person.excluded {
        all.push(format!("excluded by the organization's rule {rule}"));
    }
    if links.iter().all(|link| link.email().is_none()) {
        all.push("email: none known".to_owned());
    }
    if let Some(link) = links
        .iter()
        .find(|link| (link.counts() && link.wanted_email.is_some()) || link.contest.is_some())
    {
        let over = link
            .contest
            .as_ref()
            .map_or("email", |contest| contest.over.as_str());
        all.push(format!(
            "{over}: somebody else works under the same one; a person has to decide"
        ));
    }
    all.sort();
    all.dedup();
    all
}
