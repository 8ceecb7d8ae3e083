//! Triggers as rows: the checked definition as JSON, a version that grows with each change.

use std::collections::BTreeMap;

use diesel::prelude::*;

use crate::clock::Timestamp;
use crate::db::schema::{trigger_versions, triggers};
use crate::db::{Conn, on_backend};

use super::definition::{NewTrigger, Status};
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
        read(&self.id, &self.definition)
    }
}

fn read(id: &str, definition: &str) -> QueryResult<NewTrigger> {
    let value = serde_json::from_str(definition)
        .map_err(|error| diesel::result::Error::DeserializationError(error.into()))?;
    NewTrigger::read_kept(&value).map_err(|problems| {
        let all: Vec<String> = problems
            .iter()
            .map(|problem| format!("{}: {}", problem.path, problem.message))
            .collect();
        diesel::result::Error::DeserializationError(
            format!(
                "the stored trigger {id} is not what this version writes: {}",
                all.join("; ")
            )
            .into(),
        )
    })
}

/// One version of a trigger, as kept for good.
#[derive(Debug, Clone, Queryable, Insertable, Selectable)]
#[diesel(table_name = trigger_versions, treat_none_as_default_value = false)]
#[allow(missing_docs, reason = "the columns are described in the migrations")]
pub struct VersionRow {
    pub trigger_id: String,
    pub version: i32,
    pub definition: String,
    pub created_at: Timestamp,
    pub created_by: Option<String>,
}

/// What a trigger said in that version.
pub fn version(conn: &mut Conn, id: &str, version: i32) -> QueryResult<Option<NewTrigger>> {
    let row: Option<String> = on_backend!(conn, c => trigger_versions::table
        .find((id, version))
        .select(trigger_versions::definition)
        .first(c)
        .optional())?;
    row.map(|definition| read(id, &definition)).transpose()
}

/// All versions of a trigger, newest first.
pub fn versions(conn: &mut Conn, id: &str) -> QueryResult<Vec<VersionRow>> {
    on_backend!(conn, c => trigger_versions::table
        .filter(trigger_versions::trigger_id.eq(id))
        .order(trigger_versions::version.desc())
        .load(c))
}

/// Keeps the present version of a trigger beside the older ones.
pub fn keep_version(conn: &mut Conn, id: &str, by: Option<&str>) -> QueryResult<()> {
    let Some(row) = find(conn, id)? else {
        return Ok(());
    };
    let kept = VersionRow {
        trigger_id: row.id,
        version: row.version,
        definition: row.definition,
        created_at: row.updated_at,
        created_by: by.map(str::to_owned),
    };
    on_backend!(conn, c => diesel::insert_into(trigger_versions::table).values(&kept).on_conflict_do_nothing().execute(c))?;
    Ok(())
}

/// Adds a trigger; false when the organization has one of that name.
pub fn create(conn: &mut Conn, row: &TriggerRow, by: &str) -> QueryResult<bool> {
    let added = on_backend!(conn, c => diesel::insert_into(triggers::table).values(row).on_conflict_do_nothing().execute(c))?;
    keep_version(conn, &row.id, Some(by))?;
    Ok(added > 0)
}

/// Replaces a trigger's definition; its version grows.
pub fn update(conn: &mut Conn, row: &TriggerRow, by: &str) -> QueryResult<bool> {
    let changed = on_backend!(conn, c => diesel::update(triggers::table.find(&row.id))
        .set((
            triggers::name.eq(&row.name),
            triggers::definition.eq(&row.definition),
            triggers::status.eq(&row.status),
            triggers::version.eq(triggers::version + 1),
            triggers::updated_at.eq(row.updated_at),
        ))
        .execute(c))?;
    keep_version(conn, &row.id, Some(by))?;
    Ok(changed > 0)
}

/// Deletes a trigger; its versions stay, since deliveries name them. False when there was none.
pub fn delete(conn: &mut Conn, id: &str) -> QueryResult<bool> {
    Ok(on_backend!(conn, c => diesel::delete(triggers::table.find(id)).execute(c))? > 0)
}

/// One trigger.
pub fn find(conn: &mut Conn, id: &str) -> QueryResult<Option<TriggerRow>> {
    on_backend!(conn, c => triggers::table.find(id).first(c).optional())
}

/// All triggers of an organization, by name.
pub fn of_organization(conn: &mut Conn, organization: &str) -> QueryResult<Vec<TriggerRow>> {
    on_backend!(conn, c => triggers::table
        .filter(triggers::organization_id.eq(organization))
        .order(triggers::name)
        .load(c))
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

/// The published triggers of the given organizations. One that cannot be read fires nothing and is told in
/// the log: it must not keep anybody's events from being applied.
pub fn published(
    conn: &mut Conn,
    organizations: &[String],
) -> QueryResult<BTreeMap<String, Vec<KeptTrigger>>> {
    let rows: Vec<TriggerRow> = on_backend!(conn, c => triggers::table
        .filter(triggers::organization_id.eq_any(organizations))
        .filter(triggers::status.eq(Status::Published.name()))
        .order(triggers::id)
        .load(c))?;
    let mut all: BTreeMap<String, Vec<KeptTrigger>> = BTreeMap::new();
    for row in rows {
        let definition = match row.read() {
            Ok(definition) => definition,
            Err(error) => {
                tracing::error!(trigger_id = row.id, %error, "a published trigger cannot be read and fires nothing; save it again");
                continue;
            }
        };
        all.entry(row.organization_id.clone())
            .or_default()
            .push(KeptTrigger {
                id: row.id,
                version: row.version,
                definition,
            });
    }
    Ok(all)
}
