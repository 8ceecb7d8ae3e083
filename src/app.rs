//! The service put together: database, intake, workers, sender, HTTP, and one order of shutting
//! down. Binding comes first, so that port 0 works and a taken port is told before anything starts;
//! the listener and the word to stop are handed in.

mod outgoing;

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use actix_web::web;
use anyhow::Context as _;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use crate::clock::Clock;
use crate::config::Config;
use crate::console::Console;
use crate::db::{Db, DbError, Urgency, migrate, migration_state, new_id};
use crate::http::{ClientBounds, Drain, HttpState, Wanted};
use crate::intake::Intake;
use crate::operations::erasure::settle_key;
use crate::operations::refusals::Refusals;
use crate::operations::retention;
use crate::operations::webhook_secrets::SecretUses;
use crate::operations::wrong_paths::WrongPaths;
use crate::outbox::queue_stats;
use crate::stop::{Cut, Ended, wait_for};
use crate::store::processes;
use crate::telemetry;
use crate::triggers::sender::Sender;
use crate::triggers::{Channels, Policy};
use crate::worker::{BatchSettings, Worker};
use crate::workos::client::Client;

mod counting;
mod every;
mod limits;
mod presence;
mod server;
mod stopping;
mod suspects;
mod upstream;
mod watching;

pub use crate::worker::Orders;
pub use server::bind;
pub use suspects::{this_program, try_suspects};
pub use upstream::{webhook_secrets, workos_client};

use every::every;
use presence::is_gone;

pub use outgoing::{channels, channels_to_reach};

pub use crate::http::document as openapi;

/// Connections beside SQLite's writer, or to PostgreSQL.
const CONNECTIONS: u32 = 16;
const HEARTBEAT: Duration = Duration::from_secs(5);
const JANITOR: Duration = Duration::from_secs(600);

/// How the service is to be put together.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// `serve --dev`: messaging is on for new organizations, deliveries are captured instead of sent.
    pub dev: bool,
    /// `serve --no-worker`: webhooks are stored, somebody else works them off.
    pub no_worker: bool,
    /// `--no-migrate`: refuse to start on pending migrations instead of running them.
    pub no_migrate: bool,
    /// This program, to be started again to try events in a process of their own; none in a library.
    pub program: Option<PathBuf>,
}

/// The parts that every role needs.
pub struct App {
    /// The database.
    pub db: Db,
    /// The clock.
    pub clock: Clock,
    /// Settings.
    pub config: Config,
    /// How it is put together.
    pub options: Options,
    /// Told when something new is in the outbox.
    pub wake: Arc<Notify>,
    /// Told of every delivery.
    pub poke: Arc<Notify>,
    /// WorkOS's API, where a key is configured.
    pub workos: Option<Client>,
    channels: Arc<Channels>,
    secret_uses: SecretUses,
    refusals: Refusals,
    wrong_paths: WrongPaths,
    memory: watching::Memory,
    process_id: String,
    /// Made when a stop has no more time for what waits.
    cut: Cut,
}

impl App {
    /// Opens and migrates the database and checks every setting that can be checked before the start.
    pub fn open(config: Config, clock: Clock, options: Options) -> anyhow::Result<Self> {
        let db = Db::open(&config.database.url, CONNECTIONS)?;
        let clock = db.corrected(clock);
        db.maintain(|conn| {
            // Otherwise asked by `migrate`, under its lock: several may start on an empty database.
            if options.no_migrate {
                let pending = migration_state(conn)?.pending;
                if !pending.is_empty() {
                    return Err(DbError::Migration(format!(
                        "migrations are pending ({}): run `rollcall migrate`, or start without --no-migrate",
                        pending.join(", ")
                    )));
                }
            }
            migrate(conn)
        })?;
        settle_key(&db, config.access.erasure_key.as_ref(), clock.now())?;
        let cut = Cut::default();
        let channels = channels(&config, &db, clock.now(), options.dev, cut.clone())?;
        let host = std::fs::read_to_string("/etc/hostname").unwrap_or_default();
        let process_id = format!(
            "{}:{}:{}",
            host.trim(),
            std::process::id(),
            new_id("process")
        );
        let workos = workos_client(&config)?;
        Ok(Self {
            db,
            clock,
            config,
            options,
            wake: Arc::new(Notify::new()),
            poke: Arc::new(Notify::new()),
            workos,
            channels: Arc::new(channels),
            secret_uses: SecretUses::default(),
            refusals: Refusals::default(),
            wrong_paths: WrongPaths::default(),
            memory: watching::Memory::default(),
            process_id,
            cut,
        })
    }

    /// A worker; so many `suspects` are tried in a process of their own first.
    pub fn worker(&self, suspects: usize) -> Worker {
        let settings = BatchSettings {
            max_attempts: self.config.worker.max_attempts,
            messaging_for_new: self.options.dev,
        };
        Worker::new(
            self.db.clone(),
            self.clock.clone(),
            settings,
            self.config.worker.batch,
            suspects,
        )
        .with_program(suspects::program(&self.config, &self.options))
    }

    /// A sender of due deliveries.
    pub fn sender(&self) -> Sender {
        Sender::new(
            self.db.clone(),
            self.clock.clone(),
            Arc::clone(&self.channels),
        )
    }

    /// Serves on `listener` until `stop` says so: turns away what comes then, finishes what is in hand, gives
    /// leases back. Answers within the configured shutdown time.
    pub async fn serve(
        self,
        listener: TcpListener,
        stop: watch::Receiver<bool>,
    ) -> anyhow::Result<Ended> {
        let role = if self.options.no_worker {
            "serve --no-worker"
        } else {
            "serve"
        };
        let suspects = self.begin(role)?;
        let (intake, committer) = Intake::start(
            self.db.clone(),
            Arc::clone(&self.wake),
            self.config.intake.queue,
        )
        .context("could not start the intake's thread")?;
        let catch_up = self.catch_up(intake.clone());
        let apart = match self.config.http.metrics_listen {
            Some(address) => Some(bind(address)?),
            None => None,
        };
        let metrics_at = match &apart {
            Some(listener) => Some(listener.local_addr()?),
            None => None,
        };
        let state = web::Data::new(self.http_state(intake, metrics_at)?);
        let console = web::Data::new(Console::new(self.secure_cookie()));
        let listeners = std::iter::once(listener).chain(apart);
        let drain = state.drain.clone();
        let http = server::start_http(listeners, state, console, &self.config.http)?;
        let mut tasks = JoinSet::new();
        if !self.options.no_worker {
            self.spawn_work(&mut tasks, suspects, &stop);
        }
        if let Some(catch_up) = catch_up {
            tasks.spawn(catch_up.run(self.pulling(), Arc::clone(&self.poke), stop.clone()));
        }
        if let Some(reconciler) = self.comparing().filter(|_| !self.options.no_worker) {
            tasks.spawn(reconciler.run(stop.clone()));
        }
        self.spawn_housekeeping(&mut tasks, role, &stop);
        self.spawn_counting(&mut tasks, &stop);
        wait_for(stop).await;
        let serving = stopping::Serving {
            http,
            drain,
            committer,
        };
        Ok(self.shut_down(serving, tasks).await)
    }

    fn http_state(
        &self,
        intake: Intake,
        metrics_at: Option<SocketAddr>,
    ) -> anyhow::Result<HttpState> {
        let secrets = webhook_secrets(&self.config, &self.db)?;
        let http = &self.config.http;
        Ok(HttpState {
            db: self.db.clone(),
            clock: self.clock.clone(),
            intake,
            poke: Arc::clone(&self.poke),
            wake: Arc::clone(&self.wake),
            workos: self.workos.clone(),
            secrets,
            secret_uses: self.secret_uses.clone(),
            refusals: self.refusals.clone(),
            wrong_paths: self.wrong_paths.clone(),
            tolerance: self.config.webhook.tolerance,
            body_limit: self.config.http.body_limit,
            allowed_sources: self.config.http.allowed_sources.clone(),
            trusted_proxies: self.config.http.trusted_proxies.clone(),
            admin_token: self.config.access.admin_token.clone(),
            channels: Arc::clone(&self.channels),
            policy: Policy {
                allow_private_targets: self.config.triggers.allow_private_targets,
                slack_bot: self.config.slack.bot_token.is_some(),
            },
            metrics: telemetry::install_metrics()?,
            wanted: Wanted {
                worker: !self.options.no_worker,
            },
            stale_kept: AtomicI64::new(0),
            bounds: ClientBounds::new(
                http.client_time,
                http.api_rate,
                http.snapshot,
                metrics_at,
                self.db.reading_connections(),
            ),
            drain: Drain::new(self.cut.clone()),
        })
    }

    /// Announces the process; answers how many events to try in a process of their own first, because
    /// somebody stopped without saying so and one of those that wait may be why.
    fn begin(&self, role: &str) -> anyhow::Result<usize> {
        self.recognize()?;
        let now = self.clock.now();
        let unclean = self.db.write(Urgency::Normal, |conn| {
            let unclean = processes::sweep(conn, now, &is_gone)?;
            processes::begin(conn, &self.process_id, role, now)?;
            Ok::<_, DbError>(unclean)
        })?;
        if unclean == 0 {
            return Ok(0);
        }
        let waiting = self
            .db
            .read(|conn| Ok::<_, DbError>(queue_stats(conn)?.ready))?;
        tracing::warn!(
            processes = unclean,
            waiting,
            "an earlier process stopped uncleanly; the events that wait are tried in a process of their own"
        );
        // Removals that come meanwhile go first: a batch more, so that they push nobody out.
        let waiting = usize::try_from(waiting).unwrap_or(0);
        Ok(waiting.saturating_add(self.config.worker.batch))
    }

    /// Signs off; answers whether it could.
    fn end(&self) -> bool {
        self.leave_mark();
        let done = self.db.write(Urgency::Normal, |conn| {
            Ok::<_, DbError>(processes::end(conn, &self.process_id)?)
        });
        if let Err(error) = &done {
            tracing::warn!(%error, "could not sign off; the next start tries the events that wait in a process of their own");
        }
        done.is_ok()
    }

    fn spawn_work(&self, tasks: &mut JoinSet<()>, suspects: usize, stop: &watch::Receiver<bool>) {
        let worker = self.worker(suspects);
        // One writer on SQLite: a second worker would only wait for the first.
        let workers = match self.db.backend() {
            crate::db::Backend::Sqlite => 1,
            crate::db::Backend::Postgres => self.config.worker.workers.max(1),
        };
        for _ in 0..workers {
            tasks.spawn(worker.clone().run(Arc::clone(&self.wake), stop.clone()));
        }
        tasks.spawn(self.sender().run(stop.clone()));
    }

    fn spawn_housekeeping(
        &self,
        tasks: &mut JoinSet<()>,
        role: &'static str,
        stop: &watch::Receiver<bool>,
    ) {
        self.spawn_watch(tasks, stop);
        let (db, clock, id) = (self.db.clone(), self.clock.clone(), self.process_id.clone());
        tasks.spawn(every(HEARTBEAT, stop.clone(), move || {
            let now = clock.now();
            db.write(Urgency::Normal, |conn| {
                Ok::<_, DbError>(processes::beat(conn, &id, role, now)?)
            })
            .map_err(|error| error.to_string())
        }));
        let (db, clock) = (self.db.clone(), self.clock.clone());
        let policy = retention::Policy::of(self.config.worker.retention());
        tasks.spawn(every(JANITOR, stop.clone(), move || {
            retention::sweep(&db, policy, retention::A_ROUND, clock.now())
                .map_err(|error| error.to_string())
        }));
    }
}
