//! `/v1/holds`, and the decision about a deleted directory.

use actix_web::{HttpResponse, web};
use serde::Deserialize;

use crate::desk::holds::{self, Decision, HoldQuery};
use crate::desk::undo;

use super::super::{HttpState, Problem};
use super::Caller;

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/holds", web::get().to(list))
        .route("/holds/{id}", web::get().to(show))
        .route("/holds/{id}/approve", web::post().to(approve))
        .route("/holds/{id}/reject", web::post().to(reject))
        .route("/holds/{id}/undo", web::post().to(take_back))
        .route("/directories/{id}/decide", web::post().to(decide));
}

async fn list(
    caller: Caller,
    query: web::Query<HoldQuery>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let page = state
        .read(move |conn| holds::list(conn, &caller.0, &query))
        .await?;
    Ok(HttpResponse::Ok().json(page))
}

async fn show(
    caller: Caller,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let one = state
        .read(move |conn| holds::show(conn, &caller.0, &id))
        .await?;
    Ok(HttpResponse::Ok().json(one))
}

async fn approve(
    caller: Caller,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let now = state.clock.now();
    let one = state
        .write(move |conn| holds::approve(conn, &caller.0, &id, now))
        .await?;
    Ok(HttpResponse::Ok().json(one))
}

async fn reject(
    caller: Caller,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let now = state.clock.now();
    let one = state
        .write(move |conn| holds::reject(conn, &caller.0, &id, now))
        .await?;
    Ok(HttpResponse::Ok().json(one))
}

async fn take_back(
    caller: Caller,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let now = state.clock.now();
    let one = state
        .write(move |conn| undo::undo(conn, &caller.0, &id, now))
        .await?;
    Ok(HttpResponse::Ok().json(one))
}

/// What to do with a deleted directory's people.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Decide {
    decision: Decision,
}

async fn decide(
    caller: Caller,
    id: web::Path<String>,
    body: web::Json<Decide>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let now = state.clock.now();
    let one = state
        .write(move |conn| holds::decide_directory(conn, &caller.0, &id, body.decision, now))
        .await?;
    Ok(HttpResponse::Ok().json(one))
}
