//! One message: to whom, what it says, what was tried; sent again or cancelled by those who operate.

use actix_web::{HttpResponse, web};
use askama::Template;

use crate::http::HttpState;
use crate::operations::deliveries::{self, DeliveryDetail, DeliveryView};
use crate::operations::names;

use super::frame::{Frame, Section, go, page};
use super::indent::indent;
use super::link::encoded;
use super::refusal::Refusal;
use super::visitor::{Act, Button, Visitor};
use super::when::When;

#[derive(Template)]
#[template(path = "delivery.html", config = "src/console/askama.toml")]
struct DeliveryPage {
    frame: Frame,
    one: DeliveryDetail,
    title: String,
    verdict: String,
    tone: &'static str,
    person: Option<String>,
    attempts: Vec<Attempt>,
    due: When,
    settled: Option<When>,
    may_retry: bool,
    may_cancel: bool,
    csrf: String,
}

#[derive(Debug)]
struct Attempt {
    at: When,
    outcome: String,
    detail: Option<String>,
}

pub(super) async fn show(
    visitor: Visitor,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Refusal> {
    let (actor, now) = (visitor.actor.clone(), visitor.now);
    let (mut one, person) = state
        .read(move |conn| {
            let one = deliveries::show(conn, &actor, &id, now)?;
            let ids = [one.delivery.profile_id.clone()];
            let person = names::of_people(conn, &actor, &ids)?.into_values().next();
            Ok((one, person))
        })
        .await?;
    let when = |at| When::new(at, now);
    if one.delivery.channel == "webhook" {
        one.text = one.text.map(|json| indent(&json));
    }
    let (verdict, tone) = verdict(&one.delivery);
    let what = one.delivery.subject.clone();
    let title = what.unwrap_or_else(|| one.delivery.on.replace(['.', '_'], " "));
    let log = std::mem::take(&mut one.attempt_log).into_iter();
    let stands = one.delivery.state.as_str();
    page(&DeliveryPage {
        frame: visitor.frame(title.clone(), Section::Deliveries),
        title,
        verdict,
        tone,
        person,
        attempts: log
            .map(|attempt| Attempt {
                at: when(attempt.at),
                outcome: attempt.outcome,
                detail: attempt.detail,
            })
            .collect(),
        due: when(one.delivery.due_at),
        settled: one.delivery.settled_at.map(when),
        may_retry: visitor.operates() && matches!(stands, "failed" | "unknown"),
        may_cancel: visitor.operates() && stands == "due",
        csrf: visitor.csrf.clone(),
        one,
    })
}

/// What became of it, in a sentence, and how it is coloured.
fn verdict(one: &DeliveryView) -> (String, &'static str) {
    let why = |lead: &str| match &one.reason {
        Some(why) => format!("{lead}: {}.", why.trim_end_matches('.')),
        None => format!("{lead}."),
    };
    match one.state.as_str() {
        "due" => (why("Waits for its time"), "info"),
        "held" => (why("Waits for an operator"), "warn"),
        "claimed" | "attempting" => ("Is being sent.".to_owned(), "info"),
        "sent" => (why("Sent"), "good"),
        "cancelled" => (why("Cancelled"), "quiet"),
        "failed" => (why("Not sent"), "bad"),
        "unknown" => (why("May or may not have gone"), "warn"),
        other => (why(other), "quiet"),
    }
}

pub(super) async fn retry(
    act: Act<Button>,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Refusal> {
    let (actor, now) = (act.visitor.actor, act.visitor.now);
    let one = state
        .write(move |conn| deliveries::retry(conn, &actor, &id, now))
        .await?;
    Ok(back(&one, "retried"))
}

pub(super) async fn cancel(
    act: Act<Button>,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Refusal> {
    let (actor, now) = (act.visitor.actor, act.visitor.now);
    let one = state
        .write(move |conn| deliveries::cancel(conn, &actor, &id, now))
        .await?;
    Ok(back(&one, "cancelled"))
}

fn back(one: &DeliveryView, done: &str) -> HttpResponse {
    go(&format!(
        "/console/deliveries/{}?done={done}",
        encoded(&one.id)
    ))
}
