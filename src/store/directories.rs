//! Directories and their lives. One is created at first sight (C9); where no event ever named its
//! organization, it gets one of its own until an event does.

use std::collections::BTreeMap;

use diesel::prelude::*;
use diesel::upsert::excluded;

use crate::clock::Timestamp;
use crate::db::schema::{
    directories, group_edges, groups, identity_changes, identity_decisions, link_keys, links,
    memberships, observations, profiles,
};
use crate::db::{Conn, on_backend};
use crate::domain::{DirectoryLife, DirectoryTurn};

use super::{to_json, unreadable};

/// A directory.
#[derive(Debug, Clone, PartialEq)]
pub struct Directory {
    /// WorkOS's id.
    pub id: String,
    /// Its organization.
    pub organization_id: String,
    /// Its name.
    pub name: Option<String>,
    /// `active`, `detached`, or what WorkOS said.
    pub state: String,
    /// Its turns and its type.
    pub life: DirectoryLife,
    /// When it was first heard of.
    pub first_seen_at: Timestamp,
    /// When something was last heard from it.
    pub last_event_at: Timestamp,
}

#[derive(Queryable, Insertable)]
#[diesel(table_name = directories, treat_none_as_default_value = false)]
struct Row {
    id: String,
    organization_id: String,
    directory_type: Option<String>,
    name: Option<String>,
    state: String,
    timeline: String,
    first_seen_at: Timestamp,
    last_event_at: Timestamp,
}

impl Row {
    fn read(self) -> QueryResult<Directory> {
        let turns: Vec<DirectoryTurn> = serde_json::from_str(&self.timeline)
            .map_err(|error| unreadable("timeline", &self.id, &error))?;
        Ok(Directory {
            id: self.id,
            organization_id: self.organization_id,
            name: self.name,
            state: self.state,
            life: DirectoryLife {
                kind: self.directory_type,
                turns,
            },
            first_seen_at: self.first_seen_at,
            last_event_at: self.last_event_at,
        })
    }

    fn write(one: &Directory) -> QueryResult<Self> {
        Ok(Self {
            id: one.id.clone(),
            organization_id: one.organization_id.clone(),
            directory_type: one.life.kind.clone(),
            name: one.name.clone(),
            state: one.state.clone(),
            timeline: to_json(&one.life.turns)?,
            first_seen_at: one.first_seen_at,
            last_event_at: one.last_event_at,
        })
    }
}

impl Directory {
    /// A directory heard of for the first time.
    pub fn new(id: &str, organization: Option<&str>, now: Timestamp) -> Self {
        Self {
            id: id.to_owned(),
            organization_id: organization.map_or_else(|| unnamed_organization(id), str::to_owned),
            name: None,
            state: "active".to_owned(),
            life: DirectoryLife::default(),
            first_seen_at: now,
            last_event_at: now,
        }
    }

    /// Whether no event has named its organization yet.
    pub fn is_homeless(&self) -> bool {
        self.organization_id == unnamed_organization(&self.id)
    }
}

/// The organization of a directory whose events name none (payloads before 2022, contract 3.3).
pub fn unnamed_organization(directory: &str) -> String {
    format!("org_of_{directory}")
}

/// Those of the given ids that exist.
pub fn load(conn: &mut Conn, ids: &[String]) -> QueryResult<BTreeMap<String, Directory>> {
    let rows: Vec<Row> =
        on_backend!(conn, c => directories::table.filter(directories::id.eq_any(ids)).load(c))?;
    rows.into_iter()
        .map(|row| row.read().map(|one| (one.id.clone(), one)))
        .collect()
}

/// All directories of the given organizations.
pub fn of_organizations(
    conn: &mut Conn,
    organizations: &[String],
) -> QueryResult<BTreeMap<String, Directory>> {
    let rows: Vec<Row> = on_backend!(conn, c => directories::table.filter(directories::organization_id.eq_any(organizations)).load(c))?;
    rows.into_iter()
        .map(|row| row.read().map(|one| (one.id.clone(), one)))
        .collect()
}

/// Newest first; `only` limits to one organization.
pub fn list(
    conn: &mut Conn,
    only: Option<&str>,
    before: Option<(Timestamp, String)>,
    limit: i64,
) -> QueryResult<Vec<Directory>> {
    let rows: Vec<Row> = on_backend!(conn, c => {
        let mut query = directories::table.order((directories::first_seen_at.desc(), directories::id.desc())).limit(limit).into_boxed();
        if let Some(only) = only {
            query = query.filter(directories::organization_id.eq(only));
        }
        if let Some((at, id)) = before {
            query = query.filter(directories::first_seen_at.lt(at).or(directories::first_seen_at.eq(at).and(directories::id.lt(id))));
        }
        query.load(c)
    })?;
    rows.into_iter().map(Row::read).collect()
}

/// Writes directories, new or known.
pub fn save(conn: &mut Conn, all: &[&Directory]) -> QueryResult<()> {
    let rows: Vec<Row> = all
        .iter()
        .map(|one| Row::write(one))
        .collect::<QueryResult<_>>()?;
    on_backend!(conn, c => diesel::insert_into(directories::table)
        .values(&rows)
        .on_conflict(directories::id)
        .do_update()
        .set((
            directories::organization_id.eq(excluded(directories::organization_id)),
            directories::directory_type.eq(excluded(directories::directory_type)),
            directories::name.eq(excluded(directories::name)),
            directories::state.eq(excluded(directories::state)),
            directories::timeline.eq(excluded(directories::timeline)),
            directories::last_event_at.eq(excluded(directories::last_event_at)),
        ))
        .execute(c))?;
    Ok(())
}

/// Moves everything a directory brought to the organization an event named at last.
pub fn relocate(conn: &mut Conn, from: &str, to: &str) -> QueryResult<()> {
    on_backend!(conn, c => {
        diesel::update(directories::table.filter(directories::organization_id.eq(from))).set(directories::organization_id.eq(to)).execute(c)?;
        diesel::update(links::table.filter(links::organization_id.eq(from))).set(links::organization_id.eq(to)).execute(c)?;
        diesel::update(link_keys::table.filter(link_keys::organization_id.eq(from))).set(link_keys::organization_id.eq(to)).execute(c)?;
        diesel::update(profiles::table.filter(profiles::organization_id.eq(from))).set(profiles::organization_id.eq(to)).execute(c)?;
        diesel::update(observations::table.filter(observations::organization_id.eq(from))).set(observations::organization_id.eq(to)).execute(c)?;
        diesel::update(groups::table.filter(groups::organization_id.eq(from))).set(groups::organization_id.eq(to)).execute(c)?;
        diesel::update(group_edges::table.filter(group_edges::organization_id.eq(from))).set(group_edges::organization_id.eq(to)).execute(c)?;
        diesel::update(memberships::table.filter(memberships::organization_id.eq(from))).set(memberships::organization_id.eq(to)).execute(c)?;
        diesel::update(identity_decisions::table.filter(identity_decisions::organization_id.eq(from))).set(identity_decisions::organization_id.eq(to)).execute(c)?;
        diesel::update(identity_changes::table.filter(identity_changes::organization_id.eq(from))).set(identity_changes::organization_id.eq(to)).execute(c)?;
        Ok(())
    })
}
