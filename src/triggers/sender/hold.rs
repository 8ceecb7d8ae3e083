//! One delivery in the hand of one task: it renews the lease for as long as it works, and nothing else does.
//! What became of the call is written down however often that takes, since the call cannot be taken back; a
//! delivery for which no call could be made is handed back.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::clock::Timestamp;
use crate::db::{Conn, DbError, Urgency};
use crate::retry;
use crate::telemetry;
use crate::triggers::channels::{LONGEST_ATTEMPT, Message};
use crate::triggers::definition::Channel;
use crate::triggers::deliveries::{self, Leased};
use crate::triggers::destinations;
use crate::triggers::outcome::Outcome;

use super::{LEASE, Prepared, Sender, Trouble, settled_as};

/// A lease is renewed three times in its length.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// And sooner again where that failed.
const AFTER_TROUBLE: Duration = Duration::from_secs(1);
/// How often the database may refuse a result for what it is, before its lease is left to run out.
const MOST_REFUSALS: u32 = 5;
/// Claims in a row that led to no attempt, before there is a pause between them.
const CLAIMS_AT_ONCE: i64 = 2;
/// The longest such pause where the database was in the way, and not the message.
const SHORT_PAUSE: Duration = Duration::from_secs(5);

/// What became of a call.
#[derive(Debug)]
struct Answer {
    outcome: Outcome,
    note: Option<String>,
    took: Duration,
    at: Timestamp,
}

impl Sender {
    /// Sends one delivery. `patience` is how long a database that is away is waited for.
    pub(super) async fn hold(self, leased: Arc<Leased>, patience: Duration) {
        tokio::select! {
            () = self.send(&leased, patience) => {}
            never = self.keep(&leased) => match never {},
        }
    }

    /// Keeps the lease. A delivery that was taken away meanwhile needs none: its result changes nothing.
    async fn keep(&self, leased: &Arc<Leased>) -> Infallible {
        let mut pause = HEARTBEAT;
        loop {
            tokio::time::sleep(pause).await;
            let (leased, until) = (Arc::clone(leased), self.clock.now().plus(LEASE));
            let renewed = self
                .write(move |conn| Ok(deliveries::renew(conn, &leased, until)?))
                .await;
            pause = match renewed {
                Ok(true) => HEARTBEAT,
                Ok(false) => std::future::pending().await,
                Err(_) => {
                    self.places.note_trouble();
                    AFTER_TROUBLE
                }
            };
        }
    }

    async fn send(&self, leased: &Arc<Leased>, patience: Duration) {
        let prepared = {
            let leased = Arc::clone(leased);
            self.blocking(move |sender| sender.prepare(&leased)).await
        };
        match prepared {
            Ok(Prepared::Settled) => {}
            Ok(Prepared::Send(channel, message, note)) => {
                let began = Instant::now();
                let outcome = self.call(channel, *message).await;
                let answer = Answer {
                    outcome,
                    note,
                    took: began.elapsed(),
                    at: self.clock.now(),
                };
                let (held, answer) = (Arc::clone(leased), Arc::new(answer));
                self.insist(patience, leased, move |conn, refused| {
                    settle(conn, &held, &answer, refused > 0)
                })
                .await;
            }
            Err(trouble) => {
                let (due_at, why) = handed_back(leased, &trouble, self.clock.now());
                tracing::warn!(delivery_id = leased.id, %trouble, "no attempt could be made; it is handed back");
                let held = Arc::clone(leased);
                self.insist(patience, leased, move |conn, _| {
                    deliveries::hand_back(conn, &held, due_at, &why)?;
                    Ok(())
                })
                .await;
            }
        }
    }

    /// The one call, in a task of its own: should it panic, it may have gone.
    async fn call(&self, channel: Channel, message: Message) -> Outcome {
        let channels = Arc::clone(&self.channels);
        let mut calling = JoinSet::new();
        calling.spawn(async move { channels.send(channel, &message).await });
        let outcome = match tokio::time::timeout(LONGEST_ATTEMPT, calling.join_next()).await {
            Ok(Some(Ok(outcome))) => outcome,
            Ok(_) => Outcome::unknown("the attempt ended in an error of Rollcall's own"),
            Err(_) => Outcome::unknown("no answer came in time"),
        };
        metrics::counter!(telemetry::DELIVERIES_DONE, "channel" => channel.name(), "outcome" => outcome.name()).increment(1);
        outcome
    }

    /// Writes until it is written. `work` is told how often the database has refused it for what it is.
    async fn insist(
        &self,
        patience: Duration,
        leased: &Arc<Leased>,
        work: impl Fn(&mut Conn, u32) -> Result<(), DbError> + Clone + Send + 'static,
    ) {
        let began = Instant::now();
        let (mut tries, mut refused) = (0_u32, 0_u32);
        loop {
            let attempt = work.clone();
            let trouble = match self.write(move |conn| attempt(conn, refused)).await {
                Ok(()) => return,
                Err(trouble) => trouble,
            };
            self.places.note_trouble();
            tries = tries.saturating_add(1);
            refused += u32::from(!trouble.is_innocent());
            if refused > MOST_REFUSALS || began.elapsed() >= patience {
                tracing::error!(delivery_id = leased.id, %trouble, "what became of a delivery could not be written down; its lease will run out");
                return;
            }
            if tries == 1 {
                tracing::warn!(delivery_id = leased.id, %trouble, "what became of a delivery is kept until the database takes it");
            }
            tokio::time::sleep(pause_after(tries)).await;
        }
    }

    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Conn) -> Result<T, DbError> + Send + 'static,
    ) -> Result<T, Trouble> {
        self.blocking(move |sender| sender.db.write(Urgency::Normal, work))
            .await
    }
}

/// A quarter of a second, doubled up to a second.
fn pause_after(tries: u32) -> Duration {
    Duration::from_millis(125)
        .saturating_mul(1 << tries.min(3))
        .min(AFTER_TROUBLE)
}

/// When a delivery that could not be tried is due again, and why. The database's trouble is not the message's:
/// it is due at once, with a short pause only where that comes to nothing again and again.
fn handed_back(leased: &Leased, trouble: &Trouble, now: Timestamp) -> (Timestamp, String) {
    let in_vain = leased
        .lease_token
        .saturating_sub(i64::from(leased.attempts));
    let wait = retry::wait_after(u32::try_from(in_vain).unwrap_or(1), leased.lease_token);
    let code = trouble
        .code()
        .map_or(String::new(), |code| format!(" (code {code})"));
    if trouble.is_innocent() {
        let wait = match in_vain > CLAIMS_AT_ONCE {
            true => wait.min(SHORT_PAUSE),
            false => Duration::ZERO,
        };
        // Due when it was: what waits longest goes first.
        let due_at = if wait.is_zero() {
            leased.due_at
        } else {
            now.plus(wait)
        };
        return (
            due_at,
            format!("the database was not available{code}; tried again by itself"),
        );
    }
    (
        now.plus(wait),
        format!("it could not be prepared{code}; tried again by itself"),
    )
}

/// Writes how it ended, and what that means for everything else that goes there. `plainly`: the database has
/// refused the other side's words.
fn settle(conn: &mut Conn, leased: &Leased, answer: &Answer, plainly: bool) -> Result<(), DbError> {
    let Answer {
        outcome,
        note,
        took,
        at,
    } = answer;
    let outcome = if plainly {
        &outcome.clone().in_plain_words()
    } else {
        outcome
    };
    let now = *at;
    let settled = settled_as(outcome, note.as_deref().filter(|_| !plainly), leased, now);
    if !deliveries::settle(conn, &leased.id, leased.lease_token, &settled, now)? {
        tracing::warn!(
            delivery_id = leased.id,
            "a late result changed nothing: the lease had run out"
        );
        return Ok(());
    }
    match outcome {
        Outcome::RefusedDestination { reason } => {
            if destinations::stop(conn, &leased.destination, reason, now)? {
                tracing::error!(
                    destination = leased.destination,
                    reason,
                    "a destination refuses and was stopped; see `rollcall destinations list`"
                );
            }
        }
        Outcome::Sent { .. } | Outcome::RefusedMessage { .. } => {
            destinations::works(conn, &leased.destination, now)?;
        }
        Outcome::Unknown { reason } => {
            destinations::fails(conn, &leased.destination, reason, *took, now)?;
        }
        Outcome::Later {
            retry_after,
            reason,
        } => {
            destinations::fails(conn, &leased.destination, reason, *took, now)?;
            if let Some(wait) = retry_after {
                destinations::hold_back(conn, &leased.destination, now.plus(*wait))?;
            }
        }
    }
    Ok(())
}
