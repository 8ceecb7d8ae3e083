//! The channels: one attempt at sending one message, and an honest [`Outcome`]. Nothing here
//! repeats, queues or remembers; the delivery loop does that, under its lease. No reason or log line
//! made here holds an address, a name, a text, a URL or a secret.

mod client;
mod slack;
mod smtp;
pub mod target;
mod webhook;

use std::time::Duration;

use reqwest::Client;
use secrecy::SecretString;
use serde_json::Value;

use super::{Channel, Outcome};
use crate::clock::Timestamp;
use crate::stop::Cut;

pub use client::{ClientError, Names, http_client};
pub use slack::MAX_TEXT as MAX_SLACK_TEXT;
pub use smtp::SmtpError;
pub use webhook::SigningKey;

/// No attempt takes longer than this; a delivery's lease must outlast it.
pub const LONGEST_ATTEMPT: Duration = Duration::from_secs(100);

/// One message, filled in and addressed.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// The same on every attempt, and unlike any other: the mail's Message-ID is made from it, and
    /// it is the `webhook-id`.
    pub delivery_key: String,
    /// An e-mail address; a Slack incoming webhook's URL, channel, or person's e-mail address; a URL.
    pub recipient: String,
    /// The mail's subject.
    pub subject: Option<String>,
    /// The text; for Slack already escaped (`template::Escape::Slack`).
    pub text: String,
    /// The mail's HTML part.
    pub html: Option<String>,
    /// The webhook's body. Without it, an envelope of `event_type`, `at` and `text`.
    pub payload: Option<Value>,
    /// The event behind it, such as `profile.activated`.
    pub event_type: Option<String>,
    /// The instant of this attempt: the mail's Date, the `webhook-timestamp`.
    pub at: Timestamp,
}

/// How this installation reaches the outside. Read once at start-up.
#[derive(Debug, Clone, Default)]
pub struct ChannelSettings {
    /// `ROLLCALL_SMTP_URL`: `smtps://user:password@host`, or `smtp://` with STARTTLS.
    pub smtp_url: Option<SecretString>,
    /// `ROLLCALL_MAIL_FROM`: `Rollcall <rollcall@example.com>`.
    pub mail_from: Option<String>,
    /// `ROLLCALL_SLACK_BOT_TOKEN`: `xoxb-…` with `chat:write` and `users:read.email`.
    pub slack_bot_token: Option<SecretString>,
    /// `ROLLCALL_SLACK_API_URL`; empty is `https://slack.com/api`.
    pub slack_api_url: String,
    /// `ROLLCALL_TRIGGER_WEBHOOK_SECRET`: `whsec_` and base64 (Standard Webhooks).
    pub webhook_secret: Option<SecretString>,
    /// `ROLLCALL_ALLOW_PRIVATE_TARGETS`.
    pub allow_private_targets: bool,
    /// Who resolves names; the system by default.
    pub names: Names,
    /// `serve --dev`: nothing leaves the house, everything counts as sent.
    pub capture: bool,
    /// When no answer is waited for any more.
    pub cut: Cut,
}

/// A setting that cannot work; told at start-up.
#[derive(Debug, thiserror::Error)]
pub enum ChannelError {
    /// The mail settings.
    #[error(transparent)]
    Smtp(#[from] SmtpError),
    /// The webhook secret.
    #[error("ROLLCALL_TRIGGER_WEBHOOK_SECRET: {0}")]
    WebhookSecret(String),
    /// Slack's API address.
    #[error("ROLLCALL_SLACK_API_URL: {0}")]
    SlackApi(target::TargetError),
    /// The HTTP client.
    #[error(transparent)]
    Client(#[from] ClientError),
}

/// All channels, ready to send. Cheap to share behind an `Arc`.
pub struct Channels(Option<Live>);

struct Live {
    smtp: Option<smtp::Smtp>,
    slack: slack::Slack,
    client: Client,
    webhook_key: Option<SigningKey>,
    allow_private: bool,
    cut: Cut,
}

impl Channels {
    /// Checks the settings and makes the clients. Connects to nothing yet.
    pub fn new(settings: ChannelSettings) -> Result<Self, ChannelError> {
        Self::with_patience(
            settings,
            client::Patience::default(),
            smtp::Patience::default(),
        )
    }

    fn with_patience(
        settings: ChannelSettings,
        http: client::Patience,
        mail: smtp::Patience,
    ) -> Result<Self, ChannelError> {
        if settings.capture {
            return Ok(Self(None));
        }
        let allow_private = settings.allow_private_targets;
        let client = client::patient_client(allow_private, http, settings.names.clone())?;
        let api_url = match settings.slack_api_url.trim() {
            "" => "https://slack.com/api".to_owned(),
            url => target::check_url(url, allow_private)
                .map(|_| url.to_owned())
                .map_err(ChannelError::SlackApi)?,
        };
        let smtp = match &settings.smtp_url {
            Some(url) => Some(smtp::Smtp::new(
                url,
                settings.mail_from.as_deref(),
                allow_private,
                mail,
                settings.cut.clone(),
            )?),
            None => None,
        };
        let webhook_key = settings
            .webhook_secret
            .as_ref()
            .map(SigningKey::parse)
            .transpose()
            .map_err(ChannelError::WebhookSecret)?;
        let slack = slack::Slack {
            client: client.clone(),
            bot_token: settings.slack_bot_token,
            api_url,
            allow_private,
        };
        Ok(Self(Some(Live {
            smtp,
            slack,
            client,
            webhook_key,
            allow_private,
            cut: settings.cut,
        })))
    }

    /// Tries to reach what is configured, sending nothing: what it is, and what came of it.
    pub async fn reach(&self) -> Vec<(&'static str, Result<String, String>)> {
        let mut all = Vec::new();
        let Some(live) = &self.0 else {
            return all;
        };
        if let Some(smtp) = &live.smtp {
            all.push(("mail server", smtp.reach().await));
        }
        if let Some(outcome) = live.slack.reach().await {
            all.push(("Slack", outcome));
        }
        all
    }

    /// One attempt at one message. Takes at most [`LONGEST_ATTEMPT`], and ends at the cut. To be awaited to
    /// its end: an attempt that is dropped halfway has an unknown outcome.
    pub async fn send(&self, channel: Channel, message: &Message) -> Outcome {
        let Some(live) = &self.0 else {
            return Outcome::sent("captured");
        };
        if live.cut.is_reached() {
            return Outcome::later("the service stopped before it was sent");
        }
        tokio::select! {
            // Whoever knows that nothing has left yet says so first.
            biased;
            outcome = live.send(channel, message) => outcome,
            () = live.cut.reached() => {
                live.cut.leave();
                Outcome::unknown("the service stopped before an answer came")
            }
        }
    }
}

impl Live {
    async fn send(&self, channel: Channel, message: &Message) -> Outcome {
        match channel {
            Channel::Email => match &self.smtp {
                Some(smtp) => smtp.send(message).await,
                None => Outcome::refused_destination(
                    "no mail server is configured: set ROLLCALL_SMTP_URL",
                ),
            },
            Channel::Slack => self.slack.send(message).await,
            Channel::Webhook => {
                webhook::send(
                    &self.client,
                    self.webhook_key.as_ref(),
                    self.allow_private,
                    message,
                )
                .await
            }
        }
    }
}

#[cfg(test)]
#[path = "../../../tests/suite/support/http_sink.rs"]
mod http_sink;
#[cfg(test)]
#[path = "../../../tests/suite/support/smtp.rs"]
mod smtp_sink;
#[cfg(test)]
mod tests;
