//! Addresses that want no messages (R64), by organization; matched without case.

use diesel::prelude::*;

use crate::clock::Timestamp;
use crate::db::schema::{opt_outs, profiles};
use crate::db::{Conn, on_backend};
use crate::workos::clean;

/// One address that wants nothing.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Insertable, Selectable)]
#[diesel(table_name = opt_outs, treat_none_as_default_value = false)]
#[allow(missing_docs, reason = "the columns are described in the migrations")]
pub struct OptOut {
    pub organization_id: String,
    pub address: String,
    pub reason: Option<String>,
    pub created_at: Timestamp,
    pub created_by: String,
}

/// An address as it is matched (R88).
pub fn key(address: &str) -> String {
    clean::fold(address)
}

/// Adds an address; false when it was there.
pub fn add(conn: &mut Conn, row: &OptOut) -> QueryResult<bool> {
    let added = on_backend!(conn, c => diesel::insert_into(opt_outs::table).values(row).on_conflict_do_nothing().execute(c))?;
    Ok(added > 0)
}

/// Takes an address off; false when it was not there.
pub fn remove(conn: &mut Conn, organization: &str, address: &str) -> QueryResult<bool> {
    delete(conn, organization, &key(address))
}

/// Takes a row off by its address as it is kept; false when it was not there.
pub fn delete(conn: &mut Conn, organization: &str, kept: &str) -> QueryResult<bool> {
    let gone = on_backend!(conn, c => diesel::delete(opt_outs::table.find((organization, kept))).execute(c))?;
    Ok(gone > 0)
}

/// An organization's rows by address, after a given one.
pub fn after(
    conn: &mut Conn,
    organization: &str,
    address: &str,
    limit: usize,
) -> QueryResult<Vec<OptOut>> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    on_backend!(conn, c => opt_outs::table
        .filter(opt_outs::organization_id.eq(organization))
        .filter(opt_outs::address.gt(address))
        .order(opt_outs::address)
        .limit(limit)
        .select(OptOut::as_select())
        .load(c))
}

/// Takes these addresses off, but none under which somebody else is still there (R65).
pub fn forget(conn: &mut Conn, organization: &str, addresses: &[String]) -> QueryResult<()> {
    for address in addresses.iter().map(|address| key(address)) {
        let taken: bool = on_backend!(conn, c => diesel::select(diesel::dsl::exists(profiles::table
            .filter(profiles::organization_id.eq(organization))
            .filter(profiles::email_key.eq(&address))
            .filter(profiles::status.ne_all(["removed", "erased"]))))
            .get_result(c))?;
        if !taken {
            remove(conn, organization, &address)?;
        }
    }
    Ok(())
}

/// Whether an address wants nothing.
pub fn has(conn: &mut Conn, organization: &str, address: &str) -> QueryResult<bool> {
    on_backend!(conn, c => diesel::select(diesel::dsl::exists(opt_outs::table.find((organization, key(address))))).get_result(c))
}

/// The list, newest first, from a cursor on.
pub fn list(
    conn: &mut Conn,
    organization: Option<&str>,
    before: Option<(Timestamp, String)>,
    limit: i64,
) -> QueryResult<Vec<OptOut>> {
    on_backend!(conn, c => {
        let mut query = opt_outs::table
            .order((opt_outs::created_at.desc(), opt_outs::address.desc()))
            .limit(limit)
            .into_boxed();
        if let Some(organization) = organization {
            query = query.filter(opt_outs::organization_id.eq(organization));
        }
        if let Some((at, address)) = before {
            query = query.filter(opt_outs::created_at.lt(at)
                .or(opt_outs::created_at.eq(at).and(opt_outs::address.lt(address))));
        }
        query.load(c)
    })
}
