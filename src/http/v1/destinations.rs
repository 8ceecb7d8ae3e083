//! `/v1/destinations`: where messages go, which refuse, and going on with them.

use actix_web::{HttpResponse, web};

use crate::desk::destinations::{self, DestinationQuery, ReplayOrder};

use super::super::{HttpState, Problem};
use super::Caller;

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/destinations", web::get().to(list))
        .route("/destinations/{id}/resume", web::post().to(resume))
        .route("/destinations/{id}/replay", web::post().to(replay));
}

async fn list(
    caller: Caller,
    query: web::Query<DestinationQuery>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let now = state.clock.now();
    let page = state
        .read(move |conn| destinations::list(conn, &caller.0, &query, now))
        .await?;
    Ok(HttpResponse::Ok().json(page))
}

async fn resume(
    caller: Caller,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let now = state.clock.now();
    let one = state
        .write(move |conn| destinations::resume(conn, &caller.0, &id, now))
        .await?;
    Ok(HttpResponse::Ok().json(one))
}

async fn replay(
    caller: Caller,
    id: web::Path<String>,
    order: web::Json<ReplayOrder>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let now = state.clock.now();
    let one = state
        .write(move |conn| destinations::replay(conn, &caller.0, &id, &order, now))
        .await?;
    Ok(HttpResponse::Ok().json(one))
}
