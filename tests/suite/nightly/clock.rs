//! A machine whose clock is wrong, as the operating system tells it: `libfaketime` in place of the variable
//! that the tests by day set.

use std::path::PathBuf;

use crate::clocks::a_machine_is_a_minute_ahead;

#[tokio::test(flavor = "multi_thread")]
async fn r73_a_machine_that_libfaketime_sets_ahead_delays_no_termination_and_takes_nobody_for_dead()
{
    let library = library().expect("libfaketime (Debian: apt-get install libfaketime)");
    a_machine_is_a_minute_ahead(&[
        ("LD_PRELOAD", library.display().to_string()),
        ("FAKETIME", "+60s".to_owned()),
        // Only the time of day is wrong on such a machine; what waits counts as before.
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
    ])
    .await;
}

fn library() -> Option<PathBuf> {
    let folders = std::fs::read_dir("/usr/lib").ok()?.flatten();
    let mut found = folders.map(|folder| folder.path().join("faketime/libfaketimeMT.so.1"));
    found.find(|path| path.exists())
}
