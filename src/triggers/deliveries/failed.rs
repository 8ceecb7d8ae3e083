//! Messages that certainly did not go, by their cause: counted, and walked from the oldest on to be sent
//! again. What may have gone (`unknown`) is not among them: a person looks at each.

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Text};
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::db::schema::deliveries;
use crate::db::{Conn, contains, on_backend};

use super::DeliveryState;

/// Which failed messages. Everything given must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FailedFilter {
    /// One organization.
    pub organization_id: Option<String>,
    /// One channel.
    pub channel: Option<String>,
    /// To one recipient.
    pub recipient: Option<String>,
    /// Text in the reason.
    pub reason: Option<String>,
}

/// A boxed query over the failed messages, narrowed to what a filter says.
macro_rules! narrowed {
    ($query:expr, $filter:expr) => {{
        let mut query = $query
            .filter(deliveries::state.eq(DeliveryState::Failed.as_str()))
            .into_boxed();
        // Looked for among the failed, which are few: SQLite would walk all messages of the channel.
        if let Some(organization) = &$filter.organization_id {
            query = query
                .filter(sql::<Bool>("deliveries.organization_id || '' = ").bind::<Text, _>(organization));
        }
        if let Some(channel) = &$filter.channel {
            query = query.filter(sql::<Bool>("deliveries.channel || '' = ").bind::<Text, _>(channel));
        }
        if let Some(recipient) = &$filter.recipient {
            query = query.filter(deliveries::recipient.eq(recipient));
        }
        if let Some(reason) = &$filter.reason {
            query = query.filter(deliveries::reason.like(contains(reason)).escape('\\'));
        }
        query
    }};
}

/// How many match.
pub fn count_failed(conn: &mut Conn, filter: &FailedFilter) -> QueryResult<i64> {
    on_backend!(conn, c => narrowed!(deliveries::table.count(), filter).get_result(c))
}

/// Those after a place in the list, the oldest first: when they were planned, and their ids.
pub fn failed_after(
    conn: &mut Conn,
    filter: &FailedFilter,
    after: &(Timestamp, String),
    limit: i64,
) -> QueryResult<Vec<(Timestamp, String)>> {
    let (at, id) = after;
    on_backend!(conn, c => narrowed!(
            deliveries::table.select((deliveries::created_at, deliveries::id)),
            filter
        )
        // Said so that an index is entered at the cursor, and not walked up to it.
        .filter(deliveries::created_at.ge(*at))
        .filter(deliveries::created_at.gt(*at).or(deliveries::id.gt(id)))
        .order((deliveries::created_at, deliveries::id))
        .limit(limit)
        .load(c))
}
