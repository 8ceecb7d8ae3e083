//! `/v1/events`.

use actix_web::{HttpResponse, web};
use serde::Deserialize;

use crate::desk::events::{self, EventQuery};
use crate::desk::replay::{self, ReplayBody};

use super::super::{HttpState, Problem};
use super::Caller;

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/events", web::get().to(list))
        .route("/events/replay", web::post().to(replay_matching))
        .route("/events/{id}", web::get().to(show))
        .route("/events/{id}/replay", web::post().to(replay_one))
        .route("/events/{id}/discard", web::post().to(discard));
}

async fn list(
    caller: Caller,
    query: web::Query<EventQuery>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let query = query.into_inner();
    let page = state
        .read(move |conn| events::list(conn, &caller.0, &query))
        .await?;
    Ok(HttpResponse::Ok().json(page))
}

async fn show(
    caller: Caller,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let one = state
        .read(move |conn| events::show(conn, &caller.0, &id))
        .await?;
    Ok(HttpResponse::Ok().json(one))
}

async fn replay_one(
    caller: Caller,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let now = state.clock.now();
    let one = state
        .write(move |conn| events::replay(conn, &caller.0, &id, now))
        .await?;
    Ok(HttpResponse::Ok().json(one))
}

async fn replay_matching(
    caller: Caller,
    body: web::Json<ReplayBody>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let now = state.clock.now();
    let view = state
        .with_db(move |db| replay::replay(db, &caller.0, &body, now))
        .await?;
    Ok(match view.job_id {
        Some(_) => HttpResponse::Accepted().json(view),
        None => HttpResponse::Ok().json(view),
    })
}

/// Why an event is discarded.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Discard {
    reason: String,
}

async fn discard(
    caller: Caller,
    id: web::Path<String>,
    body: web::Json<Discard>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let now = state.clock.now();
    let one = state
        .write(move |conn| events::discard(conn, &caller.0, &id, &body.reason, now))
        .await?;
    Ok(HttpResponse::Ok().json(one))
}
