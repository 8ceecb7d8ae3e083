//! `/v1/destinations`: where messages go, which refuse, and going on with them.

use actix_web::web;

use crate::operations::destinations::{self, DestinationQuery, ReplayOrder};
use crate::operations::{Page, Role};

use super::super::body::Body;
use super::super::openapi::Table;
use super::super::{HttpState, Problem};
use super::Caller;

pub(super) fn routes(table: &mut Table) {
    table
        .get(
            "/destinations",
            list,
            "Where messages go, and which places refuse them.",
        )
        .may(&[404]);
    table
        .post(
            "/destinations/{id}/resume",
            resume,
            "Send to a stopped destination again.",
        )
        .needs(Role::Operator)
        .may(&[409]);
    table
        .post(
            "/destinations/{id}/replay",
            replay,
            "Send what failed there again.",
        )
        .needs(Role::Operator)
        .may(&[409]);
}

async fn list(
    caller: Caller,
    query: web::Query<DestinationQuery>,
    state: web::Data<HttpState>,
) -> Result<web::Json<Page<destinations::DestinationView>>, Problem> {
    let now = state.clock.now();
    let page = state
        .read(move |conn| destinations::list(conn, &caller.0, &query, now))
        .await?;
    Ok(web::Json(page))
}

async fn resume(
    caller: Caller,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<web::Json<destinations::DestinationView>, Problem> {
    let now = state.clock.now();
    let one = state
        .write(move |conn| destinations::resume(conn, &caller.0, &id, now))
        .await?;
    Ok(web::Json(one))
}

async fn replay(
    caller: Caller,
    id: web::Path<String>,
    order: Body<ReplayOrder>,
    state: web::Data<HttpState>,
) -> Result<web::Json<destinations::ReplayView>, Problem> {
    let now = state.clock.now();
    let one = state
        .write(move |conn| destinations::replay(conn, &caller.0, &id, &order, now))
        .await?;
    Ok(web::Json(one))
}
