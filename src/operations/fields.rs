//! An organization's attribute mapping (R46-R51): shown, checked with every problem told, rehearsed
//! on the people who are there, kept, and applied to everybody by a job.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::clock::Timestamp;
use crate::db::Conn;
use crate::domain::{HIDDEN, Hidden, Mapping, MappingRule, Settings};
use crate::store::organizations;
use crate::worker::reapply::{self, Rehearsed};

use super::jobs::JobView;
use super::organizations::seen;
use super::{Actor, OperationError, Role, audit};

/// The most people whose differences a preview lists.
const MOST_SHOWN: usize = 200;
const USUALLY_SHOWN: usize = 10;

/// The mapping as shown, and the job that applies it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[allow(missing_docs, reason = "the fields of the API")]
pub struct FieldsView {
    pub organization_id: String,
    pub mapping: Mapping,
    /// Null when everybody has this mapping already.
    pub job: Option<JobView>,
}

/// How a preview is shown.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the parameters of the API")]
pub struct PreviewQuery {
    /// People listed, of those of whom something would change: 10 when not said, 200 at most.
    pub sample: Option<usize>,
    /// Directory users it is tried on: everybody when not said.
    #[schemars(range(min = 1))]
    pub tries: Option<u32>,
    /// Only this person is listed, whether or not something would change.
    pub profile_id: Option<String>,
}

/// What a mapping would change: counted over everybody who was looked at, listed for some.
#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
#[allow(missing_docs, reason = "the fields of the API")]
#[schemars(rename = "FieldsPreviewView")]
pub struct PreviewView {
    pub organization_id: String,
    /// People looked at.
    pub people: usize,
    /// Whether that is everybody.
    pub complete: bool,
    pub changed: usize,
    pub fields: BTreeMap<String, FieldCount>,
    /// Sentences that would stand at people where they do not now, and at how many.
    pub warnings: BTreeMap<String, usize>,
    pub sample: Vec<PersonPreview>,
}

/// In how many people a field would change, and how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[allow(missing_docs, reason = "the fields of the API")]
pub struct FieldCount {
    pub set: usize,
    pub changed: usize,
    pub cleared: usize,
}

/// One person before and after.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[allow(missing_docs, reason = "the fields of the API")]
pub struct PersonPreview {
    pub profile_id: String,
    pub display_name: String,
    pub status: &'static str,
    pub changes: Vec<FieldPreview>,
    pub warnings: Vec<String>,
}

/// One field before and after.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[allow(missing_docs, reason = "the fields of the API")]
pub struct FieldPreview {
    pub field: String,
    pub before: Option<String>,
    pub after: Option<String>,
}

/// The mapping of an organization.
pub fn show(conn: &mut Conn, actor: &Actor, id: &str) -> Result<FieldsView, OperationError> {
    actor.require(Role::Viewer)?;
    let organization = seen(conn, actor, id)?;
    let open = crate::store::jobs::open_of(conn, reapply::KIND, id)?;
    Ok(FieldsView {
        organization_id: organization.id,
        mapping: organization.settings.mapping,
        job: open.into_iter().next_back().map(JobView::from),
    })
}

/// Replaces the mapping, and asks for a job that applies it to everybody.
pub fn put(
    conn: &mut Conn,
    actor: &Actor,
    id: &str,
    body: &Value,
    now: Timestamp,
) -> Result<FieldsView, OperationError> {
    actor.require(Role::Operator)?;
    let mut organization = seen(conn, actor, id)?;
    let mapping = Mapping::parse(body).map_err(OperationError::Problems)?;
    let former = organization.settings.mapping.clone();
    if !actor.sees_sensitive() && !Hidden::by_either(&former, &mapping).is_empty() {
        return Err(OperationError::Forbidden(
            "a mapping with sensitive fields is changed by those who may see them: make a token with `rollcall tokens create --sensitive`"
                .to_owned(),
        ));
    }
    if former != mapping {
        organization.settings.mapping = mapping.clone();
        organizations::save_settings(conn, id, &organization.settings)?;
        let detail = format!("{} rules", mapping.rules.len());
        audit(
            conn,
            actor,
            "organization.fields_put",
            id,
            Some(id),
            Some(&detail),
            now,
        )?;
        reapply::ask(conn, id, former, &actor.name, now)?;
    }
    show(conn, actor, id)
}

/// What a mapping would change, of everybody or of some, without keeping it.
pub fn preview(
    conn: &mut Conn,
    actor: &Actor,
    id: &str,
    body: &Value,
    query: &PreviewQuery,
    now: Timestamp,
) -> Result<PreviewView, OperationError> {
    actor.require(Role::Viewer)?;
    let organization = seen(conn, actor, id)?;
    let mapping = Mapping::parse(body).map_err(OperationError::Problems)?;
    let most = query.sample.unwrap_or(USUALLY_SHOWN);
    if most > MOST_SHOWN {
        return Err(OperationError::Invalid(format!(
            "sample is {most}; it may be 0 to {MOST_SHOWN}"
        )));
    }
    let former = &organization.settings.mapping;
    let hidden = match actor.sees_sensitive() {
        true => Hidden::default(),
        false => Hidden::by_either(former, &mapping),
    };
    // What a table or a condition makes of a hidden value would tell the value, even masked.
    let hides = Hidden::by(former);
    let pries = |rule: &&MappingRule| hides.is_read_by(rule) && !former.rules.contains(rule);
    if let Some(rule) = mapping
        .rules
        .iter()
        .find(pries)
        .filter(|_| !hidden.is_empty())
    {
        return Err(OperationError::Forbidden(format!(
            "the rule for {} reads what is sensitive here: trying it out needs the right `sensitive`, make a token with `rollcall tokens create --sensitive`",
            rule.target
        )));
    }
    let mut view = PreviewView {
        organization_id: organization.id,
        ..PreviewView::default()
    };
    if query.tries == Some(0) {
        return Err(OperationError::Invalid(
            "tries is 0; it may be 1 and more".to_owned(),
        ));
    }
    let tries = query.tries.map_or(i64::MAX - 1, i64::from);
    let settings = Settings {
        mapping: mapping.clone(),
        ..organization.settings.clone()
    };
    view.complete = reapply::rehearse(conn, id, &settings, tries, now, &mut |one| {
        view.count(&one);
        let wanted = match &query.profile_id {
            Some(only) => one.after.id == *only,
            None => !one.changes.is_empty() && view.sample.len() < most,
        };
        if wanted {
            view.sample.push(person(one, &hidden));
        }
    })?;
    if let Some(only) = query
        .profile_id
        .as_deref()
        .filter(|_| view.sample.is_empty())
    {
        return Err(OperationError::not_found("profile", only));
    }
    Ok(view)
}

impl PreviewView {
    fn count(&mut self, one: &Rehearsed) {
        self.people += 1;
        self.changed += usize::from(!one.changes.is_empty());
        for change in &one.changes {
            let count = self.fields.entry(change.name.clone()).or_default();
            match (&change.old, &change.new) {
                (None, _) => count.set += 1,
                (_, None) => count.cleared += 1,
                _ => count.changed += 1,
            }
        }
        for warning in new_warnings(one) {
            *self.warnings.entry(warning.clone()).or_default() += 1;
        }
    }
}

fn new_warnings(one: &Rehearsed) -> impl Iterator<Item = &String> {
    let stood = one.before.as_ref().map(|before| &before.warnings);
    let is_new = move |warning: &&String| stood.is_none_or(|stood| !stood.contains(warning));
    one.after.warnings.iter().filter(is_new)
}

fn person(one: Rehearsed, hidden: &Hidden) -> PersonPreview {
    let warnings = new_warnings(&one).cloned().collect();
    let shown = |field: &str, value: Option<String>| match hidden.covers(field) {
        true => value.map(|_| HIDDEN.to_owned()),
        false => value,
    };
    let changes = one.changes.into_iter().map(|change| FieldPreview {
        before: shown(&change.name, change.old),
        after: shown(&change.name, change.new),
        field: change.name,
    });
    PersonPreview {
        changes: changes.collect(),
        display_name: one
            .after
            .field("display_name")
            .unwrap_or_default()
            .to_owned(),
        status: one.after.status.as_str(),
        profile_id: one.after.id,
        warnings,
    }
}
