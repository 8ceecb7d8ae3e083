//! `/v1/profiles` and `/v1/access`.

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{CustomizeResponder, Responder, web};

use crate::operations::access::{self, AccessQuery};
use crate::operations::erasure::{self, LegalHoldBody};
use crate::operations::profiles::{self, ProfileQuery};
use crate::operations::{Page, Role, tokens};

use super::super::body::Body;
use super::super::middleware::Arrived;
use super::super::openapi::{Created, Table};
use super::super::{HttpState, Problem};
use super::Caller;
use super::auth::{Later, Token, not_known};

pub(super) fn routes(table: &mut Table) {
    table
        .get(
            "/profiles",
            list,
            "People, by default those who are active.",
        )
        .may(&[403, 404]);
    table.get("/profiles/{id}", show, "One person.");
    table.get(
        "/profiles/{id}/history",
        chain,
        "Everything that happened to a person: events, changes, messages, acts.",
    );
    table
        .post("/profiles/{id}/erase", erase, "Erase a person for good.")
        .needs(Role::Admin)
        .may(&[409]);
    table
        .get(
            "/profiles/{id}/legal-hold",
            legal_hold,
            "Why a person's data must be kept.",
        )
        .needs(Role::Operator);
    table
        .post(
            "/profiles/{id}/legal-hold",
            place,
            "Keep a person's data from erasure.",
        )
        .needs(Role::Operator)
        .may(&[409]);
    table
        .delete(
            "/profiles/{id}/legal-hold",
            release,
            "Let a person's data be erased again.",
        )
        .needs(Role::Admin);
    table
        .get(
            "/access",
            may_enter,
            "Whether somebody may come in: by `profile_id`, or by `organization_id` and `email`.",
        )
        .may(&[404]);
}

async fn list(
    caller: Caller,
    query: web::Query<ProfileQuery>,
    state: web::Data<HttpState>,
) -> Result<web::Json<Page<profiles::ProfileView>>, Problem> {
    let page = state
        .read(move |conn| profiles::list(conn, &caller.0, &query))
        .await?;
    Ok(web::Json(page))
}

async fn show(
    caller: Caller,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<web::Json<profiles::ProfileView>, Problem> {
    let one = state
        .read(move |conn| profiles::show(conn, &caller.0, &id))
        .await?;
    Ok(web::Json(one))
}

async fn chain(
    caller: Caller,
    id: web::Path<String>,
    query: web::Query<profiles::HistoryQuery>,
    state: web::Data<HttpState>,
) -> Result<web::Json<profiles::HistoryView>, Problem> {
    let all = state
        .read(move |conn| profiles::history(conn, &caller.0, &id, &query))
        .await?;
    Ok(web::Json(all))
}

async fn erase(
    caller: Caller,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<web::Json<erasure::ErasureView>, Problem> {
    let now = state.clock.now();
    let one = state
        .write(move |conn| erasure::erase(conn, &caller.0, &id, now))
        .await?;
    state.empty_log().await;
    Ok(web::Json(one))
}

async fn legal_hold(
    caller: Caller,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<web::Json<erasure::LegalHoldView>, Problem> {
    let one = state
        .read(move |conn| erasure::show_legal_hold(conn, &caller.0, &id))
        .await?;
    Ok(web::Json(one))
}

async fn place(
    caller: Caller,
    id: web::Path<String>,
    body: Body<LegalHoldBody>,
    state: web::Data<HttpState>,
) -> Result<Created<erasure::LegalHoldView>, Problem> {
    let now = state.clock.now();
    let one = state
        .write(move |conn| erasure::place_legal_hold(conn, &caller.0, &id, &body, now))
        .await?;
    Ok(Created(one))
}

async fn release(
    caller: Caller,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<web::Json<erasure::LegalHoldView>, Problem> {
    let now = state.clock.now();
    let one = state
        .write(move |conn| erasure::release_legal_hold(conn, &caller.0, &id, now))
        .await?;
    Ok(web::Json(one))
}

/// Never kept by anybody: a removal must be seen in seconds (promise 3).
async fn may_enter(
    token: Token,
    query: Later<AccessQuery>,
    state: web::Data<HttpState>,
    arrived: web::ReqData<Arrived>,
) -> Result<CustomizeResponder<web::Json<access::AccessView>>, Problem> {
    let bootstrap = state.bootstrap(&token.0);
    // One reading: this is asked at every session refresh.
    let answer = state
        .read_first(move |conn| {
            let known = match bootstrap {
                Some(actor) => Some(actor),
                None => tokens::authenticate(conn, &token.0)?,
            };
            let Some(actor) = known else {
                return Ok(None);
            };
            access::access(conn, &actor, &query.read()?).map(Some)
        })
        .await?
        .ok_or_else(not_known)?;
    // Whoever asks can tell the answer's own time, from its arrival on, from the network's.
    let took = arrived.0.elapsed().as_secs_f64() * 1_000.0;
    Ok(web::Json(answer)
        .customize()
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header(("server-timing", format!("answer;dur={took:.3}"))))
}
