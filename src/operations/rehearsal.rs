//! The dry run of a replay: truly done in a transaction, told, and taken back. Of a selection too large
//! for that a sample is tried, spread evenly over it, and the answer says how large it was.

use std::collections::{BTreeMap, BTreeSet};

use crate::clock::Timestamp;
use crate::db::{Conn, Db, Urgency};
use crate::outbox::{self, EventRow};
use crate::store::changes::{self, ChangeRow};
use crate::triggers::deliveries::{self, DeliveryRow};
use crate::worker::{self, BatchSettings};

use super::events::ChangeView;
use super::replay::{MessageRef, ReplayView, Replayed, Selected};
use super::visibility::Redaction;
use super::{Actor, OperationError};

/// Events tried, at most. On SQLite the webhooks wait for as long as that takes.
pub(super) const TRIED: usize = 500;
/// The most events one answer lists.
const LISTED: usize = 200;

/// Says what a replay of the selection would do, and leaves everything as it is.
pub(super) fn rehearse(
    db: &Db,
    actor: &Actor,
    selected: &Selected,
    tries: usize,
    now: Timestamp,
) -> Result<ReplayView, OperationError> {
    let most = i64::try_from(selected.count()).unwrap_or(i64::MAX);
    let places = db.read(|conn| selected.places(conn, most))?;
    let some = spread(&places, tries);
    db.rehearse(Urgency::Normal, |conn| {
        Ok(ReplayView {
            matched: places.len(),
            ..try_out(conn, actor, &some, now)?
        })
    })
}

/// At most so many of them, evenly spread from the first to the last.
fn spread(places: &[i64], most: usize) -> Vec<i64> {
    if places.len() <= most {
        return places.to_vec();
    }
    let gaps = most.saturating_sub(1).max(1);
    let picked = (0..most).filter_map(|nth| places.get(nth * (places.len() - 1) / gaps));
    picked.copied().collect()
}

/// What is added up over all events that are tried.
#[derive(Default)]
struct Sums {
    would_change: usize,
    memberships: usize,
    due: usize,
    done: usize,
    people: BTreeSet<String>,
}

/// Does it all, and tells what came of it.
fn try_out(
    conn: &mut Conn,
    actor: &Actor,
    places: &[i64],
    now: Timestamp,
) -> Result<ReplayView, OperationError> {
    let last_change = changes::newest(conn)?;
    let rows = outbox::at_places(conn, places)?;
    let ids: Vec<String> = rows.into_iter().map(|row| row.event_id).collect();
    let known = deliveries::of_events(conn, &ids)?.into_iter();
    let known: BTreeSet<String> = known.map(|row| row.id).collect();
    let ready = outbox::replay_places(conn, places, &actor.name, None, now, now)?.ready;
    let settings = BatchSettings {
        max_attempts: u32::MAX,
        messaging_for_new: false,
    };
    worker::work_off(conn, settings, &ready, now)?;
    let mut made = changes::of_events(conn, &ids)?;
    made.retain(|change| change.id > last_change);
    let mut made = by_event(made, |change| change.event_id.clone());
    let mut sent = by_event(deliveries::of_events(conn, &ids)?, |row| {
        row.event_id.clone()
    });
    let mut events = Vec::new();
    let mut sums = Sums::default();
    for row in outbox::at_places(conn, places)? {
        let made = made.remove(&row.event_id).unwrap_or_default();
        let messages = messages(&known, sent.remove(&row.event_id).unwrap_or_default());
        sums.count(&row, &made, &messages);
        if events.len() < LISTED {
            events.push(shown(conn, actor, row, made, messages)?);
        }
    }
    let people: Vec<String> = sums.people.into_iter().collect();
    Ok(ReplayView {
        tried: Some(ids.len()),
        would_change: Some(sums.would_change),
        memberships: Some(sums.memberships),
        messages_due: Some(sums.due),
        messages_done: Some(sums.done),
        messages_cancelled: Some(deliveries::cancelled_at(conn, &people, now)?),
        dry_run: true,
        events,
        ..ReplayView::default()
    })
}

impl Sums {
    fn count(&mut self, row: &EventRow, made: &[ChangeRow], messages: &[MessageRef]) {
        self.would_change += usize::from(row.outcome.as_deref() == Some("applied"));
        let memberships = made.iter().filter(|change| change.what == "membership");
        self.memberships += memberships.count();
        let due = messages.iter().filter(|one| one.id.is_none()).count();
        self.due += due;
        self.done += messages.len() - due;
        self.people
            .extend(made.iter().map(|change| change.profile_id.clone()));
    }
}

/// What each event has of them, in their order.
fn by_event<T>(all: Vec<T>, event: impl Fn(&T) -> Option<String>) -> BTreeMap<String, Vec<T>> {
    let mut sorted: BTreeMap<String, Vec<T>> = BTreeMap::new();
    for one in all {
        if let Some(event) = event(&one) {
            sorted.entry(event).or_default().push(one);
        }
    }
    sorted
}

/// Those that would come into being, and those that exist already.
fn messages(known: &BTreeSet<String>, all: Vec<DeliveryRow>) -> Vec<MessageRef> {
    let told = all.into_iter().map(|row| MessageRef {
        id: known.contains(&row.id).then_some(row.id),
        channel: row.channel,
        state: row.state,
    });
    told.collect()
}

fn shown(
    conn: &mut Conn,
    actor: &Actor,
    row: EventRow,
    mut made: Vec<ChangeRow>,
    messages: Vec<MessageRef>,
) -> Result<Replayed, OperationError> {
    if !made.is_empty() {
        let redaction = Redaction::over_event(conn, actor, &row)?;
        made.iter_mut().for_each(|change| redaction.change(change));
    }
    Ok(Replayed {
        id: row.event_id,
        outcome: row.outcome,
        reason: row.reason,
        differences: made.into_iter().map(ChangeView::from).collect(),
        messages,
    })
}

#[cfg(test)]
mod tests {
    use super::spread;

    #[test]
    fn a_sample_reaches_from_the_first_to_the_last() {
        let all: Vec<i64> = (1..=10_000).collect();
        let some = spread(&all, 500);
        assert_eq!((some.len(), some[0], some[499]), (500, 1, 10_000));
        assert_eq!(spread(&[1, 2], 500), [1, 2]);
        assert_eq!(spread(&[1, 2], 1), [1]);
    }
}
