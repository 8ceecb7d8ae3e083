//! The audit: one row a changed field or membership, append-only (R49), read back as a person's or
//! an event's chain.

use diesel::prelude::*;

use crate::clock::Timestamp;
use crate::db::schema::{changes, membership_refetches};
use crate::db::{Conn, ROWS_PER_STATEMENT, in_parts, on_backend};
use crate::domain::Change;
use crate::workos::OrderKey;

/// A change and what caused it.
#[derive(Debug, Clone)]
pub struct Caused {
    /// The organization.
    pub organization_id: String,
    /// What changed.
    pub change: Change,
    /// The event, if one did it.
    pub event_id: Option<String>,
    /// Its directory.
    pub directory_id: Option<String>,
    /// `directory`, or the operator's name.
    pub actor: String,
    /// The event's place in the order; an operator's act has its own instant.
    pub at: Timestamp,
    /// Whether the event was a removal.
    pub removal: bool,
}

impl Caused {
    /// A change that an event made.
    pub fn by_event(
        organization_id: &str,
        change: Change,
        key: &OrderKey,
        directory_id: &str,
    ) -> Self {
        Self {
            organization_id: organization_id.to_owned(),
            change,
            event_id: Some(key.event_id.clone()),
            directory_id: Some(directory_id.to_owned()),
            actor: "directory".to_owned(),
            at: key.at,
            removal: key.removal,
        }
    }

    /// A change that an operator made.
    pub fn by_operator(organization_id: &str, change: Change, actor: &str, at: Timestamp) -> Self {
        Self {
            organization_id: organization_id.to_owned(),
            change,
            event_id: None,
            directory_id: None,
            actor: actor.to_owned(),
            at,
            removal: false,
        }
    }
}

/// When the first change by one of the given events was written.
pub fn earliest(conn: &mut Conn, events: &[String]) -> QueryResult<Option<Timestamp>> {
    let mut first: Option<Timestamp> = None;
    for chunk in events.chunks(ROWS_PER_STATEMENT) {
        let found: Option<Timestamp> = on_backend!(conn, c => changes::table
            .filter(changes::event_id.eq_any(chunk))
            .order(changes::recorded_at)
            .select(changes::recorded_at)
            .first(c)
            .optional())?;
        first = first.into_iter().chain(found).min();
    }
    Ok(first)
}

#[derive(Insertable)]
#[diesel(table_name = changes, treat_none_as_default_value = false)]
struct NewRow<'a> {
    organization_id: &'a str,
    profile_id: &'a str,
    what: &'a str,
    name: &'a str,
    old: Option<&'a str>,
    new: Option<&'a str>,
    event_id: Option<&'a str>,
    directory_id: Option<&'a str>,
    actor: &'a str,
    at: Timestamp,
    removal: bool,
    recorded_at: Timestamp,
}

/// A change as shown.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = changes)]
#[allow(missing_docs, reason = "the columns are described in the migrations")]
pub struct ChangeRow {
    pub id: i64,
    pub profile_id: String,
    pub what: String,
    pub name: String,
    pub old: Option<String>,
    pub new: Option<String>,
    pub event_id: Option<String>,
    pub directory_id: Option<String>,
    pub actor: String,
    pub at: Timestamp,
    pub recorded_at: Timestamp,
}

/// Adds changes.
pub fn add(conn: &mut Conn, all: &[Caused], now: Timestamp) -> QueryResult<()> {
    for chunk in all.chunks(ROWS_PER_STATEMENT) {
        let rows: Vec<NewRow<'_>> = chunk
            .iter()
            .map(|one| NewRow {
                organization_id: &one.organization_id,
                profile_id: &one.change.profile_id,
                what: one.change.what,
                name: &one.change.name,
                old: one.change.old.as_deref(),
                new: one.change.new.as_deref(),
                event_id: one.event_id.as_deref(),
                directory_id: one.directory_id.as_deref(),
                actor: &one.actor,
                at: one.at,
                removal: one.removal,
                recorded_at: now,
            })
            .collect();
        on_backend!(conn, c => diesel::insert_into(changes::table).values(&rows).execute(c))?;
    }
    Ok(())
}

/// The changes of one profile, oldest first.
pub fn of_profile(conn: &mut Conn, profile: &str) -> QueryResult<Vec<ChangeRow>> {
    on_backend!(conn, c => changes::table
        .filter(changes::profile_id.eq(profile))
        .order(changes::id)
        .select(ChangeRow::as_select())
        .load(c))
}

/// The changes that events made, oldest first.
pub fn of_events(conn: &mut Conn, events: &[String]) -> QueryResult<Vec<ChangeRow>> {
    let mut all: Vec<ChangeRow> = in_parts(events, |some| {
        on_backend!(conn, c => changes::table
            .filter(changes::event_id.eq_any(some))
            .select(ChangeRow::as_select())
            .load(c))
    })?;
    all.sort_by_key(|change| change.id);
    Ok(all)
}

/// Moves the changes of a profile that turned out to be another's.
pub fn reassign(conn: &mut Conn, from: &str, to: &str) -> QueryResult<()> {
    on_backend!(conn, c => diesel::update(changes::table.filter(changes::profile_id.eq(from)))
        .set(changes::profile_id.eq(to))
        .execute(c))?;
    Ok(())
}

/// The id of the newest change; 0 when there is none.
pub fn newest(conn: &mut Conn) -> QueryResult<i64> {
    let newest: Option<i64> =
        on_backend!(conn, c => changes::table.select(diesel::dsl::max(changes::id)).first(c))?;
    Ok(newest.unwrap_or(0))
}

/// The returns of people that were recorded after a change: its id and whose it is, oldest first.
pub fn returns_after(conn: &mut Conn, after: i64, limit: i64) -> QueryResult<Vec<(i64, String)>> {
    on_backend!(conn, c => changes::table
        .filter(changes::id.gt(after))
        .filter(changes::what.eq("status"))
        .filter(changes::old.eq("removed"))
        .filter(changes::new.eq_any(["active", "on_leave"]))
        .order(changes::id)
        .limit(limit)
        .select((changes::id, changes::profile_id))
        .load(c))
}

/// How far returns were read.
pub fn refetched(conn: &mut Conn) -> QueryResult<Option<i64>> {
    on_backend!(conn, c => membership_refetches::table
        .find("returns")
        .select(membership_refetches::change_id)
        .first(c)
        .optional())
}

/// Moves on how far returns were read; never back.
pub fn set_refetched(conn: &mut Conn, to: i64) -> QueryResult<()> {
    on_backend!(conn, c => diesel::insert_into(membership_refetches::table)
        .values((membership_refetches::name.eq("returns"), membership_refetches::change_id.eq(to)))
        .on_conflict_do_nothing()
        .execute(c))?;
    on_backend!(conn, c => diesel::update(membership_refetches::table
        .filter(membership_refetches::name.eq("returns"))
        .filter(membership_refetches::change_id.lt(to)))
        .set(membership_refetches::change_id.eq(to))
        .execute(c))?;
    Ok(())
}

/// Every value that a field of somebody ever had.
pub fn values_of(conn: &mut Conn, profile: &str, field: &str) -> QueryResult<Vec<String>> {
    let rows: Vec<(Option<String>, Option<String>)> = on_backend!(conn, c => changes::table
        .filter(changes::profile_id.eq(profile))
        .filter(changes::name.eq(field))
        .select((changes::old, changes::new))
        .load(c))?;
    let both = rows.into_iter().flat_map(|(old, new)| [old, new]);
    Ok(both.flatten().collect())
}

/// Takes the values out of somebody's audit (R65): that a field changed stays, what it said goes.
pub fn blank(conn: &mut Conn, profile: &str) -> QueryResult<()> {
    on_backend!(conn, c => diesel::update(changes::table
        .filter(changes::profile_id.eq(profile))
        .filter(changes::what.ne_all(["status", "membership"])))
        .set((changes::old.eq(None::<String>), changes::new.eq(None::<String>)))
        .execute(c))?;
    Ok(())
}
