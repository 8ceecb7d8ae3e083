//! Where a test's data lies: a SQLite file in a folder of its own, or a PostgreSQL database copied
//! from a migrated template. Gone when dropped.

use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection, SqliteConnection};
use rollcall::db::{Backend, Db, migrate};
use tempfile::TempDir;

use super::binary::Service;
use super::postgres::{TestDatabase, create_database, template};

/// A database for one test.
pub enum Place {
    /// A file.
    Sqlite(TempDir),
    /// A database on the tests' server.
    Postgres(TestDatabase),
}

impl Place {
    /// A migrated database; SQLite's is migrated by whoever opens it first.
    pub fn new(backend: Backend) -> Self {
        match backend {
            Backend::Sqlite => Self::Sqlite(tempfile::tempdir().unwrap()),
            Backend::Postgres => Self::Postgres(create_database(Some(&migrated()))),
        }
    }

    /// A database without any table.
    pub fn empty(backend: Backend) -> Self {
        match backend {
            Backend::Sqlite => Self::new(backend),
            Backend::Postgres => Self::Postgres(create_database(None)),
        }
    }

    /// What `DATABASE_URL` would be.
    pub fn url(&self) -> String {
        match self {
            Self::Sqlite(folder) => {
                format!("sqlite://{}", folder.path().join("roll.db").display())
            }
            Self::Postgres(database) => database.url.clone(),
        }
    }

    /// A back-up of a database that nobody uses just now.
    pub fn back_up(&self) -> Self {
        match self {
            Self::Sqlite(folder) => {
                let copy = tempfile::tempdir().unwrap();
                std::fs::copy(folder.path().join("roll.db"), copy.path().join("roll.db")).unwrap();
                Self::Sqlite(copy)
            }
            Self::Postgres(database) => Self::Postgres(database.copy()),
        }
    }

    /// Restores a back-up: over the same file, or as another database of the server.
    pub fn restored(self, backup: Self) -> Self {
        match (&self, &backup) {
            (Self::Sqlite(folder), Self::Sqlite(copy)) => {
                let name = "roll.db";
                std::fs::copy(copy.path().join(name), folder.path().join(name)).unwrap();
                self
            }
            _ => backup,
        }
    }

    /// SQLite's files as they lie on the disk, by name; none of PostgreSQL's.
    pub fn files(&self) -> Vec<(String, Vec<u8>)> {
        let Self::Sqlite(folder) = self else {
            return Vec::new();
        };
        let files = std::fs::read_dir(folder.path()).unwrap();
        let read = files.map(|file| {
            let path = file.unwrap().path();
            (path.display().to_string(), std::fs::read(path).unwrap())
        });
        read.collect()
    }

    /// From now on no delivery gets into this state: refused with an error of a check or, on PostgreSQL, with
    /// the code that is given.
    pub fn refuse_state(&self, state: &str, code: Option<&str>) {
        let sql = match self {
            Self::Sqlite(_) => format!(
                "CREATE TRIGGER stop_here BEFORE UPDATE OF state ON deliveries WHEN NEW.state = '{state}' \
                 BEGIN SELECT RAISE(ABORT, 'the test says no'); END"
            ),
            Self::Postgres(_) => format!(
                "CREATE FUNCTION stop_here() RETURNS trigger AS $$ BEGIN \
                   RAISE EXCEPTION 'the test says no' USING ERRCODE = '{}'; END $$ LANGUAGE plpgsql; \
                 CREATE TRIGGER stop_here BEFORE UPDATE ON deliveries FOR EACH ROW \
                   WHEN ('{state}' IN ('any', NEW.state)) EXECUTE FUNCTION stop_here()",
                code.unwrap_or("P0001")
            ),
        };
        self.stranger().run(&sql);
    }

    /// Ends it.
    pub fn refuse_no_more(&self) {
        let mut stranger = self.stranger();
        match self {
            Self::Sqlite(_) => stranger.run("DROP TRIGGER IF EXISTS stop_here"),
            Self::Postgres(_) => stranger.run("DROP FUNCTION IF EXISTS stop_here CASCADE"),
        }
    }

    /// From now on nothing about a delivery can be written for want of space: on SQLite the process may not
    /// write its files any more, on PostgreSQL the server says so.
    pub fn fill_the_disk(&self, service: &Service) {
        match self {
            Self::Sqlite(_) => service.limit_files("4096"),
            Self::Postgres(_) => self.refuse_state("any", Some("53100")),
        }
    }

    /// Ends it.
    pub fn free_the_disk(&self, service: &Service) {
        match self {
            Self::Sqlite(_) => service.limit_files("unlimited"),
            Self::Postgres(_) => self.refuse_no_more(),
        }
    }

    /// A connection that the application knows nothing of.
    pub fn stranger(&self) -> Stranger {
        match self {
            Self::Sqlite(folder) => {
                let path = folder.path().join("roll.db");
                let conn = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
                let mut stranger = Stranger::Sqlite(conn);
                stranger.run("PRAGMA busy_timeout = 5000");
                stranger
            }
            Self::Postgres(database) => {
                Stranger::Postgres(PgConnection::establish(&database.url).unwrap())
            }
        }
    }
}

/// Somebody else at the same database: holds locks, edits rows by hand.
pub enum Stranger {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Stranger {
    /// Runs statements.
    pub fn run(&mut self, sql: &str) {
        let done = match self {
            Self::Sqlite(conn) => conn.batch_execute(sql),
            Self::Postgres(conn) => conn.batch_execute(sql),
        };
        done.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    /// Keeps everybody else from writing events, until [`Stranger::let_go`].
    pub fn hold_the_outbox(&mut self) {
        match self {
            Self::Sqlite(_) => self.run("BEGIN IMMEDIATE"),
            Self::Postgres(_) => self.run("BEGIN; LOCK TABLE outbox IN EXCLUSIVE MODE"),
        }
    }

    /// Ends it.
    pub fn let_go(&mut self) {
        self.run("ROLLBACK");
    }
}

/// The template's key is a hash of the migrations: another schema, another template.
fn migrated() -> String {
    use sha2::{Digest, Sha256};
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/postgres");
    let mut names: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    names.sort();
    let mut hash = Sha256::new();
    for name in names {
        hash.update(name.file_name().unwrap().as_encoded_bytes());
        hash.update(std::fs::read(name.join("up.sql")).unwrap());
    }
    let key = &hex::encode(hash.finalize())[..24];
    template(key, |url| {
        Db::open(url, 2)
            .unwrap()
            .maintain(|conn| migrate(conn).map(drop))
            .unwrap();
    })
}
