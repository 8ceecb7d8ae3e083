//! docs/rules.md and the code agree, both ways: every rule has tests that carry its number and lists exactly
//! those, every number that is cited anywhere is a rule of the page, and every mutation named there is made.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::support::source::{Source, sources, suite};

/// By rule (`R13`): the file and the name of each test.
type Tests = BTreeMap<String, BTreeSet<(String, String)>>;

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The page's rules in its order, each with its text.
fn rules(page: &str) -> Vec<(String, String)> {
    let parts = page.split("\n### ").skip(1);
    let rules = parts.map(|part| part.split_once('\n').unwrap());
    rules
        .map(|(rule, text)| (rule.to_owned(), text.to_owned()))
        .collect()
}

/// What stands between two of `mark` in `text`.
fn between(text: &str, mark: char) -> impl Iterator<Item = &str> {
    text.split(mark).skip(1).step_by(2)
}

fn listed(rules: &[(String, String)]) -> Tests {
    let mut tests = Tests::new();
    for (rule, text) in rules {
        let found = tests.entry(rule.clone()).or_default();
        for line in text.lines().filter_map(|line| line.strip_prefix("- `")) {
            let (path, names) = line.split_once("`: ").unwrap();
            found.extend(between(names, '`').map(|name| (path.to_owned(), name.to_owned())));
        }
    }
    tests
}

/// The rules that a test's name begins with: R24 and R32 in `r24_r32_a_reused_address`.
fn numbers(name: &str) -> impl Iterator<Item = String> {
    let number = |part: &str| {
        let is_rule = part.starts_with(['r', 'c']) && is_number(part.get(1..)?);
        is_rule.then(|| part.to_uppercase())
    };
    // The last part is never a number: `r4` alone is a name like any other.
    let parts = name.rsplit_once('_').map_or("", |(parts, _)| parts);
    parts.split('_').map_while(number)
}

fn is_number(digits: &str) -> bool {
    !digits.is_empty() && !digits.starts_with('0') && digits.chars().all(|d| d.is_ascii_digit())
}

/// The functions of a file, by name; code only.
fn functions(source: &Source) -> impl Iterator<Item = &str> {
    source.code.lines().filter_map(|line| {
        let (before, after) = line.trim_start().split_once("fn ")?;
        let starts = before.is_empty() || before.starts_with("pub") || before == "async ";
        let end = after.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_')?;
        starts.then(|| &after[..end])
    })
}

fn written() -> Tests {
    let mut tests = Tests::new();
    for (folder, files) in [("src", sources()), ("tests/suite", suite())] {
        for source in &files {
            for name in functions(source) {
                for rule in numbers(name) {
                    let path = format!("{folder}/{}.rs", source.path);
                    let found = tests.entry(rule).or_default();
                    found.insert((path, name.to_owned()));
                }
            }
        }
    }
    tests
}

/// The rules that a text cites: `R14`, `C10`; no `%C3` of an address, no part of a longer word.
fn cited(text: &str) -> BTreeSet<String> {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || "_%\\".contains(letter);
    let words = text.split(|letter: char| !is_part(letter));
    words
        .filter(|word| word.starts_with(['R', 'C']) && is_number(&word[1..]))
        .map(str::to_owned)
        .collect()
}

#[test]
fn a_number_is_read_from_a_name_and_nothing_else() {
    let found = |code: &str| {
        let source = Source::new("x", code);
        let names: Vec<_> = functions(&source).flat_map(numbers).collect();
        names.join(" ")
    };
    assert_eq!(found("fn r13_only() {} // fn r14_in_prose()"), "R13");
    assert_eq!(found("let f = r9_x();\nconst X: &str = \"fn r8_x()\";"), "");
    assert_eq!(
        found("  async fn r24_r32_an() {}\nfn c3_r47_and_r48_too() {}"),
        "R24 R32 C3 R47"
    );
    assert_eq!(found("fn r4() {}\nfn r_5() {}\nfn xr6_a() {}"), "");
}

#[test]
fn a_citation_is_read_from_a_text_and_nothing_else() {
    let found = |text: &str| cited(text).into_iter().collect::<Vec<_>>().join(" ");
    assert_eq!(
        found("late (R11), as C3 says; R20 to R26."),
        "C3 R11 R20 R26"
    );
    assert_eq!(found("q=a%C3%BC, C0, \\C4, XR7, R8a, _R9"), "");
}

#[test]
fn the_rules_stand_once_and_in_order() {
    let rules = rules(&read("docs/rules.md"));
    let number = |rule: &str| (rule.starts_with('C'), rule[1..].parse::<u32>().unwrap());
    let order: Vec<_> = rules.iter().map(|(rule, _)| number(rule)).collect();
    assert!(order.is_sorted_by(|one, other| one < other), "{order:?}");
}

#[test]
fn every_rule_has_a_test_that_carries_its_number() {
    let written = written();
    let rules = rules(&read("docs/rules.md"));
    let missing: Vec<_> = rules
        .iter()
        .filter(|(rule, _)| !written.contains_key(rule))
        .map(|(rule, _)| rule)
        .collect();
    assert!(
        missing.is_empty(),
        "no test carries the number of {missing:?}"
    );
}

#[test]
fn every_rule_lists_its_tests_and_every_test_is_of_a_rule() {
    let (listed, written) = (listed(&rules(&read("docs/rules.md"))), written());
    let rules: BTreeSet<_> = listed.keys().chain(written.keys()).collect();
    let differs: Vec<_> = rules
        .into_iter()
        .filter(|rule| listed.get(*rule) != written.get(*rule))
        .collect();
    assert!(
        differs.is_empty(),
        "docs/rules.md lists other tests than there are at {differs:?}: run .ci/rules, or write the rule"
    );
}

#[test]
fn every_rule_that_is_cited_is_in_the_page() {
    let rules: BTreeSet<_> = rules(&read("docs/rules.md"))
        .into_iter()
        .map(|(rule, _)| rule)
        .collect();
    let docs = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/docs")).unwrap();
    let pages = docs
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|kind| kind == "md"))
        .map(|path| {
            (
                path.display().to_string(),
                fs::read_to_string(&path).unwrap(),
            )
        });
    let code = [sources(), suite()].into_iter().flatten();
    let texts = code.map(|source| (source.path, source.text)).chain(pages);
    let unknown: Vec<_> = texts
        // This file's own examples are no citations.
        .filter(|(path, _)| path != "rule_numbers")
        .flat_map(|(path, text)| {
            let unknown: Vec<_> = cited(&text).difference(&rules).cloned().collect();
            unknown
                .into_iter()
                .map(move |rule| format!("{path}: {rule}"))
        })
        .collect();
    assert!(unknown.is_empty(), "docs/rules.md has no {unknown:#?}");
}

#[test]
fn every_mutation_that_the_rules_name_is_made() {
    let list = read(".ci/mutations.toml");
    let made: BTreeSet<_> = list
        .lines()
        .filter_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'))
        .collect();
    let mut named = 0;
    for (rule, text) in rules(&read("docs/rules.md")) {
        let Some((_, after)) = text.split_once("\nBroken on purpose: ") else {
            continue;
        };
        let paragraph = after.split("\n\n").next().unwrap().replace('\n', " ");
        for mutation in between(&paragraph, '"') {
            assert!(
                made.contains(mutation),
                "{rule} names the mutation \"{mutation}\", which .ci/mutations.toml does not have"
            );
            named += 1;
        }
    }
    assert!(named > 0, "no rule names a mutation");
}
