//! Near misses of the webhook's path: an endpoint registered at WorkOS with a typing error is answered
//! with 404, and nothing else here would tell of it. Counted in memory and added to the database now and
//! then; of the paths, which anybody may make up, the newest few are kept, cleaned and cut.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::clock::Timestamp;
use crate::db::Conn;
use crate::store::wrong_paths::{self, WrongPath};

use super::OperationError;

/// Paths kept, in a process and in the database.
const MOST_PATHS: usize = 20;
/// Letters of a path shown.
const LONGEST_PATH: usize = 80;
/// As refusals.
const KEPT: Duration = Duration::from_secs(30 * 86_400);
/// What stands for a path where there are too many.
const OTHERS: &str = "other paths";

/// By path: how many, the first and the last.
type Seen = BTreeMap<String, (i64, Timestamp, Timestamp)>;

/// What this process has seen and not yet written down; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct WrongPaths(Arc<Mutex<Seen>>);

impl WrongPaths {
    /// Counts a request that was answered with 404 or 405, if it looks like a delivery. Answers whether
    /// it does.
    pub fn count(&self, method: &str, path: &str, signed: bool, at: Timestamp) -> bool {
        let path = cleaned(path);
        let near = signed || is_near(method, &path);
        if near {
            self.add(path, (1, at, at));
        }
        near
    }

    fn add(&self, path: String, (count, first, last): (i64, Timestamp, Timestamp)) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = seen.contains_key(&path) || seen.len() < MOST_PATHS;
        let key = if known { path } else { OTHERS.to_owned() };
        let sum = seen.entry(key).or_insert((0, first, last));
        *sum = (sum.0 + count, sum.1.min(first), sum.2.max(last));
    }

    /// Takes what is to be written down.
    pub fn take(&self) -> Vec<WrongPath> {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = std::mem::take(&mut *seen).into_iter();
        taken
            .map(|(path, (count, first_at, last_at))| WrongPath {
                path,
                count,
                first_at,
                last_at,
            })
            .collect()
    }

    /// What was taken could not be written down: it is counted on.
    pub fn give_back(&self, rows: Vec<WrongPath>) {
        for row in rows {
            self.add(row.path, (row.count, row.first_at, row.last_at));
        }
    }
}

/// Whether a delivery was meant: anything below the webhook's own folder, and what is posted to the
/// addresses that people write from memory.
fn is_near(method: &str, path: &str) -> bool {
    let below = |folder: &str| {
        path.strip_prefix(folder)
            .is_some_and(|rest| rest.starts_with('/'))
    };
    let posted = method == "POST";
    let written = ["/webhook", "/webhooks", "/workos"];
    below("/webhooks")
        || (posted
            && written
                .iter()
                .any(|folder| path == *folder || below(folder)))
}

/// A path as it may be shown: what it could be mistaken for is gone, and it is short.
fn cleaned(path: &str) -> String {
    let mut shown = String::new();
    for letter in path.chars().take(LONGEST_PATH) {
        match letter {
            '/' if shown.ends_with('/') => {}
            '/' | '-' | '_' | '.' | '~' => shown.push(letter),
            letter if letter.is_ascii_alphanumeric() => shown.push(letter.to_ascii_lowercase()),
            _ => shown.push('?'),
        }
    }
    shown
}

/// Adds what was taken, and lets go of what is long over or too much.
pub fn write_down(
    conn: &mut Conn,
    rows: &[WrongPath],
    now: Timestamp,
) -> Result<(), OperationError> {
    for row in rows {
        wrong_paths::add(conn, row)?;
    }
    let old = now.minus(KEPT);
    let kept = wrong_paths::all(conn)?.into_iter().enumerate();
    let gone = kept.filter(|(place, row)| *place >= MOST_PATHS || row.last_at < old);
    wrong_paths::forget(conn, &gone.map(|(_, row)| row.path).collect::<Vec<_>>())?;
    Ok(())
}

/// Those asked for since an instant, the newest first.
pub(super) fn since(conn: &mut Conn, since: Timestamp) -> Result<Vec<WrongPath>, OperationError> {
    let rows = wrong_paths::all(conn)?.into_iter();
    Ok(rows.filter(|row| row.last_at >= since).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(method: &str, path: &str, signed: bool) -> bool {
        WrongPaths::default().count(method, path, signed, Timestamp(1))
    }

    #[test]
    fn what_was_meant_as_a_delivery_is_known_by_its_path_or_its_signature() {
        for path in [
            "/webhooks/workoss",
            "/Webhooks/WorkOS/x",
            "//webhooks/work-os",
            "/webhooks/",
        ] {
            assert!(
                near("POST", path, false) && near("GET", path, false),
                "{path}"
            );
        }
        for path in [
            "/webhook",
            "/webhooks",
            "/workos/webhooks",
            "/webhook/workos",
        ] {
            assert!(
                near("POST", path, false) && !near("GET", path, false),
                "{path}"
            );
            assert!(near("GET", path, true), "{path}");
        }
        for path in ["/", "/favicon.ico", "/webhooksx", "/api/people"] {
            assert!(
                !near("POST", path, false) && near("POST", path, true),
                "{path}"
            );
        }
    }

    #[test]
    fn made_up_paths_take_little_room_and_are_shown_as_plain_text() {
        let seen = WrongPaths::default();
        for number in 0..1_000 {
            seen.count(
                "POST",
                &format!("/webhooks/{number}"),
                false,
                Timestamp(number),
            );
        }
        let long = format!("/webhooks/<script>\u{202e}{}", "x".repeat(9_000));
        seen.count("POST", &long, false, Timestamp(1));
        let rows = seen.take();
        assert!(rows.len() <= MOST_PATHS + 1, "{}", rows.len());
        assert_eq!(rows.iter().map(|row| row.count).sum::<i64>(), 1_001);
        let shown = cleaned(&long);
        assert!(
            shown.starts_with("/webhooks/?script??") && shown.len() == LONGEST_PATH,
            "{shown}"
        );
        assert!(seen.take().is_empty());
    }
}
