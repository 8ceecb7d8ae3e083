//! Communities and their memberships as rows. Manual and rule rows stand side by side; ended rows
//! stay, as the snapshot a return restores.

use std::collections::BTreeMap;

use diesel::prelude::*;
use diesel::upsert::excluded;

use crate::clock::Timestamp;
use crate::db::schema::{communities, memberships, profiles};
use crate::db::{Conn, ROWS_PER_STATEMENT, on_backend};
use crate::domain::{Membership, Role, Source, StandIn};

/// A community.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Insertable, Selectable)]
#[diesel(table_name = communities, treat_none_as_default_value = false)]
#[allow(missing_docs, reason = "the columns are described in the migrations")]
pub struct Community {
    pub id: String,
    pub organization_id: String,
    pub name: String,
    pub rules: String,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub orphaned_at: Option<Timestamp>,
}

/// Adds a community; false when the organization has one of that name.
pub fn create(conn: &mut Conn, one: &Community) -> QueryResult<bool> {
    let added = on_backend!(conn, c => diesel::insert_into(communities::table).values(one).on_conflict_do_nothing().execute(c))?;
    Ok(added > 0)
}

/// One community.
pub fn find(conn: &mut Conn, id: &str) -> QueryResult<Option<Community>> {
    on_backend!(conn, c => communities::table.find(id).first(c).optional())
}

/// The names of those that exist.
pub fn names(conn: &mut Conn, ids: &[String]) -> QueryResult<BTreeMap<String, String>> {
    let rows: Vec<(String, String)> = on_backend!(conn, c => communities::table
        .filter(communities::id.eq_any(ids))
        .select((communities::id, communities::name))
        .load(c))?;
    Ok(rows.into_iter().collect())
}

/// How many open memberships each of the given communities has: by (community, role).
pub fn head_counts(
    conn: &mut Conn,
    ids: &[String],
) -> QueryResult<BTreeMap<(String, String), i64>> {
    let rows: Vec<(String, String, i64)> = on_backend!(conn, c => memberships::table
        .filter(memberships::community_id.eq_any(ids))
        .filter(memberships::ended_at.is_null())
        .group_by((memberships::community_id, memberships::role))
        .select((memberships::community_id, memberships::role, diesel::dsl::count_star()))
        .load(c))?;
    Ok(rows
        .into_iter()
        .map(|(community, role, count)| ((community, role), count))
        .collect())
}

/// Communities, newest first, from a cursor on.
pub fn list(
    conn: &mut Conn,
    organization: Option<&str>,
    orphaned: Option<bool>,
    before: Option<(Timestamp, String)>,
    limit: i64,
) -> QueryResult<Vec<Community>> {
    on_backend!(conn, c => {
        let mut query = communities::table
            .order((communities::created_at.desc(), communities::id.desc()))
            .limit(limit)
            .into_boxed();
        if let Some(organization) = organization {
            query = query.filter(communities::organization_id.eq(organization));
        }
        match orphaned {
            Some(true) => query = query.filter(communities::orphaned_at.is_not_null()),
            Some(false) => query = query.filter(communities::orphaned_at.is_null()),
            None => {}
        }
        if let Some((at, id)) = before {
            query = query.filter(communities::created_at.lt(at).or(communities::created_at.eq(at).and(communities::id.lt(id))));
        }
        query.load(c)
    })
}

/// Communities that nobody runs any more, those longest without anybody first.
pub fn orphans(
    conn: &mut Conn,
    organization: Option<&str>,
    limit: i64,
) -> QueryResult<Vec<Community>> {
    on_backend!(conn, c => {
        let mut query = communities::table
            .filter(communities::orphaned_at.is_not_null())
            .order(communities::orphaned_at)
            .limit(limit)
            .into_boxed();
        if let Some(organization) = organization {
            query = query.filter(communities::organization_id.eq(organization));
        }
        query.load(c)
    })
}

/// The communities of an organization that have rules.
pub fn with_rules(conn: &mut Conn, organization: &str) -> QueryResult<Vec<Community>> {
    on_backend!(conn, c => communities::table
        .filter(communities::organization_id.eq(organization))
        .filter(communities::rules.ne("[]"))
        .order(communities::id)
        .load(c))
}

/// Communities that the given people are in by a rule, also where no rule is left: whoever returns
/// comes back with the rows of old rules.
pub fn held_by_rules(conn: &mut Conn, profiles: &[String]) -> QueryResult<Vec<Community>> {
    let mut all: Vec<Community> = Vec::new();
    for chunk in profiles.chunks(ROWS_PER_STATEMENT) {
        let some: Vec<Community> = on_backend!(conn, c => communities::table
            .filter(communities::rules.eq("[]"))
            .filter(communities::id.eq_any(memberships::table
                .filter(memberships::profile_id.eq_any(chunk))
                .filter(memberships::source.eq("rule"))
                .filter(memberships::ended_at.is_null())
                .select(memberships::community_id)))
            .load(c))?;
        all.extend(some);
    }
    all.sort_by(|one, other| one.id.cmp(&other.id));
    all.dedup_by(|one, other| one.id == other.id);
    Ok(all)
}

/// Changes name and rules.
pub fn update(conn: &mut Conn, one: &Community) -> QueryResult<()> {
    on_backend!(conn, c => diesel::update(communities::table.find(&one.id))
        .set((
            communities::name.eq(&one.name),
            communities::rules.eq(&one.rules),
            communities::updated_at.eq(one.updated_at),
            communities::orphaned_at.eq(one.orphaned_at),
        ))
        .execute(c))?;
    Ok(())
}

/// Deletes a community with its memberships; false when there was none.
pub fn delete(conn: &mut Conn, id: &str) -> QueryResult<bool> {
    Ok(on_backend!(conn, c => diesel::delete(communities::table.find(id)).execute(c))? > 0)
}

#[derive(Queryable, Insertable)]
#[diesel(table_name = memberships, treat_none_as_default_value = false)]
struct Row {
    community_id: String,
    profile_id: String,
    source: String,
    organization_id: String,
    role: String,
    former_role: Option<String>,
    granted_at: Timestamp,
    ended_at: Option<Timestamp>,
    ended_reason: Option<String>,
    stands_in_for: Option<String>,
    stood_as: Option<String>,
    given_for: Option<String>,
}

impl From<Row> for Membership {
    fn from(row: Row) -> Self {
        Self {
            community_id: row.community_id,
            profile_id: row.profile_id,
            given_for: row.given_for,
            source: Source::parse(&row.source).unwrap_or(Source::Manual),
            role: Role::parse(&row.role).unwrap_or(Role::Member),
            former_role: row.former_role.as_deref().and_then(Role::parse),
            stand_in: row.stands_in_for.map(|of| StandIn {
                of,
                was: row.stood_as.as_deref().and_then(Role::parse),
            }),
            granted_at: row.granted_at,
            ended_at: row.ended_at,
            ended_reason: row.ended_reason,
        }
    }
}

/// All memberships, open and ended, of the given profiles.
pub fn memberships_of(
    conn: &mut Conn,
    profiles: &[String],
) -> QueryResult<BTreeMap<String, Vec<Membership>>> {
    let mut by_profile: BTreeMap<String, Vec<Membership>> = BTreeMap::new();
    for chunk in profiles.chunks(ROWS_PER_STATEMENT) {
        let rows: Vec<Row> = on_backend!(conn, c => memberships::table
            .filter(memberships::profile_id.eq_any(chunk))
            .order((memberships::community_id, memberships::source))
            .load(c))?;
        for row in rows {
            by_profile
                .entry(row.profile_id.clone())
                .or_default()
                .push(row.into());
        }
    }
    Ok(by_profile)
}

/// Writes memberships, new or known, each with its organization.
pub fn save_memberships(conn: &mut Conn, all: &[(String, Membership)]) -> QueryResult<()> {
    for chunk in all.chunks(ROWS_PER_STATEMENT) {
        let rows: Vec<Row> = chunk
            .iter()
            .map(|(organization_id, one)| Row {
                community_id: one.community_id.clone(),
                profile_id: one.profile_id.clone(),
                source: one.source.as_str().to_owned(),
                organization_id: organization_id.clone(),
                role: one.role.as_str().to_owned(),
                former_role: one.former_role.map(|role| role.as_str().to_owned()),
                granted_at: one.granted_at,
                ended_at: one.ended_at,
                ended_reason: one.ended_reason.clone(),
                given_for: one.given_for.clone(),
                stands_in_for: one.stand_in.as_ref().map(|kept| kept.of.clone()),
                stood_as: one
                    .stand_in
                    .as_ref()
                    .and_then(|kept| kept.was)
                    .map(|role| role.as_str().to_owned()),
            })
            .collect();
        on_backend!(conn, c => diesel::insert_into(memberships::table)
            .values(&rows)
            .on_conflict((memberships::community_id, memberships::profile_id, memberships::source))
            .do_update()
            .set((
                memberships::role.eq(excluded(memberships::role)),
                memberships::former_role.eq(excluded(memberships::former_role)),
                memberships::granted_at.eq(excluded(memberships::granted_at)),
                memberships::ended_at.eq(excluded(memberships::ended_at)),
                memberships::ended_reason.eq(excluded(memberships::ended_reason)),
                memberships::stands_in_for.eq(excluded(memberships::stands_in_for)),
                memberships::stood_as.eq(excluded(memberships::stood_as)),
                memberships::given_for.eq(excluded(memberships::given_for)),
            ))
            .execute(c))?;
    }
    Ok(())
}

/// The memberships, open and ended, of a community's admins: of those who are, those who were before
/// they left once, and those who keep a seat for somebody.
pub fn seats_of(conn: &mut Conn, community: &str) -> QueryResult<Vec<Membership>> {
    let rows: Vec<Row> = on_backend!(conn, c => memberships::table
        .filter(memberships::community_id.eq(community))
        .filter(memberships::role.eq("admin")
            .or(memberships::former_role.is_not_null())
            .or(memberships::stands_in_for.is_not_null()))
        .order((memberships::profile_id, memberships::source))
        .load(c))?;
    Ok(rows.into_iter().map(Membership::from).collect())
}

/// The communities of an organization that somebody runs or ran.
pub fn with_admins(conn: &mut Conn, organization: &str) -> QueryResult<Vec<String>> {
    on_backend!(conn, c => memberships::table
        .filter(memberships::organization_id.eq(organization))
        .filter(memberships::role.eq("admin").or(memberships::former_role.eq("admin")))
        .select(memberships::community_id)
        .distinct()
        .load(c))
}

/// A former admin who returned as a member and whose seat an operator may give back (C5).
#[derive(Debug, Clone, PartialEq, Eq, Queryable)]
#[allow(missing_docs, reason = "the columns are described in the migrations")]
pub struct OpenSeat {
    pub organization_id: String,
    pub community_id: String,
    pub community_name: String,
    pub profile_id: String,
    pub display_name: String,
    pub granted_at: Timestamp,
}

/// The seats that wait for an operator, of one organization or all, by community and name.
pub fn open_seats(
    conn: &mut Conn,
    organization: Option<&str>,
    after: Option<[String; 4]>,
    limit: i64,
) -> QueryResult<Vec<OpenSeat>> {
    on_backend!(conn, c => {
        let mut query = memberships::table
            .inner_join(communities::table.on(communities::id.eq(memberships::community_id)))
            .inner_join(profiles::table.on(profiles::id.eq(memberships::profile_id)))
            .filter(memberships::former_role.eq("admin"))
            .filter(memberships::ended_at.is_null())
            .order((communities::name, communities::id, profiles::display_name, profiles::id))
            .select((
                memberships::organization_id,
                communities::id,
                communities::name,
                profiles::id,
                profiles::display_name,
                memberships::granted_at,
            ))
            .limit(limit)
            .into_boxed();
        if let Some(organization) = organization {
            query = query.filter(memberships::organization_id.eq(organization));
        }
        if let Some([community, community_id, person, id]) = after {
            let later = profiles::display_name.gt(person.clone()).or(profiles::display_name.eq(person).and(profiles::id.gt(id)));
            let same_name = communities::id.gt(community_id.clone()).or(communities::id.eq(community_id).and(later));
            query = query.filter(communities::name.gt(community.clone()).or(communities::name.eq(community).and(same_name)));
        }
        query.load(c)
    })
}

/// Notes since when nobody runs a community, or that somebody does.
pub fn set_orphaned(conn: &mut Conn, id: &str, orphaned_at: Option<Timestamp>) -> QueryResult<()> {
    on_backend!(conn, c => diesel::update(communities::table.find(id))
        .set(communities::orphaned_at.eq(orphaned_at))
        .execute(c))?;
    Ok(())
}

/// Deletes all membership rows of the given profiles: they were moved to others.
pub fn forget(conn: &mut Conn, profiles: &[String]) -> QueryResult<()> {
    on_backend!(conn, c => diesel::delete(memberships::table.filter(memberships::profile_id.eq_any(profiles))).execute(c))?;
    Ok(())
}

/// A membership that was moved to somebody else goes from where it was.
pub fn forget_one(conn: &mut Conn, row: &Membership) -> QueryResult<()> {
    let id = (&row.community_id, &row.profile_id, row.source.as_str());
    on_backend!(conn, c => diesel::delete(memberships::table.find(id)).execute(c))?;
    Ok(())
}

/// A member as shown: one row a person, admin before member, manual before rule.
#[derive(Debug, Clone, PartialEq, Eq, Queryable)]
#[allow(missing_docs, reason = "the columns are described in the migrations")]
pub struct MemberRow {
    pub profile_id: String,
    pub display_name: String,
    pub email: Option<String>,
    pub role: String,
    pub source: String,
    pub granted_at: Timestamp,
}

/// The open memberships of a community, by name.
pub fn members(conn: &mut Conn, community: &str) -> QueryResult<Vec<MemberRow>> {
    members_after(conn, community, None, i64::MAX)
}

/// So many of them, after the one of that name, id and source.
pub fn members_after(
    conn: &mut Conn,
    community: &str,
    after: Option<[String; 3]>,
    limit: i64,
) -> QueryResult<Vec<MemberRow>> {
    on_backend!(conn, c => {
        let mut query = memberships::table
            .inner_join(profiles::table.on(profiles::id.eq(memberships::profile_id)))
            .filter(memberships::community_id.eq(community))
            .filter(memberships::ended_at.is_null())
            .order((profiles::display_name, profiles::id, memberships::source))
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
        if let Some([name, id, source]) = after {
            let same_person = profiles::id.eq(id.clone()).and(memberships::source.gt(source));
            let later = profiles::id.gt(id).or(same_person);
            query = query.filter(profiles::display_name.gt(name.clone()).or(profiles::display_name.eq(name).and(later)));
        }
        query.load(c)
    })
}
