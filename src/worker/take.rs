//! Taking a batch: one transaction over what is claimed. A batch that the database refuses is halved until
//! one event stands alone. What is not that event's own fault is no attempt of it: the database away or not
//! set up stops everybody for a moment, a lock or a damaged page lets that event wait and the others go on
//! (R92).

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use diesel::QueryResult;

use crate::clock::Timestamp;
use crate::crash::{self, Step};
use crate::db::{Conn, DbError, Fault, Urgency, locks};
use crate::outbox::{self, Claimed, Settlement, Verdict};

use super::batch::{self, BatchReport, Cut, Worked};
use super::{Worker, suspensions};

/// How often a batch begins again because PostgreSQL took it out of a deadlock.
const DEADLOCKS: u32 = 20;
/// An innocent event waits a quarter of its age, between these.
const SHORTEST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// A removal goes on within seconds of the end of what was in its way.
const LONGEST_WAIT_OF_REMOVAL: Duration = Duration::from_secs(5);

/// What a batch should take at the most: beyond it the next one is smaller.
const AIM: Duration = Duration::from_millis(100);

/// How many events the next batch takes, after one that could have taken `most`, took `in_hand` and lasted `took`.
fn next_size(most: usize, in_hand: usize, took: Duration) -> usize {
    if took > AIM {
        in_hand.min(most).div_ceil(2).max(1)
    } else if took < AIM / 2 && in_hand >= most {
        most.saturating_mul(2)
    } else {
        most
    }
}

impl Worker {
    /// Works off one batch; `told` hears what was claimed before anything is done with it.
    pub(super) fn take_batch(
        &self,
        told: &mut dyn FnMut(&[Claimed]),
    ) -> Result<BatchReport, DbError> {
        let start = self
            .start
            .fetch_add(7, Ordering::Relaxed)
            .rem_euclid(outbox::PARTS);
        let most = self.size.load(Ordering::Relaxed).clamp(1, self.batch);
        // Counted from the claim: waiting for the turn to write says nothing about the size.
        let (mut in_hand, mut began) = (0, Instant::now());
        let report = self.take(
            most,
            &mut |claimed| {
                (in_hand, began) = (claimed.len(), Instant::now());
                told(claimed);
            },
            |conn, limit, now| {
                outbox::claim(conn, i64::try_from(limit).unwrap_or(i64::MAX), now, start)
            },
        )?;
        let next = next_size(most, in_hand, began.elapsed());
        self.size.store(next.min(self.batch), Ordering::Relaxed);
        Ok(report)
    }

    /// Works off one event of which the row's id is known, by itself.
    pub(super) fn take_alone(
        &self,
        id: i64,
        told: &mut dyn FnMut(&[Claimed]),
    ) -> Result<BatchReport, DbError> {
        self.take(1, told, |conn, _, _| {
            Ok(outbox::claim_one(conn, id)?.into_iter().collect())
        })
    }

    fn take(
        &self,
        most: usize,
        told: &mut dyn FnMut(&[Claimed]),
        claim: impl Fn(&mut Conn, usize, Timestamp) -> QueryResult<Vec<Claimed>>,
    ) -> Result<BatchReport, DbError> {
        let mut limit = most;
        let mut patience = DEADLOCKS;
        loop {
            let (mut first, mut in_hand, mut cut) = (None, 0, Cut::default());
            let claim = |conn: &mut Conn, now| {
                let claimed = claim(conn, limit, now)?;
                first = claimed.first().cloned();
                in_hand = claimed.len();
                told(&claimed);
                Ok(claimed)
            };
            let error = match self.attempt(claim, &mut cut) {
                Ok(report) => {
                    if in_hand > 0 {
                        crash::at(Step::BatchCommitted);
                    }
                    self.leave_no_trace(&report);
                    return Ok(report);
                }
                Err(error) => error,
            };
            if let Some(folded) = cut.folded {
                limit = folded.clamp(1, in_hand.saturating_sub(1).max(1));
                continue;
            }
            let Some(first) = first else {
                return Err(error); // nothing was in hand yet
            };
            match error.fault() {
                Fault::Away | Fault::Replaced | Fault::Unready => return Err(error),
                // Nobody's fault: of two batches that waited for each other one was sent back.
                Fault::Deadlock if patience > 0 => patience -= 1,
                Fault::Own if in_hand == 1 => return self.fail(&first, &error),
                _ if in_hand == 1 => return self.postpone(&first, &error),
                _ => {
                    tracing::warn!(%error, code = error.code(), in_hand, "the database refused a batch; halving it");
                    limit = in_hand / 2;
                }
            }
        }
    }

    /// What a late word said of somebody erased lay in SQLite's log, too, since it was received.
    fn leave_no_trace(&self, report: &BatchReport) {
        if report.forgot
            && let Err(error) = self.db.empty_log()
        {
            tracing::warn!(%error, "the log could not be emptied now; it is overwritten in time");
        }
    }

    /// One transaction over what `claim` takes.
    fn attempt(
        &self,
        claim: impl FnOnce(&mut Conn, Timestamp) -> QueryResult<Vec<Claimed>>,
        cut: &mut Cut,
    ) -> Result<BatchReport, DbError> {
        let now = self.clock.now();
        let done = catch_unwind(AssertUnwindSafe(|| {
            self.db.write(Urgency::Normal, |conn| {
                let claimed = claim(conn, now)?;
                batch::run(conn, self.settings, claimed, now, cut)
            })
        }));
        done.unwrap_or_else(|_| Err(batch::stopped_by_a_panic()))
    }

    /// That event alone fails: it is retried or given up, and the others go on.
    fn fail(&self, event: &Claimed, error: &DbError) -> Result<BatchReport, DbError> {
        self.settle_alone(event.id, "failed", |event, now| {
            let attempt = u32::try_from(event.attempts).unwrap_or(0).saturating_add(1);
            batch::after_failure(event.id, attempt, self.settings, error.to_string(), now)
        })
    }

    /// That event alone waits, and no attempt is counted.
    fn postpone(&self, event: &Claimed, error: &DbError) -> Result<BatchReport, DbError> {
        self.tell_of(event, error);
        let reason = match error.fault() {
            Fault::Damaged => {
                "the database could not read a page that it needs, so it waits and is tried again: \
                 `rollcall doctor` looks at the database, a back-up may be needed"
            }
            _ => "somebody else held a lock on what it needs, so it waits and is tried again",
        };
        self.settle_alone(event.id, "held", |event, now| Verdict::Wait {
            at: now.plus(wait_of(event, now)),
            reason: reason.to_owned(),
        })
    }

    /// In the log, with who is in the way where the server knows it.
    fn tell_of(&self, event: &Claimed, error: &DbError) {
        let code = error.code();
        if error.fault() == Fault::Damaged {
            self.db.note_damage();
            tracing::error!(%error, code, event_id = event.event_id,
                "the database is damaged: a page that this event needs cannot be read. Others go on. Run `rollcall doctor`, and restore a back-up if it finds the same");
            return;
        }
        tracing::warn!(%error, code, event_id = event.event_id, "an event waits, because something was in the way");
        self.name_holders();
    }

    /// Names who holds our tables, in the log.
    pub(super) fn name_holders(&self) {
        let found = self
            .db
            .read(|conn| Ok::<_, DbError>(locks::holders(conn, 1)?));
        for holder in found.unwrap_or_default() {
            tracing::warn!("in the way: {holder}");
        }
    }

    /// Gives up an event that ended the process that worked on it and on nothing else.
    pub(super) fn fail_alone(&self, id: i64, error: String) -> Result<BatchReport, DbError> {
        self.settle_alone(id, "failed", |_, _| Verdict::Fail { error })
    }

    fn settle_alone(
        &self,
        id: i64,
        outcome: &'static str,
        verdict: impl FnOnce(&Claimed, Timestamp) -> Verdict,
    ) -> Result<BatchReport, DbError> {
        let now = self.clock.now();
        self.db.write(Urgency::Normal, |conn| {
            let Some(event) = outbox::claim_one(conn, id)? else {
                return Ok(BatchReport::default());
            };
            let settlement = Settlement {
                id,
                event_id: event.event_id.clone(),
                verdict: verdict(&event, now),
            };
            outbox::settle(conn, std::slice::from_ref(&settlement), now)?;
            let failed = batch::removals_given_up([(event.removal, &settlement)]);
            suspensions::given_up(conn, &failed, now)?;
            Ok(BatchReport {
                events: vec![Worked {
                    event_id: event.event_id,
                    outcome,
                    removal: event.removal,
                    received_at: event.received_at,
                }],
                ..BatchReport::default()
            })
        })
    }
}

/// How long an innocent event waits: told from its age, because no attempt is counted.
fn wait_of(event: &Claimed, now: Timestamp) -> Duration {
    let longest = if event.removal {
        LONGEST_WAIT_OF_REMOVAL
    } else {
        LONGEST_WAIT
    };
    (now.since(event.received_at) / 4).clamp(SHORTEST_WAIT, longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r94_a_batch_that_takes_long_is_followed_by_a_smaller_one_and_a_quick_one_by_a_larger() {
        let ms = Duration::from_millis;
        assert_eq!(next_size(500, 500, ms(400)), 250);
        assert_eq!(
            next_size(500, 3, ms(400)),
            2,
            "as large as it was, not as it could have been"
        );
        assert_eq!(next_size(1, 1, ms(400)), 1);
        assert_eq!(next_size(250, 250, ms(40)), 500);
        assert_eq!(next_size(250, 10, ms(4)), 250, "nothing is known of more");
        assert_eq!(next_size(250, 250, ms(70)), 250);
    }

    #[test]
    fn r92_an_innocent_event_waits_longer_with_its_age_and_a_removal_never_long() {
        let event = |removal| Claimed {
            id: 1,
            event_id: "event_1".to_owned(),
            event_type: "dsync.user.deleted".to_owned(),
            removal,
            attempts: 0,
            occurred_at: Timestamp(0),
            received_at: Timestamp(0),
            body: None,
        };
        let after = |seconds| Timestamp(0).plus(Duration::from_secs(seconds));
        assert_eq!(wait_of(&event(false), after(0)), SHORTEST_WAIT);
        assert_eq!(wait_of(&event(false), after(40)).as_secs(), 10);
        assert_eq!(wait_of(&event(false), after(86_400)), LONGEST_WAIT);
        assert_eq!(wait_of(&event(true), after(86_400)).as_secs(), 5);
    }
}
