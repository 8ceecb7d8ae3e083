//! Keys that very many directory users have: a placeholder that a system writes for everybody, one
//! mailbox for a whole plant. They are never followed from one directory user to the next, so that
//! what one of them costs does not grow with how many there are, and nobody is known by them (R20).

use std::collections::{BTreeMap, BTreeSet};

use diesel::prelude::*;

use super::cluster::Key;
use crate::db::schema::link_keys;
use crate::db::{Conn, ROWS_PER_STATEMENT, on_backend};

/// So many links of one key are loaded together. One person comes nowhere near it, however often
/// their directory is replaced; what more have means nobody, whether they still work there or not.
pub const MOST_LINKS: usize = 20;

/// The crowded keys that were met, by organization.
#[derive(Debug, Default)]
pub struct Crowded(BTreeMap<String, BTreeSet<String>>);

impl Crowded {
    /// Those of an organization.
    pub fn of(&self, organization: &str) -> &BTreeSet<String> {
        static NONE: BTreeSet<String> = BTreeSet::new();
        self.0.get(organization).unwrap_or(&NONE)
    }

    /// Whether the key is one.
    pub fn contains(&self, (organization, key): &Key) -> bool {
        self.of(organization).contains(key)
    }

    /// Takes in what was met elsewhere.
    pub fn extend(&mut self, other: Self) {
        for (organization, keys) in other.0 {
            self.0.entry(organization).or_default().extend(keys);
        }
    }

    /// With those that more than may be loaded together are about to have, before any row says so.
    pub fn about_to_be<'a>(said: impl Iterator<Item = &'a Key>) -> Self {
        let mut counts: BTreeMap<&Key, usize> = BTreeMap::new();
        for key in said {
            *counts.entry(key).or_default() += 1;
        }
        let mut crowded = Self::default();
        for ((organization, key), count) in counts {
            if count > MOST_LINKS {
                let of = crowded.0.entry(organization.clone()).or_default();
                of.insert(key.clone());
            }
        }
        crowded
    }

    /// Finds the crowded ones among the rows of one organization's keys, and takes their rows out.
    /// Whether there were any.
    fn sift(&mut self, organization: &str, rows: &mut Vec<(String, String, String)>) -> bool {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for (_, key, _) in rows.iter() {
            *counts.entry(key).or_default() += 1;
        }
        let many = counts.into_iter().filter(|(_, count)| *count > MOST_LINKS);
        let many: BTreeSet<String> = many.map(|(key, _)| key.to_owned()).collect();
        if many.is_empty() {
            return false;
        }
        rows.retain(|(_, key, _)| !many.contains(key));
        self.0
            .entry(organization.to_owned())
            .or_default()
            .extend(many);
        true
    }
}

/// The links that have any of the keys, each with the key; a crowded key is told instead.
pub(super) fn links_of_keys(
    conn: &mut Conn,
    of: &BTreeSet<Key>,
    crowded: &mut Crowded,
) -> QueryResult<Vec<(Key, String)>> {
    let mut by_organization: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (organization, key) in of {
        by_organization.entry(organization).or_default().push(key);
    }
    let mut all = Vec::new();
    for (organization, keys) in by_organization {
        for chunk in keys.chunks(ROWS_PER_STATEMENT) {
            let rows = links_of_some(conn, organization, chunk, crowded)?;
            all.extend(
                rows.into_iter()
                    .map(|(organization, key, link)| ((organization, key), link)),
            );
        }
    }
    Ok(all)
}

/// Who of an organization has any of the keys, each with the key; nobody for a crowded one.
pub fn who_has(
    conn: &mut Conn,
    organization: &str,
    keys: &BTreeSet<String>,
) -> QueryResult<Vec<(String, String)>> {
    let home = |key: &String| (organization.to_owned(), key.clone());
    let rows = links_of_keys(
        conn,
        &keys.iter().map(home).collect(),
        &mut Crowded::default(),
    )?;
    Ok(rows
        .into_iter()
        .map(|((_, key), user)| (key, user))
        .collect())
}

/// Where more rows are there than are asked for, one of the keys at least has too many: it is left
/// out, and the others are asked for again.
fn links_of_some(
    conn: &mut Conn,
    organization: &str,
    keys: &[&str],
    crowded: &mut Crowded,
) -> QueryResult<Vec<(String, String, String)>> {
    let mut keys = keys.to_vec();
    loop {
        let most = keys.len() * MOST_LINKS + 1;
        let mut rows: Vec<(String, String, String)> = on_backend!(conn, c => link_keys::table
            .filter(link_keys::organization_id.eq(organization))
            .filter(link_keys::key.eq_any(&keys))
            .limit(i64::try_from(most).unwrap_or(i64::MAX))
            .load(c))?;
        let all_of_them = rows.len() < most;
        let some_are = crowded.sift(organization, &mut rows);
        if all_of_them || !some_are {
            return Ok(rows);
        }
        let others = crowded.of(organization);
        keys.retain(|key| !others.contains(*key));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(key: &str, link: usize) -> (String, String, String) {
        ("org".to_owned(), key.to_owned(), link.to_string())
    }

    #[test]
    fn r20_a_key_is_crowded_from_the_first_link_beyond_the_most_that_are_loaded() {
        let mut rows: Vec<_> = (0..MOST_LINKS).map(|link| row("n:1", link)).collect();
        let mut crowded = Crowded::default();
        assert!(!crowded.sift("org", &mut rows));
        assert_eq!(rows.len(), MOST_LINKS);

        rows.extend([row("n:1", MOST_LINKS), row("n:2", 0)]);
        assert!(crowded.sift("org", &mut rows));
        assert_eq!(rows, [row("n:2", 0)]);
        assert!(crowded.contains(&("org".to_owned(), "n:1".to_owned())));
        assert!(!crowded.contains(&("other".to_owned(), "n:1".to_owned())));
    }
}
