//! Triggers as rows: the checked definition as JSON, a version that grows with each change.

use std::collections::BTreeMap;

use diesel::prelude::*;

use crate::clock::Timestamp;
use crate::db::schema::triggers;
use crate::db::{Conn, on_backend};

use super::definition::{NewTrigger, Policy, Status};
use super::plan::KeptTrigger;

/// A trigger's row.
#[derive(Debug, Clone, Queryable, Insertable, Selectable)]
#[diesel(table_name = triggers, treat_none_as_default_value = false)]
#[allow(missing_docs, reason = "the columns are described in the migrations")]
pub struct TriggerRow {
    pub id: String,
    pub organization_id: String,
    pub name: String,
    pub definition: String,
    pub status: String,
    pub version: i32,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// What was checked when it was saved is not checked against today's settings again.
const LENIENT: Policy = Policy { allow_private_targets: true, slack_bot: true };

impl TriggerRow {
    /// A row for a definition.
    pub fn new(id: String, definition: &NewTrigger, now: Timestamp) -> QueryResult<Self> {
        Ok(Self {
            id,
            organization_id: definition.organization_id.clone(),
            name: definition.name.clone(),
            definition: serde_json::to_string(definition)
                .map_err(|error| diesel::result::Error::SerializationError(error.into()))?,
            status: definition.status.name().to_owned(),
            version: 1,
            created_at: now,
            updated_at: now,
        })
    }

    /// What it says.
    pub fn read(&self) -> QueryResult<NewTrigger> {
        let value = serde_json::from_str(&self.definition)
            .map_err(|error| diesel::result::Error::DeserializationError(error.into()))?;
        NewTrigger::parse(&value, LENIENT).map_err(|problems| {
            let all: Vec<String> = problems.iter().map(|problem| format!("{}: {}", problem.path, problem.message)).collect();
            diesel::result::Error::DeserializationError(
                format!("the stored trigger {} is not what this version writes: {}", self.id, all.join("; ")).into(),
            )
        })
    }
}

/// Adds a trigger; false when the organization has one of that name.
pub fn create(conn: &mut Conn, row: &TriggerRow) -> QueryResult<bool> {
    let added =
        on_backend!(conn, c => diesel::insert_into(triggers::table).values(row).on_conflict_do_nothing().execute(c))?;
    Ok(added > 0)
}

/// Replaces a trigger's definition; its version grows.
pub fn update(conn: &mut Conn, row: &TriggerRow) -> QueryResult<bool> {
    let changed = on_backend!(conn, c => diesel::update(triggers::table.find(&row.id))
        .set((
            triggers::name.eq(&row.name),
            triggers::definition.eq(&row.definition),
            triggers::status.eq(&row.status),
            triggers::version.eq(triggers::version + 1),
            triggers::updated_at.eq(row.updated_at),
        ))
        .execute(c))?;
    Ok(changed > 0)
}

/// Deletes a trigger; false when there was none.
pub fn delete(conn: &mut Conn, id: &str) -> QueryResult<bool> {
    Ok(on_backend!(conn, c => diesel::delete(triggers::table.find(id)).execute(c))? > 0)
}

/// One trigger.
pub fn find(conn: &mut Conn, id: &str) -> QueryResult<Option<TriggerRow>> {
    on_backend!(conn, c => triggers::table.find(id).first(c).optional())
}

/// Triggers, newest first, from a cursor on.
pub fn list(
    conn: &mut Conn,
    organization: Option<&str>,
    before: Option<(Timestamp, String)>,
    limit: i64,
) -> QueryResult<Vec<TriggerRow>> {
    on_backend!(conn, c => {
        let mut query = triggers::table.order((triggers::created_at.desc(), triggers::id.desc())).limit(limit).into_boxed();
        if let Some(organization) = organization {
            query = query.filter(triggers::organization_id.eq(organization));
        }
        if let Some((at, id)) = before {
            query = query.filter(triggers::created_at.lt(at).or(triggers::created_at.eq(at).and(triggers::id.lt(id))));
        }
        query.load(c)
    })
}

/// The published triggers of the given organizations.
pub fn published(conn: &mut Conn, organizations: &[String]) -> QueryResult<BTreeMap<String, Vec<KeptTrigger>>> {
    let rows: Vec<TriggerRow> = on_backend!(conn, c => triggers::table
        .filter(triggers::organization_id.eq_any(organizations))
        .filter(triggers::status.eq(Status::Published.name()))
        .order(triggers::id)
        .load(c))?;
    let mut all: BTreeMap<String, Vec<KeptTrigger>> = BTreeMap::new();
    for row in rows {
        let definition = row.read()?;
        all.entry(row.organization_id.clone()).or_default().push(KeptTrigger { id: row.id, definition });
    }
    Ok(all)
}
