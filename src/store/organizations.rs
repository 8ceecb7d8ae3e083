//! Organizations: WorkOS's id, whether messaging is on, and their settings. One is
//! created at first sight (C9).

use std::collections::BTreeMap;

use diesel::prelude::*;

use crate::clock::Timestamp;
use crate::db::schema::organizations;
use crate::db::{Conn, in_parts, on_backend};
use crate::domain::Settings;

use super::unreadable;

/// An organization.
#[derive(Debug, Clone, PartialEq)]
pub struct Organization {
    /// WorkOS's id.
    pub id: String,
    /// Its name, if anybody said one.
    pub name: Option<String>,
    /// Since when its triggers may fire (R56).
    pub messaging_enabled_at: Option<Timestamp>,
    /// What its operators set.
    pub settings: Settings,
    /// When it was first heard of.
    pub first_seen_at: Timestamp,
    /// When WorkOS said that it was deleted (R84).
    pub deleted_at: Option<Timestamp>,
    /// What an operator decided about the people of a deleted organization.
    pub deletion_decision: Option<String>,
}

/// The people of a deleted organization stay, and may come in again.
pub const KEEP: &str = "keep";
/// The people of a deleted organization are removed.
pub const REMOVE: &str = "remove";

type Row = (
    String,
    Option<String>,
    Option<Timestamp>,
    String,
    Timestamp,
    Option<Timestamp>,
    Option<String>,
);

fn read(row: Row) -> QueryResult<Organization> {
    let (id, name, messaging_enabled_at, settings, first_seen_at, deleted_at, deletion_decision) =
        row;
    let settings =
        serde_json::from_str(&settings).map_err(|error| unreadable("settings", &id, &error))?;
    Ok(Organization {
        id,
        name,
        messaging_enabled_at,
        settings,
        first_seen_at,
        deleted_at,
        deletion_decision,
    })
}

/// Those of the given ids that exist.
pub fn load(conn: &mut Conn, ids: &[String]) -> QueryResult<BTreeMap<String, Organization>> {
    let rows: Vec<Row> = in_parts(
        ids,
        |some| on_backend!(conn, c => organizations::table.filter(organizations::id.eq_any(some)).load(c)),
    )?;
    rows.into_iter()
        .map(|row| read(row).map(|one| (one.id.clone(), one)))
        .collect()
}

/// One organization.
pub fn find(conn: &mut Conn, id: &str) -> QueryResult<Option<Organization>> {
    Ok(load(conn, &[id.to_owned()])?.into_values().next())
}

/// All of them, newest first, from a cursor on.
pub fn list(
    conn: &mut Conn,
    only: Option<&str>,
    before: Option<(Timestamp, String)>,
    limit: i64,
) -> QueryResult<Vec<Organization>> {
    let rows: Vec<Row> = on_backend!(conn, c => {
        let mut query = organizations::table
            .order((organizations::first_seen_at.desc(), organizations::id.desc()))
            .limit(limit)
            .into_boxed();
        if let Some(only) = only {
            query = query.filter(organizations::id.eq(only));
        }
        if let Some((at, id)) = before {
            query = query.filter(organizations::first_seen_at.lt(at).or(organizations::first_seen_at.eq(at).and(organizations::id.lt(id))));
        }
        query.load(c)
    })?;
    rows.into_iter().map(read).collect()
}

/// Creates those that are not there yet, with messaging on or off.
pub fn ensure(conn: &mut Conn, ids: &[String], messaging: bool, now: Timestamp) -> QueryResult<()> {
    let rows: Vec<_> = ids
        .iter()
        .map(|id| {
            (
                organizations::id.eq(id),
                organizations::messaging_enabled_at.eq(messaging.then_some(now)),
                organizations::settings.eq("{}"),
                organizations::first_seen_at.eq(now),
            )
        })
        .collect();
    for row in rows {
        on_backend!(conn, c => diesel::insert_into(organizations::table).values(row).on_conflict_do_nothing().execute(c))?;
    }
    Ok(())
}

/// Turns messaging on or off; false when there is no such organization.
pub fn set_messaging(
    conn: &mut Conn,
    id: &str,
    messaging_enabled_at: Option<Timestamp>,
) -> QueryResult<bool> {
    let changed = on_backend!(conn, c => diesel::update(organizations::table.find(id))
        .set(organizations::messaging_enabled_at.eq(messaging_enabled_at))
        .execute(c))?;
    Ok(changed > 0)
}

/// Notes that WorkOS deleted an organization; its triggers fire no more (R84).
pub fn set_deleted(conn: &mut Conn, id: &str, at: Timestamp) -> QueryResult<()> {
    on_backend!(conn, c => diesel::update(organizations::table.find(id))
        .set((
            organizations::deleted_at.eq(at),
            organizations::messaging_enabled_at.eq(None::<Timestamp>),
        ))
        .execute(c))?;
    Ok(())
}

/// Notes what was decided about the people of a deleted organization: [`KEEP`] or [`REMOVE`].
pub fn decide_deletion(conn: &mut Conn, id: &str, decision: &str) -> QueryResult<()> {
    on_backend!(conn, c => diesel::update(organizations::table.find(id))
        .set(organizations::deletion_decision.eq(decision))
        .execute(c))?;
    Ok(())
}

/// Replaces an organization's settings.
pub fn save_settings(conn: &mut Conn, id: &str, settings: &Settings) -> QueryResult<()> {
    let settings = super::to_json(settings)?;
    on_backend!(conn, c => diesel::update(organizations::table.find(id))
        .set(organizations::settings.eq(settings))
        .execute(c))?;
    Ok(())
}
