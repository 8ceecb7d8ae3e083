//! Who wants no messages (R64, R82). An opt-out is of the person who has the address when it is made
//! and follows them, whatever address they have later; the address's next holder is not meant. One of
//! an address that nobody has waits for whoever comes with it.

use std::collections::BTreeMap;

use diesel::prelude::*;

use crate::clock::Timestamp;
use crate::db::schema::{opt_outs, profiles};
use crate::db::{Conn, ROWS_PER_STATEMENT, in_parts, on_backend};
use crate::workos::clean;

/// An opt-out.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Insertable, Selectable)]
#[diesel(table_name = opt_outs, treat_none_as_default_value = false)]
#[allow(missing_docs, reason = "the columns are described in the migrations")]
pub struct OptOut {
    pub id: String,
    pub organization_id: String,
    pub address: String,
    pub profile_id: Option<String>,
    pub reason: Option<String>,
    pub created_at: Timestamp,
    pub created_by: String,
}

/// An address as it is matched (R88).
pub fn key(address: &str) -> String {
    clean::fold(address)
}

/// Whoever may come back is not gone; who left keeps no address (R24).
const GONE: [&str; 2] = ["removed", "erased"];

/// Who has an address now. Of several whom a person still has to tell apart, the one known longest.
pub fn holder_of(
    conn: &mut Conn,
    organization: &str,
    address: &str,
) -> QueryResult<Option<String>> {
    on_backend!(conn, c => profiles::table
        .filter(profiles::organization_id.eq(organization))
        .filter(profiles::email_key.eq(key(address)))
        .filter(profiles::status.ne_all(GONE))
        .order((profiles::first_seen_at, profiles::id))
        .select(profiles::id)
        .first(c)
        .optional())
}

/// Adds an opt-out; false when there was one.
pub fn add(conn: &mut Conn, row: &OptOut) -> QueryResult<bool> {
    let added = on_backend!(conn, c => diesel::insert_into(opt_outs::table).values(row).on_conflict_do_nothing().execute(c))?;
    Ok(added > 0)
}

/// The opt-out that speaks for an address: its holder's, or the one that waits for a holder.
pub fn find(conn: &mut Conn, organization: &str, address: &str) -> QueryResult<Option<OptOut>> {
    match holder_of(conn, organization, address)? {
        Some(holder) => of_person(conn, &holder),
        None => waiting(conn, organization, address),
    }
}

/// A person's opt-out.
pub fn of_person(conn: &mut Conn, profile: &str) -> QueryResult<Option<OptOut>> {
    on_backend!(conn, c => opt_outs::table
        .filter(opt_outs::profile_id.eq(profile))
        .first(c)
        .optional())
}

fn waiting(conn: &mut Conn, organization: &str, address: &str) -> QueryResult<Option<OptOut>> {
    on_backend!(conn, c => opt_outs::table
        .filter(opt_outs::organization_id.eq(organization))
        .filter(opt_outs::address.eq(key(address)))
        .filter(opt_outs::profile_id.is_null())
        .first(c)
        .optional())
}

/// The opt-out of somebody who had this address last and has left since.
pub fn of_former(
    conn: &mut Conn,
    organization: &str,
    address: &str,
) -> QueryResult<Option<OptOut>> {
    on_backend!(conn, c => opt_outs::table
        .filter(opt_outs::organization_id.eq(organization))
        .filter(opt_outs::address.eq(key(address)))
        .order(opt_outs::created_at.desc())
        .first(c)
        .optional())
}

/// An organization's opt-outs by id, after a given one.
pub fn after(
    conn: &mut Conn,
    organization: &str,
    id: &str,
    limit: usize,
) -> QueryResult<Vec<OptOut>> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    on_backend!(conn, c => opt_outs::table
        .filter(opt_outs::organization_id.eq(organization))
        .filter(opt_outs::id.gt(id))
        .order(opt_outs::id)
        .limit(limit)
        .select(OptOut::as_select())
        .load(c))
}

/// Brings an opt-out under the key that addresses have now; one that waits goes to whoever holds one
/// of `names`, the address as people write it.
pub fn readdress(conn: &mut Conn, row: &OptOut, names: &[String]) -> QueryResult<()> {
    let address = names.first().map_or(row.address.as_str(), String::as_str);
    let mut holder = row.profile_id.clone();
    if holder.is_none() {
        for name in names {
            holder = holder.or(holder_of(conn, &row.organization_id, name)?);
        }
    }
    let taken = match &holder {
        Some(profile) => of_person(conn, profile)?,
        None => waiting(conn, &row.organization_id, address)?,
    };
    if taken.is_some_and(|taken| taken.id != row.id) {
        return remove(conn, &row.id);
    }
    on_backend!(conn, c => diesel::update(opt_outs::table.find(&row.id))
        .set((opt_outs::address.eq(key(address)), opt_outs::profile_id.eq(&holder)))
        .execute(c))?;
    Ok(())
}

/// Takes an opt-out off.
pub fn remove(conn: &mut Conn, id: &str) -> QueryResult<()> {
    on_backend!(conn, c => diesel::delete(opt_outs::table.find(id)).execute(c))?;
    Ok(())
}

/// People of an organization came to addresses, by profile id: what waits for an address becomes
/// theirs, and what is theirs is listed under the new one.
pub fn follow(
    conn: &mut Conn,
    organization: &str,
    addresses: &BTreeMap<String, String>,
) -> QueryResult<()> {
    let people: Vec<String> = addresses.keys().cloned().collect();
    let theirs: Vec<OptOut> = in_parts(
        &people,
        |some| on_backend!(conn, c => opt_outs::table.filter(opt_outs::profile_id.eq_any(some)).load(c)),
    )?;
    for row in &theirs {
        let address = row.profile_id.as_ref().and_then(|id| addresses.get(id));
        if let Some(address) = address.map(|address| key(address)) {
            on_backend!(conn, c => diesel::update(opt_outs::table.find(&row.id))
                .set(opt_outs::address.eq(&address))
                .execute(c))?;
        }
    }
    let keys: BTreeMap<String, &String> = addresses
        .iter()
        .map(|(profile, address)| (key(address), profile))
        .collect();
    let asked: Vec<String> = keys.keys().cloned().collect();
    let waiting: Vec<OptOut> = in_parts(&asked, |some| {
        on_backend!(conn, c => opt_outs::table
            .filter(opt_outs::organization_id.eq(organization))
            .filter(opt_outs::address.eq_any(some))
            .filter(opt_outs::profile_id.is_null())
            .load(c))
    })?;
    for row in waiting {
        let Some(profile) = keys.get(&row.address) else {
            continue;
        };
        if theirs
            .iter()
            .any(|own| own.profile_id.as_ref() == Some(profile))
        {
            remove(conn, &row.id)?;
        } else {
            on_backend!(conn, c => diesel::update(opt_outs::table.find(&row.id))
                .set(opt_outs::profile_id.eq(*profile))
                .execute(c))?;
        }
    }
    Ok(())
}

/// Moves the opt-out of a profile that turned out to be another's; one is enough.
pub fn reassign(conn: &mut Conn, from: &str, to: &str) -> QueryResult<()> {
    if of_person(conn, to)?.is_some() {
        on_backend!(conn, c => diesel::delete(opt_outs::table.filter(opt_outs::profile_id.eq(from))).execute(c))?;
        return Ok(());
    }
    on_backend!(conn, c => diesel::update(opt_outs::table.filter(opt_outs::profile_id.eq(from)))
        .set(opt_outs::profile_id.eq(to))
        .execute(c))?;
    Ok(())
}

/// Takes a person's opt-out off, and what waits for an address they had, unless somebody else has it
/// (R65).
pub fn forget(
    conn: &mut Conn,
    organization: &str,
    profile: &str,
    addresses: &[String],
) -> QueryResult<()> {
    on_backend!(conn, c => diesel::delete(opt_outs::table.filter(opt_outs::profile_id.eq(profile))).execute(c))?;
    for address in addresses {
        if holder_of(conn, organization, address)?.is_none()
            && let Some(row) = waiting(conn, organization, address)?
        {
            remove(conn, &row.id)?;
        }
    }
    Ok(())
}

/// Those of the given people who want no messages.
pub fn among(conn: &mut Conn, people: &[String]) -> QueryResult<Vec<String>> {
    let mut all = Vec::new();
    for chunk in people.chunks(ROWS_PER_STATEMENT) {
        let some: Vec<Option<String>> = on_backend!(conn, c => opt_outs::table
            .filter(opt_outs::profile_id.eq_any(chunk))
            .select(opt_outs::profile_id)
            .load(c))?;
        all.extend(some.into_iter().flatten());
    }
    Ok(all)
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
            .order((opt_outs::created_at.desc(), opt_outs::id.desc()))
            .limit(limit)
            .into_boxed();
        if let Some(organization) = organization {
            query = query.filter(opt_outs::organization_id.eq(organization));
        }
        if let Some((at, id)) = before {
            query = query.filter(opt_outs::created_at.lt(at)
                .or(opt_outs::created_at.eq(at).and(opt_outs::id.lt(id))));
        }
        query.load(c)
    })
}
