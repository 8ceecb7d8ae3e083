//! `/v1/failures`: what went wrong, grouped by cause.

use actix_web::{HttpResponse, web};
use serde::Deserialize;

use crate::desk::failures;

use super::super::{HttpState, Problem};
use super::Caller;

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config.route("/failures", web::get().to(list));
}

/// Of which organization.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Whose {
    organization_id: Option<String>,
}

async fn list(
    caller: Caller,
    query: web::Query<Whose>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let now = state.clock.now();
    let page = state
        .read(move |conn| failures::list(conn, &caller.0, query.organization_id.as_deref(), now))
        .await?;
    Ok(HttpResponse::Ok().json(page))
}
