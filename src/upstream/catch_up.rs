//! Catching up from the Events API: what no webhook brought is read there and handed to the same
//! intake, which knows duplicates by their id. The cursor is catching up's own and no webhook moves
//! it; each reading begins an overlap before it, because WorkOS shows fresh events late (R19). An
//! expired cursor begins again from a time. Events must come oldest first; when they do not, reading
//! stops with the cursor where it was.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::value::RawValue;
use tokio::sync::{Notify, watch};

use super::{LEASE, new_event, read, renewing, write};
use crate::clock::{Clock, Timestamp};
use crate::db::{Db, DbError, new_id};
use crate::intake::{Admission, Door, Intake, Shed};
use crate::outbox::catch_ups::{self, CatchUpRow};
use crate::outbox::{self, NewEvent};
use crate::telemetry;
use crate::workos::client::{Client, ClientError, EventsFrom, Page};

/// WorkOS keeps events for thirty days at least, and gives no more in one request (contract 7).
const RETAINED: Duration = Duration::from_secs(30 * 86_400);
/// How long after a webhook its neighbours are waited for.
const GATHER: Duration = Duration::from_secs(3);
/// How often a full intake is asked again, half a second apart.
const SHED_TRIES: u32 = 20;

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
    /// The cursor had expired, and reading began again from a time.
    pub restarted: bool,
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
    /// A page went back in time, or came twice.
    #[error(
        "the Events API gave events in an order that cannot be trusted ({0}); nothing was skipped, the next reading begins again"
    )]
    Order(&'static str),
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

/// The newest event read so far.
type Newest = Option<(String, Timestamp)>;

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
            tokio::select! {
                done = self.pull() => tell(&done),
                _ = stop.changed() => return,
            }
            tokio::select! {
                () = tokio::time::sleep(pulling.interval) => {}
                () = poked(&poke), if pulling.poked => {}
                _ = stop.changed() => {}
            }
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
        let mut newest: Newest = held.cursor.clone().zip(held.cursor_at);
        let mut from = self.begin(held);
        let mut reached: Option<Timestamp> = None;
        loop {
            let page = match self.next_page(held, &from).await? {
                Err(error)
                    if error.is_bad_request()
                        && !pulled.restarted
                        && matches!(from, EventsFrom::After(_)) =>
                {
                    tracing::warn!(
                        "the cursor of catching up has expired; reading begins again from a time"
                    );
                    pulled.restarted = true;
                    from = EventsFrom::Time(self.restart(newest.as_ref().map(|(_, at)| *at)));
                    reached = None;
                    continue;
                }
                done => done?,
            };
            pulled.pages += 1;
            let events = self.read_page(&page);
            reached = Some(in_order(&events, reached)?).flatten().or(reached);
            let last = events
                .last()
                .map(|event| (event.event_id.clone(), event.occurred_at));
            let (new, known) = self.take_in(events).await?;
            pulled.new += new;
            pulled.known += known;
            newest = newer(newest, last);
            self.advance(held, newest.clone()).await?;
            match page.after {
                Some(after) if from == EventsFrom::After(after.clone()) => {
                    return Err(PullError::Order("a page came twice"));
                }
                Some(after) => from = EventsFrom::After(after),
                None => return Ok(pulled),
            }
        }
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

    /// A reading that broke off among old events goes on there; any other begins an overlap before the
    /// newest event known.
    fn begin(&self, held: &CatchUpRow) -> EventsFrom {
        match (&held.cursor, held.drained) {
            (Some(cursor), false) => EventsFrom::After(cursor.clone()),
            _ => EventsFrom::Time(self.restart(held.cursor_at)),
        }
    }

    fn restart(&self, newest: Option<Timestamp>) -> Timestamp {
        let oldest = self.clock.now().minus(RETAINED);
        newest.map_or(oldest, |at| at.minus(self.settings.overlap).max(oldest))
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
        let (row, now) = (held.clone(), self.clock.now());
        // Where what was read last may still have hidden neighbours, or the overlap is not through yet,
        // whoever goes on begins an overlap earlier, as after a reading that came to its end.
        let fresh = now.minus(self.settings.overlap);
        let overlapping = newest.as_ref().is_none_or(|(id, at)| {
            *at > fresh || (held.drained && held.cursor.as_ref() == Some(id))
        });
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

/// The later of the two; re-reading the overlap does not move the cursor back.
fn newer(known: Newest, last: Newest) -> Newest {
    match (known, last) {
        (Some(known), Some(last)) if last.1 < known.1 => Some(known),
        (known, last) => last.or(known),
    }
}

/// WorkOS's parameter `order` is ignored by WorkOS itself (contract 7): oldest first is asserted, page
/// by page and over them. Answers how far the page reached.
fn in_order(
    events: &[NewEvent],
    reached: Option<Timestamp>,
) -> Result<Option<Timestamp>, PullError> {
    let (Some(first), Some(last)) = (events.first(), events.last()) else {
        return Ok(None);
    };
    if last.occurred_at < first.occurred_at {
        return Err(PullError::Order("a page was not oldest first"));
    }
    if reached.is_some_and(|reached| last.occurred_at < reached) {
        return Err(PullError::Order("a page went back behind the one before"));
    }
    Ok(Some(last.occurred_at))
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
