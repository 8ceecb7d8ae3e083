//! `/v1/profiles` and `/v1/access`.

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpResponse, web};

use crate::desk::access::{self, AccessQuery};
use crate::desk::erasure::{self, LegalHoldBody};
use crate::desk::profiles::{self, ProfileQuery};

use super::super::middleware::Arrived;
use super::super::{HttpState, Problem};
use super::Caller;
use super::auth::{Token, not_known};

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/profiles", web::get().to(list))
        .route("/profiles/{id}", web::get().to(show))
        .route("/profiles/{id}/history", web::get().to(chain))
        .route("/profiles/{id}/erase", web::post().to(erase))
        .route("/profiles/{id}/legal-hold", web::get().to(legal_hold))
        .route("/profiles/{id}/legal-hold", web::post().to(place))
        .route("/profiles/{id}/legal-hold", web::delete().to(release))
        .route("/access", web::get().to(may_enter));
}

async fn list(
    caller: Caller,
    query: web::Query<ProfileQuery>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let now = state.clock.now();
    let page = state
        .read(move |conn| profiles::list(conn, &caller.0, &query, now))
        .await?;
    Ok(HttpResponse::Ok().json(page))
}

async fn show(
    caller: Caller,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let now = state.clock.now();
    let one = state
        .read(move |conn| profiles::show(conn, &caller.0, &id, now))
        .await?;
    Ok(HttpResponse::Ok().json(one))
}

async fn chain(
    caller: Caller,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let now = state.clock.now();
    let all = state
        .read(move |conn| profiles::history(conn, &caller.0, &id, now))
        .await?;
    Ok(HttpResponse::Ok().json(all))
}

async fn erase(
    caller: Caller,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let now = state.clock.now();
    let one = state
        .write(move |conn| erasure::erase(conn, &caller.0, &id, now))
        .await?;
    state.empty_log().await;
    Ok(HttpResponse::Ok().json(one))
}

async fn legal_hold(
    caller: Caller,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let one = state
        .read(move |conn| erasure::show_legal_hold(conn, &caller.0, &id))
        .await?;
    Ok(HttpResponse::Ok().json(one))
}

async fn place(
    caller: Caller,
    id: web::Path<String>,
    body: web::Json<LegalHoldBody>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let now = state.clock.now();
    let one = state
        .write(move |conn| erasure::place_legal_hold(conn, &caller.0, &id, &body, now))
        .await?;
    Ok(HttpResponse::Created().json(one))
}

async fn release(
    caller: Caller,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let now = state.clock.now();
    let one = state
        .write(move |conn| erasure::release_legal_hold(conn, &caller.0, &id, now))
        .await?;
    Ok(HttpResponse::Ok().json(one))
}

/// Never kept by anybody: a removal must be seen in seconds (promise 3).
async fn may_enter(
    token: Token,
    query: web::Query<AccessQuery>,
    state: web::Data<HttpState>,
    arrived: web::ReqData<Arrived>,
) -> Result<HttpResponse, Problem> {
    let now = state.clock.now();
    let bootstrap = state.admin_token.clone();
    // One reading: this is asked at every session refresh.
    let answer = state
        .read(move |conn| {
            let Some(actor) = token.actor(conn, bootstrap.as_ref())? else {
                return Ok(None);
            };
            access::access(conn, &actor, &query, now).map(Some)
        })
        .await?
        .ok_or_else(not_known)?;
    // Whoever asks can tell the answer's own time, from its arrival on, from the network's.
    let took = arrived.0.elapsed().as_secs_f64() * 1_000.0;
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header(("server-timing", format!("answer;dur={took:.3}")))
        .json(answer))
}
