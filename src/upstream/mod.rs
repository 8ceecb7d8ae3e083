//! Long conversations with WorkOS's API: catching up from the Events API and comparing directories.
//! Whatever is found there goes through the same outbox and the same fold as a webhook; nothing here
//! changes a person by itself. Each conversation holds a lease, so that of many processes one speaks.

mod catch_up;
mod reconcile;
mod refetch;
mod resync;
mod sync;

pub use catch_up::{CatchUp, CatchUpSettings, PullError, Pulled, Pulling};
pub use reconcile::{Progress, ReconcileError, Reconciler, Scheduled};
pub use resync::{ResyncError, ResyncStep, ResyncView, resync};
pub use sync::{SyncError, SyncView, sync};

use std::time::Duration;

use crate::clock::Timestamp;
use crate::db::{Conn, Db, DbError, Urgency};
pub use crate::domain::Comparing;
use crate::outbox::NewEvent;
use crate::workos::{EnvelopeError, read_envelope};

/// A conversation's lease is renewed while WorkOS is waited for: a process that dies leaves it for so long.
const LEASE: Duration = Duration::from_secs(60);
const RENEW: Duration = Duration::from_secs(20);

/// Waits for what may take minutes, where WorkOS asks for patience; the lease is ours meanwhile.
async fn renewing<T, E, R: Future<Output = Result<(), E>>>(
    work: impl Future<Output = T>,
    renew: impl Fn() -> R,
) -> Result<T, E> {
    tokio::pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return Ok(done),
            () = tokio::time::sleep(RENEW) => renew().await?,
        }
    }
}

/// An event as the outbox takes it, whichever way the body came.
pub(crate) fn new_event(body: &str, now: Timestamp) -> Result<NewEvent, EnvelopeError> {
    let envelope = read_envelope(body.as_bytes())?;
    Ok(NewEvent::new(envelope, body.to_owned(), now))
}

/// Reads the database where blocking is allowed.
async fn read<T: Send + 'static, E: From<DbError> + Send + 'static>(
    db: &Db,
    work: impl FnOnce(&mut Conn) -> Result<T, E> + Send + 'static,
) -> Result<T, E> {
    let db = db.clone();
    joined(tokio::task::spawn_blocking(move || db.read(work)).await)
}

/// Writes the database where blocking is allowed.
async fn write<T: Send + 'static, E: From<DbError> + Send + 'static>(
    db: &Db,
    work: impl FnOnce(&mut Conn) -> Result<T, E> + Send + 'static,
) -> Result<T, E> {
    let db = db.clone();
    joined(tokio::task::spawn_blocking(move || db.write(Urgency::Normal, work)).await)
}

fn joined<T, E: From<DbError>>(done: Result<Result<T, E>, tokio::task::JoinError>) -> Result<T, E> {
    done.unwrap_or_else(
        |error| Err(DbError::Pool(format!("a database task ended: {error}")).into()),
    )
}
