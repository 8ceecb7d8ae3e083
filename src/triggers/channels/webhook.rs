//! Signed webhooks to a host application, as Standard Webhooks has it (standardwebhooks.com, spec
//! 1.0): `webhook-id` is the delivery key and the same on every attempt, so that the receiver can
//! drop a repetition; `webhook-timestamp` is the attempt's; `webhook-signature` is `v1,` and the
//! base64 of HMAC-SHA256 over `id.timestamp.body`.
//!
//! | answer | outcome |
//! | --- | --- |
//! | 2xx | sent |
//! | 3xx | refused destination: redirects are not followed |
//! | 410 | refused destination: gone |
//! | 408, 425, 429, 5xx | later, with `Retry-After` where given |
//! | other 4xx | refused message |
//! | none, after it was handed over | unknown |
//!
//! A 5xx is later and not unknown: the receiver answered that it did not do it, it can tell a
//! repetition by its id, and a "removed" that is never repeated leaves sessions alive.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use reqwest::{Client, StatusCode};
use secrecy::{ExposeSecret, SecretSlice, SecretString};
use serde_json::json;
use sha2::Sha256;

use super::{Message, client, target};
use crate::clock::Timestamp;
use crate::triggers::Outcome;

/// The key to sign with: the bytes behind `whsec_`.
pub struct SigningKey(SecretSlice<u8>);

impl SigningKey {
    /// Reads `whsec_` + base64 (the prefix may be missing); 24 to 64 bytes, as the spec asks.
    pub fn parse(secret: &SecretString) -> Result<Self, String> {
        let text = secret.expose_secret().trim();
        let bytes = STANDARD
            .decode(text.strip_prefix("whsec_").unwrap_or(text))
            .unwrap_or_default();
        if !(24..=64).contains(&bytes.len()) {
            return Err("the webhook secret must be whsec_ and the base64 of 24 to 64 random bytes; make one with: \
                        echo whsec_$(openssl rand -base64 32)"
                .to_owned());
        }
        Ok(Self(SecretSlice::from(bytes)))
    }

    /// The value of `webhook-signature`.
    fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> Option<String> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.0.expose_secret()).ok()?;
        mac.update(format!("{id}.{timestamp}.").as_bytes());
        mac.update(body);
        Some(format!(
            "v1,{}",
            STANDARD.encode(mac.finalize().into_bytes())
        ))
    }
}

/// One attempt.
pub(super) async fn send(
    client: &Client,
    key: Option<&SigningKey>,
    allow_private: bool,
    message: &Message,
) -> Outcome {
    let url = match target::check_url(&message.recipient, allow_private) {
        Ok(url) => url,
        Err(error) => return Outcome::refused_destination(error.to_string()),
    };
    let Some(key) = key else {
        return Outcome::refused_destination(
            "no webhook secret is configured: set ROLLCALL_TRIGGER_WEBHOOK_SECRET",
        );
    };
    let (body, timestamp) = (body(message), message.at.seconds());
    let Some(signature) = key.sign(&message.delivery_key, timestamp, &body) else {
        return Outcome::refused_destination("the webhook secret cannot be used as a key");
    };
    let request = client
        .post(url)
        .header("content-type", "application/json")
        .header("webhook-id", &message.delivery_key)
        .header("webhook-timestamp", timestamp)
        .header("webhook-signature", signature)
        .body(body);
    match client::send(request).await {
        Ok(response) => judge(
            response.status(),
            client::retry_after(&response, message.at),
        ),
        Err(outcome) => outcome,
    }
}

/// The payload as planned; a step with a text only gets the spec's envelope around it.
fn body(message: &Message) -> Vec<u8> {
    let payload = message.payload.clone().unwrap_or_else(|| {
        json!({
            "type": message.event_type.as_deref().unwrap_or("message"),
            "timestamp": Timestamp::to_string(&message.at),
            "data": { "text": message.text },
        })
    });
    payload.to_string().into_bytes()
}

fn judge(status: StatusCode, retry_after: Option<std::time::Duration>) -> Outcome {
    let reason = format!("the receiver answered {}", status.as_u16());
    match status.as_u16() {
        200..=299 => Outcome::sent(reason),
        300..=399 => Outcome::refused_destination(format!(
            "{reason}; redirects are not followed, name the final URL"
        )),
        410 => Outcome::refused_destination(format!("{reason}: gone")),
        408 | 425 | 429 | 500..=599 => Outcome::Later {
            retry_after,
            reason,
        },
        _ => Outcome::refused_message(reason),
    }
}

#[cfg(test)]
#[path = "webhook_tests.rs"]
mod tests;
