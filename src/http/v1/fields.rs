//! `/v1/organizations/{id}/fields`: the attribute mapping, and what another one would change.

use actix_web::{HttpResponse, web};
use serde_json::Value;

use crate::desk::fields::{self, PreviewQuery};

use super::super::{HttpState, Problem};
use super::Caller;

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/organizations/{id}/fields", web::get().to(show))
        .route("/organizations/{id}/fields", web::put().to(put))
        .route(
            "/organizations/{id}/fields/preview",
            web::post().to(preview),
        );
}

async fn show(
    caller: Caller,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let one = state
        .read(move |conn| fields::show(conn, &caller.0, &id))
        .await?;
    Ok(HttpResponse::Ok().json(one))
}

async fn put(
    caller: Caller,
    id: web::Path<String>,
    body: web::Json<Value>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let now = state.clock.now();
    let one = state
        .write(move |conn| fields::put(conn, &caller.0, &id, &body, now))
        .await?;
    Ok(HttpResponse::Ok().json(one))
}

async fn preview(
    caller: Caller,
    id: web::Path<String>,
    query: web::Query<PreviewQuery>,
    body: web::Json<Value>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let told = state
        .read(move |conn| fields::preview(conn, &caller.0, &id, &body, &query))
        .await?;
    Ok(HttpResponse::Ok().json(told))
}
