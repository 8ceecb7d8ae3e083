//! Lists in pages: `{"data":[…],"next_cursor":null|"…"}`, newest first. A cursor names the last row
//! shown, so that rows that are added meanwhile move nothing.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use schemars::JsonSchema;
use serde::Serialize;

use crate::clock::Timestamp;

use super::DeskError;

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
pub fn limit_of(asked: Option<i64>) -> Result<i64, DeskError> {
    match asked {
        None => Ok(50),
        Some(limit) if (1..=MAX_LIMIT).contains(&limit) => Ok(limit),
        Some(limit) => Err(DeskError::Invalid(format!(
            "limit is {limit}; it may be 1 to {MAX_LIMIT}"
        ))),
    }
}

/// The longest text that is looked for, in letters.
pub const LONGEST_SEARCH: usize = 200;

/// What is looked for: nothing where the text is empty, and no text that takes for ever to look for.
pub(super) fn sought(q: Option<&str>) -> Result<Option<String>, DeskError> {
    let letters = q.map_or(0, |q| q.chars().count());
    if letters > LONGEST_SEARCH {
        return Err(DeskError::Invalid(format!(
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

impl Cursor {
    /// Reads a cursor that we gave out.
    pub fn parse(text: &str) -> Result<Self, DeskError> {
        let read = || {
            let text = decoded(text)?;
            let (at, id) = text.split_once(' ')?;
            Some(Self {
                at: Timestamp(at.parse().ok()?),
                id: id.to_owned(),
            })
        };
        read().ok_or_else(not_ours)
    }

    /// As given out.
    pub fn encode(&self) -> String {
        URL_SAFE_NO_PAD.encode(format!("{} {}", self.at.micros(), self.id))
    }
}

/// Bytes that no text of ours has are not handed on to a database that refuses them.
fn decoded(cursor: &str) -> Option<String> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
    (!text.contains('\0')).then_some(text)
}

fn not_ours() -> DeskError {
    DeskError::Invalid(
        "the cursor is not one of ours: pass next_cursor as it came, or leave it out".to_owned(),
    )
}

/// The last row of a page in a list that is not in order of time: the values it is ordered by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place<const N: usize>(pub [String; N]);

impl<const N: usize> Place<N> {
    /// Reads a cursor that we gave out.
    pub fn parse(text: &str) -> Result<Self, DeskError> {
        let values: Option<Vec<String>> =
            decoded(text).and_then(|text| serde_json::from_str(&text).ok());
        let values = values.filter(|all| all.iter().all(|one| !one.contains('\0')));
        values
            .and_then(|all| all.try_into().ok())
            .map(Self)
            .ok_or_else(not_ours)
    }

    /// As given out.
    pub fn encode(&self) -> String {
        URL_SAFE_NO_PAD.encode(serde_json::json!(self.0.as_slice()).to_string())
    }
}

impl<T> Page<T> {
    /// A page from `limit + 1` rows of a list that is not in order of time.
    pub fn cut_at<const N: usize>(
        rows: Vec<T>,
        limit: i64,
        place: impl Fn(&T) -> [String; N],
    ) -> Self {
        Self::cut_after(rows, limit, |row| Place(place(row)).encode())
    }

    /// A page from `limit + 1` rows: the surplus one says that there are more.
    pub fn cut(rows: Vec<T>, limit: i64, cursor: impl Fn(&T) -> Cursor) -> Self {
        Self::cut_after(rows, limit, |row| cursor(row).encode())
    }

    fn cut_after(mut rows: Vec<T>, limit: i64, cursor: impl Fn(&T) -> String) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next_cursor = rows.last().filter(|_| more).map(cursor);
        Self {
            data: rows,
            next_cursor,
        }
    }

    /// The same page of something else.
    pub fn map<U>(self, into: impl FnMut(T) -> U) -> Page<U> {
        Page {
            data: self.data.into_iter().map(into).collect(),
            next_cursor: self.next_cursor,
        }
    }
}
