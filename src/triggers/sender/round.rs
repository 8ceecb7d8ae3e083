//! The sender's rounds: what is due is taken under a lease, who left first, and each message goes its own
//! way in a task of its own, so that one that waits for an answer holds up no other. What nobody holds any
//! more is found in each round.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};

use crate::db::{DbError, Urgency};
use crate::triggers::deliveries::{self, Lane, Leased, Left, Order};

use super::places::{Place, share};
use super::{LEASE, Sender, Trouble};

/// How long an idle sender waits before it looks again.
const IDLE: Duration = Duration::from_millis(500);
/// And after an error of the database.
const AFTER_ERROR: Duration = Duration::from_secs(1);
/// How long `run_once` waits for a database that is away.
const PATIENCE: Duration = Duration::from_secs(30);

type Air = JoinSet<()>;

impl Sender {
    /// Sends until `stop` says so; what is in the air is waited for, the rest is given back.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        let mut air = Air::new();
        while !*stop.borrow() {
            let pause = match self.claim().await {
                Ok(leased) if leased.is_empty() => IDLE,
                Ok(leased) => {
                    self.launch(leased, &mut air, Duration::MAX);
                    continue;
                }
                Err(trouble) => {
                    tracing::error!(%trouble, "could not take deliveries; trying again");
                    AFTER_ERROR
                }
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                _ = stop.changed() => {}
                Some(done) = air.join_next(), if !air.is_empty() => tell(done),
            }
            while let Some(done) = air.try_join_next() {
                tell(done);
            }
        }
        while let Some(done) = air.join_next().await {
            tell(done);
        }
        self.give_back().await;
    }

    /// Sends one handful; 0 when nothing was due.
    pub async fn run_once(&self) -> Result<usize, DbError> {
        let leased = self.claim().await.map_err(Trouble::into_error)?;
        let (count, mut air) = (leased.len(), Air::new());
        self.launch(leased, &mut air, PATIENCE);
        while let Some(done) = air.join_next().await {
            tell(done);
        }
        Ok(count)
    }

    /// Takes what is due and there are places for; first finds what a crash left behind.
    async fn claim(&self) -> Result<Vec<(Leased, Place)>, Trouble> {
        let now = self.clock.now();
        let taken = self
            .blocking(move |sender| {
                let places = &sender.places;
                let _alone = places.claiming();
                let held = places.held();
                let left = Left {
                    owner: &sender.owner,
                    held: &held,
                    of_others: places.may_judge_others(),
                };
                let taken = sender.db.write(Urgency::Normal, |conn| {
                    deliveries::recover(conn, left, now)?;
                    let mut all = Vec::new();
                    for lane in Lane::ALL {
                        let order = Order {
                            owner: &sender.owner,
                            lane,
                            places: places.free(lane),
                            share: share(lane),
                            in_the_air: places.in_the_air(lane),
                            lease: LEASE,
                        };
                        all.extend(deliveries::claim(conn, order, now)?);
                    }
                    Ok::<_, DbError>(all)
                })?;
                let in_hand = taken.into_iter().map(|leased| {
                    let place = places.take(&leased);
                    (leased, place)
                });
                Ok(in_hand.collect())
            })
            .await;
        if taken.is_err() {
            self.places.note_trouble();
        }
        taken
    }

    fn launch(&self, taken: Vec<(Leased, Place)>, air: &mut Air, patience: Duration) {
        for (leased, place) in taken {
            let sender = self.clone();
            air.spawn(async move {
                sender.hold(Arc::new(leased), patience).await;
                drop(place);
            });
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
        if let Err(trouble) = given_back {
            tracing::warn!(%trouble, "could not give deliveries back; they are free again when their leases end");
        }
    }
}

fn tell(done: Result<(), JoinError>) {
    if let Err(error) = done {
        tracing::error!(%error, "a delivery's task ended; its delivery is taken up again in the next round");
    }
}
