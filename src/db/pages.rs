//! Whether SQLite's pages can be read and fit together: quickly at a start, wholly for the doctor, and for so
//! long only as was asked for, since all of the file is read.

use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_types::Text;

use super::deadline::{Limit, within};
use super::{Conn, Db, DbError, Fault};

/// What a look at the pages came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pages {
    /// They fit together, as far as was looked.
    Sound,
    /// Nothing was found in the time there was.
    Unfinished,
    /// They do not, and what was found first.
    Damaged(String),
}

/// How thorough a look is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// Each page.
    Quick,
    /// Each index against its table as well.
    Whole,
}

#[derive(QueryableByName)]
struct Line {
    #[diesel(sql_type = Text)]
    line: String,
}

/// What SQLite says of a database that is sound.
const SOUND: &str = "ok";

impl Db {
    /// Looks at the pages of a SQLite database for at most `time`; PostgreSQL looks after its own (blocking).
    pub fn look_at_pages(&self, look: Look, time: Duration) -> Result<Pages, DbError> {
        let limit = Limit::new(time);
        let found = within(&limit, || {
            self.read(|conn| Ok::<_, DbError>(ask(conn, look)?))
        });
        match found {
            Ok(None) => Ok(Pages::Sound),
            Ok(Some(first)) => Ok(Pages::Damaged(first)),
            Err(_) if limit.was_met() => Ok(Pages::Unfinished),
            Err(error) if error.fault() == Fault::Damaged => Ok(Pages::Damaged(error.to_string())),
            Err(error) => Err(error),
        }
    }
}

/// The first thing that is wrong.
fn ask(conn: &mut Conn, look: Look) -> QueryResult<Option<String>> {
    let Conn::Sqlite(c) = conn else {
        return Ok(None);
    };
    let line: Line = match look {
        Look::Quick => {
            diesel::sql_query("SELECT quick_check AS line FROM pragma_quick_check LIMIT 1")
        }
        Look::Whole => {
            diesel::sql_query("SELECT integrity_check AS line FROM pragma_integrity_check LIMIT 1")
        }
    }
    .get_result(c)?;
    let found = line.line;
    // The first line says which database, and there is one.
    let first = found.lines().find(|line| !line.starts_with("***"));
    Ok((found != SOUND).then(|| first.unwrap_or(&found).to_owned()))
}
