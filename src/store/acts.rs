//! The operators' audit: who did what to what, append-only.

use diesel::prelude::*;

use crate::clock::Timestamp;
use crate::db::schema::operator_acts;
use crate::db::{Conn, on_backend};

/// One act.
#[derive(Debug, Clone, Insertable)]
#[diesel(table_name = operator_acts, treat_none_as_default_value = false)]
#[allow(missing_docs, reason = "the columns are described in the migrations")]
pub struct NewAct<'a> {
    pub at: Timestamp,
    pub actor: &'a str,
    pub act: &'a str,
    pub target: &'a str,
    pub organization_id: Option<&'a str>,
    pub detail: Option<&'a str>,
}

/// An act as shown.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = operator_acts)]
#[allow(missing_docs, reason = "the columns are described in the migrations")]
pub struct ActRow {
    pub id: i64,
    pub at: Timestamp,
    pub actor: String,
    pub act: String,
    pub target: String,
    pub organization_id: Option<String>,
    pub detail: Option<String>,
}

/// Adds an act.
pub fn add(conn: &mut Conn, act: &NewAct<'_>) -> QueryResult<()> {
    on_backend!(conn, c => diesel::insert_into(operator_acts::table).values(act).execute(c))?;
    Ok(())
}

/// Which acts. Everything given must hold.
#[derive(Debug, Clone, Default)]
pub struct ActFilter {
    /// One organization.
    pub organization_id: Option<String>,
    /// By one actor.
    pub actor: Option<String>,
    /// One act (`trigger.updated`), or all of a kind (`trigger`).
    pub act: Option<String>,
    /// On one thing, by its id.
    pub target: Option<String>,
    /// At or after.
    pub since: Option<Timestamp>,
    /// Before.
    pub until: Option<Timestamp>,
    /// Only acts older than this one (the cursor).
    pub before: Option<i64>,
}

/// Acts that match, newest first.
pub fn browse(conn: &mut Conn, filter: &ActFilter, limit: i64) -> QueryResult<Vec<ActRow>> {
    on_backend!(conn, c => {
        let mut query = operator_acts::table
            .select(ActRow::as_select())
            .order(operator_acts::id.desc())
            .limit(limit)
            .into_boxed();
        if let Some(organization) = &filter.organization_id {
            query = query.filter(operator_acts::organization_id.eq(organization));
        }
        if let Some(actor) = &filter.actor {
            query = query.filter(operator_acts::actor.eq(actor));
        }
        match &filter.act {
            Some(act) if act.contains('.') => query = query.filter(operator_acts::act.eq(act)),
            // `.` comes right before `/`: every act of the kind, on the index.
            Some(kind) => {
                query = query
                    .filter(operator_acts::act.gt(format!("{kind}.")))
                    .filter(operator_acts::act.lt(format!("{kind}/")));
            }
            None => {}
        }
        if let Some(target) = &filter.target {
            query = query.filter(operator_acts::target.eq(target));
        }
        if let Some(since) = filter.since {
            query = query.filter(operator_acts::at.ge(since));
        }
        if let Some(until) = filter.until {
            query = query.filter(operator_acts::at.lt(until));
        }
        if let Some(before) = filter.before {
            query = query.filter(operator_acts::id.lt(before));
        }
        query.load(c)
    })
}
