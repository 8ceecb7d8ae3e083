//! `/v1/organizations` and `/v1/directories`.

use actix_web::{HttpResponse, web};

use crate::desk::directories::{self, DirectoryQuery};
use crate::desk::organizations::{self, OrganizationQuery};
use crate::desk::settings::{self, SettingsUpdate};

use super::super::{HttpState, Problem};
use super::Caller;

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/organizations", web::get().to(list))
        .route("/organizations/{id}", web::get().to(show))
        .route("/organizations/{id}", web::patch().to(change))
        .route("/organizations/{id}/arm", web::post().to(arm))
        .route("/organizations/{id}/disarm", web::post().to(disarm))
        .route("/directories", web::get().to(list_directories))
        .route("/directories/{id}", web::get().to(show_directory));
}

async fn list(
    caller: Caller,
    query: web::Query<OrganizationQuery>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let page = state
        .read(move |conn| organizations::list(conn, &caller.0, &query))
        .await?;
    Ok(HttpResponse::Ok().json(page))
}

async fn show(
    caller: Caller,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let one = state
        .read(move |conn| organizations::show(conn, &caller.0, &id))
        .await?;
    Ok(HttpResponse::Ok().json(one))
}

async fn change(
    caller: Caller,
    id: web::Path<String>,
    body: web::Json<SettingsUpdate>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let now = state.clock.now();
    let one = state
        .write(move |conn| settings::update(conn, &caller.0, &id, &body, now))
        .await?;
    Ok(HttpResponse::Ok().json(one))
}

async fn arm(
    caller: Caller,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let now = state.clock.now();
    let one = state
        .write(move |conn| organizations::arm(conn, &caller.0, &id, now))
        .await?;
    Ok(HttpResponse::Ok().json(one))
}

async fn disarm(
    caller: Caller,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let now = state.clock.now();
    let one = state
        .write(move |conn| organizations::disarm(conn, &caller.0, &id, now))
        .await?;
    Ok(HttpResponse::Ok().json(one))
}

async fn list_directories(
    caller: Caller,
    query: web::Query<DirectoryQuery>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let page = state
        .read(move |conn| directories::list(conn, &caller.0, &query))
        .await?;
    Ok(HttpResponse::Ok().json(page))
}

async fn show_directory(
    caller: Caller,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let one = state
        .read(move |conn| directories::show(conn, &caller.0, &id))
        .await?;
    Ok(HttpResponse::Ok().json(one))
}
