//! What a trigger would say to a real person, as they would see it; nothing is sent. A mail's HTML is shown
//! in a frame without scripts, forms or anything from elsewhere.

use actix_web::http::header::CONTENT_SECURITY_POLICY;
use actix_web::{HttpResponse, web};
use askama::Template;
use serde::Deserialize;

use crate::http::HttpState;
use crate::operations::names;
use crate::operations::triggers::{self, StepPreview};

use super::super::frame::{Frame, Section, page};
use super::super::indent::indent;
use super::super::refusal::Refusal;
use super::super::visitor::Visitor;
use super::super::when::When;

/// A mail may colour its own text and show pictures that it carries; nothing else.
const MAIL_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox; \
                           frame-ancestors 'self'; base-uri 'none'; form-action 'none'";

#[derive(Template)]
#[template(path = "triggers/preview.html", config = "src/console/askama.toml")]
struct PreviewPage {
    frame: Frame,
    id: String,
    name: String,
    person: String,
    person_id: String,
    matches: bool,
    timezone: String,
    steps: Vec<Shown>,
    operates: bool,
    csrf: String,
}

struct Shown {
    step: StepPreview,
    due: When,
    payload: Option<String>,
}

/// For whom.
#[derive(Debug, Deserialize)]
pub(super) struct Whom {
    person: String,
    step: Option<usize>,
}

/// Every message of the trigger, filled in.
pub(super) async fn show(
    visitor: Visitor,
    id: web::Path<String>,
    whom: web::Query<Whom>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Refusal> {
    let (actor, now, person_id) = (visitor.actor.clone(), visitor.now, whom.into_inner().person);
    let (asked, about) = (id.clone(), person_id.clone());
    let (view, name, person) = state
        .read(move |conn| {
            let view = triggers::preview(conn, &actor, &asked, &about, now)?;
            let name = triggers::show(conn, &actor, &asked)?.definition.name;
            let person = names::of_people(conn, &actor, &[about])?;
            Ok((view, name, person.into_values().next().unwrap_or_default()))
        })
        .await?;
    page(&PreviewPage {
        frame: visitor.frame(format!("Preview of {name}"), Section::Triggers),
        id: id.into_inner(),
        name,
        person,
        person_id,
        matches: view.matches,
        timezone: view.timezone,
        steps: view
            .steps
            .into_iter()
            .map(|step| Shown {
                due: When::new(step.due_at, now),
                payload: step.payload.as_ref().map(|json| indent(&json.to_string())),
                step,
            })
            .collect(),
        operates: visitor.operates(),
        csrf: visitor.csrf.clone(),
    })
}

/// One mail's HTML by itself, for the frame.
pub(super) async fn html(
    visitor: Visitor,
    id: web::Path<String>,
    whom: web::Query<Whom>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Refusal> {
    let whom = whom.into_inner();
    let view = state
        .read(move |conn| triggers::preview(conn, &visitor.actor, &id, &whom.person, visitor.now))
        .await?;
    let step = whom.step.unwrap_or_default();
    let html = view.steps.into_iter().nth(step).and_then(|one| one.html);
    let html = html.ok_or_else(Refusal::nothing_here)?;
    Ok(HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .insert_header((CONTENT_SECURITY_POLICY, MAIL_POLICY))
        .body(html))
}
