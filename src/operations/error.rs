//! Why an operation was refused. Every message says what to do; none holds personal data or internals.

use crate::conditions::Problem;
use crate::db::DbError;

/// Why something was not done or shown.
#[derive(Debug, thiserror::Error)]
pub enum OperationError {
    /// No such thing, or not for this actor's eyes.
    #[error("there is no {what} {id}")]
    NotFound {
        /// `event`, `profile`, …
        what: &'static str,
        /// The id asked for.
        id: String,
    },
    /// What was asked for makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// What was sent has problems, all told at once.
    #[error("{}", .0.iter().map(|problem| format!("{}: {}", problem.path, problem.message)).collect::<Vec<_>>().join("; "))]
    Problems(Vec<Problem>),
    /// Not possible in the present state.
    #[error("{0}")]
    Conflict(String),
    /// Not with this role.
    #[error("{0}")]
    Forbidden(String),
    /// It would take longer than anybody may keep the database busy.
    #[error("{0}")]
    TooSlow(String),
    /// The database.
    #[error(transparent)]
    Database(#[from] DbError),
}

impl OperationError {
    /// Nothing of that id.
    pub fn not_found(what: &'static str, id: &str) -> Self {
        Self::NotFound {
            what,
            id: id.to_owned(),
        }
    }
}

impl From<diesel::result::Error> for OperationError {
    fn from(error: diesel::result::Error) -> Self {
        Self::Database(DbError::Query(error))
    }
}
