//! `/v1/audit`: what operators did.

use actix_web::{HttpResponse, web};

use crate::desk::acts::{self, AuditQuery};

use super::super::{HttpState, Problem};
use super::Caller;

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config.route("/audit", web::get().to(list));
}

async fn list(
    caller: Caller,
    query: web::Query<AuditQuery>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let page = state
        .read(move |conn| acts::list(conn, &caller.0, &query))
        .await?;
    Ok(HttpResponse::Ok().json(page))
}
