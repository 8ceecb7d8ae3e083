//! `/v1/communities`.

use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::Value;

use crate::desk::communities::{self, CommunityQuery, CommunityUpdate, NewCommunity};
use crate::desk::seats::{self, SeatQuery};

use super::super::{HttpState, Problem};
use super::Caller;

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/communities", web::get().to(list))
        .route("/communities", web::post().to(create))
        .route("/communities/{id}", web::get().to(show))
        .route("/communities/{id}", web::patch().to(update))
        .route("/communities/{id}", web::put().to(update))
        .route("/communities/{id}", web::delete().to(delete))
        .route("/communities/{id}/rules", web::put().to(put_rules))
        .route("/seats", web::get().to(list_seats))
        .route(
            "/communities/{id}/members/{profile_id}/grant",
            web::post().to(grant_seat),
        )
        .route(
            "/communities/{id}/members/{profile_id}/dismiss",
            web::post().to(dismiss_seat),
        )
        .route("/communities/{id}/members", web::get().to(members))
        .route(
            "/communities/{id}/members/{profile_id}",
            web::put().to(put_member),
        )
        .route(
            "/communities/{id}/members/{profile_id}",
            web::delete().to(remove_member),
        );
}

async fn list(
    caller: Caller,
    query: web::Query<CommunityQuery>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let page = state
        .read(move |conn| communities::list(conn, &caller.0, &query))
        .await?;
    Ok(HttpResponse::Ok().json(page))
}

async fn create(
    caller: Caller,
    body: web::Json<NewCommunity>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let now = state.clock.now();
    let one = state
        .write(move |conn| communities::create(conn, &caller.0, &body, now))
        .await?;
    Ok(HttpResponse::Created().json(one))
}

async fn show(
    caller: Caller,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let one = state
        .read(move |conn| communities::show(conn, &caller.0, &id))
        .await?;
    Ok(HttpResponse::Ok().json(one))
}

async fn update(
    caller: Caller,
    id: web::Path<String>,
    body: web::Json<CommunityUpdate>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let now = state.clock.now();
    let one = state
        .write(move |conn| communities::update(conn, &caller.0, &id, &body, now))
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
        .write(move |conn| communities::delete(conn, &caller.0, &id, now))
        .await?;
    Ok(HttpResponse::NoContent().finish())
}

/// The rules by themselves, or under `rules`.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Rules {
    Bare(Vec<Value>),
    Named { rules: Vec<Value> },
}

async fn put_rules(
    caller: Caller,
    id: web::Path<String>,
    body: web::Json<Rules>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let now = state.clock.now();
    let (Rules::Bare(rules) | Rules::Named { rules }) = body.into_inner();
    let one = state
        .write(move |conn| communities::put_rules(conn, &caller.0, &id, &rules, now))
        .await?;
    Ok(HttpResponse::Ok().json(one))
}

async fn members(
    caller: Caller,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let page = state
        .read(move |conn| communities::members(conn, &caller.0, &id))
        .await?;
    Ok(HttpResponse::Ok().json(page))
}

/// What a member becomes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Seat {
    role: String,
}

async fn put_member(
    caller: Caller,
    path: web::Path<(String, String)>,
    body: web::Json<Seat>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let now = state.clock.now();
    let (id, profile) = path.into_inner();
    let one = state
        .write(move |conn| {
            let seat = communities::parse_seat(&body.role)?;
            communities::put_member(conn, &caller.0, &id, &profile, seat, now)
        })
        .await?;
    Ok(HttpResponse::Ok().json(one))
}

async fn remove_member(
    caller: Caller,
    path: web::Path<(String, String)>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let now = state.clock.now();
    let (id, profile) = path.into_inner();
    state
        .write(move |conn| communities::remove_member(conn, &caller.0, &id, &profile, now))
        .await?;
    Ok(HttpResponse::NoContent().finish())
}

async fn list_seats(
    caller: Caller,
    query: web::Query<SeatQuery>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let page = state
        .read(move |conn| seats::list(conn, &caller.0, &query))
        .await?;
    Ok(HttpResponse::Ok().json(page))
}

async fn grant_seat(
    caller: Caller,
    path: web::Path<(String, String)>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let now = state.clock.now();
    let (id, profile) = path.into_inner();
    let one = state
        .write(move |conn| seats::grant(conn, &caller.0, &id, &profile, now))
        .await?;
    Ok(HttpResponse::Ok().json(one))
}

async fn dismiss_seat(
    caller: Caller,
    path: web::Path<(String, String)>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let now = state.clock.now();
    let (id, profile) = path.into_inner();
    let one = state
        .write(move |conn| seats::dismiss(conn, &caller.0, &id, &profile, now))
        .await?;
    Ok(HttpResponse::Ok().json(one))
}
