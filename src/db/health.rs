//! Whether a database keeps what promise 1 needs of it: what is committed is on disk. And the two
//! other things an operator wants to know before they hurt: the server's clock and the free space.

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Integer, Text};

use crate::clock::Timestamp;

use super::Conn;

/// A setting that decides about durability: its name, what it is, whether that is enough, and what
/// to do where it is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Durability {
    /// The database's own name for it.
    pub setting: &'static str,
    /// What it is now.
    pub value: String,
    /// Whether a commit survives a power cut under it.
    pub enough: bool,
    /// What to do.
    pub advice: &'static str,
}

#[derive(QueryableByName)]
struct Synchronous {
    #[diesel(sql_type = Integer)]
    synchronous: i32,
}

#[derive(QueryableByName)]
struct JournalMode {
    #[diesel(sql_type = Text)]
    journal_mode: String,
}

#[derive(QueryableByName)]
struct Server {
    #[diesel(sql_type = Text)]
    synchronous_commit: String,
    #[diesel(sql_type = Text)]
    fsync: String,
    #[diesel(sql_type = Text)]
    full_page_writes: String,
}

/// The durability settings of this connection.
pub fn durability(conn: &mut Conn) -> QueryResult<Vec<Durability>> {
    match conn {
        Conn::Sqlite(c) => {
            let sync: Synchronous = diesel::sql_query("PRAGMA synchronous").get_result(c)?;
            let mode: JournalMode = diesel::sql_query("PRAGMA journal_mode").get_result(c)?;
            Ok(of_sqlite(sync.synchronous, mode.journal_mode))
        }
        Conn::Postgres(c) => {
            let server: Server = diesel::sql_query(
                "SELECT current_setting('synchronous_commit') AS synchronous_commit, \
                 current_setting('fsync') AS fsync, current_setting('full_page_writes') AS full_page_writes",
            )
            .get_result(c)?;
            Ok(of_postgres(server))
        }
    }
}

fn of_sqlite(synchronous: i32, journal_mode: String) -> Vec<Durability> {
    vec![
        Durability {
            setting: "synchronous",
            enough: synchronous >= 2,
            value: synchronous.to_string(),
            advice: "Rollcall sets synchronous=FULL on each connection; a value below 2 means that something took it back",
        },
        Durability {
            setting: "journal_mode",
            enough: journal_mode.eq_ignore_ascii_case("wal"),
            value: journal_mode,
            advice: "SQLite could not switch to WAL: keep the file on a local disk, not on a network share",
        },
    ]
}

fn of_postgres(server: Server) -> Vec<Durability> {
    let setting = |setting, value: String, advice| Durability {
        setting,
        enough: value != "off",
        value,
        advice,
    };
    vec![
        setting(
            "synchronous_commit",
            server.synchronous_commit,
            "a pooler in front of the server must not reset it: Rollcall sets it to on for each connection",
        ),
        setting(
            "fsync",
            server.fsync,
            "set fsync=on in postgresql.conf: without it a crash of the machine may lose the database",
        ),
        setting(
            "full_page_writes",
            server.full_page_writes,
            "set full_page_writes=on in postgresql.conf unless the file system never tears pages",
        ),
    ]
}

#[derive(QueryableByName)]
struct Now {
    #[diesel(sql_type = BigInt)]
    micros: i64,
}

/// The database server's clock; `None` where the database is a file on this machine.
pub fn server_now(conn: &mut Conn) -> QueryResult<Option<Timestamp>> {
    match conn {
        Conn::Sqlite(_) => Ok(None),
        Conn::Postgres(c) => {
            let now: Now = diesel::sql_query(
                "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS micros",
            )
            .get_result(c)?;
            Ok(Some(Timestamp(now.micros)))
        }
    }
}

/// Room on the disk that holds a directory, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiskSpace {
    /// Free for us.
    pub free: u64,
    /// In all.
    pub total: u64,
    /// Files that can still be made; `None` where the file system makes them as it needs them.
    pub files: Option<u64>,
}

/// The room on the disk below a path that exists.
pub fn disk_space(path: &Path) -> std::io::Result<DiskSpace> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let mut stat = std::mem::MaybeUninit::<libc::statvfs>::uninit();
    // SAFETY: the path ends with NUL, and statvfs fills the whole struct when it answers 0.
    let stat = unsafe {
        if libc::statvfs(path.as_ptr(), stat.as_mut_ptr()) != 0 {
            return Err(std::io::Error::last_os_error());
        }
        stat.assume_init()
    };
    #[allow(
        clippy::unnecessary_cast,
        clippy::useless_conversion,
        reason = "their widths differ by platform"
    )]
    let (block, free, total, files, all_files) = (
        stat.f_frsize as u64,
        stat.f_bavail as u64,
        stat.f_blocks as u64,
        stat.f_favail as u64,
        stat.f_files as u64,
    );
    Ok(DiskSpace {
        free: block.saturating_mul(free),
        total: block.saturating_mul(total),
        files: (all_files > 0).then_some(files),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_that_would_lose_commits_is_found() {
        assert!(of_sqlite(2, "wal".to_owned()).iter().all(|one| one.enough));
        assert!(
            !of_sqlite(1, "delete".to_owned())
                .iter()
                .any(|one| one.enough)
        );
        let server = of_postgres(Server {
            synchronous_commit: "off".to_owned(),
            fsync: "on".to_owned(),
            full_page_writes: "on".to_owned(),
        });
        let bad: Vec<&str> = server
            .iter()
            .filter(|one| !one.enough)
            .map(|one| one.setting)
            .collect();
        assert_eq!(bad, ["synchronous_commit"]);
    }

    #[test]
    fn the_disk_below_a_directory_has_a_size() {
        let room = disk_space(Path::new("/")).unwrap();
        assert!(room.total > 0 && room.free <= room.total);
        assert!(disk_space(Path::new("/no/such/place")).is_err());
    }
}
