//! What is done about one person by hand: erased for good after a question, kept under a legal hold, or
//! put on the list of those who want no messages.

use actix_web::{HttpResponse, web};
use serde::Deserialize;

use crate::http::HttpState;
use crate::operations::erasure::LegalHoldBody;
use crate::operations::{OperationError, Role, erasure, opt_outs, profiles};

use super::confirm::Confirm;
use super::frame::{Section, go, page};
use super::link::encoded;
use super::refusal::Refusal;
use super::visitor::{Act, Button, Visitor};

/// What must be typed before somebody is erased.
const WORD: &str = "erase";

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/people/{id}/erase", web::get().to(ask))
        .route("/people/{id}/erase", web::post().to(erase))
        .route("/people/{id}/legal-hold", web::post().to(keep))
        .route("/people/{id}/legal-hold/release", web::post().to(release))
        .route("/people/{id}/messages", web::post().to(messages));
}

fn home_of(id: &str) -> String {
    format!("/console/people/{}", encoded(id))
}

async fn ask(
    visitor: Visitor,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Refusal> {
    visitor.actor.require(Role::Admin)?;
    let (actor, asked) = (visitor.actor.clone(), id.clone());
    let person = state
        .read(move |conn| profiles::show(conn, &actor, &asked))
        .await?;
    let back = home_of(&id);
    let mut said = vec![
        "What names them goes from their profile, their history, the events and the messages, for good. That it was done is kept, without the name.".to_owned(),
        "Whatever WorkOS sends about them later stays out. This cannot be taken back.".to_owned(),
    ];
    if person.access {
        let still = "They still work here: they lose their access with it.";
        said.insert(0, still.to_owned());
    }
    page(&Confirm {
        frame: visitor.frame("Erase somebody", Section::People),
        title: format!("Erase {}?", person.display_name),
        said,
        action: format!("{back}/erase"),
        word: Some(WORD),
        button: "Erase them for good".to_owned(),
        back,
        csrf: visitor.csrf.clone(),
    })
}

/// The word that was typed.
#[derive(Debug, Deserialize)]
struct Typed {
    word: String,
}

async fn erase(
    act: Act<Typed>,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Refusal> {
    let (actor, now) = (act.visitor.actor, act.visitor.now);
    actor.require(Role::Admin)?;
    if act.form.word.trim() != WORD {
        let why = format!("nobody was erased: type {WORD:?} to say that it is meant");
        return Err(OperationError::Invalid(why).into());
    }
    let to = home_of(&id);
    state
        .write(move |conn| erasure::erase(conn, &actor, &id, now))
        .await?;
    state.empty_log().await;
    Ok(go(&format!("{to}?done=erased")))
}

/// Why their data must be kept.
#[derive(Debug, Deserialize)]
struct Why {
    reason: String,
}

async fn keep(
    act: Act<Why>,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Refusal> {
    let (actor, now) = (act.visitor.actor, act.visitor.now);
    let to = home_of(&id);
    let body = LegalHoldBody {
        reason: act.form.reason,
    };
    state
        .write(move |conn| erasure::place_legal_hold(conn, &actor, &id, &body, now))
        .await?;
    Ok(go(&format!("{to}?done=kept")))
}

async fn release(
    act: Act<Button>,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Refusal> {
    let (actor, now) = (act.visitor.actor, act.visitor.now);
    let to = home_of(&id);
    state
        .write(move |conn| erasure::release_legal_hold(conn, &actor, &id, now))
        .await?;
    Ok(go(&format!("{to}?done=released")))
}

/// Whether they want messages: `true` or `false`.
#[derive(Debug, Deserialize)]
struct Wish {
    wanted: String,
}

async fn messages(
    act: Act<Wish>,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Refusal> {
    let (actor, now) = (act.visitor.actor, act.visitor.now);
    let wanted = act.form.wanted == "true";
    let done = if wanted { "opted_in" } else { "opted_out" };
    let to = home_of(&id);
    state
        .write(move |conn| opt_outs::wish(conn, &actor, &id, wanted, now))
        .await?;
    Ok(go(&format!("{to}?done={done}")))
}
