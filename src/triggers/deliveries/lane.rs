//! The two lanes of sending (R63): who left goes before everything else to the same destination, in places
//! of its own. What was planned for the same person earlier comes along, so that their webhooks keep
//! their order.

use diesel::prelude::*;

use crate::clock::Timestamp;
use crate::db::schema::deliveries;
use crate::db::{Conn, ROWS_PER_STATEMENT, on_backend};
use crate::triggers::definition::{Channel, Event};

use super::DeliveryState;

/// In which order messages to one destination go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    /// Who left, or may not come in any more.
    Removals,
    /// Everything else.
    Others,
}

impl Lane {
    /// Both, in the order in which they are served.
    pub const ALL: [Self; 2] = [Self::Removals, Self::Others];

    /// The lane of what is told of such an event.
    pub fn of(event: Event) -> Self {
        if event.ends_access() {
            Self::Removals
        } else {
            Self::Others
        }
    }

    /// As stored.
    pub const fn number(self) -> i32 {
        match self {
            Self::Removals => 0,
            Self::Others => 1,
        }
    }
}

/// Moves what is due for these people into the removals' lane, and what is tried again later to now. A
/// webhook about a person waits for the earlier ones about them: left in its lane behind everybody else's
/// welcomes, one of those would hold up the word that the person has left.
pub(super) fn bring_along(conn: &mut Conn, profiles: &[&str], now: Timestamp) -> QueryResult<()> {
    for chunk in profiles.chunks(ROWS_PER_STATEMENT) {
        on_backend!(conn, c => diesel::update(deliveries::table
            .filter(deliveries::profile_id.eq_any(chunk))
            .filter(deliveries::state.eq(DeliveryState::Due.as_str()))
            .filter(deliveries::channel.eq(Channel::Webhook.name()))
            .filter(deliveries::attempts.gt(0))
            .filter(deliveries::due_at.gt(now)))
            .set(deliveries::due_at.eq(now))
            .execute(c))?;
        on_backend!(conn, c => diesel::update(deliveries::table
            .filter(deliveries::profile_id.eq_any(chunk))
            .filter(deliveries::state.eq(DeliveryState::Due.as_str()))
            .filter(deliveries::channel.eq(Channel::Webhook.name()))
            .filter(deliveries::due_at.le(now)))
            .set(deliveries::lane.eq(Lane::Removals.number()))
            .execute(c))?;
    }
    Ok(())
}
