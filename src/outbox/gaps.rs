//! The gaps: events that WorkOS has and no webhook brought, written in the commit that brought them
//! in by catching up. A webhook that comes after all is noted, and the event counts as late, not lost.

use diesel::prelude::*;

use crate::clock::Timestamp;
use crate::db::schema::{event_gaps, outbox};
use crate::db::{Conn, on_backend};

use super::NewEvent;

/// An event that catching up found.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = event_gaps, treat_none_as_default_value = false)]
#[allow(missing_docs, reason = "the columns are described in the migrations")]
pub struct Gap {
    pub event_id: String,
    pub event_type: String,
    pub organization_id: Option<String>,
    pub directory_id: Option<String>,
    pub occurred_at: Timestamp,
    pub found_at: Timestamp,
    pub webhook_at: Option<Timestamp>,
}

/// Which gaps. Everything given must hold.
#[derive(Debug, Clone, Default)]
pub struct GapFilter {
    /// One organization.
    pub organization_id: Option<String>,
    /// Only what happened since.
    pub since: Option<Timestamp>,
    /// Only before this event, in time (the cursor).
    pub before: Option<(Timestamp, String)>,
}

/// Writes down events that no webhook brought so far.
pub fn found(conn: &mut Conn, events: &[&NewEvent]) -> QueryResult<()> {
    if events.is_empty() {
        return Ok(());
    }
    let rows: Vec<Gap> = events
        .iter()
        .map(|event| Gap {
            event_id: event.event_id.clone(),
            event_type: event.event_type.clone(),
            organization_id: event.organization_id.clone(),
            directory_id: event.directory_id.clone(),
            occurred_at: event.occurred_at,
            found_at: event.received_at,
            webhook_at: None,
        })
        .collect();
    on_backend!(conn, c => diesel::insert_into(event_gaps::table).values(&rows).on_conflict_do_nothing().execute(c))?;
    Ok(())
}

/// Notes that webhooks brought them after all; the first time counts.
pub fn came_late(conn: &mut Conn, events: &[&NewEvent]) -> QueryResult<()> {
    for event in events {
        on_backend!(conn, c => diesel::update(event_gaps::table
            .filter(event_gaps::event_id.eq(&event.event_id))
            .filter(event_gaps::webhook_at.is_null()))
            .set(event_gaps::webhook_at.eq(event.received_at))
            .execute(c))?;
    }
    Ok(())
}

/// Gaps that match, the newest event first.
pub fn list(conn: &mut Conn, filter: &GapFilter, limit: i64) -> QueryResult<Vec<Gap>> {
    on_backend!(conn, c => {
        let mut query = event_gaps::table
            .select(Gap::as_select())
            .order((event_gaps::occurred_at.desc(), event_gaps::event_id.desc()))
            .limit(limit)
            .into_boxed();
        if let Some(organization) = &filter.organization_id {
            query = query.filter(event_gaps::organization_id.eq(organization));
        }
        if let Some(since) = filter.since {
            query = query.filter(event_gaps::occurred_at.ge(since));
        }
        if let Some((at, id)) = &filter.before {
            query = query.filter(event_gaps::occurred_at.lt(*at)
                .or(event_gaps::occurred_at.eq(*at).and(event_gaps::event_id.lt(id))));
        }
        query.load(c)
    })
}

/// How many events no webhook brought to this day, and how many were late; of one organization where
/// one is named.
pub fn counts(conn: &mut Conn, organization: Option<&str>) -> QueryResult<(i64, i64)> {
    on_backend!(conn, c => {
        let all = || {
            let all = event_gaps::table.into_boxed();
            match organization {
                Some(organization) => all.filter(event_gaps::organization_id.eq(organization)),
                None => all,
            }
        };
        let lost = all().filter(event_gaps::webhook_at.is_null()).count().get_result(c)?;
        let late = all().filter(event_gaps::webhook_at.is_not_null()).count().get_result(c)?;
        Ok((lost, late))
    })
}

/// How many events no webhook has brought to this day, counted up to a number.
pub fn lost_up_to(conn: &mut Conn, cap: i64) -> QueryResult<i64> {
    let some: Vec<String> = on_backend!(conn, c => event_gaps::table
        .filter(event_gaps::webhook_at.is_null())
        .select(event_gaps::event_id)
        .limit(cap)
        .load(c))?;
    Ok(i64::try_from(some.len()).unwrap_or(i64::MAX))
}

/// When the first event came by webhook that is still known.
pub fn first_webhook(conn: &mut Conn) -> QueryResult<Option<Timestamp>> {
    on_backend!(conn, c => outbox::table
        .filter(diesel::dsl::not(diesel::dsl::exists(event_gaps::table.filter(event_gaps::event_id.eq(outbox::event_id)))))
        .filter(outbox::event_id.not_like("login\\_%").escape('\\'))
        .filter(outbox::event_id.not_like("reconcile\\_%").escape('\\'))
        .order(outbox::id)
        .select(outbox::received_at)
        .first(c)
        .optional())
}

/// Whether an event that happened within the time came by webhook; of one type where one is named.
pub fn came_by_webhook(
    conn: &mut Conn,
    from: Timestamp,
    until: Timestamp,
    event_type: Option<&str>,
) -> QueryResult<bool> {
    let first: Vec<i64> = on_backend!(conn, c => {
        let mut query = outbox::table
            .select(outbox::id)
            .limit(1)
            .filter(outbox::occurred_at.between(from, until))
            .filter(diesel::dsl::not(diesel::dsl::exists(event_gaps::table
                .filter(event_gaps::event_id.eq(outbox::event_id))
                .filter(event_gaps::webhook_at.is_null()))))
            .filter(outbox::event_id.not_like("login\\_%").escape('\\'))
            .filter(outbox::event_id.not_like("reconcile\\_%").escape('\\'))
            .into_boxed();
        if let Some(event_type) = event_type {
            query = query.filter(outbox::event_type.eq(event_type));
        }
        query.load(c)
    })?;
    Ok(!first.is_empty())
}
