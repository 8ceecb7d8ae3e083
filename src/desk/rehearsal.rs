//! The dry run of a replay: truly done in a transaction, told, and taken back. Of a selection too large
//! for that a sample is tried, spread evenly over it, and the answer says how large it was.

use std::collections::BTreeSet;

use crate::clock::Timestamp;
use crate::db::{Conn, Db, Urgency};
use crate::outbox::{self, EventRow};
use crate::people::changes::{self, ChangeRow};
use crate::triggers::deliveries::{self, DeliveryRow};
use crate::worker::{self, BatchSettings};

use super::events::ChangeView;
use super::replay::{MessageRef, ReplayView, Replayed, Selected};
use super::visibility::Veil;
use super::{Actor, DeskError};

/// Events tried. On SQLite the webhooks wait for as long as that takes.
const TRIED: usize = 500;
/// The most events one answer lists.
const LISTED: usize = 200;

/// Says what a replay of the selection would do, and leaves everything as it is.
pub(super) fn rehearse(
    db: &Db,
    actor: &Actor,
    selected: &Selected,
    now: Timestamp,
) -> Result<ReplayView, DeskError> {
    let most = i64::try_from(selected.count()).unwrap_or(i64::MAX);
    let places = db.read(|conn| selected.places(conn, most))?;
    let some = spread(&places, TRIED);
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
    let picked = (0..most).filter_map(|nth| places.get(nth * (places.len() - 1) / (most - 1)));
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
) -> Result<ReplayView, DeskError> {
    let last_change = changes::newest(conn)?;
    let rows = outbox::at_places(conn, places)?;
    let mut before = Vec::new();
    for row in &rows {
        before.push(deliveries::of_event(conn, &row.event_id)?);
    }
    let ready = outbox::replay_places(conn, places, &actor.name, None, now, now)?.ready;
    let settings = BatchSettings {
        max_attempts: u32::MAX,
        arm_new: false,
    };
    worker::work_off(conn, settings, &ready, now)?;
    let mut events = Vec::new();
    let mut sums = Sums::default();
    for (row, known) in outbox::at_places(conn, places)?.into_iter().zip(&before) {
        let mut made = changes::of_event(conn, &row.event_id)?;
        made.retain(|change| change.id > last_change);
        let messages = messages(known, &deliveries::of_event(conn, &row.event_id)?);
        sums.count(&row, &made, &messages);
        if events.len() < LISTED {
            events.push(shown(conn, actor, row, made, messages)?);
        }
    }
    let people: Vec<String> = sums.people.into_iter().collect();
    Ok(ReplayView {
        tried: Some(rows.len()),
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

/// Those that would come into being, and those that exist already.
fn messages(known: &[DeliveryRow], all: &[DeliveryRow]) -> Vec<MessageRef> {
    let known: BTreeSet<&str> = known.iter().map(|row| row.id.as_str()).collect();
    let told = all.iter().map(|row| MessageRef {
        id: known.contains(row.id.as_str()).then(|| row.id.clone()),
        channel: row.channel.clone(),
        state: row.state.clone(),
    });
    told.collect()
}

fn shown(
    conn: &mut Conn,
    actor: &Actor,
    row: EventRow,
    mut made: Vec<ChangeRow>,
    messages: Vec<MessageRef>,
) -> Result<Replayed, DeskError> {
    if !made.is_empty() {
        let veil = Veil::over_event(conn, actor, &row)?;
        made.iter_mut().for_each(|change| veil.change(change));
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
    }
}
