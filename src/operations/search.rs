//! A page of events. A text is looked for in so many events a page and no more: among a million bodies
//! a rare one would keep a page waiting for seconds. Such a page may be short, or empty, and its cursor
//! goes on further back.

use crate::clock::Timestamp;
use crate::db::Conn;
use crate::outbox::{self, EventFilter, EventRow};

use super::{Cursor, Listing, OperationError, Page};

/// Events whose texts one page looks through.
const LOOKED_THROUGH: i64 = 10_000;

/// The newest that match, and the way on.
pub(super) fn page(
    conn: &mut Conn,
    listing: &Listing,
    filter: EventFilter,
    limit: i64,
) -> Result<Page<EventRow>, OperationError> {
    match filter.q.clone() {
        Some(text) if filter.subjects.is_none() => search(conn, listing, filter, &text, limit),
        _ => newest(conn, listing, &filter, limit),
    }
}

fn newest(
    conn: &mut Conn,
    listing: &Listing,
    filter: &EventFilter,
    limit: i64,
) -> Result<Page<EventRow>, OperationError> {
    let rows = outbox::list(conn, filter, limit + 1)?;
    listing.cut(conn, rows, limit, |row| Cursor {
        at: row.received_at,
        id: row.id.to_string(),
    })
}

fn search(
    conn: &mut Conn,
    listing: &Listing,
    mut filter: EventFilter,
    text: &str,
    limit: i64,
) -> Result<Page<EventRow>, OperationError> {
    // An event's own id is no text to look for.
    if let Some(named) = outbox::find(conn, text)? {
        filter.q = None;
        filter.up_to = Some(named.id);
        filter.down_to = Some(named.id);
        return newest(conn, listing, &filter, limit);
    }
    let mut top = outbox::newest_place(conn)?;
    if let Some(to) = filter.up_to {
        top = top.min(to);
    }
    if let Some(before) = filter.before {
        top = top.min(before - 1);
    }
    let end = filter.down_to.unwrap_or(1);
    let low = (top - LOOKED_THROUGH + 1).max(end);
    filter.down_to = Some(low);
    let mut page = newest(conn, listing, &filter, limit)?;
    if page.next_cursor.is_none() && low > end {
        let on = Cursor {
            at: Timestamp(0),
            id: low.to_string(),
        };
        page.next_cursor = Some(listing.after(conn, on)?);
    }
    Ok(page)
}
