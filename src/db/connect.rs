//! Opening a connection for a purpose: what SQLite needs to keep promise 1, and what PostgreSQL needs so
//! that nobody waits for ever: for a server that is frozen, a lock that somebody holds, a statement that
//! does not end. What the URL, the role or the database says itself is left as it is.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::Text;

use super::{Conn, DatabaseUrl, DbError, trouble};

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

/// libpq's parameters where the URL does not have them: a host that does not answer, or answers no more, is
/// found out within ten to twenty seconds instead of two hours.
const NETWORK: [(&str, &str); 6] = [
    ("connect_timeout", "3"),
    ("keepalives", "1"),
    ("keepalives_idle", "10"),
    ("keepalives_interval", "3"),
    ("keepalives_count", "3"),
    ("tcp_user_timeout", "10000"),
];

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Storing deliveries: WorkOS waits.
    Intake,
    /// Pages, the API, access, health.
    Read,
    /// Everything else that writes: batches of events, jobs, operators' acts.
    Work,
    /// Migrations, which take as long as they take.
    Maintenance,
}

impl Purpose {
    /// In milliseconds: a statement, waiting for a lock, standing still inside of a transaction. The server
    /// ends who stands still, and with it goes the lock on its part (R73).
    const fn limits(self) -> Option<[(&'static str, u32); 3]> {
        let (statement, lock, idle) = match self {
            Self::Intake => (7_000, 5_000, 10_000),
            // Whoever asks is answered within a second, also where somebody holds a lock on the table.
            Self::Read => (10_000, 700, 10_000),
            Self::Work => (60_000, 10_000, 20_000),
            Self::Maintenance => return None,
        };
        Some([
            ("statement_timeout", statement),
            ("lock_timeout", lock),
            ("idle_in_transaction_session_timeout", idle),
        ])
    }

    /// Whether a server that takes no writes is of no use. Readers keep it where it is the only one.
    pub(super) fn writes(self, url: &DatabaseUrl) -> bool {
        self != Self::Read || matches!(url, DatabaseUrl::Postgres(url) if has_several_hosts(url))
    }
}

/// Opens one connection; errors carry the driver's own words. `lean` is for commands.
pub(super) fn establish(url: &DatabaseUrl, purpose: Purpose, lean: bool) -> Result<Conn, DbError> {
    let failed = |source| DbError::Connect {
        what: url.place(),
        source,
    };
    match url {
        DatabaseUrl::Sqlite(path) => {
            super::deadline::watch_connections();
            private(path);
            let opened = SqliteConnection::establish(&path.to_string_lossy())
                .map_err(failed)
                .and_then(|c| set_up(c, purpose, lean));
            let c = opened.map_err(|error| trouble::not_opened(path, error))?;
            Ok(Conn::Sqlite(c))
        }
        DatabaseUrl::Postgres(text) => {
            let needs_writes = purpose.writes(url);
            let mut c =
                PgConnection::establish(&with_defaults(text, needs_writes)).map_err(failed)?;
            c.batch_execute(&session(purpose, lean))?;
            Ok(Conn::Postgres(c))
        }
    }
}

/// What SQLite needs of each connection.
fn set_up(
    mut c: SqliteConnection,
    purpose: Purpose,
    lean: bool,
) -> Result<SqliteConnection, DbError> {
    let cache = if lean { LEAN_CACHE } else { CACHE };
    c.batch_execute(SQLITE_PRAGMAS)?;
    c.batch_execute(&format!("PRAGMA cache_size = -{cache}"))?;
    if purpose == Purpose::Read {
        c.batch_execute("PRAGMA query_only = ON")?;
    }
    Ok(c)
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

/// The statements that set up a session. A role or database may have `synchronous_commit` off; promise 1
/// does not depend on that. A limit that somebody chose is theirs.
fn session(purpose: Purpose, lean: bool) -> String {
    let mut sql = "SET synchronous_commit = on; SET client_min_messages = warning;".to_owned();
    for (name, milliseconds) in purpose.limits().into_iter().flatten() {
        // A command may read all of a large installation.
        if lean && name == "statement_timeout" {
            continue;
        }
        sql.push_str(&format!(
            " SELECT set_config(name, '{milliseconds}', false) FROM pg_settings \
             WHERE name = '{name}' AND source IN ('default', 'configuration file');"
        ));
    }
    sql
}

/// The URL with what it does not say itself.
fn with_defaults(url: &str, needs_writes: bool) -> String {
    let said = url.split_once('?').map_or("", |(_, said)| said);
    let says = |name: &str| {
        said.split('&')
            .any(|pair| pair.split('=').next() == Some(name))
    };
    let writable = needs_writes.then_some(("target_session_attrs", "read-write"));
    let mut full = url.to_owned();
    for (name, value) in NETWORK.into_iter().chain(writable) {
        if says(name) {
            continue;
        }
        let joint = match (full.contains('?'), full.ends_with(['?', '&'])) {
            (false, _) => "?",
            (true, true) => "",
            (true, false) => "&",
        };
        full.push_str(&format!("{joint}{name}={value}"));
    }
    full
}

/// Whether the URL names more than one server, of which one may be promoted.
fn has_several_hosts(url: &str) -> bool {
    let (place, said) = url.split_once('?').unwrap_or((url, ""));
    let hosts = place.split("://").nth(1).unwrap_or("");
    let hosts = hosts.rsplit('@').next().unwrap_or("").split('/').next();
    let listed = said
        .split('&')
        .filter(|pair| pair.starts_with("host=") || pair.starts_with("hostaddr="))
        .any(|pair| pair.contains(',') || pair.to_ascii_lowercase().contains("%2c"));
    listed || hosts.is_some_and(|hosts| hosts.contains(','))
}

#[derive(QueryableByName)]
struct Setting {
    #[diesel(sql_type = Text)]
    value: String,
}

/// Whether the server takes writes over this connection.
pub(super) fn takes_writes(c: &mut PgConnection) -> QueryResult<bool> {
    let read_only: Setting =
        diesel::sql_query("SELECT current_setting('transaction_read_only') AS value")
            .get_result(c)?;
    Ok(read_only.value == "off")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_url_says_itself_stays() {
        let full = with_defaults("postgres://u:p@h/d?connect_timeout=9&keepalives=0", true);
        assert!(full.contains("connect_timeout=9") && !full.contains("connect_timeout=3"));
        assert!(full.contains("keepalives=0") && full.contains("&keepalives_idle=10"));
        assert!(full.ends_with("&target_session_attrs=read-write"), "{full}");
        let bare = with_defaults("postgres://h/d", false);
        assert!(
            bare.starts_with("postgres://h/d?connect_timeout=3&"),
            "{bare}"
        );
        assert!(!bare.contains("target_session_attrs"));
    }

    #[test]
    fn several_hosts_are_seen_in_either_spelling() {
        assert!(has_several_hosts("postgres://u:a,b@one,two:5433/d"));
        assert!(has_several_hosts("postgres:///d?host=one%2Ctwo"));
        assert!(!has_several_hosts(
            "postgres://u:a,b@one/d?application_name=a,b"
        ));
    }
}
