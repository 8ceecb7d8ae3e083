//! The one connection type, over both databases. Reads and plain writes work on the enum itself;
//! what Diesel cannot express on it (`ON CONFLICT`, `RETURNING`, batches) is typed once and compiled
//! per backend through `on_backend!`.
#![allow(missing_docs, reason = "Diesel's derive makes undocumented items")]

use diesel::{PgConnection, SqliteConnection};

use super::Backend;

/// A connection to either database.
#[derive(diesel::MultiConnection)]
pub enum Conn {
    /// The embedded database.
    Sqlite(SqliteConnection),
    /// A server that speaks PostgreSQL's protocol.
    Postgres(PgConnection),
}

impl Conn {
    /// Which database this is.
    pub fn backend(&self) -> Backend {
        match self {
            Self::Sqlite(_) => Backend::Sqlite,
            Self::Postgres(_) => Backend::Postgres,
        }
    }
}
