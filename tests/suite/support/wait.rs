//! Waiting for facts: a condition is asked again until it holds, and the deadline fails the test
//! with the condition's name. No test sleeps for a time that it hopes is long enough.

use std::time::{Duration, Instant};

/// How long a fact may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// Asks until the answer is `Some`.
///
/// # Panics
/// When it takes longer than anybody should wait.
pub async fn eventually<T>(what: &str, ask: impl AsyncFnMut() -> Option<T>) -> T {
    eventually_within(PATIENCE, what, ask).await
}

/// As [`eventually`], for what takes long by itself.
///
/// # Panics
/// When it takes longer than `patience`.
pub async fn eventually_within<T>(
    patience: Duration,
    what: &str,
    mut ask: impl AsyncFnMut() -> Option<T>,
) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = ask().await {
            return found;
        }
        assert!(
            began.elapsed() < patience,
            "{what}: not so after {patience:?}"
        );
        // Between two askings, so that those who ask leave the machine to those who work.
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Lets a state last: its length is what is tested, and no fact tells that it is over.
pub async fn lasts(time: Duration) {
    tokio::time::sleep(time).await;
}
