//! After a restored back-up: a message to people that was due before the restore may have been sent by the
//! database that is lost, and nobody can tell. It waits in a hold that says so, whether it stood in the
//! back-up or is planned anew by an event that comes again. What a machine is told goes on (R63, R80).

use std::collections::BTreeMap;
use std::time::Duration;

use diesel::prelude::*;

use crate::clock::Timestamp;
use crate::db::schema::{deliveries, outbox};
use crate::db::{Conn, in_parts, on_backend};
use crate::store::{holds, installation};
use crate::triggers::definition::Channel;
use crate::triggers::plan::Happening;

use super::DeliveryState;
use super::burst::{Stop, Stopped, put_into_hold};

const OPENS: &str = "a back-up of the database was restored: these messages were due before that, and the database that \
     is lost may have sent them. Approve to send them, reject if they were received";
const REASON: &str =
    "it was due before a back-up was restored, and may have been sent then: an operator decides";

/// Holds what stands in the back-up and was due by `until`; answers how many messages.
pub fn hold_due(conn: &mut Conn, until: Timestamp, now: Timestamp) -> QueryResult<usize> {
    let undone = [
        DeliveryState::Due.as_str(),
        // In the hand of a sender that is lost, before its attempt began.
        DeliveryState::Claimed.as_str(),
    ];
    let rows: Vec<(String, Stopped)> = on_backend!(conn, c => deliveries::table
        .filter(deliveries::state.eq_any(undone))
        .filter(deliveries::due_at.le(until))
        .filter(deliveries::hold_id.is_null())
        .filter(deliveries::channel.ne(Channel::Webhook.name()))
        .select((
            deliveries::organization_id,
            (deliveries::id, deliveries::profile_id, deliveries::event_id),
        ))
        .load(c))?;
    hold(conn, rows, now)
}

type Planned = (
    String,
    Timestamp,
    Timestamp,
    (String, String, Option<String>),
);

/// Holds what was planned just now because of events that happened before the last restore, as far as it would
/// have been due by then: the later steps of a series are not, and go on.
pub(super) fn hold_planned(
    conn: &mut Conn,
    happenings: &[Happening],
    now: Timestamp,
) -> QueryResult<()> {
    if happenings.is_empty() {
        return Ok(());
    }
    let Some(restore) = installation::last_restore(conn)? else {
        return Ok(());
    };
    let people: Vec<String> = happenings.iter().map(|one| one.after.id.clone()).collect();
    let rows: Vec<Planned> = in_parts(&people, |some| {
        on_backend!(conn, c => deliveries::table
            .inner_join(outbox::table.on(outbox::event_id.nullable().eq(deliveries::event_id)))
            .filter(deliveries::profile_id.eq_any(some))
            .filter(deliveries::state.eq(DeliveryState::Due.as_str()))
            .filter(deliveries::created_at.eq(now))
            .filter(deliveries::hold_id.is_null())
            .filter(deliveries::channel.ne(Channel::Webhook.name()))
            .filter(outbox::occurred_at.le(restore.until))
            .select((
                deliveries::organization_id,
                deliveries::due_at,
                outbox::occurred_at,
                (deliveries::id, deliveries::profile_id, deliveries::event_id),
            ))
            .load(c))
    })?;
    let held = rows
        .into_iter()
        .filter(|(_, due_at, occurred_at, _)| {
            due_before(*due_at, now.since(*occurred_at), restore.until)
        })
        .map(|(organization, _, _, row)| (organization, Stopped::from(row)));
    hold(conn, held.collect(), now)?;
    Ok(())
}

/// Whether a message would have been due by `until`, had its event been applied when it happened and not
/// `late` after that.
fn due_before(due_at: Timestamp, late: Duration, until: Timestamp) -> bool {
    due_at.minus(late) <= until
}

fn hold(conn: &mut Conn, rows: Vec<(String, Stopped)>, now: Timestamp) -> QueryResult<usize> {
    let mut of: BTreeMap<String, Vec<Stopped>> = BTreeMap::new();
    for (organization, row) in rows {
        of.entry(organization).or_default().push(row);
    }
    let why = Stop {
        kind: holds::RESTORED,
        opens: OPENS,
        reason: REASON,
        events: &[],
    };
    let mut held = 0;
    for (organization, rows) in of {
        put_into_hold(conn, &organization, &rows, &why, now)?;
        held += rows.len();
    }
    Ok(held)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_later_steps_of_a_series_were_not_due_before_the_restore() {
        let (happened, until, now) = (
            Timestamp(0),
            Timestamp(3_600_000_000),
            Timestamp(7_200_000_000),
        );
        let late = now.since(happened);
        assert!(due_before(now, late, until), "the first step is due now");
        assert!(!due_before(
            now.plus(Duration::from_secs(86_400)),
            late,
            until
        ));
    }
}
