//! The HTTP side: every route in one list. It writes nothing but through `intake` and `operations`.
//! Errors are problem+json (RFC 9457) and name what to do; nothing internal leaves.

mod body;
mod bucket;
mod connections;
mod drain;
mod health;
mod middleware;
mod openapi;
mod payload;
mod problem;
mod rates;
mod snapshot;
mod source;
mod state;
mod talk;
pub mod v1;
mod webhook;

pub use connections::{Bounds, Connections};
pub use drain::Drain;
pub use openapi::document;
pub use problem::Problem;
pub use state::{ClientBounds, HttpState, Wanted};

use actix_web::middleware::from_fn;
use actix_web::web;

/// Every route.
pub fn routes(config: &mut web::ServiceConfig) {
    config
        .service(
            // With a slash at the end, too: it is typed so often, and the signature does not cover the path.
            web::resource(["/webhooks/workos", "/webhooks/workos/"])
                .route(web::post().to(webhook::receive))
                .default_service(web::to(webhook::not_post)),
        )
        .route("/health/live", web::get().to(health::live))
        .route("/health/ready", web::get().to(health::ready))
        .route("/metrics", web::get().to(health::metrics))
        .route("/openapi.json", web::get().to(openapi::show))
        .service(
            web::scope("/v1")
                .wrap(from_fn(v1::judge))
                .configure(v1::routes)
                .default_service(web::to(problem::no_such_route)),
        )
        .default_service(web::to(problem::no_such_route));
}

pub(crate) use bucket::{Buckets, network_of};
pub(crate) use middleware::current_request_id;
pub use middleware::observe;
pub(crate) use source::of as source_of;
