//! Communities: the list, a form for a new one, and the routes around one.

use std::collections::BTreeMap;

use actix_web::{HttpResponse, web};
use askama::Template;
use serde::Deserialize;

use crate::http::HttpState;
use crate::operations::communities::{self, CommunityQuery, CommunityView, NewCommunity};
use crate::operations::names;

use super::admin_restorations;
use super::community;
use super::frame::{Frame, Section, go, page};
use super::link::{Pager, said};
use super::refusal::Refusal;
use super::rules;
use super::visitor::{Act, Visitor};
use super::when::When;

const PATH: &str = "/console/communities";

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/communities", web::get().to(list))
        .route("/communities", web::post().to(create))
        .route(
            "/communities/admin-restorations",
            web::get().to(admin_restorations::list),
        )
        .route("/communities/{id}", web::get().to(community::show))
        .route("/communities/{id}/rules", web::get().to(rules::show))
        .route("/communities/{id}/rules", web::post().to(rules::save))
        .route(
            "/communities/admin-restorations/{id}",
            web::post().to(admin_restorations::decide),
        )
        .route("/communities/{id}/members", web::post().to(community::put))
        .route(
            "/communities/{id}/leave",
            web::post().to(community::take_out),
        );
}

#[derive(Template)]
#[template(path = "communities.html", config = "src/console/askama.toml")]
struct CommunitiesPage {
    frame: Frame,
    rows: Vec<Row>,
    organizations: Vec<(String, String)>,
    pager: Pager,
    operates: bool,
    csrf: String,
}

#[derive(Debug)]
struct Row {
    id: String,
    name: String,
    organization: Option<String>,
    members: i64,
    admins: i64,
    orphaned: Option<When>,
    created: When,
}

/// Where in the list.
#[derive(Debug, Deserialize)]
pub(super) struct Place {
    cursor: Option<String>,
}

async fn list(
    visitor: Visitor,
    place: web::Query<Place>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Refusal> {
    let actor = visitor.actor.clone();
    let cursor = said(place.into_inner().cursor);
    let query = CommunityQuery {
        cursor: cursor.clone(),
        ..CommunityQuery::default()
    };
    let (found, organizations) = state
        .read(move |conn| {
            let found = communities::list(conn, &actor, &query)?;
            Ok((found, names::of_organizations(conn, &actor)?))
        })
        .await?;
    let names: BTreeMap<String, String> = organizations.iter().cloned().collect();
    page(&CommunitiesPage {
        frame: visitor.frame("Communities", Section::Communities),
        pager: Pager::new(PATH, &[], cursor.as_deref(), found.next_cursor.as_deref()),
        rows: found
            .data
            .into_iter()
            .map(|one| row(one, &names, &visitor))
            .collect(),
        organizations,
        operates: visitor.operates(),
        csrf: visitor.csrf.clone(),
    })
}

fn row(one: CommunityView, names: &BTreeMap<String, String>, visitor: &Visitor) -> Row {
    Row {
        organization: (names.len() > 1)
            .then(|| names.get(&one.organization_id).cloned())
            .flatten(),
        id: one.id,
        name: one.name,
        members: one.members,
        admins: one.admins,
        orphaned: one.orphaned_at.map(|at| When::new(at, visitor.now)),
        created: When::new(one.created_at, visitor.now),
    }
}

/// A new community.
#[derive(Debug, Deserialize)]
pub(super) struct New {
    organization: String,
    name: String,
}

async fn create(act: Act<New>, state: web::Data<HttpState>) -> Result<HttpResponse, Refusal> {
    let (actor, now) = (act.visitor.actor, act.visitor.now);
    let new = NewCommunity {
        organization_id: act.form.organization,
        name: act.form.name,
        rules: Vec::new(),
    };
    let made = state
        .write(move |conn| communities::create(conn, &actor, &new, now))
        .await?;
    Ok(go(&format!("{PATH}/{}?done=created", made.id)))
}
