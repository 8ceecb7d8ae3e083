//! Whom the messages about somebody do not reach at the moment: a destination that is stopped, or that accepts
//! nothing again and again (R93), with the reason and the next try.

use crate::clock::Timestamp;
use crate::db::Conn;
use crate::store::profiles::ProfileRow;
use crate::triggers::deliveries::{self, DeliveryFilter, DeliveryState};
use crate::triggers::destinations;

use super::super::{OperationError, failing};
use super::WhyView;

/// Messages about somebody that are looked at, of either state.
const MOST_MESSAGES: i64 = 20;

/// Whom the messages about them do not reach at the moment (R93).
pub(super) fn of_messages(
    conn: &mut Conn,
    row: &ProfileRow,
    now: Timestamp,
    view: &mut WhyView,
) -> Result<(), OperationError> {
    let filter = DeliveryFilter {
        profile_id: Some(row.id.clone()),
        ..DeliveryFilter::default()
    };
    let mut waiting = Vec::new();
    for state in [DeliveryState::Due.as_str(), deliveries::PAUSED] {
        let filter = DeliveryFilter {
            state: Some(state.to_owned()),
            ..filter.clone()
        };
        waiting.extend(deliveries::list(conn, &filter, MOST_MESSAGES)?);
    }
    let failing = failing::destinations(conn, Some(&row.organization_id), now)?;
    for message in waiting {
        let place = destinations::find(conn, &message.destination)?;
        let Some(place) = place else { continue };
        let event = &message.on_event;
        if place.stopped_at.is_some() {
            view.waiting.push(format!(
                "{} has not been told ({event}): it refused and is stopped: {}.",
                place.shown,
                place.reason.as_deref().unwrap_or("no reason was kept")
            ));
            view.next
                .push(format!("rollcall destinations resume {}", place.id));
        } else if failing.iter().any(|one| one.id == place.id) {
            view.waiting.push(format!(
                "{} has not been told ({event}): {}, next try {}.",
                place.shown,
                place.failure.as_deref().unwrap_or("no reason was kept"),
                next_try(message.due_at, now)
            ));
            view.next.push("rollcall failures".to_owned());
        }
    }
    Ok(())
}

fn next_try(due_at: Timestamp, now: Timestamp) -> String {
    match due_at.since(now).as_secs() {
        0 => "now".to_owned(),
        seconds @ 1..60 => format!("in {seconds} s"),
        seconds => format!("in {} min", seconds.div_ceil(60)),
    }
}
