//! `/v1/groups`.

use actix_web::{HttpResponse, web};

use crate::desk::groups::{self, GroupQuery};

use super::super::{HttpState, Problem};
use super::Caller;

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/groups", web::get().to(list))
        .route("/groups/waiting", web::get().to(waiting));
}

async fn list(
    caller: Caller,
    query: web::Query<GroupQuery>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let page = state
        .read(move |conn| groups::list(conn, &caller.0, &query))
        .await?;
    Ok(HttpResponse::Ok().json(page))
}

async fn waiting(
    caller: Caller,
    query: web::Query<GroupQuery>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let now = state.clock.now();
    let page = state
        .read(move |conn| groups::waiting(conn, &caller.0, &query, now))
        .await?;
    Ok(HttpResponse::Ok().json(page))
}
