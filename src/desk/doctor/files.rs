//! Who may read the database's files beside their owner: nobody should, they hold people and secrets.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::Check;

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

fn is_open(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|about| about.permissions().mode() & 0o077 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desk::doctor::Verdict;

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
