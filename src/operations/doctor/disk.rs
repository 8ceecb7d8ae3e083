//! The doctor's look at the disk that the SQLite file lies on: told while there is still room.

use std::path::Path;

use crate::db::health;

use super::Check;

/// Below these the disk is nearly full.
const LITTLE_SPACE: u64 = 1024 * 1024 * 1024;
const NO_SPACE: u64 = 100 * 1024 * 1024;

/// SQLite makes a handful.
const FEW_FILES: u64 = 100;

const DISK: &str = "disk space";

fn of_free_space(bytes: u64) -> Check {
    let advice = "make room, or move the database: when the disk is full, WorkOS is told to come again and nothing is applied";
    let finding = format!(
        "{} MiB free where the SQLite file lies",
        bytes / (1024 * 1024)
    );
    match bytes {
        ..NO_SPACE => Check::fail(DISK, finding, advice),
        NO_SPACE..LITTLE_SPACE => Check::warn(DISK, finding, advice),
        LITTLE_SPACE.. => Check::ok(DISK, finding),
    }
}

fn of_files(left: Option<u64>) -> Check {
    let left = left.unwrap_or_default();
    Check::fail(
        DISK,
        format!(
            "only {left} more files can be made where the SQLite file lies: its inodes run out"
        ),
        "delete files there, or move the database: SQLite makes files beside it when it starts",
    )
}

pub(super) fn disk(file: &Path) -> Check {
    let folder = file
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    match health::disk_space(folder) {
        Ok(room) if room.files.is_some_and(|files| files < FEW_FILES) => of_files(room.files),
        Ok(room) => of_free_space(room.free),
        Err(why) => Check::fail(
            DISK,
            format!("the folder {} cannot be looked at: {why}", folder.display()),
            "create it, writable for the user that runs Rollcall",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;

    #[test]
    fn a_disk_that_is_nearly_full_is_told_before_it_is() {
        let mib = 1024 * 1024;
        for (free, result) in [
            (0, Verdict::Fail),
            (99 * mib, Verdict::Fail),
            (100 * mib, Verdict::Warn),
            (1_023 * mib, Verdict::Warn),
            (1_024 * mib, Verdict::Ok),
        ] {
            let check = of_free_space(free);
            assert_eq!(check.result, result, "{check:?}");
            let advised = check
                .advice
                .is_some_and(|advice| advice.contains("make room"));
            assert_eq!(advised, result != Verdict::Ok);
        }
    }

    #[test]
    fn a_disk_without_room_for_files_is_told() {
        let check = of_files(Some(3));
        assert_eq!(check.result, Verdict::Fail);
        assert!(check.finding.contains("only 3 more files"), "{check:?}");
    }

    #[test]
    fn a_folder_that_is_not_there_is_told_by_its_name() {
        let check = disk(Path::new("/nowhere/at/all/roll.db"));
        assert_eq!(check.result, Verdict::Fail);
        assert!(check.finding.contains("/nowhere/at/all"), "{check:?}");
    }
}
