//! How long a reading on SQLite may take: its statements are interrupted when the time is up or when nobody waits
//! for the answer any more. PostgreSQL has `statement_timeout` for that; SQLite asks a progress handler
//! every so many steps, and the handler asks the limit of the thread it runs on.

use std::cell::RefCell;
use std::ffi::{c_char, c_int, c_void};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Once};
use std::time::{Duration, Instant};

use libsqlite3_sys as ffi;

/// Steps of SQLite's machine between two questions: well under a millisecond.
const STEPS: c_int = 10_000;

thread_local! {
    static LIMIT: RefCell<Option<Arc<Limit>>> = const { RefCell::new(None) };
}

/// How long one reading may take.
#[derive(Debug)]
pub struct Limit {
    end: Instant,
    gone: AtomicBool,
    met: AtomicBool,
}

impl Limit {
    /// From now on.
    pub fn new(time: Duration) -> Arc<Self> {
        Arc::new(Self {
            end: Instant::now() + time,
            gone: AtomicBool::new(false),
            met: AtomicBool::new(false),
        })
    }

    /// Nobody waits for the answer any more.
    pub fn give_up(&self) {
        self.gone.store(true, Ordering::Relaxed);
    }

    /// Whether a statement was interrupted for it.
    pub fn was_met(&self) -> bool {
        self.met.load(Ordering::Relaxed)
    }

    fn is_met(&self) -> bool {
        let met = self.gone.load(Ordering::Relaxed) || Instant::now() > self.end;
        if met {
            self.met.store(true, Ordering::Relaxed);
        }
        met
    }
}

/// Runs `work` on this thread under a limit.
pub fn within<T>(limit: &Arc<Limit>, work: impl FnOnce() -> T) -> T {
    struct Former(Option<Arc<Limit>>);
    impl Drop for Former {
        fn drop(&mut self) {
            LIMIT.set(self.0.take());
        }
    }
    let _former = Former(LIMIT.replace(Some(Arc::clone(limit))));
    work()
}

/// Gives every SQLite connection that is opened from now on the handler. Diesel does not hand its connection's
/// handle out; SQLite calls an automatic extension with it as each connection is opened.
pub(super) fn watch_connections() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: `watch` has the signature that SQLite calls such an extension with, and lives for ever.
        let code = unsafe { ffi::sqlite3_auto_extension(Some(watch)) };
        if code != ffi::SQLITE_OK {
            tracing::warn!(code, "long readings on SQLite will not be interrupted");
        }
    });
}

unsafe extern "C" fn watch(
    db: *mut ffi::sqlite3,
    _message: *mut *mut c_char,
    _routines: *const ffi::sqlite3_api_routines,
) -> c_int {
    // SAFETY: SQLite hands over the connection it is opening; the handler takes no argument.
    unsafe { ffi::sqlite3_progress_handler(db, STEPS, Some(ask), std::ptr::null_mut()) };
    ffi::SQLITE_OK
}

unsafe extern "C" fn ask(_: *mut c_void) -> c_int {
    let met = LIMIT.try_with(|limit| match limit.try_borrow() {
        Ok(limit) => limit.as_ref().is_some_and(|limit| limit.is_met()),
        Err(_) => false,
    });
    c_int::from(met.unwrap_or(false))
}

#[cfg(test)]
mod tests {
    use diesel::connection::SimpleConnection;
    use diesel::{Connection, SqliteConnection};

    use super::*;

    const ENDLESS: &str = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000000000) \
         SELECT count(*) FROM n";

    #[test]
    fn a_reading_ends_when_its_time_is_up_and_the_connection_goes_on() {
        watch_connections();
        let mut conn = SqliteConnection::establish(":memory:").unwrap();
        let limit = Limit::new(Duration::from_millis(50));
        let began = Instant::now();
        assert!(within(&limit, || conn.batch_execute(ENDLESS)).is_err());
        assert!(limit.was_met() && began.elapsed() < Duration::from_secs(5));
        let next = Limit::new(Duration::from_secs(60));
        assert!(within(&next, || conn.batch_execute("SELECT 1")).is_ok());
        assert!(!next.was_met());
    }

    #[test]
    fn a_reading_ends_when_nobody_waits_for_it() {
        watch_connections();
        let limit = Limit::new(Duration::from_secs(600));
        let other = Arc::clone(&limit);
        let reading = std::thread::spawn(move || {
            let mut conn = SqliteConnection::establish(":memory:").unwrap();
            within(&other, || conn.batch_execute(ENDLESS)).is_err()
        });
        limit.give_up();
        assert!(reading.join().unwrap());
    }
}
