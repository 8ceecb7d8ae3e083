//! `/v1/jobs`: long work and how far it came.

use actix_web::{HttpResponse, web};

use crate::desk::jobs::{self, JobQuery};

use super::super::{HttpState, Problem};
use super::Caller;

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/jobs", web::get().to(list))
        .route("/jobs/{id}", web::get().to(show))
        .route("/jobs/{id}/cancel", web::post().to(cancel));
}

async fn list(
    caller: Caller,
    query: web::Query<JobQuery>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let page = state
        .read(move |conn| jobs::list(conn, &caller.0, &query))
        .await?;
    Ok(HttpResponse::Ok().json(page))
}

async fn show(
    caller: Caller,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let one = state
        .read(move |conn| jobs::show(conn, &caller.0, &id))
        .await?;
    Ok(HttpResponse::Ok().json(one))
}

async fn cancel(
    caller: Caller,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let now = state.clock.now();
    let one = state
        .write(move |conn| jobs::cancel(conn, &caller.0, &id, now))
        .await?;
    Ok(HttpResponse::Ok().json(one))
}
