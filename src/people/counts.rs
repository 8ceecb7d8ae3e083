//! How many: people of each organization by status, directory users of each directory by state.

use std::collections::BTreeMap;

use diesel::prelude::*;

use crate::db::schema::{links, profiles};
use crate::db::{Conn, on_backend};

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
