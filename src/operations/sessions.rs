//! Signing in to the console: a session begins with a token that is known, is looked up on every request,
//! and ends where the person signs out, whatever their browser still keeps.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::db::Conn;
use crate::store::sessions::{self, SessionRow};

use super::OperationError;

/// How long a session lasts: a working day.
pub const LIFETIME: Duration = Duration::from_secs(12 * 3_600);

/// Begins a session, known by the SHA-256 of what the browser keeps, of the token of that SHA-256.
pub fn begin(
    conn: &mut Conn,
    id: &[u8; 32],
    token: &[u8; 32],
    now: Timestamp,
) -> Result<(), OperationError> {
    let row = SessionRow {
        id: hex::encode(id),
        token_digest: hex::encode(token),
        created_at: now,
        ends_at: now.plus(LIFETIME),
    };
    Ok(sessions::begin(conn, &row)?)
}

/// The SHA-256 of the token behind a live session.
pub fn token_of(
    conn: &mut Conn,
    id: &[u8; 32],
    now: Timestamp,
) -> Result<Option<[u8; 32]>, OperationError> {
    let digest = sessions::token_of(conn, &hex::encode(id), now)?;
    Ok(digest.and_then(|digest| hex::decode(digest).ok()?.try_into().ok()))
}

/// Ends a session.
pub fn end(conn: &mut Conn, id: &[u8; 32]) -> Result<(), OperationError> {
    Ok(sessions::end(conn, &hex::encode(id))?)
}
