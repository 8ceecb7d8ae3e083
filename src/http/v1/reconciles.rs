//! Comparing directories with WorkOS's own listing: `/v1/reconciles`, begun at the directory.

use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::Value;

use crate::desk::reconciles::{self, ReconcileQuery};

use super::super::{HttpState, Problem};
use super::Caller;
use super::upstream::client;

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/directories/{id}/reconcile", web::post().to(begin))
        .route("/reconciles", web::get().to(list))
        .route("/reconciles/{id}", web::get().to(show))
        .route("/reconciles/{id}/apply", web::post().to(apply));
}

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
struct BeginBody {
    apply: bool,
}

/// A directory that is not known here is WorkOS's to place. The comparison itself goes on in the background; the answer has the id to follow.
async fn begin(
    caller: Caller,
    id: web::Path<String>,
    body: Option<web::Json<BeginBody>>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let client = client(&state)?;
    let (now, apply) = (state.clock.now(), body.is_some_and(|body| body.apply));
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
    Ok(HttpResponse::Accepted().json(one))
}

async fn list(
    caller: Caller,
    query: web::Query<ReconcileQuery>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let page = state
        .read(move |conn| reconciles::list(conn, &caller.0, &query))
        .await?;
    Ok(HttpResponse::Ok().json(page))
}

async fn show(
    caller: Caller,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let one = state
        .read(move |conn| reconciles::show(conn, &caller.0, &id))
        .await?;
    Ok(HttpResponse::Ok().json(one))
}

async fn apply(
    caller: Caller,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let now = state.clock.now();
    let one = state
        .write(move |conn| reconciles::apply(conn, &caller.0, &id, now))
        .await?;
    Ok(HttpResponse::Accepted().json(one))
}
