//! A hold: why it was opened, whom it is about, and for those who operate, the decision.

use actix_web::{HttpResponse, web};
use askama::Template;

use crate::http::HttpState;
use crate::operations::holds::{self, HoldDetail};

use super::frame::{Frame, Section, go, page};
use super::link::encoded;
use super::refusal::Refusal;
use super::visitor::{Act, Button, Visitor};
use super::when::When;

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/holds/{id}", web::get().to(show))
        .route("/holds/{id}/approve", web::post().to(approve))
        .route("/holds/{id}/reject", web::post().to(reject));
}

#[derive(Template)]
#[template(path = "hold.html", config = "src/console/askama.toml")]
struct HoldPage {
    frame: Frame,
    one: HoldDetail,
    title: &'static str,
    opened: When,
    decided: Option<When>,
    operates: bool,
    csrf: String,
}

impl HoldPage {
    fn open(&self) -> bool {
        self.one.hold.state == "open"
    }

    /// What is done to people: in the past, as a rejection, as an approval.
    fn words(&self) -> [&'static str; 3] {
        match self.one.hold.kind.as_str() {
            "identity_swap" => ["changed", "everybody stays as they were", "change"],
            "leaves" => ["taken out", "everybody stays in", "take out"],
            "welcomes" | "start_dates" => ["greeted", "nobody is greeted", "greet"],
            "messages" | "restored" => ["written to", "nothing is sent", "write to"],
            _ => ["removed", "everybody stays", "remove"],
        }
    }
}

/// What a hold is about, in words.
pub(super) fn title_of(kind: &str) -> &'static str {
    match kind {
        "directory_deleted" => "A directory was deleted",
        "organization_deleted" => "An organization was deleted",
        "removals" => "Many people would be removed",
        "identity_swap" => "Many people would get another identity",
        "leaves" => "Many people would leave communities",
        "welcomes" => "Many people would be greeted at once",
        "messages" => "Many messages would be sent at once",
        "restored" => "A back-up was restored, and these messages may have been sent before",
        "start_dates" => "Newcomers have start dates that cannot be read",
        _ => "A batch waits for a decision",
    }
}

async fn show(
    visitor: Visitor,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Refusal> {
    let actor = visitor.actor.clone();
    let one = state
        .read(move |conn| holds::show(conn, &actor, &id))
        .await?;
    let when = |at| When::new(at, visitor.now);
    let title = title_of(&one.hold.kind);
    page(&HoldPage {
        frame: visitor.frame(title, Section::Overview),
        title,
        opened: when(one.hold.opened_at),
        decided: one.hold.decided_at.map(when),
        operates: visitor.operates(),
        csrf: visitor.csrf.clone(),
        one,
    })
}

async fn approve(
    act: Act<Button>,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Refusal> {
    let (actor, now) = (act.visitor.actor, act.visitor.now);
    let one = state
        .write(move |conn| holds::approve(conn, &actor, &id, now))
        .await?;
    Ok(back(&one, "approved"))
}

async fn reject(
    act: Act<Button>,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Refusal> {
    let (actor, now) = (act.visitor.actor, act.visitor.now);
    let one = state
        .write(move |conn| holds::reject(conn, &actor, &id, now))
        .await?;
    Ok(back(&one, "rejected"))
}

fn back(one: &HoldDetail, done: &str) -> HttpResponse {
    go(&format!(
        "/console/holds/{}?done={done}",
        encoded(&one.hold.id)
    ))
}
