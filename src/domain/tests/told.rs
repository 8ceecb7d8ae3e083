//! One event as the roll hears it, read from its body by the readers of the webhook and the worker.

use serde_json::Value;

use crate::domain::{DirectoryTurn, Observation, Said};
use crate::workos::{
    Data, Directory, DirectoryUser, Group, Membership, OrderKey, read_envelope, read_event,
};

/// No keys at all.
pub static NOTHING: std::collections::BTreeSet<String> = std::collections::BTreeSet::new();

#[derive(Clone, Debug, PartialEq)]
pub enum Told {
    User(Box<Observation>),
    Turn(DirectoryTurn),
    /// A group, which is deleted where it has no name.
    Group(OrderKey, Group),
    /// Somebody joins a group or leaves it.
    Edge(OrderKey, Membership, bool),
}

impl Told {
    pub fn key(&self) -> &OrderKey {
        match self {
            Self::User(observation) => &observation.key,
            Self::Turn(turn) => &turn.key,
            Self::Group(key, ..) | Self::Edge(key, ..) => key,
        }
    }

    /// What a body says; `None` where it is of a kind that is not acted on.
    pub fn read(body: &Value) -> Option<Self> {
        let body = body.to_string();
        let envelope = read_envelope(body.as_bytes()).unwrap();
        let data = read_event(&body).unwrap().data;
        let key = |removal| OrderKey {
            at: envelope.occurred_at.unwrap(),
            removal,
            event_id: envelope.id.clone(),
        };
        Some(match data {
            Data::UserCreated(user) | Data::UserUpdated(user) => said(key(false), user, false),
            Data::UserDeleted(user) => said(key(true), user, true),
            Data::DirectoryActivated(one) => turned(key(false), one, true, false),
            Data::DirectoryDeleted(one) => turned(key(true), one, false, true),
            Data::DirectoryDeactivated(one) => turned(key(true), one, false, false),
            Data::GroupCreated(group) | Data::GroupUpdated(group) => Self::Group(key(false), group),
            Data::GroupDeleted(group) => {
                let name = None;
                Self::Group(key(true), Group { name, ..group })
            }
            Data::UserAdded(edge) => Self::Edge(key(false), edge, true),
            Data::UserRemoved(edge) => Self::Edge(key(true), edge, false),
            Data::OrganizationDeleted(_) | Data::Ignored { .. } => return None,
        })
    }
}

fn said(key: OrderKey, user: DirectoryUser, deleted: bool) -> Told {
    let said = Said { deleted, user };
    let mut observation = Observation { key, said };
    observation.key.removal = observation.is_removal();
    Told::User(Box::new(observation))
}

fn turned(key: OrderKey, one: Directory, linked: bool, deleted: bool) -> Told {
    Told::Turn(DirectoryTurn {
        key,
        directory_id: one.id,
        linked,
        removes: false,
        deleted,
        kind: one.kind,
    })
}
