//! `/v1/failures`: what went wrong, grouped by cause.

use actix_web::web;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::operations::Page;
use crate::operations::failures;

use super::super::openapi::Table;
use super::super::{HttpState, Problem};
use super::Caller;

pub(super) fn routes(table: &mut Table) {
    table
        .get(
            "/failures",
            list,
            "What went wrong, grouped by cause, newest first.",
        )
        .may(&[404]);
}

/// Of which organization.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Whose {
    organization_id: Option<String>,
}

async fn list(
    caller: Caller,
    query: web::Query<Whose>,
    state: web::Data<HttpState>,
) -> Result<web::Json<Page<failures::FailureView>>, Problem> {
    let now = state.clock.now();
    let page = state
        .read(move |conn| failures::list(conn, &caller.0, query.organization_id.as_deref(), now))
        .await?;
    Ok(web::Json(page))
}
