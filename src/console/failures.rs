//! What went wrong, one row a cause, with the way to the events or messages and to their replay.

use actix_web::{HttpResponse, web};
use askama::Template;

use crate::http::HttpState;
use crate::operations::failures::{self, FailureView};

use super::frame::{Frame, Section, page};
use super::link::{encoded, link};
use super::refusal::Refusal;
use super::visitor::Visitor;
use super::when::When;

#[derive(Template)]
#[template(path = "failures.html", config = "src/console/askama.toml")]
struct FailuresPage {
    frame: Frame,
    rows: Vec<Cause>,
    operates: bool,
    csrf: String,
}

struct Cause {
    one: FailureView,
    last: Option<When>,
    first: Option<When>,
}

impl Cause {
    /// Where all of them are listed; what was refused at the door is kept nowhere.
    fn all(&self) -> Option<String> {
        Some(match (&self.one.replay, self.one.about) {
            (None, "webhook") => return None,
            (None, "workos") if self.one.kind == "catch_up" => {
                "/console/directory-sync/gaps".to_owned()
            }
            (None, "workos") => "/console/directory-sync/reconciles".to_owned(),
            (Some(filter), _) => link(
                "/console/events",
                &[
                    ("state", Some(&filter.state)),
                    ("type", Some(&filter.event_type)),
                    (
                        "error",
                        Some(filter.error.as_str()).filter(|error| !error.is_empty()),
                    ),
                ],
            ),
            (None, "job") => "/console/jobs".to_owned(),
            (None, "delivery") => link("/console/deliveries", &[("state", Some(&self.one.state))]),
            (None, _) => link("/console/events", &[("state", Some(&self.one.state))]),
        })
    }

    /// Where the newest is shown.
    fn example(&self) -> Option<String> {
        let list = match self.one.about {
            "workos" => return None,
            "delivery" => "deliveries",
            "job" => "jobs",
            _ => "events",
        };
        let id = self.one.example.as_ref()?;
        Some(format!("/console/{list}/{}", encoded(id)))
    }
}

/// Every cause, the newest first.
pub(super) async fn list(
    visitor: Visitor,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Refusal> {
    let (actor, now) = (visitor.actor.clone(), visitor.now);
    let found = state
        .read(move |conn| failures::list(conn, &actor, None, now))
        .await?;
    let when = |at| When::new(at, visitor.now);
    let rows = found.data.into_iter().map(|one| Cause {
        last: one.last_at.map(when),
        first: one.first_at.map(when),
        one,
    });
    page(&FailuresPage {
        frame: visitor.frame("Failures", Section::Events),
        rows: rows.collect(),
        operates: visitor.operates(),
        csrf: visitor.csrf.clone(),
    })
}
