//! Catching up from the Events API: what no webhook brought is read there and handed to the same
//! intake, which knows duplicates by their id. The cursor is catching up's own and no webhook moves
//! it; each reading begins an overlap before it, because WorkOS shows fresh events late (R19). A
//! cursor or range that WorkOS no longer takes begins again from a time. Oldest first is asked for and not
//! trusted: pages in another order are read to the end before the cursor moves.

mod reading;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::value::RawValue;
use tokio::sync::{Notify, watch};

use super::{LEASE, new_event, read, renewing, write};
use crate::clock::Clock;
use crate::db::{Db, DbError, new_id};
use crate::intake::{Admission, Door, Intake, Shed};
use crate::outbox::catch_ups::{self, CatchUpRow};
use crate::outbox::{self, NewEvent};
use crate::telemetry;
use crate::workos::client::{Client, ClientError, EventsFrom, Page};
use reading::{Newest, Reading};

/// How long after a webhook its neighbours are waited for.
const GATHER: Duration = Duration::from_secs(3);
/// How often a full intake is asked again, half a second apart.
const SHED_TRIES: u32 = 20;
/// A reading that failed is tried again so soon, if not sooner by its interval: a failure that repeats is
/// then shown within minutes.
const AGAIN: Duration = Duration::from_secs(60);

/// How far back a reading begins.
#[derive(Debug, Clone, Copy)]
pub struct CatchUpSettings {
    /// Before the newest event known.
    pub overlap: Duration,
}

/// When to read.
#[derive(Debug, Clone, Copy)]
pub struct Pulling {
    /// So often.
    pub interval: Duration,
    /// And soon after each webhook.
    pub poked: bool,
}

/// What a reading brought.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Pulled {
    /// Events that were not known.
    pub new: usize,
    /// Events that were.
    pub known: usize,
    /// Pages read.
    pub pages: usize,
    /// The cursor or the range was no longer taken, and reading began again from a time.
    pub restarted: bool,
    /// Pages did not come oldest first: the cursor moved at the end only.
    pub disordered: bool,
}

/// Why a reading ended early. Nothing is lost by that: the next one goes on where it was.
#[derive(Debug, thiserror::Error)]
pub enum PullError {
    /// WorkOS.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The database.
    #[error(transparent)]
    Database(#[from] DbError),
    /// The intake is full or gone.
    #[error("events could not be stored while catching up: {0}")]
    Shed(Shed),
    /// A page came twice, so that there is no end to come to.
    #[error(
        "the Events API gave the same page of events twice; nothing was skipped, the next reading begins again"
    )]
    SamePage,
    /// Another process pulls now.
    #[error("another process took over catching up")]
    LeaseLost,
}

/// Catches up for one environment; cheap to clone.
#[derive(Clone)]
pub struct CatchUp {
    db: Db,
    clock: Clock,
    client: Client,
    intake: Intake,
    settings: CatchUpSettings,
    owner: String,
}

impl CatchUp {
    /// Catches up through this intake.
    pub fn new(
        db: Db,
        clock: Clock,
        client: Client,
        intake: Intake,
        settings: CatchUpSettings,
    ) -> Self {
        Self {
            db,
            clock,
            client,
            intake,
            settings,
            owner: new_id("puller"),
        }
    }

    /// Reads until `stop` says so.
    pub async fn run(self, pulling: Pulling, poke: Arc<Notify>, mut stop: watch::Receiver<bool>) {
        while !*stop.borrow() {
            let failed = tokio::select! {
                done = self.pull() => {
                    tell(&done);
                    done.is_err()
                }
                _ = stop.changed() => return self.let_go().await,
            };
            let pause = if failed {
                AGAIN.min(pulling.interval)
            } else {
                pulling.interval
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = poked(&poke), if pulling.poked => {}
                _ = stop.changed() => {}
            }
        }
    }

    /// A reading that is left in the middle is taken up by whoever comes next, without waiting for the lease.
    async fn let_go(&self) {
        let owner = self.owner.clone();
        let gone = write(&self.db, move |conn| {
            Ok::<_, DbError>(catch_ups::let_go(conn, &owner)?)
        });
        if let Err(error) = gone.await {
            tracing::warn!(%error, "could not give catching up back; it is free again within a minute");
        }
    }

    /// Reads everything there is. `None`: another process does just that.
    pub async fn pull(&self) -> Result<Option<Pulled>, PullError> {
        let (environment, owner, now) = (
            self.client.environment().to_owned(),
            self.owner.clone(),
            self.clock.now(),
        );
        let claimed = write(&self.db, move |conn| {
            Ok::<_, DbError>(catch_ups::claim(conn, &environment, &owner, now, LEASE)?)
        });
        let Some(held) = claimed.await? else {
            return Ok(None);
        };
        let done = self.pull_all(&held).await;
        let (row, error, now) = (
            held,
            done.as_ref().err().map(ToString::to_string),
            self.clock.now(),
        );
        write(&self.db, move |conn| {
            Ok::<_, DbError>(catch_ups::finish(conn, &row, error.as_deref(), now)?)
        })
        .await?;
        done.map(Some)
    }

    async fn pull_all(&self, held: &CatchUpRow) -> Result<Pulled, PullError> {
        let mut pulled = Pulled::default();
        let mut reading = Reading::begin(held, self.settings.overlap, self.clock.now());
        loop {
            let page = match self.next_page(held, &reading.from).await? {
                Err(error) if reading.begin_again(&error, held, self.clock.now()) => {
                    pulled.restarted = true;
                    continue;
                }
                done => done?,
            };
            pulled.pages += 1;
            let events = self.read_page(&page);
            if !reading.look_at(&events) && !pulled.disordered {
                tracing::warn!(
                    "the Events API did not give events oldest first; all of them are read before the cursor moves"
                );
                pulled.disordered = true;
                self.go_back(held).await?;
            }
            let (new, known) = self.take_in(events).await?;
            pulled.new += new;
            pulled.known += known;
            if reading.ascending {
                self.advance(held, reading.newest.clone()).await?;
            } else {
                self.go_back(held).await?;
                if reading.distrust_cursor(held, self.clock.now()) {
                    pulled.restarted = true;
                    continue;
                }
            }
            let Some(after) = page.after else { break };
            if !reading.go_on(after) {
                return Err(PullError::SamePage);
            }
        }
        if pulled.disordered {
            self.advance(held, reading.newest).await?;
        }
        Ok(pulled)
    }

    /// Renews the lease with the cursor where this reading found it: whoever goes on after a break
    /// begins an overlap before that again.
    async fn go_back(&self, held: &CatchUpRow) -> Result<(), PullError> {
        let cursor = held.cursor.clone().zip(held.cursor_at);
        self.move_to(held, cursor, true).await
    }

    async fn next_page(
        &self,
        held: &CatchUpRow,
        from: &EventsFrom,
    ) -> Result<Result<Page<Box<RawValue>>, ClientError>, DbError> {
        renewing(self.client.events(from), || {
            let (row, until) = (held.clone(), self.clock.now().plus(LEASE));
            write(&self.db, move |conn| {
                Ok::<_, DbError>(catch_ups::renew(conn, &row, until)?)
            })
        })
        .await
    }

    fn read_page(&self, page: &Page<Box<RawValue>>) -> Vec<NewEvent> {
        let now = self.clock.now();
        let read = |raw: &RawValue| {
            new_event(raw.get(), now)
                .inspect_err(|error| {
                    tracing::warn!(
                        fault = error.code(),
                        "the Events API gave something that is no event; it was left out"
                    )
                })
                .ok()
        };
        page.data.iter().filter_map(|raw| read(raw)).collect()
    }

    /// Hands over what is not known yet; answers how many were new and how many known.
    async fn take_in(&self, events: Vec<NewEvent>) -> Result<(usize, usize), PullError> {
        let ids: Vec<String> = events.iter().map(|event| event.event_id.clone()).collect();
        let all = ids.len();
        let known = read(&self.db, move |conn| {
            Ok::<_, DbError>(outbox::known(conn, &ids)?)
        })
        .await?;
        let fresh = events
            .into_iter()
            .filter(|event| !known.contains(&event.event_id));
        let mut new = 0;
        for admission in join_all(fresh.map(|event| self.submit(event))).await {
            new += usize::from(admission? == Admission::Accepted);
        }
        metrics::counter!(telemetry::CATCH_UP_EVENTS, "result" => "new").increment(new as u64);
        metrics::counter!(telemetry::CATCH_UP_EVENTS, "result" => "known")
            .increment((all - new) as u64);
        Ok((new, all - new))
    }

    async fn submit(&self, event: NewEvent) -> Result<Admission, PullError> {
        let mut tries = 0;
        loop {
            match self.intake.submit(event.clone(), Door::CatchUp).await {
                // Webhooks go first: somebody waits for those.
                Err(Shed::Full | Shed::TooSlow | Shed::Unavailable) if tries < SHED_TRIES => {
                    tries += 1;
                    tokio::time::sleep(Duration::from_millis(500)).await;
                }
                done => return done.map_err(PullError::Shed),
            }
        }
    }

    async fn advance(&self, held: &CatchUpRow, newest: Newest) -> Result<(), PullError> {
        let now = self.clock.now();
        // Where what was read last may still have hidden neighbours, or the overlap is not through yet,
        // whoever goes on begins an overlap earlier, as after a reading that came to its end.
        let fresh = now.minus(self.settings.overlap);
        let overlapping = newest.as_ref().is_none_or(|(id, at)| {
            *at > fresh || (held.drained && held.cursor.as_ref() == Some(id))
        });
        self.move_to(held, newest, overlapping).await
    }

    async fn move_to(
        &self,
        held: &CatchUpRow,
        newest: Newest,
        overlapping: bool,
    ) -> Result<(), PullError> {
        let (row, now) = (held.clone(), self.clock.now());
        let ours = write(&self.db, move |conn| {
            let cursor = newest.as_ref().map(|(id, at)| (id.as_str(), *at));
            let until = now.plus(LEASE);
            Ok::<_, DbError>(catch_ups::advance(conn, &row, cursor, overlapping, until)?)
        });
        if ours.await? {
            Ok(())
        } else {
            Err(PullError::LeaseLost)
        }
    }
}

async fn poked(poke: &Notify) {
    poke.notified().await;
    tokio::time::sleep(GATHER).await;
}

fn tell(done: &Result<Option<Pulled>, PullError>) {
    match done {
        Ok(Some(pulled)) => {
            #[allow(clippy::cast_precision_loss, reason = "seconds since 1970")]
            let now = Clock::System.now().millis() as f64 / 1_000.0;
            metrics::gauge!(telemetry::CATCH_UP_LAST).set(now);
            if pulled.new > 0 {
                tracing::info!(
                    new = pulled.new,
                    known = pulled.known,
                    "caught up on events that no webhook had brought; `rollcall gaps` tells more"
                );
            }
        }
        Ok(None) => {}
        Err(error) => tracing::warn!(%error, "catching up ended early; the next reading goes on"),
    }
}
