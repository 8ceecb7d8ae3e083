//! What the nouns show alike: states in their colours, one thing as a column of facts, the way to
//! the next page.

use crate::clock::Timestamp;
use crate::operations::Page;

use super::Context;
use super::output::{Cell, Tone};

/// Which page of a list.
#[derive(Debug, Clone, clap::Args)]
pub struct Paging {
    /// Rows at most (1-200) [default: 50]
    #[arg(long, value_name = "N")]
    pub limit: Option<i64>,
    /// Go on where a list ended: the next_cursor it gave
    #[arg(long, value_name = "CURSOR")]
    pub cursor: Option<String>,
}

/// Reads an instant from the command line.
pub(super) fn instant(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse(text).ok_or_else(|| {
        "write a day or an instant, such as 2026-11-23 or 2026-11-23T10:00:00Z".to_owned()
    })
}

/// A state, an outcome or a status in its colour.
pub(super) fn state(word: &str) -> Cell {
    let tone = match word {
        "active" | "applied" | "sent" | "published" | "ok" | "admin" => Tone::Good,
        "ready" | "held" | "pending" | "on_leave" | "due" | "claimed" | "attempting"
        | "unknown" | "stale" | "conflict" | "warn" => Tone::Warn,
        "failed" | "fail" | "stopped" => Tone::Bad,
        _ => Tone::Quiet,
    };
    Cell::State(word.to_owned(), tone)
}

/// The same of something that may not be there.
pub(super) fn maybe_state(word: Option<&str>) -> Cell {
    word.map_or(Cell::Nothing, state)
}

/// A page: as JSON the very body of the API, else a table, or what to do when it is empty.
pub(super) fn page<T: serde::Serialize>(
    context: &Context,
    page: &Page<T>,
    heads: &[&str],
    row: impl Fn(&T) -> Vec<Cell>,
    empty: &str,
) {
    let out = &context.output;
    if out.is_json() {
        return out.json(page);
    }
    if page.data.is_empty() {
        return out.note(empty);
    }
    out.table(heads, page.data.iter().map(row).collect());
    if let Some(cursor) = &page.next_cursor {
        out.note(format!("There are more: --cursor {cursor}"));
    }
}

/// One thing: as JSON the very body of the API, else its facts, those without a value left out.
pub(super) fn one<T: serde::Serialize>(
    context: &Context,
    value: &T,
    facts: impl FnOnce(&T) -> Vec<(&'static str, Cell)>,
) {
    if context.output.is_json() {
        return context.output.json(value);
    }
    let rows = facts(value)
        .into_iter()
        .filter(|(_, cell)| *cell != Cell::Nothing)
        .map(|(name, cell)| match cell {
            // A lone number reads from the left, like the words above and below it.
            Cell::Number(number) => vec![name.into(), number.to_string().into()],
            cell => vec![name.into(), cell],
        });
    context.output.table(&["field", "value"], rows.collect());
}
