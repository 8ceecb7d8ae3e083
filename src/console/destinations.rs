//! Destinations: where messages go, which of them refuse and why, what waits there; let go on by those
//! who operate.

use actix_web::{HttpResponse, web};
use askama::Template;
use serde::Deserialize;

use crate::http::HttpState;
use crate::operations::destinations::{self, DestinationQuery, DestinationView};

use super::count::Count;
use super::frame::{Frame, Section, go, page};
use super::link::{Pager, Tab, link, said};
use super::refusal::Refusal;
use super::visitor::{Act, Button, Visitor};
use super::when::When;

const PATH: &str = "/console/destinations";

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/destinations", web::get().to(list))
        .route("/destinations/{id}/resume", web::post().to(resume));
}

#[derive(Template)]
#[template(path = "destinations.html", config = "src/console/askama.toml")]
struct DestinationsPage {
    frame: Frame,
    tabs: Vec<Tab>,
    stopped_only: bool,
    rows: Vec<Row>,
    pager: Pager,
    resumes: bool,
    csrf: String,
}

#[derive(Debug)]
struct Row {
    one: DestinationView,
    waiting: Count,
    oldest: Option<When>,
    sent: Option<When>,
    stopped: Option<When>,
}

/// Which destinations, as the address has it.
#[derive(Debug, Deserialize)]
pub(super) struct Filters {
    state: Option<String>,
    cursor: Option<String>,
}

async fn list(
    visitor: Visitor,
    filters: web::Query<Filters>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Refusal> {
    let filters = filters.into_inner();
    let (wanted, cursor) = (said(filters.state), said(filters.cursor));
    let (actor, now) = (visitor.actor.clone(), visitor.now);
    let query = DestinationQuery {
        state: wanted.clone(),
        cursor: cursor.clone(),
        limit: None,
    };
    let found = state
        .read(move |conn| destinations::list(conn, &actor, &query, now))
        .await?;
    let when = |at| When::new(at, now);
    let rows = found.data.into_iter().map(|one| Row {
        waiting: Count(one.waiting.min(crate::operations::overview::CAP)),
        oldest: one.oldest_due.map(when),
        sent: one.last_sent.map(when),
        stopped: one.stopped_at.map(when),
        one,
    });
    page(&DestinationsPage {
        frame: visitor.frame("Destinations", Section::Triggers),
        rows: rows.collect(),
        tabs: tabs(wanted.as_deref()),
        pager: Pager::new(
            PATH,
            &[("state", wanted.as_deref())],
            cursor.as_deref(),
            found.next_cursor.as_deref(),
        ),
        stopped_only: wanted.as_deref() == Some("stopped"),
        // A destination is shared by all organizations.
        resumes: visitor.operates() && visitor.actor.organization_id.is_none(),
        csrf: visitor.csrf.clone(),
    })
}

fn tabs(shown: Option<&str>) -> Vec<Tab> {
    let states = [
        ("All", None),
        ("Stopped", Some("stopped")),
        ("Open", Some("open")),
    ];
    Tab::all(states, shown, |state| link(PATH, &[("state", state)]))
}

async fn resume(
    act: Act<Button>,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Refusal> {
    let (actor, now) = (act.visitor.actor, act.visitor.now);
    state
        .write(move |conn| destinations::resume(conn, &actor, &id, now))
        .await?;
    Ok(go(&format!("{PATH}?done=resumed")))
}
