//! Who is in a community and who was, a page at a time and found by indexes, however many there are;
//! and which communities somebody is in.

use std::collections::BTreeMap;

use diesel::prelude::*;

use crate::clock::Timestamp;
use crate::db::schema::{communities, memberships, profiles};
use crate::db::{Conn, in_parts, on_backend};

use super::communities::MemberRow;

/// A membership that has ended.
#[derive(Debug, Clone, PartialEq, Eq, Queryable)]
#[allow(missing_docs, reason = "the columns are described in the migrations")]
pub struct FormerRow {
    pub profile_id: String,
    pub display_name: String,
    pub role: String,
    pub ended_at: Timestamp,
    pub ended_reason: Option<String>,
}

/// The ids of those in a community, as a part of another query.
#[diesel::dsl::auto_type(no_type_alias)]
pub(super) fn ids_in<'a>(community: &'a str) -> _ {
    memberships::table
        .filter(memberships::community_id.eq(community))
        .filter(memberships::ended_at.is_null())
        .select(memberships::profile_id)
}

/// Whom a community's rules may concern: people of its organization who have access, and whoever is in it; by id,
/// after a given one.
pub fn eligible(
    conn: &mut Conn,
    organization: &str,
    community: &str,
    after: &str,
    limit: i64,
) -> QueryResult<Vec<String>> {
    let mut ids = super::suspensions::next_people(conn, organization, after, limit)?;
    ids.extend(on_backend!(conn, c => memberships::table
        .filter(memberships::community_id.eq(community))
        .filter(memberships::profile_id.gt(after))
        .filter(memberships::ended_at.is_null())
        .order(memberships::profile_id)
        .limit(limit)
        .select(memberships::profile_id)
        .load::<String>(c))?);
    ids.sort();
    ids.dedup();
    ids.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(ids)
}

/// Open memberships of one role, who came last first, from a cursor on.
pub fn open(
    conn: &mut Conn,
    community: &str,
    role: &str,
    before: Option<(Timestamp, String)>,
    limit: i64,
) -> QueryResult<Vec<MemberRow>> {
    on_backend!(conn, c => {
        let mut query = memberships::table
            .inner_join(profiles::table.on(profiles::id.eq(memberships::profile_id)))
            .filter(memberships::community_id.eq(community))
            .filter(memberships::role.eq(role))
            .filter(memberships::ended_at.is_null())
            .order((memberships::granted_at.desc(), memberships::profile_id.desc()))
            .select((
                profiles::id,
                profiles::display_name,
                profiles::email,
                memberships::role,
                memberships::source,
                memberships::granted_at,
            ))
            .limit(limit)
            .into_boxed();
        if let Some((at, id)) = before {
            query = query.filter(memberships::granted_at.lt(at)
                .or(memberships::granted_at.eq(at).and(memberships::profile_id.lt(id))));
        }
        query.load(c)
    })
}

/// Ended memberships, the last first.
pub fn former(conn: &mut Conn, community: &str, limit: i64) -> QueryResult<Vec<FormerRow>> {
    on_backend!(conn, c => memberships::table
        .inner_join(profiles::table.on(profiles::id.eq(memberships::profile_id)))
        .filter(memberships::community_id.eq(community))
        .filter(memberships::ended_at.is_not_null())
        .order((memberships::ended_at.desc(), memberships::profile_id.desc()))
        .select((
            profiles::id,
            profiles::display_name,
            memberships::role,
            memberships::ended_at.assume_not_null(),
            memberships::ended_reason,
        ))
        .limit(limit)
        .load(c))
}

/// A community somebody is in: id, name, role.
pub type InCommunity = (String, String, String);

/// The communities each profile is in now: (id, name, role).
pub fn of_profiles(
    conn: &mut Conn,
    ids: &[String],
) -> QueryResult<BTreeMap<String, Vec<InCommunity>>> {
    let rows: Vec<(String, String, String, String)> = in_parts(ids, |some| {
        on_backend!(conn, c => memberships::table
            .inner_join(communities::table.on(communities::id.eq(memberships::community_id)))
            .filter(memberships::profile_id.eq_any(some))
            .filter(memberships::ended_at.is_null())
            .order((communities::name, memberships::role))
            .select((memberships::profile_id, communities::id, communities::name, memberships::role))
            .load(c))
    })?;
    let mut by_profile: BTreeMap<String, Vec<InCommunity>> = BTreeMap::new();
    for (profile, id, name, role) in rows {
        let theirs = by_profile.entry(profile).or_default();
        // Ordered by role, "admin" comes first: a manual and a rule row show as the stronger one.
        if theirs.iter().all(|(known, _, _)| *known != id) {
            theirs.push((id, name, role));
        }
    }
    Ok(by_profile)
}
