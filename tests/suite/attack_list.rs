//! The list of attacks in docs/security.md names, for each, tests that exist: `.ci/nightly attacks` runs what it names.

use crate::support::source::{sources, suite};

const DOCUMENT: &str = include_str!("../../docs/security.md");

/// The attacks, each with the tests that show its answer.
fn attacks() -> Vec<(&'static str, Vec<&'static str>)> {
    let rows = DOCUMENT
        .lines()
        .skip_while(|line| !line.starts_with("| attack |"));
    let rows = rows.skip(2).take_while(|line| line.starts_with('|'));
    rows.map(|row| {
        let cells: Vec<&str> = row.trim_matches('|').rsplitn(2, " | ").collect();
        let tests = cells[0]
            .split(',')
            .map(|name| name.trim().trim_matches('`'));
        (row, tests.collect())
    })
    .collect()
}

#[test]
fn every_attack_names_tests_that_exist() {
    let code: Vec<String> = [sources(), suite()]
        .into_iter()
        .flatten()
        .map(|file| file.code)
        .collect();
    let attacks = attacks();
    assert!(attacks.len() > 25, "{attacks:?}");
    for (attack, tests) in attacks {
        assert!(!tests.is_empty(), "{attack}");
        for test in tests {
            let defined = format!("fn {test}(");
            assert!(
                code.iter().any(|code| code.contains(&defined)),
                "{attack} names {test:?}"
            );
        }
    }
}
