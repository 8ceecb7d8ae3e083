//! What a stop may take. One limit covers all of it (`ROLLCALL_SHUTDOWN_SECONDS`): most of the time is for what is in
//! hand; at the *cut* what still waits for somebody else is left, and the rest of the time is for writing down what
//! became of it, signing off and closing. Phases with a limit each were rejected: they add up.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

/// The least and the most time that is kept for after the cut.
const LEAST_RESERVE: Duration = Duration::from_millis(100);
const MOST_RESERVE: Duration = Duration::from_secs(3);

/// The moments of a stop, from when it was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    began: Instant,
    limit: Duration,
}

impl Plan {
    /// A stop that was asked for now.
    pub fn from_now(limit: Duration) -> Self {
        Self {
            began: Instant::now(),
            limit,
        }
    }

    fn reserve(self) -> Duration {
        (self.limit / 4)
            .clamp(LEAST_RESERVE, MOST_RESERVE)
            .min(self.limit)
    }

    fn before_the_end(self, time: Duration) -> Instant {
        self.began + self.limit.saturating_sub(time)
    }

    /// What is still in hand is left.
    pub fn cut(self) -> Instant {
        self.before_the_end(self.reserve())
    }

    /// By then it has been written down what became of that.
    pub fn written(self) -> Instant {
        self.before_the_end(self.reserve() * 2 / 3)
    }

    /// By then the process has signed off.
    pub fn signed_off(self) -> Instant {
        self.before_the_end(self.reserve() / 3)
    }

    /// Everything ends, whatever hangs; shortly before the limit, so that the limit is kept.
    pub fn last(self) -> Instant {
        self.before_the_end(self.reserve() / 10)
    }
}

/// Whether everything that was in hand was finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "the exit code tells it"]
pub enum Ended {
    /// Nothing was left.
    Finished,
    /// The time was over before it was.
    WorkLeft,
}

impl Ended {
    /// Finished where both are.
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Finished, Self::Finished) => Self::Finished,
            _ => Self::WorkLeft,
        }
    }

    /// Finished where that is so.
    pub fn finished(finished: bool) -> Self {
        if finished {
            Self::Finished
        } else {
            Self::WorkLeft
        }
    }
}

/// Tells whoever waits for somebody else that the time for that is over, and hears how much was left by that.
/// Cheap to clone; one that nobody makes never comes.
#[derive(Debug, Clone, Default)]
pub struct Cut(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    made: watch::Sender<bool>,
    left: AtomicUsize,
}

impl Cut {
    /// It is now.
    pub fn make(&self) {
        self.0.made.send_replace(true);
    }

    /// Whether it is there.
    pub fn is_reached(&self) -> bool {
        *self.0.made.borrow()
    }

    /// Until it is there.
    pub async fn reached(&self) {
        let mut made = self.0.made.subscribe();
        // Never an error: whoever makes it lives as long as this.
        let _ = made.wait_for(|made| *made).await;
    }

    /// Something that was in hand is left unfinished.
    pub fn leave(&self) {
        self.0.left.fetch_add(1, Ordering::SeqCst);
    }

    /// How much was.
    pub fn left(&self) -> usize {
        self.0.left.load(Ordering::SeqCst)
    }
}

/// Until somebody says so; whoever could say it being gone says it, too.
pub async fn wait_for(mut stop: watch::Receiver<bool>) {
    // An error means just that.
    let _ = stop.wait_for(|stopped| *stopped).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_moment_comes_after_the_one_before_and_none_after_the_limit() {
        for seconds in [1, 2, 5, 20, 3_600] {
            let limit = Duration::from_secs(seconds);
            let plan = Plan::from_now(limit);
            let moments = [
                plan.began,
                plan.cut(),
                plan.written(),
                plan.signed_off(),
                plan.last(),
                plan.began + limit,
            ];
            assert!(moments.is_sorted_by(|one, next| one < next), "{plan:?}");
        }
        let twenty = Plan::from_now(Duration::from_secs(20));
        assert_eq!((twenty.cut() - twenty.began).as_secs(), 17);
    }

    #[tokio::test]
    async fn a_cut_reaches_everybody_and_hears_what_was_left() {
        let cut = Cut::default();
        let other = cut.clone();
        let early = tokio::time::timeout(Duration::from_millis(20), other.reached());
        assert!(early.await.is_err() && !other.is_reached());
        cut.make();
        other.reached().await;
        other.leave();
        assert!(other.is_reached() && cut.left() == 1);
    }
}
