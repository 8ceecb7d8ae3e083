//! Fail points of builds for tests: the process dies at the step that `ROLLCALL_TEST_CRASH_AT` names, as it would of
//! `kill -9` there. A release build has none. What comes of a crash at each step is a table in
//! docs/reliability.md; the steps of sending need none of these, since a silent receiver stops there as well.

/// A step of storing or working off events at which the process may die.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The intake has a group in hand and has written nothing.
    IntakeGathered,
    /// The group is written and not committed.
    IntakeWritten,
    /// It is committed, and nobody was answered.
    IntakeCommitted,
    /// Everybody was answered.
    IntakeAnswered,
    /// The worker has claimed a batch.
    BatchClaimed,
    /// What the events touch is loaded.
    BatchLoaded,
    /// Each event is folded.
    BatchFolded,
    /// People, changes and messages are written.
    BatchWritten,
    /// The events are settled, and nothing is committed.
    BatchSettled,
    /// The batch is committed.
    BatchCommitted,
    /// A step of a job is done, and nothing is committed.
    JobStepped,
}

impl Step {
    /// The name in `ROLLCALL_TEST_CRASH_AT`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::IntakeGathered => "intake.gathered",
            Self::IntakeWritten => "intake.written",
            Self::IntakeCommitted => "intake.committed",
            Self::IntakeAnswered => "intake.answered",
            Self::BatchClaimed => "batch.claimed",
            Self::BatchLoaded => "batch.loaded",
            Self::BatchFolded => "batch.folded",
            Self::BatchWritten => "batch.written",
            Self::BatchSettled => "batch.settled",
            Self::BatchCommitted => "batch.committed",
            Self::JobStepped => "job.stepped",
        }
    }
}

/// Dies here, where a test asked for it.
#[inline]
pub fn at(step: Step) {
    if cfg!(debug_assertions)
        && std::env::var_os("ROLLCALL_TEST_CRASH_AT").is_some_and(|name| name == step.name())
    {
        std::process::abort();
    }
}
