//! The envelope: the few fields of a body that the outbox indexes, read on the hot path between
//! the signature and the commit. What is refused here is refused for good (400, C7); whatever else
//! may be wrong with the data is found later, when the event is applied. Bodies are borrowed and
//! scanned, never built into a tree.

use std::borrow::Cow;

use thiserror::Error;

use super::ids::{event_time, provider_user};
use super::json::{MAX_DEPTH, Object, is_too_deep};
use super::text::{MAX_ID, sanitise};
use super::user::UserState;
use crate::clock::Timestamp;

/// What the outbox knows of an event without understanding it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// The event's id: opaque, unique, the key of every duplicate check.
    pub id: String,
    /// The event's kind as sent, for example `dsync.user.updated`.
    pub event: String,
    /// `created_at`, else the time in the id, else `None`: the receipt's time then stands in.
    pub occurred_at: Option<Timestamp>,
    /// WorkOS's organization id.
    pub organization_id: Option<String>,
    /// WorkOS's directory id.
    pub directory_id: Option<String>,
    /// Whom it is about: the directory user, of user and membership events; else the group or the
    /// directory itself.
    pub subject: Option<String>,
    /// Whether it takes somebody or some membership away: such events overtake the others (R67).
    pub removal: bool,
}

/// Why a body is not an envelope. The text names the fault and quotes nothing of the body.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EnvelopeError {
    /// It begins with U+FEFF.
    #[error("The body begins with a byte order mark. Send the JSON alone.")]
    ByteOrderMark,
    /// It is not UTF-8, the only encoding of JSON (RFC 8259, section 8.1).
    #[error("The body is not valid UTF-8 at byte {0}.")]
    NotUtf8(usize),
    /// It nests deeper than Rollcall follows.
    #[error("The body nests arrays and objects deeper than {MAX_DEPTH} levels.")]
    TooDeep,
    /// It does not parse as JSON from the first byte to the last.
    #[error("The body is not JSON: the fault is at line {line}, column {column}.")]
    NotJson {
        /// The line, from 1.
        line: usize,
        /// The column, from 1, in bytes.
        column: usize,
    },
    /// It is JSON, but an array, a text, a number, a boolean or null.
    #[error("The body is not a JSON object. A WorkOS event is one object with `id` and `event`.")]
    NotAnObject,
    /// No usable `id`.
    #[error("The envelope's `id` must be a text of 1 to {MAX_ID} characters.")]
    Id,
    /// No usable `event`.
    #[error("The envelope's `event` must be a text of 1 to {MAX_ID} characters.")]
    Event,
}

impl EnvelopeError {
    /// The fault as a metric label.
    pub fn code(&self) -> &'static str {
        match self {
            Self::ByteOrderMark => "byte_order_mark",
            Self::NotUtf8(_) => "not_utf8",
            Self::TooDeep => "too_deep",
            Self::NotJson { .. } => "not_json",
            Self::NotAnObject => "not_an_object",
            Self::Id => "bad_id",
            Self::Event => "bad_event",
        }
    }
}

/// Reads the envelope of a body whose signature held. Extra fields and missing optional ones are
/// fine (R6); ids in `data` that are no text count as absent.
pub fn read_envelope(body: &[u8]) -> Result<Envelope, EnvelopeError> {
    let json = readable(body)?;
    let outer = outer_object(&json)?;
    let id = outer.id("id").ok_or(EnvelopeError::Id)?;
    let event = outer.id("event").ok_or(EnvelopeError::Event)?;
    let created_at = outer.text("created_at");
    let occurred_at = created_at
        .and_then(|text| Timestamp::parse(&text))
        .or_else(|| event_time(&id));
    let ids = match outer.object("data") {
        Some(data) => Ids::read(Topic::of(&event), &data),
        None => Ids::default(),
    };
    Ok(Envelope {
        removal: is_removal(&event, ids.state.as_ref()),
        id,
        event,
        occurred_at,
        organization_id: ids.organization,
        directory_id: ids.directory,
        subject: ids.subject,
    })
}

/// The body as JSON text that is safe to parse: UTF-8, no BOM, not too deep, sanitised.
pub(super) fn readable(body: &[u8]) -> Result<Cow<'_, str>, EnvelopeError> {
    if body.starts_with(b"\xEF\xBB\xBF") {
        return Err(EnvelopeError::ByteOrderMark);
    }
    let text =
        std::str::from_utf8(body).map_err(|error| EnvelopeError::NotUtf8(error.valid_up_to()))?;
    if is_too_deep(text) {
        return Err(EnvelopeError::TooDeep);
    }
    Ok(sanitise(text))
}

/// The outermost object of a readable body.
pub(super) fn outer_object(json: &str) -> Result<Object<'_>, EnvelopeError> {
    Object::read(json).map_err(|error| match error.is_data() {
        true => EnvelopeError::NotAnObject,
        false => EnvelopeError::NotJson {
            line: error.line(),
            column: error.column(),
        },
    })
}

/// What the data of an event describes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Topic {
    Directory,
    User,
    Group,
    Membership,
    Organization,
    Other,
}

impl Topic {
    fn of(kind: &str) -> Self {
        match kind {
            "dsync.activated" | "dsync.deleted" | "dsync.deactivated" => Self::Directory,
            "dsync.user.created" | "dsync.user.updated" | "dsync.user.deleted" => Self::User,
            "dsync.group.created" | "dsync.group.updated" | "dsync.group.deleted" => Self::Group,
            "dsync.group.user_added" | "dsync.group.user_removed" => Self::Membership,
            "organization.deleted" => Self::Organization,
            _ => Self::Other,
        }
    }
}

#[derive(Default)]
struct Ids {
    organization: Option<String>,
    directory: Option<String>,
    subject: Option<String>,
    state: Option<UserState>,
}

impl Ids {
    fn read(topic: Topic, data: &Object<'_>) -> Self {
        let plain = Self {
            organization: data.id("organization_id"),
            directory: data.id("directory_id"),
            subject: data.id("id"),
            state: None,
        };
        match topic {
            Topic::Directory => Self {
                directory: plain.subject.clone(),
                ..plain
            },
            Topic::User => Self {
                state: data.text("state").and_then(|text| UserState::read(&text)),
                ..plain
            },
            Topic::Group => plain,
            Topic::Organization => Self {
                organization: plain.subject.clone(),
                directory: None,
                ..plain
            },
            Topic::Membership => plain.of_membership(data),
            Topic::Other => Self {
                subject: None,
                ..plain
            },
        }
    }

    /// Membership data names its directory; organization and user lie one level down.
    fn of_membership(self, data: &Object<'_>) -> Self {
        let (user, group) = (data.object("user"), data.object("group"));
        let within = |key| {
            let of_user = user.as_ref().and_then(|user| user.id(key));
            of_user.or_else(|| group.as_ref().and_then(|group| group.id(key)))
        };
        let directory = self.directory.or_else(|| within("directory_id"));
        Self {
            organization: self.organization.or_else(|| within("organization_id")),
            subject: user.as_ref().and_then(|user| {
                let by_provider =
                    || Some(provider_user(directory.as_deref()?, &user.id("idp_id")?));
                user.id("id").or_else(by_provider)
            }),
            directory,
            state: None,
        }
    }
}

fn is_removal(kind: &str, state: Option<&UserState>) -> bool {
    match kind {
        "dsync.user.deleted"
        | "dsync.group.user_removed"
        | "dsync.group.deleted"
        | "organization.deleted" => true,
        "dsync.user.created" | "dsync.user.updated" => {
            matches!(state, Some(UserState::Inactive(_)))
        }
        _ => false,
    }
}

#[cfg(test)]
#[path = "envelope_tests.rs"]
mod tests;
