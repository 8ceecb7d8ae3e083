//! Groups and their edges as rows. An edge may stand before its user or its group is known (R16).

use std::collections::{BTreeMap, BTreeSet};

use diesel::prelude::*;
use diesel::upsert::excluded;

use crate::clock::Timestamp;
use crate::db::schema::{group_edges, groups, links};
use crate::db::{Conn, ROWS_PER_STATEMENT, in_parts, on_backend};
use crate::domain::{Edge, Group};
use crate::workos::OrderKey;

use super::{to_json, unreadable};

#[derive(Insertable)]
#[diesel(table_name = groups, treat_none_as_default_value = false)]
struct GroupRow<'a> {
    id: &'a str,
    organization_id: &'a str,
    directory_id: &'a str,
    idp_id: Option<&'a str>,
    name: &'a str,
    state: &'static str,
    remembered: String,
    renamed: bool,
}

/// Those of the given groups that are known.
pub fn load(conn: &mut Conn, ids: &[String]) -> QueryResult<BTreeMap<String, Group>> {
    let rows: Vec<(String, String)> = in_parts(ids, |some| {
        on_backend!(conn, c => groups::table
            .filter(groups::id.eq_any(some))
            .select((groups::id, groups::remembered))
            .load(c))
    })?;
    rows.into_iter()
        .map(|(id, remembered)| Ok((id.clone(), read((id, remembered))?)))
        .collect()
}

/// Writes groups, new or known, each with its organization.
pub fn save(conn: &mut Conn, all: &[(&str, &Group)]) -> QueryResult<()> {
    for chunk in all.chunks(ROWS_PER_STATEMENT) {
        let rows: Vec<GroupRow<'_>> = chunk
            .iter()
            .map(|(organization_id, group)| {
                Ok(GroupRow {
                    id: &group.id,
                    organization_id,
                    directory_id: &group.directory_id,
                    idp_id: group.idp_id.as_deref(),
                    name: &group.name,
                    state: if group.exists() { "active" } else { "deleted" },
                    remembered: to_json(group)?,
                    renamed: group.former_names().next().is_some(),
                })
            })
            .collect::<QueryResult<_>>()?;
        on_backend!(conn, c => diesel::insert_into(groups::table)
            .values(&rows)
            .on_conflict(groups::id)
            .do_update()
            .set((
                groups::idp_id.eq(excluded(groups::idp_id)),
                groups::name.eq(excluded(groups::name)),
                groups::state.eq(excluded(groups::state)),
                groups::remembered.eq(excluded(groups::remembered)),
                groups::renamed.eq(excluded(groups::renamed)),
            ))
            .execute(c))?;
    }
    Ok(())
}

#[derive(Queryable, Insertable)]
#[diesel(table_name = group_edges, treat_none_as_default_value = false)]
struct EdgeRow {
    group_id: String,
    directory_user_id: String,
    organization_id: String,
    present: bool,
    at: Timestamp,
    removal: bool,
    event_id: String,
    recorded_at: Timestamp,
    idp_id: Option<String>,
}

impl From<EdgeRow> for Edge {
    fn from(row: EdgeRow) -> Self {
        Self {
            group_id: row.group_id,
            directory_user_id: row.directory_user_id,
            idp_id: row.idp_id,
            present: row.present,
            key: OrderKey {
                at: row.at,
                removal: row.removal,
                event_id: row.event_id,
            },
        }
    }
}

/// The edges of the given directory users.
pub fn edges_of_links(conn: &mut Conn, directory_users: &[String]) -> QueryResult<Vec<Edge>> {
    let rows: Vec<EdgeRow> = in_parts(directory_users, |some| {
        on_backend!(conn, c => group_edges::table
            .filter(group_edges::directory_user_id.eq_any(some))
            .load(c))
    })?;
    Ok(rows.into_iter().map(Edge::from).collect())
}

/// Deletes the edges of people who were erased.
pub fn delete_edges_of(conn: &mut Conn, directory_users: &[String]) -> QueryResult<()> {
    on_backend!(conn, c => diesel::delete(group_edges::table
        .filter(group_edges::directory_user_id.eq_any(directory_users)))
        .execute(c))?;
    Ok(())
}

/// Writes edges, new or known.
pub fn save_edges(conn: &mut Conn, all: &[(String, Edge)], now: Timestamp) -> QueryResult<()> {
    for chunk in all.chunks(ROWS_PER_STATEMENT) {
        let rows: Vec<EdgeRow> = chunk
            .iter()
            .map(|(organization_id, edge)| EdgeRow {
                group_id: edge.group_id.clone(),
                directory_user_id: edge.directory_user_id.clone(),
                organization_id: organization_id.clone(),
                present: edge.present,
                at: edge.key.at,
                removal: edge.key.removal,
                event_id: edge.key.event_id.clone(),
                recorded_at: now,
                idp_id: edge.idp_id.clone(),
            })
            .collect();
        on_backend!(conn, c => diesel::insert_into(group_edges::table)
            .values(&rows)
            .on_conflict((group_edges::group_id, group_edges::directory_user_id))
            .do_update()
            .set((
                group_edges::present.eq(excluded(group_edges::present)),
                group_edges::at.eq(excluded(group_edges::at)),
                group_edges::removal.eq(excluded(group_edges::removal)),
                group_edges::event_id.eq(excluded(group_edges::event_id)),
            ))
            .execute(c))?;
    }
    Ok(())
}

/// The edges to any of the given groups: group and directory user.
pub fn in_groups(conn: &mut Conn, groups: &[String]) -> QueryResult<Vec<(String, String)>> {
    if groups.is_empty() {
        return Ok(Vec::new());
    }
    on_backend!(conn, c => group_edges::table
        .filter(group_edges::group_id.eq_any(groups))
        .select((group_edges::group_id, group_edges::directory_user_id))
        .load(c))
}

/// Groups of an organization or all, by name, after a cursor.
pub fn list(
    conn: &mut Conn,
    organization: Option<&str>,
    after: Option<(String, String)>,
    limit: i64,
) -> QueryResult<Vec<(String, Group)>> {
    let rows: Vec<(String, String, String)> = on_backend!(conn, c => {
        let mut query = groups::table
            .select((groups::id, groups::organization_id, groups::remembered))
            .order((groups::name, groups::id))
            .limit(limit)
            .into_boxed();
        if let Some(organization) = organization {
            query = query.filter(groups::organization_id.eq(organization));
        }
        if let Some((name, id)) = after {
            query = query.filter(groups::name.gt(name.clone()).or(groups::name.eq(name).and(groups::id.gt(id))));
        }
        query.load(c)
    })?;
    rows.into_iter()
        .map(|(id, organization, remembered)| Ok((organization, read((id, remembered))?)))
        .collect()
}

/// The living groups of a directory.
pub fn of_directory(conn: &mut Conn, directory: &str) -> QueryResult<Vec<Group>> {
    let rows: Vec<(String, String)> = on_backend!(conn, c => groups::table
        .filter(groups::directory_id.eq(directory))
        .filter(groups::state.eq("active"))
        .select((groups::id, groups::remembered))
        .load(c))?;
    rows.into_iter().map(read).collect()
}

/// All groups of a directory, also those that have ended: whoever joined one of them later than it
/// ended stands in it.
pub fn ever_of_directory(conn: &mut Conn, directory: &str) -> QueryResult<Vec<Group>> {
    let rows: Vec<(String, String)> = on_backend!(conn, c => groups::table
        .filter(groups::directory_id.eq(directory))
        .select((groups::id, groups::remembered))
        .load(c))?;
    rows.into_iter().map(read).collect()
}

/// The groups of the given directories that had another name before.
pub fn renamed(conn: &mut Conn, directories: &BTreeSet<&str>) -> QueryResult<Vec<Group>> {
    if directories.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<(String, String)> = on_backend!(conn, c => groups::table
        .filter(groups::directory_id.eq_any(directories))
        .filter(groups::renamed)
        .select((groups::id, groups::remembered))
        .load(c))?;
    rows.into_iter().map(read).collect()
}

fn read((id, remembered): (String, String)) -> QueryResult<Group> {
    serde_json::from_str(&remembered).map_err(|error| unreadable("group", &id, &error))
}

/// The people of directory users as edges name them, by WorkOS's id or by the provider's (R95): name
/// and profile.
pub fn people_of(conn: &mut Conn, names: &[String]) -> QueryResult<Vec<(String, String)>> {
    let named: Vec<(String, Option<String>)> = in_parts(names, |some| {
        on_backend!(conn, c => links::table
            .filter(links::directory_user_id.eq_any(some))
            .select((links::directory_user_id, links::profile_id))
            .load(c))
    })?;
    let all = named.into_iter().chain(named_by_provider(conn, names)?);
    Ok(all
        .filter_map(|(name, profile)| Some((name, profile?)))
        .collect())
}

/// Those whom edges name by the provider's id. Three look-ups by index instead of one join: PostgreSQL
/// chose to walk all edges in the order of their groups where it knew no statistics.
fn named_by_provider(
    conn: &mut Conn,
    names: &[String],
) -> QueryResult<BTreeSet<(String, Option<String>)>> {
    let edges: Vec<(String, String, Option<String>)> = in_parts(names, |some| {
        on_backend!(conn, c => group_edges::table
            .filter(group_edges::directory_user_id.eq_any(some))
            .filter(group_edges::idp_id.is_not_null())
            .select((group_edges::group_id, group_edges::directory_user_id, group_edges::idp_id))
            .load(c))
    })?;
    if edges.is_empty() {
        return Ok(BTreeSet::new());
    }
    let ids: BTreeSet<String> = edges.iter().map(|(group, ..)| group.clone()).collect();
    let ids: Vec<String> = ids.into_iter().collect();
    let homes: Vec<(String, String)> = in_parts(&ids, |some| {
        on_backend!(conn, c => groups::table
            .filter(groups::id.eq_any(some))
            .select((groups::id, groups::directory_id))
            .load(c))
    })?;
    let homes: BTreeMap<String, String> = homes.into_iter().collect();
    let directories: BTreeSet<&String> = homes.values().collect();
    let provided: BTreeSet<String> = edges.iter().filter_map(|(.., id)| id.clone()).collect();
    let provided: Vec<String> = provided.into_iter().collect();
    type Found = (String, Option<String>, Option<String>);
    let found: Vec<Found> = in_parts(&provided, |some| {
        on_backend!(conn, c => links::table
            .filter(links::directory_id.eq_any(&directories))
            .filter(links::idp_id.eq_any(some))
            .select((links::directory_id, links::idp_id, links::profile_id))
            .load(c))
    })?;
    let mut holders: BTreeMap<(String, Option<String>), Vec<Option<String>>> = BTreeMap::new();
    for (directory, idp_id, profile) in found {
        holders
            .entry((directory, idp_id))
            .or_default()
            .push(profile);
    }
    let mut people = BTreeSet::new();
    for (group, name, id) in edges {
        let Some(home) = homes.get(&group) else {
            continue;
        };
        let meant = holders.get(&(home.clone(), id)).into_iter().flatten();
        people.extend(meant.map(|profile| (name.clone(), profile.clone())));
    }
    Ok(people)
}

/// Those of the given names that living groups of these directories have: directory and name.
pub fn names_in_use(
    conn: &mut Conn,
    directories: &BTreeSet<String>,
    names: &BTreeSet<String>,
) -> QueryResult<BTreeSet<(String, String)>> {
    if names.is_empty() {
        return Ok(BTreeSet::new());
    }
    let rows: Vec<(String, String)> = on_backend!(conn, c => groups::table
        .filter(groups::directory_id.eq_any(directories))
        .filter(groups::name.eq_any(names))
        .filter(groups::state.eq("active"))
        .select((groups::directory_id, groups::name))
        .load(c))?;
    Ok(rows.into_iter().collect())
}

/// The directory users whose last word about a group was that they joined it, whatever became of it.
pub fn joined(conn: &mut Conn, group: &str) -> QueryResult<BTreeSet<String>> {
    let rows: Vec<String> = on_backend!(conn, c => group_edges::table
        .filter(group_edges::group_id.eq(group))
        .filter(group_edges::present.eq(true))
        .select(group_edges::directory_user_id)
        .load(c))?;
    Ok(rows.into_iter().collect())
}

/// A place in a group whose user or group nobody has told us about (R16).
#[derive(Debug, Clone, PartialEq, Eq, Queryable)]
#[allow(missing_docs, reason = "the columns are described in the migrations")]
pub struct WaitingEdge {
    pub organization_id: String,
    pub group_id: String,
    pub group_name: Option<String>,
    pub directory_user_id: String,
    pub idp_id: Option<String>,
    pub known_user: Option<String>,
    pub recorded_at: Timestamp,
}

/// Places in groups that have waited since `before` for their user or their group, the oldest first.
pub fn waiting(
    conn: &mut Conn,
    organization: Option<&str>,
    before: Timestamp,
    after: Option<(Timestamp, String, String)>,
    limit: i64,
) -> QueryResult<Vec<WaitingEdge>> {
    // Whoever has the provider's id, where that is all an event said.
    let provided = diesel::alias!(links as provided);
    on_backend!(conn, c => {
        let has_it = provided
            .filter(provided.field(links::directory_id).nullable().eq(groups::directory_id.nullable()))
            .filter(provided.field(links::idp_id).eq(group_edges::idp_id));
        let mut query = group_edges::table
            .left_join(links::table.on(links::directory_user_id.eq(group_edges::directory_user_id)))
            .left_join(groups::table.on(groups::id.eq(group_edges::group_id)))
            .filter(group_edges::present.eq(true))
            .filter(group_edges::recorded_at.le(before))
            .filter(
                links::directory_user_id.nullable().is_null()
                    .and(diesel::dsl::not(diesel::dsl::exists(has_it)))
                    .or(groups::name.nullable().is_null())
                    .or(groups::name.nullable().eq("")),
            )
            .filter(groups::state.nullable().is_null().or(groups::state.nullable().eq("active")))
            .order((group_edges::recorded_at, group_edges::group_id, group_edges::directory_user_id))
            .limit(limit)
            .select((
                group_edges::organization_id,
                group_edges::group_id,
                groups::name.nullable(),
                group_edges::directory_user_id,
                group_edges::idp_id,
                links::directory_user_id.nullable(),
                group_edges::recorded_at,
            ))
            .into_boxed();
        if let Some(organization) = organization {
            query = query.filter(group_edges::organization_id.eq(organization));
        }
        if let Some((at, group, user)) = after {
            let later = group_edges::group_id.gt(group.clone())
                .or(group_edges::group_id.eq(group).and(group_edges::directory_user_id.gt(user)));
            query = query.filter(group_edges::recorded_at.gt(at).or(group_edges::recorded_at.eq(at).and(later)));
        }
        query.load(c)
    })
}
