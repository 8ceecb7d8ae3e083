//! Who sees what an organization's mapping calls sensitive: those with the right `sensitive`, and
//! nobody else, at any door. Everything shown of fields goes through a [`Redaction`] first.

use std::collections::BTreeMap;

use serde_json::Value;
use serde_json::value::RawValue;

use crate::db::Conn;
use crate::domain::{HIDDEN, Hidden};
use crate::outbox::EventRow;
use crate::store::changes::ChangeRow;
use crate::store::profiles::ProfileRow;
use crate::store::{directories, organizations, unreadable};
use crate::triggers::deliveries::DeliveryRow;

use super::{Actor, OperationError};

/// What one actor does not see, by organization. Empty for those with the right.
#[derive(Debug, Default)]
pub(super) struct Redaction(BTreeMap<String, Hidden>);

impl Redaction {
    /// Over the given organizations.
    pub(super) fn over(
        conn: &mut Conn,
        actor: &Actor,
        organizations: &[String],
    ) -> Result<Self, OperationError> {
        if actor.sees_sensitive() || organizations.is_empty() {
            return Ok(Self::default());
        }
        let all = organizations::load(conn, organizations)?;
        let hidden = all
            .into_iter()
            .map(|(id, one)| (id, Hidden::by(&one.settings.mapping)));
        Ok(Self(
            hidden.filter(|(_, hidden)| !hidden.is_empty()).collect(),
        ))
    }

    /// Over one organization.
    pub(super) fn over_one(
        conn: &mut Conn,
        actor: &Actor,
        organization: &str,
    ) -> Result<Self, OperationError> {
        Self::over(conn, actor, &[organization.to_owned()])
    }

    /// Over the organization of an event, and of its directory where that is another one by now.
    pub(super) fn over_event(
        conn: &mut Conn,
        actor: &Actor,
        event: &EventRow,
    ) -> Result<Self, OperationError> {
        if actor.sees_sensitive() {
            return Ok(Self::default());
        }
        let named: Vec<String> = event.directory_id.iter().cloned().collect();
        let homes = directories::load(conn, &named)?.into_values();
        let mut all: Vec<String> = homes.map(|one| one.organization_id).collect();
        all.extend(event.organization_id.clone());
        Self::over(conn, actor, &all)
    }

    /// Over everything in a list's scope.
    pub(super) fn over_scope(
        conn: &mut Conn,
        actor: &Actor,
        organization: Option<&str>,
    ) -> Result<Self, OperationError> {
        if actor.sees_sensitive() {
            return Ok(Self::default());
        }
        let all = organizations::list(conn, organization, None, i64::MAX)?;
        let hidden = all
            .into_iter()
            .map(|one| (one.id, Hidden::by(&one.settings.mapping)));
        Ok(Self(
            hidden.filter(|(_, hidden)| !hidden.is_empty()).collect(),
        ))
    }

    /// Whether nothing is hidden.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a field is hidden in any of the organizations.
    pub(super) fn covers(&self, field: &str) -> bool {
        self.0.values().any(|hidden| hidden.covers(field))
    }

    /// Takes what is hidden out of a profile; answers the names of what was there.
    pub(super) fn profile(&self, row: &mut ProfileRow) -> Result<Vec<String>, OperationError> {
        let Some(hidden) = self.0.get(&row.organization_id) else {
            return Ok(Vec::new());
        };
        let mut taken = Vec::new();
        for (name, value) in [
            ("title", &mut row.title),
            ("department", &mut row.department),
            ("pronouns", &mut row.pronouns),
            ("start_date", &mut row.start_date),
            ("manager_email", &mut row.manager_email),
            ("employee_number", &mut row.employee_number),
        ] {
            if hidden.covers(name) && value.take().is_some() {
                taken.push(name.to_owned());
            }
        }
        let mut attributes: serde_json::Map<String, Value> = serde_json::from_str(&row.attributes)
            .map_err(|error| unreadable("attributes", &row.id, &error))?;
        attributes.retain(|name, _| {
            let field = format!("attributes.{name}");
            let covered = hidden.covers(&field);
            if covered {
                taken.push(field);
            }
            !covered
        });
        row.attributes = Value::Object(attributes).to_string();
        Ok(taken)
    }

    /// Hides the values of a change of a hidden field.
    pub(super) fn change(&self, row: &mut ChangeRow) {
        if row.what == "field" && self.covers(&row.name) {
            for value in [&mut row.old, &mut row.new].into_iter().flatten() {
                HIDDEN.clone_into(value);
            }
        }
    }

    /// Hides what a message said: its text may hold any field, filled in by an earlier template.
    pub(super) fn delivery(&self, row: &mut DeliveryRow) -> bool {
        let covered = self.0.contains_key(&row.organization_id);
        if covered {
            for text in [&mut row.subject, &mut row.body, &mut row.html]
                .into_iter()
                .flatten()
            {
                HIDDEN.clone_into(text);
            }
            if self.covers("manager_email") {
                row.recipient = row.recipient.take().map(|_| HIDDEN.to_owned());
            }
        }
        covered
    }

    /// Hides values in a payload.
    pub(super) fn payload(&self, body: String) -> Option<Box<RawValue>> {
        if self.is_empty() {
            return RawValue::from_string(body).ok();
        }
        let mut payload: Value = serde_json::from_str(&body).ok()?;
        for hidden in self.0.values() {
            hidden.mask(&mut payload);
        }
        RawValue::from_string(payload.to_string()).ok()
    }

    /// Refuses to let what is hidden from the actor decide or leave by their doing.
    pub(super) fn refuse(&self, doing: &str) -> Result<(), OperationError> {
        if self.is_empty() {
            return Ok(());
        }
        Err(OperationError::Forbidden(format!(
            "{doing} needs the right `sensitive`, because this organization has sensitive fields: make a token with `rollcall tokens create --sensitive`"
        )))
    }
}

/// The fields that a JSON text of conditions asks about.
pub(super) fn fields_asked(conditions: &Value) -> Vec<String> {
    match conditions {
        Value::Object(members) => members
            .iter()
            .flat_map(|(key, value)| match (key.as_str(), value) {
                ("field", Value::String(field)) => vec![field.clone()],
                _ => fields_asked(value),
            })
            .collect(),
        Value::Array(items) => items.iter().flat_map(fields_asked).collect(),
        _ => Vec::new(),
    }
}
