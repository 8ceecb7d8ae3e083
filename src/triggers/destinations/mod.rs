//! Destinations: where messages go. Each mail server, Slack channel and web address is one, with a
//! queue, a pace and a state of its own, so that one that refuses or stalls is stopped or waited for
//! alone, and the others go on. A stopped one is resumed by an operator.

mod failing;
mod rows;

use sha2::{Digest, Sha256};

use super::definition::{Channel, Recipient, Step};

pub use failing::{REPEATED, REPEATED_FOR, SLOW, failing, failing_count, fails, works};
pub use rows::{
    DestinationFigures, DestinationRow, Open, ensure, figures, find, free_places, hold_back,
    is_used_by, list, open, pace, resume, stop, stopped_count,
};

/// Where a step goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// The same for every step that goes there. A digest where the address may hold a secret.
    pub id: String,
    /// Over what.
    pub channel: Channel,
    /// As operators see it: no secret, no person.
    pub shown: String,
}

impl Destination {
    /// Where this step goes. All mail goes through one server; all direct messages through one bot.
    pub fn of(step: &Step) -> Self {
        let (id, shown) = match (step.channel, &step.to) {
            (Channel::Email, _) => ("email".to_owned(), "the mail server".to_owned()),
            (Channel::Slack, Recipient::Person | Recipient::Manager | Recipient::Address(_)) => (
                "slack_direct".to_owned(),
                "Slack, direct messages".to_owned(),
            ),
            (channel, to) => {
                let address = to.to_string();
                let digest = hex::encode(Sha256::digest(address.as_bytes()));
                let short = digest.get(..16).unwrap_or(&digest);
                let shown = super::sender::shown_recipient(to, &address).to_owned();
                (format!("{}_{short}", channel.name()), shown)
            }
        };
        Self {
            id,
            channel: step.channel,
            shown,
        }
    }
}

/// How many messages may be in the air to one destination: a stalled one takes no more of the
/// sender's places than this in either lane. Slack's channels want their messages one by one.
pub fn width(channel: &str) -> i64 {
    match Channel::parse(channel) {
        Some(Channel::Email) => 4,
        Some(Channel::Slack) => 1,
        Some(Channel::Webhook) | None => 2,
    }
}

/// The pause between two messages to one destination: Slack allows one a second in each channel.
pub fn spacing(channel: &str) -> std::time::Duration {
    match Channel::parse(channel) {
        Some(Channel::Slack) => std::time::Duration::from_millis(1_100),
        _ => std::time::Duration::ZERO,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::triggers::After;

    fn place(channel: Channel, to: &str) -> Destination {
        Destination::of(&Step {
            channel,
            to: Recipient::from(to.to_owned()),
            fallback: None,
            after: After::default(),
            at: None,
            subject: None,
            text: None,
            html: None,
            digest: None,
        })
    }

    #[test]
    fn every_address_is_a_destination_and_its_secret_is_not_shown() {
        let one = place(
            Channel::Slack,
            "https://hooks.slack.com/services/T0/B0/secret",
        );
        let two = place(
            Channel::Slack,
            "https://hooks.slack.com/services/T0/B1/secret",
        );
        assert_ne!(one.id, two.id);
        assert_eq!(one.shown, "https://hooks.slack.com");
        assert!(!one.id.contains("secret"));
        assert_eq!(
            one,
            place(
                Channel::Slack,
                "https://hooks.slack.com/services/T0/B0/secret"
            )
        );
        assert_eq!(place(Channel::Slack, "#welcome").shown, "#welcome");
        assert_ne!(
            place(Channel::Webhook, "https://a.example/").id,
            place(Channel::Webhook, "https://b.example/").id
        );
    }

    #[test]
    fn all_mail_is_one_destination_and_so_are_all_direct_messages() {
        assert_eq!(
            place(Channel::Email, "person").id,
            place(Channel::Email, "hr@example.com").id
        );
        assert_eq!(
            place(Channel::Slack, "person").id,
            place(Channel::Slack, "manager").id
        );
        assert_ne!(
            place(Channel::Slack, "person").id,
            place(Channel::Slack, "#welcome").id
        );
    }

    #[test]
    fn only_slack_is_paced() {
        assert!(spacing("slack").as_millis() >= 1_000);
        assert!(spacing("email").is_zero() && spacing("webhook").is_zero());
    }
}
