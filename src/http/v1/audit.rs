//! `/v1/audit`: what operators did.

use actix_web::web;

use crate::operations::Page;
use crate::operations::acts::{self, AuditQuery};

use super::super::openapi::Table;
use super::super::{HttpState, Problem};
use super::Caller;

pub(super) fn routes(table: &mut Table) {
    table
        .get("/audit", list, "What operators did, newest first.")
        .may(&[404]);
}

async fn list(
    caller: Caller,
    query: web::Query<AuditQuery>,
    state: web::Data<HttpState>,
) -> Result<web::Json<Page<acts::AuditView>>, Problem> {
    let page = state
        .read(move |conn| acts::list(conn, &caller.0, &query))
        .await?;
    Ok(web::Json(page))
}
