//! `/v1/organizations/{id}/fields`: the attribute mapping, and what another one would change.

use actix_web::web;

use crate::domain::Mapping;
use crate::operations::Role;
use crate::operations::fields::{self, PreviewQuery};

use super::super::body::Raw;
use super::super::openapi::Table;
use super::super::{HttpState, Problem};
use super::Caller;

pub(super) fn routes(table: &mut Table) {
    table.get("/organizations/{id}/fields", show, "The attribute mapping.");
    table
        .put(
            "/organizations/{id}/fields",
            put,
            "Replace the attribute mapping; a job applies it to everybody.",
        )
        .needs(Role::Operator)
        .may(&[409, 422]);
    table
        .post(
            "/organizations/{id}/fields/preview",
            preview,
            "What another attribute mapping would change.",
        )
        .may(&[403, 422]);
}

async fn show(
    caller: Caller,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<web::Json<fields::FieldsView>, Problem> {
    let one = state
        .read(move |conn| fields::show(conn, &caller.0, &id))
        .await?;
    Ok(web::Json(one))
}

async fn put(
    caller: Caller,
    id: web::Path<String>,
    body: Raw<Mapping>,
    state: web::Data<HttpState>,
) -> Result<web::Json<fields::FieldsView>, Problem> {
    let now = state.clock.now();
    let one = state
        .write(move |conn| fields::put(conn, &caller.0, &id, &body, now))
        .await?;
    Ok(web::Json(one))
}

async fn preview(
    caller: Caller,
    id: web::Path<String>,
    query: web::Query<PreviewQuery>,
    body: Raw<Mapping>,
    state: web::Data<HttpState>,
) -> Result<web::Json<fields::PreviewView>, Problem> {
    let now = state.clock.now();
    let told = state
        .read_long(move |conn| fields::preview(conn, &caller.0, &id, &body, &query, now))
        .await?;
    Ok(web::Json(told))
}
