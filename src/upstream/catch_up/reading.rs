//! Where one reading of the Events API stands: from where the next page is asked for, how far it has
//! come, and whether its pages came oldest first. Oldest first is asked for and not trusted: where pages
//! come in another order everything is read all the same, and the cursor stays until the end.

use std::collections::HashSet;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::outbox::NewEvent;
use crate::outbox::catch_ups::CatchUpRow;
use crate::workos::client::{ClientError, EventsFrom};

/// WorkOS keeps events for thirty days and refuses a range that begins earlier (contract 7). At the very
/// edge a second on the way, or a clock that is ahead, would be refused: it begins an hour inside.
pub(super) const WINDOW: Duration = Duration::from_secs(30 * 86_400 - 3_600);
/// A range that is refused nearer than this is refused for something else.
const SHORTEST: Duration = Duration::from_secs(3_600);
/// Times one reading begins again. Halving the window reaches [`SHORTEST`] in ten.
const RESTARTS: u32 = 12;
/// Events that WorkOS lists by id may be so much out of the order of their times.
const JITTER: Duration = Duration::from_secs(1);

/// An event's id and time.
pub(super) type Newest = Option<(String, Timestamp)>;

/// One reading.
pub(super) struct Reading {
    /// From where the next page is asked for.
    pub(super) from: EventsFrom,
    /// The newest event known.
    pub(super) newest: Newest,
    /// Whether all pages came oldest first. What is behind the newest event is known only then.
    pub(super) ascending: bool,
    overlap: Duration,
    /// Whether it began after a cursor, and has not read what is before it.
    after_cursor: bool,
    reached: Option<Timestamp>,
    pages: HashSet<String>,
    restarts: u32,
}

impl Reading {
    /// A reading that broke off among old events goes on there; any other begins an overlap before the
    /// newest event known.
    pub(super) fn begin(held: &CatchUpRow, overlap: Duration, now: Timestamp) -> Self {
        let (from, reached) = match (&held.cursor, held.drained) {
            (Some(cursor), false) => (EventsFrom::After(cursor.clone()), held.cursor_at),
            _ => (since(held.cursor_at, overlap, now), None),
        };
        Self {
            after_cursor: matches!(from, EventsFrom::After(_)),
            from,
            newest: held.cursor.clone().zip(held.cursor_at),
            ascending: true,
            overlap,
            reached,
            pages: HashSet::new(),
            restarts: 0,
        }
    }

    /// Begins again from a time, where WorkOS no longer takes the cursor or the range; false where the
    /// error is about something else.
    pub(super) fn begin_again(
        &mut self,
        error: &ClientError,
        held: &CatchUpRow,
        now: Timestamp,
    ) -> bool {
        let from = match &self.from {
            EventsFrom::After(_) if error.is_lost_cursor() => {
                tracing::warn!(%error, "the cursor of catching up is no longer taken; reading begins again from a time");
                // Out of order, nothing is known of what lies before the newest event.
                let known = self.newest.as_ref().map(|(_, at)| *at);
                since(
                    if self.ascending {
                        known
                    } else {
                        held.cursor_at
                    },
                    self.overlap,
                    now,
                )
            }
            EventsFrom::Time(at) if error.is_refused_range() && now.since(*at) > SHORTEST => {
                let later = now.minus(now.since(*at) / 2);
                tracing::warn!(%error, refused = %at, begins = %later, "WorkOS does not list events from that time on; what happened before the later one is not read: `rollcall directories reconcile` compares what is there");
                EventsFrom::Time(later)
            }
            _ => return false,
        };
        self.restarts += 1;
        if self.restarts > RESTARTS {
            return false;
        }
        self.restart(from);
        true
    }

    /// Looks at a page. False from the first one on that is not oldest first, or that goes back behind
    /// the one before.
    pub(super) fn look_at(&mut self, events: &[NewEvent]) -> bool {
        for event in events {
            let at = event.occurred_at;
            if self
                .reached
                .is_some_and(|reached| at.plus(JITTER) < reached)
            {
                self.ascending = false;
            }
            self.reached = self.reached.max(Some(at));
            if self.newest.as_ref().is_none_or(|(_, newest)| at >= *newest) {
                self.newest = Some((event.event_id.clone(), at));
            }
        }
        self.ascending
    }

    /// What was asked for after a cursor may lie before it where pages are not oldest first: such a
    /// reading begins again from a time. Answers whether it does.
    pub(super) fn distrust_cursor(&mut self, held: &CatchUpRow, now: Timestamp) -> bool {
        let after_cursor = self.after_cursor;
        if after_cursor {
            self.restart(since(held.cursor_at, self.overlap, now));
        }
        after_cursor
    }

    /// Goes on with the page after this one; false where that page was read already.
    pub(super) fn go_on(&mut self, after: String) -> bool {
        let asked = matches!(&self.from, EventsFrom::After(from) if *from == after);
        let new = self.pages.insert(after.clone());
        self.from = EventsFrom::After(after);
        new && !asked
    }

    fn restart(&mut self, from: EventsFrom) {
        self.from = from;
        self.after_cursor = false;
        self.reached = None;
        self.pages.clear();
    }
}

/// An overlap before the newest event known, and inside of what WorkOS keeps.
fn since(newest: Option<Timestamp>, overlap: Duration, now: Timestamp) -> EventsFrom {
    let oldest = now.minus(WINDOW);
    EventsFrom::Time(newest.map_or(oldest, |at| at.minus(overlap).max(oldest)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r19_a_first_reading_begins_an_hour_inside_of_the_window() {
        let now = Timestamp::parse("2026-11-30T12:00:00.000Z").unwrap();
        let expected = Timestamp::parse("2026-10-31T13:00:00.000Z").unwrap();
        assert_eq!(since(None, Duration::ZERO, now), EventsFrom::Time(expected));
        assert_eq!(expected.to_string(), "2026-10-31T13:00:00.000Z");
        let old = Timestamp::parse("2026-01-01T00:00:00.000Z").unwrap();
        assert_eq!(
            since(Some(old), Duration::ZERO, now),
            EventsFrom::Time(expected)
        );
    }
}
