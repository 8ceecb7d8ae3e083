//! `/v1/triggers` and `/v1/deliveries`.

use actix_web::web;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::db::Urgency;
use crate::operations::deliveries::{self, DeliveryQuery};
use crate::operations::resend::{self, ResendBody};
use crate::operations::triggers::{self, TriggerQuery};
use crate::operations::{Page, Role};
use crate::triggers::NewTrigger;

use super::super::body::{Body, Raw};
use super::super::openapi::{Created, DoneOrBegun, NoContent, Table};
use super::super::{HttpState, Problem};
use super::Caller;

pub(super) fn routes(table: &mut Table) {
    table.get("/triggers", list, "Triggers.").may(&[404]);
    table
        .post("/triggers", create, "Make a trigger.")
        .needs(Role::Operator)
        .may(&[404, 409, 422]);
    table.get("/triggers/{id}", show, "One trigger.");
    table
        .put(
            "/triggers/{id}",
            update,
            "Replace a trigger; messages planned by the former version keep it.",
        )
        .needs(Role::Operator)
        .may(&[409, 422]);
    table
        .delete(
            "/triggers/{id}",
            delete,
            "Delete a trigger and cancel what it has planned.",
        )
        .needs(Role::Operator);
    table
        .post(
            "/triggers/{id}/preview",
            preview,
            "What a trigger would send to somebody, were the occasion now.",
        )
        .may(&[403]);
    table
        .get(
            "/deliveries",
            list_deliveries,
            "Messages due, sent, cancelled and failed, newest first.",
        )
        .may(&[403, 404]);
    table
        .post(
            "/deliveries/retry",
            retry_failed,
            "Send all failed messages of one cause again, as a job.",
        )
        .needs(Role::Operator)
        .may(&[404, 409]);
    table.get(
        "/deliveries/{id}",
        show_delivery,
        "One message: text and attempts.",
    );
    table
        .post(
            "/deliveries/{id}/retry",
            retry,
            "Send a failed message again.",
        )
        .needs(Role::Operator)
        .may(&[409]);
    table
        .post(
            "/deliveries/{id}/cancel",
            cancel,
            "Cancel a message that has not gone.",
        )
        .needs(Role::Operator)
        .may(&[409]);
}

async fn list(
    caller: Caller,
    query: web::Query<TriggerQuery>,
    state: web::Data<HttpState>,
) -> Result<web::Json<Page<triggers::TriggerView>>, Problem> {
    let page = state
        .read(move |conn| triggers::list(conn, &caller.0, &query))
        .await?;
    Ok(web::Json(page))
}

async fn retry_failed(
    caller: Caller,
    body: Body<ResendBody>,
    state: web::Data<HttpState>,
) -> Result<DoneOrBegun<resend::ResendView>, Problem> {
    let now = state.clock.now();
    let view = state
        .write(move |conn| resend::resend(conn, &caller.0, &body, now))
        .await?;
    Ok(match view.job_id {
        Some(_) => DoneOrBegun::Begun(view),
        None => DoneOrBegun::Done(view),
    })
}

async fn create(
    caller: Caller,
    body: Raw<NewTrigger>,
    state: web::Data<HttpState>,
) -> Result<Created<triggers::TriggerView>, Problem> {
    let (now, policy) = (state.clock.now(), state.policy);
    let one = state
        .with_db(move |db| {
            let wanted = triggers::wanted(&caller.0, &body, policy)?;
            db.write(Urgency::Normal, |conn| {
                triggers::create(conn, &caller.0, &wanted, now)
            })
        })
        .await?;
    Ok(Created(one))
}

async fn show(
    caller: Caller,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<web::Json<triggers::TriggerView>, Problem> {
    let one = state
        .read(move |conn| triggers::show(conn, &caller.0, &id))
        .await?;
    Ok(web::Json(one))
}

async fn update(
    caller: Caller,
    id: web::Path<String>,
    body: Raw<NewTrigger>,
    state: web::Data<HttpState>,
) -> Result<web::Json<triggers::TriggerView>, Problem> {
    let (now, policy) = (state.clock.now(), state.policy);
    let one = state
        .with_db(move |db| {
            let wanted = triggers::wanted(&caller.0, &body, policy)?;
            db.write(Urgency::Normal, |conn| {
                triggers::update(conn, &caller.0, &id, &wanted, now)
            })
        })
        .await?;
    Ok(web::Json(one))
}

async fn delete(
    caller: Caller,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<NoContent, Problem> {
    let now = state.clock.now();
    state
        .write(move |conn| triggers::delete(conn, &caller.0, &id, now))
        .await?;
    Ok(NoContent)
}

/// For whom a trigger is previewed.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ForWhom {
    profile_id: String,
}

async fn preview(
    caller: Caller,
    id: web::Path<String>,
    body: Body<ForWhom>,
    state: web::Data<HttpState>,
) -> Result<web::Json<triggers::PreviewView>, Problem> {
    let now = state.clock.now();
    let one = state
        .read(move |conn| triggers::preview(conn, &caller.0, &id, &body.profile_id, now))
        .await?;
    Ok(web::Json(one))
}

async fn list_deliveries(
    caller: Caller,
    query: web::Query<DeliveryQuery>,
    state: web::Data<HttpState>,
) -> Result<web::Json<Page<deliveries::DeliveryView>>, Problem> {
    let page = state
        .read(move |conn| deliveries::list(conn, &caller.0, &query))
        .await?;
    Ok(web::Json(page))
}

async fn show_delivery(
    caller: Caller,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<web::Json<deliveries::DeliveryDetail>, Problem> {
    let now = state.clock.now();
    let one = state
        .read(move |conn| deliveries::show(conn, &caller.0, &id, now))
        .await?;
    Ok(web::Json(one))
}

async fn retry(
    caller: Caller,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<web::Json<deliveries::DeliveryView>, Problem> {
    let now = state.clock.now();
    let one = state
        .write(move |conn| deliveries::retry(conn, &caller.0, &id, now))
        .await?;
    Ok(web::Json(one))
}

async fn cancel(
    caller: Caller,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<web::Json<deliveries::DeliveryView>, Problem> {
    let now = state.clock.now();
    let one = state
        .write(move |conn| deliveries::cancel(conn, &caller.0, &id, now))
        .await?;
    Ok(web::Json(one))
}
