//! Asking WorkOS to read a directory from its provider now. What it finds comes as events, by itself;
//! nothing is waited for. WorkOS runs one at a time and allows few, so that its two refusals are told
//! apart: one is running already, and not before so many seconds.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

use super::{read, write};
use crate::clock::Clock;
use crate::db::{Db, DbError};
use crate::operations::{Actor, OperationError, directories};
use crate::workos::client::{Client, ClientError};

/// A sync that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[allow(missing_docs, reason = "the fields of the API")]
#[schemars(rename = "DirectorySync")]
pub struct SyncView {
    pub directory_id: String,
    /// `queued`: WorkOS has taken the request; changes follow as events.
    pub status: &'static str,
}

/// Why a sync was not begun.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// The operation was refused.
    #[error(transparent)]
    Desk(#[from] OperationError),
    /// One is running.
    #[error("WorkOS is syncing this directory already; what it finds arrives as events")]
    Running,
    /// Too soon after the last one, whoever asked for it.
    #[error("WorkOS does not allow another sync of this directory yet; {}", again(*.0))]
    TooSoon(Option<Duration>),
    /// Not for this directory.
    #[error(
        "WorkOS does not sync this directory on request ({0}): it does so for linked Google Workspace directories; the others send their changes by themselves, and `rollcall directories reconcile` compares them"
    )]
    NotPossible(ClientError),
    /// WorkOS could not be asked.
    #[error(transparent)]
    Client(ClientError),
}

fn again(after: Option<Duration>) -> String {
    match after {
        Some(after) => format!("try again in {} seconds", after.as_secs()),
        None => "try again in a few minutes".to_owned(),
    }
}

impl From<DbError> for SyncError {
    fn from(error: DbError) -> Self {
        Self::Desk(error.into())
    }
}

impl From<ClientError> for SyncError {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::RateLimited { retry_after, .. } => Self::TooSoon(retry_after),
            ClientError::Refused { status: 409, .. } => Self::Running,
            ClientError::NotFound { .. } | ClientError::Refused { .. } => Self::NotPossible(error),
            error => Self::Client(error),
        }
    }
}

/// Asks for a sync of a directory that is known here.
pub async fn sync(
    db: &Db,
    clock: &Clock,
    client: &Client,
    actor: Actor,
    id: &str,
) -> Result<SyncView, SyncError> {
    let (by, directory) = (actor.clone(), id.to_owned());
    read(db, move |conn| {
        directories::may_sync(conn, &by, &directory).map_err(SyncError::from)
    })
    .await?;
    client.sync_directory(id).await?;
    let (directory, now) = (id.to_owned(), clock.now());
    write(db, move |conn| {
        directories::sync_requested(conn, &actor, &directory, now).map_err(SyncError::from)
    })
    .await?;
    Ok(SyncView {
        directory_id: id.to_owned(),
        status: "queued",
    })
}
