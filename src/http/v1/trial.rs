//! `POST /v1/triggers/{id}/test`: a test-send. The act is on disk before anything leaves.

use actix_web::web;
use schemars::JsonSchema;
use serde::Serialize;

use crate::operations::Role;
use crate::operations::trial::{self, TrialOrder};

use super::super::body::Body;
use super::super::openapi::Table;
use super::super::{HttpState, Problem};
use super::Caller;

pub(super) fn routes(table: &mut Table) {
    table
        .post(
            "/triggers/{id}/test",
            test,
            "Send a trigger's messages once, for somebody, as a test.",
        )
        .needs(Role::Operator)
        .may(&[409]);
}

/// What came of each message.
#[derive(Debug, Serialize, JsonSchema)]
struct Trials {
    data: Vec<trial::TrialView>,
}

async fn test(
    caller: Caller,
    id: web::Path<String>,
    order: Body<TrialOrder>,
    state: web::Data<HttpState>,
) -> Result<web::Json<Trials>, Problem> {
    let now = state.clock.now();
    let trials = state
        .write(move |conn| trial::prepare(conn, &caller.0, &id, &order, now))
        .await?;
    let data = trial::run(&state.channels, trials).await;
    Ok(web::Json(Trials { data }))
}
