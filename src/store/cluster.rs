//! Loading and writing cluster: the links that share a key, found by following keys to links and links
//! to keys until nothing new comes, then links and people in one query each.

use std::collections::{BTreeMap, BTreeSet};

use diesel::prelude::*;
use diesel::upsert::excluded;

use super::crowds::{Crowded, MOST_LINKS, links_of_keys};
use super::{to_json, unreadable};
use crate::clock::Timestamp;
use crate::db::schema::{link_keys, links, profiles};
use crate::db::{Conn, ROWS_PER_STATEMENT, on_backend};
use crate::domain::{Link, Person, Question};

/// A key within its organization.
pub type Key = (String, String);

/// IdentityCluster as it was found: links and people, and the keys of each link.
#[derive(Debug, Default)]
pub struct Found {
    /// The organization and keys of each directory user, links that are only known by key included.
    pub keys: BTreeMap<String, BTreeSet<Key>>,
    /// Links by directory user id.
    pub links: BTreeMap<String, Link>,
    /// People by profile id.
    pub people: BTreeMap<String, Person>,
    /// When each profile was first recorded here.
    pub recorded: BTreeMap<String, Timestamp>,
    /// Keys that were not followed.
    pub crowded: Crowded,
}

/// Finds everything that shares a key, over any number of steps, with the seeds. Crowded keys lead
/// nowhere.
pub fn find(
    conn: &mut Conn,
    seed_links: &BTreeSet<String>,
    seed_keys: &BTreeSet<Key>,
    crowded: Crowded,
) -> QueryResult<Found> {
    let followed = seed_keys.iter().filter(|key| !crowded.contains(key));
    let mut new_links: BTreeSet<String> = seed_links.clone();
    let mut new_keys: BTreeSet<Key> = followed.cloned().collect();
    let mut found = Found {
        crowded,
        ..Found::default()
    };
    let mut seen_links = BTreeSet::new();
    let mut seen_keys = BTreeSet::new();
    while !new_links.is_empty() || !new_keys.is_empty() {
        seen_links.extend(new_links.iter().cloned());
        seen_keys.extend(new_keys.iter().cloned());
        let mut rows = keys_of_links(conn, &new_links)?;
        rows.extend(links_of_keys(conn, &new_keys, &mut found.crowded)?);
        new_links = BTreeSet::new();
        new_keys = BTreeSet::new();
        for (key, link) in rows {
            if found.crowded.contains(&key) {
                continue;
            }
            if !seen_links.contains(&link) {
                new_links.insert(link.clone());
            }
            if !seen_keys.contains(&key) {
                new_keys.insert(key.clone());
            }
            found.keys.entry(link).or_default().insert(key);
        }
    }
    load_links(conn, &seen_links, &mut found)?;
    load_people(conn, &mut found)?;
    Ok(found)
}

fn keys_of_links(conn: &mut Conn, of: &BTreeSet<String>) -> QueryResult<Vec<(Key, String)>> {
    let of: Vec<&String> = of.iter().collect();
    let mut all = Vec::new();
    for chunk in of.chunks(ROWS_PER_STATEMENT) {
        let rows: Vec<(String, String, String)> = on_backend!(conn, c => link_keys::table.filter(link_keys::directory_user_id.eq_any(chunk)).load(c))?;
        all.extend(
            rows.into_iter()
                .map(|(organization, key, link)| ((organization, key), link)),
        );
    }
    Ok(all)
}

fn load_links(conn: &mut Conn, ids: &BTreeSet<String>, found: &mut Found) -> QueryResult<()> {
    let ids: Vec<&String> = ids.iter().collect();
    for chunk in ids.chunks(ROWS_PER_STATEMENT) {
        let rows: Vec<(String, String, String)> = on_backend!(conn, c => links::table
            .filter(links::directory_user_id.eq_any(chunk))
            .select((links::directory_user_id, links::organization_id, links::remembered))
            .load(c))?;
        for (id, _, remembered) in rows {
            let link: Link = serde_json::from_str(&remembered)
                .map_err(|error| unreadable("link", &id, &error))?;
            found.links.insert(id, link);
        }
    }
    Ok(())
}

fn load_people(conn: &mut Conn, found: &mut Found) -> QueryResult<()> {
    let ids: BTreeSet<&String> = found.links.values().map(|link| &link.person).collect();
    let ids: Vec<&String> = ids.into_iter().collect();
    let mut people = BTreeMap::new();
    for chunk in ids.chunks(ROWS_PER_STATEMENT) {
        let rows: Vec<(String, String, Timestamp)> = on_backend!(conn, c => profiles::table
            .filter(profiles::id.eq_any(chunk))
            .select((profiles::id, profiles::remembered, profiles::recorded_at))
            .load(c))?;
        for (id, remembered, recorded_at) in rows {
            let person: Person = serde_json::from_str(&remembered)
                .map_err(|error| unreadable("profile", &id, &error))?;
            found.recorded.insert(id.clone(), recorded_at);
            people.insert(id, person);
        }
    }
    found.people = people;
    Ok(())
}

#[derive(Insertable)]
#[diesel(table_name = links, treat_none_as_default_value = false)]
struct LinkRow<'a> {
    directory_user_id: &'a str,
    organization_id: &'a str,
    directory_id: &'a str,
    idp_id: Option<&'a str>,
    profile_id: Option<&'a str>,
    state: &'static str,
    remembered: String,
    last_at: Timestamp,
    last_removal: bool,
    last_event_id: &'a str,
    question: Option<String>,
}

/// What a link's row is made of.
#[derive(Debug, Clone)]
pub struct ToSave<'a> {
    /// The organization.
    pub organization_id: &'a str,
    /// What the roll remembers.
    pub link: &'a Link,
    /// What a person has to decide about it.
    pub question: Option<Question>,
}

/// How a link is shown: its state, or that it waits for a decision.
pub fn shown_state(link: &Link) -> &'static str {
    if link.contest.is_some() {
        "conflict"
    } else {
        link.state.as_str()
    }
}

/// Writes links, new or known.
pub fn save_links(conn: &mut Conn, all: &[ToSave<'_>]) -> QueryResult<()> {
    for chunk in all.chunks(ROWS_PER_STATEMENT) {
        let rows: Vec<LinkRow<'_>> = chunk
            .iter()
            .map(|one| {
                let link = one.link;
                Ok(LinkRow {
                    directory_user_id: &link.id,
                    organization_id: one.organization_id,
                    directory_id: &link.directory_id,
                    idp_id: link.idp_id.as_deref(),
                    profile_id: Some(&link.person),
                    state: shown_state(link),
                    remembered: to_json(link)?,
                    last_at: link.last.at,
                    last_removal: link.last.removal,
                    last_event_id: &link.last.event_id,
                    question: one.question.as_ref().map(to_json).transpose()?,
                })
            })
            .collect::<QueryResult<_>>()?;
        on_backend!(conn, c => diesel::insert_into(links::table)
            .values(&rows)
            .on_conflict(links::directory_user_id)
            .do_update()
            .set((
                links::directory_id.eq(excluded(links::directory_id)),
                links::idp_id.eq(excluded(links::idp_id)),
                links::profile_id.eq(excluded(links::profile_id)),
                links::state.eq(excluded(links::state)),
                links::remembered.eq(excluded(links::remembered)),
                links::last_at.eq(excluded(links::last_at)),
                links::last_removal.eq(excluded(links::last_removal)),
                links::last_event_id.eq(excluded(links::last_event_id)),
                links::question.eq(excluded(links::question)),
            ))
            .execute(c))?;
    }
    Ok(())
}

/// Deletes links of people who were erased, and what made them meet others.
pub fn delete_links(conn: &mut Conn, ids: &[String]) -> QueryResult<()> {
    on_backend!(conn, c => diesel::delete(link_keys::table.filter(link_keys::directory_user_id.eq_any(ids))).execute(c))?;
    on_backend!(conn, c => diesel::delete(links::table.filter(links::directory_user_id.eq_any(ids))).execute(c))?;
    Ok(())
}

/// When the newest thing was said of any of the links.
pub fn newest_of(conn: &mut Conn, ids: &[String]) -> QueryResult<Option<Timestamp>> {
    on_backend!(conn, c => links::table
        .filter(links::directory_user_id.eq_any(ids))
        .select(diesel::dsl::max(links::last_at))
        .first(c))
}

/// Adds keys of links; known ones stay.
pub fn save_keys(conn: &mut Conn, all: &[(Key, String)]) -> QueryResult<()> {
    for chunk in all.chunks(ROWS_PER_STATEMENT) {
        let rows: Vec<_> = chunk
            .iter()
            .map(|((organization, key), link)| {
                (
                    link_keys::organization_id.eq(organization),
                    link_keys::key.eq(key),
                    link_keys::directory_user_id.eq(link),
                )
            })
            .collect();
        on_backend!(conn, c => diesel::insert_into(link_keys::table).values(&rows).on_conflict_do_nothing().execute(c))?;
    }
    Ok(())
}

/// The keys of the given directory users.
pub fn keys_of_users(
    conn: &mut Conn,
    organization: &str,
    users: &[String],
) -> QueryResult<BTreeSet<(Key, String)>> {
    let rows: Vec<(String, String)> = on_backend!(conn, c => link_keys::table
        .filter(link_keys::organization_id.eq(organization))
        .filter(link_keys::directory_user_id.eq_any(users))
        .select((link_keys::key, link_keys::directory_user_id))
        .load(c))?;
    let keyed = |(key, user)| ((organization.to_owned(), key), user);
    Ok(rows.into_iter().map(keyed).collect())
}

/// Takes keys away.
pub fn delete_keys(conn: &mut Conn, all: &[(Key, String)]) -> QueryResult<()> {
    for ((organization, key), link) in all {
        on_backend!(conn, c => diesel::delete(link_keys::table.find((organization, key, link))).execute(c))?;
    }
    Ok(())
}

/// The key that makes directory users cluster because an operator said that they are the same person.
pub fn decided_key(directory_user: &str) -> String {
    format!("d:{directory_user}")
}

/// Whether a key is one of those.
pub fn is_decided(key: &str) -> bool {
    key.starts_with("d:")
}

#[derive(QueryableByName)]
struct LinkId {
    #[diesel(sql_type = diesel::sql_types::Text)]
    id: String,
}

/// Links that a turn of a directory may concern: those that share a key with one of its links, over
/// any number of steps once their cluster is found. A link without cluster has nobody to be matched with.
pub fn concerned_by_turn(conn: &mut Conn, directory: &str) -> QueryResult<BTreeSet<String>> {
    use diesel::sql_types::Text;
    // Of a crowded key nobody is asked: pairs would be as many as the square of whoever has it.
    let sql = format!(
        "SELECT DISTINCT k.directory_user_id AS id FROM links d \
         JOIN link_keys o ON o.directory_user_id = d.directory_user_id \
         JOIN link_keys k ON k.organization_id = o.organization_id AND k.key = o.key \
         WHERE d.directory_id = $1 AND k.directory_user_id <> d.directory_user_id \
         AND (SELECT count(*) FROM (SELECT 1 FROM link_keys c WHERE c.organization_id = o.organization_id \
                                    AND c.key = o.key LIMIT {}) few) <= {MOST_LINKS}",
        MOST_LINKS + 1
    );
    let all: Vec<LinkId> = on_backend!(conn, c => diesel::sql_query(&sql)
        .bind::<Text, _>(directory)
        .load(c))?;
    Ok(all.into_iter().map(|row| row.id).collect())
}

/// The directory users of a directory, the active ones or those who are not any more, by id, after a
/// given one.
pub fn in_directory(
    conn: &mut Conn,
    directory: &str,
    active: bool,
    after: &str,
    limit: i64,
) -> QueryResult<Vec<String>> {
    on_backend!(conn, c => {
        let query = links::table
            .filter(links::directory_id.eq(directory))
            .filter(links::directory_user_id.gt(after))
            .order(links::directory_user_id)
            .limit(limit)
            .select(links::directory_user_id)
            .into_boxed();
        match active {
            true => query.filter(links::state.eq("active")).load(c),
            false => query.filter(links::state.ne("active")).load(c),
        }
    })
}

/// How many directory users [`in_directory`] names.
pub fn count_in_directory(conn: &mut Conn, directory: &str, active: bool) -> QueryResult<i64> {
    on_backend!(conn, c => {
        let query = links::table
            .filter(links::directory_id.eq(directory))
            .count()
            .into_boxed();
        match active {
            true => query.filter(links::state.eq("active")).get_result(c),
            false => query.filter(links::state.ne("active")).get_result(c),
        }
    })
}

/// The directory users of an organization, by id, after a given one.
pub fn of_organization(
    conn: &mut Conn,
    organization: &str,
    after: &str,
    limit: i64,
) -> QueryResult<Vec<String>> {
    on_backend!(conn, c => links::table
        .filter(links::organization_id.eq(organization))
        .filter(links::directory_user_id.gt(after))
        .order(links::directory_user_id)
        .limit(limit)
        .select(links::directory_user_id)
        .load(c))
}

/// Those of the given directory users that are known.
pub fn links_by_id(conn: &mut Conn, ids: &BTreeSet<String>) -> QueryResult<BTreeMap<String, Link>> {
    let mut found = Found::default();
    load_links(conn, ids, &mut found)?;
    Ok(found.links)
}

/// How many directory users an organization has.
pub fn count_of_organization(conn: &mut Conn, organization: &str) -> QueryResult<i64> {
    on_backend!(conn, c => links::table
        .filter(links::organization_id.eq(organization))
        .count()
        .get_result(c))
}
