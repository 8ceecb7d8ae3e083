//! Whether an earlier process of this machine still lives, told from its id.

/// Whether this machine knows that the process of that id (`host:pid:…`) does not live any more.
pub(super) fn is_gone(id: &str) -> bool {
    let host = std::fs::read_to_string("/etc/hostname").unwrap_or_default();
    let mut parts = id.split(':');
    let (Some(theirs), Some(pid)) = (parts.next(), parts.next()) else {
        return false;
    };
    // Where there is no /proc to ask, only a silent heartbeat tells.
    if theirs != host.trim() || !std::path::Path::new("/proc/self").exists() {
        return false;
    }
    // The same number as ours can only be an earlier process: this one has just begun.
    pid == std::process::id().to_string() || !std::path::Path::new("/proc").join(pid).exists()
}
