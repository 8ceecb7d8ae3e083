//! What a trigger is, as `POST /v1/triggers` takes it (design section 6): an event, a condition,
//! and steps that say what goes where and when. Everything is checked when it is saved, so that
//! nothing can go wrong later that could have been told then; all problems are told at once.

mod narrow;
mod read;
mod recipient;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::when::{After, LocalTime};
use crate::conditions::{Condition, Problem};

pub use recipient::{Recipient, address};

/// The most steps one trigger may have.
pub const MAX_STEPS: usize = 20;

/// What a trigger listens to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Event {
    /// A person becomes active.
    #[serde(rename = "profile.activated")]
    ProfileActivated,
    /// A person is removed.
    #[serde(rename = "profile.removed")]
    ProfileRemoved,
    /// A person's access is suspended until an operator decides.
    #[serde(rename = "profile.suspended")]
    ProfileSuspended,
    /// A suspended person may come in again.
    #[serde(rename = "profile.resumed")]
    ProfileResumed,
    /// Anything shown about a person changed.
    #[serde(rename = "profile.updated")]
    ProfileUpdated,
    /// One field changed.
    #[serde(rename = "field.changed")]
    FieldChanged,
    /// A person joined a community.
    #[serde(rename = "membership.began")]
    MembershipBegan,
    /// A person left a community, whatever the reason.
    #[serde(rename = "membership.ended")]
    MembershipEnded,
}

impl Event {
    /// All events, with the names they have in JSON, columns and webhook bodies.
    pub const ALL: [(&'static str, Event); 8] = [
        ("profile.activated", Event::ProfileActivated),
        ("profile.removed", Event::ProfileRemoved),
        ("profile.suspended", Event::ProfileSuspended),
        ("profile.resumed", Event::ProfileResumed),
        ("profile.updated", Event::ProfileUpdated),
        ("field.changed", Event::FieldChanged),
        ("membership.began", Event::MembershipBegan),
        ("membership.ended", Event::MembershipEnded),
    ];

    /// What tells machines who may not come in any more, so that sessions end (R40).
    pub const ENDS_ACCESS: [&'static str; 3] =
        ["profile.removed", "profile.suspended", "membership.ended"];

    /// The event of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, event)| *event)
    }

    /// Whether it is told although the person has left, and although messaging is off.
    pub fn ends_access(self) -> bool {
        Self::ENDS_ACCESS.contains(&self.name())
    }

    /// Whether it is for machines alone: an operator has not decided yet, and nothing is said to people.
    pub fn is_for_machines(self) -> bool {
        matches!(self, Self::ProfileSuspended | Self::ProfileResumed)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(_, event)| *event == self)
            .map_or("", |(name, _)| name)
    }
}

/// Whether a trigger fires.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Can be previewed and tested; sends nothing by itself.
    #[default]
    Draft,
    /// Fires where messaging is on.
    Published,
}

impl Status {
    /// The status of that name.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "draft" => Some(Self::Draft),
            "published" => Some(Self::Published),
            _ => None,
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Published => "published",
        }
    }
}

/// How a message leaves the house.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Channel {
    /// SMTP.
    Email,
    /// A Slack incoming webhook, or a bot's message to a channel or a person.
    Slack,
    /// A signed POST to a host application (Standard Webhooks).
    Webhook,
}

impl Channel {
    /// The channel of that name.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "email" => Some(Self::Email),
            "slack" => Some(Self::Slack),
            "webhook" => Some(Self::Webhook),
            _ => None,
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Slack => "slack",
            Self::Webhook => "webhook",
        }
    }
}

/// One message of a trigger. Reads back from the JSON it is kept as; new ones come through
/// [`NewTrigger::parse`], which checks them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Step {
    /// Over what.
    pub channel: Channel,
    /// To whom or where.
    pub to: Recipient,
    /// Who gets it where the manager cannot: of a step to the manager only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<Recipient>,
    /// How long after the event (or after the start date, R60); `PT0S` is at once.
    #[serde(default)]
    pub after: After,
    /// At what time of day there; `None` is as soon as `after` has passed.
    #[serde(default)]
    pub at: Option<LocalTime>,
    /// The mail's subject, a template. Always there for `email`, never elsewhere.
    #[serde(default)]
    pub subject: Option<String>,
    /// The text, a template. Always there but for `webhook`, whose body is the event itself.
    #[serde(default)]
    pub text: Option<String>,
    /// The mail's HTML part, a template.
    #[serde(default)]
    pub html: Option<String>,
    /// One message for many, where several are due at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
}

/// What a channel hears instead of one message for each person, when a burst is due.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Digest {
    /// From so many on.
    pub at_least: u32,
    /// The text, a template that knows `count` and `names`.
    pub text: String,
    /// A mail's subject, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
}

/// A checked trigger, ready to be kept.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct NewTrigger {
    /// WorkOS's id of the organization (C9).
    pub organization_id: String,
    /// What people call it.
    pub name: String,
    /// What it listens to.
    pub on: Event,
    /// Of `field.changed`: which field, `title` or `attributes.<name>`. Without it, any field that
    /// `when` names, or any at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// Of `field.changed`: only when the field now says this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changed_to: Option<Value>,
    /// Of `membership.began` and `membership.ended`: only this community, by id or name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub community: Option<String>,
    /// For whom; `None` is everybody.
    pub when: Option<Condition>,
    /// Draft or published.
    #[schemars(default)]
    pub status: Status,
    /// 1 to [`MAX_STEPS`] messages.
    pub steps: Vec<Step>,
}

/// What this installation can do; a step that needs more is refused when saved.
#[derive(Debug, Clone, Copy, Default)]
pub struct Policy {
    /// `ROLLCALL_ALLOW_PRIVATE_TARGETS`: plain `http` and private addresses may be named.
    pub allow_private_targets: bool,
    /// A Slack bot token is configured: `person`, `manager` and channels may be named.
    pub slack_bot: bool,
}

impl NewTrigger {
    /// Reads the body of `POST /v1/triggers`, or tells everything that is wrong with it.
    pub fn parse(body: &Value, policy: Policy) -> Result<Self, Vec<Problem>> {
        read::trigger(body, policy, read::Texts::Checked)
    }

    /// Reads what was checked when it was saved: not against today's settings again, and its texts are
    /// judged when they are filled in.
    pub(super) fn read_kept(body: &Value) -> Result<Self, Vec<Problem>> {
        let anything = Policy {
            allow_private_targets: true,
            slack_bot: true,
        };
        read::trigger(body, anything, read::Texts::AsKept)
    }
}

#[cfg(test)]
mod tests;
