//! What the system lets the process have.

/// Files that are not connections: databases, logs, what is asked of others.
const OTHERS: usize = 128;

/// How many connections may be had of those wanted: each is an open file, and where files run out, nothing
/// is accepted and no database is opened either.
pub(super) fn connections(wanted: usize) -> usize {
    let Some(files) = open_files() else {
        return wanted;
    };
    let most = files.saturating_sub(OTHERS).max(files / 2);
    if most < wanted {
        tracing::info!(
            wanted,
            most,
            "fewer connections than configured: the system's limit of open files is {files}; raise it (ulimit -n)"
        );
    }
    wanted.min(most)
}

/// The limit of open files, where the system tells.
fn open_files() -> Option<usize> {
    let limits = std::fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_connections_than_files() {
        assert_eq!(connections(8), 8);
        if let Some(files) = open_files() {
            assert!(connections(usize::MAX) < files);
        }
    }
}
