//! Messages that failed or may or may not have gone, counted by channel, reason and destination.

use diesel::dsl::{count_star, max, min};
use diesel::prelude::*;

use crate::clock::Timestamp;
use crate::db::schema::deliveries;
use crate::db::{Conn, on_backend};

/// Messages of one channel to one place that ended alike.
#[derive(Debug, Clone, Queryable)]
#[allow(missing_docs, reason = "the columns are described in the migrations")]
pub struct DeliveryFailures {
    pub channel: String,
    pub state: String,
    pub reason: Option<String>,
    pub recipient: Option<String>,
    pub count: i64,
    pub first_at: Option<Timestamp>,
    pub last_at: Option<Timestamp>,
    /// The id of the newest (ids rise with time).
    pub newest: Option<String>,
}

/// Failed and unknown messages by channel, state, reason and recipient, of one organization or all.
pub fn failures(conn: &mut Conn, organization: Option<&str>) -> QueryResult<Vec<DeliveryFailures>> {
    on_backend!(conn, c => {
        let mut query = deliveries::table
            .group_by((deliveries::channel, deliveries::state, deliveries::reason, deliveries::recipient))
            .select((
                deliveries::channel,
                deliveries::state,
                deliveries::reason,
                deliveries::recipient,
                count_star(),
                min(deliveries::created_at),
                max(deliveries::created_at),
                max(deliveries::id),
            ))
            .filter(deliveries::state.eq_any(["failed", "unknown"]))
            .into_boxed();
        if let Some(organization) = organization {
            query = query.filter(deliveries::organization_id.eq(organization));
        }
        query.load(c)
    })
}
