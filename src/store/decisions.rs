//! What operators decided about who is who (R20, R25, R32): kept by directory user, because profiles
//! follow from them and not the other way round; and the questions that are still open.

use std::collections::{BTreeMap, BTreeSet};

use diesel::prelude::*;

use crate::clock::Timestamp;
use crate::db::schema::{identity_decisions, links};
use crate::db::{Conn, on_backend};
use crate::domain::{Decisions, Question};

use super::unreadable;

/// One decision: two directory users are the same person, or they are not.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Insertable, Selectable)]
#[diesel(table_name = identity_decisions, treat_none_as_default_value = false)]
#[allow(missing_docs, reason = "the columns are described in the migrations")]
pub struct Decision {
    pub directory_user_id: String,
    pub other_id: String,
    pub organization_id: String,
    pub same: bool,
    pub decided_by: String,
    pub decided_at: Timestamp,
}

/// A directory user, and what is asked about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// WorkOS's id.
    pub directory_user_id: String,
    /// Its organization.
    pub organization_id: String,
    /// Its directory.
    pub directory_id: String,
    /// The provider's id.
    pub idp_id: Option<String>,
    /// The profile it has while the question is open.
    pub profile_id: Option<String>,
    /// `None` when nothing is asked.
    pub question: Option<Question>,
    /// When it was last spoken of.
    pub last_at: Timestamp,
}

type Row = (
    String,
    String,
    String,
    Option<String>,
    Option<String>,
    Option<String>,
    Timestamp,
);

fn read(row: Row) -> QueryResult<Asked> {
    let (directory_user_id, organization_id, directory_id, idp_id, profile_id, question, last_at) =
        row;
    let question = question
        .map(|text| {
            serde_json::from_str(&text)
                .map_err(|error| unreadable("question", &directory_user_id, &error))
        })
        .transpose()?;
    Ok(Asked {
        directory_user_id,
        organization_id,
        directory_id,
        idp_id,
        profile_id,
        question,
        last_at,
    })
}

/// All decisions of the given organizations, as the fold reads them.
pub fn load(conn: &mut Conn, organizations: &[String]) -> QueryResult<BTreeMap<String, Decisions>> {
    let rows: Vec<Decision> = on_backend!(conn, c => identity_decisions::table
        .filter(identity_decisions::organization_id.eq_any(organizations))
        .order((identity_decisions::decided_at, identity_decisions::directory_user_id, identity_decisions::other_id))
        .load(c))?;
    let mut all: BTreeMap<String, Decisions> = BTreeMap::new();
    for row in rows {
        all.entry(row.organization_id).or_default().learn(
            &row.directory_user_id,
            &row.other_id,
            row.same,
        );
    }
    Ok(all)
}

/// What was decided when this directory user was asked about.
pub fn of_user(conn: &mut Conn, directory_user: &str) -> QueryResult<Vec<Decision>> {
    on_backend!(conn, c => identity_decisions::table
        .filter(identity_decisions::directory_user_id.eq(directory_user))
        .order(identity_decisions::other_id)
        .load(c))
}

/// The same of several directory users at once.
pub fn of_users(
    conn: &mut Conn,
    directory_users: &[String],
) -> QueryResult<BTreeMap<String, Vec<Decision>>> {
    let rows: Vec<Decision> = on_backend!(conn, c => identity_decisions::table
        .filter(identity_decisions::directory_user_id.eq_any(directory_users))
        .order((identity_decisions::directory_user_id, identity_decisions::other_id))
        .load(c))?;
    let mut all: BTreeMap<String, Vec<Decision>> = BTreeMap::new();
    for row in rows {
        let of = all.entry(row.directory_user_id.clone()).or_default();
        of.push(row);
    }
    Ok(all)
}

/// Replaces what was decided about a directory user, and what was decided the other way round.
pub fn replace(conn: &mut Conn, directory_user: &str, new: &[Decision]) -> QueryResult<()> {
    let others: BTreeSet<&str> = new.iter().map(|one| one.other_id.as_str()).collect();
    on_backend!(conn, c => {
        diesel::delete(identity_decisions::table.filter(identity_decisions::directory_user_id.eq(directory_user))).execute(c)?;
        diesel::delete(identity_decisions::table
            .filter(identity_decisions::other_id.eq(directory_user))
            .filter(identity_decisions::directory_user_id.eq_any(others)))
            .execute(c)?;
        diesel::insert_into(identity_decisions::table).values(new).execute(c)?;
        Ok(())
    })
}

/// Deletes every decision about people who were erased.
pub fn forget(conn: &mut Conn, directory_users: &[String]) -> QueryResult<()> {
    on_backend!(conn, c => diesel::delete(identity_decisions::table
        .filter(identity_decisions::directory_user_id.eq_any(directory_users)
            .or(identity_decisions::other_id.eq_any(directory_users))))
        .execute(c))?;
    Ok(())
}

/// One directory user and what is asked about it.
pub fn asked(conn: &mut Conn, directory_user: &str) -> QueryResult<Option<Asked>> {
    let row: Option<Row> = on_backend!(conn, c => links::table
        .filter(links::directory_user_id.eq(directory_user))
        .select((links::directory_user_id, links::organization_id, links::directory_id, links::idp_id, links::profile_id, links::question, links::last_at))
        .first(c)
        .optional())?;
    row.map(read).transpose()
}

/// How many questions are open, counted up to a number.
pub fn open_up_to(conn: &mut Conn, organization: Option<&str>, cap: i64) -> QueryResult<i64> {
    let some: Vec<String> = on_backend!(conn, c => {
        let mut query = links::table
            .filter(links::question.is_not_null())
            .select(links::directory_user_id)
            .limit(cap)
            .into_boxed();
        if let Some(organization) = organization {
            query = query.filter(links::organization_id.eq(organization));
        }
        query.load(c)
    })?;
    Ok(i64::try_from(some.len()).unwrap_or(i64::MAX))
}

/// Open questions, newest first, from a cursor on.
pub fn open(
    conn: &mut Conn,
    organization: Option<&str>,
    kind: Option<&str>,
    before: Option<(Timestamp, String)>,
    limit: i64,
) -> QueryResult<Vec<Asked>> {
    let rows: Vec<Row> = on_backend!(conn, c => {
        let mut query = links::table
            .filter(links::question.is_not_null())
            .order((links::last_at.desc(), links::directory_user_id.desc()))
            .select((links::directory_user_id, links::organization_id, links::directory_id, links::idp_id, links::profile_id, links::question, links::last_at))
            .limit(limit)
            .into_boxed();
        if let Some(organization) = organization {
            query = query.filter(links::organization_id.eq(organization));
        }
        if let Some(kind) = kind {
            query = query.filter(links::question.like(format!("{{\"kind\":\"{kind}\"%")));
        }
        if let Some((at, id)) = before {
            query = query.filter(links::last_at.lt(at).or(links::last_at.eq(at).and(links::directory_user_id.lt(id))));
        }
        query.load(c)
    })?;
    rows.into_iter().map(read).collect()
}
