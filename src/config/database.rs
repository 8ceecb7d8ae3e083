//! Where the data lives: SQLite in a file, or PostgreSQL. Only the scheme is judged here, so that a
//! typing error is told at start together with all others; connecting is the business of `db`.

use std::fmt;

use super::mask;
use super::reader::Reader;
use super::setting::{Setting, Shown};

/// Where the data lives.
#[derive(Clone)]
pub struct Database {
    /// `sqlite://path` or `postgres://…`; may hold a password, which `Debug` masks.
    pub url: String,
}

impl fmt::Debug for Database {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Database")
            .field("url", &mask::url(&self.url))
            .finish()
    }
}

const URL: Setting = Setting::new("DATABASE_URL", "database-url", "database.url")
    .help(
        "URL",
        "Where the data lives: `sqlite://path/to/file.db` or `postgres://user:password@host/database`.",
    )
    .default("sqlite://rollcall.db")
    .shown(Shown::UrlWithPassword);

pub(super) const SETTINGS: &[Setting] = &[URL];

pub(super) fn read(from: &mut Reader<'_>) -> Option<Database> {
    Some(Database {
        url: from.value(&URL, database_url)?,
    })
}

/// The error names the scheme only: the rest of a URL may be a password.
fn database_url(text: &str) -> Result<String, String> {
    let rest = ["sqlite://", "postgres://", "postgresql://"]
        .iter()
        .find_map(|scheme| text.strip_prefix(scheme));
    match rest {
        Some("") => Err(
            "names no database after `://`: write `sqlite://rollcall.db` or \
                         `postgres://user:password@host/database`"
                .to_owned(),
        ),
        Some(_) => Ok(text.to_owned()),
        None => {
            let said = match text.split_once("://") {
                Some((scheme, _)) => {
                    format!("has the scheme `{scheme}://`, which Rollcall does not know")
                }
                None => "has no scheme".to_owned(),
            };
            Err(format!(
                "{said}: write `sqlite://rollcall.db` for a file beside you, `sqlite:///var/lib/rollcall.db` for \
                 an absolute path, or `postgres://user:password@host:5432/database`"
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sqlite_and_postgres_are_known_and_anything_else_is_taught() {
        assert!(database_url("sqlite://rollcall.db").is_ok());
        assert!(database_url("postgres://a:b@h/d").is_ok());
        assert!(database_url("postgresql://h/d").is_ok());
        let said = database_url("mysql://root:hunter2@h/d").unwrap_err();
        assert!(
            said.contains("mysql://") && said.contains("sqlite://") && said.contains("postgres://"),
            "{said}"
        );
        assert!(!said.contains("hunter2"), "{said}");
        assert!(
            database_url("rollcall.db")
                .unwrap_err()
                .contains("no scheme")
        );
        assert!(database_url("sqlite://").is_err());
    }

    #[test]
    fn a_password_does_not_show_in_debug() {
        let shown = format!(
            "{:?}",
            Database {
                url: "postgres://u:hunter2@h/d".to_owned()
            }
        );
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
