//! The keys by which directory users meet, after the mapping changed: an employee number may be said
//! in another place now. First the new keys of everybody are added, then everybody is folded again over
//! old and new keys together (so that no profile stands in two cluster at once), then the old ones go. The
//! same after an upgrade that reads keys in another way.

use std::collections::BTreeSet;

use diesel::QueryResult;

use crate::db::{Conn, ROWS_PER_STATEMENT};
use crate::domain::{Settings, keys_said};
use crate::store::cluster::{self, Key};
use crate::store::{observations, opt_outs, profiles};

/// Adds the keys that the observations of these directory users say under these settings.
pub(super) fn widen(
    conn: &mut Conn,
    organization: &str,
    users: &[String],
    settings: &Settings,
) -> QueryResult<()> {
    let said = keys_of(conn, organization, users, settings)?;
    cluster::save_keys(conn, &said.into_iter().collect::<Vec<_>>())
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
    let known = cluster::keys_of_users(conn, organization, users)?;
    let gone: Vec<(Key, String)> = known
        .difference(&said)
        .filter(|((_, key), _)| !cluster::is_decided(key))
        .cloned()
        .collect();
    cluster::delete_keys(conn, &gone)
}

/// Brings opt-outs under the keys that their addresses have now (R88). One that waits under an
/// address kept in small letters other than ASCII's is given to whose address that is.
pub(super) fn opt_outs(conn: &mut Conn, organization: &str) -> QueryResult<()> {
    let mut after = String::new();
    loop {
        let rows = opt_outs::after(conn, organization, &after, ROWS_PER_STATEMENT)?;
        let Some(last) = rows.last() else {
            return Ok(());
        };
        after.clone_from(&last.id);
        for row in rows.into_iter().filter(|row| !row.address.is_ascii()) {
            let names = profiles::addresses_under(conn, organization, &row.address)?;
            opt_outs::readdress(conn, &row, &names)?;
        }
    }
}

fn keys_of(
    conn: &mut Conn,
    organization: &str,
    users: &[String],
    settings: &Settings,
) -> QueryResult<BTreeSet<(Key, String)>> {
    let mut all = BTreeSet::new();
    for observation in observations::of_links(conn, users)? {
        let user = observation.directory_user_id().to_owned();
        let keys = keys_said(&observation, settings).into_iter();
        all.extend(keys.map(|key| ((organization.to_owned(), key), user.clone())));
    }
    Ok(all)
}
