//! The database's files: who may read them beside their owner (nobody should, they hold people and secrets),
//! and whether what lies there is what a running server has open.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::Check;
use crate::db::mark;

const NAME: &str = "file access";

/// The database, and what SQLite keeps beside it.
pub(super) fn of_database(file: &Path) -> Check {
    let beside = ["", "-wal", "-shm"].map(|end| {
        let mut name = file.as_os_str().to_owned();
        name.push(end);
        PathBuf::from(name)
    });
    let open: Vec<String> = beside
        .iter()
        .filter(|path| is_open(path))
        .map(|path| path.display().to_string())
        .collect();
    if open.is_empty() {
        return Check::ok(NAME, "only their owner reads the database's files");
    }
    let all = open.join(" ");
    Check::warn(
        NAME,
        format!("others than their owner may read {all}"),
        format!("they hold people and secrets: `chmod 600 {all}`"),
    )
}

/// Whether the file is the one that whoever works on it has open: they keep a mark beside it that names it.
pub(super) fn of_server(file: &Path) -> Check {
    let name = "database file";
    let is_another = mark::read(file).is_some_and(|kept| !mark::is_of_this_file(file, &kept));
    // The lock is only tried where something looks wrong: a server that starts just now would meet it.
    if !is_another || !is_served(file) {
        return Check::ok(name, "no server has another one open than lies there");
    }
    Check::fail(
        name,
        format!(
            "{} is not the file that the running server has open: it was deleted, moved or replaced",
            file.display()
        ),
        "nothing is stored meanwhile: put the file back, or restart `rollcall serve` to go on with what lies there",
    )
}

/// Whether a `serve` holds its lock beside the database.
fn is_served(file: &Path) -> bool {
    let mut lock = file.as_os_str().to_owned();
    lock.push(".serving");
    let lock = std::fs::File::open(PathBuf::from(lock));
    lock.is_ok_and(|lock| matches!(lock.try_lock(), Err(std::fs::TryLockError::WouldBlock)))
}

fn is_open(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|about| about.permissions().mode() & 0o077 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operations::doctor::Verdict;

    #[test]
    fn a_file_that_others_may_read_is_told_with_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("rollcall.db");
        std::fs::write(&file, "").unwrap();
        let set = |mode| std::fs::set_permissions(&file, PermissionsExt::from_mode(mode)).unwrap();
        set(0o600);
        assert_eq!(of_database(&file).result, Verdict::Ok);
        set(0o640);
        let check = of_database(&file);
        assert_eq!(check.result, Verdict::Warn);
        assert!(
            check
                .advice
                .is_some_and(|advice| advice.contains("chmod 600"))
        );
    }
}
