//! An answer that anybody may ask for and that is read at most once in a while, by one asker for all: what is
//! asked without a token must not cost the database by how often it is asked.

use std::future::Future;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;

/// What was read last, and when.
#[derive(Debug)]
pub(super) struct Snapshot<T> {
    age: Duration,
    last: Mutex<Option<(Instant, T)>>,
}

impl<T: Clone> Snapshot<T> {
    /// Read anew when it is that old.
    pub(super) fn new(age: Duration) -> Self {
        Self {
            age,
            last: Mutex::new(None),
        }
    }

    /// What was read lately, or what is read now; others wait for it meanwhile.
    pub(super) async fn get(&self, read: impl Future<Output = T>) -> T {
        let mut last = self.last.lock().await;
        if let Some((at, value)) = &*last
            && at.elapsed() < self.age
        {
            return value.clone();
        }
        let value = read.await;
        *last = Some((Instant::now(), value.clone()));
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_is_read_once_while_it_is_young() {
        let young = Snapshot::new(Duration::from_secs(600));
        assert_eq!(young.get(async { 1 }).await, 1);
        assert_eq!(young.get(async { 2 }).await, 1);
        let old = Snapshot::new(Duration::ZERO);
        assert_eq!(old.get(async { 1 }).await, 1);
        assert_eq!(old.get(async { 2 }).await, 2);
    }
}
