//! `DATABASE_URL`, read once: SQLite or PostgreSQL, and nothing else by accident. An unknown scheme
//! is an error that teaches, so that a typing error makes no stray SQLite file.

use std::path::PathBuf;

use super::DbError;

/// Where the roll is kept.
#[derive(Clone, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// A SQLite file.
    Sqlite(PathBuf),
    /// A PostgreSQL URL as libpq takes it.
    Postgres(String),
}

impl DatabaseUrl {
    /// Reads `sqlite://relative.db`, `sqlite:///absolute.db`, `sqlite:file.db`, `postgres://…` or
    /// `postgresql://…`.
    pub fn parse(url: &str) -> Result<Self, DbError> {
        if let Some(rest) = url.strip_prefix("sqlite:") {
            let path = rest.strip_prefix("//").unwrap_or(rest);
            if path.is_empty() || path.contains(":memory:") {
                return Err(DbError::Url(
                    "DATABASE_URL names no SQLite file: Rollcall needs one on disk (a 200 promises durability); \
                     write for example sqlite://rollcall.db or sqlite:///var/lib/rollcall/rollcall.db"
                        .into(),
                ));
            }
            return Ok(Self::Sqlite(PathBuf::from(path)));
        }
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return Ok(Self::Postgres(url.to_owned()));
        }
        let scheme = url.split(':').next().filter(|scheme| scheme.len() < 20).unwrap_or("");
        Err(DbError::Url(format!(
            "DATABASE_URL has the unknown scheme {scheme:?}: write sqlite://rollcall.db for an embedded database, \
             or postgres://user:password@host/database; check that the value has no quotes around it"
        )))
    }

    /// For messages: scheme and place, never user or password.
    pub fn place(&self) -> String {
        match self {
            Self::Sqlite(path) => format!("sqlite, {}", path.display()),
            Self::Postgres(url) => {
                let rest = url.split("://").nth(1).unwrap_or("");
                let place = rest.rsplit('@').next().unwrap_or("").split('?').next().unwrap_or("");
                format!("postgres, {place}")
            }
        }
    }
}

impl std::fmt::Debug for DatabaseUrl {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&self.place())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sqlite_and_postgres_urls_are_told_apart() {
        assert_eq!(DatabaseUrl::parse("sqlite://a.db").ok(), Some(DatabaseUrl::Sqlite("a.db".into())));
        assert_eq!(DatabaseUrl::parse("sqlite:///v/a.db").ok(), Some(DatabaseUrl::Sqlite("/v/a.db".into())));
        assert!(matches!(DatabaseUrl::parse("postgresql://x/y"), Ok(DatabaseUrl::Postgres(_))));
    }

    #[test]
    fn an_unknown_scheme_is_an_error_that_teaches() {
        let error = DatabaseUrl::parse("mysql://x").map(|_| ()).unwrap_err().to_string();
        assert!(error.contains("mysql") && error.contains("sqlite://rollcall.db"), "{error}");
        assert!(DatabaseUrl::parse("sqlite::memory:").is_err());
    }

    #[test]
    fn a_password_never_shows() {
        let url = DatabaseUrl::parse("postgres://bob:secret@db.example/roll?sslmode=require");
        let shown = format!("{url:?}");
        assert!(!shown.contains("secret") && shown.contains("db.example/roll"), "{shown}");
    }
}
