//! The ways out of the house, put together from the settings: for the sender, and for a test-send from
//! the command line.

use crate::clock::Timestamp;
use crate::config::Config;
use crate::db::{Db, Urgency};
use crate::operations;
use crate::stop::Cut;
use crate::triggers::{ChannelSettings, Channels};

/// The ways out as configured, to try whether they can be reached: no key is made up for it.
pub fn channels_to_reach(config: &Config) -> anyhow::Result<Channels> {
    Ok(Channels::new(settings(config))?)
}

fn settings(config: &Config) -> ChannelSettings {
    ChannelSettings {
        smtp_url: config.mail.smtp_url.clone(),
        mail_from: config.mail.from.clone(),
        slack_bot_token: config.slack.bot_token.clone(),
        slack_api_url: config.slack.api_url.clone(),
        allow_private_targets: config.triggers.allow_private_targets,
        ..ChannelSettings::default()
    }
}

/// The ways out of the house, as configured. The key of outgoing webhooks is made up and kept where
/// none is configured.
pub fn channels(
    config: &Config,
    db: &Db,
    now: Timestamp,
    capture: bool,
    cut: Cut,
) -> anyhow::Result<Channels> {
    let webhook_secret = match &config.triggers.webhook_secret {
        Some(secret) => secret.clone(),
        None => db.write(Urgency::Normal, |conn| {
            operations::secrets::webhook_key(conn, now)
        })?,
    };
    Ok(Channels::new(ChannelSettings {
        webhook_secret: Some(webhook_secret),
        capture,
        cut,
        ..settings(config)
    })?)
}
