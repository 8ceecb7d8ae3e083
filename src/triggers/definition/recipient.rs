//! To whom a step goes: by role (the person, their manager), or a fixed place. One text in JSON,
//! told apart by its shape; what each channel accepts is checked when a trigger is saved.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Channel, Policy};
use crate::triggers::channels::target;

/// The `to` of a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(into = "String", from = "String")]
pub enum Recipient {
    /// The person the event is about.
    Person,
    /// That person's manager, looked up when it is sent (R81).
    Manager,
    /// A fixed e-mail address.
    Address(String),
    /// A web address: a Slack incoming webhook, or a host application's endpoint. It may hold a
    /// secret in its path: not for logs.
    Url(String),
    /// A Slack channel: `#name` or its id.
    SlackChannel(String),
}

impl From<String> for Recipient {
    fn from(text: String) -> Self {
        match text.as_str() {
            "person" => Self::Person,
            "manager" => Self::Manager,
            _ if text.contains("://") => Self::Url(text),
            _ if text.contains('@') => Self::Address(text),
            _ => Self::SlackChannel(text),
        }
    }
}

impl From<Recipient> for String {
    fn from(recipient: Recipient) -> Self {
        recipient.to_string()
    }
}

impl fmt::Display for Recipient {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Person => "person",
            Self::Manager => "manager",
            Self::Address(text) | Self::Url(text) | Self::SlackChannel(text) => text,
        })
    }
}

impl Recipient {
    /// Whether the channel can reach it; the error says what it could.
    pub(super) fn check(&self, channel: Channel, policy: Policy) -> Result<(), String> {
        match (channel, self) {
            (Channel::Email, Self::Person | Self::Manager) => Ok(()),
            (Channel::Email, Self::Address(text)) => match address(text) {
                Some(_) => Ok(()),
                None => Err("this is no plain e-mail address (one address, without a name, quotes or spaces)".to_owned()),
            },
            (Channel::Email, _) => Err("\"email\" goes to \"person\", \"manager\" or an e-mail address".to_owned()),
            (Channel::Slack | Channel::Webhook, Self::Url(url)) => {
                target::check_url(url, policy.allow_private_targets).map(drop).map_err(|error| error.to_string())
            }
            (Channel::Slack, Self::Person | Self::Manager) => bot_needed(policy),
            (Channel::Slack, Self::SlackChannel(name)) if is_slack_channel(name) => bot_needed(policy),
            (Channel::Slack, _) => {
                Err("\"slack\" goes to an incoming webhook's https URL, to a #channel, to \"person\" or to \"manager\"".to_owned())
            }
            (Channel::Webhook, _) => Err("\"webhook\" goes to an https URL".to_owned()),
        }
    }
}

fn bot_needed(policy: Policy) -> Result<(), String> {
    if policy.slack_bot {
        return Ok(());
    }
    Err("this needs a Slack bot token: set ROLLCALL_SLACK_BOT_TOKEN, or name an incoming webhook's https URL".to_owned())
}

/// `#name` as Slack allows it (lower case, digits, `-`, `_`, other scripts; at most 80), or an id.
fn is_slack_channel(text: &str) -> bool {
    if let Some(name) = text.strip_prefix('#') {
        let fits = |letter: char| {
            letter == '-' || letter == '_' || (letter.is_alphanumeric() && !letter.is_uppercase())
        };
        return (1..=80).contains(&name.chars().count()) && name.chars().all(fits);
    }
    let id = text.strip_prefix(['C', 'G', 'D']).unwrap_or_default();
    (8..=20).contains(&id.len())
        && id
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}

/// Reads a plain `local@domain` strictly: no quotes, no brackets, no spaces, nothing a header or an
/// SMTP command could be broken with. A domain in other scripts becomes its ASCII form.
pub fn address(text: &str) -> Option<lettre::Address> {
    let (user, domain) = text.rsplit_once('@')?;
    let plain = |letter: char| {
        !letter.is_control() && !letter.is_whitespace() && !"\"\\<>()[],;:".contains(letter)
    };
    if text.len() > 254 || !user.chars().chain(domain.chars()).all(plain) {
        return None;
    }
    let domain = if domain.is_ascii() {
        domain.to_owned()
    } else {
        url::Host::parse(domain).ok()?.to_string()
    };
    lettre::Address::new(user, domain).ok()
}
