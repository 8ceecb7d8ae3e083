//! What is known of a SQLite database outside of it: the highest mark it was seen at, and which file it was. A
//! database that says less of itself than stands here is an older copy: a back-up was restored. The file's
//! name begins with a dot, so that who copies `rollcall.db*` to and fro does not take it along.
//! It is overwritten in place: a new file for each mark would need a free inode, and a line that is cut off by a
//! power cut is no mark, which recognizes less and alarms nobody.

use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::clock::Timestamp;

use super::opened::identity;

/// What the line begins with: this form of it.
const FORM: &str = "rollcall-mark-1";
/// Longer than any line, so that a new one covers the old one.
const WIDTH: usize = 160;

/// What was last seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// The database's own id.
    pub installation: String,
    /// Its mark, which only grows.
    pub count: i64,
    /// When.
    pub at: Timestamp,
    /// Device and number of the database's file.
    pub file: (u64, u64),
}

/// Where the mark of a database lies.
pub fn path_of(database: &Path) -> PathBuf {
    let name = database.file_name().unwrap_or_default();
    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(name);
    hidden.push(".mark");
    database.with_file_name(hidden)
}

/// The mark of a database; `None` where there is none that can be read.
pub fn read(database: &Path) -> Option<Mark> {
    let mut line = String::new();
    let file = std::fs::File::open(path_of(database)).ok()?;
    file.take(WIDTH as u64).read_to_string(&mut line).ok()?;
    parse(&line)
}

/// Keeps the mark of a database.
pub fn keep(database: &Path, installation: &str, count: i64, at: Timestamp) -> std::io::Result<()> {
    let (device, number) = identity(database).unwrap_or_default();
    let line = format!(
        "{FORM} {installation} {count} {} {device} {number} .",
        at.micros()
    );
    let mut file = std::fs::File::options()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path_of(database))?;
    file.seek(SeekFrom::Start(0))?;
    file.write_all(format!("{line:<width$}\n", width = WIDTH - 1).as_bytes())
}

/// Whether the path of a database leads to the file that its mark was kept for.
pub fn is_of_this_file(database: &Path, mark: &Mark) -> bool {
    identity(database) == Some(mark.file)
}

fn parse(line: &str) -> Option<Mark> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [FORM, installation, count, at, device, number, "."] = words.as_slice() else {
        return None;
    };
    Some(Mark {
        installation: (*installation).to_owned(),
        count: count.parse().ok()?,
        at: Timestamp(at.parse().ok()?),
        file: (device.parse().ok()?, number.parse().ok()?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_read_as_it_was_kept_and_a_shorter_one_covers_a_longer_one() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("roll.db");
        std::fs::write(&database, "").unwrap();
        assert_eq!(read(&database), None);
        keep(&database, "installation_1", 1_000_000, Timestamp(7)).unwrap();
        keep(&database, "i", 9, Timestamp(8)).unwrap();
        let mark = read(&database).unwrap();
        assert_eq!(
            (mark.installation.as_str(), mark.count, mark.at),
            ("i", 9, Timestamp(8))
        );
        assert!(is_of_this_file(&database, &mark));
        let other = folder.path().join("other.db");
        std::fs::write(&other, "").unwrap();
        std::fs::rename(&other, &database).unwrap();
        assert!(!is_of_this_file(&database, &mark));
    }

    #[test]
    fn a_line_that_was_cut_off_is_no_mark() {
        let whole = "rollcall-mark-1 i 9 8 1 2 .";
        assert!(parse(whole).is_some());
        for cut in 0..whole.len() {
            assert_eq!(parse(&whole[..cut]), None, "{}", &whole[..cut]);
        }
    }
}
