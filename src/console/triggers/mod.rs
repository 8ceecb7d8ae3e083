//! Triggers: who hears what, when, over which channel; the list, and the routes around one.

mod edit;
mod one;
mod preview;
mod trial;

use std::collections::BTreeMap;

use actix_web::{HttpResponse, web};
use askama::Template;
use serde::Deserialize;

use crate::clock::Timestamp;
use crate::http::HttpState;
use crate::operations::destinations::{self, DestinationQuery};
use crate::operations::names;
use crate::operations::overview::headcounts;
use crate::operations::triggers::{self, TriggerQuery, TriggerView};

use super::frame::{Frame, Section, page};
use super::link::{Pager, encoded, said};
use super::phrase;
use super::refusal::Refusal;
use super::visitor::Visitor;
use super::when::When;

const PATH: &str = "/console/triggers";

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/triggers", web::get().to(list))
        .route("/triggers", web::post().to(edit::create))
        .route("/triggers/new", web::get().to(edit::begin))
        .route("/triggers/{id}", web::get().to(one::show))
        .route("/triggers/{id}/edit", web::get().to(edit::show))
        .route("/triggers/{id}/edit", web::post().to(edit::save))
        .route("/triggers/{id}/status", web::post().to(one::switch))
        .route("/triggers/{id}/delete", web::get().to(one::ask))
        .route("/triggers/{id}/delete", web::post().to(one::delete))
        .route("/triggers/{id}/preview", web::get().to(preview::show))
        .route("/triggers/{id}/preview/html", web::get().to(preview::html))
        .route("/triggers/{id}/test", web::post().to(trial::send));
}

/// The page of one trigger.
fn home_of(id: &str) -> String {
    format!("{PATH}/{}", encoded(id))
}

#[derive(Template)]
#[template(path = "triggers/list.html", config = "src/console/askama.toml")]
struct TriggersPage {
    frame: Frame,
    rows: Vec<Row>,
    homes: Vec<Home>,
    stopped: usize,
    filters: Filters,
    organizations: Vec<(String, String)>,
    pager: Pager,
    operates: bool,
}

#[derive(Debug)]
struct Row {
    id: String,
    name: String,
    occasion: String,
    steps: Vec<String>,
    status: &'static str,
    organization: Option<String>,
    version: i32,
    updated: When,
}

/// Whether an organization's triggers fire.
#[derive(Debug)]
struct Home {
    id: String,
    name: String,
    messaging: Option<When>,
}

/// Which triggers, as the address has it.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Filters {
    organization: Option<String>,
    cursor: Option<String>,
}

async fn list(
    visitor: Visitor,
    filters: web::Query<Filters>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Refusal> {
    let filters = filters.into_inner();
    let filters = Filters {
        organization: said(filters.organization),
        cursor: said(filters.cursor),
    };
    let (actor, now) = (visitor.actor.clone(), visitor.now);
    let query = TriggerQuery {
        organization_id: filters.organization.clone(),
        cursor: filters.cursor.clone(),
        ..TriggerQuery::default()
    };
    let stopped = DestinationQuery {
        state: Some("stopped".to_owned()),
        ..DestinationQuery::default()
    };
    let (found, organizations, counts, stopped) = state
        .read(move |conn| {
            Ok((
                triggers::list(conn, &actor, &query)?,
                names::of_organizations(conn, &actor)?,
                headcounts(conn, &actor)?,
                destinations::list(conn, &actor, &stopped, now)?.data.len(),
            ))
        })
        .await?;
    let names: BTreeMap<&str, &str> = organizations
        .iter()
        .map(|(id, name)| (id.as_str(), name.as_str()))
        .collect();
    let homes = counts.into_iter().map(|one| Home {
        name: names
            .get(one.id.as_str())
            .unwrap_or(&one.id.as_str())
            .to_string(),
        messaging: one.messaging_enabled_at.map(|at| When::new(at, now)),
        id: one.id,
    });
    page(&TriggersPage {
        frame: visitor.frame("Triggers", Section::Triggers),
        homes: homes.collect(),
        stopped,
        pager: Pager::new(
            PATH,
            &[("organization", filters.organization.as_deref())],
            filters.cursor.as_deref(),
            found.next_cursor.as_deref(),
        ),
        rows: found
            .data
            .into_iter()
            .map(|one| row(one, &names, now))
            .collect(),
        operates: visitor.operates(),
        organizations,
        filters,
    })
}

fn row(one: TriggerView, names: &BTreeMap<&str, &str>, now: Timestamp) -> Row {
    let definition = one.definition;
    Row {
        occasion: phrase::occasion(&definition),
        steps: definition.steps.iter().map(phrase::place).collect(),
        status: definition.status.name(),
        organization: names
            .get(definition.organization_id.as_str())
            .filter(|_| names.len() > 1)
            .map(|name| (*name).to_owned()),
        name: definition.name,
        version: one.version,
        updated: When::new(one.updated_at, now),
        id: one.id,
    }
}
