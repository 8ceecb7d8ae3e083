//! The bootstrap token: how automation begins before the first token has been created.

use secrecy::SecretString;

use super::reader::Reader;
use super::setting::{Setting, Shown};

/// Who may use `/v1` and the console beside the tokens in the database.
#[derive(Debug, Clone)]
pub struct Access {
    /// A token with role `admin` that always works; acts are audited as `bootstrap`.
    pub admin_token: Option<SecretString>,
    /// The key that ids of erased people are hashed by, where it is not to lie in the database.
    pub erasure_key: Option<SecretString>,
}

const ADMIN_TOKEN: Setting = Setting::new(
    "ROLLCALL_ADMIN_TOKEN",
    "admin-token",
    "access.admin_token",
)
.help(
    "TOKEN",
    "A bearer token with role `admin`, so that automation can begin before `tokens create`. At least 32 letters: \
         `openssl rand -hex 32` makes one.",
)
.shown(Shown::Secret);

const ERASURE_KEY: Setting = Setting::new(
    "ROLLCALL_ERASURE_KEY",
    "erasure-key",
    "access.erasure_key",
)
.help(
    "KEY",
    "The key that ids of erased people are hashed by, at least 32 letters. Unset: made up at the first erasure and \
         kept in the database. Set: nowhere in the database; to move it out, set it to the value there. Losing it \
         lets erased people come back.",
)
.shown(Shown::Secret);

pub(super) const SETTINGS: &[Setting] = &[ADMIN_TOKEN, ERASURE_KEY];

pub(super) fn read(from: &mut Reader<'_>) -> Option<Access> {
    Some(Access {
        admin_token: from.value(&ADMIN_TOKEN, own_secret),
        erasure_key: from.value(&ERASURE_KEY, own_secret),
    })
}

/// The fewest letters of a secret that is ours to choose: what can be guessed is no secret.
pub(super) const FEWEST: usize = 32;

/// A secret that the operator makes up. The value is never repeated.
pub(super) fn own_secret(text: &str) -> Result<SecretString, String> {
    let letters = text.chars().count();
    if letters < FEWEST {
        return Err(format!(
            "has {letters} letters and could be guessed: at least {FEWEST} are wanted, `openssl rand -hex 32` makes some"
        ));
    }
    Ok(SecretString::from(text))
}
