//! An organization's attribute mapping: read as a table, edited as JSON, tried on the people who are
//! there, and only then saved. What is wrong is told beside what was typed, which is kept; nothing is
//! saved that was not previewed as it stands, or that somebody else has changed meanwhile.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use askama::Template;
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::conditions::Problem;
use crate::db::Conn;
use crate::domain::{Mapping, Otherwise, Transform, ValueKind};
use crate::http::HttpState;
use crate::operations::fields::{self, PreviewQuery, PreviewView};
use crate::operations::{Actor, OperationError, names};

use super::super::frame::{Frame, Section, go, page, page_with};
use super::super::link::encoded;
use super::super::refusal::Refusal;
use super::super::visitor::{Act, Visitor};
use super::home_of;

/// Directory users that a preview looks at, unless everybody is asked for: as many as are quick.
const SOME: u32 = 100;
/// Where the problem is when somebody else has changed the mapping.
const CHANGED: &str = "mapping";

pub(super) fn routes(config: &mut web::ServiceConfig) {
    let path = "/directory-sync/organizations/{id}/mapping";
    config
        .route(path, web::get().to(show))
        .route(&format!("{path}/preview"), web::post().to(preview))
        .route(&format!("{path}/save"), web::post().to(save));
}

/// A rule as a line of a table.
pub(super) struct RuleRow {
    pub target: String,
    pub from: String,
    pub kind: &'static str,
    pub steps: Vec<String>,
    pub marks: Vec<&'static str>,
}

impl RuleRow {
    /// Every rule of a mapping, and the line about everything else.
    pub fn all(mapping: &Mapping) -> Vec<Self> {
        let mut rows: Vec<Self> = mapping.rules.iter().map(Self::of).collect();
        if mapping.rest {
            rows.push(Self {
                target: "attributes.<name>".to_owned(),
                from: "every other key".to_owned(),
                kind: "any",
                steps: Vec::new(),
                marks: vec!["locked"],
            });
        }
        rows
    }

    fn of(rule: &crate::domain::MappingRule) -> Self {
        let marks = [
            (rule.required, "required"),
            (rule.locked, "locked"),
            (rule.sensitive, "sensitive"),
        ];
        Self {
            target: rule.target.clone(),
            from: rule.from.join(", "),
            kind: match rule.kind {
                ValueKind::Text => "text",
                ValueKind::Code => "code",
                ValueKind::Number => "number",
                ValueKind::Boolean => "yes or no",
                ValueKind::Day => "day",
                ValueKind::Any => "any",
            },
            steps: rule.transforms.iter().map(told).collect(),
            marks: marks
                .into_iter()
                .filter_map(|(is, mark)| is.then_some(mark))
                .collect(),
        }
    }
}

/// A transform in a few words.
fn told(step: &Transform) -> String {
    match step {
        Transform::Trim => "trim".to_owned(),
        Transform::Lower => "lower case".to_owned(),
        Transform::Upper => "upper case".to_owned(),
        Transform::TitleCase => "title case".to_owned(),
        Transform::Concat { separator } => format!("joined with “{separator}”"),
        Transform::Coalesce { or: None } => "the first that says something".to_owned(),
        Transform::Coalesce { or: Some(or) } => {
            format!("the first that says something, else “{or}”")
        }
        Transform::Replace { find, with } => format!("“{find}” becomes “{with}”"),
        Transform::Lookup { table, otherwise } => {
            let rest = match otherwise {
                Otherwise::Keep => "the rest stays",
                Otherwise::Skip => "the rest is skipped",
            };
            format!("by a table of {}, {rest}", table.len())
        }
        Transform::Date { read, write } => format!("date {read} as {write}"),
    }
}

#[derive(Template)]
#[template(
    path = "directory_sync/mapping.html",
    config = "src/console/askama.toml"
)]
struct MappingPage {
    frame: Frame,
    id: String,
    name: String,
    rules: Vec<RuleRow>,
    /// The mapping as text: as it is kept, or as it was typed.
    typed: String,
    /// What the mapping was when editing began.
    from: String,
    /// The mapping that the preview is of.
    previewed: String,
    problems: Vec<Problem>,
    preview: Option<PreviewView>,
    job: Option<String>,
    operates: bool,
    csrf: String,
}

/// What the form carries.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Edited {
    #[serde(default)]
    mapping: String,
    #[serde(default)]
    from: String,
    #[serde(default)]
    previewed: String,
    /// The button that asks for a preview of everybody.
    everybody: Option<String>,
}

struct Kept {
    name: String,
    mapping: Mapping,
    job: Option<String>,
}

fn kept(conn: &mut Conn, actor: &Actor, id: &str) -> Result<Kept, OperationError> {
    let one = fields::show(conn, actor, id)?;
    Ok(Kept {
        name: names::of_organization(conn, actor, id)?,
        job: one.job.map(|job| job.id),
        mapping: one.mapping,
    })
}

/// Two mappings with the same mark are the same.
fn mark_of(mapping: &Mapping) -> String {
    let text = serde_json::to_string(mapping).unwrap_or_default();
    hex::encode(Sha256::digest(text))
}

fn page_of(visitor: &Visitor, id: String, kept: Kept) -> MappingPage {
    MappingPage {
        frame: visitor.frame(
            format!("Attribute mapping: {}", kept.name),
            Section::DirectorySync,
        ),
        id,
        rules: RuleRow::all(&kept.mapping),
        typed: serde_json::to_string_pretty(&kept.mapping).unwrap_or_default(),
        from: mark_of(&kept.mapping),
        previewed: String::new(),
        problems: Vec::new(),
        preview: None,
        job: kept.job,
        name: kept.name,
        operates: visitor.operates(),
        csrf: visitor.csrf.clone(),
    }
}

async fn show(
    visitor: Visitor,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Refusal> {
    let (actor, asked) = (visitor.actor.clone(), id.clone());
    let kept = state.read(move |conn| kept(conn, &actor, &asked)).await?;
    page(&page_of(&visitor, id.into_inner(), kept))
}

/// What was typed, as a mapping; or everything that is wrong with it.
fn mapping_of(typed: &str) -> Result<(Value, Mapping), Vec<Problem>> {
    let body: Value = serde_json::from_str(typed).map_err(|why| {
        let place = format!("line {}, column {}", why.line(), why.column());
        vec![Problem::new(place, format!("this is not JSON: {why}"))]
    })?;
    let mapping = Mapping::parse(&body)?;
    Ok((body, mapping))
}

async fn preview(
    act: Act<Edited>,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Refusal> {
    tried(&act.visitor, id.into_inner(), act.form, &state, Vec::new()).await
}

/// The page with what was typed and what would come of it.
async fn tried(
    visitor: &Visitor,
    id: String,
    form: Edited,
    state: &HttpState,
    problems: Vec<Problem>,
) -> Result<HttpResponse, Refusal> {
    let (actor, asked, now) = (visitor.actor.clone(), id.clone(), visitor.now);
    let read = mapping_of(&form.mapping);
    let body = read.as_ref().ok().map(|(body, _)| body.clone());
    let everybody = form.everybody.is_some();
    let (kept, told) = state
        .read(move |conn| {
            let kept = kept(conn, &actor, &asked)?;
            let query = PreviewQuery {
                tries: (!everybody).then_some(SOME),
                ..PreviewQuery::default()
            };
            let told = body.map(|body| fields::preview(conn, &actor, &asked, &body, &query, now));
            Ok((kept, told.transpose()?))
        })
        .await?;
    let mut one = page_of(visitor, id, kept);
    let told_of_change = problems.iter().any(|one| one.path == CHANGED);
    one.typed = form.mapping;
    one.problems = problems;
    match read {
        Ok((_, mapping)) => one.previewed = mark_of(&mapping),
        Err(all) => one.problems.extend(all),
    }
    // Told that it was changed meanwhile, whoever goes on begins from what the table shows now.
    if !form.from.is_empty() && !told_of_change {
        one.from = form.from;
    }
    one.preview = told;
    let status = match one.problems.is_empty() {
        true => StatusCode::OK,
        false => StatusCode::UNPROCESSABLE_ENTITY,
    };
    page_with(status, &one)
}

async fn save(
    act: Act<Edited>,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Refusal> {
    let (visitor, form, id) = (act.visitor, act.form, id.into_inner());
    let Ok((body, mapping)) = mapping_of(&form.mapping) else {
        return tried(&visitor, id, form, &state, Vec::new()).await;
    };
    if mark_of(&mapping) != form.previewed {
        let problems = vec![Problem::new(
            "preview",
            "this is not what was previewed, so nothing was saved; below is what it would change",
        )];
        return tried(&visitor, id, form, &state, problems).await;
    }
    let (actor, now, asked, from) = (
        visitor.actor.clone(),
        visitor.now,
        id.clone(),
        form.from.clone(),
    );
    let done = state
        .write(move |conn| {
            if mark_of(&fields::show(conn, &actor, &asked)?.mapping) != from {
                return Ok(None);
            }
            fields::put(conn, &actor, &asked, &body, now).map(Some)
        })
        .await?;
    let Some(done) = done else {
        let problems = vec![Problem::new(
            CHANGED,
            "somebody else has changed the mapping since you began, so nothing was saved; \
             the table above is theirs, your text is below, and saving it now replaces theirs",
        )];
        return tried(&visitor, id, form, &state, problems).await;
    };
    Ok(go(&match done.job {
        Some(job) => format!("/console/jobs/{}?done=mapped", encoded(&job.id)),
        None => format!("{}?done=mapped", home_of(&id)),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapping_that_cannot_be_read_is_told_with_its_place() {
        let problems = mapping_of("{\"rules\": [").unwrap_err();
        assert!(problems[0].path.starts_with("line 1"), "{problems:?}");
        let problems = mapping_of("{\"rules\": [{\"target\": \"titel\", \"from\": [\"x\"]}]}");
        assert!(problems.is_err());
    }

    #[test]
    fn a_mapping_has_the_same_mark_however_it_is_written() {
        let (_, one) = mapping_of("{}").unwrap();
        let (_, other) = mapping_of(" { \"rest\" : true }").unwrap();
        assert_eq!(mark_of(&one), mark_of(&other));
        assert_ne!(
            mark_of(&one),
            mark_of(&mapping_of("{\"rest\": false}").unwrap().1)
        );
    }
}
