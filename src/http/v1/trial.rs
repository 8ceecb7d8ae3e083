//! `POST /v1/triggers/{id}/test`: a test-send. The act is on disk before anything leaves.

use actix_web::{HttpResponse, web};
use serde_json::json;

use crate::desk::trial::{self, TrialOrder};

use super::super::{HttpState, Problem};
use super::Caller;

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config.route("/triggers/{id}/test", web::post().to(test));
}

async fn test(
    caller: Caller,
    id: web::Path<String>,
    order: web::Json<TrialOrder>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let now = state.clock.now();
    let trials = state
        .write(move |conn| trial::prepare(conn, &caller.0, &id, &order, now))
        .await?;
    let data = trial::run(&state.channels, trials).await;
    Ok(HttpResponse::Ok().json(json!({ "data": data })))
}
