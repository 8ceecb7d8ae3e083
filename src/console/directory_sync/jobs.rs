//! A job that runs for an organization: how far it came, what came of it, an end to it by hand.

use actix_web::{HttpResponse, web};
use askama::Template;
use serde::Deserialize;
use serde_json::Value;

use crate::desk::jobs::{self, JobView};
use crate::http::HttpState;

use super::super::frame::{Frame, Section, go, page};
use super::super::link::encoded;
use super::super::refusal::Refusal;
use super::super::visitor::{Act, Visitor};
use super::super::when::When;
use super::asking::Following;
use super::{HOME, home_of};

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/directory-sync/jobs/{id}", web::get().to(show))
        .route("/directory-sync/jobs/{id}/cancel", web::post().to(cancel));
}

#[derive(Template)]
#[template(path = "directory_sync/job.html", config = "src/console/askama.toml")]
struct JobPage {
    frame: Frame,
    job: JobView,
    title: &'static str,
    back: Option<String>,
    results: Vec<(String, String)>,
    begun: When,
    ended: Option<When>,
    follows: bool,
    operates: bool,
    csrf: String,
}

/// What a job does, in words.
fn title_of(kind: &str) -> &'static str {
    match kind {
        "fields.reapply" => "Applying the attribute mapping",
        _ => "A job",
    }
}

async fn show(
    visitor: Visitor,
    id: web::Path<String>,
    following: web::Query<Following>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Refusal> {
    let actor = visitor.actor.clone();
    let job = state
        .read(move |conn| jobs::show(conn, &actor, &id))
        .await?;
    let title = title_of(&job.kind);
    let follows = following.wanted() && !job.has_ended();
    page(&JobPage {
        frame: visitor.frame(title, Section::DirectorySync),
        title,
        back: job.organization_id.as_deref().map(home_of),
        results: results(&job.result),
        begun: When::new(job.created_at, visitor.now),
        ended: job.ended_at.map(|at| When::new(at, visitor.now)),
        follows,
        operates: visitor.operates(),
        csrf: visitor.csrf.clone(),
        job,
    })
}

/// Counts by their names; what is no count as JSON.
fn results(result: &Value) -> Vec<(String, String)> {
    let all = result.as_object().into_iter().flatten();
    all.map(|(name, value)| (name.replace('_', " "), value.to_string()))
        .collect()
}

/// The button has no fields of its own.
#[derive(Debug, Deserialize)]
pub(super) struct Button {}

async fn cancel(
    act: Act<Button>,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Refusal> {
    let (actor, now) = (act.visitor.actor, act.visitor.now);
    let job = state
        .write(move |conn| jobs::cancel(conn, &actor, &id, now))
        .await?;
    Ok(go(&format!("{HOME}/jobs/{}", encoded(&job.id))))
}
