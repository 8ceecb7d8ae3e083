//! What makes a delivery from WorkOS believable: the endpoint's secrets and the freshness window.

use std::time::Duration;

use secrecy::SecretString;

use super::reader::{Reader, seconds};
use super::setting::{Setting, Shown};

/// How deliveries from WorkOS are verified.
#[derive(Debug, Clone)]
pub struct Webhook {
    /// The raw comma-separated list, as `workos::Secrets` parses it at start. `serve` wants one.
    pub secrets: Option<SecretString>,
    /// How far the signature's time may lie from ours, either way (contract 1.2).
    pub tolerance: Duration,
}

const SECRETS: Setting = Setting::new("WORKOS_WEBHOOK_SECRET", "webhook-secret", "webhook.secret")
    .help(
        "SECRETS",
        "The endpoint's signing secret from the WorkOS dashboard. Several, comma-separated, verify at once while \
         one is being rotated; `label:secret` names one in the metrics.",
    )
    .shown(Shown::Secret);

const TOLERANCE: Setting = Setting::new(
    "ROLLCALL_SIGNATURE_TOLERANCE",
    "signature-tolerance",
    "webhook.signature_tolerance",
)
.help(
    "SECONDS",
    "How far a signature's time may lie from ours, past or future, in seconds of any size.",
)
.default("300");

pub(super) const SETTINGS: &[Setting] = &[SECRETS, TOLERANCE];

pub(super) fn read(from: &mut Reader<'_>) -> Option<Webhook> {
    let secrets = from.secret(&SECRETS);
    let tolerance = from.value(&TOLERANCE, seconds);
    Some(Webhook {
        secrets,
        tolerance: tolerance?,
    })
}
