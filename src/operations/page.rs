//! Lists in pages: `{"data":[…],"next_cursor":null|"…"}`, newest first. A cursor names the last row
//! shown, so that rows that are added meanwhile move nothing. How it is written is in [`super::listing`].

use schemars::JsonSchema;
use serde::Serialize;

use crate::clock::Timestamp;

use super::OperationError;

/// The most rows a page has.
pub const MAX_LIMIT: i64 = 200;

/// One page of a list.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "PageOf{T}")]
pub struct Page<T> {
    /// The rows.
    pub data: Vec<T>,
    /// Where the next page begins; `None` at the end.
    pub next_cursor: Option<String>,
}

/// The rows of a page: 1 to 200, 50 when nothing is said.
pub fn limit_of(asked: Option<i64>) -> Result<i64, OperationError> {
    match asked {
        None => Ok(50),
        Some(limit) if (1..=MAX_LIMIT).contains(&limit) => Ok(limit),
        Some(limit) => Err(OperationError::Invalid(format!(
            "limit is {limit}; it may be 1 to {MAX_LIMIT}"
        ))),
    }
}

/// The longest text that is looked for, in letters.
pub const LONGEST_SEARCH: usize = 200;

/// What is looked for: nothing where the text is empty, and no text that takes for ever to look for.
pub(super) fn sought(q: Option<&str>) -> Result<Option<String>, OperationError> {
    let letters = q.map_or(0, |q| q.chars().count());
    if letters > LONGEST_SEARCH {
        return Err(OperationError::Invalid(format!(
            "q has {letters} letters; it may have {LONGEST_SEARCH}"
        )));
    }
    Ok(q.filter(|q| !q.is_empty()).map(str::to_owned))
}

/// The last row of a page: its place in time and its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// The sort column.
    pub at: Timestamp,
    /// What tells rows of one instant apart.
    pub id: String,
}

impl<T> Page<T> {
    /// The same page of something else.
    pub fn map<U>(self, into: impl FnMut(T) -> U) -> Page<U> {
        Page {
            data: self.data.into_iter().map(into).collect(),
            next_cursor: self.next_cursor,
        }
    }
}
