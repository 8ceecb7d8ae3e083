//! Whom directory users stand for: the links of people, the people of links, and how many of each there
//! are.

use std::collections::BTreeMap;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};

use crate::db::schema::{links, profiles};
use crate::db::{Conn, in_parts, on_backend};

use super::profiles::ProfileRow;

/// A link as shown.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = links)]
#[allow(missing_docs, reason = "the columns are described in the migrations")]
pub struct LinkRow {
    pub directory_user_id: String,
    pub directory_id: String,
    pub idp_id: Option<String>,
    pub profile_id: Option<String>,
    pub state: String,
}

/// The links of the given profiles, by profile.
pub fn links_of(conn: &mut Conn, ids: &[String]) -> QueryResult<BTreeMap<String, Vec<LinkRow>>> {
    let rows: Vec<LinkRow> = in_parts(ids, |some| {
        on_backend!(conn, c => links::table
            .filter(links::profile_id.eq_any(some))
            .order(links::directory_user_id)
            .select(LinkRow::as_select())
            .load(c))
    })?;
    let mut by_profile: BTreeMap<String, Vec<LinkRow>> = BTreeMap::new();
    for row in rows {
        if let Some(profile) = row.profile_id.clone() {
            by_profile.entry(profile).or_default().push(row);
        }
    }
    Ok(by_profile)
}

/// Active directory users of a directory with their people, by directory user.
pub fn active_of_directory(
    conn: &mut Conn,
    directory: &str,
    limit: i64,
) -> QueryResult<Vec<(LinkRow, ProfileRow)>> {
    on_backend!(conn, c => links::table
        .inner_join(profiles::table.on(profiles::id.nullable().eq(links::profile_id)))
        .filter(links::directory_id.eq(directory))
        .filter(links::state.eq("active"))
        .order(links::directory_user_id)
        .limit(limit)
        .select((LinkRow::as_select(), ProfileRow::as_select()))
        .load(c))
}

/// The profile behind each of the given directory users.
pub fn profile_of_links(
    conn: &mut Conn,
    directory_users: &[String],
) -> QueryResult<BTreeMap<String, String>> {
    let rows: Vec<(String, Option<String>)> = in_parts(directory_users, |some| {
        on_backend!(conn, c => links::table
            .filter(links::directory_user_id.eq_any(some))
            .select((links::directory_user_id, links::profile_id))
            .load(c))
    })?;
    Ok(rows
        .into_iter()
        .filter_map(|(link, profile)| Some((link, profile?)))
        .collect())
}

/// The organizations that people are in.
pub fn organizations_of(conn: &mut Conn, ids: &[String]) -> QueryResult<Vec<String>> {
    let mut all: Vec<String> = in_parts(ids, |some| {
        on_backend!(conn, c => profiles::table
            .filter(profiles::id.eq_any(some))
            .select(profiles::organization_id)
            .distinct()
            .load(c))
    })?;
    all.sort();
    all.dedup();
    Ok(all)
}

/// How many people of each organization have each status.
pub fn counts_of_organizations(
    conn: &mut Conn,
    organizations: &[String],
) -> QueryResult<BTreeMap<String, BTreeMap<String, i64>>> {
    let rows: Vec<(String, String, i64)> = on_backend!(conn, c => profiles::table
        .filter(profiles::organization_id.eq_any(organizations))
        .group_by((profiles::organization_id, profiles::status))
        .select((profiles::organization_id, profiles::status, diesel::dsl::count_star()))
        .load(c))?;
    Ok(nested(rows))
}

/// As [`counts_of_organizations`], of some statuses and each count up to a number: for pages, which
/// need not know a hundred thousand to the last one.
pub fn counts_up_to(
    conn: &mut Conn,
    organizations: &[String],
    statuses: &[&str],
    cap: i64,
) -> QueryResult<BTreeMap<String, BTreeMap<String, i64>>> {
    let mut rows = Vec::new();
    for organization in organizations {
        for status in statuses {
            let count: Count = on_backend!(conn, c => diesel::sql_query(
                "SELECT count(*) AS count FROM (SELECT 1 FROM profiles \
                 WHERE organization_id = $1 AND status = $2 LIMIT $3) AS counted")
                .bind::<Text, _>(organization)
                .bind::<Text, _>(*status)
                .bind::<BigInt, _>(cap)
                .get_result(c))?;
            rows.push((organization.clone(), (*status).to_owned(), count.count));
        }
    }
    Ok(nested(rows))
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

/// How many directory users of each directory are in each state.
pub fn link_counts_of_directories(
    conn: &mut Conn,
    directories: &[String],
) -> QueryResult<BTreeMap<String, BTreeMap<String, i64>>> {
    let rows: Vec<(String, String, i64)> = on_backend!(conn, c => links::table
        .filter(links::directory_id.eq_any(directories))
        .group_by((links::directory_id, links::state))
        .select((links::directory_id, links::state, diesel::dsl::count_star()))
        .load(c))?;
    Ok(nested(rows))
}

fn nested(rows: Vec<(String, String, i64)>) -> BTreeMap<String, BTreeMap<String, i64>> {
    let mut all: BTreeMap<String, BTreeMap<String, i64>> = BTreeMap::new();
    for (owner, word, count) in rows {
        all.entry(owner).or_default().insert(word, count);
    }
    all
}

/// One link, where it is known.
pub fn link(conn: &mut Conn, directory_user: &str) -> QueryResult<Option<LinkRow>> {
    on_backend!(conn, c => links::table
        .find(directory_user)
        .select(LinkRow::as_select())
        .first(c)
        .optional())
}

/// The state of one link, as shown.
pub fn state_of_link(conn: &mut Conn, directory_user: &str) -> QueryResult<Option<String>> {
    on_backend!(conn, c => links::table
        .find(directory_user)
        .select(links::state)
        .first(c)
        .optional())
}
