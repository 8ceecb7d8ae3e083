//! The two databases behind one type: [`Conn`] is the only connection, free functions take
//! `conn: &mut Conn` first, so that they compose in one transaction.
//! `synchronous=FULL` on SQLite and `synchronous_commit=on` on PostgreSQL: what is committed is on
//! disk (promise 1). On SQLite one connection writes, intake before everything else.

mod conn;
mod connect;
pub mod deadline;
pub mod fault;
pub mod health;
mod integrity;
pub mod locks;
pub mod mark;
mod migrations;
mod opened;
mod pages;
mod pool;
pub mod pulse;
pub mod schema;
mod skew;
mod trouble;
mod turn;
mod types;
mod url;

pub use conn::Conn;
pub use fault::Fault;
pub use integrity::unreadable_tables;
pub use migrations::{
    MigrationState, edited_sentence, migrate, migration_state, revert_all, unreadable_sentence,
};
pub use pages::{Look, Pages};
pub use pool::{Db, Urgency};
pub use types::new_id;
pub use url::DatabaseUrl;

use diesel::connection::{AnsiTransactionManager, TransactionManager};

/// Which of the two databases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// Embedded SQLite.
    Sqlite,
    /// PostgreSQL.
    Postgres,
}

/// Types the same Diesel expression once per backend: `on_backend!(conn, c => query.execute(c))`.
/// Hand-written arms were rejected: two texts of one statement drift.
macro_rules! on_backend {
    ($conn:expr, $c:ident => $body:expr) => {
        match $conn {
            $crate::db::Conn::Sqlite($c) => $body,
            $crate::db::Conn::Postgres($c) => $body,
        }
    };
}

pub(crate) use on_backend;

/// A `LIKE` pattern for text found anywhere, its own wildcards made harmless.
pub(crate) fn contains(text: &str) -> String {
    format!("{}%", ends_with(text))
}

/// The same for text found at the end.
pub(crate) fn ends_with(text: &str) -> String {
    let escaped = text
        .replace('\\', "\\\\")
        .replace('%', "\\%")
        .replace('_', "\\_");
    format!("%{escaped}")
}

/// Rows in one statement: SQLite takes 32,766 bound values, PostgreSQL 65,535.
pub const ROWS_PER_STATEMENT: usize = 1_000;

/// Asks about any number of values, as many in one statement as it takes.
pub(crate) fn in_parts<V, R>(
    values: &[V],
    mut ask: impl FnMut(&[V]) -> diesel::QueryResult<Vec<R>>,
) -> diesel::QueryResult<Vec<R>> {
    let mut all = Vec::new();
    for part in values.chunks(ROWS_PER_STATEMENT) {
        all.extend(ask(part)?);
    }
    Ok(all)
}

/// What went wrong between us and the database.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// `DATABASE_URL` is not one of ours.
    #[error("{0}")]
    Url(String),
    /// No connection could be had.
    #[error(
        "cannot reach the database ({what}): {source}; check DATABASE_URL and that the server is up"
    )]
    Connect {
        /// Scheme and place, without a password.
        what: String,
        /// What the driver said.
        source: diesel::ConnectionError,
    },
    /// All connections are in use, or the database is away.
    #[error("no database connection became free in time: {0}")]
    Pool(String),
    /// SQLite's file was not opened.
    #[error("cannot open the database file {file} ({words}): {advice}")]
    NotOpened {
        /// Its path.
        file: String,
        /// SQLite's own words.
        words: String,
        /// What to do.
        advice: &'static str,
    },
    /// The path leads to another file than was opened, or to none.
    #[error(
        "the database file {file} is not the one that was opened: {what}. Nothing is stored any more, since it would be \
         lost: put the file back, or restart Rollcall to go on with what lies there"
    )]
    Replaced {
        /// Its path.
        file: String,
        /// What is there instead.
        what: &'static str,
    },
    /// A statement failed.
    #[error("the database refused a statement: {0}{advice}", advice = trouble::advice_about(.0))]
    Query(#[from] diesel::result::Error),
    /// A migration failed, or the schema is from a newer version.
    #[error("{0}")]
    Migration(String),
}

impl DbError {
    /// Whether there is no database to talk to, as against one that said no.
    pub fn is_unreachable(&self) -> bool {
        use diesel::result::{DatabaseErrorKind, Error};
        match self {
            Self::Connect { .. }
            | Self::NotOpened { .. }
            | Self::Pool(_)
            | Self::Replaced { .. } => true,
            Self::Query(Error::DatabaseError(kind, _)) => {
                matches!(kind, DatabaseErrorKind::ClosedConnection)
            }
            Self::Query(_) | Self::Url(_) | Self::Migration(_) => false,
        }
    }
}

/// Runs `work` in one write transaction: `BEGIN IMMEDIATE` on SQLite (a transaction that reads first
/// and writes later fails with "database is locked" when another got in between), `BEGIN` on
/// PostgreSQL. An error or a panic rolls back.
pub fn write<T, E>(conn: &mut Conn, work: impl FnOnce(&mut Conn) -> Result<T, E>) -> Result<T, E>
where
    E: From<DbError>,
{
    let lift = |error: diesel::result::Error| E::from(DbError::Query(error));
    match conn {
        Conn::Sqlite(c) => {
            AnsiTransactionManager::begin_transaction_sql(c, "BEGIN IMMEDIATE").map_err(lift)?
        }
        Conn::Postgres(c) => {
            AnsiTransactionManager::begin_transaction_sql(c, "BEGIN").map_err(lift)?
        }
    }
    let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| work(conn)));
    match done {
        Ok(Ok(value)) => {
            match on_backend!(conn, c => AnsiTransactionManager::commit_transaction(c)) {
                Ok(()) => Ok(value),
                Err(error) => {
                    // A failed COMMIT leaves SQLite inside the transaction: end it, or the next one cannot begin.
                    roll_back(conn);
                    Err(lift(error))
                }
            }
        }
        Ok(Err(error)) => {
            roll_back(conn);
            Err(error)
        }
        Err(panic) => {
            roll_back(conn);
            std::panic::resume_unwind(panic)
        }
    }
}

/// A rollback may fail where the connection is already gone; the pool then drops the connection.
fn roll_back(conn: &mut Conn) {
    if let Err(error) = on_backend!(conn, c => AnsiTransactionManager::rollback_transaction(c)) {
        tracing::warn!(%error, "could not roll back a transaction; the connection will be replaced");
    }
}
