//! [`Db`]: the pools, and on SQLite the one writing connection beside them. Whoever writes says how
//! urgent it is: the intake's groups go before the worker's batches, because WorkOS is waiting. On
//! PostgreSQL each purpose has connections and time limits of its own, so that none waits for another;
//! with the server gone, whoever asks is told at once.
//! Diesel's own `ConnectionManager` is not used: over the enum it hides the real connection error.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use diesel::r2d2::R2D2Connection;

use crate::clock::{Clock, Skew};

use super::connect::{self, Purpose, establish};
use super::opened::OpenedFiles;
use super::skew;
use super::trouble::Writes;
use super::turn::Writer;
use super::{Backend, Conn, DatabaseUrl, DbError, write};

/// How long to wait where all connections are in use.
const WAIT_FOR_CONNECTION: Duration = Duration::from_secs(5);
/// After each part of that wait it is asked whether there is a server at all.
const PART_OF_WAIT: Duration = Duration::from_millis(25);
/// A connection that failed so recently says that the server is gone. The pool itself goes on trying twice
/// a second, so that the news is never older while it is.
const NEWS: Duration = Duration::from_secs(3);
const RETRY_WITHIN: Duration = Duration::from_secs(1);
/// The intake has one committer; the second connection replaces one that is being ended.
const INTAKE_CONNECTIONS: u32 = 2;
/// How often a failing connection is told in the log.
const LOG_EVERY: Duration = Duration::from_secs(10);

/// Who goes first on SQLite's one writing connection; on PostgreSQL, whose connection is used.
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
    lean: bool,
    read: Pool,
    writing: Writing,
    damage: Mutex<Option<Instant>>,
    damaged_for_good: AtomicBool,
    writes: Writes,
    skew: Arc<Skew>,
}

enum Writing {
    Sqlite { writer: Writer, files: OpenedFiles },
    Postgres { intake: Pool, work: Pool },
}

impl Db {
    /// Opens the database with about so many `connections` at once; connects once, so that a wrong URL,
    /// password or a missing directory is told now and in the driver's own words.
    pub fn open(url: &str, connections: u32) -> Result<Self, DbError> {
        Self::open_with(url, connections, false)
    }

    /// As [`Db::open`], for a command: with little memory for SQLite's pages, and no limit on how long a
    /// statement takes.
    pub fn open_lean(url: &str, connections: u32) -> Result<Self, DbError> {
        Self::open_with(url, connections, true)
    }

    fn open_with(url: &str, connections: u32, lean: bool) -> Result<Self, DbError> {
        let url = DatabaseUrl::parse(url)?;
        let mut first = establish(&url, Purpose::Work, lean)?;
        let skew = Arc::<Skew>::default();
        if let Some(ahead) = skew::measure(&mut first)? {
            skew.measured(ahead);
        }
        // Those who write hear of one server from each other; a reader may be content with a standby.
        let (writers, readers_own) = (Arc::<News>::default(), Arc::<News>::default());
        let pool = |purpose, size, news: &Arc<News>| Pool::new(&url, purpose, lean, size, news);
        let (writing, readers) = match &url {
            DatabaseUrl::Sqlite(path) => {
                let files = OpenedFiles::of(path);
                let writer = Writer::new(first);
                (Writing::Sqlite { writer, files }, connections)
            }
            DatabaseUrl::Postgres(_) => {
                let writing = Writing::Postgres {
                    intake: pool(Purpose::Intake, INTAKE_CONNECTIONS, &writers),
                    work: pool(Purpose::Work, connections / 2 + 2, &writers),
                };
                (writing, connections / 2)
            }
        };
        let read = pool(Purpose::Read, readers, &readers_own);
        Ok(Self(Arc::new(Inner {
            url,
            lean,
            read,
            writing,
            damage: Mutex::default(),
            damaged_for_good: AtomicBool::new(false),
            writes: Writes::default(),
            skew,
        })))
    }

    /// What time it is for everything that is kept in this database: on PostgreSQL the server's time, on SQLite
    /// this machine's.
    pub fn clock(&self) -> Clock {
        match self.backend() {
            Backend::Sqlite => Clock::System,
            Backend::Postgres => Clock::Database(Arc::clone(&self.0.skew)),
        }
    }

    /// The clock to work by where the machine's was asked for: this database's. A test's clock stays.
    pub fn corrected(&self, clock: Clock) -> Clock {
        match clock {
            Clock::System => self.clock(),
            clock => clock,
        }
    }

    /// Measures anew how far this machine's clock is from the database server's, and answers by how many
    /// microseconds it is ahead; 0 on SQLite (blocking).
    pub fn measure_clock(&self) -> Result<i64, DbError> {
        if self.backend() == Backend::Postgres {
            let measured = self.write(Urgency::Normal, |conn| {
                Ok::<_, DbError>(skew::measure(conn)?)
            })?;
            self.0.skew.measured(measured.unwrap_or_default());
        }
        Ok(self.clock_ahead())
    }

    /// By how many microseconds this machine's clock is ahead of the database server's, as last measured.
    pub fn clock_ahead(&self) -> i64 {
        self.0.skew.ahead()
    }

    /// Which database this is.
    pub fn backend(&self) -> Backend {
        match self.0.url {
            DatabaseUrl::Sqlite(_) => Backend::Sqlite,
            DatabaseUrl::Postgres(_) => Backend::Postgres,
        }
    }

    /// How many readings it takes at once.
    pub fn reading_connections(&self) -> u32 {
        self.0.read.connections.max_size()
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
        self.check_files()?;
        work(&mut *self.0.read.get()?)
    }

    /// Whether SQLite's files are those that were opened.
    fn check_files(&self) -> Result<(), DbError> {
        match &self.0.writing {
            Writing::Sqlite { files, .. } => files.check(),
            Writing::Postgres { .. } => Ok(()),
        }
    }

    /// Runs one write transaction on this thread (blocking).
    pub fn write<T, E: From<DbError>>(
        &self,
        urgency: Urgency,
        work: impl FnOnce(&mut Conn) -> Result<T, E>,
    ) -> Result<T, E> {
        match &self.0.writing {
            Writing::Sqlite { writer, files } => {
                let mut turn = writer.take_turn(urgency);
                files.check()?;
                let done = write(turn.conn()?, work)?;
                // What was committed into a file that is gone is not there: nobody is told that it is.
                files.check()?;
                Ok(done)
            }
            Writing::Postgres { intake, work: pool } => {
                let pool = match urgency {
                    Urgency::Intake => intake,
                    Urgency::Normal => pool,
                };
                write(&mut *pool.get()?, work)
            }
        }
    }

    /// Notes that a page of the database could not be read.
    pub fn note_damage(&self) {
        let mut damage = self.0.damage.lock().unwrap_or_else(PoisonError::into_inner);
        *damage = Some(Instant::now());
    }

    /// Notes that the pages do not fit together: no more than a restart with another file mends that.
    pub fn note_damage_for_good(&self) {
        self.0.damaged_for_good.store(true, Ordering::Relaxed);
    }

    /// Notes what an attempt to write came to.
    pub fn note_writes(&self, error: Option<&DbError>) {
        self.0.writes.note(error);
    }

    /// Why nothing could be written the last time, with what to do.
    pub fn write_trouble(&self) -> Option<&'static str> {
        self.0.writes.trouble()
    }

    /// Whether a page of the database could not be read within the given time.
    pub fn is_damaged(&self, within: Duration) -> bool {
        if self.0.damaged_for_good.load(Ordering::Relaxed) {
            return true;
        }
        let damage = self.0.damage.lock().unwrap_or_else(PoisonError::into_inner);
        damage.is_some_and(|at| at.elapsed() < within)
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

    /// As [`Db::write`] but outside of any transaction and without limits of time: for migrations.
    pub fn maintain<T, E: From<DbError>>(
        &self,
        work: impl FnOnce(&mut Conn) -> Result<T, E>,
    ) -> Result<T, E> {
        match &self.0.writing {
            Writing::Sqlite { writer, .. } => work(writer.take_turn(Urgency::Normal).conn()?),
            Writing::Postgres { .. } => work(&mut establish(
                &self.0.url,
                Purpose::Maintenance,
                self.0.lean,
            )?),
        }
    }
}

/// The connections for one purpose.
struct Pool {
    connections: r2d2::Pool<Manager>,
    news: Arc<News>,
}

impl Pool {
    fn new(url: &DatabaseUrl, purpose: Purpose, lean: bool, size: u32, news: &Arc<News>) -> Self {
        let connections = r2d2::Pool::builder()
            .max_size(size.max(2))
            .min_idle(Some(0))
            .connection_timeout(RETRY_WITHIN)
            .error_handler(Box::new(LogError::default()))
            .build_unchecked(Manager {
                url: url.clone(),
                purpose,
                lean,
                news: Arc::clone(news),
            });
        Self {
            connections,
            news: Arc::clone(news),
        }
    }

    /// A connection; waits for one that is in use, and not for a server that is gone.
    fn get(&self) -> Result<r2d2::PooledConnection<Manager>, DbError> {
        let began = Instant::now();
        loop {
            let error = match self.connections.get_timeout(PART_OF_WAIT) {
                Ok(connection) => return Ok(connection),
                Err(error) => error,
            };
            if self.news.is_bad() || began.elapsed() >= WAIT_FOR_CONNECTION {
                return Err(DbError::Pool(error.to_string()));
            }
        }
    }
}

/// What the last attempt to connect came to.
#[derive(Default)]
struct News(Mutex<Option<Instant>>);

impl News {
    fn note(&self, failed: bool) {
        let mut news = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *news = failed.then(Instant::now);
    }

    fn is_bad(&self) -> bool {
        let news = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        news.is_some_and(|at| at.elapsed() < NEWS)
    }
}

struct Manager {
    url: DatabaseUrl,
    purpose: Purpose,
    lean: bool,
    news: Arc<News>,
}

impl r2d2::ManageConnection for Manager {
    type Connection = Conn;
    type Error = DbError;

    fn connect(&self) -> Result<Conn, DbError> {
        let made = establish(&self.url, self.purpose, self.lean);
        self.news.note(made.is_err());
        made
    }

    fn is_valid(&self, conn: &mut Conn) -> Result<(), DbError> {
        match conn {
            // A file does not go away between two queries: nothing to ask.
            Conn::Sqlite(_) => Ok(()),
            Conn::Postgres(c) => {
                // The round trip is made anyway. A server that became a standby keeps its connections.
                let takes_writes = connect::takes_writes(c)?;
                if takes_writes || !self.purpose.writes(&self.url) {
                    return Ok(());
                }
                self.news.note(true);
                Err(DbError::Pool(
                    "the server is read-only: a standby, or in the middle of a fail-over"
                        .to_owned(),
                ))
            }
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

/// Tells of a connection that failed, not of each.
#[derive(Debug, Default)]
struct LogError(Mutex<Option<Instant>>);

impl r2d2::HandleError<DbError> for LogError {
    fn handle_error(&self, error: DbError) {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_none_or(|last| last.elapsed() >= LOG_EVERY) {
            *last = Some(Instant::now());
            tracing::warn!(%error, "database connection");
        }
    }
}
