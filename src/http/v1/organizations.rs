//! `/v1/organizations` and `/v1/directories`.

use actix_web::web;

use crate::operations::directories::{self, DirectoryQuery};
use crate::operations::organizations::{self, OrganizationQuery};
use crate::operations::settings::{self, SettingsUpdate};
use crate::operations::{Page, Role};

use super::super::body::Body;
use super::super::openapi::Table;
use super::super::{HttpState, Problem};
use super::Caller;

pub(super) fn routes(table: &mut Table) {
    table.get("/organizations", list, "Organizations.");
    table.get(
        "/organizations/{id}",
        show,
        "One organization with its settings.",
    );
    table
        .patch(
            "/organizations/{id}",
            change,
            "Change settings; people are folded again under them at once.",
        )
        .needs(Role::Operator)
        .may(&[409, 422]);
    table
        .post(
            "/organizations/{id}/messaging/enable",
            enable_messaging,
            "Turn an organization's messaging on: its triggers fire from now on.",
        )
        .needs(Role::Operator)
        .may(&[409]);
    table
        .post(
            "/organizations/{id}/messaging/disable",
            disable_messaging,
            "Turn an organization's messaging off.",
        )
        .needs(Role::Operator)
        .may(&[409]);
    table
        .get("/directories", list_directories, "Directories.")
        .may(&[404]);
    table.get(
        "/directories/{id}",
        show_directory,
        "One directory and how it is.",
    );
}

async fn list(
    caller: Caller,
    query: web::Query<OrganizationQuery>,
    state: web::Data<HttpState>,
) -> Result<web::Json<Page<organizations::OrganizationView>>, Problem> {
    let page = state
        .read(move |conn| organizations::list(conn, &caller.0, &query))
        .await?;
    Ok(web::Json(page))
}

async fn show(
    caller: Caller,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<web::Json<organizations::OrganizationView>, Problem> {
    let one = state
        .read(move |conn| organizations::show(conn, &caller.0, &id))
        .await?;
    Ok(web::Json(one))
}

async fn change(
    caller: Caller,
    id: web::Path<String>,
    body: Body<SettingsUpdate>,
    state: web::Data<HttpState>,
) -> Result<web::Json<settings::SettingsView>, Problem> {
    let now = state.clock.now();
    let one = state
        .change_settings(caller.0, id.into_inner(), body.into_inner(), now)
        .await?;
    Ok(web::Json(one))
}

async fn enable_messaging(
    caller: Caller,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<web::Json<organizations::MessagingView>, Problem> {
    let now = state.clock.now();
    let one = state
        .write(move |conn| organizations::enable_messaging(conn, &caller.0, &id, now))
        .await?;
    Ok(web::Json(one))
}

async fn disable_messaging(
    caller: Caller,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<web::Json<organizations::MessagingView>, Problem> {
    let now = state.clock.now();
    let one = state
        .write(move |conn| organizations::disable_messaging(conn, &caller.0, &id, now))
        .await?;
    Ok(web::Json(one))
}

async fn list_directories(
    caller: Caller,
    query: web::Query<DirectoryQuery>,
    state: web::Data<HttpState>,
) -> Result<web::Json<Page<directories::DirectoryView>>, Problem> {
    let page = state
        .read(move |conn| directories::list(conn, &caller.0, &query))
        .await?;
    Ok(web::Json(page))
}

async fn show_directory(
    caller: Caller,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<web::Json<directories::DirectoryDetail>, Problem> {
    let one = state
        .read(move |conn| directories::show(conn, &caller.0, &id))
        .await?;
    Ok(web::Json(one))
}
