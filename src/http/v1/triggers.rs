//! `/v1/triggers` and `/v1/deliveries`.

use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::Value;

use crate::desk::deliveries::{self, DeliveryQuery};
use crate::desk::resend::{self, ResendBody};
use crate::desk::triggers::{self, TriggerQuery};

use super::super::{HttpState, Problem};
use super::Caller;

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/triggers", web::get().to(list))
        .route("/triggers", web::post().to(create))
        .route("/triggers/{id}", web::get().to(show))
        .route("/triggers/{id}", web::put().to(update))
        .route("/triggers/{id}", web::delete().to(delete))
        .route("/triggers/{id}/preview", web::post().to(preview))
        .route("/deliveries", web::get().to(list_deliveries))
        .route("/deliveries/retry", web::post().to(retry_failed))
        .route("/deliveries/{id}", web::get().to(show_delivery))
        .route("/deliveries/{id}/retry", web::post().to(retry))
        .route("/deliveries/{id}/cancel", web::post().to(cancel));
}

async fn list(
    caller: Caller,
    query: web::Query<TriggerQuery>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let page = state
        .read(move |conn| triggers::list(conn, &caller.0, &query))
        .await?;
    Ok(HttpResponse::Ok().json(page))
}

async fn retry_failed(
    caller: Caller,
    body: web::Json<ResendBody>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let now = state.clock.now();
    let view = state
        .write(move |conn| resend::resend(conn, &caller.0, &body, now))
        .await?;
    Ok(match view.job_id {
        Some(_) => HttpResponse::Accepted().json(view),
        None => HttpResponse::Ok().json(view),
    })
}

async fn create(
    caller: Caller,
    body: web::Json<Value>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let (now, policy) = (state.clock.now(), state.policy);
    let one = state
        .write(move |conn| triggers::create(conn, &caller.0, &body, policy, now))
        .await?;
    Ok(HttpResponse::Created().json(one))
}

async fn show(
    caller: Caller,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let one = state
        .read(move |conn| triggers::show(conn, &caller.0, &id))
        .await?;
    Ok(HttpResponse::Ok().json(one))
}

async fn update(
    caller: Caller,
    id: web::Path<String>,
    body: web::Json<Value>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let (now, policy) = (state.clock.now(), state.policy);
    let one = state
        .write(move |conn| triggers::update(conn, &caller.0, &id, &body, policy, now))
        .await?;
    Ok(HttpResponse::Ok().json(one))
}

async fn delete(
    caller: Caller,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let now = state.clock.now();
    state
        .write(move |conn| triggers::delete(conn, &caller.0, &id, now))
        .await?;
    Ok(HttpResponse::NoContent().finish())
}

/// For whom a trigger is previewed.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ForWhom {
    profile_id: String,
}

async fn preview(
    caller: Caller,
    id: web::Path<String>,
    body: web::Json<ForWhom>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let now = state.clock.now();
    let one = state
        .read(move |conn| triggers::preview(conn, &caller.0, &id, &body.profile_id, now))
        .await?;
    Ok(HttpResponse::Ok().json(one))
}

async fn list_deliveries(
    caller: Caller,
    query: web::Query<DeliveryQuery>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let page = state
        .read(move |conn| deliveries::list(conn, &caller.0, &query))
        .await?;
    Ok(HttpResponse::Ok().json(page))
}

async fn show_delivery(
    caller: Caller,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let now = state.clock.now();
    let one = state
        .read(move |conn| deliveries::show(conn, &caller.0, &id, now))
        .await?;
    Ok(HttpResponse::Ok().json(one))
}

async fn retry(
    caller: Caller,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let now = state.clock.now();
    let one = state
        .write(move |conn| deliveries::retry(conn, &caller.0, &id, now))
        .await?;
    Ok(HttpResponse::Ok().json(one))
}

async fn cancel(
    caller: Caller,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let now = state.clock.now();
    let one = state
        .write(move |conn| deliveries::cancel(conn, &caller.0, &id, now))
        .await?;
    Ok(HttpResponse::Ok().json(one))
}
