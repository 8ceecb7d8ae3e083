//! One claimed event, read: what it says, where it belongs in the order, whom it is about.

use crate::domain::{Observation, Said};
use crate::outbox::Claimed;
use crate::workos::{Data, DirectoryUser, Event, OrderKey, Unusable, UserState, read_event};

/// One event of a batch.
#[derive(Debug)]
pub(super) struct IncomingEvent {
    pub claimed: Claimed,
    pub key: OrderKey,
    pub event: Result<Event, Unusable>,
    pub directory_id: Option<String>,
    /// As the event says; once the world is loaded, as the directory's row says.
    pub organization_id: Option<String>,
    /// It speaks of somebody who was erased, and nothing is kept of it (R65).
    pub erased: bool,
}

impl IncomingEvent {
    pub(super) fn read(claimed: Claimed) -> Self {
        let event = match &claimed.body {
            Some(body) => read_event(body),
            None => Err(Unusable(
                "its payload is gone, after the retention time or because the person was erased"
                    .to_owned(),
            )),
        };
        let (directory_id, organization_id) = match event.as_ref().map(|event| &event.data) {
            Ok(data) => place_of(data),
            Err(_) => (None, None),
        };
        let removal = event
            .as_ref()
            .is_ok_and(|event| ends_something(&event.data));
        let key = OrderKey {
            at: claimed.occurred_at,
            removal,
            event_id: claimed.event_id.clone(),
        };
        Self {
            claimed,
            key,
            event,
            directory_id,
            organization_id,
            erased: false,
        }
    }

    pub(super) fn data(&self) -> Option<&Data> {
        let event = self.event.as_ref().ok().filter(|_| !self.erased);
        event.map(|event| &event.data)
    }

    /// What it says of a directory user, with the organization; `None` for other events.
    pub(super) fn observation(&self) -> Option<(String, Observation)> {
        let (user, deleted) = match self.data()? {
            Data::UserCreated(user) | Data::UserUpdated(user) => (user, false),
            Data::UserDeleted(user) => (user, true),
            _ => return None,
        };
        let said = Said {
            deleted,
            user: user.clone(),
        };
        Some((
            self.organization_id.clone()?,
            Observation {
                key: self.key.clone(),
                said,
            },
        ))
    }
}

/// The tie rule: of two events of one instant the one that ends something comes last (R66, C4).
fn ends_something(data: &Data) -> bool {
    match data {
        Data::UserDeleted(_)
        | Data::UserRemoved(_)
        | Data::GroupDeleted(_)
        | Data::DirectoryDeleted(_)
        | Data::DirectoryDeactivated(_)
        | Data::OrganizationDeleted(_) => true,
        Data::UserCreated(user) | Data::UserUpdated(user) => {
            matches!(user.state, Some(UserState::Inactive(_)))
        }
        _ => false,
    }
}

fn place_of(data: &Data) -> (Option<String>, Option<String>) {
    let of_user = |user: &DirectoryUser| {
        (
            Some(user.directory_id.clone()),
            user.organization_id.clone(),
        )
    };
    match data {
        Data::DirectoryActivated(directory)
        | Data::DirectoryDeleted(directory)
        | Data::DirectoryDeactivated(directory) => (
            Some(directory.id.clone()),
            directory.organization_id.clone(),
        ),
        Data::UserCreated(user) | Data::UserUpdated(user) | Data::UserDeleted(user) => {
            of_user(user)
        }
        Data::GroupCreated(group) | Data::GroupUpdated(group) | Data::GroupDeleted(group) => (
            Some(group.directory_id.clone()),
            group.organization_id.clone(),
        ),
        Data::UserAdded(edge) | Data::UserRemoved(edge) => (
            Some(edge.directory_id.clone()),
            edge.organization_id.clone(),
        ),
        Data::OrganizationDeleted(organization) => (None, Some(organization.clone())),
        Data::Ignored { .. } => (None, None),
    }
}
