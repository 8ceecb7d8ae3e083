//! `/v1`: `operations` over HTTP. Handlers read parameters, call it, and answer JSON; who may do
//! what is judged in `operations`.

mod apply;
mod audit;
mod auth;
mod communities;
mod conflicts;
mod destinations;
mod enable;
mod events;
mod failures;
mod fields;
mod groups;
mod holds;
mod jobs;
mod organizations;
mod profiles;
mod reconciles;
mod trial;
mod triggers;
mod upstream;

pub use auth::{Caller, Later, Token, judge};

use actix_web::error::{PathError, QueryPayloadError};
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, web};

use super::Problem;
use super::openapi::Table;

/// Every route under `/v1`, and what its document says of it.
pub(super) fn table() -> Table {
    let mut table = Table::default();
    let parts: [fn(&mut Table); 18] = [
        events::routes,
        failures::routes,
        profiles::routes,
        communities::routes,
        organizations::routes,
        fields::routes,
        jobs::routes,
        groups::routes,
        holds::routes,
        destinations::routes,
        trial::routes,
        apply::routes,
        audit::routes,
        upstream::routes,
        enable::routes,
        reconciles::routes,
        conflicts::routes,
        triggers::routes,
    ];
    for part in parts {
        part(&mut table);
    }
    table
}

/// Makes the server's routes.
pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .app_data(web::QueryConfig::default().error_handler(bad_query))
        .app_data(web::PathConfig::default().error_handler(bad_path));
    table().register(config);
}

fn bad_query(error: QueryPayloadError, _: &HttpRequest) -> actix_web::Error {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "bad-query",
        format!("the query cannot be read: {error}"),
    )
    .into()
}

fn bad_path(error: PathError, _: &HttpRequest) -> actix_web::Error {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "bad-path",
        format!("the path cannot be read: {error}"),
    )
    .into()
}
