//! The house's order, read off the source (design: who may import whom): which layer uses which,
//! what stays pure, where SQL, `anyhow` and printing may be, how a file opens and how long it gets.
//! A rule is a pure function from a file to complaints. Each test first shows that its rule bites on
//! a bad example and spares a good one, then that all of `src/` keeps it.

use crate::support::source::{Source, has_word, sources};

/// Every place in the house, and whom it may use. What is pure (`workos`, `domain`, `conditions`,
/// `retry`, `clock`) is named like everything else, so that a new use is a decision.
const MAY_USE: &[(&str, &str)] = &[
    ("lib", ""),
    ("main", "cli"),
    // The top: `app` puts the roles together, `cli` speaks to people; what operators see and do is
    // in `operations`, for all three of them.
    (
        "cli",
        "app operations upstream intake triggers db config telemetry clock workos domain conditions retry stop",
    ),
    (
        "app",
        "http console operations upstream worker intake triggers store outbox db config telemetry clock workos retry stop",
    ),
    (
        "http",
        "operations upstream intake triggers db telemetry clock workos domain conditions stop",
    ),
    (
        // The pages share the server with the API: its state, a request's source and id.
        "console",
        "http operations upstream triggers db telemetry clock workos domain conditions",
    ),
    (
        "worker",
        "triggers store outbox db telemetry clock crash workos domain conditions retry",
    ),
    (
        "operations",
        "worker triggers store outbox db telemetry clock workos domain conditions",
    ),
    // Long conversations with WorkOS's API: it asks, the operations and the intake act.
    (
        "upstream",
        "operations worker intake store outbox db telemetry clock workos domain retry",
    ),
    ("intake", "outbox db telemetry clock crash"),
    (
        "triggers",
        "store db telemetry clock workos domain conditions retry stop",
    ),
    // Tokens, operators' acts and processes are kept with the people.
    ("store", "db telemetry clock workos domain conditions"),
    ("outbox", "db telemetry clock retry"),
    ("db", "telemetry clock"),
    // Beside the rows.
    ("config", "clock"),
    ("telemetry", "clock"),
    ("domain", "workos conditions clock"),
    ("workos", "clock"),
    // Values are compared in their cleaned form, which is said in one place.
    ("conditions", "workos clock"),
    ("retry", "clock"),
    ("stop", ""),
    ("clock", ""),
    ("crash", ""),
];

/// Single files that may use more than their layer: figures for health and metrics are read where
/// they are kept, and the webhook hands the intake what it wants.
const EXCEPTIONS: &[(&str, &str)] = &[("http/health", "store outbox"), ("http/webhook", "outbox")];

/// Same input, same answer: neither database, server nor waiting.
const PURE: &str = "workos domain clock conditions retry worker/retry outbox/retry triggers/plan triggers/zone triggers/when";
const NOT_PURE: &str = "workos/client";

/// Line numbers, and what is wrong there.
type Complaints = Vec<(usize, String)>;
type Rule = fn(&Source) -> Complaints;

#[test]
fn a_layer_uses_only_what_lies_below_it() {
    bites(imports, "outbox/claim.rs", "use crate::store::Profile;");
    bites(imports, "db/pool.rs", "fn f() { crate::app::start() }");
    bites(
        imports,
        "http/webhook.rs",
        "use crate::{\n    clock::Clock,\n    console::Page,\n};",
    );
    bites(imports, "http/webhook.rs", "use super::super::console;");
    bites(imports, "http/v1/events.rs", "use crate::outbox::list;");
    bites(imports, "http/webhook.rs", "use crate::store::profiles;");
    bites(imports, "intake/mod.rs", "use crate::operations::events;");
    bites(imports, "worker/batch.rs", "use crate::operations::events;");
    bites(imports, "clock.rs", "use super::db;");
    bites(imports, "domain/mod.rs", "use crate::db::Conn;");
    bites(imports, "main.rs", "use rollcall::domain;\nfn main() {}");
    bites(
        imports,
        "queue/mod.rs",
        "fn no_such_place_in_the_house() {}",
    );
    spares(
        imports,
        "http/webhook.rs",
        "use crate::{clock::Clock, intake::{self, db}};\nuse crate::{outbox, workos};",
    );
    spares(imports, "triggers/sender.rs", "use crate::store::profiles;");
    spares(
        imports,
        "operations/events.rs",
        "use crate::{outbox, store, triggers};",
    );
    spares(
        imports,
        "http/api/events.rs",
        "use super::super::errors::Problem; // crate::console",
    );
    spares(imports, "clock.rs", "mod tests {\n    use super::*;\n}");
    spares(imports, "main.rs", "fn main() { rollcall::cli::run() }");
    let second = imports(&Source::new("db/pool.rs", "use std::io;\nuse crate::app;"));
    assert_eq!(second, [(2, "`db` may not use `app`".to_owned())]);
    holds(imports);
}

#[test]
fn what_decides_is_pure() {
    bites(purity, "domain/apply.rs", "use diesel::prelude::*;");
    bites(
        purity,
        "workos/event.rs",
        "async fn f() { tokio::time::timeout(d, g()).await }",
    );
    bites(purity, "worker/retry.rs", "use actix_web::HttpResponse;");
    spares(purity, "workos/client.rs", "use tokio::time;");
    spares(
        purity,
        "domain/apply.rs",
        "// as diesel does\nlet tokio_like = \"actix_web\";",
    );
    holds(purity);
}

#[test]
fn tables_are_named_only_where_rows_are_kept() {
    bites(tables, "http/api.rs", "use crate::db::schema::events;");
    bites(tables, "worker/batch.rs", "use crate::db::schema;");
    spares(
        tables,
        "store/profiles.rs",
        "use crate::db::schema::profiles;",
    );
    spares(
        tables,
        "http/openapi.rs",
        "let schema = \"crate::db::schema::events\";",
    );
    holds(tables);
}

#[test]
fn what_faces_people_holds_no_sql() {
    bites(sql, "console/people.rs", "use diesel::prelude::*;");
    bites(sql, "cli/events.rs", "sql_query(\"SELECT 1\")");
    spares(sql, "outbox/browse.rs", "use diesel::prelude::*;");
    holds(sql);
}

#[test]
fn anyhow_stays_at_the_top() {
    bites(any_error, "db/pool.rs", "fn open() -> anyhow::Result<()> {");
    spares(any_error, "cli/mod.rs", "use anyhow::Context;");
    holds(any_error);
}

#[test]
fn only_the_cli_prints() {
    bites(printing, "worker/mod.rs", "println!(\"drained\");");
    spares(printing, "cli/output.rs", "println!(\"drained\");");
    spares(printing, "http/mod.rs", "// println!(\"drained\");");
    holds(printing);
}

#[test]
fn every_file_opens_with_its_promise() {
    bites(promise, "db/pool.rs", "// a comment is none\nuse std::io;");
    spares(promise, "db/pool.rs", "//! One connection each.\n");
    holds(promise);
}

#[test]
fn no_file_outgrows_its_reader() {
    let long = |lines| "x();\n".repeat(lines);
    bites(length, "db/pool.rs", &long(401));
    bites(length, "main.rs", &long(41));
    spares(length, "db/pool.rs", &long(400));
    spares(length, "db/schema.rs", &long(900));
    holds(length);
}

fn imports(file: &Source) -> Complaints {
    let path = file.path.trim_end_matches("/mod");
    let layer = path.split('/').next().unwrap_or(path);
    if !is_known(layer) {
        return vec![(
            1,
            format!("`{layer}` has no place in the house: give it one in MAY_USE"),
        )];
    }
    let forbidden = |used: &str| is_known(used) && used != layer && !may_use(path, layer, used);
    let used = crate_paths(&file.code)
        .into_iter()
        .filter(|(_, used)| forbidden(used));
    let mut found: Complaints = used
        .map(|(line, used)| (line, format!("`{layer}` may not use `{used}`")))
        .collect();

    let depth = path.split('/').count();
    for (number, line) in file.code.lines().enumerate() {
        // An indented path may stand in an inline module, which is one step further down.
        let allowed = if line.starts_with(char::is_whitespace) {
            depth
        } else {
            depth - 1
        };
        if line.contains(&"super::".repeat(allowed + 1)) {
            found.push((
                number + 1,
                "leaves its layer by `super::`; say `crate::`".to_owned(),
            ));
        }
    }
    found
}

fn is_known(layer: &str) -> bool {
    MAY_USE.iter().any(|(name, _)| *name == layer)
}

fn names(list: &str, layer: &str) -> bool {
    list.split_whitespace().any(|name| name == layer)
}

fn may_use(path: &str, layer: &str, used: &str) -> bool {
    let lists = |table: &[(&str, &str)], key: &str| {
        table
            .iter()
            .any(|(name, list)| *name == key && names(list, used))
    };
    lists(MAY_USE, layer) || lists(EXCEPTIONS, path)
}

/// The first name of each path from the crate's root, braces opened, with its line.
fn crate_paths(code: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for root in ["crate::", "rollcall::"] {
        for (at, _) in code.match_indices(root) {
            let line = code[..at].matches('\n').count() + 1;
            let rest = &code[at + root.len()..];
            found.extend(first_names(rest).into_iter().map(|name| (line, name)));
        }
    }
    found
}

fn first_names(rest: &str) -> Vec<String> {
    let name_of = |path: &str| {
        let path = path.trim_start();
        path[..path
            .find(|c: char| !c.is_alphanumeric() && c != '_')
            .unwrap_or(path.len())]
            .to_owned()
    };
    let Some(group) = rest.strip_prefix('{') else {
        return vec![name_of(rest)];
    };
    let mut names = vec![name_of(group)];
    let mut depth = 1;
    for (at, letter) in group.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => names.push(name_of(&group[at + 1..])),
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    names
}

fn purity(file: &Source) -> Complaints {
    let crates = [
        "diesel",
        "diesel_migrations",
        "actix_web",
        "actix_rt",
        "tokio",
        "reqwest",
    ];
    let pure = file.is_under(PURE) && !file.is_under(NOT_PURE);
    words(
        file,
        pure,
        &crates,
        "what decides is pure: no database, no server, no waiting",
    )
}

fn tables(file: &Source) -> Complaints {
    let elsewhere = !file.is_under("db outbox store triggers");
    let paths = ["schema::", "db::schema"];
    words(
        file,
        elsewhere,
        &paths,
        "tables are named under db, outbox, store and triggers only",
    )
}

fn sql(file: &Source) -> Complaints {
    let faces_people = file.is_under("console cli http");
    words(
        file,
        faces_people,
        &["diesel", "sql_query"],
        "queries live beside the rows they read",
    )
}

fn any_error(file: &Source) -> Complaints {
    let below = !file.is_under("main cli app");
    words(
        file,
        below,
        &["anyhow"],
        "below cli and app, every module has an error of its own",
    )
}

fn printing(file: &Source) -> Complaints {
    let elsewhere = !file.is_under("main cli");
    words(
        file,
        elsewhere,
        &["println!", "print!", "eprintln!", "eprint!"],
        "only the cli speaks to a terminal",
    )
}

/// One complaint for each line of code with a forbidden word, where the rule applies.
fn words(file: &Source, applies: bool, forbidden: &[&str], why: &str) -> Complaints {
    let lines = file.code.lines().enumerate().filter(|_| applies);
    let found = lines.filter_map(|(number, line)| {
        let word = forbidden.iter().find(|word| has_word(line, word))?;
        Some((number + 1, format!("`{word}`: {why}")))
    });
    found.collect()
}

fn promise(file: &Source) -> Complaints {
    if file.text.starts_with("//!") {
        return Vec::new();
    }
    vec![(
        1,
        "opens without `//!` lines that say what it promises".to_owned(),
    )]
}

fn length(file: &Source) -> Complaints {
    let limit = match file.path.as_str() {
        "db/schema" => usize::MAX,
        "main" => 40,
        _ => 400,
    };
    let lines = file.text.lines().count();
    if lines <= limit {
        return Vec::new();
    }
    vec![(lines, format!("{lines} lines; {limit} is the limit"))]
}

fn bites(rule: Rule, path: &str, text: &str) {
    assert!(
        !rule(&Source::new(path, text)).is_empty(),
        "the rule lets this pass in {path}: {text}"
    );
}

fn spares(rule: Rule, path: &str, text: &str) {
    assert_eq!(rule(&Source::new(path, text)), [], "in {path}: {text}");
}

fn holds(rule: Rule) {
    let files = sources();
    assert!(files.len() > 1, "no source was found to judge");
    let complaints = files.iter().flat_map(|file| {
        let path = file.path.clone();
        rule(file)
            .into_iter()
            .map(move |(line, what)| format!("src/{path}.rs:{line}: {what}"))
    });
    let complaints: Vec<String> = complaints.collect();
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}
