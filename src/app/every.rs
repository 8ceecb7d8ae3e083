//! Housekeeping: the same work again and again, with a pause, until told to stop. A failure is logged
//! and the next round tries again.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

pub(super) async fn every<T: Send + 'static>(
    pause: Duration,
    mut stop: watch::Receiver<bool>,
    work: impl Fn() -> Result<T, String> + Send + Sync + 'static,
) {
    let work = Arc::new(work);
    while !*stop.borrow() {
        let work = Arc::clone(&work);
        if let Ok(Err(error)) = tokio::task::spawn_blocking(move || work()).await {
            tracing::warn!(%error, "housekeeping failed; trying again");
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = stop.changed() => {}
        }
    }
}
