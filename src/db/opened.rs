//! The SQLite files as they were opened. A file that is deleted, moved or replaced under an open connection
//! takes commits as before, into nothing: so each transaction asks whether the path still leads to what was
//! opened, before it begins and once more between its commit and whoever is told of it. Two `stat` for each
//! file, some microseconds; a watcher (inotify) was rejected, which tells late and can miss.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::DbError;

/// What SQLite keeps: the database, its log, and what connections share about the log.
const ENDINGS: [&str; 3] = ["", "-wal", "-shm"];

/// The files of one database.
pub(super) struct OpenedFiles(Vec<OpenedFile>);

struct OpenedFile {
    path: PathBuf,
    /// Device and number. The log is made by the first who reads or writes.
    identity: OnceLock<(u64, u64)>,
}

impl OpenedFiles {
    /// The files of a database that has just been opened.
    pub(super) fn of(database: &Path) -> Self {
        let files = ENDINGS.map(|ending| {
            let mut path = database.as_os_str().to_owned();
            path.push(ending);
            let file = OpenedFile {
                path: PathBuf::from(path),
                identity: OnceLock::new(),
            };
            if let Some(identity) = identity(&file.path) {
                // Nobody else has the lock yet.
                let _ = file.identity.set(identity);
            }
            file
        });
        Self(files.into())
    }

    /// Whether each path still leads to the file that was opened.
    pub(super) fn check(&self) -> Result<(), DbError> {
        for file in &self.0 {
            let there = identity(&file.path);
            match (file.identity.get(), there) {
                (Some(opened), there) if there != Some(*opened) => {
                    return Err(DbError::Replaced {
                        file: file.path.display().to_string(),
                        what: match there {
                            Some(_) => "another file lies there now",
                            None => "it was deleted or moved",
                        },
                    });
                }
                (Some(_), _) | (None, None) => {}
                (None, Some(made)) => {
                    // Of two who see it first, both see the same.
                    let _ = file.identity.set(made);
                }
            }
        }
        Ok(())
    }
}

/// Device and number of what a path leads to.
pub fn identity(path: &Path) -> Option<(u64, u64)> {
    let about = std::fs::metadata(path).ok()?;
    Some((about.dev(), about.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(names: &[&str]) -> (tempfile::TempDir, PathBuf, OpenedFiles) {
        let folder = tempfile::tempdir().unwrap();
        for name in names {
            std::fs::write(folder.path().join(name), "x").unwrap();
        }
        let path = folder.path().join("roll.db");
        let files = OpenedFiles::of(&path);
        (folder, path, files)
    }

    #[test]
    fn a_file_that_is_moved_away_and_back_is_the_same_file() {
        let (folder, path, files) = opened(&["roll.db", "roll.db-wal", "roll.db-shm"]);
        assert!(files.check().is_ok());
        let away = folder.path().join("away.db");
        std::fs::rename(&path, &away).unwrap();
        let words = files.check().unwrap_err().to_string();
        assert!(words.contains("deleted or moved"), "{words}");
        std::fs::copy(&away, &path).unwrap();
        let words = files.check().unwrap_err().to_string();
        assert!(words.contains("another file"), "{words}");
        std::fs::rename(&away, &path).unwrap();
        assert!(files.check().is_ok());
    }

    #[test]
    fn a_log_that_is_made_later_counts_from_then_on() {
        let (folder, _, files) = opened(&["roll.db"]);
        assert!(files.check().is_ok());
        let log = folder.path().join("roll.db-wal");
        std::fs::write(&log, "x").unwrap();
        assert!(files.check().is_ok());
        std::fs::remove_file(&log).unwrap();
        assert!(matches!(files.check(), Err(DbError::Replaced { .. })));
    }
}
