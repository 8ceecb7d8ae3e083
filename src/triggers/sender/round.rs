//! The sender's rounds: what is due is taken under a lease and each message goes its own way, so that
//! one that waits for an answer holds up no other. A heartbeat keeps leases alive, what a crashed
//! sender held is recovered within seconds, and a destination that refuses is stopped.

use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};

use crate::clock::Timestamp;
use crate::db::{Conn, DbError, Urgency};
use crate::telemetry;
use crate::triggers::channels::LONGEST_ATTEMPT;
use crate::triggers::deliveries::{self, Leased};
use crate::triggers::destinations;
use crate::triggers::outcome::Outcome;

use super::{LEASE, Prepared, Sender, settled_as};

const HEARTBEAT: Duration = Duration::from_secs(5);
/// How long an idle sender waits before it looks again.
const IDLE: Duration = Duration::from_millis(500);
/// And after an error of the database.
const AFTER_ERROR: Duration = Duration::from_secs(1);
/// Messages in the air at once, over all destinations.
const AT_ONCE: usize = 32;

type Air = JoinSet<Result<(), DbError>>;

impl Sender {
    /// Sends until `stop` says so; what is in the air is waited for, the rest is given back.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        let heart = tokio::spawn(self.clone().beat());
        let mut air = Air::new();
        while !*stop.borrow() {
            let pause = match self.claim(AT_ONCE - air.len()).await {
                Ok(leased) if leased.is_empty() => IDLE,
                Ok(leased) => {
                    self.launch(leased, &mut air);
                    continue;
                }
                Err(error) => {
                    tracing::error!(%error, "could not take deliveries; trying again");
                    AFTER_ERROR
                }
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                _ = stop.changed() => {}
                Some(done) = air.join_next(), if !air.is_empty() => tell(done),
            }
        }
        while let Some(done) = air.join_next().await {
            tell(done);
        }
        heart.abort();
        self.give_back().await;
    }

    /// Sends one handful; 0 when nothing was due.
    pub async fn run_once(&self) -> Result<usize, DbError> {
        let leased = self.claim(AT_ONCE).await?;
        let (count, mut air) = (leased.len(), Air::new());
        self.launch(leased, &mut air);
        while let Some(done) = air.join_next().await {
            match done {
                Ok(done) => done?,
                Err(error) => tell(Err(error)),
            }
        }
        Ok(count)
    }

    /// Takes what is due, at most `room`; first finds what a crash left behind.
    async fn claim(&self, room: usize) -> Result<Vec<Leased>, DbError> {
        if room == 0 {
            return Ok(Vec::new());
        }
        let (now, limit) = (self.clock.now(), i64::try_from(room).unwrap_or(i64::MAX));
        self.blocking(move |sender| {
            sender.db.write(Urgency::Normal, |conn| {
                deliveries::recover(conn, now)?;
                Ok(deliveries::claim(conn, &sender.owner, limit, now, LEASE)?)
            })
        })
        .await
    }

    fn launch(&self, leased: Vec<Leased>, air: &mut Air) {
        for one in leased {
            let sender = self.clone();
            air.spawn(async move { sender.deliver(one).await });
        }
    }

    async fn give_back(&self) {
        let given_back = self
            .blocking(|sender| {
                sender.db.write(Urgency::Normal, |conn| {
                    Ok(deliveries::give_back(conn, &sender.owner)?)
                })
            })
            .await;
        if let Err(error) = given_back {
            tracing::warn!(%error, "could not give deliveries back; they are free again when their leases end");
        }
    }

    async fn beat(self) {
        loop {
            tokio::time::sleep(HEARTBEAT).await;
            let until = self.clock.now().plus(LEASE);
            let kept = self
                .blocking(move |sender| {
                    sender.db.write(Urgency::Normal, |conn| {
                        Ok(deliveries::extend(conn, &sender.owner, until)?)
                    })
                })
                .await;
            if let Err(error) = kept {
                tracing::warn!(%error, "could not keep leases alive");
            }
        }
    }

    async fn deliver(&self, one: Leased) -> Result<(), DbError> {
        let prepared = self.blocking({
            let one = one.clone();
            move |sender| sender.prepare(&one)
        });
        let (channel, message, note) = match prepared.await? {
            Prepared::Send(channel, message, note) => (channel, *message, note),
            Prepared::Settled => return Ok(()),
        };
        let attempt =
            tokio::time::timeout(LONGEST_ATTEMPT, self.channels.send(channel, &message)).await;
        let outcome = attempt.unwrap_or_else(|_| Outcome::Unknown {
            reason: "no answer came in time".to_owned(),
        });
        metrics::counter!(telemetry::DELIVERIES_DONE, "channel" => channel.name(), "outcome" => outcome.name()).increment(1);
        let now = self.clock.now();
        self.blocking(move |sender| {
            sender.db.write(Urgency::Normal, |conn| {
                settle(conn, &one, &outcome, note.as_deref(), now)
            })
        })
        .await
    }
}

/// Writes how it ended, and what that means for everything else that goes there.
fn settle(
    conn: &mut Conn,
    one: &Leased,
    outcome: &Outcome,
    note: Option<&str>,
    now: Timestamp,
) -> Result<(), DbError> {
    let settled = settled_as(outcome, note, one, now);
    if !deliveries::settle(conn, &one.id, one.lease_token, &settled, now)? {
        tracing::warn!(
            delivery_id = one.id,
            "a late result changed nothing: the lease had run out"
        );
        return Ok(());
    }
    match outcome {
        Outcome::RefusedDestination { reason }
            if destinations::stop(conn, &one.destination, reason, now)? =>
        {
            tracing::error!(
                destination = one.destination,
                reason,
                "a destination refuses and was stopped; see `rollcall destinations list`"
            );
        }
        Outcome::Later {
            retry_after: Some(wait),
            ..
        } => destinations::hold_back(conn, &one.destination, now.plus(*wait))?,
        _ => {}
    }
    Ok(())
}

fn tell(done: Result<Result<(), DbError>, JoinError>) {
    match done {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            tracing::error!(%error, "the database failed while a delivery was sent; its lease will run out");
        }
        Err(error) => tracing::error!(%error, "a delivery's task ended; its lease will run out"),
    }
}
