//! Comparing directories with WorkOS's own listing: `/v1/reconciles`, begun at the directory.

use actix_web::web;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::operations::reconciles::{self, ReconcileQuery};
use crate::operations::{Page, Role};

use super::super::body::Perhaps;
use super::super::openapi::{Accepted, Table};
use super::super::{HttpState, Problem};
use super::Caller;
use super::upstream::client;

pub(super) fn routes(table: &mut Table) {
    table
        .post(
            "/directories/{id}/reconcile",
            begin,
            "Compare a directory with WorkOS's own listing, and apply what differs where asked.",
        )
        .needs(Role::Operator)
        .may(&[409, 422]);
    table
        .get("/reconciles", list, "Comparisons, newest first.")
        .may(&[404]);
    table.get("/reconciles/{id}", show, "One comparison and what differs.");
    table
        .post(
            "/reconciles/{id}/apply",
            apply,
            "Apply what a comparison found.",
        )
        .needs(Role::Operator)
        .may(&[409]);
}

#[derive(Deserialize, Default, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct BeginBody {
    apply: bool,
}

/// A directory that is not known here is WorkOS's to place. The comparison itself goes on in the background; the answer has the id to follow.
async fn begin(
    caller: Caller,
    id: web::Path<String>,
    body: Perhaps<BeginBody>,
    state: web::Data<HttpState>,
) -> Result<Accepted<reconciles::ReconcileView>, Problem> {
    let client = client(&state)?;
    let (now, apply) = (state.clock.now(), body.0.is_some_and(|body| body.apply));
    let (actor, directory) = (caller.0.clone(), id.clone());
    let known = state
        .read(move |conn| reconciles::may_begin(conn, &actor, &directory))
        .await?;
    let organization = if known {
        None
    } else {
        let listed = client.directory(&id).await?;
        let organization = listed.get("organization_id").and_then(Value::as_str);
        organization.map(str::to_owned)
    };
    let one = state
        .write(move |conn| {
            reconciles::begin(conn, &caller.0, &id, organization.as_deref(), apply, now)
        })
        .await?;
    Ok(Accepted(one))
}

async fn list(
    caller: Caller,
    query: web::Query<ReconcileQuery>,
    state: web::Data<HttpState>,
) -> Result<web::Json<Page<reconciles::ReconcileView>>, Problem> {
    let page = state
        .read(move |conn| reconciles::list(conn, &caller.0, &query))
        .await?;
    Ok(web::Json(page))
}

async fn show(
    caller: Caller,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<web::Json<reconciles::ReconcileDetail>, Problem> {
    let one = state
        .read(move |conn| reconciles::show(conn, &caller.0, &id))
        .await?;
    Ok(web::Json(one))
}

async fn apply(
    caller: Caller,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<Accepted<reconciles::ReconcileView>, Problem> {
    let now = state.clock.now();
    let one = state
        .write(move |conn| reconciles::apply(conn, &caller.0, &id, now))
        .await?;
    Ok(Accepted(one))
}
