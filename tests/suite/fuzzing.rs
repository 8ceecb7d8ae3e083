//! The targets of `fuzz/` without libFuzzer: every kept input, and random changes of them. `.ci/nightly fuzz` tries many
//! more; what libFuzzer or a night finds is kept under `fuzz/corpus/<target>/`.

#[path = "../../fuzz/src/lib.rs"]
mod targets;

use std::path::Path;

use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, TestRunner};

/// How many random changes are tried of each target's inputs.
const CASES: u32 = 200;

/// What the texts are made of, so that changes are more than noise.
const WORDS: [&str; 44] = [
    "{",
    "}",
    "[",
    "]",
    "\"",
    ":",
    ",",
    "{{",
    "}}",
    "{%",
    "%}",
    "|",
    "(",
    ")",
    "-",
    "not ",
    " if ",
    " else ",
    "~",
    "**",
    "\\u0000",
    "\\ud800",
    "\0",
    "\r\n",
    "\u{202e}",
    "\u{212a}",
    "null",
    "true",
    "1e400",
    "-0",
    "\"id\":",
    "\"all\":[",
    "{\"not\":",
    "\"rules\":",
    "t=",
    ", v1=",
    "=",
    "\n[http]\n",
    "_file",
    "://",
    "@",
    "%00",
    "é",
    "999999999999999999999",
];

#[derive(Debug, Clone)]
enum Change {
    Remove(Index, usize),
    Repeat(Index, usize, usize),
    Put(Index, Vec<u8>),
    /// The end of another input.
    Join(Index, Index),
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        (any::<Index>(), 1_usize..40).prop_map(|(at, length)| Change::Remove(at, length)),
        (any::<Index>(), 1_usize..20, 2_usize..60)
            .prop_map(|(at, length, times)| Change::Repeat(at, length, times)),
        (any::<Index>(), select(WORDS.to_vec()))
            .prop_map(|(at, word)| Change::Put(at, word.as_bytes().to_vec())),
        (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Change::Put(at, vec![byte])),
        (any::<Index>(), any::<Index>()).prop_map(|(other, at)| Change::Join(other, at)),
    ]
}

fn changed(mut text: Vec<u8>, changes: &[Change], corpus: &[Vec<u8>]) -> Vec<u8> {
    for change in changes {
        let place = |index: &Index, text: &[u8]| index.index(text.len() + 1);
        match change {
            Change::Remove(at, length) => {
                let at = place(at, &text);
                let end = (at + length).min(text.len());
                text.drain(at..end);
            }
            Change::Repeat(at, length, times) => {
                let at = place(at, &text);
                let end = (at + length).min(text.len());
                let part = text[at..end].repeat(*times);
                text.splice(at..at, part);
            }
            Change::Put(at, word) => {
                let at = place(at, &text);
                text.splice(at..at, word.iter().copied());
            }
            Change::Join(other, at) => {
                let other = other.get(corpus);
                let at = place(at, other);
                text.extend_from_slice(&other[at..]);
            }
        }
    }
    text
}

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(target);
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    let texts: Vec<_> = paths
        .iter()
        .map(|path| std::fs::read(path).unwrap())
        .collect();
    assert!(texts.len() >= 10, "{target} has a corpus");
    texts
}

/// Tries the kept inputs of a target, and so many random changes of them.
pub fn holds(target: &str, cases: u32) {
    let (_, run) = targets::TARGETS
        .into_iter()
        .find(|(name, _)| *name == target)
        .unwrap();
    let corpus = corpus(target);
    for text in &corpus {
        run(text);
    }
    let config = Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    };
    let changes = (
        select(corpus.clone()),
        prop::collection::vec(change(), 1..8),
    );
    TestRunner::new(config)
        .run(&changes, |(text, changes)| {
            run(&changed(text, &changes, &corpus));
            Ok(())
        })
        .unwrap();
}

macro_rules! fuzzed {
    ($($target:ident),* $(,)?) => {
        /// The targets that are tried here.
        pub const TRIED: &[&str] = &[$(stringify!($target)),*];
        $(
            #[test]
            fn $target() {
                holds(stringify!($target), CASES);
            }
        )*
    };
}

fuzzed!(
    signature,
    envelope,
    payload,
    template,
    condition,
    cursor,
    configuration,
    mapping,
);

#[test]
fn every_target_is_tried_and_is_a_program_of_libfuzzer() {
    let names: Vec<&str> = targets::TARGETS.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, TRIED);
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let manifest = std::fs::read_to_string(root.join("Cargo.toml")).unwrap();
    for name in names {
        let program = format!("fuzz_targets/{name}.rs");
        let text = std::fs::read_to_string(root.join(&program)).unwrap();
        assert!(
            text.contains(&format!("rollcall_fuzz::{name}(data)")),
            "{text}"
        );
        assert!(manifest.contains(&program), "{program} is not declared");
    }
}
