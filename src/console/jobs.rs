//! Long work in steps: what there is, how far one came, and an end to it by hand. While one runs its
//! page keeps itself up to date; without scripts it comes anew every two seconds.

use actix_web::{HttpResponse, web};
use askama::Template;
use serde::Deserialize;
use serde_json::Value;

use crate::http::HttpState;
use crate::operations::jobs::{self, JobQuery, JobView};

use super::frame::{Frame, Section, go, page};
use super::link::{Pager, encoded, said};
use super::refusal::Refusal;
use super::visitor::{Act, Button, Visitor};
use super::when::When;

const PATH: &str = "/console/jobs";

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/jobs", web::get().to(list))
        .route("/jobs/{id}", web::get().to(show))
        .route("/jobs/{id}/retry", web::post().to(retry))
        .route("/jobs/{id}/cancel", web::post().to(cancel));
}

#[derive(Template)]
#[template(path = "jobs.html", config = "src/console/askama.toml")]
struct JobsPage {
    frame: Frame,
    rows: Vec<Shown>,
    pager: Pager,
}

#[derive(Template)]
#[template(path = "job.html", config = "src/console/askama.toml")]
struct JobPage {
    frame: Frame,
    row: Shown,
    results: Vec<(String, String)>,
    goes_on: bool,
    nobody_works: bool,
    operates: bool,
    csrf: String,
}

/// A job as a page shows it.
struct Shown {
    one: JobView,
    created: When,
    ended: Option<When>,
}

impl Shown {
    fn of(one: JobView, visitor: &Visitor) -> Self {
        Self {
            created: When::new(one.created_at, visitor.now),
            ended: one.ended_at.map(|at| When::new(at, visitor.now)),
            one,
        }
    }

    /// What it does, in words.
    fn title(&self) -> &str {
        match self.one.kind.as_str() {
            "events.replay" => "Replay of events",
            "deliveries.retry" => "Messages sent again",
            "fields.reapply" => "A changed mapping applied to everybody",
            "settings.reapply" => "Changed settings applied to everybody",
            "rules.apply" => "A community's rules applied to everybody",
            "directory.remove" => "People of a deleted directory removed",
            "directory.restore" => "People of a directory brought back",
            "organization.remove" => "People of a deleted organization removed",
            "organization.access" => "Host applications told of suspended access",
            kind => kind,
        }
    }

    fn percent(&self) -> i64 {
        match self.one.total {
            0 => 100,
            total => (self.one.done * 100 / total).min(100),
        }
    }
}

/// The page of the list.
#[derive(Debug, Default, Deserialize)]
struct Place {
    cursor: Option<String>,
}

async fn list(
    visitor: Visitor,
    place: web::Query<Place>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Refusal> {
    let cursor = said(place.into_inner().cursor);
    let actor = visitor.actor.clone();
    let query = JobQuery {
        cursor: cursor.clone(),
        ..JobQuery::default()
    };
    let found = state
        .read(move |conn| jobs::list(conn, &actor, &query))
        .await?;
    let pager = Pager::new(PATH, &[], cursor.as_deref(), found.next_cursor.as_deref());
    let rows = found.data.into_iter();
    page(&JobsPage {
        frame: visitor.frame("Jobs", Section::Events),
        rows: rows.map(|one| Shown::of(one, &visitor)).collect(),
        pager,
    })
}

async fn show(
    visitor: Visitor,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Refusal> {
    let (actor, now) = (visitor.actor.clone(), visitor.now);
    let (one, works) = state
        .read(move |conn| {
            let one = jobs::show(conn, &actor, &id)?;
            Ok((one, jobs::somebody_works(conn, now)?))
        })
        .await?;
    let goes_on = !one.has_ended();
    let row = Shown::of(one, &visitor);
    page(&JobPage {
        frame: visitor.frame(row.title(), Section::Events),
        results: results(&row.one.result),
        nobody_works: goes_on && !works,
        operates: visitor.operates() && (goes_on || row.one.state == "failed"),
        csrf: visitor.csrf.clone(),
        goes_on,
        row,
    })
}

/// What came of it so far, in words and figures.
fn results(result: &Value) -> Vec<(String, String)> {
    let all = result.as_object().into_iter().flatten();
    all.map(|(name, value)| (name.replace('_', " "), value.to_string()))
        .collect()
}

async fn retry(
    act: Act<Button>,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Refusal> {
    let (actor, now) = (act.visitor.actor, act.visitor.now);
    let one = state
        .write(move |conn| jobs::retry(conn, &actor, &id, now))
        .await?;
    Ok(go(&format!("{PATH}/{}?done=job_retried", encoded(&one.id))))
}

async fn cancel(
    act: Act<Button>,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Refusal> {
    let (actor, now) = (act.visitor.actor, act.visitor.now);
    let one = state
        .write(move |conn| jobs::cancel(conn, &actor, &id, now))
        .await?;
    Ok(go(&format!("{PATH}/{}?done=stopped", encoded(&one.id))))
}
