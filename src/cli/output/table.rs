//! Tables as `gh` and `kubectl` print them: no borders, upper-case headers. Everything that came
//! from outside is made harmless to a terminal first: a name may hold escape sequences (R9).

use comfy_table::{
    Attribute, CellAlignment, Color, ColumnConstraint, ContentArrangement, Table, presets,
};

use crate::clock::Timestamp;

/// Columns below which a terminal's width is not believed.
const NARROWEST: u16 = 40;

/// What a word in a table means for the reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// As it should be: `active`, `sent`.
    Good,
    /// Worth a look: `held`, `pending`.
    Warn,
    /// Wrong: `failed`.
    Bad,
    /// In the background: `done`, `removed`.
    Quiet,
}

/// One cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell {
    /// Text, made harmless.
    Text(String),
    /// A state, coloured on a terminal.
    State(String, Tone),
    /// A number, to the right.
    Number(i64),
    /// An instant: `5m ago` on a terminal, RFC 3339 elsewhere.
    Time(Timestamp),
    /// Nothing to say: `-`.
    Nothing,
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Timestamp> for Cell {
    fn from(at: Timestamp) -> Self {
        Self::Time(at)
    }
}

impl From<i64> for Cell {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<usize> for Cell {
    fn from(count: usize) -> Self {
        Self::Number(i64::try_from(count).unwrap_or(i64::MAX))
    }
}

impl<T: Into<Cell>> From<Option<T>> for Cell {
    fn from(some: Option<T>) -> Self {
        some.map_or(Self::Nothing, Into::into)
    }
}

/// Text without what would steer a terminal: control characters, and the marks that override the
/// direction of writing. Right-to-left letters themselves stay.
pub fn plain(text: &str) -> String {
    text.chars()
        .map(|letter| match letter {
            '\n' | '\r' | '\t' => ' ',
            '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' => char::REPLACEMENT_CHARACTER,
            _ if letter.is_control() => char::REPLACEMENT_CHARACTER,
            _ => letter,
        })
        .collect()
}

/// The table as text without a newline at its end. `people` is the present instant where people
/// read, on a terminal.
pub(super) fn render(heads: &[&str], rows: Vec<Vec<Cell>>, people: Option<Timestamp>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    // A pipe has no width, some terminals say 0: wrapping there would cut ids in two.
    let fits = people.is_some() && table.width().is_some_and(|width| width >= NARROWEST);
    table.set_content_arrangement(if fits {
        ContentArrangement::Dynamic
    } else {
        ContentArrangement::Disabled
    });
    table.set_header(
        heads
            .iter()
            .map(|head| comfy_table::Cell::new(head.to_uppercase()).add_attribute(Attribute::Bold)),
    );
    for row in rows {
        table.add_row(row.into_iter().map(|cell| shown(cell, people)));
    }
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 2));
        if index == 0 {
            // The first column is what one copies into the next command.
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
    let lines: Vec<String> = table
        .lines()
        .map(|line| line.trim_end().to_owned())
        .collect();
    lines.join("\n")
}

/// The terminal's width, where it is believable.
pub(super) fn terminal_width() -> Option<u16> {
    Table::new().width().filter(|width| *width >= NARROWEST)
}

fn shown(cell: Cell, people: Option<Timestamp>) -> comfy_table::Cell {
    match cell {
        Cell::Text(text) => comfy_table::Cell::new(plain(&text)),
        Cell::State(text, tone) => {
            let color = match tone {
                Tone::Good => Color::Green,
                Tone::Warn => Color::Yellow,
                Tone::Bad => Color::Red,
                Tone::Quiet => Color::DarkGrey,
            };
            comfy_table::Cell::new(plain(&text)).fg(color)
        }
        Cell::Number(number) => comfy_table::Cell::new(number).set_alignment(CellAlignment::Right),
        Cell::Time(at) => comfy_table::Cell::new(time(at, people)),
        Cell::Nothing => comfy_table::Cell::new("-"),
    }
}

/// An instant as people say it, or in RFC 3339 where nobody does.
pub(super) fn time(at: Timestamp, people: Option<Timestamp>) -> String {
    let Some(now) = people else {
        return at.to_string();
    };
    let (past, future) = (now.since(at).as_secs(), at.since(now).as_secs());
    match (past, future) {
        (0, 0) => "just now".to_owned(),
        (0, ahead) => format!("in {}", span(ahead)),
        (ago, _) => format!("{} ago", span(ago)),
    }
}

fn span(seconds: u64) -> String {
    match seconds {
        0..=119 => format!("{seconds}s"),
        120..=7_199 => format!("{}m", seconds / 60),
        7_200..=172_799 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(1_000_000_000_000 + seconds * 1_000)
    }

    #[test]
    fn times_are_relative_for_people_and_rfc_3339_for_programs() {
        let now = Some(at(0));
        assert_eq!(time(at(0), now), "just now");
        assert_eq!(time(at(-61), now), "61s ago");
        assert_eq!(time(at(-600), now), "10m ago");
        assert_eq!(time(at(3 * 86_400), now), "in 3d");
        assert_eq!(time(at(-600), None), "2001-09-09T01:36:40.000Z");
    }

    #[test]
    fn r9_text_from_outside_cannot_steer_the_terminal() {
        assert_eq!(plain("a\u{1b}[31mb\0c"), "a\u{fffd}[31mb\u{fffd}c");
        assert_eq!(plain("two\nlines"), "two lines");
        assert_eq!(plain("שלום 🦀 \u{202e}x"), "שלום 🦀 \u{fffd}x");
    }

    #[test]
    fn a_piped_table_has_upper_case_heads_no_borders_and_no_wrapping() {
        let long = "event_".repeat(60);
        let rows = vec![
            vec![
                Cell::from(long.as_str()),
                Cell::State("done".to_owned(), Tone::Quiet),
                Cell::Number(7),
            ],
            vec![Cell::from("b"), Cell::Nothing, Cell::from(Some(at(0)))],
        ];
        let text = render(&["id", "state", "n"], rows, None);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3, "{text}");
        assert!(
            lines[0].starts_with("ID ") && lines[0].ends_with(" N"),
            "{text}"
        );
        assert!(
            lines[1].contains(&long) && !text.contains('|') && !text.contains('\u{1b}'),
            "{text}"
        );
    }
}
