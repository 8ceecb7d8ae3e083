//! What failed, counted by kind and error: the failed events and those that will be tried again. Read on
//! the partial indexes of open events, so that settled rows, however many, cost nothing.

use diesel::dsl::{count_star, max, min, sql};
use diesel::prelude::*;
use diesel::sql_types::Text;

use crate::clock::Timestamp;
use crate::db::schema::outbox;
use crate::db::{Conn, on_backend};

use super::EventState;

/// Events of one kind that failed with one error.
#[derive(Debug, Clone, Queryable)]
#[allow(missing_docs, reason = "the columns are described in the migrations")]
pub struct EventFailures {
    pub event_type: String,
    pub state: String,
    pub error: Option<String>,
    pub count: i64,
    pub first_at: Option<Timestamp>,
    pub last_at: Option<Timestamp>,
    /// The queue id of the newest.
    pub newest: Option<i64>,
}

/// Failed events by kind, state and error, of one organization or all.
pub fn failures(conn: &mut Conn, organization: Option<&str>) -> QueryResult<Vec<EventFailures>> {
    on_backend!(conn, c => {
        let mut query = outbox::table
            .group_by((outbox::event_type, outbox::state, outbox::error))
            .select((
                outbox::event_type,
                outbox::state,
                outbox::error,
                count_star(),
                min(outbox::received_at),
                max(outbox::received_at),
                max(outbox::id),
            ))
            // What failed and is open has an error, and the partial index on errors holds nothing else.
            .filter(outbox::error.is_not_null())
            .filter(outbox::state.eq_any([EventState::Failed.as_str(), EventState::Ready.as_str()]))
            .into_boxed();
        if let Some(organization) = organization {
            // Whose they are is no reason to go through all of an organization's events: those with an error
            // are few, and SQLite, which keeps no figures, would take its index.
            query = query.filter(sql::<Text>("coalesce(outbox.organization_id, '')").eq(organization));
        }
        query.load(c)
    })
}

/// WorkOS's ids of these rows of the queue.
pub fn names_of(conn: &mut Conn, ids: &[i64]) -> QueryResult<Vec<(i64, String)>> {
    on_backend!(conn, c => outbox::table
        .filter(outbox::id.eq_any(ids))
        .select((outbox::id, outbox::event_id))
        .load(c))
}
