//! `rollcall demo` as a newcomer runs it: no configuration, everything it claims is read back, and it
//! ends with 0 where nobody looks on.

use crate::support::binary::rollcall;

#[test]
fn the_demo_runs_without_configuration_and_all_its_claims_hold() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = rollcall("sqlite://rollcall.db", folder.path());
    let done = command.args(["demo", "--exit"]).output().unwrap();
    let words = String::from_utf8_lossy(&done.stdout);
    assert_eq!(
        done.status.code(),
        Some(0),
        "{words}\n{}",
        String::from_utf8_lossy(&done.stderr)
    );
    assert!(words.contains("all of them hold"), "{words}");
    assert!(words.contains("0 of 50 greeted"), "{words}");
}
