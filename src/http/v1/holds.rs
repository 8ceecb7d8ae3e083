//! `/v1/holds`, and the decision about a deleted directory.

use actix_web::web;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::operations::holds::{self, Decision, HoldQuery};
use crate::operations::undo;
use crate::operations::{Page, Role};

use super::super::body::Body;
use super::super::openapi::Table;
use super::super::{HttpState, Problem};
use super::Caller;

pub(super) fn routes(table: &mut Table) {
    table
        .get(
            "/holds",
            list,
            "Removals, leaves, identity swaps and messages that wait for an operator.",
        )
        .may(&[404]);
    table.get("/holds/{id}", show, "One hold and who waits in it.");
    table
        .post("/holds/{id}/approve", approve, "Let what waits happen.")
        .needs(Role::Operator)
        .may(&[409]);
    table
        .post("/holds/{id}/reject", reject, "Let what waits not happen.")
        .needs(Role::Operator)
        .may(&[409]);
    table
        .post("/holds/{id}/undo", take_back, "Take an approved hold back.")
        .needs(Role::Operator)
        .may(&[409]);
    table
        .post(
            "/directories/{id}/decide",
            decide,
            "Decide about the people of a deleted directory.",
        )
        .needs(Role::Operator)
        .may(&[409]);
}

async fn list(
    caller: Caller,
    query: web::Query<HoldQuery>,
    state: web::Data<HttpState>,
) -> Result<web::Json<Page<holds::HoldView>>, Problem> {
    let page = state
        .read(move |conn| holds::list(conn, &caller.0, &query))
        .await?;
    Ok(web::Json(page))
}

async fn show(
    caller: Caller,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<web::Json<holds::HoldDetail>, Problem> {
    let one = state
        .read(move |conn| holds::show(conn, &caller.0, &id))
        .await?;
    Ok(web::Json(one))
}

async fn approve(
    caller: Caller,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<web::Json<holds::HoldDetail>, Problem> {
    let now = state.clock.now();
    let one = state
        .write(move |conn| holds::approve(conn, &caller.0, &id, now))
        .await?;
    Ok(web::Json(one))
}

async fn reject(
    caller: Caller,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<web::Json<holds::HoldDetail>, Problem> {
    let now = state.clock.now();
    let one = state
        .write(move |conn| holds::reject(conn, &caller.0, &id, now))
        .await?;
    Ok(web::Json(one))
}

async fn take_back(
    caller: Caller,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<web::Json<holds::HoldDetail>, Problem> {
    let now = state.clock.now();
    let one = state
        .write(move |conn| undo::undo(conn, &caller.0, &id, now))
        .await?;
    Ok(web::Json(one))
}

/// What to do with a deleted directory's people.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "DecideDirectory")]
struct Decide {
    decision: Decision,
}

async fn decide(
    caller: Caller,
    id: web::Path<String>,
    body: Body<Decide>,
    state: web::Data<HttpState>,
) -> Result<web::Json<holds::HoldDetail>, Problem> {
    let now = state.clock.now();
    let one = state
        .write(move |conn| holds::decide_directory(conn, &caller.0, &id, body.decision, now))
        .await?;
    Ok(web::Json(one))
}
