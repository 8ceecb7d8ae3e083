//! Many random changes of the kept inputs of `fuzz/`, for each target.

use crate::fuzzing::{TRIED, holds};

#[test]
fn every_target_holds_against_many_random_changes() {
    let cases = std::env::var("ROLLCALL_FUZZ_CASES").map_or(20_000, |text| text.parse().unwrap());
    std::thread::scope(|scope| {
        for target in TRIED {
            scope.spawn(move || holds(target, cases));
        }
    });
}
