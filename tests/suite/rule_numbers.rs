//! Every rule of the rule book has a test that carries its number.

use std::collections::BTreeSet;

use crate::support::source::{Source, sources, suite};

/// How many rules there are: R1 to R96.
const RULES: u32 = 96;

/// The numbers that names like `r13_only_…` and `r24_r32_an_…` begin with; code only.
fn numbers(source: &Source) -> BTreeSet<u32> {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let words = source.code.split(|letter| !is_part(letter));
    words
        .filter(|word| word.contains('_'))
        .flat_map(leading)
        .collect()
}

fn leading(word: &str) -> impl Iterator<Item = u32> {
    let number = |part: &str| {
        let (kind, digits) = part.split_at_checked(1)?;
        let number: u32 = digits.parse().ok()?;
        matches!(kind, "r" | "c").then_some((kind == "r", number))
    };
    let numbers = word.split('_').map_while(number);
    numbers.filter_map(|(is_rule, number)| is_rule.then_some(number))
}

#[test]
fn a_number_is_read_from_a_name_and_nothing_else() {
    let found = |code: &str| {
        numbers(&Source::new("x", code))
            .into_iter()
            .collect::<Vec<_>>()
    };
    assert_eq!(found("fn r13_only() {} // r14_in_prose"), [13]);
    assert_eq!(
        found("on_both!(r2_a, r3_b); let for_12_ = \"r9_x\";"),
        [2, 3]
    );
    assert_eq!(
        found("fn r24_r32_an() fn c3_r47_and_r48_too()"),
        [24, 32, 47]
    );
    assert_eq!(found("r4 r_5 xr6_a"), [0; 0]);
}

#[test]
fn every_rule_has_a_test_that_carries_its_number() {
    let tested: BTreeSet<u32> = [sources(), suite()]
        .iter()
        .flatten()
        .flat_map(numbers)
        .collect();
    let missing: Vec<u32> = (1..=RULES).filter(|rule| !tested.contains(rule)).collect();
    assert!(
        missing.is_empty(),
        "no test carries the number of {missing:?}"
    );
}
