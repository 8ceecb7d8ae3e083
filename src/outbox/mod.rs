//! The queue: events waiting for, or done with, their effects. It knows kinds and payloads as data
//! and nothing of people. Enqueue and settle run in the caller's transaction; a claim holds as long
//! as the transaction it is made in, so there is no "running" state to be rescued from.

mod browse;
pub mod catch_ups;
mod claim;
mod content;
mod enqueue;
mod failures;
mod forget;
pub mod gaps;
pub mod hour;
mod prune;
mod repeats;
mod replay;
mod settle;
mod stats;

pub use browse::{
    EventFilter, EventRow, at_places, attempts_of, body_of, count, find, known, list,
    narrow_by_time, newest_delays, newest_place, places,
};
pub(crate) use claim::load as load_claimed;
pub use claim::{Claimed, claim, claim_one, lock_part};
pub use enqueue::{NewEvent, enqueue};
pub use failures::{EventFailures, failures, names_of};
pub use forget::{forget, forget_subject};
pub use prune::{old_attempts, old_bodies, prune_attempts, prune_bodies};
pub use repeats::{Compared, Repeat, compare as compare_repeats, repeat_of};
pub use replay::{Refusal, Replayed, discard, reject, release, replay, replay_places};
pub use settle::{Settlement, Verdict, settle};
pub use stats::{QueueStats, due_up_to, queue_stats, queue_stats_up_to};

/// The states of an event. There is no `running`: claim, work and settle are one transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventState {
    /// Waiting for the worker.
    Ready,
    /// Has had its effects, or needed none.
    Done,
    /// Waits for an operator.
    Held,
    /// Given up after the last attempt, or unusable; an operator decides.
    Failed,
    /// Of a kind that is not ours.
    Ignored,
}

impl EventState {
    /// All of them, in the order they are shown.
    pub const ALL: [Self; 5] = [
        Self::Ready,
        Self::Done,
        Self::Held,
        Self::Failed,
        Self::Ignored,
    ];

    /// As shown and stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Done => "done",
            Self::Held => "held",
            Self::Failed => "failed",
            Self::Ignored => "ignored",
        }
    }
}

/// Organizations are spread over so many parts; a worker holds one part at a time (R73).
pub const PARTS: i32 = 64;

/// Removals ride in a lane of their own and are claimed first (R67).
pub const REMOVAL_LANE: i32 = 0;
/// Everything else.
pub const NORMAL_LANE: i32 = 1;

/// The part an organization falls into: FNV-1a, because it must stay the same in every version.
pub fn part_of(organization: &str) -> i32 {
    let hash = organization
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
    i32::try_from(hash % 64).unwrap_or(0)
}
