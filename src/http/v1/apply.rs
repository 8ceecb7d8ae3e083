//! Triggers from a file, the versions they had, settings for messages, and the opt-out list.

use actix_web::web;

use crate::db::{Conn, Urgency};
use crate::domain::MessageSettings;
use crate::operations::apply::{self, ApplyBody};
use crate::operations::messages;
use crate::operations::opt_outs::{self, NewOptOut, OptOutQuery, WhichOptOut};
use crate::operations::triggers;
use crate::operations::{Page, Role};

use super::super::body::Body;
use super::super::openapi::{Created, NoContent, Table};
use super::super::{HttpState, Problem};
use super::Caller;

pub(super) fn routes(table: &mut Table) {
    table
        .post(
            "/triggers/apply",
            apply_file,
            "Make an organization's triggers those of a file.",
        )
        .needs(Role::Operator)
        .may(&[404, 409, 422]);
    table.get(
        "/triggers/{id}/versions",
        versions,
        "Every version of a trigger, newest first.",
    );
    table.get(
        "/organizations/{id}/messages",
        show_messages,
        "An organization's zones, quiet hours and greeting limits.",
    );
    table
        .put(
            "/organizations/{id}/messages",
            put_messages,
            "Replace an organization's zones, quiet hours and greeting limits.",
        )
        .needs(Role::Operator)
        .may(&[422]);
    table
        .get(
            "/opt-outs",
            list_opt_outs,
            "Addresses that are not written to.",
        )
        .may(&[404]);
    table
        .post("/opt-outs", opt_out, "Write to an address no more.")
        .needs(Role::Operator)
        .may(&[404, 409]);
    table
        .delete("/opt-outs", opt_in, "Write to an address again.")
        .needs(Role::Operator)
        .may(&[404]);
}

async fn apply_file(
    caller: Caller,
    body: Body<ApplyBody>,
    state: web::Data<HttpState>,
) -> Result<web::Json<apply::ApplyView>, Problem> {
    let (now, policy) = (state.clock.now(), state.policy);
    let dry_run = body.dry_run;
    let done = state
        .with_db(move |db| {
            let wanted = apply::wanted(&caller.0, &body, policy)?;
            let work = |conn: &mut Conn| apply::apply(conn, &caller.0, &body, &wanted, now);
            if dry_run {
                db.rehearse(Urgency::Normal, work)
            } else {
                db.write(Urgency::Normal, work)
            }
        })
        .await?;
    Ok(web::Json(done))
}

async fn versions(
    caller: Caller,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<web::Json<Page<triggers::VersionView>>, Problem> {
    let page = state
        .read(move |conn| triggers::versions(conn, &caller.0, &id))
        .await?;
    Ok(web::Json(page))
}

async fn show_messages(
    caller: Caller,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<web::Json<messages::MessagesView>, Problem> {
    let one = state
        .read(move |conn| messages::show(conn, &caller.0, &id))
        .await?;
    Ok(web::Json(one))
}

async fn put_messages(
    caller: Caller,
    id: web::Path<String>,
    body: Body<MessageSettings>,
    state: web::Data<HttpState>,
) -> Result<web::Json<messages::MessagesView>, Problem> {
    let now = state.clock.now();
    let one = state
        .write(move |conn| messages::put(conn, &caller.0, &id, body.clone(), now))
        .await?;
    Ok(web::Json(one))
}

async fn list_opt_outs(
    caller: Caller,
    query: web::Query<OptOutQuery>,
    state: web::Data<HttpState>,
) -> Result<web::Json<Page<opt_outs::OptOutView>>, Problem> {
    let page = state
        .read(move |conn| opt_outs::list(conn, &caller.0, &query))
        .await?;
    Ok(web::Json(page))
}

async fn opt_out(
    caller: Caller,
    body: Body<NewOptOut>,
    state: web::Data<HttpState>,
) -> Result<Created<opt_outs::OptOutView>, Problem> {
    let now = state.clock.now();
    let one = state
        .write(move |conn| opt_outs::add(conn, &caller.0, &body, now))
        .await?;
    Ok(Created(one))
}

async fn opt_in(
    caller: Caller,
    which: web::Query<WhichOptOut>,
    state: web::Data<HttpState>,
) -> Result<NoContent, Problem> {
    let now = state.clock.now();
    state
        .write(move |conn| opt_outs::remove(conn, &caller.0, &which, now))
        .await?;
    Ok(NoContent)
}
