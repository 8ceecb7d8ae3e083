//! How events are worked off, how often one is tried, and how long what is settled is kept.

use super::reader::{Reader, whole};
use super::setting::Setting;

/// The worker's measures.
#[derive(Debug, Clone)]
pub struct Worker {
    /// Batches worked on side by side in one process (PostgreSQL; SQLite has one writer).
    pub workers: usize,
    /// Events claimed in one transaction.
    pub batch: usize,
    /// Attempts before an event or a delivery is given up (R10).
    pub max_attempts: u32,
    /// Days that a settled event's payload is kept (R72).
    pub retention_days: u32,
    /// Days that the text of a message that is settled is kept.
    pub retention_message_days: u32,
    /// Days after which people who left are erased; 0: never by itself.
    pub retention_removed_days: u32,
}

impl Worker {
    /// Days that payloads, texts of messages, and people who left are kept; 0 people's days: for ever.
    pub fn retention(&self) -> [u32; 3] {
        [
            self.retention_days,
            self.retention_message_days,
            self.retention_removed_days,
        ]
    }
}

const WORKERS: Setting = Setting::new("ROLLCALL_WORKERS", "workers", "worker.workers")
    .help("COUNT", "Batches worked on side by side in this process (1-64). SQLite has one writer: more adds nothing there.")
    .default("2");

const BATCH: Setting = Setting::new("ROLLCALL_BATCH", "batch", "worker.batch")
    .help(
        "EVENTS",
        "Events claimed and settled in one transaction (1-10000).",
    )
    .default("200");

const MAX_ATTEMPTS: Setting = Setting::new(
    "ROLLCALL_MAX_ATTEMPTS",
    "max-attempts",
    "worker.max_attempts",
)
.help("COUNT", "Attempts before an event is given up (1-100).")
.default("8");

const RETENTION_DAYS: Setting =
    Setting::new("ROLLCALL_RETENTION_DAYS", "retention-days", "worker.retention_days")
        .help(
            "DAYS",
            "Days that a settled event's payload is kept; its id stays, so a late duplicate is still known.",
        )
        .default("90");

const RETENTION_MESSAGE_DAYS: Setting = Setting::new(
    "ROLLCALL_RETENTION_MESSAGE_DAYS",
    "retention-message-days",
    "worker.retention_message_days",
)
.help(
    "DAYS",
    "Days that the text and address of a settled message are kept; that it was sent stays, so it is not sent again.",
)
.default("90");

const RETENTION_REMOVED_DAYS: Setting = Setting::new(
    "ROLLCALL_RETENTION_REMOVED_DAYS",
    "retention-removed-days",
    "worker.retention_removed_days",
)
.help(
    "DAYS",
    "Days after which people who left are erased, unless under a legal hold; 0 erases nobody by itself.",
)
.default("0");

pub(super) const SETTINGS: &[Setting] = &[
    WORKERS,
    BATCH,
    MAX_ATTEMPTS,
    RETENTION_DAYS,
    RETENTION_MESSAGE_DAYS,
    RETENTION_REMOVED_DAYS,
];

pub(super) fn read(from: &mut Reader<'_>) -> Option<Worker> {
    let workers = from.value(&WORKERS, |text| whole(text, 1, 64));
    let batch = from.value(&BATCH, |text| whole(text, 1, 10_000));
    let max_attempts = from.value(&MAX_ATTEMPTS, |text| whole(text, 1, 100));
    let retention_days = from.value(&RETENTION_DAYS, |text| whole(text, 1, 36_500));
    let retention_message_days = from.value(&RETENTION_MESSAGE_DAYS, |text| whole(text, 1, 36_500));
    let retention_removed_days = from.value(&RETENTION_REMOVED_DAYS, |text| whole(text, 0, 36_500));
    Some(Worker {
        workers: usize::try_from(workers?).ok()?,
        batch: usize::try_from(batch?).ok()?,
        max_attempts: u32::try_from(max_attempts?).ok()?,
        retention_days: u32::try_from(retention_days?).ok()?,
        retention_message_days: u32::try_from(retention_message_days?).ok()?,
        retention_removed_days: u32::try_from(retention_removed_days?).ok()?,
    })
}
