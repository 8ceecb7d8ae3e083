//! Comparisons of directories with WorkOS's own listing: the latest, and a form that begins one.

use actix_web::{HttpResponse, web};
use askama::Template;
use serde::Deserialize;

use crate::domain::is_of_logins;
use crate::http::HttpState;
use crate::operations::MAX_LIMIT;
use crate::operations::directories::{self, DirectoryQuery};
use crate::operations::reconciles::{self, ReconcileQuery, ReconcileView};

use super::super::frame::{Frame, Section, go, page};
use super::super::link::{encoded, said};
use super::super::refusal::Refusal;
use super::super::visitor::{Act, Visitor};
use super::super::when::When;
use super::HOME;
use super::asking::client;
use super::reconcile::{differs_in, open_in};

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/directory-sync/reconciles", web::get().to(list))
        .route("/directory-sync/reconciles", web::post().to(begin));
}

#[derive(Template)]
#[template(
    path = "directory_sync/reconciles.html",
    config = "src/console/askama.toml"
)]
struct ReconcilesPage {
    frame: Frame,
    /// Directories that can be compared: id and name.
    directories: Vec<(String, String)>,
    chosen: Option<String>,
    rows: Vec<Row>,
    asks_workos: bool,
    operates: bool,
    csrf: String,
}

/// One comparison.
struct Row {
    one: ReconcileView,
    directory: String,
    begun: When,
    differs: i64,
    open: i64,
}

/// The filter, as the address has it.
#[derive(Debug, Deserialize)]
pub(super) struct Chosen {
    organization: Option<String>,
    directory: Option<String>,
}

async fn list(
    visitor: Visitor,
    chosen: web::Query<Chosen>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Refusal> {
    let actor = visitor.actor.clone();
    let Chosen {
        organization,
        directory,
    } = chosen.into_inner();
    let (organization, chosen) = (said(organization), said(directory));
    let query = ReconcileQuery {
        organization_id: organization.clone(),
        directory_id: chosen.clone(),
        limit: None,
        cursor: None,
    };
    let (rows, directories) = state
        .read(move |conn| {
            let rows = reconciles::list(conn, &actor, &query)?.data;
            let of = DirectoryQuery {
                organization_id: organization,
                limit: Some(MAX_LIMIT),
                cursor: None,
            };
            Ok((rows, directories::list(conn, &actor, &of)?.data))
        })
        .await?;
    let directories: Vec<(String, String)> = directories
        .into_iter()
        .filter(|one| one.linked && !is_of_logins(&one.id))
        .map(|one| (one.id.clone(), one.name.unwrap_or(one.id)))
        .collect();
    let name = |id: &str| {
        let found = directories.iter().find(|(one, _)| one == id);
        found.map_or_else(|| id.to_owned(), |(_, name)| name.clone())
    };
    let rows = rows.into_iter().map(|one| Row {
        directory: name(&one.directory_id),
        begun: When::new(one.started_at, visitor.now),
        differs: differs_in(&one),
        open: open_in(&one),
        one,
    });
    page(&ReconcilesPage {
        frame: visitor.frame("Comparisons", Section::DirectorySync),
        rows: rows.collect(),
        directories,
        chosen,
        asks_workos: state.workos.is_some(),
        operates: visitor.operates(),
        csrf: visitor.csrf.clone(),
    })
}

/// Which directory, and whether what differs is applied at once.
#[derive(Debug, Deserialize)]
pub(super) struct Beginning {
    directory: String,
    apply: Option<String>,
}

async fn begin(act: Act<Beginning>, state: web::Data<HttpState>) -> Result<HttpResponse, Refusal> {
    client(&state)?;
    let (actor, now, form) = (act.visitor.actor, act.visitor.now, act.form);
    let apply = form.apply.is_some();
    let one = state
        .write(move |conn| reconciles::begin(conn, &actor, &form.directory, None, apply, now))
        .await?;
    Ok(go(&format!("{HOME}/reconciles/{}", encoded(&one.id))))
}
