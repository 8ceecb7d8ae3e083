//! Everybody's managers as the rows have it now (R78): the directory's words about them, whom those
//! may mean, and the line upwards as far as it takes to see a circle. A few set queries a level.

use std::collections::{BTreeMap, BTreeSet};

use diesel::prelude::*;
use serde_json::{Map, Value};

use crate::db::schema::{links, profiles};
use crate::db::{Conn, in_parts, on_backend};
use crate::domain::{
    ManagerCandidate, ManagerLink, ManagerWords, Meant, fold_case, in_circle, keys_of, meant,
};

use super::profiles::{LinkRow, ProfileRow, email_key, links_of};

/// Longer lines than this are no company's; what lies above is not looked at.
const LONGEST_LINE: usize = 60;

/// Somebody's manager.
#[derive(Debug, Clone, PartialEq)]
pub enum Manager {
    /// The directory names none.
    Unnamed,
    /// It names one whom nobody here is.
    Unknown,
    /// It names one by what several people have.
    Several,
    /// It names the person themselves.
    Themselves,
    /// Following managers upwards leads back to the person.
    Circle,
    /// Somebody who does not work there now.
    Gone(Box<ProfileRow>),
    /// Somebody who works there.
    Known(Box<ProfileRow>),
}

impl Manager {
    /// Why there is none, in a sentence that names profiles and no people; `None` where there is one.
    pub fn problem(&self) -> Option<String> {
        Some(match self {
            Self::Known(_) => return None,
            Self::Unnamed => "the directory names no manager".to_owned(),
            Self::Unknown => "nobody here is the manager whom the directory names".to_owned(),
            Self::Several => {
                "several people here fit the manager whom the directory names".to_owned()
            }
            Self::Themselves => "the directory names the person as their own manager".to_owned(),
            Self::Circle => {
                "the directory names managers in a circle, which leads back to the person"
                    .to_owned()
            }
            Self::Gone(row) => match row.status.as_str() {
                "pending" => format!("the manager ({}) is not active yet", row.id),
                "erased" => "the manager was erased".to_owned(),
                _ => format!("the manager ({}) has left", row.id),
            },
        })
    }

    /// The manager, where there is one.
    pub fn row(&self) -> Option<&ProfileRow> {
        match self {
            Self::Known(row) => Some(row),
            _ => None,
        }
    }
}

/// The managers of the given people, by profile id.
pub fn of(conn: &mut Conn, rows: &[ProfileRow]) -> QueryResult<BTreeMap<String, Manager>> {
    let mut by_home: BTreeMap<&str, Vec<ProfileRow>> = BTreeMap::new();
    for row in rows {
        let theirs = by_home.entry(&row.organization_id).or_default();
        theirs.push(row.clone());
    }
    let mut all = BTreeMap::new();
    for (home, rows) in by_home {
        all.extend(in_organization(conn, home, rows)?);
    }
    Ok(all)
}

fn in_organization(
    conn: &mut Conn,
    home: &str,
    rows: Vec<ProfileRow>,
) -> QueryResult<BTreeMap<String, Manager>> {
    let asked: Vec<String> = rows.iter().map(|row| row.id.clone()).collect();
    let mut named: BTreeMap<String, Meant> = BTreeMap::new();
    let mut known: BTreeMap<String, ProfileRow> = BTreeMap::new();
    let mut words: BTreeMap<String, ManagerWords> = BTreeMap::new();
    let mut level = rows;
    for _ in 0..LONGEST_LINE {
        if level.is_empty() {
            break;
        }
        let (found, candidates) = name_level(conn, home, &level)?;
        words.extend(level.iter().map(|row| (row.id.clone(), words_of(row))));
        named.extend(found);
        known.extend(level.into_iter().map(|row| (row.id.clone(), row)));
        level = candidates
            .iter()
            .filter(|row| works(row) && !named.contains_key(&row.id))
            .cloned()
            .collect();
        known.extend(candidates.into_iter().map(|row| (row.id.clone(), row)));
    }
    let upwards: BTreeMap<String, String> = named
        .iter()
        .filter_map(|(id, meant)| match meant {
            Meant::Profile(manager) if known.get(manager).is_some_and(works) => {
                Some((id.clone(), manager.clone()))
            }
            _ => None,
        })
        .collect();
    let manager = |id: &String| match named.get(id) {
        _ if words.get(id).is_none_or(ManagerWords::is_empty) => Manager::Unnamed,
        None | Some(Meant::Nobody) => Manager::Unknown,
        Some(Meant::Several) => Manager::Several,
        Some(Meant::Profile(manager)) if manager == id => Manager::Themselves,
        Some(Meant::Profile(_)) if in_circle(id, &upwards) => Manager::Circle,
        Some(Meant::Profile(manager)) => match known.get(manager) {
            None => Manager::Unknown,
            Some(row) if works(row) => Manager::Known(Box::new(row.clone())),
            Some(row) => Manager::Gone(Box::new(row.clone())),
        },
    };
    Ok(asked.iter().map(|id| (id.clone(), manager(id))).collect())
}

fn works(row: &ProfileRow) -> bool {
    matches!(row.status.as_str(), "active" | "on_leave")
}

/// Whom the words of these people mean, and the rows of those who are meant.
fn name_level(
    conn: &mut Conn,
    home: &str,
    rows: &[ProfileRow],
) -> QueryResult<(BTreeMap<String, Meant>, Vec<ProfileRow>)> {
    let words: BTreeMap<String, ManagerWords> = rows
        .iter()
        .map(|row| (row.id.clone(), words_of(row)))
        .filter(|(_, words)| !words.is_empty())
        .collect();
    if words.is_empty() {
        return Ok((BTreeMap::new(), Vec::new()));
    }
    let candidates = candidates(conn, home, words.values())?;
    let people: Vec<String> = words.keys().cloned().collect();
    let own = links_of(conn, &people)?;
    let all: Vec<ManagerCandidate> = candidates.iter().map(|(one, _)| one.clone()).collect();
    let mut named = BTreeMap::new();
    for (id, words) in words {
        let links = own.get(&id).map_or(&[][..], Vec::as_slice);
        let directories = links.iter().map(|link| link.directory_id.clone()).collect();
        named.insert(id, meant(&words, &directories, &all));
    }
    let meant: BTreeSet<&String> = named
        .values()
        .filter_map(|meant| match meant {
            Meant::Profile(id) => Some(id),
            Meant::Nobody | Meant::Several => None,
        })
        .collect();
    let rows = candidates.into_iter().map(|(_, row)| row);
    let rows = rows.filter(|row| meant.contains(&row.id)).collect();
    Ok((named, rows))
}

/// What the directory says of somebody's manager.
fn words_of(row: &ProfileRow) -> ManagerWords {
    let attributes: Map<String, Value> = serde_json::from_str(&row.attributes).unwrap_or_default();
    let text = |name: &str| match attributes.get(name) {
        Some(Value::String(text)) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
        Some(Value::Number(number)) => Some(number.to_string()),
        _ => None,
    };
    ManagerWords {
        id: text("manager_id"),
        number: text("manager_employee_number"),
        email: row
            .manager_email
            .clone()
            .filter(|email| !email.trim().is_empty()),
    }
}

/// Everybody whom some words may mean, as candidate and as row.
fn candidates<'a>(
    conn: &mut Conn,
    home: &str,
    words: impl Iterator<Item = &'a ManagerWords>,
) -> QueryResult<Vec<(ManagerCandidate, ProfileRow)>> {
    let (mut ids, mut keys, mut addresses) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for words in words {
        ids.extend(words.id.clone());
        keys.extend(keys_of(words.id.as_deref(), None, None));
        keys.extend(
            words
                .numbers()
                .flat_map(|number| keys_of(None, None, Some(number))),
        );
        for address in words.addresses() {
            keys.extend(keys_of(None, Some(address), None));
            addresses.extend(email_key(address));
        }
    }
    let said = super::crowds::who_has(conn, home, &keys)?;
    ids.extend(said.iter().map(|(_, user)| user.clone()));
    let ids: Vec<String> = ids.into_iter().collect();
    let people = people_of(conn, home, &ids)?;
    let addresses: Vec<String> = addresses.into_iter().collect();
    let mut rows: BTreeMap<String, ProfileRow> = super::profiles::load(conn, &people)?;
    rows.extend(by_addresses(conn, home, &addresses)?);
    let found: Vec<String> = rows.keys().cloned().collect();
    let mut theirs = links_of(conn, &found)?;
    Ok(rows
        .into_values()
        .map(|row| {
            let links = theirs.remove(&row.id).unwrap_or_default();
            (candidate(&row, links, &said), row)
        })
        .collect())
}

fn candidate(row: &ProfileRow, links: Vec<LinkRow>, said: &[(String, String)]) -> ManagerCandidate {
    let is_theirs = |user: &String| links.iter().any(|link| link.directory_user_id == *user);
    let former = said
        .iter()
        .filter(|(_, user)| is_theirs(user))
        .filter_map(|(key, _)| key.strip_prefix("e:"))
        .map(fold_case)
        .collect();
    ManagerCandidate {
        profile_id: row.id.clone(),
        works: works(row),
        email: row.email.clone(),
        former_emails: former,
        number: row.employee_number.clone(),
        links: links
            .into_iter()
            .map(|link| ManagerLink {
                id: link.directory_user_id,
                directory_id: link.directory_id,
                idp_id: link.idp_id,
            })
            .collect(),
    }
}

fn people_of(conn: &mut Conn, home: &str, users: &[String]) -> QueryResult<Vec<String>> {
    let found: Vec<Option<String>> = in_parts(users, |some| {
        on_backend!(conn, c => links::table
            .filter(links::directory_user_id.eq_any(some))
            .filter(links::organization_id.eq(home))
            .select(links::profile_id)
            .load(c))
    })?;
    let people: BTreeSet<String> = found.into_iter().flatten().collect();
    Ok(people.into_iter().collect())
}

fn by_addresses(
    conn: &mut Conn,
    home: &str,
    addresses: &[String],
) -> QueryResult<BTreeMap<String, ProfileRow>> {
    let rows: Vec<ProfileRow> = in_parts(addresses, |some| {
        on_backend!(conn, c => profiles::table
            .filter(profiles::organization_id.eq(home))
            .filter(profiles::email_key.eq_any(some))
            .select(ProfileRow::as_select())
            .load(c))
    })?;
    Ok(rows.into_iter().map(|row| (row.id.clone(), row)).collect())
}
