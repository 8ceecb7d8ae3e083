//! What the outbox keeps of an event, whichever door it came through. It is said here, beside what reads it
//! back, because the outbox itself knows nothing of WorkOS's types.

use crate::clock::Timestamp;
use crate::outbox::NewEvent;
use crate::workos::Envelope;

impl NewEvent {
    /// An event as its envelope says it, received now; without a time of its own it happened now.
    #[must_use]
    pub fn new(envelope: Envelope, body: String, now: Timestamp) -> Self {
        Self {
            event_id: envelope.id,
            event_type: envelope.event,
            organization_id: envelope.organization_id,
            directory_id: envelope.directory_id,
            subject: envelope.subject,
            removal: envelope.removal,
            occurred_at: envelope.occurred_at.unwrap_or(now),
            received_at: now,
            body,
        }
    }
}
