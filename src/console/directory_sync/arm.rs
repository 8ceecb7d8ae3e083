//! Arming an organization: first what it means, truly tried and taken back, then a button. Disarming
//! needs no rehearsal: what is due already still goes out, nothing new is planned.

use actix_web::{HttpResponse, web};
use askama::Template;

use crate::desk::names;
use crate::desk::organizations::{self, ArmView};
use crate::http::HttpState;

use super::super::frame::{Frame, Section, go, page};
use super::super::refusal::Refusal;
use super::super::visitor::{Act, Button, Visitor};
use super::home_of;

pub(super) fn routes(config: &mut web::ServiceConfig) {
    let path = "/directory-sync/organizations/{id}";
    config
        .route(&format!("{path}/arm"), web::get().to(show))
        .route(&format!("{path}/arm"), web::post().to(arm))
        .route(&format!("{path}/disarm"), web::post().to(disarm));
}

#[derive(Template)]
#[template(path = "directory_sync/arm.html", config = "src/console/askama.toml")]
struct ArmPage {
    frame: Frame,
    id: String,
    name: String,
    view: ArmView,
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
            let view = organizations::arm(conn, &actor, &asked, now)?;
            Ok((names::of_organization(conn, &actor, &asked)?, view))
        })
        .await?;
    page(&ArmPage {
        frame: visitor.frame(format!("Arm {name}"), Section::DirectorySync),
        id: id.into_inner(),
        name,
        view,
        csrf: visitor.csrf.clone(),
    })
}

async fn arm(
    act: Act<Button>,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Refusal> {
    let (actor, now, asked) = (act.visitor.actor, act.visitor.now, id.clone());
    state
        .write(move |conn| organizations::arm(conn, &actor, &asked, now))
        .await?;
    Ok(go(&format!("{}?done=armed", home_of(&id))))
}

async fn disarm(
    act: Act<Button>,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Refusal> {
    let (actor, now, asked) = (act.visitor.actor, act.visitor.now, id.clone());
    state
        .write(move |conn| organizations::disarm(conn, &actor, &asked, now))
        .await?;
    Ok(go(&format!("{}?done=disarmed", home_of(&id))))
}
