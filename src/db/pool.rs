//! [`Db`]: the pool, and on SQLite the one writing connection beside it. Whoever writes says how
//! urgent it is: the intake's groups go before the worker's batches, because WorkOS is waiting.
//! Diesel's own `ConnectionManager` is not used: over the enum it hides the real connection error.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::r2d2::R2D2Connection;
use diesel::{Connection, PgConnection, SqliteConnection};

use super::{Backend, Conn, DatabaseUrl, DbError, write};

/// WAL and FULL: a commit is on disk (promise 1). The larger autocheckpoint halves the p99 of a
/// group commit (measured on prototypes: 5.6 against 13 ms); the busy timeout is for a second process.
/// What is deleted is overwritten, so that a copy of the file does not tell what was erased (R65).
const SQLITE_PRAGMAS: &str = "PRAGMA busy_timeout = 10000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
     PRAGMA foreign_keys = ON; PRAGMA wal_autocheckpoint = 4000; PRAGMA temp_store = MEMORY; \
     PRAGMA secure_delete = ON;";

/// SQLite's page cache of one connection, in KiB: of a service, and of a command beside it, which must
/// not take much memory for long work such as comparing a large directory.
const CACHE: u32 = 32_768;
const LEAN_CACHE: u32 = 4_096;

const WAIT_FOR_CONNECTION: Duration = Duration::from_secs(5);

/// Who goes first on SQLite's one writing connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Urgency {
    /// A sender waits for the commit.
    Intake,
    /// Everything else.
    Normal,
}

/// The database, cheap to clone.
#[derive(Clone)]
pub struct Db(Arc<Inner>);

struct Inner {
    url: DatabaseUrl,
    pool: r2d2::Pool<Manager>,
    writer: Option<Writer>,
}

impl Db {
    /// Opens the database with up to `connections` at once; connects once, so that a wrong URL,
    /// password or a missing directory is told now and in the driver's own words.
    pub fn open(url: &str, connections: u32) -> Result<Self, DbError> {
        Self::open_with(url, connections, CACHE)
    }

    /// As [`Db::open`], with little memory for SQLite's pages.
    pub fn open_lean(url: &str, connections: u32) -> Result<Self, DbError> {
        Self::open_with(url, connections, LEAN_CACHE)
    }

    fn open_with(url: &str, connections: u32, cache: u32) -> Result<Self, DbError> {
        let url = DatabaseUrl::parse(url)?;
        let writer = match &url {
            DatabaseUrl::Sqlite(_) => Some(Writer::new(establish(&url, false, cache)?)),
            DatabaseUrl::Postgres(_) => {
                establish(&url, false, cache)?;
                None
            }
        };
        let pool = r2d2::Pool::builder()
            .max_size(connections.max(2))
            .min_idle(Some(0))
            .connection_timeout(WAIT_FOR_CONNECTION)
            .error_handler(Box::new(LogError))
            .build_unchecked(Manager {
                url: url.clone(),
                cache,
            });
        Ok(Self(Arc::new(Inner { url, pool, writer })))
    }

    /// Which database this is.
    pub fn backend(&self) -> Backend {
        match self.0.url {
            DatabaseUrl::Sqlite(_) => Backend::Sqlite,
            DatabaseUrl::Postgres(_) => Backend::Postgres,
        }
    }

    /// Where the database is, without password.
    pub fn url(&self) -> &DatabaseUrl {
        &self.0.url
    }

    /// Runs a read on this thread (blocking: call it where blocking is allowed).
    pub fn read<T, E: From<DbError>>(
        &self,
        work: impl FnOnce(&mut Conn) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut conn = self
            .0
            .pool
            .get()
            .map_err(|error| DbError::Pool(error.to_string()))?;
        work(&mut conn)
    }

    /// Runs one write transaction on this thread (blocking).
    pub fn write<T, E: From<DbError>>(
        &self,
        urgency: Urgency,
        work: impl FnOnce(&mut Conn) -> Result<T, E>,
    ) -> Result<T, E> {
        match &self.0.writer {
            Some(writer) => {
                let mut turn = writer.take_turn(urgency);
                write(turn.conn()?, work)
            }
            None => {
                let mut conn = self
                    .0
                    .pool
                    .get()
                    .map_err(|error| DbError::Pool(error.to_string()))?;
                write(&mut conn, work)
            }
        }
    }

    /// Runs one write transaction and takes it back, whatever came of it (blocking).
    pub fn rehearse<T, E: From<DbError>>(
        &self,
        urgency: Urgency,
        work: impl FnOnce(&mut Conn) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut told = None;
        let _: Result<(), DbError> = self.write(urgency, |conn| {
            told = Some(work(conn));
            Err(DbError::Query(diesel::result::Error::RollbackTransaction))
        });
        told.unwrap_or_else(|| {
            Err(E::from(DbError::Pool(
                "no transaction could begin".to_owned(),
            )))
        })
    }

    /// Moves what SQLite's log holds into the file and empties it, where no reader is in the way: what
    /// was erased must not be read off the log. Nothing to do on PostgreSQL (blocking).
    pub fn empty_log(&self) -> Result<(), DbError> {
        use diesel::connection::SimpleConnection as _;
        self.maintain(|conn| match conn {
            Conn::Sqlite(c) => Ok(c.batch_execute("PRAGMA wal_checkpoint(TRUNCATE)")?),
            Conn::Postgres(_) => Ok(()),
        })
    }

    /// As [`Db::write`] but outside of any transaction: for migrations.
    pub fn maintain<T, E: From<DbError>>(
        &self,
        work: impl FnOnce(&mut Conn) -> Result<T, E>,
    ) -> Result<T, E> {
        match &self.0.writer {
            Some(writer) => work(writer.take_turn(Urgency::Normal).conn()?),
            None => {
                let mut conn = self
                    .0
                    .pool
                    .get()
                    .map_err(|error| DbError::Pool(error.to_string()))?;
                work(&mut conn)
            }
        }
    }
}

/// Opens one connection; errors carry the driver's own words.
fn establish(url: &DatabaseUrl, read_only: bool, cache: u32) -> Result<Conn, DbError> {
    let failed = |source| DbError::Connect {
        what: url.place(),
        source,
    };
    match url {
        DatabaseUrl::Sqlite(path) => {
            super::deadline::watch_connections();
            private(path);
            let mut c = SqliteConnection::establish(&path.to_string_lossy()).map_err(failed)?;
            c.batch_execute(SQLITE_PRAGMAS)?;
            c.batch_execute(&format!("PRAGMA cache_size = -{cache}"))?;
            if read_only {
                c.batch_execute("PRAGMA query_only = ON")?;
            }
            Ok(Conn::Sqlite(c))
        }
        DatabaseUrl::Postgres(text) => {
            let mut c = PgConnection::establish(text).map_err(failed)?;
            // A role or database may have it off; promise 1 does not depend on that.
            c.batch_execute("SET synchronous_commit = on; SET client_min_messages = warning")?;
            Ok(Conn::Postgres(c))
        }
    }
}

/// Makes a database file that only its owner reads and writes, whatever the umask; SQLite gives the files
/// beside it the same mode. Where it cannot be made, SQLite says why in its own words.
fn private(path: &std::path::Path) {
    use std::os::unix::fs::OpenOptionsExt as _;
    let _ = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
}

struct Manager {
    url: DatabaseUrl,
    cache: u32,
}

impl r2d2::ManageConnection for Manager {
    type Connection = Conn;
    type Error = DbError;

    fn connect(&self) -> Result<Conn, DbError> {
        let read_only = matches!(self.url, DatabaseUrl::Sqlite(_));
        establish(&self.url, read_only, self.cache)
    }

    fn is_valid(&self, conn: &mut Conn) -> Result<(), DbError> {
        match conn {
            // A file does not go away between two queries: nothing to ask.
            Conn::Sqlite(_) => Ok(()),
            Conn::Postgres(c) => Ok(c.batch_execute("SELECT 1")?),
        }
    }

    fn has_broken(&self, conn: &mut Conn) -> bool {
        std::thread::panicking()
            || match conn {
                // SQLite's connection is a file handle; only a transaction left open spoils it.
                Conn::Sqlite(c) => R2D2Connection::is_broken(c),
                Conn::Postgres(c) => R2D2Connection::is_broken(c),
            }
    }
}

#[derive(Debug)]
struct LogError;

impl r2d2::HandleError<DbError> for LogError {
    fn handle_error(&self, error: DbError) {
        tracing::warn!(%error, "database connection");
    }
}

/// SQLite's one writing connection and the line before it.
struct Writer {
    line: Mutex<Line>,
    moved: Condvar,
    conn: Mutex<Conn>,
}

#[derive(Default)]
struct Line {
    busy: bool,
    urgent_waiting: usize,
    normal_waiting: usize,
    urgent_streak: usize,
}

/// So many urgent turns in a row, then one other: a flood of webhooks must not starve the worker,
/// which is what revokes a leaver's access.
const URGENT_STREAK: usize = 4;

impl Line {
    fn may_go(&self, urgent: bool) -> bool {
        if self.busy {
            return false;
        }
        let normal_is_due = self.normal_waiting > 0 && self.urgent_streak >= URGENT_STREAK;
        if urgent {
            !normal_is_due
        } else {
            self.urgent_waiting == 0 || normal_is_due
        }
    }

    fn waiting(&mut self, urgent: bool) -> &mut usize {
        if urgent {
            &mut self.urgent_waiting
        } else {
            &mut self.normal_waiting
        }
    }
}

impl Writer {
    fn new(conn: Conn) -> Self {
        Self {
            line: Mutex::default(),
            moved: Condvar::new(),
            conn: Mutex::new(conn),
        }
    }

    fn take_turn(&self, urgency: Urgency) -> Turn<'_> {
        let mut line = lock(&self.line);
        let urgent = urgency == Urgency::Intake;
        *line.waiting(urgent) += 1;
        while !line.may_go(urgent) {
            line = self
                .moved
                .wait(line)
                .unwrap_or_else(PoisonError::into_inner);
        }
        *line.waiting(urgent) -= 1;
        line.urgent_streak = if urgent { line.urgent_streak + 1 } else { 0 };
        line.busy = true;
        drop(line);
        Turn {
            writer: self,
            conn: lock(&self.conn),
        }
    }
}

struct Turn<'a> {
    writer: &'a Writer,
    conn: MutexGuard<'a, Conn>,
}

impl Turn<'_> {
    #[allow(clippy::unnecessary_wraps, reason = "the one shape for both databases")]
    fn conn(&mut self) -> Result<&mut Conn, DbError> {
        Ok(&mut self.conn)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        lock(&self.writer.line).busy = false;
        self.writer.moved.notify_all();
    }
}

/// A panic elsewhere rolled back its transaction already: the lock is good to use.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
