//! People whose data must be kept for a dispute: neither an erasure nor the retention touches them
//! until they are released (R65).

use std::collections::BTreeSet;

use diesel::prelude::*;

use crate::clock::Timestamp;
use crate::db::schema::{legal_holds, links};
use crate::db::{Conn, in_parts, on_backend};

/// Why somebody's data must be kept.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Insertable, Selectable)]
#[diesel(table_name = legal_holds)]
#[allow(missing_docs, reason = "the columns are described in the migrations")]
pub struct LegalHold {
    pub profile_id: String,
    pub organization_id: String,
    pub reason: String,
    pub placed_by: String,
    pub placed_at: Timestamp,
}

/// Places a hold; false when there is one already.
pub fn place(conn: &mut Conn, hold: &LegalHold) -> QueryResult<bool> {
    let placed = on_backend!(conn, c => diesel::insert_into(legal_holds::table).values(hold).on_conflict_do_nothing().execute(c))?;
    Ok(placed > 0)
}

/// Releases a hold; false when there was none.
pub fn release(conn: &mut Conn, profile: &str) -> QueryResult<bool> {
    let released =
        on_backend!(conn, c => diesel::delete(legal_holds::table.find(profile)).execute(c))?;
    Ok(released > 0)
}

/// The hold on somebody.
pub fn find(conn: &mut Conn, profile: &str) -> QueryResult<Option<LegalHold>> {
    on_backend!(conn, c => legal_holds::table.find(profile).first(c).optional())
}

/// Those of the given people who are held.
pub fn among(conn: &mut Conn, profiles: &[String]) -> QueryResult<BTreeSet<String>> {
    let all: Vec<String> = in_parts(profiles, |some| {
        on_backend!(conn, c => legal_holds::table
            .filter(legal_holds::profile_id.eq_any(some))
            .select(legal_holds::profile_id)
            .load(c))
    })?;
    Ok(all.into_iter().collect())
}

/// Everybody who is held.
pub fn people(conn: &mut Conn) -> QueryResult<Vec<String>> {
    on_backend!(conn, c => legal_holds::table.select(legal_holds::profile_id).load(c))
}

/// The directory users of everybody who is held.
pub fn directory_users(conn: &mut Conn) -> QueryResult<Vec<String>> {
    on_backend!(conn, c => links::table
        .filter(links::profile_id.eq_any(legal_holds::table.select(legal_holds::profile_id.nullable())))
        .select(links::directory_user_id)
        .load(c))
}

/// Moves the hold on a profile that turned out to be another's.
pub fn reassign(conn: &mut Conn, from: &str, to: &str) -> QueryResult<()> {
    if let Some(hold) = find(conn, from)? {
        release(conn, from)?;
        place(
            conn,
            &LegalHold {
                profile_id: to.to_owned(),
                ..hold
            },
        )?;
    }
    Ok(())
}
