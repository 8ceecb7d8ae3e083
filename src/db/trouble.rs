//! Why SQLite's file takes nothing, or is not opened, told by SQLite's result codes with what to do about it; and
//! what the last signs of life met, so that readiness knows of a disk that takes no writes.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use libsqlite3_sys as sqlite;

use super::fault::result_code;
use super::{DbError, Fault};

/// What to do about a result code; `None` where it says nothing about the file.
fn advice(code: i32) -> Option<&'static str> {
    Some(match code & 0xff {
        sqlite::SQLITE_BUSY | sqlite::SQLITE_LOCKED => {
            "another process has kept the file locked for seconds: `fuser` on it names that process"
        }
        sqlite::SQLITE_READONLY | sqlite::SQLITE_PERM | sqlite::SQLITE_AUTH => {
            "the file, its folder or the disk is read-only for this user: make both writable"
        }
        sqlite::SQLITE_FULL => "the disk is full: make room",
        sqlite::SQLITE_CANTOPEN => {
            "a file could not be opened or made: the folder must exist and be writable for this user, the disk must have inodes \
             left (`df -i`), and the process files that it may open (`ulimit -n`)"
        }
        sqlite::SQLITE_CORRUPT | sqlite::SQLITE_NOTADB => {
            "it is damaged, or no SQLite database: restore a back-up"
        }
        sqlite::SQLITE_IOERR => "the disk could not be read or written: look into the system's log",
        _ => return None,
    })
}

/// Says of a SQLite file that was not opened what to do.
pub(super) fn not_opened(path: &Path, error: DbError) -> DbError {
    let words = match &error {
        DbError::Connect {
            source: diesel::ConnectionError::BadConnection(words),
            ..
        } => words.clone(),
        DbError::Query(diesel::result::Error::DatabaseError(_, information)) => {
            information.message().to_owned()
        }
        _ => return error,
    };
    match result_code(&words).and_then(advice) {
        Some(advice) => DbError::NotOpened {
            file: path.display().to_string(),
            words,
            advice,
        },
        None => error,
    }
}

/// What to do about a refused statement, to be said after its words; nothing where it is not about the file.
pub(super) fn advice_about(error: &diesel::result::Error) -> String {
    let diesel::result::Error::DatabaseError(_, information) = error else {
        return String::new();
    };
    let found = result_code(information.message()).and_then(advice);
    found.map_or_else(String::new, |advice| format!(" ({advice})"))
}

/// What the last attempt to write met.
#[derive(Default)]
pub(super) struct Writes(Mutex<Option<&'static str>>);

impl Writes {
    pub(super) fn note(&self, error: Option<&DbError>) {
        let trouble = error
            .filter(|error| error.fault() == Fault::Away)
            .map(|error| {
                // SQLSTATE has five letters or digits, a result code fewer.
                let code = error.code().filter(|code| code.len() < 5);
                let code = code.and_then(|code| code.parse().ok());
                code.and_then(advice).unwrap_or("it takes no writes")
            });
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }

    pub(super) fn trouble(&self) -> Option<&'static str> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use diesel::ConnectionError;
    use diesel::result::{DatabaseErrorKind, Error};

    use super::*;

    fn refused(words: &str) -> DbError {
        let information = Box::new(words.to_owned());
        DbError::Query(Error::DatabaseError(
            DatabaseErrorKind::Unknown,
            information,
        ))
    }

    #[test]
    fn a_file_that_is_not_opened_says_what_to_do() {
        let path = Path::new("/data/roll.db");
        for (words, to_do) in [
            ("database is locked", "another process"),
            ("attempt to write a readonly database", "read-only"),
            ("database or disk is full", "make room"),
            ("file is not a database", "restore a back-up"),
            ("unable to open database file", "df -i"),
        ] {
            let words = not_opened(path, refused(words)).to_string();
            assert!(
                words.contains(to_do) && words.contains("/data/roll.db"),
                "{words}"
            );
        }
        let source = ConnectionError::BadConnection("unable to open database file".to_owned());
        let words = not_opened(
            path,
            DbError::Connect {
                what: "x".to_owned(),
                source,
            },
        );
        assert!(words.to_string().contains("ulimit -n"), "{words}");
        assert_eq!(words.fault(), Fault::Away);
    }

    #[test]
    fn a_refused_statement_says_what_to_do_where_it_is_about_the_file() {
        let words = refused("attempt to write a readonly database").to_string();
        assert!(words.contains("make both writable"), "{words}");
        let words = refused("no such table: x").to_string();
        assert!(words.ends_with("no such table: x"), "{words}");
    }

    #[test]
    fn only_the_last_attempt_to_write_counts() {
        let writes = Writes::default();
        writes.note(Some(&refused("database or disk is full")));
        assert!(writes.trouble().is_some_and(|words| words.contains("full")));
        writes.note(Some(&refused("no such table: x")));
        assert_eq!(writes.trouble(), None, "that is not the disk");
        writes.note(Some(&refused("attempt to write a readonly database")));
        writes.note(None);
        assert_eq!(writes.trouble(), None);
    }
}
