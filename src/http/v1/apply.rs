//! Triggers from a file, the versions they had, settings for messages, and the opt-out list.

use actix_web::{HttpResponse, web};

use crate::desk::apply::{self, ApplyBody};
use crate::desk::messages;
use crate::desk::opt_outs::{self, NewOptOut, OptOutQuery, WhichOptOut};
use crate::desk::triggers;
use crate::roll::MessageSettings;

use super::super::{HttpState, Problem};
use super::Caller;

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/triggers/apply", web::post().to(apply_file))
        .route("/triggers/{id}/versions", web::get().to(versions))
        .route("/organizations/{id}/messages", web::get().to(show_messages))
        .route("/organizations/{id}/messages", web::put().to(put_messages))
        .route("/opt-outs", web::get().to(list_opt_outs))
        .route("/opt-outs", web::post().to(opt_out))
        .route("/opt-outs", web::delete().to(opt_in));
}

async fn apply_file(
    caller: Caller,
    body: web::Json<ApplyBody>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let (now, policy) = (state.clock.now(), state.policy);
    let dry_run = body.dry_run;
    let work = move |conn: &mut crate::db::Conn| apply::apply(conn, &caller.0, &body, policy, now);
    let done = if dry_run {
        state.rehearse(work).await?
    } else {
        state.write(work).await?
    };
    Ok(HttpResponse::Ok().json(done))
}

async fn versions(
    caller: Caller,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let page = state
        .read(move |conn| triggers::versions(conn, &caller.0, &id))
        .await?;
    Ok(HttpResponse::Ok().json(page))
}

async fn show_messages(
    caller: Caller,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let one = state
        .read(move |conn| messages::show(conn, &caller.0, &id))
        .await?;
    Ok(HttpResponse::Ok().json(one))
}

async fn put_messages(
    caller: Caller,
    id: web::Path<String>,
    body: web::Json<MessageSettings>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let now = state.clock.now();
    let one = state
        .write(move |conn| messages::put(conn, &caller.0, &id, body.clone(), now))
        .await?;
    Ok(HttpResponse::Ok().json(one))
}

async fn list_opt_outs(
    caller: Caller,
    query: web::Query<OptOutQuery>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let page = state
        .read(move |conn| opt_outs::list(conn, &caller.0, &query))
        .await?;
    Ok(HttpResponse::Ok().json(page))
}

async fn opt_out(
    caller: Caller,
    body: web::Json<NewOptOut>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let now = state.clock.now();
    let one = state
        .write(move |conn| opt_outs::add(conn, &caller.0, &body, now))
        .await?;
    Ok(HttpResponse::Created().json(one))
}

async fn opt_in(
    caller: Caller,
    which: web::Query<WhichOptOut>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let now = state.clock.now();
    state
        .write(move |conn| opt_outs::remove(conn, &caller.0, &which, now))
        .await?;
    Ok(HttpResponse::NoContent().finish())
}
