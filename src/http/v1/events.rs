//! `/v1/events`.

use actix_web::web;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::operations::events::{self, EventQuery};
use crate::operations::replay::{self, ReplayBody};
use crate::operations::{Page, Role};

use super::super::body::Body;
use super::super::openapi::{DoneOrBegun, Table};
use super::super::{HttpState, Problem};
use super::Caller;

pub(super) fn routes(table: &mut Table) {
    table
        .get("/events", list, "Events, newest first.")
        .may(&[404]);
    table
        .post(
            "/events/replay",
            replay_matching,
            "Replay a selection of events, or tell what it would change (`dry_run`).",
        )
        .needs(Role::Operator)
        .may(&[404, 409]);
    table.get(
        "/events/{id}",
        show,
        "One event: payload, attempts, changes, deliveries.",
    );
    table
        .post("/events/{id}/replay", replay_one, "Replay one event.")
        .needs(Role::Operator)
        .may(&[409]);
    table
        .post(
            "/events/{id}/discard",
            discard,
            "End a failed event, with a reason.",
        )
        .needs(Role::Operator)
        .may(&[409]);
}

async fn list(
    caller: Caller,
    query: web::Query<EventQuery>,
    state: web::Data<HttpState>,
) -> Result<web::Json<Page<events::EventView>>, Problem> {
    let query = query.into_inner();
    let page = state
        .read(move |conn| events::list(conn, &caller.0, &query))
        .await?;
    Ok(web::Json(page))
}

async fn show(
    caller: Caller,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<web::Json<events::EventDetail>, Problem> {
    let one = state
        .read(move |conn| events::show(conn, &caller.0, &id))
        .await?;
    Ok(web::Json(one))
}

async fn replay_one(
    caller: Caller,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<web::Json<events::EventView>, Problem> {
    let now = state.clock.now();
    let one = state
        .write(move |conn| events::replay(conn, &caller.0, &id, now))
        .await?;
    Ok(web::Json(one))
}

async fn replay_matching(
    caller: Caller,
    body: Body<ReplayBody>,
    state: web::Data<HttpState>,
) -> Result<DoneOrBegun<replay::ReplayView>, Problem> {
    let now = state.clock.now();
    let view = state
        .with_db(move |db| replay::replay(db, &caller.0, &body, now))
        .await?;
    Ok(match view.job_id {
        Some(_) => DoneOrBegun::Begun(view),
        None => DoneOrBegun::Done(view),
    })
}

/// Why an event is discarded.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Discard {
    #[schemars(length(min = 1, max = 500), regex(pattern = r"\S"))]
    reason: String,
}

async fn discard(
    caller: Caller,
    id: web::Path<String>,
    body: Body<Discard>,
    state: web::Data<HttpState>,
) -> Result<web::Json<events::EventView>, Problem> {
    let now = state.clock.now();
    let one = state
        .write(move |conn| events::discard(conn, &caller.0, &id, &body.reason, now))
        .await?;
    Ok(web::Json(one))
}
