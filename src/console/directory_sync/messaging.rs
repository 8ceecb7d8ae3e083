//! Turning messaging on: first a preview of what it means, then a button. Turning it off needs no preview:
//! messages that are already due still go out, and nothing new is planned.

use actix_web::{HttpResponse, web};
use askama::Template;

use crate::http::HttpState;
use crate::operations::names;
use crate::operations::organizations::{self, MessagingView};

use super::super::frame::{Frame, Section, go, page};
use super::super::refusal::Refusal;
use super::super::visitor::{Act, Button, Visitor};
use super::home_of;

pub(super) fn routes(config: &mut web::ServiceConfig) {
    let path = "/directory-sync/organizations/{id}";
    config
        .route(&format!("{path}/messaging"), web::get().to(show))
        .route(&format!("{path}/messaging"), web::post().to(enable))
        .route(
            &format!("{path}/messaging/disable"),
            web::post().to(disable),
        );
}

#[derive(Template)]
#[template(
    path = "directory_sync/messaging.html",
    config = "src/console/askama.toml"
)]
struct MessagingPage {
    frame: Frame,
    id: String,
    name: String,
    view: MessagingView,
    csrf: String,
}

async fn show(
    visitor: Visitor,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Refusal> {
    let (actor, now, asked) = (visitor.actor.clone(), visitor.now, id.clone());
    let (name, view) = state
        .rehearse(move |conn| {
            let view = organizations::enable_messaging(conn, &actor, &asked, now)?;
            Ok((names::of_organization(conn, &actor, &asked)?, view))
        })
        .await?;
    page(&MessagingPage {
        frame: visitor.frame(format!("Messaging for {name}"), Section::DirectorySync),
        id: id.into_inner(),
        name,
        view,
        csrf: visitor.csrf.clone(),
    })
}

async fn enable(
    act: Act<Button>,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Refusal> {
    let (actor, now, asked) = (act.visitor.actor, act.visitor.now, id.clone());
    state
        .write(move |conn| organizations::enable_messaging(conn, &actor, &asked, now))
        .await?;
    Ok(go(&format!("{}?done=messaging_enabled", home_of(&id))))
}

async fn disable(
    act: Act<Button>,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Refusal> {
    let (actor, now, asked) = (act.visitor.actor, act.visitor.now, id.clone());
    state
        .write(move |conn| organizations::disable_messaging(conn, &actor, &asked, now))
        .await?;
    Ok(go(&format!("{}?done=messaging_disabled", home_of(&id))))
}
