//! Talking back to WorkOS: reconciliation, catching up, portal links. Optional; webhooks need none of it.

use std::time::Duration;

use secrecy::SecretString;

use super::reader::{Reader, http_url, text, whole};
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
    /// When events are read back.
    pub catch_up: CatchUpMode,
    /// Time between two readings.
    pub catch_up_interval: Duration,
    /// How far back each reading begins behind the last event known (R19).
    pub catch_up_overlap: Duration,
    /// What is done when a directory is due to be compared.
    pub reconcile: ReconcileMode,
    /// Time between two comparisons of a directory.
    pub reconcile_interval: Duration,
}

/// What is done when a directory is due to be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReconcileMode {
    /// Nothing.
    Off,
    /// What differs is reported.
    Report,
    /// What differs is applied.
    Apply,
}

/// When events are read back from WorkOS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CatchUpMode {
    /// Never by itself.
    Off,
    /// Every so often.
    Interval,
    /// Every so often, and soon after each webhook.
    Poked,
}

const API_KEY: Setting = Setting::new("WORKOS_API_KEY", "workos-api-key", "workos.api_key")
    .help(
        "KEY",
        "The environment's API key (`sk_…`). With it events are caught up on, directories compared, set-up links opened and codes exchanged; webhooks need none of it.",
    )
    .shown(Shown::Secret);

const API_URL: Setting = Setting::new("WORKOS_API_URL", "workos-api-url", "workos.api_url")
    .help("URL", "Base URL of WorkOS's API.")
    .default("https://api.workos.com");

const CLIENT_ID: Setting = Setting::new("WORKOS_CLIENT_ID", "workos-client-id", "workos.client_id")
    .help("ID", "The environment's client id (`client_…`).");

const CATCH_UP: Setting = Setting::new("ROLLCALL_CATCH_UP", "catch-up", "workos.catch_up")
    .help(
        "WHEN",
        "When events are read back from WorkOS's Events API, where a key is set: `off`, `interval`, or `poked` (also soon after each webhook).",
    )
    .default("interval");

const INTERVAL: Setting = Setting::new(
    "ROLLCALL_CATCH_UP_INTERVAL",
    "catch-up-interval",
    "workos.catch_up_interval",
)
.help(
    "SECONDS",
    "Seconds between two readings of the Events API (5-86400).",
)
.default("300");

const OVERLAP: Setting = Setting::new(
    "ROLLCALL_CATCH_UP_OVERLAP",
    "catch-up-overlap",
    "workos.catch_up_overlap",
)
.help(
    "SECONDS",
    "Seconds that each reading begins before the newest event it knows, because WorkOS shows fresh events late (300-86400).",
)
.default("600");

const RECONCILE: Setting = Setting::new("ROLLCALL_RECONCILE", "reconcile", "workos.reconcile")
    .help(
        "WHAT",
        "What follows when linked directories are compared with WorkOS's own listing by themselves, where a key is set: `off`, `report`, or `apply` (under the guards that stand before webhooks). An organization's setting `reconcile` wins.",
    )
    .default("report");

const RECONCILE_INTERVAL: Setting = Setting::new(
    "ROLLCALL_RECONCILE_INTERVAL",
    "reconcile-interval",
    "workos.reconcile_interval",
)
.help(
    "SECONDS",
    "Seconds between two comparisons of a directory, a tenth more or less so that they do not meet (600-2592000).",
)
.default("86400");

pub(super) const SETTINGS: &[Setting] = &[
    API_KEY,
    API_URL,
    CLIENT_ID,
    CATCH_UP,
    INTERVAL,
    OVERLAP,
    RECONCILE,
    RECONCILE_INTERVAL,
];

fn comparing(text: &str) -> Result<ReconcileMode, String> {
    match text.to_ascii_lowercase().as_str() {
        "off" => Ok(ReconcileMode::Off),
        "report" => Ok(ReconcileMode::Report),
        "apply" => Ok(ReconcileMode::Apply),
        _ => Err(format!("`{text}` is none of `off`, `report`, `apply`")),
    }
}

fn mode(text: &str) -> Result<CatchUpMode, String> {
    match text.to_ascii_lowercase().as_str() {
        "off" => Ok(CatchUpMode::Off),
        "interval" => Ok(CatchUpMode::Interval),
        "poked" => Ok(CatchUpMode::Poked),
        _ => Err(format!("`{text}` is none of `off`, `interval`, `poked`")),
    }
}

pub(super) fn read(from: &mut Reader<'_>) -> Option<WorkOs> {
    let api_key = from.secret(&API_KEY);
    let api_url = from.value(&API_URL, http_url);
    let client_id = from.value(&CLIENT_ID, text);
    let catch_up = from.value(&CATCH_UP, mode);
    let between = |least| move |text: &str| whole(text, least, 86_400).map(Duration::from_secs);
    let catch_up_interval = from.value(&INTERVAL, between(5));
    let catch_up_overlap = from.value(&OVERLAP, between(300));
    let reconcile = from.value(&RECONCILE, comparing);
    let reconcile_interval = from.value(&RECONCILE_INTERVAL, |text| {
        whole(text, 600, 2_592_000).map(Duration::from_secs)
    });
    Some(WorkOs {
        api_key,
        api_url: api_url?,
        client_id,
        catch_up: catch_up?,
        catch_up_interval: catch_up_interval?,
        catch_up_overlap: catch_up_overlap?,
        reconcile: reconcile?,
        reconcile_interval: reconcile_interval?,
    })
}
