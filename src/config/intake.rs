//! How much may wait between a request and its commit.

use super::reader::{Reader, whole};
use super::setting::Setting;

/// The bound of the intake (R75).
#[derive(Debug, Clone)]
pub struct Intake {
    /// Requests that may wait for their commit; the next one gets 503 with `Retry-After`.
    pub queue: usize,
}

const QUEUE: Setting = Setting::new("ROLLCALL_QUEUE", "queue", "intake.queue")
    .help(
        "REQUESTS",
        "Webhooks that may wait for their commit at once; the excess gets 503 with Retry-After.",
    )
    .default("2048");

pub(super) const SETTINGS: &[Setting] = &[QUEUE];

pub(super) fn read(from: &mut Reader<'_>) -> Option<Intake> {
    let queue = from.value(&QUEUE, |text| whole(text, 1, 1_000_000))?;
    Some(Intake {
        queue: usize::try_from(queue).ok()?,
    })
}
