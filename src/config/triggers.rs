//! What triggers may reach, and how outgoing webhooks are signed.

use secrecy::SecretString;

use super::reader::{Reader, yes_or_no};
use super::setting::{Setting, Shown};

/// Limits and keys of outgoing messages.
#[derive(Debug, Clone)]
pub struct Triggers {
    /// Whether messages may go to loopback and private addresses.
    pub allow_private_targets: bool,
    /// Key that signs outgoing webhooks (Standard Webhooks: `whsec_` and base64).
    pub webhook_secret: Option<SecretString>,
}

const ALLOW_PRIVATE_TARGETS: Setting =
    Setting::new("ROLLCALL_ALLOW_PRIVATE_TARGETS", "allow-private-targets", "triggers.allow_private_targets")
        .help(
            "BOOL",
            "Whether outgoing webhooks, Slack test hosts and SMTP without TLS may reach loopback and private addresses.",
        )
        .default("false")
        .shown(Shown::Switch);

const WEBHOOK_SECRET: Setting = Setting::new(
    "ROLLCALL_TRIGGER_WEBHOOK_SECRET",
    "trigger-webhook-secret",
    "triggers.webhook_secret",
)
.help(
    "SECRET",
    "Key that signs outgoing webhooks, as Standard Webhooks writes it: `whsec_` and base64. Unless set, one is made up and kept in the database; `rollcall signature key` prints it.",
)
.shown(Shown::Secret);

pub(super) const SETTINGS: &[Setting] = &[ALLOW_PRIVATE_TARGETS, WEBHOOK_SECRET];

pub(super) fn read(from: &mut Reader<'_>) -> Option<Triggers> {
    let allow_private_targets = from.value(&ALLOW_PRIVATE_TARGETS, yes_or_no);
    let webhook_secret = from.secret(&WEBHOOK_SECRET);
    Some(Triggers {
        allow_private_targets: allow_private_targets?,
        webhook_secret,
    })
}
