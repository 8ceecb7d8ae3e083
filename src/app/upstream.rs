//! The conversations with WorkOS's API, put together from the settings: none of them without a key.

use std::sync::Arc;

use secrecy::ExposeSecret;

use super::App;
use crate::config::{CatchUpMode, Config, ReconcileMode};
use crate::db::Db;
use crate::intake::Intake;
use crate::operations::enable::kept_webhook_secret;
use crate::upstream::{CatchUp, CatchUpSettings, Comparing, Pulling, Reconciler, Scheduled};
use crate::workos::Secrets;
use crate::workos::client::{Client, ClientSettings};

/// WorkOS's API, where a key is configured.
pub fn workos_client(config: &Config) -> anyhow::Result<Option<Client>> {
    let Some(api_key) = config.workos.api_key.clone() else {
        return Ok(None);
    };
    let settings = ClientSettings {
        api_key,
        api_url: config.workos.api_url.clone(),
        client_id: config.workos.client_id.clone(),
    };
    Ok(Some(Client::new(settings)?))
}

/// What verifies deliveries: the configured secrets, and that of an endpoint that Rollcall
/// registered itself.
pub fn webhook_secrets(config: &Config, db: &Db) -> anyhow::Result<Secrets> {
    let configured = config.webhook.secrets.as_ref();
    let configured = configured.map(ExposeSecret::expose_secret);
    let kept = db.read(kept_webhook_secret)?;
    let registered = kept
        .filter(|kept| configured.is_none_or(|all| !all.contains(kept)))
        .map(|kept| format!("registered:{kept}"));
    let all: Vec<&str> = configured
        .into_iter()
        .chain(registered.as_deref())
        .collect();
    if all.is_empty() {
        return Ok(Secrets::default());
    }
    Ok(Secrets::parse(&all.join(","))?)
}

impl App {
    /// Reading events back, where a key is set and it is not turned off.
    pub(super) fn catch_up(&self, intake: Intake) -> Option<CatchUp> {
        if self.config.workos.catch_up == CatchUpMode::Off {
            return None;
        }
        let settings = CatchUpSettings {
            overlap: self.config.workos.catch_up_overlap,
        };
        Some(CatchUp::new(
            self.db.clone(),
            self.clock.clone(),
            self.workos.clone()?,
            intake,
            settings,
        ))
    }

    /// Comparing directories, where a key is set.
    pub fn reconciler(&self) -> Option<Reconciler> {
        let client = self.workos.clone()?;
        let wake = Arc::clone(&self.wake);
        Some(Reconciler::new(
            self.db.clone(),
            self.clock.clone(),
            client,
            wake,
        ))
    }

    /// Comparing directories, by itself too.
    pub(super) fn comparing(&self) -> Option<Reconciler> {
        let mode = match self.config.workos.reconcile {
            ReconcileMode::Off => Comparing::Off,
            ReconcileMode::Report => Comparing::Report,
            ReconcileMode::Apply => Comparing::Apply,
        };
        let every = self.config.workos.reconcile_interval;
        Some(self.reconciler()?.scheduled(Scheduled { mode, every }))
    }

    pub(super) fn pulling(&self) -> Pulling {
        Pulling {
            interval: self.config.workos.catch_up_interval,
            poked: self.config.workos.catch_up == CatchUpMode::Poked,
        }
    }
}
