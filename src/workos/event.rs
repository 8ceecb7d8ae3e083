//! A whole event, as the roll applies it: a closed list of Directory Sync kinds, each with its
//! data, and `Ignored` for everything else, with the reason (R5, C7). An event of a known kind
//! whose data lacks an id it cannot do without is `Unusable`, and fails with that sentence.

use thiserror::Error;

use super::clean;
use super::envelope::{outer_object, readable};
use super::ids::provider_user;
use super::json::Object;
use super::user::{DirectoryUser, Said};

/// One event.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// The event's id.
    pub id: String,
    /// The kind as sent.
    pub kind: String,
    /// What it says.
    pub data: Data,
}

/// What an event says, by kind.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the variants are WorkOS's event names")]
pub enum Data {
    DirectoryActivated(Directory),
    DirectoryDeleted(Directory),
    DirectoryDeactivated(Directory),
    UserCreated(DirectoryUser),
    UserUpdated(DirectoryUser),
    UserDeleted(DirectoryUser),
    GroupCreated(Group),
    GroupUpdated(Group),
    GroupDeleted(Group),
    UserAdded(Membership),
    UserRemoved(Membership),
    /// The organization, by its id.
    OrganizationDeleted(String),
    /// A kind that Rollcall does not act on.
    Ignored {
        /// Why, in a sentence.
        reason: String,
    },
}

/// A directory. In events its states are `active`, `inactive`, `validating`,
/// `invalid_credentials`, `deleting`; REST has other words (contract 3.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directory {
    /// WorkOS's id.
    pub id: String,
    /// The organization, where the payload says it.
    pub organization_id: Option<String>,
    /// `type`, an open list: `okta scim v2.0`, `gsuite directory`, …
    pub kind: Option<String>,
    /// The state as sent.
    pub state: Option<String>,
    /// The name its administrator gave it.
    pub name: Option<String>,
}

/// A directory group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// WorkOS's id, the same after a rename.
    pub id: String,
    /// The directory it belongs to.
    pub directory_id: String,
    /// The organization, where the payload says it.
    pub organization_id: Option<String>,
    /// The provider's id: at Okta the name itself.
    pub idp_id: Option<String>,
    /// The name.
    pub name: Option<String>,
}

/// An edge between a user and a group. What else the payload says of the user is often partial
/// and is not read (R76).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// The directory of both.
    pub directory_id: String,
    /// The organization, where the payload says it.
    pub organization_id: Option<String>,
    /// The directory user's id; where the event has none, [`provider_user`] of the next.
    pub user_id: String,
    /// The provider's id of a user whom the event gives no id of WorkOS's (R95).
    pub user_idp_id: Option<String>,
    /// The group.
    pub group: Group,
}

/// Why an event cannot be applied, however often it is tried: a sentence that says what is missing.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct Unusable(pub String);

impl Unusable {
    pub(super) fn unless<T>(id: Option<T>, kind: &str, what: &str, path: &str) -> Result<T, Self> {
        id.ok_or_else(|| {
            Self(format!(
                "{kind} names no {what}: `{path}` is missing, empty, not a text, or longer than an id may be."
            ))
        })
    }
}

/// Reads a stored body. Fails only where the sender would have to send something else.
pub fn read_event(body: &str) -> Result<Event, Unusable> {
    let unusable = |error: super::EnvelopeError| Unusable(error.to_string());
    let json = readable(body.as_bytes()).map_err(unusable)?;
    let outer = outer_object(&json).map_err(unusable)?;
    let id = Unusable::unless(outer.id("id"), "The envelope", "event id", "id")?;
    let kind = Unusable::unless(outer.id("event"), "The envelope", "kind", "event")?;
    let data = read_data(&kind, outer.object("data"))?;
    Ok(Event { id, kind, data })
}

fn read_data(kind: &str, data: Option<Object<'_>>) -> Result<Data, Unusable> {
    type Read<'k> = fn(&'k str, &Object<'_>) -> Result<Data, Unusable>;
    let read: Read<'_> = match kind {
        "dsync.activated" => |k, d| Directory::read(k, d).map(Data::DirectoryActivated),
        "dsync.deleted" => |k, d| Directory::read(k, d).map(Data::DirectoryDeleted),
        "dsync.deactivated" => |k, d| Directory::read(k, d).map(Data::DirectoryDeactivated),
        "dsync.user.created" => |k, d| DirectoryUser::read(k, d).map(Data::UserCreated),
        "dsync.user.updated" => |k, d| DirectoryUser::read(k, d).map(Data::UserUpdated),
        "dsync.user.deleted" => |k, d| DirectoryUser::read(k, d).map(Data::UserDeleted),
        "dsync.group.created" => |k, d| Group::read(k, d, None).map(Data::GroupCreated),
        "dsync.group.updated" => |k, d| Group::read(k, d, None).map(Data::GroupUpdated),
        "dsync.group.deleted" => |k, d| Group::read(k, d, None).map(Data::GroupDeleted),
        "dsync.group.user_added" => |k, d| Membership::read(k, d).map(Data::UserAdded),
        "dsync.group.user_removed" => |k, d| Membership::read(k, d).map(Data::UserRemoved),
        "organization.deleted" => |k, d| {
            Unusable::unless(d.id("id"), k, "organization", "data.id")
                .map(Data::OrganizationDeleted)
        },
        other => {
            let reason = reason_to_ignore(other);
            return Ok(Data::Ignored { reason });
        }
    };
    let data = data.ok_or_else(|| Unusable(format!("{kind} carries no `data` object.")))?;
    read(kind, &data)
}

fn reason_to_ignore(kind: &str) -> String {
    if kind.starts_with("dsync.token.") {
        format!("{kind} is about a directory's access token, which changes nobody's profile.")
    } else if kind.starts_with("dsync.") {
        format!("{kind} is a Directory Sync event that this version does not know.")
    } else {
        format!("{kind} is not a Directory Sync event.")
    }
}

impl Directory {
    fn read(kind: &str, data: &Object<'_>) -> Result<Self, Unusable> {
        Ok(Self {
            id: Unusable::unless(data.id("id"), kind, "directory", "data.id")?,
            organization_id: data.id("organization_id"),
            kind: optional(data, "type"),
            state: optional(data, "state"),
            name: optional(data, "name"),
        })
    }
}

impl Group {
    /// `outer` is the directory that surrounding data names, for groups that do not say.
    fn read(kind: &str, group: &Object<'_>, outer: Option<&str>) -> Result<Self, Unusable> {
        let own = group.id("directory_id");
        let directory_id = own.or_else(|| outer.map(str::to_owned));
        let path = if outer.is_some() {
            "data.group.id"
        } else {
            "data.id"
        };
        Ok(Self {
            id: Unusable::unless(group.id("id"), kind, "group", path)?,
            directory_id: Unusable::unless(directory_id, kind, "directory", "data.directory_id")?,
            organization_id: group.id("organization_id"),
            idp_id: group
                .id("idp_id")
                .map(|id| clean::bare(&id))
                .filter(|id| !id.is_empty()),
            name: optional(group, "name"),
        })
    }
}

impl Membership {
    fn read(kind: &str, data: &Object<'_>) -> Result<Self, Unusable> {
        let user = Unusable::unless(data.object("user"), kind, "user", "data.user")?;
        let group = Unusable::unless(data.object("group"), kind, "group", "data.group")?;
        let first = |key| {
            let outer = data.id(key).or_else(|| user.id(key));
            outer.or_else(|| group.id(key))
        };
        let directory_id = Unusable::unless(
            first("directory_id"),
            kind,
            "directory",
            "data.directory_id",
        )?;
        let named = user.id("id");
        let user_idp_id = match named {
            Some(_) => None,
            None => user.id("idp_id").filter(|id| !clean::is_placeholder(id)),
        };
        let by_provider = user_idp_id
            .as_deref()
            .map(|id| provider_user(&directory_id, id));
        Ok(Self {
            organization_id: first("organization_id"),
            user_id: Unusable::unless(named.or(by_provider), kind, "user", "data.user.id")?,
            user_idp_id,
            group: Group::read(kind, &group, Some(&directory_id))?,
            directory_id,
        })
    }
}

/// A text that only describes: what cannot be used is as good as absent.
fn optional(data: &Object<'_>, key: &str) -> Option<String> {
    match Said::read(data, key, &mut Vec::new()) {
        Said::Text(text) => Some(text),
        Said::Absent | Said::Null => None,
    }
}

#[cfg(test)]
#[path = "event_tests.rs"]
mod tests;
