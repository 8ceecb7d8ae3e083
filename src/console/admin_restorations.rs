//! Admin roles of people who returned, each with its buttons: restore or dismiss.

use actix_web::{HttpResponse, web};
use askama::Template;
use serde::Deserialize;

use crate::http::HttpState;
use crate::operations::MAX_LIMIT;
use crate::operations::admin_restorations::{self, AdminRestorationQuery, AdminRestorationView};

use super::frame::{Frame, Section, go, page};
use super::refusal::Refusal;
use super::visitor::{Act, Visitor};
use super::when::When;

#[derive(Template)]
#[template(path = "admin_restorations.html", config = "src/console/askama.toml")]
struct AdminRestorationsPage {
    frame: Frame,
    rows: Vec<Row>,
    operates: bool,
    csrf: String,
}

#[derive(Debug)]
struct Row {
    one: AdminRestorationView,
    since: When,
}

pub(super) async fn list(
    visitor: Visitor,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Refusal> {
    let actor = visitor.actor.clone();
    let query = AdminRestorationQuery {
        limit: Some(MAX_LIMIT),
        ..AdminRestorationQuery::default()
    };
    let found = state
        .read(move |conn| admin_restorations::list(conn, &actor, &query))
        .await?;
    let rows = found.data.into_iter().map(|one| Row {
        since: When::new(one.granted_at, visitor.now),
        one,
    });
    page(&AdminRestorationsPage {
        frame: visitor.frame("Admin roles to restore", Section::Communities),
        rows: rows.collect(),
        operates: visitor.operates(),
        csrf: visitor.csrf.clone(),
    })
}

/// What becomes of an admin role.
#[derive(Debug, Deserialize)]
pub(super) struct Decision {
    /// `true` or `false`.
    restore: String,
}

/// Restores an admin role or dismisses it.
pub(super) async fn decide(
    act: Act<Decision>,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Refusal> {
    let (actor, now, form) = (act.visitor.actor, act.visitor.now, act.form);
    let restore = form.restore == "true";
    let done = if restore { "restored" } else { "dismissed" };
    state
        .write(move |conn| {
            if restore {
                admin_restorations::restore(conn, &actor, &id, now)
            } else {
                admin_restorations::dismiss(conn, &actor, &id, now)
            }
        })
        .await?;
    Ok(go(&format!(
        "/console/communities/admin-restorations?done={done}"
    )))
}
