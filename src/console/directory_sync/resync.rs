//! One person asked about at WorkOS and brought up to date, step by step: found, matched, mapped,
//! applied.

use actix_web::{HttpResponse, web};
use askama::Template;

use crate::http::HttpState;
use crate::operations::profiles::{self, ProfileView};
use crate::upstream::{ResyncView, resync};

use super::super::frame::{Frame, Section, page};
use super::super::refusal::Refusal;
use super::super::visitor::{Act, Button, Visitor};
use super::asking::client;

pub(super) fn routes(config: &mut web::ServiceConfig) {
    let path = "/people/{id}/resync";
    config
        .route(path, web::get().to(show))
        .route(path, web::post().to(begin));
}

#[derive(Template)]
#[template(path = "resync.html", config = "src/console/askama.toml")]
struct ResyncPage {
    frame: Frame,
    person: ProfileView,
    done: Option<ResyncView>,
    asks_workos: bool,
    operates: bool,
    csrf: String,
}

async fn show(
    visitor: Visitor,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Refusal> {
    told(&visitor, &id, None, &state).await
}

async fn begin(
    act: Act<Button>,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Refusal> {
    let actor = act.visitor.actor.clone();
    actor.require(crate::operations::Role::Operator)?;
    let client = client(&state)?;
    let done = resync(&state.db, &state.clock, client, actor, &id).await?;
    state.wake.notify_one();
    told(&act.visitor, &id, Some(done), &state).await
}

async fn told(
    visitor: &Visitor,
    id: &str,
    done: Option<ResyncView>,
    state: &HttpState,
) -> Result<HttpResponse, Refusal> {
    let (actor, asked) = (visitor.actor.clone(), id.to_owned());
    let person = state
        .read(move |conn| profiles::show(conn, &actor, &asked))
        .await?;
    page(&ResyncPage {
        frame: visitor.frame(format!("Resync {}", person.display_name), Section::People),
        person,
        done,
        asks_workos: state.workos.is_some(),
        operates: visitor.operates(),
        csrf: visitor.csrf.clone(),
    })
}
