//! A person's history (R70): every event about them in the order in which it happened, with what it
//! did and why in a sentence, the changes under it, the messages that followed, and what operators
//! did. Written to be read by somebody who knows the person and not the software.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::db::Conn;
use crate::outbox::{self, EventFilter, EventRow};
use crate::store::acts::ActFilter;
use crate::store::holds::{Hold, HoldItem};
use crate::store::{acts, changes, communities, erasures, groups, holds};
use crate::triggers::deliveries::{self, DeliveryRow};

use super::events::{ChangeView, EventView, event_view};
use super::profiles::ProfileView;
use super::story;
use super::visibility::Redaction;
use super::{Actor, Listing, OperationError, Page, Role, limit_of};

/// The newest events that a history goes back to.
const MOST_EVENTS: i64 = 2_000;
/// The newest acts of operators that it tells.
const MOST_ACTS: i64 = 500;

/// A person and everything that happened to them, oldest first.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[allow(missing_docs, reason = "the fields of the API")]
pub struct HistoryView {
    pub profile: ProfileView,
    pub data: Vec<Entry>,
    /// Where a `limit` was given and there is more.
    pub next_cursor: Option<String>,
    /// Whether there are older events than the 2,000 newest that are told.
    pub truncated: bool,
}

/// What an entry tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EntryKind {
    /// Something WorkOS sent.
    Event,
    /// A field, a status or a membership changed.
    Change,
    /// A message.
    Delivery,
    /// Something an operator did or changed.
    Operator,
}

/// One line of a history.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[allow(missing_docs, reason = "the fields of the API")]
pub struct Entry {
    /// When it happened; of a message, when it was settled, or else when it is due.
    pub at: Timestamp,
    pub kind: EntryKind,
    /// The event it is, or that caused it.
    pub event_id: Option<String>,
    /// What happened, to be read.
    pub sentence: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<EventView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change: Option<ChangeView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivery: Option<DeliveryEntry>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub act: Option<ActView>,
}

/// A message that followed.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[allow(missing_docs, reason = "the fields of the API")]
pub struct DeliveryEntry {
    pub id: String,
    pub trigger_id: String,
    pub channel: String,
    pub state: String,
    pub reason: Option<String>,
    pub recipient: Option<String>,
    pub subject: Option<String>,
    pub due_at: Timestamp,
}

/// An operator's act.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[allow(missing_docs, reason = "the fields of the API")]
pub struct ActView {
    pub act: String,
    pub actor: String,
    pub target: String,
    pub detail: Option<String>,
}

/// Which part of a history: all of it unless there is a limit.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the parameters of the API")]
pub struct HistoryQuery {
    pub limit: Option<i64>,
    pub cursor: Option<String>,
}

/// The history of one person.
pub fn history(
    conn: &mut Conn,
    actor: &Actor,
    id: &str,
    query: &HistoryQuery,
) -> Result<HistoryView, OperationError> {
    actor.require(Role::Viewer)?;
    let row = super::profiles::seen(conn, actor, id)?;
    let (events, truncated) = events_about(conn, id)?;
    let redaction = Redaction::over_one(conn, actor, &row.organization_id)?;
    let mut changes = changes::of_profile(conn, id)?;
    changes
        .iter_mut()
        .for_each(|change| redaction.change(change));
    let mut messages = deliveries::of_profile(conn, id)?;
    for message in &mut messages {
        redaction.delivery(message);
    }
    let on_them = ActFilter {
        target: Some(id.to_owned()),
        ..ActFilter::default()
    };
    let acts = acts::browse(conn, &on_them, MOST_ACTS)?;
    let named: Vec<String> = changes
        .iter()
        .filter(|change| change.what == "membership")
        .map(|change| change.name.clone())
        .collect();
    let names = communities::names(conn, &named)?;
    let mut chain = Chain::default();
    for event in events {
        chain.event(event, id);
    }
    for change in changes {
        chain.change(change, &names);
    }
    for message in messages {
        chain.delivery(message);
    }
    for act in acts {
        chain.act(act);
    }
    for (hold, item) in holds::of_profile(conn, id)? {
        chain.hold(&hold, &item);
    }
    let profile = super::profiles::views(conn, actor, vec![row])?
        .pop()
        .ok_or_else(|| OperationError::not_found("profile", id))?;
    let page = cut(conn, actor, id, query, chain.told())?;
    Ok(HistoryView {
        profile,
        data: page.data,
        next_cursor: page.next_cursor,
        truncated,
    })
}

/// The part that was asked for. A place in it is its number: entries of one moment have nothing else that tells
/// them apart.
fn cut(
    conn: &mut Conn,
    actor: &Actor,
    id: &str,
    query: &HistoryQuery,
    all: Vec<Entry>,
) -> Result<Page<Entry>, OperationError> {
    let limit = match query.limit {
        None if query.cursor.is_none() => i64::MAX - 1,
        limit => limit_of(limit)?,
    };
    let listing = Listing::of(actor, "history", &id)?;
    let after: Option<usize> = match listing.place::<1>(conn, query.cursor.as_deref())? {
        Some([number]) => number.parse().ok(),
        None => None,
    };
    let first = after.map_or(0, |number| number + 1);
    let rows: Vec<(usize, Entry)> = all.into_iter().enumerate().skip(first).collect();
    let page = listing.cut_at(conn, rows, limit, |(number, _)| [number.to_string()])?;
    Ok(page.map(|(_, entry)| entry))
}

/// Events that speak of one of the person's directory users, and the ends of groups they were in.
fn events_about(conn: &mut Conn, id: &str) -> Result<(Vec<EventRow>, bool), OperationError> {
    let users = erasures::subjects_of(conn, id)?;
    if users.is_empty() {
        return Ok((Vec::new(), false));
    }
    let mut groups: Vec<String> = groups::edges_of_links(conn, &users)?
        .into_iter()
        .map(|edge| edge.group_id)
        .collect();
    groups.sort();
    groups.dedup();
    let about_them = EventFilter {
        subjects: Some(users),
        ..EventFilter::default()
    };
    let mut events = outbox::list(conn, &about_them, MOST_EVENTS + 1)?;
    let most = usize::try_from(MOST_EVENTS).unwrap_or(usize::MAX);
    let truncated = events.len() > most;
    events.truncate(most);
    if !groups.is_empty() {
        let of_groups = EventFilter {
            subjects: Some(groups),
            event_type: Some("dsync.group.deleted".to_owned()),
            ..EventFilter::default()
        };
        events.extend(outbox::list(conn, &of_groups, MOST_EVENTS)?);
    }
    Ok((events, truncated))
}

/// Entries in the making: what an event caused stands under it, the rest at its own time.
#[derive(Default)]
struct Chain {
    places: BTreeMap<String, Place>,
    entries: Vec<(Place, Entry)>,
}

/// Where an entry stands: the instant of its cause, whether the cause is a removal (R66), the cause,
/// then event before changes before messages before acts.
type Place = (Timestamp, bool, String, u8);

impl Chain {
    fn event(&mut self, row: EventRow, profile: &str) {
        let removal = story::takes_away(&row.event_type);
        let place = (row.occurred_at, removal, row.event_id.clone(), 0);
        self.places.insert(row.event_id.clone(), place.clone());
        let entry = Entry {
            at: row.occurred_at,
            kind: EntryKind::Event,
            event_id: Some(row.event_id.clone()),
            sentence: story::of_event(&row),
            event: Some(event_view(row, Some(profile.to_owned()))),
            change: None,
            delivery: None,
            act: None,
        };
        self.entries.push((place, entry));
    }

    /// The place of what an event caused, or of what nothing we know of caused.
    fn under(&self, event: Option<&str>, at: Timestamp, rank: u8) -> Place {
        match event.and_then(|event| self.places.get(event)) {
            Some((at, removal, event, _)) => (*at, *removal, event.clone(), rank),
            None => (at, true, event.unwrap_or_default().to_owned(), rank),
        }
    }

    fn change(&mut self, row: changes::ChangeRow, names: &BTreeMap<String, String>) {
        let place = self.under(row.event_id.as_deref(), row.at, 1);
        let by_hand = row.event_id.is_none() && row.actor != "rollcall";
        let entry = Entry {
            at: row.at,
            kind: if by_hand {
                EntryKind::Operator
            } else {
                EntryKind::Change
            },
            event_id: row.event_id.clone(),
            sentence: story::of_change(&row, names),
            event: None,
            change: Some(row.into()),
            delivery: None,
            act: None,
        };
        self.entries.push((place, entry));
    }

    fn delivery(&mut self, row: DeliveryRow) {
        let place = self.under(row.event_id.as_deref(), row.created_at, 2);
        let entry = Entry {
            at: row.settled_at.unwrap_or(row.due_at),
            kind: EntryKind::Delivery,
            event_id: row.event_id.clone(),
            sentence: story::of_delivery(&row),
            event: None,
            change: None,
            delivery: Some(DeliveryEntry {
                id: row.id,
                trigger_id: row.trigger_id,
                channel: row.channel,
                state: row.state,
                reason: row.reason,
                recipient: row.recipient,
                subject: row.subject,
                due_at: row.due_at,
            }),
            act: None,
        };
        self.entries.push((place, entry));
    }

    fn act(&mut self, row: acts::ActRow) {
        let entry = Entry {
            at: row.at,
            kind: EntryKind::Operator,
            event_id: None,
            sentence: story::of_act(&row),
            event: None,
            change: None,
            delivery: None,
            act: Some(ActView {
                act: row.act,
                actor: row.actor,
                target: row.target,
                detail: row.detail,
            }),
        };
        self.entries.push(((row.at, true, String::new(), 3), entry));
    }

    /// A batch they were in: that it waited, and who decided what about it.
    fn hold(&mut self, hold: &Hold, item: &HoldItem) {
        if !item.applied {
            let sentence = story::of_waiting(hold);
            self.of_hold(hold, item.held_at, "rollcall", "hold.opened", sentence);
        }
        if let (Some(at), Some(by)) = (hold.decided_at, &hold.decided_by) {
            let act = format!("hold.{}", hold.state);
            let sentence = story::of_decision(hold, item.applied, by);
            self.of_hold(hold, at, by, &act, sentence);
        }
    }

    fn of_hold(&mut self, hold: &Hold, at: Timestamp, actor: &str, act: &str, sentence: String) {
        let known = self.entries.iter().any(|(_, entry)| {
            entry.at == at && entry.act.as_ref().is_some_and(|one| one.target == hold.id)
        });
        // A deactivation and the deletion that follows it are held, and decided, as one.
        if known {
            return;
        }
        let entry = Entry {
            at,
            kind: EntryKind::Operator,
            event_id: None,
            sentence,
            event: None,
            change: None,
            delivery: None,
            act: Some(ActView {
                act: act.to_owned(),
                actor: actor.to_owned(),
                target: hold.id.clone(),
                detail: None,
            }),
        };
        self.entries.push(((at, true, String::new(), 2), entry));
    }

    fn told(mut self) -> Vec<Entry> {
        self.entries.sort_by(|(one, _), (other, _)| one.cmp(other));
        self.entries.into_iter().map(|(_, entry)| entry).collect()
    }
}
