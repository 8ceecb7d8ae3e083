//! The bootstrap token: how automation begins before the first token has been created.

use secrecy::SecretString;

use super::reader::Reader;
use super::setting::{Setting, Shown};

/// Who may use `/v1` and the console beside the tokens in the database.
#[derive(Debug, Clone)]
pub struct Access {
    /// A token with role `admin` that always works; acts are audited as `bootstrap`.
    pub admin_token: Option<SecretString>,
}

const ADMIN_TOKEN: Setting = Setting::new(
    "ROLLCALL_ADMIN_TOKEN",
    "admin-token",
    "access.admin_token",
)
.help(
    "TOKEN",
    "A bearer token with role `admin`, so that automation can begin before `tokens create`.",
)
.shown(Shown::Secret);

pub(super) const SETTINGS: &[Setting] = &[ADMIN_TOKEN];

pub(super) fn read(from: &mut Reader<'_>) -> Option<Access> {
    Some(Access {
        admin_token: from.secret(&ADMIN_TOKEN),
    })
}
