//! Whose fault a failed statement is, told by the database's own codes: SQLSTATE on PostgreSQL, result
//! codes on SQLite, and never by the words of a message, which a server may say in any language. What
//! is not the event's own fault counts as no attempt of it (R92).

use std::ffi::CStr;
use std::sync::OnceLock;

use diesel::result::{DatabaseErrorInformation, DatabaseErrorKind, Error};
use libsqlite3_sys as sqlite;
use pq_sys::{PGresult, PQresultErrorField};

use super::DbError;

/// Whose fault it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// There is no database, or it takes nothing now: stopped, failing over, read-only, out of
    /// connections or space. Everybody waits.
    Away,
    /// Its file was deleted, moved or replaced while it was open. Everybody waits.
    Replaced,
    /// It is not set up for us: a grant that was taken back, a table that is missing. Everybody waits.
    Unready,
    /// Taken out of a deadlock, or of transactions that cannot be put in an order: at once again.
    Deadlock,
    /// Somebody else was in the way: a lock, a time limit. It goes another time.
    Contention,
    /// A page of the database cannot be read. What does not touch it goes on.
    Damaged,
    /// What was asked for itself.
    Own,
}

impl Fault {
    /// Whether trying the same again may help, so that it counts as no attempt.
    pub fn is_innocent(self) -> bool {
        self != Self::Own
    }
}

impl DbError {
    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Connect { .. }
            | Self::NotOpened { .. }
            | Self::Pool(_)
            | Self::Url(_)
            | Self::Migration(_) => Fault::Away,
            Self::Replaced { .. } => Fault::Replaced,
            Self::Query(error) => of(error),
        }
    }

    /// Whether the statement was ended for the time it took.
    pub fn was_interrupted(&self) -> bool {
        let Self::Query(Error::DatabaseError(_, information)) = self else {
            return false;
        };
        match code(information.as_ref()) {
            Some(Code::Postgres(state)) => &state == b"57014",
            Some(Code::Sqlite(result)) => result & 0xff == sqlite::SQLITE_INTERRUPT,
            None => false,
        }
    }

    /// SQLSTATE, or SQLite's result code; `None` where the database named none.
    pub fn code(&self) -> Option<String> {
        match self {
            Self::Query(Error::DatabaseError(_, information)) => {
                match code(information.as_ref())? {
                    Code::Postgres(state) => Some(String::from_utf8_lossy(&state).into_owned()),
                    Code::Sqlite(result) => Some(result.to_string()),
                }
            }
            _ => None,
        }
    }
}

/// Whose fault the failure of a statement is.
pub fn of(error: &Error) -> Fault {
    match error {
        Error::DatabaseError(kind, information) => of_kind(*kind, code(information.as_ref())),
        Error::RollbackErrorOnCommit { commit_error, .. } => of(commit_error),
        Error::BrokenTransactionManager | Error::NotInTransaction => Fault::Away,
        _ => Fault::Own,
    }
}

fn of_kind(kind: DatabaseErrorKind, code: Option<Code>) -> Fault {
    match (kind, code) {
        (DatabaseErrorKind::ClosedConnection, _) => Fault::Away,
        (_, Some(Code::Postgres(state))) => of_state(&state),
        (_, Some(Code::Sqlite(result))) => of_result(result),
        // The driver's own: it could not send. Either the connection is gone, which the next one tells, or
        // the statement is too large, which halving the batch tells.
        (DatabaseErrorKind::UnableToSendCommand, None) => Fault::Contention,
        (_, None) => Fault::Own,
    }
}

/// By SQLSTATE (PostgreSQL, appendix A).
fn of_state(state: &[u8; 5]) -> Fault {
    match state {
        // canceled by `statement_timeout` or by somebody
        b"57014" => Fault::Contention,
        // read-only: a standby, a fail-over, a disk that is nearly full
        b"25006" => Fault::Away,
        // the server ended a transaction that stood still or took too long
        b"25P03" | b"25P04" => Fault::Away,
        b"XX001" | b"XX002" => Fault::Damaged,
        [b'4', b'0', ..] => Fault::Deadlock,
        // not in the prerequisite state: a lock could not be had
        [b'5', b'5', ..] => Fault::Contention,
        // connection; resources, among them the disk; intervention by an operator; the system
        [b'0', b'8', ..] | [b'5', b'3', ..] | [b'5', b'7', ..] | [b'5', b'8', ..] => Fault::Away,
        // configuration, who may what, names: they concern every event alike
        [b'F', b'0', ..]
        | [b'2', b'8', ..]
        | [b'3', b'D', ..]
        | [b'3', b'F', ..]
        | [b'4', b'2', ..] => Fault::Unready,
        _ => Fault::Own,
    }
}

/// By SQLite's primary result code.
fn of_result(result: i32) -> Fault {
    match result & 0xff {
        sqlite::SQLITE_BUSY
        | sqlite::SQLITE_LOCKED
        | sqlite::SQLITE_FULL
        | sqlite::SQLITE_CANTOPEN
        | sqlite::SQLITE_READONLY
        | sqlite::SQLITE_NOMEM
        | sqlite::SQLITE_PROTOCOL
        | sqlite::SQLITE_NOLFS
        | sqlite::SQLITE_PERM
        | sqlite::SQLITE_AUTH => Fault::Away,
        sqlite::SQLITE_INTERRUPT | sqlite::SQLITE_ABORT | sqlite::SQLITE_SCHEMA => {
            Fault::Contention
        }
        // An unreadable sector of the disk is an I/O error, and concerns who reads it.
        sqlite::SQLITE_IOERR | sqlite::SQLITE_CORRUPT | sqlite::SQLITE_NOTADB => Fault::Damaged,
        _ => Fault::Own,
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Code {
    Postgres([u8; 5]),
    Sqlite(i32),
}

fn code(information: &(dyn DatabaseErrorInformation + Send + Sync)) -> Option<Code> {
    match sqlstate(information) {
        Some(state) => Some(Code::Postgres(state)),
        None => result_code(information.message()).map(Code::Sqlite),
    }
}

/// The SQLSTATE of an error that PostgreSQL answered.
///
/// Diesel has read it, but hands on only the few that its kinds name (not a deadlock, a lock time-out, a
/// full disk). What was rejected: messages, which are translated; `SET lc_messages`, which is another's
/// setting; a second question, which cannot tell what happened to the first; `PQsetErrorVerbosity` and
/// hooks on libpq's connection, which Diesel does not give away; a patched `pq-sys` or linker's `--wrap`,
/// which would have to be kept for every platform. So the result is asked, that Diesel keeps in its error.
fn sqlstate(information: &(dyn DatabaseErrorInformation + Send + Sync)) -> Option<[u8; 5]> {
    if size_of_val(information) != size_of::<*const PGresult>()
        || align_of_val(information) != align_of::<*const PGresult>()
    {
        return None; // a text: the driver's own, or SQLite's
    }
    // SAFETY: the only information of a pointer's size that Diesel makes is `PgErrorInformation`, a struct of
    // one field that is a non-null pointer to the `PGresult` it owns; it therefore lies at the beginning.
    // Diesel is pinned to the one version that this was read in, and tests ask for codes of each class.
    let field = unsafe {
        let result = *std::ptr::from_ref(information).cast::<*const PGresult>();
        let field = PQresultErrorField(result, SQLSTATE_FIELD);
        if field.is_null() {
            return None;
        }
        CStr::from_ptr(field)
    };
    field.to_bytes().try_into().ok()
}

/// `PG_DIAG_SQLSTATE`.
const SQLSTATE_FIELD: std::ffi::c_int = b'C' as std::ffi::c_int;

/// The result code whose own text a message is. Diesel hands on `sqlite3_errmsg` and not the code; of a
/// fault of the file or its locks that is `sqlite3_errstr` of the code: a constant of the SQLite compiled
/// into this binary, which it is asked for here, so that no words stand in the source. Errors about a
/// statement have a text of their own and match none. (`sqlite3_auto_extension` with Diesel's
/// instrumentation would give the number, but not of a failing `SELECT`, of which it is not told.)
pub(super) fn result_code(message: &str) -> Option<i32> {
    static TEXTS: OnceLock<Vec<(i32, &'static CStr)>> = OnceLock::new();
    let texts = TEXTS.get_or_init(|| {
        let codes = sqlite::SQLITE_INTERNAL..=sqlite::SQLITE_NOTADB;
        codes
            .map(|code| {
                // SAFETY: any number may be asked for, and the answer is a constant.
                (code, unsafe {
                    CStr::from_ptr(sqlite::sqlite3_errstr(code))
                })
            })
            .collect()
    });
    let found = texts
        .iter()
        .find(|(_, text)| text.to_bytes() == message.as_bytes());
    found.map(|(code, _)| *code)
}

#[cfg(test)]
#[path = "fault_tests.rs"]
mod tests;
