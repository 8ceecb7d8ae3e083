//! `/v1`: the desk over HTTP. Handlers read parameters, call the desk, and answer JSON; who may do
//! what is judged at the desk.

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

pub use auth::Caller;

use actix_web::error::{JsonPayloadError, PathError, QueryPayloadError};
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, web};

use super::Problem;

/// The largest body of an API call, in bytes.
const BODY_LIMIT: usize = 1024 * 1024;

/// Every route under `/v1`.
pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .app_data(
            web::JsonConfig::default()
                .limit(BODY_LIMIT)
                .content_type(|_| true)
                .content_type_required(false)
                .error_handler(bad_json),
        )
        .app_data(web::QueryConfig::default().error_handler(bad_query))
        .app_data(web::PathConfig::default().error_handler(bad_path))
        .configure(events::routes)
        .configure(failures::routes)
        .configure(profiles::routes)
        .configure(communities::routes)
        .configure(organizations::routes)
        .configure(fields::routes)
        .configure(jobs::routes)
        .configure(groups::routes)
        .configure(holds::routes)
        .configure(destinations::routes)
        .configure(trial::routes)
        .configure(apply::routes)
        .configure(audit::routes)
        .configure(upstream::routes)
        .configure(enable::routes)
        .configure(reconciles::routes)
        .configure(conflicts::routes)
        .configure(triggers::routes);
}

fn bad_json(error: JsonPayloadError, _: &HttpRequest) -> actix_web::Error {
    let status = match error {
        JsonPayloadError::Overflow { .. } | JsonPayloadError::OverflowKnownLength { .. } => {
            StatusCode::PAYLOAD_TOO_LARGE
        }
        _ => StatusCode::BAD_REQUEST,
    };
    Problem::new(
        status,
        "bad-body",
        format!("the body cannot be read as this call's JSON: {error}"),
    )
    .into()
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
