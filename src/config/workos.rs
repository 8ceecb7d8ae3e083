//! Talking back to WorkOS: reconciliation, catching up, portal links. Optional; webhooks need none of it.

use secrecy::SecretString;

use super::reader::{Reader, http_url, text};
use super::setting::{Setting, Shown};

/// Access to WorkOS's API.
#[derive(Debug, Clone)]
pub struct WorkOs {
    /// The environment's API key (`sk_…`).
    pub api_key: Option<SecretString>,
    /// Base URL, without a slash at the end.
    pub api_url: String,
    /// The environment's client id (`client_…`), for logins.
    pub client_id: Option<String>,
}

const API_KEY: Setting = Setting::new("WORKOS_API_KEY", "workos-api-key", "workos.api_key")
    .help(
        "KEY",
        "The environment's API key (`sk_…`). Kept for reading back from WorkOS, which this version does not do yet.",
    )
    .shown(Shown::Secret);

const API_URL: Setting = Setting::new("WORKOS_API_URL", "workos-api-url", "workos.api_url")
    .help("URL", "Base URL of WorkOS's API.")
    .default("https://api.workos.com");

const CLIENT_ID: Setting = Setting::new("WORKOS_CLIENT_ID", "workos-client-id", "workos.client_id")
    .help("ID", "The environment's client id (`client_…`).");

pub(super) const SETTINGS: &[Setting] = &[API_KEY, API_URL, CLIENT_ID];

pub(super) fn read(from: &mut Reader<'_>) -> Option<WorkOs> {
    let api_key = from.secret(&API_KEY);
    let api_url = from.value(&API_URL, http_url);
    let client_id = from.value(&CLIENT_ID, text);
    Some(WorkOs {
        api_key,
        api_url: api_url?,
        client_id,
    })
}
