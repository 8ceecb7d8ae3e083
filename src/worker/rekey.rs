//! The keys by which directory users meet, after the mapping changed: an employee number may be said
//! in another place now. First the new keys of everybody are added, then everybody is folded again over
//! old and new keys together (so that no profile stands in two kin at once), then the old ones go.

use std::collections::BTreeSet;

use diesel::QueryResult;

use crate::db::Conn;
use crate::people::kin::{self, Key};
use crate::people::statements;
use crate::roll::{Settings, keys_said};

/// Adds the keys that the statements of these directory users say under these settings.
pub(super) fn widen(
    conn: &mut Conn,
    organization: &str,
    users: &[String],
    settings: &Settings,
) -> QueryResult<()> {
    let said = keys_of(conn, organization, users, settings)?;
    kin::save_keys(conn, &said.into_iter().collect::<Vec<_>>())
}

/// Takes away the keys that nothing says any more under these settings; those that an operator's
/// decision made stay.
pub(super) fn narrow(
    conn: &mut Conn,
    organization: &str,
    users: &[String],
    settings: &Settings,
) -> QueryResult<()> {
    let said = keys_of(conn, organization, users, settings)?;
    let known = kin::keys_of_users(conn, organization, users)?;
    let gone: Vec<(Key, String)> = known
        .difference(&said)
        .filter(|((_, key), _)| !kin::is_decided(key))
        .cloned()
        .collect();
    kin::delete_keys(conn, &gone)
}

fn keys_of(
    conn: &mut Conn,
    organization: &str,
    users: &[String],
    settings: &Settings,
) -> QueryResult<BTreeSet<(Key, String)>> {
    let mut all = BTreeSet::new();
    for statement in statements::of_links(conn, users)? {
        let user = statement.directory_user_id().to_owned();
        let keys = keys_said(&statement, settings).into_iter();
        all.extend(keys.map(|key| ((organization.to_owned(), key), user.clone())));
    }
    Ok(all)
}
