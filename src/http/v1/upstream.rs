//! What the second conversation with WorkOS brings: the gap report.

use actix_web::{HttpResponse, web};

use crate::desk::gaps::{self, GapQuery};

use super::super::{HttpState, Problem};
use super::Caller;

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config.route("/gaps", web::get().to(report));
}

async fn report(
    caller: Caller,
    query: web::Query<GapQuery>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let all = state
        .read(move |conn| gaps::report(conn, &caller.0, &query))
        .await?;
    Ok(HttpResponse::Ok().json(all))
}
