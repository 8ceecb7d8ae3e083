//! A person's history (R70) as blocks: what happened, and under it what came of it.

use crate::clock::Timestamp;
use crate::operations::profiles::{Entry, EntryKind};

use super::when::When;

/// One happening.
#[derive(Debug)]
pub(super) struct Block {
    pub at: When,
    /// `event`, `operator`, `change` or `delivery`: how it is marked.
    pub kind: &'static str,
    pub sentence: String,
    /// The event's page, where it is one.
    pub event_id: Option<String>,
    /// The event's outcome, or its state before there is one.
    pub outcome: Option<String>,
    pub event_type: Option<String>,
    pub items: Vec<Item>,
}

/// What came of it.
#[derive(Debug)]
pub(super) struct Item {
    pub sentence: String,
    /// The message's page, where it is one.
    pub delivery_id: Option<String>,
}

/// The chain, oldest first as it happened: what an event caused goes under it.
pub(super) fn blocks(entries: Vec<Entry>, now: Timestamp) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    for entry in entries {
        let caused = matches!(entry.kind, EntryKind::Change | EntryKind::Delivery);
        let under = blocks
            .last_mut()
            .filter(|block| caused && entry.event_id.is_some() && block.event_id == entry.event_id);
        match under {
            Some(block) => block.items.push(item(entry)),
            None => blocks.push(block(entry, now)),
        }
    }
    blocks
}

fn item(entry: Entry) -> Item {
    Item {
        sentence: entry.sentence,
        delivery_id: entry.delivery.map(|delivery| delivery.id),
    }
}

fn block(entry: Entry, now: Timestamp) -> Block {
    let kind = match entry.kind {
        EntryKind::Event => "event",
        EntryKind::Change => "change",
        EntryKind::Delivery => "delivery",
        EntryKind::Operator => "operator",
    };
    Block {
        at: When::new(entry.at, now),
        kind,
        sentence: entry.sentence,
        event_id: entry.event_id,
        outcome: entry
            .event
            .as_ref()
            .map(|event| event.outcome.clone().unwrap_or_else(|| event.state.clone())),
        event_type: entry.event.map(|event| event.event_type),
        items: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(kind: EntryKind, event: Option<&str>, sentence: &str) -> Entry {
        Entry {
            at: Timestamp(0),
            kind,
            event_id: event.map(str::to_owned),
            sentence: sentence.to_owned(),
            event: None,
            change: None,
            delivery: None,
            act: None,
        }
    }

    #[test]
    fn r70_what_an_event_caused_stands_under_it() {
        let told = blocks(
            vec![
                entry(EntryKind::Event, Some("event_1"), "added"),
                entry(EntryKind::Change, Some("event_1"), "title set"),
                entry(EntryKind::Delivery, Some("event_1"), "welcome sent"),
                entry(EntryKind::Operator, None, "resync"),
                entry(EntryKind::Change, None, "by hand"),
                entry(EntryKind::Change, Some("event_2"), "of an event not told"),
            ],
            Timestamp(0),
        );
        let shape: Vec<(&str, usize)> = told
            .iter()
            .map(|block| (block.kind, block.items.len()))
            .collect();
        assert_eq!(
            shape,
            [("event", 2), ("operator", 0), ("change", 0), ("change", 0)]
        );
    }
}
