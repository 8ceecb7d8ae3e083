//! `/v1/conflicts`: who is who, where only a person can say it.

use actix_web::web;

use crate::operations::conflicts::{self, ConflictQuery, Decide};
use crate::operations::{Page, Role};

use super::super::body::Body;
use super::super::openapi::Table;
use super::super::{HttpState, Problem};
use super::Caller;

pub(super) fn routes(table: &mut Table) {
    table
        .get(
            "/conflicts",
            list,
            "Directory users of whom it is open, or was decided, who they are.",
        )
        .may(&[404]);
    table.get("/conflicts/{id}", show, "One of them, by directory user.");
    table
        .post(
            "/conflicts/{id}/decide",
            decide,
            "Decide who a directory user is.",
        )
        .needs(Role::Operator)
        .may(&[409]);
}

async fn list(
    caller: Caller,
    query: web::Query<ConflictQuery>,
    state: web::Data<HttpState>,
) -> Result<web::Json<Page<conflicts::ConflictView>>, Problem> {
    let page = state
        .read(move |conn| conflicts::list(conn, &caller.0, &query))
        .await?;
    Ok(web::Json(page))
}

async fn show(
    caller: Caller,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<web::Json<conflicts::ConflictView>, Problem> {
    let one = state
        .read(move |conn| conflicts::show(conn, &caller.0, &id))
        .await?;
    Ok(web::Json(one))
}

async fn decide(
    caller: Caller,
    id: web::Path<String>,
    body: Body<Decide>,
    state: web::Data<HttpState>,
) -> Result<web::Json<conflicts::ConflictView>, Problem> {
    let now = state.clock.now();
    let one = state
        .write(move |conn| conflicts::decide(conn, &caller.0, &id, &body, now))
        .await?;
    Ok(web::Json(one))
}
