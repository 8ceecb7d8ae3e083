//! `/v1/conflicts`: who is who, where only a person can say it.

use actix_web::{HttpResponse, web};

use crate::desk::conflicts::{self, ConflictQuery, Decide};

use super::super::{HttpState, Problem};
use super::Caller;

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/conflicts", web::get().to(list))
        .route("/conflicts/{id}", web::get().to(show))
        .route("/conflicts/{id}/decide", web::post().to(decide));
}

async fn list(
    caller: Caller,
    query: web::Query<ConflictQuery>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let page = state
        .read(move |conn| conflicts::list(conn, &caller.0, &query))
        .await?;
    Ok(HttpResponse::Ok().json(page))
}

async fn show(
    caller: Caller,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let one = state
        .read(move |conn| conflicts::show(conn, &caller.0, &id))
        .await?;
    Ok(HttpResponse::Ok().json(one))
}

async fn decide(
    caller: Caller,
    id: web::Path<String>,
    body: web::Json<Decide>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let now = state.clock.now();
    let one = state
        .write(move |conn| conflicts::decide(conn, &caller.0, &id, &body, now))
        .await?;
    Ok(HttpResponse::Ok().json(one))
}
