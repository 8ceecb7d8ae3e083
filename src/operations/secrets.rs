//! The key that signs outgoing webhooks, where none is configured: made up once, kept in the
//! database, shown to whoever runs the binary beside it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::SecretString;

use crate::clock::Timestamp;
use crate::db::Conn;
use crate::store::secrets;

use super::OperationError;

/// The key, as Standard Webhooks writes it: `whsec_` and the base64 of 32 random bytes.
pub fn webhook_key(conn: &mut Conn, now: Timestamp) -> Result<SecretString, OperationError> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes).map_err(|error| {
        OperationError::Invalid(format!("the system gave no random bytes: {error}"))
    })?;
    let made = format!("whsec_{}", STANDARD.encode(bytes));
    Ok(SecretString::from(secrets::keep(
        conn,
        secrets::WEBHOOK_KEY,
        &made,
        now,
    )?))
}
