//! Comparing a directory with WorkOS's own listing, page by page, each page's checkpoint committed, so
//! that a process that ends is followed by another. What differs is written down as the event that
//! would mend it, and applied only by choice: through the outbox, under the same guards as a webhook.
//! A listing that failed, was cut, repeated itself or came back empty ends `incomplete`, and nothing
//! follows from it (R43).

mod again;
pub(super) mod apply;
pub(super) mod differ;
pub(super) mod event;
mod listing;
mod progress;
mod schedule;

pub use progress::Progress;
pub use schedule::Scheduled;

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::sync::{Notify, watch};

use super::{LEASE, read, renewing, write};
use crate::clock::{Clock, Timestamp};
use crate::db::{Conn, Db, DbError, new_id};
use crate::store::reconciles::{self, DONE, INCOMPLETE, Reconcile};
use crate::workos::client::{Client, ClientError};
use progress::text_of;

/// How often waiting comparisons are looked for.
const LOOK: Duration = Duration::from_secs(5);
/// How often those that are due are looked for.
const LOOK_FOR_DUE: Duration = Duration::from_secs(60);
/// A listing may be so far behind WorkOS's events, as its Events API is (R19).
const LAG: Duration = Duration::from_secs(5);

/// Why a comparison ended early.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    /// The database.
    #[error(transparent)]
    Database(#[from] DbError),
    /// Another process took over.
    #[error("another process took over the comparison")]
    LeaseLost,
    /// Nothing may follow from what was listed (R43).
    #[error("{0}")]
    Incomplete(String),
}

impl From<ClientError> for ReconcileError {
    fn from(error: ClientError) -> Self {
        Self::Incomplete(format!("the listing failed: {error}"))
    }
}

impl From<diesel::result::Error> for ReconcileError {
    fn from(error: diesel::result::Error) -> Self {
        Self::Database(DbError::Query(error))
    }
}

/// Works on comparisons; cheap to clone.
#[derive(Clone)]
pub struct Reconciler {
    db: Db,
    clock: Clock,
    client: Client,
    wake: Arc<Notify>,
    owner: String,
    scheduled: Option<Scheduled>,
}

/// A comparison that is not kept: of one person, or of somebody's groups.
pub(super) fn passing(organization: &str, directory: &str, now: Timestamp) -> Reconcile {
    Reconcile {
        id: new_id("resync"),
        organization_id: organization.to_owned(),
        directory_id: directory.to_owned(),
        apply: true,
        state: reconciles::RUNNING.to_owned(),
        phase: String::new(),
        progress: String::new(),
        reason: None,
        actor: String::new(),
        started_at: now,
        finished_at: None,
        lease_owner: None,
        lease_token: 0,
        lease_until: None,
    }
}

/// The phases, in order.
const PHASES: [&str; 9] = [
    "begin",
    "users",
    "groups",
    "edges",
    "missing_edges",
    "missing_users",
    "missing_groups",
    "again",
    "apply",
];

impl Reconciler {
    /// Works on comparisons of this database; `wake` is told when something was put into the outbox.
    pub fn new(db: Db, clock: Clock, client: Client, wake: Arc<Notify>) -> Self {
        Self {
            db,
            clock,
            client,
            wake,
            owner: new_id("reconciler"),
            scheduled: None,
        }
    }

    /// The same, which begins comparisons by itself, too.
    #[must_use]
    pub fn scheduled(mut self, scheduled: Scheduled) -> Self {
        self.scheduled = Some(scheduled);
        self
    }

    /// Works on whatever waits until `stop` says so.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        let mut looked: Option<Instant> = None;
        while !*stop.borrow() {
            let due = looked.is_none_or(|looked| looked.elapsed() >= LOOK_FOR_DUE);
            looked = if due { Some(Instant::now()) } else { looked };
            tokio::select! {
                done = self.round(due) => {
                    if let Err(error) = done {
                        tracing::warn!(%error, "a comparison could not be worked on; it is taken up again");
                    }
                }
                _ = stop.changed() => return self.let_go().await,
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                _ = stop.changed() => {}
            }
        }
    }

    /// What is left in the middle is taken up by whoever comes next, without waiting for the lease.
    async fn let_go(&self) {
        let owner = self.owner.clone();
        let gone = self.write(move |conn| Ok(reconciles::let_go(conn, &owner)?));
        if let Err(error) = gone.await {
            tracing::warn!(%error, "could not give a comparison back; it is free again within a minute");
        }
    }

    async fn round(&self, due: bool) -> Result<(), ReconcileError> {
        if let Some(scheduled) = self.scheduled.filter(|_| due) {
            self.begin_due(scheduled).await?;
        }
        self.work_off().await?;
        self.refetch_tied().await?;
        self.refetch_returned().await.map(drop)
    }

    /// Works on everything that waits now; answers how many comparisons that were.
    pub async fn work_off(&self) -> Result<usize, ReconcileError> {
        let now = self.clock.now();
        let waiting = read(&self.db, move |conn| {
            Ok::<_, DbError>(reconciles::waiting(conn, now)?)
        })
        .await?;
        let mut worked = 0;
        for id in waiting {
            worked += usize::from(self.work_on(&id, &|_, _| ()).await?);
        }
        Ok(worked)
    }

    /// Works on one comparison to its end, telling `watch` its phase and progress after each step;
    /// false when somebody else does.
    pub async fn work_on(
        &self,
        id: &str,
        watch: &(dyn Fn(&str, &Progress) + Sync),
    ) -> Result<bool, ReconcileError> {
        let (id, owner, now) = (id.to_owned(), self.owner.clone(), self.clock.now());
        let claimed = write(&self.db, move |conn| {
            Ok::<_, DbError>(reconciles::claim(conn, &id, &owner, now, LEASE)?)
        });
        let Some(mut one) = claimed.await? else {
            return Ok(false);
        };
        let mut progress: Progress = serde_json::from_str(&one.progress).unwrap_or_default();
        loop {
            match self.step_renewing(&mut one, &mut progress).await {
                Ok(true) => watch(&one.phase, &progress),
                Ok(false) => {
                    self.finish(one, &progress, DONE, None).await?;
                    return Ok(true);
                }
                Err(ReconcileError::Incomplete(why)) => {
                    tracing::warn!(
                        reconcile_id = one.id,
                        why,
                        "a comparison is incomplete; nothing follows from it"
                    );
                    self.finish(one, &progress, INCOMPLETE, Some(why)).await?;
                    return Ok(true);
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn step_renewing(
        &self,
        one: &mut Reconcile,
        progress: &mut Progress,
    ) -> Result<bool, ReconcileError> {
        let (id, token) = (one.id.clone(), one.lease_token);
        renewing(self.step(one, progress), || {
            let (id, until) = (id.clone(), self.clock.now().plus(LEASE));
            self.write(move |conn| Ok(reconciles::renew(conn, &id, token, until)?))
        })
        .await?
    }

    /// One page, or one handful of checks. False when it is over.
    async fn step(
        &self,
        one: &mut Reconcile,
        progress: &mut Progress,
    ) -> Result<bool, ReconcileError> {
        let more = match one.phase.as_str() {
            "begin" => self.begin(one, progress).await?,
            "users" => self.list_users(one, progress).await?,
            "groups" => self.list_groups(one, progress).await?,
            "edges" => self.list_edges(one, progress).await?,
            "missing_edges" => self.check_edges(one, progress).await?,
            "missing_users" => self.check_users(one, progress).await?,
            "missing_groups" => self.check_groups(one, progress).await?,
            "again" => self.look_again(one, progress).await?,
            _ if !one.apply => return Ok(false),
            _ if self.apply_some(one, progress).await? => true,
            _ => return Ok(false),
        };
        if !more {
            let next = PHASES
                .iter()
                .skip_while(|phase| **phase != one.phase)
                .nth(1);
            one.phase = next.copied().unwrap_or("apply").to_owned();
            (progress.cursor, progress.listed) = (None, false);
            progress.at = String::new();
        }
        self.checkpoint(one, progress).await?;
        Ok(true)
    }

    async fn checkpoint(
        &self,
        one: &mut Reconcile,
        progress: &Progress,
    ) -> Result<(), ReconcileError> {
        one.progress = text_of(progress);
        let (row, until) = (one.clone(), self.clock.now().plus(LEASE));
        let ours = write(&self.db, move |conn| {
            Ok::<_, DbError>(reconciles::save(conn, &row, until)?)
        });
        if ours.await? {
            Ok(())
        } else {
            Err(ReconcileError::LeaseLost)
        }
    }

    async fn finish(
        &self,
        mut one: Reconcile,
        progress: &Progress,
        state: &'static str,
        reason: Option<String>,
    ) -> Result<(), ReconcileError> {
        // It goes on nowhere, and where it was may be somebody.
        let mut progress = Progress {
            cursor: None,
            listed: false,
            heard: None,
            at: String::new(),
            ..progress.clone()
        };
        let now = self.clock.now();
        self.write(move |conn| {
            progress.drift = reconciles::drift_counts(conn, &one.id)?;
            one.progress = text_of(&progress);
            Ok(reconciles::finish(
                conn,
                &one,
                state,
                reason.as_deref(),
                now,
            )?)
        })
        .await
    }

    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Conn) -> Result<T, ReconcileError> + Send + 'static,
    ) -> Result<T, ReconcileError> {
        write(&self.db, work).await
    }

    pub(super) fn db(&self) -> &Db {
        &self.db
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(super) fn wake(&self) {
        self.wake.notify_one();
    }

    /// When an answer was surely true: WorkOS's clock, where it says, because its events are dated by
    /// it, else ours when it was asked. What happened since may or may not be in it (R44).
    fn time_of(&self, said: Option<Timestamp>, asked: Timestamp) -> Timestamp {
        said.map_or(asked, |said| said.min(self.clock.now()))
            .minus(LAG)
    }
}

/// WorkOS's own counts, where it says them.
fn counts_of(directory: &Value) -> (Option<i64>, Option<i64>) {
    let count = |path: &str| directory.pointer(path).and_then(Value::as_i64);
    let users = count("/metadata/users/active").zip(count("/metadata/users/inactive"));
    (
        users.map(|(active, inactive)| active + inactive),
        count("/metadata/groups"),
    )
}
