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

/// Acts, newest first; of one organization or target where given, older than the cursor.
pub fn list(
    conn: &mut Conn,
    organization: Option<&str>,
    target: Option<&str>,
    before: Option<i64>,
    limit: i64,
) -> QueryResult<Vec<ActRow>> {
    on_backend!(conn, c => {
        let mut query = operator_acts::table.select(ActRow::as_select()).order(operator_acts::id.desc()).limit(limit).into_boxed();
        if let Some(organization) = organization {
            query = query.filter(operator_acts::organization_id.eq(organization));
        }
        if let Some(target) = target {
            query = query.filter(operator_acts::target.eq(target));
        }
        if let Some(before) = before {
            query = query.filter(operator_acts::id.lt(before));
        }
        query.load(c)
    })
}
