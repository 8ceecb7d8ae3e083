//! What the handlers share.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use ipnet::IpNet;
use metrics_exporter_prometheus::PrometheusHandle;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tokio::sync::{Notify, Semaphore};

use crate::clock::{Clock, Timestamp};
use crate::db::deadline::{Limit, within};
use crate::db::{Conn, Db, DbError, Urgency};
use crate::intake::Intake;
use crate::operations::refusals::Refusals;
use crate::operations::settings::{self, SettingsUpdate, SettingsView};
use crate::operations::webhook_secrets::SecretUses;
use crate::operations::wrong_paths::WrongPaths;
use crate::operations::{Actor, OperationError, tokens};
use crate::triggers::{Channels, Policy};
use crate::workos::Secrets;
use crate::workos::client::Client;

use super::drain::Drain;
use super::health::Answered;
use super::payload::Unfinished;
use super::rates::Rates;
use super::snapshot::Snapshot;

/// What the handlers share; one for each server.
pub struct HttpState {
    /// The database.
    pub db: Db,
    /// The clock.
    pub clock: Clock,
    /// The door to the committer.
    pub intake: Intake,
    /// Told of every delivery: catching up may be waiting for one.
    pub poke: Arc<Notify>,
    /// Told when something new is in the outbox that did not come by the intake.
    pub wake: Arc<Notify>,
    /// WorkOS's API, where a key is configured.
    pub workos: Option<Client>,
    /// The webhook secrets.
    pub secrets: Secrets,
    /// What each of them has verified since that was last written down.
    pub secret_uses: SecretUses,
    /// What was refused at the door since that was last written down.
    pub refusals: Refusals,
    /// Near misses of the webhook's path since that was last written down.
    pub wrong_paths: WrongPaths,
    /// How far a delivery's `t` may be from now.
    pub tolerance: Duration,
    /// The largest body.
    pub body_limit: usize,
    /// Networks that webhooks may come from; empty means any.
    pub allowed_sources: Vec<IpNet>,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// The bootstrap token.
    pub admin_token: Option<SecretString>,
    /// How test-sends leave the house.
    pub channels: Arc<Channels>,
    /// What triggers may name.
    pub policy: Policy,
    /// Renders `/metrics`.
    pub metrics: PrometheusHandle,
    /// What readiness asks for.
    pub wanted: Wanted,
    /// When a refusal by time was last kept, in microseconds.
    pub stale_kept: AtomicI64,
    /// What clients may ask of the server.
    pub bounds: ClientBounds,
    /// What is being answered, and whether the service stops.
    pub drain: Drain,
}

/// What clients may ask of the server, and how much of it is under way.
pub struct ClientBounds {
    /// How long a body may take.
    pub body_time: Duration,
    /// Where `/metrics` and `/health/ready` are answered, if not where everything else is.
    pub metrics_listen: Option<SocketAddr>,
    /// Bodies under way.
    pub(super) unfinished: Arc<Unfinished>,
    /// How often each token may call.
    pub(super) rates: Option<Rates>,
    /// Readings that may keep a connection busy for a while.
    readings: Arc<Semaphore>,
    pub(super) ready: Snapshot<Answered>,
    pub(super) figures: Snapshot<String>,
}

impl ClientBounds {
    /// By the settings; `connections` are those to the database that read.
    pub fn new(
        body_time: Duration,
        api_rate: u32,
        snapshot: Duration,
        metrics_listen: Option<SocketAddr>,
        connections: u32,
    ) -> Self {
        Self {
            body_time,
            metrics_listen,
            unfinished: Arc::default(),
            rates: Rates::new(api_rate),
            readings: Arc::new(Semaphore::new(
                connections.saturating_sub(FIRST).max(1) as usize
            )),
            ready: Snapshot::new(snapshot),
            figures: Snapshot::new(snapshot),
        }
    }
}

/// Connections that are never given to what may take long: access, tokens and health answer from them.
const FIRST: u32 = 4;
/// How long a reading may take: a page, a search.
const READING: Duration = Duration::from_secs(10);
/// And one that tries something on everybody.
const LONG_READING: Duration = Duration::from_secs(60);
/// How long a reading waits for its turn.
const WAIT_FOR_TURN: Duration = Duration::from_secs(5);

/// What readiness asks for.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// A worker's heartbeat; not under `--no-worker` (C11).
    pub worker: bool,
}

impl HttpState {
    /// Whoever holds the bootstrap token, where that SHA-256 is of it; compared in constant time.
    pub fn bootstrap(&self, digest: &[u8; 32]) -> Option<Actor> {
        let own = Sha256::digest(self.admin_token.as_ref()?.expose_secret());
        bool::from(own.as_slice().ct_eq(digest.as_slice())).then(Actor::bootstrap)
    }

    /// Who the token of that SHA-256 stands for; `None` when it is nobody's or revoked.
    pub async fn actor_of(&self, digest: [u8; 32]) -> Result<Option<Actor>, OperationError> {
        match self.bootstrap(&digest) {
            Some(actor) => Ok(Some(actor)),
            None => {
                self.read_first(move |conn| tokens::authenticate(conn, &digest))
                    .await
            }
        }
    }

    /// Runs a read where blocking is allowed: bounded in time, and ended when nobody waits for it.
    pub async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Conn) -> Result<T, OperationError> + Send + 'static,
    ) -> Result<T, OperationError> {
        self.read_within(READING, work).await
    }

    /// As [`HttpState::read`], for what looks at everybody of an organization.
    pub async fn read_long<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Conn) -> Result<T, OperationError> + Send + 'static,
    ) -> Result<T, OperationError> {
        self.read_within(LONG_READING, work).await
    }

    /// Runs a read that takes one look-up, whatever else is being read: access, tokens, health.
    pub async fn read_first<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Conn) -> Result<T, OperationError> + Send + 'static,
    ) -> Result<T, OperationError> {
        let db = self.db.clone();
        off_the_loop(move || db.read(work)).await
    }

    async fn read_within<T: Send + 'static>(
        &self,
        time: Duration,
        work: impl FnOnce(&mut Conn) -> Result<T, OperationError> + Send + 'static,
    ) -> Result<T, OperationError> {
        struct Waits(Arc<Limit>);
        impl Drop for Waits {
            fn drop(&mut self) {
                self.0.give_up();
            }
        }
        let readings = Arc::clone(&self.bounds.readings);
        let turn = tokio::time::timeout(WAIT_FOR_TURN, readings.acquire_owned())
            .await
            .map_err(|_| OperationError::TooSlow("too much is being read at once".to_owned()))?;
        let limit = Limit::new(time);
        // Dropped with this future, which the server drops when the client has gone.
        let waits = Waits(Arc::clone(&limit));
        let db = self.db.clone();
        let done = off_the_loop(move || {
            let _turn = turn;
            within(&limit, || db.read(work)).map_err(|error| match error {
                OperationError::Database(ref failed)
                    if limit.was_met() || failed.was_interrupted() =>
                {
                    OperationError::TooSlow(format!(
                        "this takes longer than {} s: ask for less at once",
                        time.as_secs()
                    ))
                }
                error => error,
            })
        })
        .await;
        drop(waits);
        done
    }

    /// Runs what chooses its own transactions where blocking is allowed.
    pub async fn with_db<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Db) -> Result<T, OperationError> + Send + 'static,
    ) -> Result<T, OperationError> {
        let db = self.db.clone();
        off_the_loop(move || work(&db)).await
    }

    /// Runs a write transaction where blocking is allowed.
    pub async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Conn) -> Result<T, OperationError> + Send + 'static,
    ) -> Result<T, OperationError> {
        let db = self.db.clone();
        off_the_loop(move || db.write(Urgency::Normal, work)).await
    }

    /// Changes an organization's settings: whom that concerns is found on a reading connection, so that no webhook
    /// waits for it.
    pub async fn change_settings(
        &self,
        actor: Actor,
        id: String,
        update: SettingsUpdate,
        now: Timestamp,
    ) -> Result<SettingsView, OperationError> {
        let asked = (actor.clone(), id.clone(), update.clone());
        let forecast = self
            .read_long(move |conn| settings::foresee(conn, &asked.0, &asked.1, &asked.2, now))
            .await?;
        self.write(move |conn| settings::update(conn, &actor, &id, &update, &forecast, now))
            .await
    }

    /// After an erasure: it is done, and only the file's copy in the log may be left for a while.
    pub async fn empty_log(&self) {
        let db = self.db.clone();
        if let Err(error) = off_the_loop(move || Ok(db.empty_log()?)).await {
            tracing::warn!(%error, "the log could not be emptied now; it is overwritten in time");
        }
    }

    /// Runs a write transaction and takes it back, whatever came of it: a dry run that is true.
    pub async fn rehearse<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Conn) -> Result<T, OperationError> + Send + 'static,
    ) -> Result<T, OperationError> {
        let db = self.db.clone();
        off_the_loop(move || db.rehearse(Urgency::Normal, work)).await
    }
}

async fn off_the_loop<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, OperationError> + Send + 'static,
) -> Result<T, OperationError> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(
            |error| Err(DbError::Pool(format!("a database task ended: {error}")).into()),
        )
}
