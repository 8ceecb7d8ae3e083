//! Admin seats that a return did not give back by itself, each with its act: given back, or struck off.

use actix_web::{HttpResponse, web};
use askama::Template;
use serde::Deserialize;

use crate::desk::MAX_LIMIT;
use crate::desk::seats::{self, SeatQuery, SeatView};
use crate::http::HttpState;

use super::frame::{Frame, Section, go, page};
use super::refusal::Refusal;
use super::visitor::{Act, Visitor};
use super::when::When;

#[derive(Template)]
#[template(path = "seats.html", config = "src/console/askama.toml")]
struct SeatsPage {
    frame: Frame,
    rows: Vec<Row>,
    operates: bool,
    csrf: String,
}

#[derive(Debug)]
struct Row {
    one: SeatView,
    since: When,
}

pub(super) async fn list(
    visitor: Visitor,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Refusal> {
    let actor = visitor.actor.clone();
    let query = SeatQuery {
        limit: Some(MAX_LIMIT),
        ..SeatQuery::default()
    };
    let found = state
        .read(move |conn| seats::list(conn, &actor, &query))
        .await?;
    let rows = found.data.into_iter().map(|one| Row {
        since: When::new(one.granted_at, visitor.now),
        one,
    });
    page(&SeatsPage {
        frame: visitor.frame("Open admin seats", Section::Communities),
        rows: rows.collect(),
        operates: visitor.operates(),
        csrf: visitor.csrf.clone(),
    })
}

/// Whose seat, and what becomes of it.
#[derive(Debug, Deserialize)]
pub(super) struct Decision {
    profile_id: String,
    /// `true` or `false`.
    give: String,
}

/// Gives a seat back, or strikes it off the list.
pub(super) async fn decide(
    act: Act<Decision>,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Refusal> {
    let (actor, now, form) = (act.visitor.actor, act.visitor.now, act.form);
    let give = form.give == "true";
    let done = if give { "seated" } else { "dismissed" };
    state
        .write(move |conn| {
            if give {
                seats::grant(conn, &actor, &id, &form.profile_id, now)
            } else {
                seats::dismiss(conn, &actor, &id, &form.profile_id, now)
            }
        })
        .await?;
    Ok(go(&format!("/console/communities/seats?done={done}")))
}
