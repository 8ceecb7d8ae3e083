//! People by what they are found by: an address, a provider's id. Each is compared in its cleaned form
//! (R86 to R88); a value that identifies nobody finds nobody.

use diesel::prelude::*;

use crate::db::schema::{links, profiles};
use crate::db::{Conn, on_backend};
use crate::workos::clean;

use super::profiles::{ProfileRow, email_key};

/// Everybody of an organization under an address, whatever their status.
pub fn by_email(conn: &mut Conn, organization: &str, email: &str) -> QueryResult<Vec<ProfileRow>> {
    let Some(email) = email_key(email) else {
        return Ok(Vec::new());
    };
    on_backend!(conn, c => profiles::table
        .filter(profiles::organization_id.eq(organization))
        .filter(profiles::email_key.eq(email))
        .select(ProfileRow::as_select())
        .load(c))
}

/// The addresses, as shown, of an organization's people whose key is kept as this one.
pub fn addresses_under(
    conn: &mut Conn,
    organization: &str,
    kept: &str,
) -> QueryResult<Vec<String>> {
    on_backend!(conn, c => profiles::table
        .filter(profiles::organization_id.eq(organization))
        .filter(profiles::email_key.eq(kept))
        .filter(profiles::email.is_not_null())
        .select(profiles::email.assume_not_null())
        .load(c))
}

/// Everybody of an organization who has a link under a provider's id, in whatever directory.
pub fn by_idp_id(
    conn: &mut Conn,
    organization: &str,
    idp_id: &str,
) -> QueryResult<Vec<ProfileRow>> {
    let Some(idp_id) = clean::id_key(idp_id) else {
        return Ok(Vec::new());
    };
    on_backend!(conn, c => profiles::table
        .filter(profiles::organization_id.eq(organization))
        .filter(profiles::id.eq_any(links::table
            .filter(links::organization_id.eq(organization))
            .filter(links::idp_id.eq(idp_id))
            .filter(links::profile_id.is_not_null())
            .select(links::profile_id.assume_not_null())))
        .select(ProfileRow::as_select())
        .load(c))
}
