//! Slack, two ways. To an incoming webhook's URL: one POST. With a bot token: `chat.postMessage` to
//! a channel, or to a person found by `users.lookupByEmail`. Links are not unfolded; the text is cut
//! at 4,000 characters, which is what Slack asks for (it truncates by itself at 40,000).
//!
//! Which answer means what is in `slack/answers.rs`. 500, 502 and 504 come from in front of or
//! behind the part that posts, so nobody knows whether it posted: unknown. A person who is not in
//! the workspace yet is later: accounts are made in the first days.

mod answers;

use reqwest::{Client, Response, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use self::answers::Room;
use super::{Message, client, target};
use crate::triggers::Outcome;

/// The longest text sent, in characters.
pub const MAX_TEXT: usize = 4_000;

/// How to reach Slack's API.
pub(super) struct Slack {
    pub(super) client: Client,
    pub(super) bot_token: Option<SecretString>,
    pub(super) api_url: String,
    pub(super) allow_private: bool,
}

impl Slack {
    /// One attempt. The recipient is an incoming webhook's URL, an e-mail address, or a channel.
    pub(super) async fn send(&self, message: &Message) -> Outcome {
        if message.recipient.contains("://") {
            return self.to_webhook(message).await;
        }
        let Some(token) = &self.bot_token else {
            return Outcome::refused_destination(
                "no Slack bot token is configured: set ROLLCALL_SLACK_BOT_TOKEN",
            );
        };
        if message.recipient.starts_with('#') || !message.recipient.contains('@') {
            return self
                .post(token, &message.recipient, Room::Channel, message)
                .await;
        }
        match self.person(token, message).await {
            Ok(user) => self.post(token, &user, Room::Direct, message).await,
            Err(outcome) => outcome,
        }
    }

    /// Asks Slack whose token this is; `None` where there is none.
    pub(super) async fn reach(&self) -> Option<Result<String, String>> {
        let token = self.bot_token.as_ref()?;
        let url = match self.method("auth.test") {
            Ok(url) => url,
            Err(outcome) => return Some(Err(outcome.reason().to_owned())),
        };
        let asked = client::send(self.client.post(url).bearer_auth(token.expose_secret())).await;
        let response = match asked {
            Ok(response) => response,
            Err(outcome) => return Some(Err(outcome.reason().to_owned())),
        };
        let (status, answer) = read(response).await;
        let ok = answer.as_ref().is_some_and(|answer| answer["ok"] == true);
        Some(if status.is_success() && ok {
            Ok("Slack knows the bot token".to_owned())
        } else {
            Err(format!(
                "Slack answered {status} {}",
                error_code(answer.as_ref())
            ))
        })
    }

    async fn to_webhook(&self, message: &Message) -> Outcome {
        let url = match target::check_url(&message.recipient, self.allow_private) {
            Ok(url) => url,
            Err(error) => return Outcome::refused_destination(error.to_string()),
        };
        let body = json!({ "text": cut(&message.text), "link_names": false, "unfurl_links": false, "unfurl_media": false });
        let response = match client::send(self.client.post(url).json(&body)).await {
            Ok(response) => response,
            Err(outcome) => return outcome,
        };
        let (status, retry_after) = (
            response.status(),
            client::retry_after(&response, message.at),
        );
        // The status alone decides; the body only names the reason.
        let code = client::answer(response).await.unwrap_or_default();
        answers::webhook(status, code_word(&code), retry_after)
    }

    /// The Slack user with the recipient's address. Reading posts nothing, so that every failure
    /// short of a refusal is later.
    async fn person(&self, token: &SecretString, message: &Message) -> Result<String, Outcome> {
        let mut url = self.method("users.lookupByEmail")?;
        url.query_pairs_mut()
            .append_pair("email", &message.recipient);
        let response = client::send(self.client.get(url).bearer_auth(token.expose_secret()))
            .await
            .map_err(|outcome| match outcome {
                Outcome::Unknown { reason } => {
                    Outcome::later(format!("users.lookupByEmail: {reason}"))
                }
                outcome => outcome,
            })?;
        let retry_after = client::retry_after(&response, message.at);
        let (status, answer) = read(response).await;
        let user = answer
            .as_ref()
            .filter(|answer| answer["ok"] == true)
            .and_then(|answer| answer["user"]["id"].as_str());
        match user {
            Some(id) => Ok(id.to_owned()),
            None => Err(answers::lookup(
                status,
                error_code(answer.as_ref()),
                retry_after,
            )),
        }
    }

    async fn post(
        &self,
        token: &SecretString,
        channel: &str,
        room: Room,
        message: &Message,
    ) -> Outcome {
        let url = match self.method("chat.postMessage") {
            Ok(url) => url,
            Err(outcome) => return outcome,
        };
        let body = json!({ "channel": channel, "text": cut(&message.text), "parse": "none", "link_names": false, "unfurl_links": false, "unfurl_media": false });
        let response = match client::send(
            self.client
                .post(url)
                .bearer_auth(token.expose_secret())
                .json(&body),
        )
        .await
        {
            Ok(response) => response,
            Err(outcome) => return outcome,
        };
        let retry_after = client::retry_after(&response, message.at);
        let (status, answer) = read(response).await;
        match answer {
            Some(answer) if status.is_success() && answer["ok"] == true => {
                Outcome::sent("Slack answered ok")
            }
            answer => answers::post(status, error_code(answer.as_ref()), room, retry_after),
        }
    }

    fn method(&self, name: &str) -> Result<reqwest::Url, Outcome> {
        let url = format!("{}/{name}", self.api_url.trim_end_matches('/'));
        target::check_url(&url, self.allow_private)
            .map_err(|error| Outcome::refused_destination(format!("Slack's API address: {error}")))
    }
}

async fn read(response: Response) -> (StatusCode, Option<Value>) {
    let status = response.status();
    let body = client::answer(response).await.unwrap_or_default();
    (status, serde_json::from_slice(&body).ok())
}

fn error_code(answer: Option<&Value>) -> &str {
    answer
        .and_then(|answer| answer["error"].as_str())
        .map_or("", |code| code_word(code.as_bytes()))
}

/// Slack's error codes are words of lower-case letters; anything else is not repeated.
fn code_word(body: &[u8]) -> &str {
    let text = std::str::from_utf8(body).unwrap_or_default().trim();
    let fits = text.len() <= 64
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    if fits { text } else { "" }
}

/// At most [`MAX_TEXT`] characters, not cut within an entity.
fn cut(text: &str) -> String {
    if text.chars().count() <= MAX_TEXT {
        return text.to_owned();
    }
    let mut kept: String = text.chars().take(MAX_TEXT - 1).collect();
    if let Some(at) = kept
        .rfind('&')
        .filter(|at| kept.len() - at < 6 && !kept[*at..].contains(';'))
    {
        kept.truncate(at);
    }
    kept.push('…');
    kept
}

#[cfg(test)]
#[path = "slack_tests.rs"]
mod tests;
