//! `/v1/groups`.

use actix_web::web;

use crate::operations::Page;
use crate::operations::groups::{self, GroupQuery};

use super::super::openapi::Table;
use super::super::{HttpState, Problem};
use super::Caller;

pub(super) fn routes(table: &mut Table) {
    table.get("/groups", list, "Groups.").may(&[404]);
    table
        .get(
            "/groups/pending-members",
            waiting,
            "Group memberships that wait for their person or group.",
        )
        .may(&[404]);
}

async fn list(
    caller: Caller,
    query: web::Query<GroupQuery>,
    state: web::Data<HttpState>,
) -> Result<web::Json<Page<groups::GroupView>>, Problem> {
    let page = state
        .read(move |conn| groups::list(conn, &caller.0, &query))
        .await?;
    Ok(web::Json(page))
}

async fn waiting(
    caller: Caller,
    query: web::Query<GroupQuery>,
    state: web::Data<HttpState>,
) -> Result<web::Json<Page<groups::WaitingView>>, Problem> {
    let now = state.clock.now();
    let page = state
        .read(move |conn| groups::waiting(conn, &caller.0, &query, now))
        .await?;
    Ok(web::Json(page))
}
