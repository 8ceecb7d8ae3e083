//! Which jobs there are: the open ones of a kind, and lists of all by what is asked, newest first.

use diesel::prelude::*;

use super::jobs::{JobRow, JobState, OPEN, UNFINISHED};
use crate::clock::Timestamp;
use crate::db::schema::jobs;
use crate::db::{Conn, on_backend};

/// The open jobs of a kind and an organization, oldest first.
pub fn open_of(conn: &mut Conn, kind: &str, organization: &str) -> QueryResult<Vec<JobRow>> {
    on_backend!(conn, c => jobs::table
        .filter(jobs::kind.eq(kind))
        .filter(jobs::organization_id.eq(organization))
        .filter(jobs::state.eq_any(OPEN))
        .order(jobs::id)
        .select(JobRow::as_select())
        .load(c))
}

/// As [`open_of`], with those that failed.
pub fn unfinished_of(conn: &mut Conn, kind: &str, organization: &str) -> QueryResult<Vec<JobRow>> {
    on_backend!(conn, c => jobs::table
        .filter(jobs::kind.eq(kind))
        .filter(jobs::organization_id.eq(organization))
        .filter(jobs::state.eq_any(UNFINISHED))
        .order(jobs::id)
        .select(JobRow::as_select())
        .load(c))
}

/// Failed jobs of one organization or all, the newest first.
pub fn failed(conn: &mut Conn, organization: Option<&str>, limit: i64) -> QueryResult<Vec<JobRow>> {
    let filter = JobFilter {
        organization_id: organization.map(str::to_owned),
        state: Some(JobState::Failed.as_str().to_owned()),
        ..JobFilter::default()
    };
    list(conn, &filter, limit)
}

/// When the oldest open job of a kind was asked for.
pub fn open_since(conn: &mut Conn, kind: &str) -> QueryResult<Option<Timestamp>> {
    on_backend!(conn, c => jobs::table
        .filter(jobs::kind.eq(kind))
        .filter(jobs::state.eq_any(OPEN))
        .order(jobs::created_at)
        .select(jobs::created_at)
        .first(c)
        .optional())
}

/// Which jobs. Everything given must hold.
#[derive(Debug, Clone, Default)]
pub struct JobFilter {
    /// One organization's.
    pub organization_id: Option<String>,
    /// In one state.
    pub state: Option<String>,
    /// Of one kind.
    pub kind: Option<String>,
    /// Only rows after this one in the list (the cursor).
    pub after: Option<(Timestamp, String)>,
}

/// Jobs that match, newest first.
pub fn list(conn: &mut Conn, filter: &JobFilter, limit: i64) -> QueryResult<Vec<JobRow>> {
    on_backend!(conn, c => {
        let mut query = jobs::table
            .select(JobRow::as_select())
            .order((jobs::created_at.desc(), jobs::id.desc()))
            .limit(limit)
            .into_boxed();
        if let Some(organization) = &filter.organization_id {
            query = query.filter(jobs::organization_id.eq(organization));
        }
        if let Some(state) = &filter.state {
            query = query.filter(jobs::state.eq(state));
        }
        if let Some(kind) = &filter.kind {
            query = query.filter(jobs::kind.eq(kind));
        }
        if let Some((at, id)) = &filter.after {
            query = query.filter(jobs::created_at.lt(*at)
                .or(jobs::created_at.eq(*at).and(jobs::id.lt(id))));
        }
        query.load(c)
    })
}
