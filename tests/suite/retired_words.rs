//! Words that were given up for the field's own (docs/glossary.md) do not come back: not as a name in the code, not in
//! what a user reads. The changelog tells what they were called, so it is not looked at.

use std::path::{Path, PathBuf};

use crate::support::source::has_word;

/// What is not said any more, and what is said instead.
const RETIRED: [(&str, &str); 17] = [
    ("armed", "messaging on, `messaging_enabled`"),
    ("unarmed", "messaging off"),
    ("arming", "turning messaging on"),
    ("disarm", "turn messaging off"),
    ("disarmed", "messaging off"),
    ("parked", "`failed` (an event), `paused` (a message)"),
    ("kin", "cluster"),
    ("Kin", "`IdentityCluster`"),
    ("veil", "`redaction`"),
    ("Veil", "`Redaction`"),
    ("graves", "tombstones"),
    ("Graves", "`Tombstones`"),
    ("World", "`WorkingSet`"),
    ("DeskError", "`OperationError`"),
    ("staged_leaves", "`staged_removals`"),
    ("identity_swaps", "`identity_changes`"),
    ("new_statements", "`new_observations`"),
];

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let kind = path.extension().and_then(|kind| kind.to_str());
        if path.is_dir() {
            files(&path, found);
        } else if matches!(kind, Some("rs" | "html" | "css" | "sql" | "md" | "toml")) {
            found.push(path);
        }
    }
}

fn retired_in(text: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    for (number, line) in text.lines().enumerate() {
        for (word, instead) in RETIRED.iter().filter(|(word, _)| has_word(line, word)) {
            complaints.push(format!("{}: `{word}` is called {instead}", number + 1));
        }
    }
    complaints
}

#[test]
fn retired_words_do_not_come_back() {
    assert_eq!(retired_in("pub struct Kin;\n// was parked").len(), 2);
    assert_eq!(retired_in("farmed kinds of kindness"), [""; 0]);
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut all = vec![root.join("README.md"), root.join("CONTRIBUTING.md")];
    for folder in ["src", "migrations", "docs"] {
        files(&root.join(folder), &mut all);
    }
    assert!(all.len() > 300, "only {} files were read", all.len());
    let mut complaints = Vec::new();
    for path in all {
        // Which test shows which rule: tests keep their names.
        if path.ends_with("docs/rules.md") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let shown = path.strip_prefix(root).unwrap().display().to_string();
        let found = retired_in(&text).into_iter();
        complaints.extend(found.map(|complaint| format!("{shown}:{complaint}")));
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}
