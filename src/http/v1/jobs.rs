//! `/v1/jobs`: long work and how far it came.

use actix_web::web;

use crate::operations::jobs::{self, JobQuery};
use crate::operations::{Page, Role};

use super::super::openapi::Table;
use super::super::{HttpState, Problem};
use super::Caller;

pub(super) fn routes(table: &mut Table) {
    table
        .get("/jobs", list, "Long work and how far it came.")
        .may(&[404]);
    table.get("/jobs/{id}", show, "One job.");
    table
        .post(
            "/jobs/{id}/retry",
            retry,
            "Try a failed job again, from where it came to.",
        )
        .needs(Role::Operator)
        .may(&[409]);
    table
        .post(
            "/jobs/{id}/cancel",
            cancel,
            "Cancel a job before its next step.",
        )
        .needs(Role::Operator)
        .may(&[409]);
}

async fn list(
    caller: Caller,
    query: web::Query<JobQuery>,
    state: web::Data<HttpState>,
) -> Result<web::Json<Page<jobs::JobView>>, Problem> {
    let page = state
        .read(move |conn| jobs::list(conn, &caller.0, &query))
        .await?;
    Ok(web::Json(page))
}

async fn show(
    caller: Caller,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<web::Json<jobs::JobView>, Problem> {
    let one = state
        .read(move |conn| jobs::show(conn, &caller.0, &id))
        .await?;
    Ok(web::Json(one))
}

async fn retry(
    caller: Caller,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<web::Json<jobs::JobView>, Problem> {
    let now = state.clock.now();
    let one = state
        .write(move |conn| jobs::retry(conn, &caller.0, &id, now))
        .await?;
    Ok(web::Json(one))
}

async fn cancel(
    caller: Caller,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<web::Json<jobs::JobView>, Problem> {
    let now = state.clock.now();
    let one = state
        .write(move |conn| jobs::cancel(conn, &caller.0, &id, now))
        .await?;
    Ok(web::Json(one))
}
