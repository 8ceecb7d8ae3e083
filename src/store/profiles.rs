//! Profiles as rows: written set-wise from what the roll composed, read one by one or as lists.

use std::collections::BTreeMap;

use diesel::prelude::*;
use diesel::upsert::excluded;

use crate::clock::Timestamp;
use crate::db::schema::profiles;
use crate::db::{Conn, ROWS_PER_STATEMENT, contains, in_parts, on_backend};
use crate::domain::{Person, Profile, Status};
use crate::workos::clean;

pub use super::profile_keys::{addresses_under, by_email, by_idp_id};
use super::{to_json, unreadable};

pub use super::profile_links::{
    LinkRow, active_of_directory, counts_of_organizations, counts_up_to, link,
    link_counts_of_directories, links_of, organizations_of, profile_of_links, state_of_link,
};

/// A profile row as shown.
#[derive(Debug, Clone, PartialEq, Queryable, Selectable)]
#[diesel(table_name = profiles)]
#[allow(missing_docs, reason = "the columns are described in the migrations")]
pub struct ProfileRow {
    pub id: String,
    pub organization_id: String,
    pub status: String,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub display_name: String,
    pub email: Option<String>,
    pub title: Option<String>,
    pub department: Option<String>,
    pub pronouns: Option<String>,
    pub start_date: Option<String>,
    pub manager_email: Option<String>,
    pub employee_number: Option<String>,
    pub attributes: String,
    pub warnings: String,
    pub period: String,
    pub first_seen_at: Timestamp,
    pub recorded_at: Timestamp,
    pub updated_at: Timestamp,
    pub removed_at: Option<Timestamp>,
    pub removed_reason: Option<String>,
    pub start_unreadable: Option<String>,
    pub role: Option<String>,
    pub roles: String,
}

impl ProfileRow {
    /// The person as the roll knows them; `None` where the row is not of this version.
    pub fn profile(&self) -> Option<Profile> {
        Status::parse(&self.status)?;
        as_shown(self).ok()
    }
}

#[derive(Insertable)]
#[diesel(table_name = profiles, treat_none_as_default_value = false)]
struct NewRow<'a> {
    id: &'a str,
    organization_id: &'a str,
    status: &'static str,
    first_name: Option<&'a str>,
    last_name: Option<&'a str>,
    display_name: &'a str,
    email: Option<&'a str>,
    email_key: Option<String>,
    title: Option<&'a str>,
    department: Option<&'a str>,
    pronouns: Option<&'a str>,
    start_date: Option<&'a str>,
    manager_email: Option<&'a str>,
    employee_number: Option<&'a str>,
    attributes: String,
    warnings: String,
    remembered: String,
    period: &'a str,
    search: String,
    first_seen_at: Timestamp,
    recorded_at: Timestamp,
    updated_at: Timestamp,
    removed_at: Option<Timestamp>,
    removed_reason: Option<&'a str>,
    start_unreadable: Option<&'a str>,
    role: Option<&'a str>,
    roles: String,
}

/// The profile that a row shows.
pub fn as_shown(row: &ProfileRow) -> QueryResult<Profile> {
    let fields = [
        ("first_name", &row.first_name),
        ("last_name", &row.last_name),
        ("email", &row.email),
        ("title", &row.title),
        ("department", &row.department),
        ("pronouns", &row.pronouns),
        ("start_date", &row.start_date),
        ("manager_email", &row.manager_email),
        ("employee_number", &row.employee_number),
        ("role", &row.role),
    ];
    let mut fields: BTreeMap<&'static str, String> = fields
        .into_iter()
        .filter_map(|(name, value)| Some((name, value.clone()?)))
        .collect();
    fields.insert("display_name", row.display_name.clone());
    Ok(Profile {
        id: row.id.clone(),
        status: Status::parse(&row.status).unwrap_or(Status::Pending),
        fields,
        roles: serde_json::from_str(&row.roles)
            .map_err(|error| unreadable("roles", &row.id, &error))?,
        start_unreadable: row.start_unreadable.clone(),
        address_key: row.email.as_deref().and_then(clean::key),
        attributes: serde_json::from_str(&row.attributes)
            .map_err(|error| unreadable("attributes", &row.id, &error))?,
        warnings: serde_json::from_str(&row.warnings)
            .map_err(|error| unreadable("warnings", &row.id, &error))?,
        period: row.period.clone(),
        first_seen: row.first_seen_at,
        updated: row.updated_at,
        removed_at: row.removed_at,
        removed_reason: row.removed_reason.clone(),
    })
}

/// What a profile's row is made of.
#[derive(Debug, Clone)]
pub struct ToSave<'a> {
    /// The organization.
    pub organization_id: &'a str,
    /// What is shown.
    pub profile: &'a Profile,
    /// What the roll remembers.
    pub person: &'a Person,
    /// When it was first recorded here.
    pub recorded_at: Timestamp,
}

/// Characters that are searched: PostgreSQL takes no more than 2,704 bytes into an index entry.
const SEARCHED: usize = 600;

/// How addresses are compared (R22, R88); `None` for one that is nobody's (R86).
pub fn email_key(email: &str) -> Option<String> {
    clean::key(email)
}

fn new_row<'a>(one: &ToSave<'a>) -> QueryResult<NewRow<'a>> {
    let profile = one.profile;
    // What means nobody finds nobody (R86).
    let address = profile
        .field("email")
        .filter(|_| profile.address_key.is_some());
    let searched = [
        "display_name",
        "first_name",
        "last_name",
        "email",
        "title",
        "department",
    ];
    let search: Vec<String> = searched
        .iter()
        .filter_map(|name| profile.field(name))
        .map(clean::search)
        .collect();
    Ok(NewRow {
        id: &profile.id,
        organization_id: one.organization_id,
        status: profile.status.as_str(),
        first_name: profile.field("first_name"),
        last_name: profile.field("last_name"),
        display_name: profile.field("display_name").unwrap_or_default(),
        email: profile.field("email"),
        email_key: address.and_then(email_key),
        title: profile.field("title"),
        department: profile.field("department"),
        pronouns: profile.field("pronouns"),
        start_date: profile.field("start_date"),
        manager_email: profile.field("manager_email"),
        employee_number: profile.field("employee_number"),
        attributes: to_json(&profile.attributes)?,
        warnings: to_json(&profile.warnings)?,
        remembered: to_json(one.person)?,
        period: &profile.period,
        search: search.join(" ").chars().take(SEARCHED).collect(),
        first_seen_at: profile.first_seen,
        recorded_at: one.recorded_at,
        updated_at: profile.updated,
        removed_at: profile.removed_at,
        removed_reason: profile.removed_reason.as_deref(),
        start_unreadable: profile.start_unreadable.as_deref(),
        role: profile.field("role"),
        roles: to_json(&profile.roles)?,
    })
}

/// Writes profiles, new or known, all columns but the time they were first recorded.
pub fn save(conn: &mut Conn, all: &[ToSave<'_>]) -> QueryResult<()> {
    for chunk in all.chunks(ROWS_PER_STATEMENT) {
        let rows: Vec<NewRow<'_>> = chunk.iter().map(new_row).collect::<QueryResult<_>>()?;
        on_backend!(conn, c => diesel::insert_into(profiles::table)
            .values(&rows)
            .on_conflict(profiles::id)
            .do_update()
            .set((
                profiles::status.eq(excluded(profiles::status)),
                profiles::first_name.eq(excluded(profiles::first_name)),
                profiles::last_name.eq(excluded(profiles::last_name)),
                profiles::display_name.eq(excluded(profiles::display_name)),
                profiles::email.eq(excluded(profiles::email)),
                profiles::email_key.eq(excluded(profiles::email_key)),
                profiles::title.eq(excluded(profiles::title)),
                profiles::department.eq(excluded(profiles::department)),
                profiles::pronouns.eq(excluded(profiles::pronouns)),
                profiles::start_date.eq(excluded(profiles::start_date)),
                profiles::manager_email.eq(excluded(profiles::manager_email)),
                profiles::employee_number.eq(excluded(profiles::employee_number)),
                profiles::attributes.eq(excluded(profiles::attributes)),
                profiles::warnings.eq(excluded(profiles::warnings)),
                profiles::remembered.eq(excluded(profiles::remembered)),
                profiles::period.eq(excluded(profiles::period)),
                profiles::search.eq(excluded(profiles::search)),
                profiles::first_seen_at.eq(excluded(profiles::first_seen_at)),
                profiles::updated_at.eq(excluded(profiles::updated_at)),
                profiles::removed_at.eq(excluded(profiles::removed_at)),
                profiles::removed_reason.eq(excluded(profiles::removed_reason)),
                profiles::start_unreadable.eq(excluded(profiles::start_unreadable)),
                profiles::role.eq(excluded(profiles::role)),
                profiles::roles.eq(excluded(profiles::roles)),
            ))
            .execute(c))?;
    }
    Ok(())
}

/// Deletes rows of people who turned out to be somebody else; what hung on them was moved before.
pub fn delete(conn: &mut Conn, ids: &[String]) -> QueryResult<()> {
    on_backend!(conn, c => diesel::delete(profiles::table.filter(profiles::id.eq_any(ids))).execute(c))?;
    Ok(())
}

/// What is shown in the place of an erased person's name.
pub const ERASED: &str = "(erased)";

/// Takes away what the row of an erased person still shows (R65).
pub fn blank(conn: &mut Conn, id: &str) -> QueryResult<()> {
    on_backend!(conn, c => diesel::update(profiles::table.find(id))
        .set((
            profiles::display_name.eq(ERASED),
            profiles::attributes.eq("{}"),
            profiles::warnings.eq("[]"),
            profiles::start_unreadable.eq(None::<String>),
            profiles::role.eq(None::<String>),
            profiles::roles.eq("[]"),
            profiles::search.eq(""),
        ))
        .execute(c))?;
    Ok(())
}

/// People who left before `horizon`, those who left first on top, without those in `spare`.
pub fn removed_before(
    conn: &mut Conn,
    horizon: Timestamp,
    spare: &[String],
    limit: i64,
) -> QueryResult<Vec<String>> {
    on_backend!(conn, c => profiles::table
        .filter(profiles::status.eq("removed"))
        .filter(profiles::removed_at.lt(horizon))
        .filter(profiles::id.ne_all(spare))
        .order((profiles::removed_at, profiles::id))
        .limit(limit)
        .select(profiles::id)
        .load(c))
}

#[diesel::declare_sql_function]
extern "SQL" {
    /// In small letters.
    fn lower(text: diesel::sql_types::Text) -> diesel::sql_types::Text;
}

/// Which profiles. Everything given must hold.
#[derive(Debug, Clone, Default)]
pub struct ProfileFilter {
    /// One organization.
    pub organization_id: Option<String>,
    /// One status; all when not given.
    pub status: Option<String>,
    /// Text in name, address, title or department.
    pub q: Option<String>,
    /// The text may be in name and address only.
    pub q_names_only: bool,
    /// One department, as written.
    pub department: Option<String>,
    /// Whoever is in a community.
    pub community_id: Option<String>,
    /// Only rows after this one in the list (the cursor).
    pub after: Option<(Timestamp, String)>,
}

/// Profiles that match, newest first: found in an index that has the text, too, since the rows are wide.
pub fn list(conn: &mut Conn, filter: &ProfileFilter, limit: i64) -> QueryResult<Vec<ProfileRow>> {
    on_backend!(conn, c => {
        let mut query = profiles::table
            .select(profiles::id)
            .order((profiles::first_seen_at.desc(), profiles::id.desc()))
            .limit(limit)
            .into_boxed();
        if let Some(organization) = &filter.organization_id {
            query = query.filter(profiles::organization_id.eq(organization));
        }
        if let Some(status) = &filter.status {
            query = query.filter(profiles::status.eq(status));
        }
        if let Some(department) = &filter.department {
            query = query.filter(profiles::department.eq(department));
        }
        if let Some(community) = &filter.community_id {
            query = query.filter(profiles::id.eq_any(super::seated::ids_in(community)));
        }
        if let Some(q) = filter.q.as_ref().filter(|_| filter.q_names_only) {
            // SQLite's `lower` knows the letters of ASCII only: others are found as written.
            let (any_case, written) = (contains(&clean::search(q)), contains(&clean::text(q)));
            query = query.filter(lower(profiles::display_name).like(any_case).escape('\\')
                .or(profiles::display_name.like(written).escape('\\'))
                .or(profiles::email_key.like(contains(&clean::fold(q))).escape('\\').assume_not_null()));
        } else if let Some(q) = &filter.q {
            query = query.filter(profiles::search.like(contains(&clean::search(q))).escape('\\'));
        }
        if let Some((at, id)) = &filter.after {
            // Said so that an index is entered at the cursor, and not walked up to it.
            query = query
                .filter(profiles::first_seen_at.le(*at))
                .filter(profiles::first_seen_at.lt(*at).or(profiles::id.lt(id)));
        }
        profiles::table
            .filter(profiles::id.eq_any(query))
            .order((profiles::first_seen_at.desc(), profiles::id.desc()))
            .select(ProfileRow::as_select())
            .load(c)
    })
}

/// Those of the given ids that exist.
pub fn load(conn: &mut Conn, ids: &[String]) -> QueryResult<BTreeMap<String, ProfileRow>> {
    let rows: Vec<ProfileRow> = in_parts(ids, |some| {
        on_backend!(conn, c => profiles::table
            .filter(profiles::id.eq_any(some))
            .select(ProfileRow::as_select())
            .load(c))
    })?;
    Ok(rows.into_iter().map(|row| (row.id.clone(), row)).collect())
}

/// One profile.
pub fn find(conn: &mut Conn, id: &str) -> QueryResult<Option<ProfileRow>> {
    Ok(load(conn, &[id.to_owned()])?.into_values().next())
}

/// The ids of everybody of an organization who has access.
pub fn ids_with_access(conn: &mut Conn, organization: &str) -> QueryResult<Vec<String>> {
    on_backend!(conn, c => profiles::table
        .filter(profiles::organization_id.eq(organization))
        .filter(profiles::status.eq_any(["active", "on_leave"]))
        .order(profiles::id)
        .select(profiles::id)
        .load(c))
}
