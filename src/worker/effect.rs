//! What came of an event, before anything is written: the outcome and its sentence, and the audited
//! changes.

use crate::clock::Timestamp;
use crate::domain::Outcome;
use crate::store::changes::Caused;

/// What came of an event.
#[derive(Debug)]
pub(super) struct Effect {
    pub outcome: Outcome,
    pub reason: String,
    pub changes: Vec<Caused>,
    /// It is not judged before this instant (R41).
    pub waits_until: Option<Timestamp>,
}

impl Effect {
    /// It is not its time yet.
    pub(super) fn waits(until: Timestamp) -> Self {
        Self {
            waits_until: Some(until),
            ..Self::new(
                Outcome::Held,
                "removals settle for a while in this organization, so that a burst is seen whole",
            )
        }
    }

    pub(super) fn new(outcome: Outcome, reason: impl Into<String>) -> Self {
        Self {
            outcome,
            reason: reason.into(),
            changes: Vec::new(),
            waits_until: None,
        }
    }
}
