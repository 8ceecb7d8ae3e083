//! Posting to Slack channels with a bot's token. Incoming-webhook URLs need none of it: they stand
//! in the trigger itself.

use secrecy::SecretString;

use super::reader::{Reader, http_url};
use super::setting::{Setting, Shown};

/// Access to Slack's Web API.
#[derive(Debug, Clone)]
pub struct Slack {
    /// Bot token (`xoxb-…`) with the scope `chat:write`.
    pub bot_token: Option<SecretString>,
    /// Base URL of the Web API, without a slash at the end.
    pub api_url: String,
}

const BOT_TOKEN: Setting = Setting::new(
    "ROLLCALL_SLACK_BOT_TOKEN",
    "slack-bot-token",
    "slack.bot_token",
)
.help(
    "TOKEN",
    "Bot token (`xoxb-…`, scope `chat:write`) for triggers that name a channel.",
)
.shown(Shown::Secret);

const API_URL: Setting = Setting::new("ROLLCALL_SLACK_API_URL", "slack-api-url", "slack.api_url")
    .help("URL", "Base URL of Slack's Web API.")
    .default("https://slack.com/api");

pub(super) const SETTINGS: &[Setting] = &[BOT_TOKEN, API_URL];

pub(super) fn read(from: &mut Reader<'_>) -> Option<Slack> {
    let bot_token = from.secret(&BOT_TOKEN);
    let api_url = from.value(&API_URL, http_url);
    Some(Slack {
        bot_token,
        api_url: api_url?,
    })
}
